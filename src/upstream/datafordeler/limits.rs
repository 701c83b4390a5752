//! How often the register is asked: a rate limit, and a circuit that leaves it alone after failures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Settings;

/// Spaces requests evenly.
pub struct Rate {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Rate {
    /// At most `per_second` requests; zero counts as one.
    pub fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(None) }
    }

    /// Waits for the next free moment.
    pub async fn turn(&self) {
        let at = self.take(Instant::now());
        sleep_until(at).await;
    }

    fn take(&self, now: Instant) -> Instant {
        let mut next = lock(&self.next);
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + self.interval);
        at
    }
}

/// Whether the register is asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// It is.
    Closed,
    /// It is left alone.
    Open,
    /// One request at a time tries whether it is back.
    HalfOpen,
}

/// Leaves the register alone after failures in a row, longer each time, or for as long as it asked.
pub struct Circuit {
    failures_allowed: u32,
    initial: Duration,
    max: Duration,
    /// How long a trial may be out before another is let through.
    trial: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(settings: &Settings) -> Self {
        Self {
            failures_allowed: settings.circuit_failures.max(1),
            initial: settings.circuit_initial,
            max: settings.circuit_max,
            trial: settings.timeout,
            state: Mutex::default(),
        }
    }

    /// Whether a request may be made now; else how long to wait.
    pub fn enter(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        match state.open_until {
            Some(until) if until > now => Err(until - now),
            Some(_) => {
                state.open_until = Some(now + self.trial);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The register answered.
    pub fn answered(&self) {
        *lock(&self.state) = State::default();
    }

    /// The register failed. `hint`: how long it asked us to wait. `chance`: a number from 0 to 1 that spreads the pauses.
    pub fn failed(&self, hint: Option<Duration>, chance: f64) {
        let mut state = lock(&self.state);
        state.failures = state.failures.saturating_add(1);
        let over = state.failures.checked_sub(self.failures_allowed);
        let pause = over.map(|over| backoff(self.initial, self.max, over, chance));
        if let Some(pause) = pause.max(hint) {
            state.open_until = Some(Instant::now() + pause);
        }
    }

    /// The state now.
    pub fn state(&self) -> CircuitState {
        let state = lock(&self.state);
        match state.open_until {
            None => CircuitState::Closed,
            Some(until) if until > Instant::now() => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }
}

/// A pause that doubles with each failure from `initial` to `max`; `chance`, from 0 to 1, adds up to half of it.
pub fn backoff(initial: Duration, max: Duration, failures: u32, chance: f64) -> Duration {
    let doubled = initial.saturating_mul(2_u32.saturating_pow(failures.min(30)));
    doubled.min(max).mul_f64(1.0 + chance.clamp(0.0, 1.0) / 2.0)
}

/// A random number from 0 to 1.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> Circuit {
        Circuit::new(&Settings { circuit_failures: 2, ..Settings::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_spaced_evenly() {
        let rate = Rate::new(10);
        let began = Instant::now();
        for _ in 0..11 {
            rate.turn().await;
        }
        assert_eq!(began.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_the_circuit_and_one_trial_closes_it() {
        let circuit = circuit();
        circuit.failed(None, 0.0);
        assert_eq!(circuit.enter(), Ok(()));
        circuit.failed(None, 0.0);
        assert_eq!(circuit.state(), CircuitState::Open);
        assert_eq!(circuit.enter(), Err(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(circuit.state(), CircuitState::HalfOpen);
        assert_eq!(circuit.enter(), Ok(()));
        assert!(circuit.enter().is_err(), "one trial at a time");
        circuit.answered();
        assert_eq!((circuit.state(), circuit.enter()), (CircuitState::Closed, Ok(())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_never_ends_does_not_keep_the_circuit_open() {
        let circuit = circuit();
        circuit.failed(Some(Duration::from_secs(5)), 0.0);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(circuit.enter(), Ok(()));
        tokio::time::advance(Settings::default().timeout + Duration::from_secs(1)).await;
        assert_eq!(circuit.enter(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_to_wait_is_obeyed_at_the_first_failure() {
        let circuit = circuit();
        circuit.failed(Some(Duration::from_secs(40)), 0.0);
        assert_eq!(circuit.enter(), Err(Duration::from_secs(40)));
    }

    #[test]
    fn pauses_double_to_a_limit_and_are_only_lengthened_by_chance() {
        let pause = |failures, chance| backoff(Duration::from_secs(1), Duration::from_secs(60), failures, chance);
        assert_eq!([0, 1, 2, 10, 4000].map(|n| pause(n, 0.0).as_secs()), [1, 2, 4, 60, 60]);
        assert_eq!(pause(10, 1.0).as_secs(), 90);
        assert!((0.0..=1.0).contains(&chance()));
    }
}
