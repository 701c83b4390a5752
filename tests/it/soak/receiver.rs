//! A receiver behind a gate, and the book of what arrived there.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::sync::Mutex;

use cpr_operator::simulate::consumer::{Consumer, Options, Received};
use tokio::sync::broadcast::{self, error::TryRecvError};

use crate::support::gate::Gate;
use crate::support::published::SCHEMAS;
use crate::support::world::SECRET;

/// Of how many deliveries one is held against the published schemas.
const CHECKED: usize = 8;

/// What is kept of a delivery that arrived. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: i64,
    /// Its number; 0 for what is about no person, which has none.
    pub seq: i64,
    pub id: String,
    pub reference: Option<String>,
    pub accepted: bool,
    pub duplicate: bool,
    /// Whether it says that an event of this person was given up before.
    pub gap: bool,
    /// Until when its answer asked not to be called again.
    pub not_before: Option<i64>,
}

/// The receiver of one consumer.
pub struct Receiver {
    pub name: &'static str,
    pub consumer: Consumer,
    pub gate: Gate,
    book: Mutex<Book>,
}

struct Book {
    incoming: broadcast::Receiver<Received>,
    heard: usize,
    arrivals: Vec<Arrival>,
    accepted: HashSet<i64>,
}

impl Receiver {
    /// A receiver that accepts everything.
    pub async fn start(name: &'static str) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let consumer = Consumer::start(Options { listen, secrets: vec![SECRET.to_owned()] }).await.unwrap();
        consumer.remember(false);
        let own: http::Uri = consumer.url().parse().unwrap();
        let gate = Gate::before(own.authority().unwrap().to_string()).await;
        let book = Book { incoming: consumer.subscribe(), heard: 0, arrivals: Vec::new(), accepted: HashSet::new() };
        Self { name, consumer, gate, book: Mutex::new(book) }
    }

    /// Where the program is to send, through the gate.
    pub fn url(&self) -> String {
        format!("http://{}/cpr/events", self.gate.address())
    }

    /// Takes everything that arrived until now into the book.
    pub fn drain(&self) {
        let mut book = self.book.lock().unwrap();
        loop {
            match book.incoming.try_recv() {
                Ok(received) => book.enter(&received),
                Err(TryRecvError::Lagged(_)) => panic!("{}: more arrived than could be written down", self.name),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// The book.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.book.lock().unwrap().arrivals.clone()
    }

    /// The highest number that ever arrived, accepted or not.
    pub fn highest(&self) -> i64 {
        self.book.lock().unwrap().arrivals.iter().map(|one| one.seq).max().unwrap_or(0)
    }

    /// The numbers accepted so far that are not among these.
    pub fn accepted_beside(&self, recorded: &HashSet<i64>) -> Vec<i64> {
        self.book.lock().unwrap().accepted.difference(recorded).copied().collect()
    }

    /// The numbers among these that were never accepted.
    pub fn never_accepted(&self, recorded: &HashSet<i64>) -> Vec<i64> {
        recorded.difference(&self.book.lock().unwrap().accepted).copied().collect()
    }
}

impl Book {
    fn enter(&mut self, received: &Received) {
        if received.kind == "endpoint.verify" {
            return;
        }
        self.heard += 1;
        if self.heard % CHECKED == 1 {
            SCHEMAS.check(&received.body);
        }
        let seq = received.sequence.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(0);
        if received.accepted && seq != 0 {
            self.accepted.insert(seq);
        }
        self.arrivals.push(Arrival {
            at: received.at.as_millisecond(),
            seq,
            id: received.id.clone(),
            reference: received.reference.clone(),
            accepted: received.accepted,
            duplicate: received.duplicate,
            gap: received.body["gapbefore"] == true,
            not_before: received.not_before.map(|at| at.as_millisecond()),
        });
    }
}
