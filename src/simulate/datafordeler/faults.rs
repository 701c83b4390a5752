//! What can be wrong with the register, switched on and off while it runs.

use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

/// A part of the register that can be asked something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Service {
    /// The token endpoint.
    Token,
    /// Either schema.
    Schema,
    /// Pages of events.
    Events,
    /// The state of imports.
    ImportStatus,
    /// Persons.
    Lookup,
}

const ALL: &[Service] = &[Service::Token, Service::Schema, Service::Events, Service::ImportStatus, Service::Lookup];
const BEHIND_TOKEN: &[Service] = &[Service::Schema, Service::Events, Service::ImportStatus, Service::Lookup];

/// How a busy register says when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// Nothing is said.
    Silent,
    /// A number of seconds.
    Seconds(u32),
    /// A date, this many seconds from now.
    Date(u32),
}

/// Something that is wrong. In JSON the member `fault` names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the variants' docs say what their members are")]
pub enum Fault {
    /// Answers come this many milliseconds late.
    Slow { millis: u64 },
    /// 401 with `DAF-AUTH-0005`.
    Unauthorized,
    /// The same code, with a detail that blames the caller's address.
    NotWhiteListed,
    /// 403 with `DAF-AUTH-0001`.
    Forbidden,
    /// 200 with a GraphQL error `DAF-AUTH-0001`.
    ForbiddenInBody,
    /// 429.
    TooMany { retry_after: RetryAfter },
    /// A status such as 500 or 503, with a page of HTML.
    ServerError { status: u16 },
    /// The connection breaks in the middle of the body.
    Cut,
    /// The connection is closed without any answer.
    HangUp,
    /// The body ends before the JSON does.
    BrokenJson,
    /// Pages repeat events; a person comes twice.
    Duplicate,
    /// Answers have members and values that no schema knows.
    UnknownField,
    /// A member is missing from every object of an answer.
    DropMandatory { member: String },
    /// The token endpoint does not know the client.
    WrongCredentials,
    /// A member has this value wherever it stands, of one person or of all.
    Replace {
        member: String,
        value: Value,
        #[serde(default)]
        person: Option<String>,
    },
    /// Every page is the first one that was given under this fault.
    RepeatPage,
    /// Every page says that more follow, after the same cursor.
    LoopCursor,
    /// A GraphQL error with this code, in a 200.
    Refuse { code: String, message: String },
    /// The body is this many bytes longer than it need be.
    Huge { bytes: u32 },
    /// The body is packed, though nobody asked for that.
    Packed,
    /// The body comes byte by byte, this many milliseconds apart.
    Drip { millis: u64 },
}

impl Fault {
    /// Where the fault shows unless told otherwise.
    fn services(&self) -> &'static [Service] {
        match self {
            Self::WrongCredentials => &[Service::Token],
            Self::Unauthorized | Self::NotWhiteListed | Self::Forbidden => BEHIND_TOKEN,
            Self::ForbiddenInBody => &[Service::Events, Service::ImportStatus, Service::Lookup],
            Self::Duplicate | Self::UnknownField => &[Service::Events, Service::Lookup],
            Self::DropMandatory { .. } | Self::Replace { .. } => &[Service::Lookup],
            Self::RepeatPage | Self::LoopCursor => &[Service::Events],
            Self::Refuse { .. } => &[Service::Events, Service::ImportStatus, Service::Lookup],
            Self::Slow { .. }
            | Self::TooMany { .. }
            | Self::ServerError { .. }
            | Self::Cut
            | Self::HangUp
            | Self::Huge { .. }
            | Self::Packed
            | Self::Drip { .. }
            | Self::BrokenJson => ALL,
        }
    }
}

/// A fault that is switched on.
#[derive(Clone, Debug)]
struct Active {
    fault: Fault,
    services: Vec<Service>,
    /// How many more requests it strikes; none without end.
    left: Option<u32>,
}

/// The switches.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Active>>, Mutex<Option<Value>>);

impl Faults {
    fn active(&self) -> std::sync::MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches a fault on until it is switched off.
    pub fn set(&self, fault: Fault) {
        self.set_for(fault, None, None);
    }

    /// Switches a fault on for a number of requests.
    pub fn set_times(&self, fault: Fault, requests: u32) {
        self.set_for(fault, None, Some(requests));
    }

    /// Switches a fault on at some services only (else where it makes sense), for some requests (else without end).
    pub fn set_for(&self, fault: Fault, services: Option<&[Service]>, requests: Option<u32>) {
        let services = services.unwrap_or_else(|| fault.services()).to_vec();
        self.active().push(Active { fault, services, left: requests });
    }

    /// Switches everything off.
    pub fn clear(&self) {
        self.active().clear();
        self.1.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The answer that is given again and again: this one, unless there was one before.
    pub(super) fn repeated(&self, answer: Value) -> Value {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(answer).clone()
    }

    /// The faults that strike a request to `service`, in the order they were switched on.
    pub(super) fn strike(&self, service: Service) -> Vec<Fault> {
        let mut active = self.active();
        let struck = active.iter_mut().filter(|active| active.services.contains(&service));
        let faults = struck
            .map(|active| {
                active.left = active.left.map(|left| left.saturating_sub(1));
                active.fault.clone()
            })
            .collect();
        active.retain(|active| active.left != Some(0));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_services_and_ends_after_its_requests() {
        let faults = Faults::default();
        faults.set_times(Fault::Unauthorized, 2);
        faults.set_for(Fault::Cut, Some(&[Service::Lookup]), None);
        assert_eq!(faults.strike(Service::Token), []);
        assert_eq!(faults.strike(Service::Events), [Fault::Unauthorized]);
        assert_eq!(faults.strike(Service::Lookup), [Fault::Unauthorized, Fault::Cut]);
        assert_eq!(faults.strike(Service::Lookup), [Fault::Cut]);
        faults.clear();
        assert_eq!(faults.strike(Service::Lookup), []);
    }
}
