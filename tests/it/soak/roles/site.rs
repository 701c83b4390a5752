//! The site of a run: a server, a register and the cluster behind gates, five consumers, and six processes between them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod strike;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpr_operator::settings::database::DatabaseSettings;
use cpr_operator::settings::store::StoreSettings;
use cpr_operator::simulate::consumer::Behaviour;
use cpr_operator::store::{self, Store, sql};
use serde_json::{Value, json};

use super::addresses::Addresses;
use super::fault::{self, Kind};
use super::held;
use super::process::{Process, Role};
use crate::soak::beside::Stage;
use crate::soak::ground;
use crate::soak::lives::Lives;
use crate::soak::plan::Plan;
use crate::soak::scene::STEADY;
use crate::soak::watch::{Watch, now};
use crate::support::chance::Chance;
use crate::support::gate::Gate;
use crate::support::logins;
use crate::support::server::Server;
use crate::support::world::{SECRET, World};

/// The consumers, in the order of the receivers: name, what they select, after which time they give up.
const CONSUMERS: [ground::Consumer; 5] = [
    ("steady", "everyone", "1h"),
    ("surly", "municipality", "1h"),
    ("moody", "everyone", "1h"),
    ("listing", "list", "1h"),
    ("picky", "everyone", "3s"),
];
/// Those that behave by chance.
const UGLY: [usize; 4] = [1, 2, 3, 4];
/// Longer than a process that is silent keeps what it holds, in milliseconds.
const LONG: u64 = 8_000;

/// A stretch in which something was wrong with a process, a wire, or the server: from and to.
pub type Struck = (i64, i64, Kind);

/// The site.
pub struct Site {
    pub world: World,
    pub watch: Arc<Watch>,
    pub lives: Lives,
    pub store: Store,
    pub struck: Vec<Struck>,
    pub counts: BTreeMap<Kind, u32>,
    /// The sums of all lanes' epochs, as they were seen.
    pub epochs: Vec<i64>,
    server: Server,
    addresses: Addresses,
    processes: Vec<Process>,
    register: Gate,
    cluster: Gate,
    migrated: bool,
}

impl Site {
    /// The site, in which nothing runs yet.
    pub async fn set(chance: &mut Chance, plan: &Plan) -> Self {
        let mut world = World::seeded("roles", chance.below(u64::MAX)).await.on_sqlite();
        let (cluster, register, receivers) = ground::lay(&mut world, plan, &CONSUMERS).await;
        let home = world.data().parent().unwrap().to_owned();
        let server = Server::start();
        server.hold(&home);
        logins::address(&home, "operator").await;
        world.make_root_key();
        let store = open(&world).await;
        let lives = Lives::of(&world);
        Self {
            lives,
            store,
            struck: Vec::new(),
            counts: BTreeMap::new(),
            epochs: Vec::new(),
            addresses: Addresses::of(&home, &receivers).await,
            server,
            processes: Vec::new(),
            register,
            cluster,
            migrated: false,
            watch: Watch::over(receivers),
            world,
        }
    }

    /// Starts the processes, and waits until all consumers receive and the list has its first persons.
    pub async fn begin(&mut self, chance: &mut Chance) {
        ground::apply_source(&self.world, &self.register).await;
        for (place, consumer) in CONSUMERS.into_iter().enumerate() {
            self.world.apply(self.consumer(place, false)).await;
            self.world.apply(ground::subscription(&self.world, consumer)).await;
        }
        self.start_all().await;
        ground::until_ready(&self.world, &CONSUMERS).await;
        let listed = self.lives.change_the_list(&self.world, &self.processes[0].folder, chance, 20).await;
        assert!(listed, "the list took nobody\n{}", self.world.log());
        ground::misbehave(&self.watch.receivers);
    }

    /// After the stretches only two receivers behave badly at first: what fails for long opens its circuit, and little is sent.
    pub fn relent(&self) {
        let behave = |place: usize, behaviour| self.watch.receivers[place].consumer.behave(behaviour);
        behave(1, Behaviour::Slow { millis: 800 });
        behave(2, Behaviour::Accept);
        behave(3, Behaviour::Accept);
    }

    fn consumer(&self, place: usize, suspended: bool) -> Value {
        ground::consumer(&self.world, CONSUMERS[place], &self.addresses.url(place), suspended)
    }

    async fn start_all(&mut self) {
        let namespace = self.world.namespace.name().to_owned();
        let secrets = self.world.hand_secrets();
        for (name, _, _) in CONSUMERS {
            std::fs::write(
                secrets.join(format!("{namespace}_{name}.json")),
                json!({ "signing": [SECRET] }).to_string(),
            )
            .unwrap();
        }
        let words = |role: Role, flag: &str, names: &[&str]| -> Vec<String> {
            let resources = names.iter().flat_map(|name| [flag.to_owned(), format!("{namespace}/{name}")]);
            let mut words = vec![role.name().to_owned()];
            words.extend(resources);
            words.extend(["--secrets".to_owned(), secrets.display().to_string()]);
            words
        };
        let everybody = CONSUMERS.map(|(name, _, _)| name);
        let ingest = words(Role::Ingest, "--source", &["register"]);
        let deliver = words(Role::Deliver, "--consumer", &everybody);
        for (role, name, words) in [
            (Role::Operator, "operator", vec!["operator".to_owned()]),
            (Role::Ingest, "ingest-1", ingest.clone()),
            (Role::Ingest, "ingest-2", ingest),
            (Role::Deliver, "deliver-1", deliver.clone()),
            (Role::Deliver, "deliver-2", deliver.clone()),
            (Role::Deliver, "deliver-3", deliver),
        ] {
            let names = self.addresses.names();
            let process = Process::start(&mut self.world, &self.server, names, (role, name), words).await;
            self.processes.push(process);
        }
    }

    /// Lets time go by.
    pub async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// One turn: lives go on, something goes wrong.
    pub async fn turn(&mut self, chance: &mut Chance) {
        let count = 5 + chance.below(60) as usize;
        self.lives.go_on(&self.world, chance, count);
        if chance.below(4) == 0 {
            self.lives.change_the_list(&self.world, &self.processes[0].folder, chance, 3).await;
        }
        self.pause(chance.below(600)).await;
        let kind = fault::draw(chance);
        self.until_busy(chance).await;
        let from = now();
        self.strike(kind, chance).await;
        self.note(from, kind);
        self.world.register.load();
        self.pause(chance.below(1_200)).await;
        let all = self.processes.iter_mut();
        let ended: Vec<&str> = all.filter_map(|one| one.has_ended().then_some(one.role.name())).collect();
        assert!(ended.is_empty(), "ended by itself after {kind:?}: {ended:?}\n{}", self.world.log());
    }

    fn note(&mut self, from: i64, kind: Kind) {
        self.struck.push((from, now(), kind));
        *self.counts.entry(kind).or_default() += 1;
    }

    /// How many faults there were.
    pub fn faults(&self) -> u32 {
        self.counts.values().sum()
    }

    /// Waits a while for some deliveries, so that what is struck is most often in the midst of its work.
    async fn until_busy(&self, chance: &mut Chance) {
        self.world.register.load();
        let accepted = || self.watch.receivers.iter().map(|one| one.consumer.report().accepted).sum::<u64>();
        let (enough, began) = (accepted() + 1 + chance.below(40), Instant::now());
        while accepted() < enough && began.elapsed() < Duration::from_secs(2) {
            self.pause(2).await;
        }
        self.pause(chance.below(120)).await;
    }

    /// Looks into the database while everything runs.
    pub async fn look(&mut self) {
        let epochs = held::i6_watermarks_pass_nothing_unrecorded(&self.store, &self.watch).await;
        self.epochs.push(epochs);
    }

    /// Lives without faults. What each process weighs, every second.
    pub async fn calm(&mut self, chance: &mut Chance, time: Duration) -> Vec<Vec<u64>> {
        let mut weights = vec![Vec::new(); self.processes.len()];
        for _ in 0..time.as_secs() {
            self.live_a_second(chance, 10).await;
            for (process, weights) in self.processes.iter().zip(&mut weights) {
                weights.push(process.kilobytes());
            }
        }
        weights
    }

    /// Everything is mended.
    pub async fn mend(&mut self) {
        self.world.register.faults().clear();
        self.world.register.load();
        for place in UGLY {
            self.watch.receivers[place].consumer.behave(Behaviour::Accept);
        }
        // New processes ask and probe at once, whatever their predecessors had learned to wait.
        for process in self.processes.iter_mut().filter(|process| process.role != Role::Operator) {
            process.stop().await;
            process.again(&mut self.world);
        }
    }

    /// Waits until everything is delivered.
    pub async fn settle(&mut self, patience: Duration) {
        let began = Instant::now();
        loop {
            let left = self.unsettled().await;
            if left.values().all(|count| *count == 0) {
                return;
            }
            assert!(began.elapsed() < patience, "the site never came to rest: {left:?}");
            self.pause(500).await;
        }
    }

    /// What is still to be done.
    async fn unsettled(&self) -> BTreeMap<&'static str, i64> {
        let text = "SELECT (SELECT coalesce(max(import), 0) FROM cursor),
                           (SELECT count(*) FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
                            WHERE r.seq > coalesce(l.watermark, 0)),
                           (SELECT count(*) FROM parked WHERE state <> 'GapOnly'), (SELECT count(*) FROM request),
                           (SELECT count(*) FROM unread), (SELECT count(*) FROM listing WHERE number IS NOT NULL)";
        let row: (i64, i64, i64, i64, i64, i64) = held::patiently(async || {
            sql::query_as(text).fetch_one(&mut *self.store.main.read().await?).await.map_err(Into::into)
        })
        .await;
        let imports = (i64::from(self.world.register.last_sequence()) - row.0).abs();
        let counts = [imports, row.1, row.2, row.3, row.4, row.5];
        ["imports", "routes", "parked", "requests", "unread", "list"].into_iter().zip(counts).collect()
    }

    /// Asks all processes to end.
    pub async fn end(&mut self) {
        for process in &mut self.processes {
            process.stop().await;
        }
        self.watch.drain();
    }
}

impl Stage for Site {
    /// Suspends all consumers but the steady one, or lets them receive again.
    async fn leave_alone(&mut self, alone: bool) {
        for place in (0..CONSUMERS.len()).filter(|place| *place != STEADY) {
            self.world.apply(self.consumer(place, alone)).await;
        }
        self.pause(1_000).await;
    }

    async fn live_a_second(&mut self, chance: &mut Chance, count: usize) {
        self.lives.go_on(&self.world, chance, count);
        self.world.register.load();
        self.pause(1_000).await;
    }

    async fn last_route(&self) -> i64 {
        held::patiently(async || {
            let text = "SELECT coalesce(max(seq), 0) FROM route";
            sql::query_scalar(text).fetch_one(&mut *self.store.main.read().await?).await.map_err(Into::into)
        })
        .await
    }
}

/// The store as whoever owns it sees it, on connections of its own.
pub async fn open(world: &World) -> Store {
    let home = world.data().parent().unwrap().to_owned();
    let settings = StoreSettings {
        path: home.join("watching"),
        root_key_file: Some(world.root_key()),
        accept_local_root_key: true,
        readers: 2,
    };
    let database = DatabaseSettings { url_file: Some(home.join("database.url")), ..DatabaseSettings::default() };
    store::open(&settings, &database, jiff::Timestamp::now()).await.unwrap()
}

/// A run leaves its logs in the folder that `CPR_SOAK_KEEP` names, however it ended.
impl Drop for Site {
    fn drop(&mut self) {
        let kept = std::env::var_os("CPR_SOAK_KEEP");
        if let Some((kept, folder)) = kept.zip(self.world.data().parent()) {
            let _ = std::process::Command::new("cp").arg("-r").arg(folder).arg(kept).status();
        }
    }
}
