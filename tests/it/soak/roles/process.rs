//! One process of a role, and its wire to the server.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};

use crate::support::server::Server;
use crate::support::shown::{Names, WallClock};
use crate::support::wire::Wire;
use crate::support::world::World;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Operator,
    Ingest,
    Deliver,
}

impl Role {
    /// As a command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
        }
    }
}

/// A process that runs, or is to run again.
pub struct Process {
    pub role: Role,
    pub wire: Wire,
    /// The wall clock that it is shown.
    pub clock: WallClock,
    /// The folder that it has for itself.
    pub folder: PathBuf,
    name: String,
    login: PathBuf,
    words: Vec<String>,
    child: Child,
}

impl Process {
    /// Starts one, which is told to be there for these resources.
    pub async fn start(
        world: &mut World,
        server: &Server,
        names: &Names,
        (role, name): (Role, &str),
        words: Vec<String>,
    ) -> Self {
        let wire = Wire::to(format!("127.0.0.1:{}", server.port())).await;
        let home = world.data().parent().unwrap().to_owned();
        let login = home.join(format!("{name}.login"));
        let address = format!("postgres://test_{}@127.0.0.1:{}/postgres", role.name(), wire.address().port());
        std::fs::write(&login, address).unwrap();
        let clock = WallClock::at(home.join(format!("{name}.clock")));
        world.variables = clock.variables();
        world.through = names.through();
        let child = spawn(world, &login, &words, name);
        let (folder, name) = (home.join(name), name.to_owned());
        Self { role, wire, clock, folder, name, login, words, child }
    }

    /// Starts it again.
    pub fn again(&mut self, world: &mut World) {
        world.variables = self.clock.variables();
        self.child = spawn(world, &self.login, &self.words, &self.name);
    }

    /// Ends it without warning.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success(), "{name}");
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), self.child.wait()).await;
        assert!(ended.expect("it ends when asked").unwrap().success(), "{} ended badly", self.name);
    }

    /// Whether it has ended without being told to.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its resident memory in kilobytes.
    pub fn kilobytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().expect("it runs"))).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says so");
        resident.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }
}

fn spawn(world: &mut World, login: &Path, words: &[String], name: &str) -> Child {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.spawn_at(login, &words, name)
}
