//! The roles in processes of their own, sharing a PostgreSQL database: an event goes through all of them, and whichever is
//! killed or cut off from the database, nothing is lost and nothing comes out of order.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::process::Child;

use crate::support::server::Server;
use crate::support::wire::State;
use crate::support::world::World;

/// The processes of an installation.
struct Processes {
    operator: Child,
    ingest: Vec<Child>,
    deliver: Vec<Child>,
    started: usize,
    /// File of the login of those who deliver, where it is not the world's own.
    login: Option<PathBuf>,
}

impl Processes {
    async fn start(world: &mut World, login: Option<&Path>) -> Self {
        let operator = world.spawn(&["operator"], "operator").await;
        let root_key = world.data().with_file_name("keys.root");
        world.until("the root key", async || root_key.exists().then_some(())).await.expect("the operator makes it");
        let login = login.map(Path::to_owned);
        let mut processes = Self { operator, ingest: vec![], deliver: vec![], started: 0, login };
        for _ in 0..2 {
            processes.start_ingest(world).await;
            processes.start_deliver(world).await;
        }
        processes
    }

    fn are_alive(&mut self) -> bool {
        let workers = self.ingest.iter_mut().chain(&mut self.deliver);
        workers.chain([&mut self.operator]).all(|child| child.try_wait().unwrap().is_none())
    }

    async fn start_ingest(&mut self, world: &mut World) {
        let child = self.worker(world, "ingest", "--source", "register").await;
        self.ingest.push(child);
    }

    async fn start_deliver(&mut self, world: &mut World) {
        let child = self.worker(world, "deliver", "--consumer", "casework").await;
        self.deliver.push(child);
    }

    async fn worker(&mut self, world: &mut World, role: &str, flag: &str, name: &str) -> Child {
        self.started += 1;
        let (secrets, of) = (world.hand_secrets(), format!("{}/{name}", world.namespace.name()));
        let words = [role, flag, &of, "--secrets", secrets.to_str().unwrap()];
        let name = format!("{role}-{}", self.started);
        match &self.login {
            Some(login) if role == "deliver" => world.spawn_at(login, &words, &name),
            _ => world.spawn(&words, &name).await,
        }
    }
}

/// Gives each citizen a new name that says which round it is.
fn rename(world: &World, citizens: &[String], round: usize) {
    let today = jiff::Zoned::now().date();
    for citizen in citizens {
        world.register.rename(citizen, Some(&format!("Runde{round}")), None, today).unwrap();
    }
    world.register.load();
}

/// The rounds that each person's accepted deliveries told of, in the order of first arrival.
fn heard(world: &World) -> HashMap<String, Vec<String>> {
    let mut heard: HashMap<String, Vec<String>> = HashMap::new();
    for one in world.consumer.received().into_iter().filter(|one| one.accepted && one.kind.starts_with("name.")) {
        let name = one.body["data"]["fields"]["Name"]["first"].as_str().unwrap().to_owned();
        let names = heard.entry(one.reference.unwrap()).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    heard
}

async fn until_heard(world: &World, citizens: usize, rounds: usize) {
    let wanted: Vec<String> = (0..rounds).map(|round| format!("Runde{round}")).collect();
    let all = async || {
        let heard = heard(world);
        (heard.len() == citizens && heard.values().all(|names| names.last() == wanted.last())).then_some(())
    };
    let arrived = world.until("all rounds", all).await;
    assert!(arrived.is_some(), "{:?}\n{}", heard(world), world.log());
    // A name that was changed again before it was read is not told; what is told is in order.
    for names in heard(world).values() {
        let order: Vec<usize> = names.iter().map(|name| wanted.iter().position(|one| one == name).unwrap()).collect();
        assert!(order.is_sorted(), "{names:?}");
    }
}

/// An installation whose consumer has heard the first round of twelve citizens.
async fn begun(world: &mut World) -> (Processes, Vec<String>) {
    begun_by(world, None).await
}

/// The same where those who deliver log in by this file.
async fn begun_by(world: &mut World, login: Option<&Path>) -> (Processes, Vec<String>) {
    let settled = jiff::civil::date(2013, 1, 1);
    let citizens: Vec<String> = (0..12).map(|_| world.register.settle("0851", settled).unwrap()).collect();
    world.register.load();
    world.install().await;
    let processes = Processes::start(world, login).await;
    world.until_ready().await;
    rename(world, &citizens, 0);
    until_heard(world, 12, 1).await;
    (processes, citizens)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_passes_through_processes_of_which_any_may_be_killed() {
    let mut world = World::new("roles").await;
    let (mut processes, citizens) = begun(&mut world).await;

    rename(&world, &citizens, 1);
    processes.deliver.remove(0).kill().await.unwrap();
    until_heard(&world, 12, 2).await;

    rename(&world, &citizens, 2);
    processes.ingest.remove(0).kill().await.unwrap();
    until_heard(&world, 12, 3).await;

    processes.operator.kill().await.unwrap();
    rename(&world, &citizens, 3);
    until_heard(&world, 12, 4).await;
    processes.start_deliver(&mut world).await;
    processes.start_ingest(&mut world).await;
    processes.operator = world.spawn(&["operator"], "operator").await;
    rename(&world, &citizens, 4);
    until_heard(&world, 12, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_changed_while_events_flow_loses_none() {
    let mut world = World::new("password").await.on_sqlite();
    let server = Server::demanding_passwords();
    server.hold(world.data().parent().unwrap());
    let file = world.login("deliver").await;
    let mut owner = PgConnection::connect(&server.url()).await.unwrap();
    let mut set = async |password: &str| {
        owner.execute(AssertSqlSafe(format!("ALTER ROLE test_deliver PASSWORD '{password}'"))).await.unwrap();
        // So that the new one is asked for at once, by all.
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'test_deliver'";
        owner.execute(ended).await.unwrap();
    };
    let write = |password: &str| {
        let url = server.url().replace("postgres@", &format!("test_deliver:{password}@"));
        std::fs::write(&file, url).unwrap();
    };
    set("first").await;
    write("first");
    let (mut processes, citizens) = begun_by(&mut world, Some(&file)).await;
    for (round, password) in [(1, "second"), (2, "third")] {
        // Events come before, while the password is a wrong one, and after.
        rename(&world, &citizens, 3 * round - 2);
        set(password).await;
        rename(&world, &citizens, 3 * round - 1);
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        write(password);
        rename(&world, &citizens, 3 * round);
        until_heard(&world, 12, 3 * round + 1).await;
    }
    assert!(world.log().contains("password authentication failed"), "nobody was asked for it");
    assert!(world.log().contains("the address of the database has changed"));
    assert!(processes.are_alive(), "nobody ends for it");
    let numbers = "SELECT count(*) FROM cpr.route r WHERE NOT EXISTS (SELECT 1 FROM cpr.attempt a
                   WHERE a.consumer = r.consumer AND a.seq = r.seq AND a.outcome = 'Delivered')";
    let settled =
        async || (sqlx::query_scalar::<_, i64>(numbers).fetch_one(&mut owner).await.unwrap() == 0).then_some(());
    world.until("all to be recorded", settled).await.expect("each is recorded as delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_out_of_reach_is_waited_for() {
    let mut world = World::new("wire").await;
    let wire = world.wire_to_database().await;
    let (mut processes, citizens) = begun(&mut world).await;
    for (round, state) in [(1, State::Cut), (2, State::Silent)] {
        rename(&world, &citizens, round);
        wire.set(state);
        tokio::time::sleep(std::time::Duration::from_secs(8)).await;
        wire.set(State::Whole);
        until_heard(&world, 12, round + 1).await;
    }
    assert!(processes.are_alive(), "nobody ends for it");
}
