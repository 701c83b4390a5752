//! What a worker knows of its consumer: the row, the connection pool, the secrets, and what stands in the way of sending.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use url::Url;

use super::Worker;
use crate::delivery::circuit::Permit;
use crate::delivery::sender::{Sender, Unusable};
use crate::delivery::state::Obstacle;
use crate::delivery::verify::{Endpoint, Verdict, fingerprint};
use crate::domain::compiled::{Consumer, Delivery, Verification};
use crate::store;

/// The way to the consumer.
pub(super) struct Link {
    pub(super) url: Url,
    pub(super) timeout: Duration,
    pub(super) verification: Verification,
    pub(super) sender: Result<Sender, Unusable>,
    pub(super) endpoint: Endpoint,
    made_for: Delivery,
    /// Fingerprint of what lets us in there.
    access: String,
}

impl Link {
    /// Whether it waits for a Secret that lets us in.
    pub(super) fn lacks_access(&self) -> bool {
        matches!(self.sender, Err(Unusable::NoAccess))
    }
}

/// What may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// So many more requests; withdrawals beside them.
    Open(usize),
    /// One, to see.
    Probe,
    /// The consumer is gone: everything is withdrawn.
    Withdrawing,
    /// Nothing, before this instant where that is known.
    Shut(Option<Timestamp>),
}

impl Worker {
    /// Takes in the present configuration, unless that was done just now and nobody rang since, and the secrets.
    pub(super) async fn configure(&mut self) -> Result<(), store::Error> {
        let now = self.now();
        if self.configured.is_none_or(|at| at.elapsed() >= super::POLL) {
            let book = self.shared.book().await?;
            self.configured = Some(Instant::now());
            let Some(row) = book.consumers.get(&self.id) else {
                self.over = true;
                return Ok(());
            };
            if self.version != Some(book.version) {
                self.version = Some(book.version);
                self.queues.release(true, now);
                self.adopt(row.clone(), now);
            }
        }
        self.take_secrets(now);
        Ok(())
    }

    fn adopt(&mut self, row: std::sync::Arc<store::consumer::ConsumerRow>, now: Timestamp) {
        let is_changed = self.row.generation != row.generation;
        if is_changed {
            // Somebody looked after it: what waits for the consumer need not wait longer.
            self.not_before = None;
            self.queues.release(false, now);
        }
        if self.gone.is_some_and(|generation| generation != row.generation) {
            self.gone = None;
            // Who was gone proves the address again.
            self.link = None;
            self.proof_needed = true;
        }
        self.row = row;
        let Some(compiled) = &self.row.compiled else {
            self.link = None;
            return;
        };
        match &mut self.link {
            Some(link) if link.made_for == compiled.delivery => {
                if is_changed {
                    link.endpoint.hurry(now);
                }
            }
            _ => self.link = Some(self.connect(compiled, now)),
        }
    }

    fn connect(&self, compiled: &Consumer, now: Timestamp) -> Link {
        let (context, delivery) = (&self.shared.context, &compiled.delivery);
        let access = context.access.get(&self.row.key);
        let sender = Sender::new(compiled, access.as_ref(), &context.network.allowed_networks, &context.metrics);
        let until = sender.as_ref().ok().and_then(|sender| sender.certificate_until);
        context.metrics.set_certificate(&self.row.key, until);
        let is_usable = !matches!(sender, Err(Unusable::Net(_)));
        let proved = self.row.verified.as_deref().filter(|_| !self.proof_needed && is_usable);
        let before = self.link.as_ref().map(|link| &link.endpoint);
        let print = fingerprint(delivery);
        let mut endpoint = match before {
            Some(endpoint) if endpoint.fingerprint == print => endpoint.clone(),
            _ => Endpoint::new(print, proved, now),
        };
        endpoint.hurry(now);
        if let Err(Unusable::Net(error)) = &sender {
            let unusable = Verdict::NotProved("TlsFailed", format!("{error}: check delivery.caBundleRef"));
            endpoint.answered(&unusable, context.settings.verify_interval, now, &context.chance);
        }
        Link {
            url: delivery.url.clone(),
            timeout: delivery.timeout,
            verification: delivery.verification,
            sender,
            endpoint,
            made_for: delivery.clone(),
            access: access.map(|access| access.fingerprint).unwrap_or_default(),
        }
    }

    fn take_secrets(&mut self, now: Timestamp) {
        let context = &self.shared.context;
        let changed = self.signers.take(context.signing.get(&self.row.key), now);
        self.signers.expire(context.settings.rotation_overlap, now);
        if let Some(link) = self.link.as_mut().filter(|_| changed) {
            link.endpoint.hurry(now);
        }
        self.take_access(now);
    }

    /// Goes another way from now on where what lets us in was changed; what is under way ends on the old one.
    fn take_access(&mut self, now: Timestamp) {
        let (Some(link), Some(compiled)) = (&self.link, &self.row.compiled) else { return };
        let access = self.shared.context.access.get(&self.row.key).map(|access| access.fingerprint);
        if link.access != access.unwrap_or_default() {
            self.link = Some(self.connect(compiled, now));
            self.queues.release(false, now);
            self.circuit.hurry(now);
        }
    }

    /// What stands in the way of sending.
    pub(super) fn obstacle(&self, now: Timestamp) -> Option<Obstacle> {
        let compiled = self.row.compiled.as_ref()?;
        let link = self.link.as_ref()?;
        if compiled.suspended {
            return Some(Obstacle::Suspended);
        }
        if self.gone.is_some() {
            return Some(Obstacle::Gone);
        }
        if self.signers.is_empty() {
            return Some(Obstacle::NoSecret);
        }
        if link.lacks_access() {
            return Some(Obstacle::NoAccess);
        }
        if !link.endpoint.is_verified() || link.sender.is_err() {
            return Some(Obstacle::Unverified);
        }
        if let Some(until) = self.not_before.filter(|until| now < *until) {
            return Some(Obstacle::Asked(until));
        }
        (!self.circuit.is_closed()).then(|| Obstacle::CircuitOpen(self.last_class.clone()))
    }

    /// This worker's part of the requests that may be under way.
    pub(super) fn max_in_flight(&self) -> u32 {
        self.lanes.part_of(self.row.compiled.as_ref().map_or(1, |compiled| compiled.delivery.max_in_flight))
    }

    /// This worker's part of the requests a second, where those are limited.
    pub(super) fn rate_per_second(&self) -> Option<u32> {
        let whole = self.row.compiled.as_ref().and_then(|compiled| compiled.delivery.rate_per_second);
        whole.map(|whole| self.lanes.part_of(whole))
    }

    /// What may be sent now.
    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        if !self.shared.context.presence.is_certain() {
            return Gate::Shut(None);
        }
        if self.row.ended_at.is_some() {
            return Gate::Withdrawing;
        }
        if self.row.compiled.is_none() {
            return Gate::Shut(None);
        }
        match self.obstacle(now) {
            Some(Obstacle::Asked(until)) => return Gate::Shut(Some(until)),
            Some(Obstacle::CircuitOpen(_)) | None => {}
            Some(_) => return Gate::Shut(None),
        }
        let limit = self.window.size(self.max_in_flight()) as usize;
        let per_second = self.rate_per_second();
        let rate = self.rate.available(per_second, now) as usize;
        let room = limit.saturating_sub(self.sending).min(rate);
        match self.circuit.permit(now) {
            Permit::Probe if room > 0 => Gate::Probe,
            Permit::All if room > 0 => Gate::Open(room),
            Permit::NotBefore(until) => Gate::Shut(Some(until)),
            Permit::All | Permit::Probe | Permit::Probing => {
                Gate::Shut(self.rate.next(per_second, now).filter(|_| limit > self.sending))
            }
        }
    }
}
