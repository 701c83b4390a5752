//! What is watched all the time: what arrives, and how much memory the program holds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::receiver::Receiver;

/// How often what arrived is written down.
const TICK: Duration = Duration::from_millis(200);

/// Now, in milliseconds since the epoch.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The resident memory of the program at some moment of its life.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub at: i64,
    /// Milliseconds since the program was started.
    pub age: i64,
    pub kilobytes: u64,
}

/// The watch.
pub struct Watch {
    pub receivers: Vec<Receiver>,
    /// The program's process, 0 while none runs, and when it was started.
    pid: AtomicU32,
    began: AtomicI64,
    memory: Mutex<Vec<Memory>>,
    /// How many deliveries were signed by a clock so wrong that a receiver holds them for forged.
    misdated: AtomicU64,
}

impl Watch {
    /// Watches these receivers until it is dropped.
    pub fn over(receivers: Vec<Receiver>) -> Arc<Self> {
        let watch = Self {
            receivers,
            pid: AtomicU32::new(0),
            began: AtomicI64::new(0),
            memory: Mutex::default(),
            misdated: AtomicU64::new(0),
        };
        let watch = Arc::new(watch);
        let watched = Arc::downgrade(&watch);
        tokio::spawn(async move {
            let mut ticks = 0_u32;
            while let Some(watch) = watched.upgrade() {
                watch.drain();
                if ticks.is_multiple_of(5) {
                    watch.weigh();
                }
                ticks += 1;
                drop(watch);
                tokio::time::sleep(TICK).await;
            }
        });
        watch
    }

    /// Takes everything that arrived until now into the books.
    pub fn drain(&self) {
        self.receivers.iter().for_each(Receiver::drain);
    }

    /// How many deliveries receivers hold for forged.
    pub fn forged(&self) -> u64 {
        self.receivers.iter().map(|receiver| receiver.consumer.report().forged).sum()
    }

    /// So many deliveries were held for forged while a clock was wrong.
    pub fn excuse(&self, misdated: u64) {
        self.misdated.fetch_add(misdated, Ordering::SeqCst);
    }

    /// How many were held for forged while every clock was right.
    pub fn forged_in_time(&self) -> u64 {
        self.forged() - self.misdated.load(Ordering::SeqCst)
    }

    /// The program runs as this process.
    pub fn started(&self, pid: u32) {
        self.began.store(now(), Ordering::SeqCst);
        self.pid.store(pid, Ordering::SeqCst);
    }

    /// The program runs no more, or not for long. When it was started.
    pub fn ended(&self) -> i64 {
        self.pid.store(0, Ordering::SeqCst);
        self.began.load(Ordering::SeqCst)
    }

    /// All weighings.
    pub fn memory(&self) -> Vec<Memory> {
        self.memory.lock().unwrap().clone()
    }

    fn weigh(&self) {
        let pid = self.pid.load(Ordering::SeqCst);
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return };
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let Some(kilobytes) = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok()) else { return };
        let at = now();
        let age = at - self.began.load(Ordering::SeqCst);
        self.memory.lock().unwrap().push(Memory { at, age, kilobytes });
    }
}
