//! How a consumer answers: well, or in one of the many ways in which receivers fail.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

/// When to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u32),
    /// A date, this many seconds from now.
    Date(u32),
}

/// Whose deliveries fail, for failures that are not everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Chosen {
    /// These references.
    References(BTreeSet<String>),
    /// This many of a hundred persons, always the same ones.
    Percent(u8),
}

impl Chosen {
    fn includes(&self, reference: Option<&str>) -> bool {
        let Some(reference) = reference else { return false };
        match self {
            Self::References(chosen) => chosen.contains(reference),
            Self::Percent(share) => spread(reference) % 100 < u64::from(*share),
        }
    }
}

/// A number that follows from a text and is spread evenly (FNV-1a).
fn spread(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How deliveries are answered. In JSON the member `answer` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the variants' docs say what their members are")]
pub enum Behaviour {
    /// 204, or the challenge.
    #[default]
    Accept,
    /// A status.
    Status { status: u16 },
    /// A status with a Retry-After.
    StatusWithRetryAfter { status: u16, retry_after: RetryAfter },
    /// Never an answer.
    Hang,
    /// Accepted, this many milliseconds late.
    Slow { millis: u64 },
    /// 307 to another address.
    Redirect { url: String },
    /// 410.
    Gone,
    /// 401.
    Unauthorized,
    /// 500 for some persons, accepted for the others.
    FailFor { chosen: Chosen },
    /// A status for events of one type (without its prefix), accepted for the others.
    RefuseType { refused: String, status: u16 },
    /// The connection is closed without an answer, and nothing was kept.
    CutConnection,
    /// Accepted and kept, but the connection is closed before the answer.
    CutAfterAccepting,
    /// Challenges get another text back; deliveries are accepted.
    WrongChallenge,
    /// 200, and then a body that comes byte by byte and never ends.
    Drip,
}

/// What a behaviour is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Applies {
    /// Deliveries alone; challenges are answered well. (A wrong challenge is answered wrongly all the same.)
    #[default]
    Deliveries,
    /// Deliveries and challenges.
    Everything,
}

/// What is done with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Accept { after: Duration },
    AcceptAndCut,
    AnswerWrongly,
    Refuse { status: u16, retry_after: Option<RetryAfter>, location: Option<String> },
    Hang,
    Cut,
    Drip,
}

/// The type of challenges.
pub(super) const CHALLENGE: &str = "endpoint.verify";
const NOW: Step = Step::Accept { after: Duration::ZERO };

impl Behaviour {
    /// What to do with a delivery of a type about `reference`, or with a challenge.
    pub(super) fn decide(&self, applies: Applies, kind: &str, reference: Option<&str>) -> Step {
        let challenge = kind == CHALLENGE;
        if challenge && *self == Self::WrongChallenge {
            return Step::AnswerWrongly;
        }
        if challenge && applies == Applies::Deliveries {
            return NOW;
        }
        let refuse = |status| Step::Refuse { status, retry_after: None, location: None };
        match self {
            Self::Accept | Self::WrongChallenge => NOW,
            Self::Slow { millis } => Step::Accept { after: Duration::from_millis(*millis) },
            Self::CutAfterAccepting => Step::AcceptAndCut,
            Self::Status { status } if (200..300).contains(status) => NOW,
            Self::Status { status } => refuse(*status),
            Self::StatusWithRetryAfter { status, retry_after } => {
                Step::Refuse { status: *status, retry_after: Some(*retry_after), location: None }
            }
            Self::Redirect { url } => Step::Refuse { status: 307, retry_after: None, location: Some(url.clone()) },
            Self::Gone => refuse(410),
            Self::Unauthorized => refuse(401),
            Self::FailFor { chosen } if chosen.includes(reference) => refuse(500),
            Self::RefuseType { refused, status } if refused == kind => refuse(*status),
            Self::FailFor { .. } | Self::RefuseType { .. } => NOW,
            Self::Hang => Step::Hang,
            Self::CutConnection => Step::Cut,
            Self::Drip => Step::Drip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_persons_fails_and_always_the_same() {
        let behaviour = Behaviour::FailFor { chosen: Chosen::Percent(20) };
        let fails = |number: u32| behaviour.decide(Applies::Deliveries, "died", Some(&format!("p_{number}"))) != NOW;
        let failing = (0..1000).filter(|number| fails(*number)).count();
        assert!((120..280).contains(&failing), "{failing}");
        assert!((0..1000).all(|number| fails(number) == fails(number)));
        assert_eq!(behaviour.decide(Applies::Deliveries, "died", None), NOW);
    }

    #[test]
    fn one_type_is_refused_with_the_status_that_was_chosen() {
        let said = serde_json::json!({ "answer": "refuseType", "refused": "died", "status": 422 });
        let behaviour: Behaviour = serde_json::from_value(said).expect("it is understood");
        let of = |kind| behaviour.decide(Applies::Deliveries, kind, Some("p_a"));
        assert_eq!(of("died"), Step::Refuse { status: 422, retry_after: None, location: None });
        assert_eq!(of("moved.in"), NOW);
    }

    #[test]
    fn challenges_are_spared_unless_everything_is_meant() {
        assert_eq!(Behaviour::Gone.decide(Applies::Deliveries, CHALLENGE, None), NOW);
        assert_ne!(Behaviour::Gone.decide(Applies::Everything, CHALLENGE, None), NOW);
        assert_eq!(Behaviour::WrongChallenge.decide(Applies::Deliveries, CHALLENGE, None), Step::AnswerWrongly);
    }
}
