//! What a consumer's status shows of sending. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::authorise::is_of_token;
use super::retry::between;
use super::sender::Unusable;
use super::verify::{NO_TOKEN, no_token};
use crate::store::consumer::SendingState;

/// A lag beyond this is a backlog, if it lasts; below half of it the backlog is gone, if that lasts.
const BACKLOG: Duration = Duration::from_secs(30);
/// How long it has to last either way.
const LASTS: Duration = Duration::from_secs(60);
/// A receiver that asks to be left alone for longer is named.
const LONG: Duration = Duration::from_secs(3600);

/// What keeps events from going out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Suspended by its resource.
    Suspended,
    /// There are no signing secrets.
    NoSecret,
    /// There is no client or certificate by which the receiver lets us in.
    NoAccess,
    /// The receiver answered 410.
    Gone,
    /// The address has not proved itself.
    Unverified,
    /// The circuit is open, for this class of error.
    CircuitOpen(String),
    /// The receiver asked to be left alone until then.
    Asked(Timestamp),
}

/// Whether a consumer has a backlog, slow to come and slow to go.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    is_behind: bool,
    turning_since: Option<Timestamp>,
}

impl Backlog {
    /// Takes the present lag in. Whether there is a backlog.
    pub fn is_behind(&mut self, lag: Duration, now: Timestamp) -> bool {
        let turning = if self.is_behind { lag < BACKLOG / 2 } else { lag > BACKLOG };
        if !turning {
            self.turning_since = None;
        } else if between(*self.turning_since.get_or_insert(now), now) >= LASTS {
            self.is_behind = !self.is_behind;
            self.turning_since = None;
        }
        self.is_behind
    }

    /// Whether time alone will change it.
    pub fn is_turning(&self) -> bool {
        self.turning_since.is_some()
    }
}

/// The condition of sending, with whose fault it is and what to do.
pub fn sending(obstacle: Option<&Obstacle>, is_behind: bool, now: Timestamp) -> SendingState {
    let (reason, message) = match obstacle {
        Some(Obstacle::Suspended) => {
            ("Suspended", "spec.suspend is true: events are kept and sent on resume".to_owned())
        }
        Some(Obstacle::NoSecret) => (
            "WaitingForSecret",
            "there is no signing secret: give delivery.signingSecretRef a Secret with whsec_ keys".to_owned(),
        ),
        Some(Obstacle::NoAccess) => ("WaitingForSecret", Unusable::NoAccess.to_string()),
        Some(Obstacle::Gone) => {
            ("EndpointGone", "the receiver answered 410: events are kept until the resource's spec changes".to_owned())
        }
        Some(Obstacle::Unverified) => {
            ("WaitingForVerification", "events are kept until the address has proved itself".to_owned())
        }
        Some(Obstacle::CircuitOpen(class)) if is_of_token(class) => (
            NO_TOKEN,
            no_token(&format!(
                "the token endpoint gives no token (last error {class}), and events are kept until it does"
            )),
        ),
        Some(Obstacle::CircuitOpen(class)) => (
            "CircuitOpen",
            format!("the receiver does not take events (last error {class}): they are kept, one at a time is tried"),
        ),
        Some(Obstacle::Asked(until)) if between(now, *until) > LONG => (
            "CircuitOpen",
            format!(
                "the receiver asked by Retry-After to wait until {until}; change the resource's spec to try sooner"
            ),
        ),
        _ if is_behind => ("Backlogged", "events come faster than the receiver takes them".to_owned()),
        _ => ("Delivering", "events are delivered as they come".to_owned()),
    };
    SendingState { reason: reason.into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::retry::later;

    fn at(second: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_secs(second))
    }

    #[test]
    fn a_backlog_takes_a_minute_to_come_and_a_minute_to_go() {
        let (mut backlog, secs) = (Backlog::default(), Duration::from_secs);
        for (second, lag, behind) in [
            (0, 40, false),
            (59, 99, false),
            (60, 99, true),
            (61, 20, true),
            (200, 20, true),
            (201, 10, true),
            (230, 16, true),
            (240, 10, true),
            (299, 10, true),
            (300, 10, false),
            (301, 40, false),
            (302, 1, false),
            (362, 40, false),
        ] {
            assert_eq!(backlog.is_behind(secs(lag), at(second)), behind, "second {second}");
        }
    }

    #[test]
    fn each_obstacle_has_its_reason() {
        for (obstacle, behind, reason) in [
            (None, false, "Delivering"),
            (None, true, "Backlogged"),
            (Some(Obstacle::Suspended), true, "Suspended"),
            (Some(Obstacle::NoSecret), false, "WaitingForSecret"),
            (Some(Obstacle::Gone), false, "EndpointGone"),
            (Some(Obstacle::Unverified), false, "WaitingForVerification"),
            (Some(Obstacle::CircuitOpen("Http500".into())), true, "CircuitOpen"),
            (Some(Obstacle::CircuitOpen("TokenRefused".into())), true, "NoToken"),
            (Some(Obstacle::NoAccess), true, "WaitingForSecret"),
            (Some(Obstacle::Asked(at(60))), false, "Delivering"),
            (Some(Obstacle::Asked(at(4000))), false, "CircuitOpen"),
        ] {
            assert_eq!(sending(obstacle.as_ref(), behind, at(0)).reason, reason, "{obstacle:?}");
        }
    }
}
