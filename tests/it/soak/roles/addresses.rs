//! Where receivers are reached: each has a name that leads to one of two addresses.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::soak::receiver::Receiver;
use crate::support::gate::Gate;
use crate::support::shown::Names;

/// The other address, beside that of the receiver's own gate.
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// What names lead to, and a second gate for each receiver.
pub struct Addresses {
    names: Names,
    places: Vec<Place>,
}

struct Place {
    name: String,
    port: u16,
    other: Gate,
    has_moved: bool,
}

impl Addresses {
    /// Each name leads to its receiver's own gate; the other one is shut.
    pub async fn of(folder: &Path, receivers: &[Receiver]) -> Self {
        let mut places = Vec::new();
        for receiver in receivers {
            let port = receiver.gate.address().port();
            let own: http::Uri = receiver.consumer.url().parse().unwrap();
            let other = Gate::at(SocketAddr::new(OTHER, port), own.authority().unwrap().to_string()).await;
            other.shut();
            places.push(Place { name: format!("{}.receivers.test", receiver.name), port, other, has_moved: false });
        }
        let addresses = Self { names: Names::at(folder), places };
        addresses.lead(receivers, None);
        addresses
    }

    /// The names, for those who look them up.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Where a receiver is to be sent to.
    pub fn url(&self, at: usize) -> String {
        let place = &self.places[at];
        format!("http://{}:{}/cpr/events", place.name, place.port)
    }

    /// The gate to which its name leads.
    pub fn gate<'a>(&'a self, receivers: &'a [Receiver], at: usize) -> &'a Gate {
        let place = &self.places[at];
        if place.has_moved { &place.other } else { &receivers[at].gate }
    }

    /// The address to which the name leads is closed.
    pub fn close(&self, receivers: &[Receiver], at: usize) {
        self.gate(receivers, at).shut();
    }

    /// The receiver is at its other address, and the name leads there.
    pub fn go_over(&mut self, receivers: &[Receiver], at: usize) {
        let place = &mut self.places[at];
        place.has_moved = !place.has_moved;
        self.gate(receivers, at).open();
        self.lead(receivers, None);
    }

    /// The name leads nowhere, and who was connected is so no more.
    pub fn lead_nowhere(&self, receivers: &[Receiver], at: usize) {
        self.lead(receivers, Some(at));
        self.close(receivers, at);
    }

    /// It leads where it led.
    pub fn lead_back(&self, receivers: &[Receiver], at: usize) {
        self.gate(receivers, at).open();
        self.lead(receivers, None);
    }

    fn lead(&self, receivers: &[Receiver], but: Option<usize>) {
        let known = (0..self.places.len()).filter(|at| Some(*at) != but);
        let led = known.map(|at| (self.places[at].name.clone(), self.gate(receivers, at).address().ip()));
        self.names.lead(&led.collect::<Vec<_>>());
    }
}
