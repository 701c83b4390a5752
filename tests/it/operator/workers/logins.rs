//! Logins at the database, one for each worker that delivers: when they come, what they stand for, and when they go.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::store::postgres;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::super::steered::{consumer, within_patience};
use super::site::{Site, args};
use crate::support::server::Server;

/// What the server's administrator runs.
async fn allow(server: &Server) {
    let mut administrator = PgConnection::connect(&server.url()).await.unwrap();
    administrator.execute(postgres::LOGINS).await.unwrap();
}

/// The address that a worker's Secret holds, if it holds one.
fn address(secret: &Secret) -> Option<String> {
    Some(String::from_utf8(secret.data.as_ref()?.get("database-url")?.0.clone()).unwrap())
}

/// The Secrets by which a Deployment's pods reach the database.
fn mounts(deployment: &Deployment) -> Vec<String> {
    let pod = serde_json::to_value(&deployment.spec.template.spec).unwrap();
    let volumes = pod["volumes"].as_array().unwrap();
    let database = volumes.iter().find(|volume| volume["name"] == "database").unwrap();
    let sources = database["projected"]["sources"].as_array().unwrap();
    sources.iter().map(|source| source["secret"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The names of consumers that whoever logs in by an address is shown, though they name all.
async fn shown(address: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut conn = PgConnection::connect(address).await?;
    conn.execute("SET cpr.consumers = '1,2,3,4,5,6,7,8,9'").await?;
    sqlx::query_scalar("SELECT name::text FROM cpr.consumer ORDER BY name").fetch_all(&mut conn).await
}

/// Roles of workers that there are.
async fn roles(server: &Server) -> Vec<String> {
    let mut conn = PgConnection::connect(&server.url()).await.unwrap();
    let names = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'cpr\\_w\\_%' ORDER BY rolname";
    sqlx::query_scalar(names).fetch_all(&mut conn).await.unwrap()
}

async fn until_roles(server: &Server, count: usize) {
    let found = within_patience(async || (roles(server).await.len() == count).then_some(())).await;
    assert!(found.is_some(), "{count} never came to be: {:?}", roles(server).await);
}

async fn with_logins(server: &Server) -> Site {
    let mut site = Site::on(server).await;
    site.world.stop().await;
    site.world.context.database.login_per_consumer = true;
    site.world.start();
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_delivers_has_a_login_of_its_own_as_long_as_it_is_there() {
    let server = Server::demanding_passwords();
    let mut site = with_logins(&server).await;
    allow(&server).await;
    site.world.apply::<ConsumerSystem>("other", consumer(&["Name"])).await;
    site.world.install_unready().await;
    let (deliver, ingest) = (site.deliver("sample"), site.ingest("register"));
    let deployment = site.until_scaled(&deliver, 1).await;
    assert_eq!(mounts(&deployment), std::slice::from_ref(&deliver));
    let first = address(&site.until_made::<Secret>(&deliver).await).unwrap();
    assert_eq!(shown(&first).await.unwrap(), ["sample"]);
    let second = address(&site.until_made::<Secret>(&site.deliver("other")).await).unwrap();
    assert_eq!(shown(&second).await.unwrap(), ["other"]);
    assert_eq!(mounts(&site.until_scaled(&ingest, 2).await), ["database"]);
    assert_eq!(address(&site.until_made::<Secret>(&ingest).await), None);

    // A Secret that is gone comes with another password; the one before is worth nothing.
    site.api::<Secret>().delete(&deliver, &DeleteParams::default()).await.unwrap();
    let is_new = |secret: &Secret| address(secret).is_some_and(|address| address != first);
    let anew = address(&site.until(&deliver, is_new).await).unwrap();
    let taken = within_patience(async || shown(&anew).await.ok()).await;
    assert_eq!(taken.unwrap(), ["sample"]);
    assert!(shown(&first).await.is_err());

    // What somebody changes at the database is changed back, by whoever leads next too.
    let mut owner = PgConnection::connect(&server.url()).await.unwrap();
    for taken_away in ["DELETE FROM cpr.consumer_login", "DELETE FROM cpr_keys.consumer_login"] {
        owner.execute(taken_away).await.unwrap();
    }
    owner.execute(AssertSqlSafe(format!("DROP ROLE {}", roles(&server).await[0]))).await.unwrap();
    site.world.stop().await;
    site.world.start();
    let repaired =
        async || (shown(&anew).await.ok()? == ["sample"] && shown(&second).await.ok()? == ["other"]).then_some(());
    assert!(within_patience(async || repaired().await).await.is_some(), "{:?}", shown(&anew).await);

    site.world.delete::<ConsumerSystem>("other").await;
    until_roles(&server, 1).await;
    // Also where nobody was there to see, and while somebody is still connected, for a while.
    let mut connected = PgConnection::connect(&anew).await.unwrap();
    site.world.stop().await;
    site.world.delete::<ConsumerSystem>("sample").await;
    site.world.start();
    site.until_gone::<Deployment>(&deliver).await;
    site.until_quiet().await;
    assert_eq!(roles(&server).await.len(), 1);
    let gone = within_patience(async || {
        site.world.context.clock.advance(Duration::from_secs(16));
        roles(&server).await.is_empty().then_some(())
    });
    assert!(gone.await.is_some());
    assert!(connected.execute("SELECT count(*) FROM cpr.consumer").await.is_err());
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_switched_on_and_off_on_a_site_that_runs_and_nobody_is_without_a_login_meanwhile() {
    let server = Server::demanding_passwords();
    let mut site = Site::on(&server).await;
    site.world.install_unready().await;
    site.prove("sample").await;
    let deliver = site.deliver("sample");
    let before = site.until_scaled(&deliver, 1).await;
    assert_eq!(mounts(&before), ["database"]);
    site.until_ready(&deliver, 1).await;

    // Nobody has let the operator make logins: that is said, and what runs is left as it is.
    site.world.stop().await;
    site.world.context.database.login_per_consumer = true;
    site.world.start();
    let said = site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "False LoginNotMade").await;
    assert!(said.contains("cpr-operator migrate roles --logins") && said.contains("go on with the login"), "{said}");
    site.until_quiet().await;
    let during = site.api::<Deployment>().get(&deliver).await.unwrap();
    assert_eq!(during.metadata.generation, before.metadata.generation);
    assert_eq!(site.counted("sample").await, Some((1, 1)));
    site.world.until::<CprSource>("register", "WorkersAvailable", "Unknown Starting").await;

    // Let, it is done by itself; the worker is replaced once its login is there.
    allow(&server).await;
    let mounted = within_patience(async || {
        site.world.context.clock.advance(Duration::from_secs(16));
        let deployment = site.api::<Deployment>().get(&deliver).await.unwrap();
        (mounts(&deployment) == std::slice::from_ref(&deliver)).then_some(())
    });
    assert!(mounted.await.is_some());
    let own = address(&site.until_made::<Secret>(&deliver).await).unwrap();
    assert_eq!(shown(&own).await.unwrap(), ["sample"]);
    site.until_ready(&deliver, 1).await;
    site.world.until::<ConsumerSystem>("sample", "WorkersAvailable", "True Available").await;

    // Off again: the login stays until its pods are replaced.
    site.world.stop().await;
    site.world.context.database.login_per_consumer = false;
    site.world.start();
    site.until(&deliver, |deployment: &Deployment| mounts(deployment) == ["database"]).await;
    site.until_quiet().await;
    assert_eq!(shown(&own).await.unwrap(), ["sample"]);
    assert!(address(&site.until_made::<Secret>(&deliver).await).is_some());
    site.until_ready(&deliver, 1).await;
    until_roles(&server, 0).await;
    site.until(&deliver, |secret: &Secret| address(secret).is_none()).await;
    site.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_worker_stands_for_those_whom_it_serves_and_for_those_who_leave_until_it_is_replaced() {
    let server = Server::demanding_passwords();
    let mut site = with_logins(&server).await;
    allow(&server).await;
    let sharing = || {
        let mut spec = consumer(&["Name"]);
        spec["workers"] = json!({"mode": "Shared"});
        spec
    };
    for name in ["one", "two"] {
        site.world.apply::<ConsumerSystem>(name, sharing()).await;
    }
    let shared = site.shared();
    let serves = |count| {
        move |deployment: &Deployment| args(deployment).iter().filter(|arg| *arg == "--consumer").count() == count
    };
    site.until(&shared, serves(2)).await;
    site.until_ready(&shared, 1).await;
    let both = address(&site.until_made::<Secret>(&shared).await).unwrap();
    let shows = async |address: &str, expected: &[&str]| {
        let found = within_patience(async || (shown(address).await.ok()? == expected).then_some(())).await;
        assert!(found.is_some(), "{expected:?}: {:?}", shown(address).await);
    };
    shows(&both, &["one", "two"]).await;

    site.world.apply::<ConsumerSystem>("one", consumer(&["Name"])).await;
    site.until(&shared, serves(1)).await;
    site.until_quiet().await;
    assert_eq!(shown(&both).await.unwrap(), ["one", "two"], "its pods finish what they have begun");
    site.until_ready(&shared, 1).await;
    shows(&both, &["two"]).await;
    let own = address(&site.until_made::<Secret>(&site.deliver("one")).await).unwrap();
    shows(&own, &["one"]).await;
    site.world.stop().await;
}
