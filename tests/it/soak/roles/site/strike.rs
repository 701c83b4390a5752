//! How each fault strikes, and is mended.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use cpr_operator::simulate::consumer::{Behaviour, RetryAfter};

use super::{CONSUMERS, LONG, Site, UGLY};
use crate::soak::fault as faults;
use crate::soak::roles::fault::{self, Kind};
use crate::soak::roles::process::Role;
use crate::soak::scene::UNDER_WRONG_TIME;
use crate::soak::watch::now;
use crate::support::chance::Chance;
use crate::support::gate::Gate;
use crate::support::wire::State;

impl Site {
    /// Draws one of the processes of a role.
    fn one_of(&self, role: Role, chance: &mut Chance) -> usize {
        let places: Vec<usize> = (0..self.processes.len()).filter(|at| self.processes[*at].role == role).collect();
        places[chance.below(places.len() as u64) as usize]
    }

    fn worker(&self, chance: &mut Chance) -> usize {
        let role = if chance.below(3) == 0 { Role::Ingest } else { Role::Deliver };
        self.one_of(role, chance)
    }

    /// Lets this go wrong, and mends it.
    pub(super) async fn strike(&mut self, kind: Kind, chance: &mut Chance) {
        match kind {
            Kind::KillDeliver => self.kill(Role::Deliver, chance).await,
            Kind::KillIngest => self.kill(Role::Ingest, chance).await,
            Kind::KillOperator => self.kill(Role::Operator, chance).await,
            Kind::Terminate => {
                let at = self.worker(chance);
                self.processes[at].stop().await;
                self.processes[at].again(&mut self.world);
            }
            Kind::StandStill => {
                let at = self.worker(chance);
                self.processes[at].signal("STOP").await;
                self.go_on_for(LONG, chance).await;
                self.processes[at].signal("CONT").await;
            }
            Kind::ServerCrash => self.crash(chance).await,
            Kind::ServerAway => {
                self.server.crash();
                self.pause(2_000 + chance.below(LONG)).await;
                self.server.begin();
            }
            Kind::WireCut => self.wire(State::Cut, 3_000, chance).await,
            Kind::WireSilent => self.wire(State::Silent, LONG, chance).await,
            Kind::WireSlow => self.wire(State::Slow, 4_000, chance).await,
            Kind::DiskSlow => {
                self.server.slow_down(true).await;
                self.go_on_for(2_000 + chance.below(4_000), chance).await;
                self.server.slow_down(false).await;
            }
            Kind::ClockStep => self.step_a_clock(chance).await,
            Kind::Migrate => self.migrate().await,
            Kind::Both => {
                let at = self.worker(chance);
                self.processes[at].signal("STOP").await;
                self.crash(chance).await;
                self.go_on_for(LONG, chance).await;
                self.processes[at].signal("CONT").await;
            }
            Kind::Storm => {
                let storm = Behaviour::StatusWithRetryAfter { status: 503, retry_after: RetryAfter::Seconds(1) };
                self.watch.receivers.iter().for_each(|one| one.consumer.behave(storm.clone()));
                self.go_on_for(3_000, chance).await;
                self.watch.receivers.iter().for_each(|one| one.consumer.behave(Behaviour::Accept));
            }
            Kind::NameMoved => {
                let place = self.any_receiver(chance);
                self.addresses.close(&self.watch.receivers, place);
                self.pause(chance.below(1_500)).await;
                self.addresses.go_over(&self.watch.receivers, place);
                self.go_on_for(1_000, chance).await;
            }
            Kind::NameGone => {
                let place = self.any_receiver(chance);
                self.addresses.lead_nowhere(&self.watch.receivers, place);
                self.go_on_for(500 + chance.below(3_500), chance).await;
                self.addresses.lead_back(&self.watch.receivers, place);
            }
            outside => self.strike_outside(outside, chance).await,
        }
    }

    /// Faults of those with whom the processes speak.
    async fn strike_outside(&mut self, kind: Kind, chance: &mut Chance) {
        match kind {
            Kind::Register => {
                let times = 1 + chance.below(5) as u32;
                self.world.register.faults().set_times(faults::of_register(chance), times);
            }
            Kind::RegisterCut => Self::cut(&self.register, chance).await,
            Kind::Import => self.lives.import_oddly(&self.world, chance).await,
            Kind::Receiver => {
                let place = UGLY[chance.below(UGLY.len() as u64) as usize];
                self.watch.receivers[place].consumer.behave(faults::of_receiver(chance));
            }
            Kind::ReceiverCut => {
                let place = self.any_receiver(chance);
                Self::cut(self.addresses.gate(&self.watch.receivers, place), chance).await;
            }
            _ => Self::cut(&self.cluster, chance).await,
        }
    }

    fn any_receiver(&self, chance: &mut Chance) -> usize {
        chance.below(CONSUMERS.len() as u64) as usize
    }

    async fn step_a_clock(&mut self, chance: &mut Chance) {
        let (at, forged) = (self.worker(chance), self.watch.forged());
        self.processes[at].clock.step(faults::of_clock(chance));
        self.go_on_for(2_000 + chance.below(4_000), chance).await;
        self.processes[at].clock.step(0);
        self.go_on_for(UNDER_WRONG_TIME, chance).await;
        self.watch.excuse(self.watch.forged() - forged);
    }

    async fn kill(&mut self, role: Role, chance: &mut Chance) {
        let at = self.one_of(role, chance);
        self.processes[at].kill().await;
        self.pause(chance.below(1_500)).await;
        self.processes[at].again(&mut self.world);
    }

    async fn crash(&mut self, chance: &mut Chance) {
        self.server.crash();
        self.pause(chance.below(1_000)).await;
        self.server.begin();
    }

    async fn wire(&mut self, state: State, most: u64, chance: &mut Chance) {
        let at = self.worker(chance);
        self.processes[at].wire.set(state);
        let least = if state == State::Silent { most } else { 200 };
        self.go_on_for(least + chance.below(most), chance).await;
        self.processes[at].wire.set(State::Whole);
    }

    /// Lives go on for so many milliseconds and more, and now and then something goes wrong outside as well.
    async fn go_on_for(&mut self, millis: u64, chance: &mut Chance) {
        for _ in 0..millis / 500 {
            self.lives.go_on(&self.world, chance, 10);
            self.world.register.load();
            self.pause(500).await;
            if chance.below(3) == 0 {
                let (from, kind) = (now(), fault::draw_beside(chance));
                self.strike_outside(kind, chance).await;
                self.note(from, kind);
            }
        }
    }

    /// The first time a newer version's columns are added, then what is there is brought up to date again, with its rights.
    async fn migrate(&mut self) {
        if !std::mem::replace(&mut self.migrated, true) {
            let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(&self.server.url()).await.unwrap();
            let expands = format!("SET search_path = cpr; {}", crate::store::EXPANDS);
            sqlx::Executor::execute(&mut conn, sqlx::AssertSqlSafe(expands)).await.unwrap();
        }
        let home = self.world.data().parent().unwrap().to_owned();
        let url_file = format!("database.url_file={}", home.join("database.url").display());
        for tries in 1.. {
            let said = self.world.tool_at(&home.join("tool"), &["migrate", "up", "--set", &url_file], "").await;
            if said.code == Some(0) {
                return;
            }
            assert!(tries < 3, "{said:?}");
        }
    }

    async fn cut(gate: &Gate, chance: &mut Chance) {
        gate.shut();
        tokio::time::sleep(Duration::from_millis(chance.below(2_500))).await;
        gate.open();
    }
}
