//! A register in which persons get new names at a steady rate, numbered so that order and completeness can be seen.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use cpr_operator::runtime::clock::Clock;
use cpr_operator::simulate::datafordeler::{Options, Register};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Municipalities in which there are citizens, and how many in each.
pub const MUNICIPALITIES: [&str; 2] = ["0851", "0751"];
const EACH: usize = 100;

/// Ten names in half a second.
const AT_A_TIME: usize = 10;
const EVERY: Duration = Duration::from_millis(500);

/// The number of each citizen's present name; at first 0.
type Rounds = Arc<Mutex<Vec<u32>>>;

/// The register, its citizens, and what happens to them.
pub struct Load {
    register: Register,
    citizens: Vec<String>,
    rounds: Rounds,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<()>>>,
}

impl Load {
    /// A register in which nothing happens yet.
    pub async fn new(listen: SocketAddr) -> Result<Self> {
        let register = Register::start(Options::new(Clock::system(), 7), listen).await?;
        let settled = jiff::civil::date(2013, 1, 1);
        let places = MUNICIPALITIES.iter().flat_map(|place| std::iter::repeat_n(place, EACH));
        let citizens: Result<Vec<_>, _> = places.map(|place| register.settle(place, settled)).collect();
        let citizens = citizens?;
        register.load();
        let rounds = Arc::new(Mutex::new(vec![0; citizens.len()]));
        Ok(Self { register, citizens, rounds, stop: CancellationToken::new(), task: None })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.register.url()
    }

    /// The citizens of a municipality, by their numbers.
    pub fn citizens_of(municipality: &str) -> std::ops::Range<usize> {
        let place = MUNICIPALITIES.iter().position(|one| *one == municipality).unwrap_or_default();
        place * EACH..(place + 1) * EACH
    }

    /// Lets names change from now on.
    pub fn begin(&mut self) {
        let (register, citizens) = (self.register.clone(), self.citizens.clone());
        let (rounds, stop) = (Arc::clone(&self.rounds), self.stop.clone());
        self.task = Some(tokio::spawn(async move {
            let mut turns = (0..citizens.len()).map(|at| at % 2 * EACH + at / 2).cycle();
            let mut tick = tokio::time::interval(EVERY);
            while !stop.is_cancelled() {
                tick.tick().await;
                for at in turns.by_ref().take(AT_A_TIME) {
                    rename(&register, &citizens[at], at, &rounds)?;
                }
                register.load();
            }
            Ok(())
        }));
    }

    /// The number of each citizen's present name.
    pub fn rounds(&self) -> Vec<u32> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many names were given.
    pub fn count(&self) -> u32 {
        self.rounds().iter().sum()
    }

    /// Lets nothing happen any more.
    pub async fn end(&mut self) -> Result<()> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => task.await?,
            None => Ok(()),
        }
    }
}

fn rename(register: &Register, citizen: &str, at: usize, rounds: &Rounds) -> Result<()> {
    let mut rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
    rounds[at] += 1;
    let (first, last) = (format!("Runde{}", rounds[at]), format!("Borger{at}"));
    let today = jiff::Zoned::now().date();
    register.rename(citizen, Some(&first), Some(&last), today).context("a new name")
}
