//! A business system that remembers everything that reaches it, and what it says of the numbered names.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use cpr_operator::simulate::consumer::{Consumer, Options, Received};
use tokio::sync::broadcast::error::RecvError;
use url::Url;

use crate::load::Load;

/// A receiver.
pub struct Receiver {
    pub name: &'static str,
    pub municipalities: &'static [&'static str],
    pub consumer: Consumer,
    /// The highest number that was heard of each citizen.
    heard: Arc<Mutex<HashMap<usize, u32>>>,
}

impl Receiver {
    /// One that verifies with a secret.
    pub async fn start(
        name: &'static str,
        municipalities: &'static [&'static str],
        listen: SocketAddr,
        secret: &str,
    ) -> Result<Self> {
        let consumer = Consumer::start(Options { listen, secrets: vec![secret.to_owned()] }).await?;
        let heard = Arc::<Mutex<HashMap<usize, u32>>>::default();
        let (mut arrivals, hearing) = (consumer.subscribe(), Arc::clone(&heard));
        tokio::spawn(async move {
            loop {
                match arrivals.recv().await {
                    Ok(arrival) => note(&hearing, &arrival),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(Self { name, municipalities, consumer, heard })
    }

    /// Its port.
    pub fn port(&self) -> Result<u16> {
        port(&self.consumer.url())
    }

    /// The citizens of whom it is to hear.
    pub fn citizens(&self) -> impl Iterator<Item = usize> {
        self.municipalities.iter().flat_map(|municipality| Load::citizens_of(municipality))
    }

    /// Succeeds when names of at least these numbers were heard of all its citizens.
    pub fn has_heard(&self, rounds: &[u32]) -> Result<()> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |at: &usize| heard.get(at).copied().unwrap_or_default() < rounds[*at];
        let waiting: Vec<usize> = self.citizens().filter(behind).collect();
        let first: Vec<_> = waiting.iter().take(3).map(|at| (at, rounds[*at], heard.get(at))).collect();
        ensure!(
            waiting.is_empty(),
            "{} did not hear of {} persons; person, expected and heard: {first:?}; {:?}",
            self.name,
            waiting.len(),
            self.consumer.report()
        );
        Ok(())
    }
}

/// Port of an address.
pub fn port(url: &str) -> Result<u16> {
    Ok(url.parse::<Url>()?.port().unwrap_or_default())
}

fn note(heard: &Mutex<HashMap<usize, u32>>, arrival: &Received) {
    if let Some((citizen, round)) = name_in(arrival).filter(|_| arrival.accepted) {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let last = heard.entry(citizen).or_default();
        *last = round.max(*last);
    }
}

/// Whose name it tells, and which.
pub fn name_in(arrival: &Received) -> Option<(usize, u32)> {
    let name = &arrival.body["data"]["fields"]["Name"];
    let round = name["first"].as_str()?.strip_prefix("Runde")?.parse().ok()?;
    Some((name["last"].as_str()?.strip_prefix("Borger")?.parse().ok()?, round))
}
