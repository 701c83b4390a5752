//! What each role may do in PostgreSQL, seen by logging in as each: what its work needs, and nothing of what is others'.

use cpr_operator::store;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::site::{self, Site};
use crate::support::{database, logins};

/// A store whose server has the roles, and a login for each.
struct Rights {
    site: Site,
    url: String,
}

impl Rights {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let settings = database::on_postgres(folder.path()).await;
        let url = std::fs::read_to_string(settings.url_file.as_ref().unwrap()).unwrap();
        logins::make(&url).await;
        let store = store::open(&site::settings(folder.path()), &settings, site::noon()).await.unwrap();
        Self { site: Site { folder, store }, url }
    }

    async fn login(&self, role: &str) -> PgConnection {
        let url = self.url.replace("postgres@", &format!("test_{role}@"));
        let mut conn = PgConnection::connect(&url).await.unwrap();
        conn.execute("SET search_path = cpr, cpr_keys").await.unwrap();
        conn
    }
}

/// Whether the statement was refused for want of rights.
async fn is_refused(conn: &mut PgConnection, statement: &str) -> bool {
    logins::permitted(conn, statement).await.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_is_refused_what_is_not_its_own() {
    let rights = Rights::new().await;
    for (role, refused, allowed) in [
        (
            "operator",
            &[
                "SELECT content FROM person",
                "SELECT snapshot FROM event",
                "SELECT snapshot FROM dead_letter",
                "UPDATE lane SET taken = 1",
                "INSERT INTO attempt (consumer, seq, number, at, outcome, millis) VALUES (1, 1, 1, 1, '', 1)",
                "DELETE FROM person",
                "DELETE FROM audit_entry",
                "SELECT public FROM audit_entry",
                "SELECT * FROM claimed_keys(1, '{}')",
                "CREATE TABLE cpr.more (id BIGINT)",
            ][..],
            &["SELECT municipality FROM person", "SELECT compiled FROM consumer", "DELETE FROM listing"][..],
        ),
        (
            "ingest",
            &[
                "UPDATE consumer SET compiled = ''",
                "UPDATE subscription SET compiled = ''",
                "INSERT INTO attempt (consumer, seq, number, at, outcome, millis) VALUES (1, 1, 1, 1, '', 1)",
                "UPDATE lane SET taken = 1",
                "UPDATE audit_entry SET public = ''",
                "DELETE FROM audit_entry",
            ],
            &[
                "SELECT content FROM person",
                "DELETE FROM route",
                "SELECT wrapped FROM person_key",
                "SELECT look_at_grown()",
            ],
        ),
        (
            "deliver",
            &[
                "SELECT look_at_grown()",
                "SELECT content FROM person",
                "SELECT municipality FROM person",
                "SELECT wrapped FROM person_key",
                "SELECT record FROM identifier",
                "INSERT INTO route (consumer, shard, event, type, subscriptions, at) VALUES (1, 1, 1, '', '', 1)",
                "UPDATE consumer SET compiled = ''",
                "DELETE FROM attempt",
                "DELETE FROM dead_letter",
                "DELETE FROM audit_entry",
                "INSERT INTO consumer_login VALUES ('test_deliver', 1)",
            ],
            &["SELECT protected FROM person", "SELECT snapshot FROM event", "SELECT seq FROM route"],
        ),
        (
            "lookup",
            &[
                "SELECT seq FROM route",
                "UPDATE person SET leaving = 1",
                "SELECT snapshot FROM event",
                "DELETE FROM audit_entry",
            ],
            &["SELECT content FROM person", "SELECT wrapped FROM person_key"],
        ),
        (
            "retention",
            &[
                "SELECT content FROM person",
                "SELECT snapshot FROM event",
                "SELECT wrapped FROM cpr_keys.person_key",
                "DELETE FROM audit_entry",
            ],
            &["DELETE FROM event WHERE at < 0", "DELETE FROM dead_letter WHERE given_up_at < 0"],
        ),
    ] {
        let mut conn = rights.login(role).await;
        for statement in refused {
            assert!(is_refused(&mut conn, statement).await, "{role}: {statement}");
        }
        for statement in allowed {
            assert!(!is_refused(&mut conn, statement).await, "{role}: {statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_sees_the_rows_of_the_consumers_that_it_names_and_writes_no_others() {
    let rights = Rights::new().await;
    let store = &rights.site.store;
    let source = site::source(store, "s").await;
    let (mine, other) = (site::consumer(store, "mine").await, site::consumer(store, "other").await);
    let person = site::ensured(store, 1).await;
    let routes = vec![site::route(mine), site::route(other)];
    site::append(store, &[site::event(person.record, source, routes)]).await;
    site::settle(store, mine, 0).await;
    site::settle(store, other, 0).await;

    let mut conn = rights.login("deliver").await;
    let mut seen = async |setting: &str| -> (i64, i64) {
        let mut tx = conn.begin().await.unwrap();
        tx.execute(AssertSqlSafe(format!("SET LOCAL cpr.consumers = '{setting}'"))).await.unwrap();
        let counts = "SELECT (SELECT count(*) FROM route), (SELECT count(*) FROM lane)";
        sqlx::query_as(counts).fetch_one(&mut *tx).await.unwrap()
    };
    assert_eq!(seen("").await, (0, 0), "nobody's rows without a name");
    assert_eq!(seen(&mine.to_string()).await, (1, 16));
    assert_eq!(seen(&format!("{mine},{other}")).await, (2, 32));
    let write = format!(
        "SET cpr.consumers = '{mine}';
         INSERT INTO attempt (consumer, seq, number, at, outcome, millis) VALUES ({other}, 1, 1, 1, 'Delivered', 1)"
    );
    assert!(is_refused(&mut conn, &write).await, "an attempt of another consumer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_stands_for_one_consumer_gets_nobody_elses_person_whatever_it_says() {
    let rights = Rights::new().await;
    let store = &rights.site.store;
    let (mine, other) = (site::consumer(store, "mine").await, site::consumer(store, "other").await);
    let (one, two) = (site::ensured(store, 1).await, site::ensured(store, 2).await);
    store.keys.ensure_claims(&[(mine, one.record), (other, two.record)], site::noon()).await.unwrap();
    store.keys.consumer_key(other, site::noon()).await.unwrap();
    let mut owner = PgConnection::connect(&rights.url).await.unwrap();
    for schema in ["cpr", "cpr_keys"] {
        let stands = format!("INSERT INTO {schema}.consumer_login VALUES ('test_deliver', {mine})");
        owner.execute(AssertSqlSafe(stands)).await.unwrap();
    }
    let mut conn = rights.login("deliver").await;
    conn.execute(AssertSqlSafe(format!("SET cpr.consumers = '{other}'"))).await.unwrap();
    let keys = async |conn: &mut PgConnection, of: i64| -> Vec<Vec<u8>> {
        let records = vec![one.record.0.to_vec(), two.record.0.to_vec()];
        let read = sqlx::query_scalar("SELECT record FROM claimed_keys($1, $2)").bind(of).bind(records);
        read.fetch_all(conn).await.unwrap()
    };
    assert_eq!(keys(&mut conn, mine).await, [one.record.0.to_vec()]);
    assert_eq!(keys(&mut conn, other).await, Vec::<Vec<u8>>::new(), "it names the other and is refused");
    let rings: i64 =
        sqlx::query_scalar("SELECT count(*) FROM keyring WHERE kind = 'consumer'").fetch_one(&mut conn).await.unwrap();
    assert_eq!(rings, 0, "the other's key for references is not seen either");
}
