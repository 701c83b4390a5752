//! The scene of a run: a register and the cluster behind gates, six consumers, and the real program between them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cpr_operator::simulate::consumer::Behaviour;
use serde_json::{Value, json};

use super::beside::Stage;
use super::fault::{self, Kind};
use super::ground;
use super::lives::Lives;
use super::plan::Plan;
use super::sample::{Sample, Sampler};
use super::watch::{Watch, now};
use crate::support::chance::Chance;
use crate::support::files;
use crate::support::gate::Gate;
use crate::support::shown::WallClock;
use crate::support::world::World;

/// Requests that each consumer may have under way; a bound of several invariants.
pub const IN_FLIGHT: usize = 16;
/// How often results are written, in milliseconds.
pub const FLUSH_INTERVAL: i64 = 100;
/// After a clock was put right: until the process has looked, and what it had dated wrongly has arrived, in milliseconds.
pub const UNDER_WRONG_TIME: u64 = 3_500;
/// How long is waited for deliveries before a kill.
const BUSY: Duration = Duration::from_secs(4);
/// The municipality that some consumers are about.
pub const HOME: &str = "0851";

/// The consumers, in the order of the receivers: name, what they select, after which time they give up.
const CONSUMERS: [ground::Consumer; 6] = [
    ("steady", "everyone", "1h"),
    ("surly", "municipality", "1h"),
    ("moody", "everyone", "1h"),
    ("listing", "list", "1h"),
    ("picky", "everyone", "3s"),
    ("dead", "municipality", "1h"),
];
/// The receiver that always behaves well.
pub const STEADY: usize = 0;
/// Those that behave by chance.
const UGLY: [usize; 4] = [1, 2, 3, 4];
/// The one that nobody reaches.
const DEAD: usize = 5;

/// A subscription of the dead consumer that ends while everything it selected still waits.
const PASSING: &str = "passing";

/// The scene.
pub struct Scene {
    pub world: World,
    pub watch: Arc<Watch>,
    pub lives: Lives,
    pub samples: Vec<Sample>,
    pub counts: BTreeMap<Kind, u32>,
    /// Stretches in which the program stood still, from and to.
    pub still: Vec<(i64, i64)>,
    /// Moments at which specs changed, which ends every wait that a receiver asked for.
    pub changes: Vec<i64>,
    /// Stretches in which its wall clock was wrong.
    pub stepped: Vec<(i64, i64)>,
    clock: WallClock,
    sampler: Sampler,
    register: Gate,
    cluster: Gate,
}

impl Scene {
    /// The scene, in which nothing runs yet.
    pub async fn set(chance: &mut Chance, plan: &Plan) -> Self {
        let mut world = World::seeded("soak", chance.below(u64::MAX)).await;
        let (cluster, register, receivers) = ground::lay(&mut world, plan, &CONSUMERS).await;
        let clock = WallClock::at(world.data().with_extension("clock"));
        world.variables = clock.variables();
        let lives = Lives::of(&world);
        Self {
            world,
            watch: Watch::over(receivers),
            lives,
            samples: Vec::new(),
            counts: BTreeMap::new(),
            still: Vec::new(),
            changes: Vec::new(),
            stepped: Vec::new(),
            clock,
            sampler: Sampler::default(),
            register,
            cluster,
        }
    }

    /// Starts the program, and waits until all consumers receive and the list has its first persons.
    pub async fn begin(&mut self, chance: &mut Chance) {
        ground::apply_source(&self.world, &self.register).await;
        for (place, consumer) in CONSUMERS.into_iter().enumerate() {
            self.world.apply(self.consumer(place, false)).await;
            self.world.apply(ground::subscription(&self.world, consumer)).await;
        }
        let mut passing = self.world.subscription(PASSING, CONSUMERS[DEAD].0);
        passing["spec"]["select"] = json!({ "municipalities": ["0461"] });
        self.world.apply(passing).await;
        self.start();
        ground::until_ready(&self.world, &CONSUMERS).await;
        let listed = self.lives.change_the_list(&self.world, &self.world.data(), chance, 20).await;
        assert!(listed, "the list took nobody\n{}", self.world.log());
        ground::misbehave(&self.watch.receivers);
        self.watch.receivers[DEAD].gate.shut();
    }

    fn consumer(&self, place: usize, suspended: bool) -> Value {
        ground::consumer(&self.world, CONSUMERS[place], &self.watch.receivers[place].url(), suspended)
    }

    /// Lets time go by.
    pub async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn start(&mut self) {
        self.world.start();
        self.watch.started(self.world.pid());
    }

    /// Ends the program, looks at what it left, and starts it again.
    pub async fn restart(&mut self, killed: bool) {
        self.end(killed).await;
        self.start();
    }

    /// Ends the program and looks at what it left.
    pub async fn end(&mut self, killed: bool) {
        assert!(!self.world.has_ended(), "the program ended by itself\n{}", self.world.log());
        let life = (self.watch.ended(), now());
        match killed {
            true => self.world.kill().await,
            false => self.world.stop().await,
        }
        // What receivers were about to accept is accepted.
        self.pause(50).await;
        let sample = self.sampler.take(&self.world.data(), &self.watch, life, killed).await;
        self.samples.push(sample);
    }

    /// One turn: lives go on, something goes wrong.
    pub async fn turn(&mut self, chance: &mut Chance) {
        let count = 5 + chance.below(60) as usize;
        self.lives.go_on(&self.world, chance, count);
        if chance.below(4) == 0 {
            self.lives.change_the_list(&self.world, &self.world.data(), chance, 3).await;
        }
        self.pause(chance.below(900)).await;
        let kind = fault::draw(chance);
        self.strike(kind, chance).await;
        *self.counts.entry(kind).or_default() += 1;
        self.world.register.load();
        self.pause(chance.below(1_600)).await;
    }

    async fn strike(&mut self, kind: Kind, chance: &mut Chance) {
        match kind {
            Kind::Kill => {
                self.until_busy(chance).await;
                self.restart(true).await;
            }
            Kind::Terminate => self.restart(false).await,
            Kind::StandStill => self.stand_still(chance).await,
            Kind::Register => {
                let times = 1 + chance.below(5) as u32;
                self.world.register.faults().set_times(fault::of_register(chance), times);
            }
            Kind::RegisterAway => {
                self.world.register.go_down().await;
                self.pause(chance.below(2_500)).await;
                self.world.register.come_back().await.unwrap();
            }
            Kind::RegisterCut => Self::cut(&self.register, chance).await,
            Kind::Import => self.lives.import_oddly(&self.world, chance).await,
            Kind::Receiver => {
                let place = UGLY[chance.below(UGLY.len() as u64) as usize];
                self.watch.receivers[place].consumer.behave(fault::of_receiver(chance));
            }
            Kind::ReceiverCut => {
                let place = chance.below(DEAD as u64) as usize;
                Self::cut(&self.watch.receivers[place].gate, chance).await;
            }
            Kind::ClusterAway => Self::cut(&self.cluster, chance).await,
            Kind::ClockStep => self.step_the_clock(chance).await,
        }
    }

    async fn step_the_clock(&mut self, chance: &mut Chance) {
        let (from, forged) = (now(), self.watch.forged());
        self.clock.step(fault::of_clock(chance));
        let seconds = 2 + chance.below(4);
        for _ in 0..seconds {
            self.live_a_second(chance, 10).await;
        }
        self.clock.step(0);
        self.pause(UNDER_WRONG_TIME).await;
        self.watch.excuse(self.watch.forged() - forged);
        self.stepped.push((from, now()));
        self.sampler.distrust_times();
    }

    /// Waits a while for some deliveries, so that the program most often ends in the midst of its work.
    async fn until_busy(&self, chance: &mut Chance) {
        self.world.register.load();
        let accepted = || self.watch.receivers.iter().map(|one| one.consumer.report().accepted).sum::<u64>();
        let (enough, began) = (accepted() + 1 + chance.below(60), Instant::now());
        while accepted() < enough && began.elapsed() < BUSY {
            self.pause(2).await;
        }
        self.pause(chance.below(120)).await;
    }

    async fn cut(gate: &Gate, chance: &mut Chance) {
        gate.shut();
        tokio::time::sleep(Duration::from_millis(chance.below(2_500))).await;
        gate.open();
    }

    async fn stand_still(&mut self, chance: &mut Chance) {
        let from = now();
        self.world.signal("STOP").await;
        let before = super::sample::lanes(&self.world.data()).await;
        let (code, said) = self.world.start_second().await;
        super::invariants::i7_a_second_process_is_refused(code, &said);
        self.pause(chance.below(1_500)).await;
        assert_eq!(super::sample::lanes(&self.world.data()).await, before, "whoever stood still wrote");
        self.world.signal("CONT").await;
        self.still.push((from, now()));
    }

    /// Everything is mended but the dead receiver; its consumer's status has to say so. One of its subscriptions ends.
    pub async fn mend(&mut self) {
        self.world.register.faults().clear();
        self.world.register.load();
        for place in UGLY {
            self.watch.receivers[place].consumer.behave(Behaviour::Accept);
        }
        self.world.until_condition("ConsumerSystem", "dead", "Delivering", "False", Some("CircuitOpen")).await;
        self.world.delete("CprSubscription", PASSING).await;
    }

    /// The dead receiver comes back too, and everything is delivered.
    pub async fn settle(&mut self, patience: Duration) {
        self.watch.receivers[DEAD].gate.open();
        // A new process probes at once, whatever its predecessor had learned to wait.
        self.restart(false).await;
        let began = Instant::now();
        loop {
            let left = self.unsettled().await;
            if left.values().all(|count| *count == 0) {
                return;
            }
            assert!(!self.world.has_ended(), "the program ended by itself\n{}", self.world.log());
            assert!(began.elapsed() < patience, "the world never came to rest: {left:?}");
            self.pause(500).await;
        }
    }

    /// What is still to be done.
    pub async fn unsettled(&self) -> BTreeMap<&'static str, i64> {
        use sqlx::Row;
        let mut conn = files::open(&self.world.data().join("main.db")).await;
        let sql = "SELECT (SELECT coalesce(max(import), 0) FROM cursor),
                          (SELECT count(*) FROM route r LEFT JOIN lane l ON l.consumer = r.consumer AND l.shard = r.shard
                           WHERE r.seq > coalesce(l.watermark, 0)),
                          (SELECT count(*) FROM parked WHERE state <> 'GapOnly'), (SELECT count(*) FROM request),
                          (SELECT count(*) FROM unread), (SELECT count(*) FROM listing WHERE number IS NOT NULL)";
        let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
        let told = i64::from(self.world.register.last_sequence());
        let names = ["imports", "routes", "parked", "requests", "unread", "list"];
        let counted = names.into_iter().enumerate().map(|(place, name)| (name, row.get::<i64, _>(place)));
        counted.map(|(name, count)| (name, if name == "imports" { (told - count).abs() } else { count })).collect()
    }
}

impl Stage for Scene {
    /// Suspends all consumers but the steady one, or lets them receive again.
    async fn leave_alone(&mut self, alone: bool) {
        for place in (0..CONSUMERS.len()).filter(|place| *place != STEADY) {
            self.world.apply(self.consumer(place, alone)).await;
        }
        self.pause(1_000).await;
        self.changes.push(now());
    }

    async fn live_a_second(&mut self, chance: &mut Chance, count: usize) {
        self.lives.go_on(&self.world, chance, count);
        self.world.register.load();
        self.pause(1_000).await;
    }

    async fn last_route(&self) -> i64 {
        let mut conn = files::open(&self.world.data().join("main.db")).await;
        super::sample::number(&mut conn, "SELECT coalesce(max(seq), 0) FROM route").await
    }
}

/// A run leaves its databases and logs in the folder that `CPR_SOAK_KEEP` names, however it ended.
impl Drop for Scene {
    fn drop(&mut self) {
        let kept = std::env::var_os("CPR_SOAK_KEEP");
        if let Some((kept, folder)) = kept.zip(self.world.data().parent()) {
            let _ = std::process::Command::new("cp").arg("-r").arg(folder).arg(kept).status();
        }
    }
}
