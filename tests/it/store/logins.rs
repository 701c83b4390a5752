//! Logins of one worker each, on a server that demands passwords: what each sees, and what it is refused whatever it tries.

use std::collections::BTreeSet;

use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::store::login::{self, Outcome, Password};
use cpr_operator::store::{self, ConsumerId, Database, Error, Store, consumer, postgres};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::site;
use crate::support::logins;
use crate::support::server::Server;

const MINE: &str = "cpr_w_01234567_0000000000000001";
const OTHERS: &str = "cpr_w_01234567_0000000000000002";

/// A server with two consumers, and a store opened by a login that is the operator's alone.
struct Ground {
    server: Server,
    _folder: TempDir,
    owners: Store,
    operators: Store,
}

impl Ground {
    async fn new() -> Self {
        let (server, folder) = (Server::demanding_passwords(), TempDir::new().unwrap());
        logins::make(&server.url()).await;
        let owners = open(&server.url(), folder.path()).await;
        let operators = open(&server.url().replace("postgres@", "test_operator@"), folder.path()).await;
        Self { server, _folder: folder, owners, operators }
    }

    /// What the server's administrator runs.
    async fn allow(&self) {
        let mut administrator = PgConnection::connect(&self.server.url()).await.unwrap();
        // As often as they like.
        for _ in 0..2 {
            administrator.execute(postgres::LOGINS).await.unwrap();
        }
    }

    /// Both databases, as the operator sees them.
    fn both(&self) -> [&Database; 2] {
        [self.operators.keys.database(), &self.operators.main]
    }

    async fn ensure(&self, name: &str, password: &Password, consumers: &[ConsumerId]) {
        for database in self.both() {
            let mut tx = database.begin().await.unwrap();
            assert_eq!(login::ensure(&mut tx, name, password, 20).await.unwrap(), Outcome::Done);
            login::assign(&mut tx, name, &consumers.iter().copied().collect()).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    fn url(&self, name: &str, password: &Password) -> String {
        self.server.url().replace("postgres@", &format!("{name}:{}@", password.expose()))
    }

    async fn connect(&self, name: &str, password: &Password) -> PgConnection {
        let mut conn = PgConnection::connect(&self.url(name, password)).await.unwrap();
        conn.execute("SET search_path = cpr, cpr_keys").await.unwrap();
        conn
    }
}

async fn open(url: &str, folder: &std::path::Path) -> Store {
    let file = folder.join("url");
    std::fs::write(&file, url).unwrap();
    let settings = DatabaseSettings { url_file: Some(file), ..DatabaseSettings::default() };
    store::open(&site::settings(folder), &settings, site::noon()).await.unwrap()
}

async fn count(conn: &mut PgConnection, of: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {of}"))).fetch_one(conn).await.unwrap()
}

/// Whether a statement is refused, by a missing right or a policy, or finds nothing to change.
async fn is_without_effect(conn: &mut PgConnection, statement: &str) -> bool {
    logins::permitted(conn, statement).await.is_none_or(|rows| rows == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_sees_its_own_consumer_and_is_refused_another_whatever_it_names() {
    let ground = Ground::new().await;
    ground.allow().await;
    let store = &ground.owners;
    let source = site::source(store, "s").await;
    let (mine, other) = (site::consumer(store, "mine").await, site::consumer(store, "other").await);
    let (one, two) = (site::ensured(store, 1).await, site::ensured(store, 2).await);
    store.keys.ensure_claims(&[(mine, one.record), (other, two.record)], site::noon()).await.unwrap();
    for (consumer, person) in [(mine, one.record), (other, two.record)] {
        site::append(store, &[site::event(person, source, vec![site::route(consumer)])]).await;
        site::settle(store, consumer, 0).await;
        store.keys.consumer_key(consumer, site::noon()).await.unwrap();
    }
    let mut owner = PgConnection::connect(&ground.server.url()).await.unwrap();
    for consumer in [mine, other] {
        let letter = format!(
            "INSERT INTO cpr.dead_letter (consumer, seq, to_seq, count, at, given_up_at, attempts, class)
             VALUES ({consumer}, 90, 90, 1, 1, 1, 1, 'Expired')"
        );
        owner.execute(AssertSqlSafe(letter)).await.unwrap();
    }
    for consumer in [mine, other] {
        let subscribed = format!(
            "INSERT INTO cpr.subscription (namespace, name, uid, generation, source, consumer, began_at)
             VALUES ('tenant', '{consumer}', '', 1, {source}, {consumer}, 1);
             INSERT INTO cpr.subject (subscription, record, origin, source, since)
             SELECT max(id), '\\x00', 'Managed', {source}, 1 FROM cpr.subscription"
        );
        owner.execute(AssertSqlSafe(subscribed)).await.unwrap();
    }
    let (my_password, other_password) = (Password::random(), Password::random());
    ground.ensure(MINE, &my_password, &[mine]).await;
    ground.ensure(OTHERS, &other_password, &[other]).await;

    let wrong = PgConnection::connect(&ground.url(MINE, &other_password)).await.unwrap_err();
    assert!(wrong.to_string().contains("password authentication failed"), "{wrong}");
    for (name, password, own, foreign) in [(MINE, &my_password, mine, other), (OTHERS, &other_password, other, mine)] {
        let mut conn = ground.connect(name, password).await;
        // It names the other, and makes a table that says that it stands for it.
        conn.execute(AssertSqlSafe(format!(
            "SET cpr.consumers = '{foreign}';
             CREATE TEMP TABLE consumer_login (login NAME, consumer BIGINT);
             INSERT INTO pg_temp.consumer_login VALUES (session_user, {foreign});
             CREATE TEMP TABLE claim (record BYTEA, consumer BIGINT);
             INSERT INTO pg_temp.claim VALUES ('\\x{}', {own}), ('\\x{}', {own})",
            hex::encode(one.record.0),
            hex::encode(two.record.0),
        )))
        .await
        .unwrap();
        for table in ["cpr.route", "cpr.lane", "cpr.dead_letter", "cpr_keys.claim"] {
            assert!(count(&mut conn, &format!("{table} WHERE consumer = {own}")).await > 0, "{name}: {table}");
            assert_eq!(count(&mut conn, &format!("{table} WHERE consumer <> {own}")).await, 0, "{name}: {table}");
        }
        for table in ["cpr.consumer", "cpr.subscription", "cpr.subject", "cpr.event"] {
            assert_eq!(count(&mut conn, table).await, 1, "{name}: {table}");
        }
        assert_eq!(count(&mut conn, "cpr_keys.keyring WHERE kind = 'consumer'").await, 1);
        let keys = |of: ConsumerId| {
            let records = vec![one.record.0.to_vec(), two.record.0.to_vec()];
            sqlx::query("SELECT record FROM cpr_keys.claimed_keys($1, $2)").bind(of).bind(records)
        };
        assert_eq!(keys(own).fetch_all(&mut conn).await.unwrap().len(), 1);
        assert_eq!(keys(foreign).fetch_all(&mut conn).await.unwrap().len(), 0, "{name}");
        for statement in [
            format!("UPDATE cpr.consumer SET verified = 'mine' WHERE id = {foreign}"),
            format!("UPDATE cpr.lane SET taken = 1 WHERE consumer = {foreign}"),
            format!("INSERT INTO cpr.consumer_state (consumer, state, revision) VALUES ({foreign}, '', 1)"),
            format!("INSERT INTO cpr.request (kind, consumer, record, at) VALUES ('', {foreign}, '', 1)"),
            format!("INSERT INTO cpr.consumer_login VALUES ('{name}', {foreign})"),
            format!("SELECT cpr_logins.ensure('{name}', '', '', 1)"),
            "SET ROLE cpr_operator".to_owned(),
            format!("SET SESSION AUTHORIZATION {}", if name == MINE { OTHERS } else { MINE }),
            format!("ALTER ROLE {name} SUPERUSER"),
        ] {
            assert!(is_without_effect(&mut conn, &statement).await, "{name}: {statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_stands_for_nobody_sees_nobody_and_one_that_is_removed_is_gone() {
    let ground = Ground::new().await;
    ground.allow().await;
    let store = &ground.owners;
    let mine = site::consumer(store, "mine").await;
    site::settle(store, mine, 0).await;
    let password = Password::random();
    ground.ensure(MINE, &password, &[mine]).await;
    let mut conn = ground.connect(MINE, &password).await;
    assert_eq!(count(&mut conn, "lane").await, 16);

    // Its consumer goes, and with it the row that says for whom it stands: it must not fall back to whom it names.
    ground.ensure(MINE, &password, &[]).await;
    conn.execute(AssertSqlSafe(format!("SET cpr.consumers = '{mine}'"))).await.unwrap();
    assert_eq!((count(&mut conn, "lane").await, count(&mut conn, "consumer").await), (0, 0));

    // Another password shuts the one before out, and what is connected goes on.
    let next = Password::random();
    ground.ensure(MINE, &next, &[mine]).await;
    assert!(PgConnection::connect(&ground.url(MINE, &password)).await.is_err());
    assert_eq!(count(&mut conn, "lane").await, 16);
    let mut tx = ground.operators.main.begin().await.unwrap();
    let known = login::all(&mut tx, &login::prefix("0123456789abcdef")).await.unwrap();
    let present = &known[MINE];
    assert_eq!((present.mark.clone(), present.connections, present.is_used), (next.mark(), 20, true));
    assert_eq!(present.consumers, BTreeSet::from([mine]));
    let key = ResourceKey::new("tenant", "mine");
    let found = consumer::find(&mut tx, &key).await.unwrap().map(|row| row.id);
    assert_eq!(login::consumers(&mut tx).await.unwrap().get(&key).copied(), found);
    for _ in 0..2 {
        assert_eq!(login::remove(&mut tx, MINE).await.unwrap(), Outcome::Done);
    }
    tx.commit().await.unwrap();
    assert!(PgConnection::connect(&ground.url(MINE, &next)).await.is_err());
    assert!(conn.execute("SELECT count(*) FROM lane").await.is_err(), "who is connected as it is shown nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_logins_of_workers_can_be_made_and_only_by_the_operator() {
    let ground = Ground::new().await;
    let password = Password::random();
    let ensure = async |name: &str| -> Result<Outcome, Error> {
        let mut tx = ground.operators.main.begin().await?;
        let outcome = login::ensure(&mut tx, name, &password, 20).await?;
        tx.commit().await?;
        Ok(outcome)
    };
    assert_eq!(ensure(MINE).await.unwrap(), Outcome::NotAllowed, "nobody has let it");
    ground.allow().await;
    for name in ["postgres", "cpr_operator", "test_deliver", "cpr_w_", "cpr_w_01234567_0000000000000001; DROP"] {
        assert_eq!(ensure(name).await.unwrap(), Outcome::Refused, "{name}");
    }
    let mut owner = PgConnection::connect(&ground.server.url()).await.unwrap();
    owner.execute(AssertSqlSafe(format!("CREATE ROLE {MINE} IN ROLE cpr_ingest"))).await.unwrap();
    assert_eq!(ensure(MINE).await.unwrap(), Outcome::Refused, "it is a member of another role");
    owner.execute(AssertSqlSafe(format!("REVOKE cpr_ingest FROM {MINE}"))).await.unwrap();
    assert_eq!(ensure(MINE).await.unwrap(), Outcome::Done);
    let memberships = format!("pg_auth_members WHERE member = '{MINE}'::regrole");
    assert_eq!(count(&mut owner, &memberships).await, 1);
    owner.execute("ALTER ROLE cpr_logins NOCREATEROLE").await.unwrap();
    assert_eq!(ensure(OTHERS).await.unwrap(), Outcome::NotAllowed, "the right was taken away");
    for role in ["ingest", "lookup", "retention"] {
        let mut conn =
            PgConnection::connect(&ground.server.url().replace("postgres@", &format!("test_{role}@"))).await.unwrap();
        assert!(is_without_effect(&mut conn, "SELECT cpr_logins.remove('postgres')").await, "{role}");
    }
    let logged = ground.server.log();
    assert!(!logged.contains(password.expose()), "the password is in the server's log");
}
