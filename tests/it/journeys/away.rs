//! The database is away, at the start and while the operator runs: probes, metrics and conditions say so, and it goes on.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::wire::State;
use crate::support::world::World;

async fn until_metric(world: &World, line: &str) {
    let there = async || world.ask("/metrics").await.1.lines().any(|one| one.starts_with(line)).then_some(());
    let found = world.until(line, there).await;
    assert!(found.is_some(), "{line}\n{}", world.ask("/metrics").await.1);
}

async fn until_store(world: &World, what: &str, unavailable: bool) -> String {
    let ready = async || {
        let ready = world.condition("ConsumerSystem", "casework", "Ready").await?;
        ((ready.reason == "StoreUnavailable") == unavailable).then_some(ready.message)
    };
    world.until(what, ready).await.unwrap_or_else(|| panic!("{what}\n{}", world.log()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_waited_for_and_said_to_be() {
    let mut world = World::new("away").await;
    let wire = world.wire_to_database().await;
    wire.set(State::Cut);
    world.install().await;
    let _operator = world.spawn(&["operator"], "operator").await;

    // From the start, before there is a store.
    until_metric(&world, "cpr_store_errors_total{kind=\"Away\"}").await;
    assert!(world.ask("/metrics").await.1.contains("cpr_store_up{database=\"main\"} 0"));
    assert_eq!(world.ask("/livez").await.0, 200);
    let (status, why) = world.ask("/readyz").await;
    assert_eq!((status, why.starts_with("waiting: the database is not reached")), (503, true), "{why}");
    assert!(!why.contains("127.0.0.1") && !why.contains("postgres"), "{why}");
    wire.set(State::Whole);
    world.until("it is ready", async || (world.ask("/readyz").await.0 == 200).then_some(())).await.unwrap();
    until_metric(&world, "cpr_store_up{database=\"keys\"} 1").await;
    until_store(&world, "what is wrong with it", false).await;

    // While it runs.
    wire.set(State::Cut);
    let message = until_store(&world, "the outage in the status", true).await;
    assert!(message.starts_with("the database is not reached"), "{message}");
    until_metric(&world, "cpr_store_up{database=\"main\"} 0").await;
    assert_eq!(world.ask("/livez").await.0, 200);
    wire.set(State::Whole);
    until_store(&world, "its end", false).await;
    until_metric(&world, "cpr_store_up{database=\"main\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_workers_stay_ready_without_a_database_and_a_new_one_is_not_ready_before_there_is_one() {
    let mut world = World::new("rollout").await;
    let wire = world.wire_to_database().await;
    world.install().await;
    let _operator = world.spawn(&["operator"], "operator").await;
    until_ready(&world, 1).await;
    let (secrets, of) = (world.hand_secrets(), |name| format!("{}/{name}", world.namespace.name()));
    let secrets = secrets.to_str().unwrap();
    let (register, casework) = (of("register"), of("casework"));
    let ingest = ["ingest", "--source", &register, "--secrets", secrets];
    let deliver = ["deliver", "--consumer", &casework, "--secrets", secrets];
    let _running = [world.spawn(&ingest, "ingest").await, world.spawn(&deliver, "deliver").await];
    until_ready(&world, 2).await;
    until_ready(&world, 3).await;

    wire.set(State::Cut);
    let without = async |start| world.ask_at(start, "/metrics").await.1.contains("cpr_store_up{database=\"main\"} 0");
    for start in [1, 2, 3] {
        world.until("the outage", async || without(start).await.then_some(())).await.unwrap();
    }
    // As in a rollout: what runs is not ended for the database, and what is new does not take its place.
    let _new = [world.spawn(&ingest, "new-ingest").await, world.spawn(&deliver, "new-deliver").await];
    for start in [4, 5] {
        let waits = async || world.ask_at(start, "/readyz").await.1.starts_with("waiting: the database").then_some(());
        world.until("what it waits for", waits).await.unwrap();
    }
    for start in 1..=5 {
        assert_eq!(world.ask_at(start, "/livez").await.0, 200, "{start}");
        assert_eq!(world.ask_at(start, "/readyz").await.0 == 200, start < 4, "{start}");
    }
    wire.set(State::Whole);
    for start in 1..=5 {
        until_ready(&world, start).await;
    }
}

async fn until_ready(world: &World, start: u32) {
    let ready = async || (world.ask_at(start, "/readyz").await.0 == 200).then_some(());
    world.until("readiness", ready).await.unwrap_or_else(|| panic!("{start}\n{}", world.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_can_only_be_read_is_told_from_one_that_is_away() {
    let mut world = World::new("readonly").await;
    world.install().await;
    let _operator = world.spawn(&["operator"], "operator").await;
    until_store(&world, "what is wrong with it", false).await;
    set_read_only(&world, "on").await;
    until_metric(&world, "cpr_store_up{database=\"main\"} 0").await;
    let mut renamed = world.consumer_system("casework");
    renamed["spec"]["displayName"] = json!("Case work");
    world.apply(renamed).await;
    let message = until_store(&world, "the outage in the status", true).await;
    assert!(message.starts_with("the database can only be read"), "{message}");
    until_metric(&world, "cpr_store_errors_total{kind=\"ReadOnly\"}").await;
    set_read_only(&world, "off").await;
    until_store(&world, "its end", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_address_of_the_database_is_taken_in_while_it_runs() {
    let mut world = World::new("moved").await;
    let wire = world.wire_to_database().await;
    world.install().await;
    let _operator = world.spawn(&["operator"], "operator").await;
    until_store(&world, "what is wrong with it", false).await;
    until_metric(&world, "cpr_store_up{database=\"main\"} 1").await;
    let other = world.wire_to_database().await;
    wire.set(State::Cut);
    until_metric(&world, "cpr_store_up{database=\"main\"} 0").await;
    // Writes the file that the operator reads, now with the other way.
    world.login("operator").await;
    until_metric(&world, "cpr_store_up{database=\"main\"} 1").await;
    until_metric(&world, "cpr_store_up{database=\"keys\"} 1").await;
    drop(other);
}

/// From now on transactions of new connections may only read, or may write; those that are there end.
async fn set_read_only(world: &World, value: &str) {
    let owner = world.root_key().with_file_name("database.url");
    let mut conn = PgConnection::connect(std::fs::read_to_string(owner).unwrap().trim()).await.unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut conn).await.unwrap();
    let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    for statement in ["SET default_transaction_read_only = off", &alter] {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await.unwrap();
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query(end).execute(&mut conn).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
}
