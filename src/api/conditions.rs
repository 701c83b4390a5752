//! Conditions of a status: which there are, what is normal for each, and how a list of them is kept.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A condition of any kind. Their order is the order in a status, and that in which the first cause is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The summary.
    Ready,
    /// Subscription: source, consumer and purpose were found.
    ReferencesResolved,
    /// Source, consumer: Secrets and ConfigMaps were found and hold what they should.
    SecretsResolved,
    /// Source, consumer: there are workers to do its work.
    WorkersAvailable,
    /// Source: the register answers.
    Reachable,
    /// Source: the register accepts the credentials.
    CredentialsValid,
    /// Source: the services' schemas have what is needed.
    SchemaUnderstood,
    /// Source: persons can be read by the register's identifier.
    PersonIdLookup,
    /// Source: events come as they should.
    FeedHealthy,
    /// Source: the register's approval ends soon. Abnormal when True.
    AccessExpiring,
    /// Consumer: the certificate that is shown to the receiver ends soon. Abnormal when True.
    CertificateExpiring,
    /// Consumer: the address has proved itself.
    EndpointVerified,
    /// Consumer: deliveries flow.
    Delivering,
    /// Consumer: undelivered events near the end of their retention. Abnormal when True.
    BacklogExpiring,
    /// Consumer: deliveries were given up. Abnormal when True.
    DeadLettersPresent,
    /// Subscription: the source can tell every type that is asked for.
    TypesOffered,
    /// Subscription: everyone covered is known.
    InitialLoadComplete,
    /// Subscription: somebody has to decide whether it is still needed. Abnormal when True.
    ReviewDue,
    /// Subscription: it has ended by itself. Abnormal when True.
    Expired,
    /// The operator is at work on it. Abnormal when True, and absent otherwise.
    Reconciling,
    /// Only its author can repair it. Abnormal when True, and absent otherwise.
    Stalled,
}

use ConditionType::*;

/// Conditions that each source has, beside `Reconciling` and `Stalled`.
pub const OF_SOURCE: &[ConditionType] = &[
    Ready,
    SecretsResolved,
    WorkersAvailable,
    Reachable,
    CredentialsValid,
    SchemaUnderstood,
    PersonIdLookup,
    FeedHealthy,
    AccessExpiring,
];

/// Conditions that each consumer has, beside `Reconciling` and `Stalled`.
pub const OF_CONSUMER: &[ConditionType] = &[
    Ready,
    SecretsResolved,
    WorkersAvailable,
    CertificateExpiring,
    EndpointVerified,
    Delivering,
    BacklogExpiring,
    DeadLettersPresent,
];

/// Conditions that each subscription has, beside `Reconciling` and `Stalled`.
pub const OF_SUBSCRIPTION: &[ConditionType] =
    &[Ready, ReferencesResolved, TypesOffered, InitialLoadComplete, ReviewDue, Expired];

/// Every condition, in order.
const ALL: [ConditionType; 21] = [
    Ready,
    ReferencesResolved,
    SecretsResolved,
    WorkersAvailable,
    Reachable,
    CredentialsValid,
    SchemaUnderstood,
    PersonIdLookup,
    FeedHealthy,
    AccessExpiring,
    CertificateExpiring,
    EndpointVerified,
    Delivering,
    BacklogExpiring,
    DeadLettersPresent,
    TypesOffered,
    InitialLoadComplete,
    ReviewDue,
    Expired,
    Reconciling,
    Stalled,
];

impl ConditionType {
    /// The name in a status.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The condition of a name in a status.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|t| t.name() == name)
    }

    /// Whether True says that something is wrong.
    pub fn is_abnormal_when_true(self) -> bool {
        matches!(
            self,
            AccessExpiring
                | CertificateExpiring
                | BacklogExpiring
                | DeadLettersPresent
                | ReviewDue
                | Expired
                | Reconciling
                | Stalled
        )
    }

    /// Whether the condition is there only while it is True.
    fn is_absent_unless_true(self) -> bool {
        matches!(self, Reconciling | Stalled)
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows yet.
    Unknown,
}

impl Status {
    /// The word in a status.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Sets one condition in `conditions`, which stay in order.
///
/// `reason` is a stable CamelCase word, `message` a deterministic sentence for people. The time of transition moves only when the
/// status changes. A message that differs from the present one in numbers alone does not replace it, so that a count that moves
/// causes no write.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: ConditionType,
    status: Status,
    reason: &str,
    message: &str,
    generation: i64,
    now: Timestamp,
) {
    if type_.is_absent_unless_true() && status != Status::True {
        return remove(conditions, type_);
    }
    let new = Condition {
        type_: type_.name(),
        status: status.name().to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: Time(now),
    };
    match conditions.iter_mut().find(|c| c.type_ == new.type_) {
        Some(old) => replace(old, new),
        None => conditions.push(new),
    }
    conditions.sort_by_key(|c| (ConditionType::from_name(&c.type_).is_none(), ConditionType::from_name(&c.type_)));
}

/// Adds those of `types` that are not there yet as Unknown, as a resource has them before anything was tried.
pub fn set_missing(conditions: &mut Vec<Condition>, types: &[ConditionType], generation: i64, now: Timestamp) {
    for type_ in types {
        if get(conditions, *type_).is_none() {
            set(conditions, *type_, Status::Unknown, "NotTried", "Nothing is known yet.", generation, now);
        }
    }
}

/// Removes one condition.
pub fn remove(conditions: &mut Vec<Condition>, type_: ConditionType) {
    conditions.retain(|c| c.type_ != type_.name());
}

/// The condition of that type, if it is there.
pub fn get(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.name())
}

/// Reason of the first condition that is not as it should be; that of `Stalled`, `Reconciling` or `Ready`, which only sum up, where
/// no other says why.
pub fn waiting(conditions: &[Condition]) -> Option<String> {
    let wrong = |c: &&Condition| ConditionType::from_name(&c.type_).is_some_and(|t| is_wrong(t, c));
    let summaries = [Stalled, Reconciling, Ready];
    let is_cause = |c: &&Condition| summaries.iter().all(|t| c.type_ != t.name());
    let first = conditions.iter().filter(is_cause).find(wrong);
    first.or_else(|| summaries.iter().filter_map(|t| get(conditions, *t)).find(wrong)).map(|c| c.reason.clone())
}

fn is_wrong(type_: ConditionType, condition: &Condition) -> bool {
    if type_.is_abnormal_when_true() { condition.status == "True" } else { condition.status != "True" }
}

fn replace(old: &mut Condition, mut new: Condition) {
    let same_status = old.status == new.status;
    if same_status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let same_cause = same_status && old.reason == new.reason && old.observed_generation == new.observed_generation;
    if same_cause && without_numbers(&old.message) == without_numbers(&new.message) {
        new.message = std::mem::take(&mut old.message);
    }
    *old = new;
}

/// A text with each run of digits as one mark.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Given<'a> = (ConditionType, Status, &'a str);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A list with the given conditions, set in that order.
    fn list(of: &[Given<'_>]) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (type_, status, reason) in of {
            set(&mut conditions, *type_, *status, reason, "", 1, at(0));
        }
        conditions
    }

    #[test]
    fn every_condition_is_listed_once_and_in_order() {
        for (position, type_) in ALL.into_iter().enumerate() {
            assert_eq!(type_ as usize, position, "{type_:?}");
            assert_eq!(ConditionType::from_name(&type_.name()), Some(type_));
        }
        for kind in [OF_SOURCE, OF_CONSUMER, OF_SUBSCRIPTION] {
            assert!(kind.is_sorted());
        }
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        let mut set_at = |second, status, reason| {
            set(&mut conditions, Reachable, status, reason, "", 1, at(second));
            get(&conditions, Reachable).unwrap().last_transition_time.0
        };
        assert_eq!(set_at(1, Status::False, "Down"), at(1));
        assert_eq!(set_at(2, Status::False, "Busy"), at(1));
        assert_eq!(set_at(3, Status::True, "Answered"), at(3));
    }

    #[test]
    fn a_number_in_a_message_changes_nothing_but_other_words_do() {
        let mut conditions = Vec::new();
        let mut said = |message, generation| {
            set(&mut conditions, Delivering, Status::False, "Backlogged", message, generation, at(0));
            conditions[0].message.clone()
        };
        assert_eq!(said("12 deliveries wait", 1), "12 deliveries wait");
        assert_eq!(said("5017 deliveries wait", 1), "12 deliveries wait");
        assert_eq!(said("deliveries wait", 1), "deliveries wait");
        assert_eq!(said("7 deliveries wait", 1), "7 deliveries wait");
        assert_eq!(said("8 deliveries wait", 2), "8 deliveries wait");
    }

    #[test]
    fn what_is_missing_becomes_unknown_and_the_rest_stays() {
        let mut conditions = list(&[(Reachable, Status::True, "Answered")]);
        set_missing(&mut conditions, OF_SOURCE, 1, at(5));
        let names: Vec<_> = conditions.iter().map(|c| ConditionType::from_name(&c.type_).unwrap()).collect();
        assert_eq!(names, OF_SOURCE);
        assert_eq!(get(&conditions, Reachable).unwrap().reason, "Answered");
        assert_eq!(get(&conditions, FeedHealthy).unwrap().status, "Unknown");
    }

    #[test]
    fn order_does_not_depend_on_the_order_of_setting() {
        let some = [(Ready, Status::True, "A"), (SecretsResolved, Status::True, "B"), (FeedHealthy, Status::True, "C")];
        let mut reversed = some;
        reversed.reverse();
        assert_eq!(list(&some), list(&reversed));
    }

    #[test]
    fn reconciling_and_stalled_are_there_only_while_true() {
        let mut conditions = list(&[(Reconciling, Status::True, "Progressing"), (Stalled, Status::Unknown, "X")]);
        assert_eq!(conditions.len(), 1);
        set(&mut conditions, Reconciling, Status::False, "Done", "", 1, at(0));
        assert!(conditions.is_empty());
    }

    #[test]
    fn waiting_names_the_first_cause_and_minds_polarity() {
        use Status::{False, True, Unknown};
        let fine = [(Ready, True, "Succeeded"), (SecretsResolved, True, "Found"), (AccessExpiring, False, "NotSoon")];
        let cases: [(&[Given<'_>], Option<&str>); 7] = [
            (&fine, None),
            (&[(Ready, False, "R"), (Reachable, False, "Down"), (SecretsResolved, False, "Missing")], Some("Missing")),
            (&[(Ready, True, "R"), (Reachable, True, "Up"), (AccessExpiring, True, "Soon")], Some("Soon")),
            (&[(Ready, Unknown, "R"), (Reachable, Unknown, "NotTried")], Some("NotTried")),
            (&[(Ready, False, "Invalid"), (Stalled, True, "Bad")], Some("Bad")),
            (&[(Ready, False, "Invalid")], Some("Invalid")),
            (&[], None),
        ];
        for (conditions, expected) in cases {
            assert_eq!(waiting(&list(conditions)).as_deref(), expected, "{conditions:?}");
        }
    }
}
