//! How the workers of a resource stand, from what is there. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;

use super::names::WORKER;
use super::plan::Worker;
use super::rollout::is_given_up;
use super::wish::{Count, Standing};
use crate::operator::refusal::Refusal;
use crate::operator::report::Holds;

/// How long workers may take to start before that is said to be wrong.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// How a worker stands, and when the clock alone changes that. A `problem` is why it could not be made as it is to be.
pub fn of(
    worker: &Worker,
    live: Option<&Deployment>,
    problem: Option<&Refusal>,
    now: Timestamp,
) -> (Standing, Option<Timestamp>) {
    let count = Count { desired: worker.replicas, ready: ready(live) };
    if let Some(refusal) = problem.or(worker.shape.as_ref().err()) {
        return (refused(refusal, live.is_some().then_some(count)), None);
    }
    let standing = |holds, reason, message| Standing { count: Some(count), holds, reason, message };
    if worker.replicas == 0 {
        let message = "no worker runs: there is no live subscription and nothing left to send".to_owned();
        return (standing(Holds::True, "Stopped", message), None);
    }
    if count.ready > 0 {
        return (standing(Holds::True, "Available", available(count, live)), None);
    }
    match live.and_then(unavailable_since).and_then(|since| since.checked_add(PATIENCE).ok()) {
        Some(end) if end <= now => (standing(Holds::False, "NotReady", not_ready(worker, live)), None),
        end => (standing(Holds::Unknown, "Starting", "the workers are being started".to_owned()), end),
    }
}

/// How a resource stands that is refused workers.
pub fn refused(refusal: &Refusal, count: Option<Count>) -> Standing {
    Standing { count, holds: Holds::False, reason: refusal.reason, message: refusal.message.clone() }
}

/// How many replicas are ready.
pub fn ready(live: Option<&Deployment>) -> u32 {
    let ready = live.and_then(|live| live.status.as_ref()?.ready_replicas).unwrap_or_default();
    u32::try_from(ready).unwrap_or_default()
}

fn available(count: Count, live: Option<&Deployment>) -> String {
    let stuck = match live.is_some_and(is_given_up) {
        true => {
            "; their new form does not become ready, so they go on in the one before: the platform team has to look"
        }
        false => "",
    };
    format!("{} of {} workers are ready{stuck}", count.ready, count.desired)
}

fn not_ready(worker: &Worker, live: Option<&Deployment>) -> String {
    let namespace = live.and_then(|live| live.metadata.namespace.as_deref()).unwrap_or_default();
    format!(
        "no worker is ready: the platform team sees why with kubectl -n {namespace} describe pods -l {WORKER}={}",
        worker.name()
    )
}

/// Since when there have been too few of them: since it was made, where the cluster has not said yet.
fn unavailable_since(live: &Deployment) -> Option<Timestamp> {
    let conditions = live.status.as_ref().and_then(|status| status.conditions.as_ref());
    let available =
        conditions.and_then(|all| all.iter().find(|condition| condition.type_.as_deref() == Some("Available")));
    let since = available
        .filter(|found| found.status.as_deref() == Some("False"))
        .and_then(|found| found.last_transition_time.as_ref());
    since.or(live.metadata.creation_timestamp.as_ref()).map(|time| time.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::workers::testing::worker;

    const MADE: &str = "2026-11-22T12:00:00Z";

    fn live(status: Value) -> Deployment {
        let metadata = json!({"namespace": "platform", "creationTimestamp": MADE});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn standing_of(replicas: u32, live: Option<&Deployment>, after: i64) -> Standing {
        let now = MADE.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(after);
        of(&Worker { replicas, ..worker("a") }, live, None, now).0
    }

    #[test]
    fn workers_start_are_ready_or_are_not() {
        let lost = json!({"conditions": [{"type": "Available", "status": "False", "lastTransitionTime": "2026-11-22T12:10:00Z"}]});
        for (replicas, status, after, holds, reason) in [
            (1, None, 0, Holds::Unknown, "Starting"),
            (1, Some(json!({})), 119, Holds::Unknown, "Starting"),
            (1, Some(json!({})), 120, Holds::False, "NotReady"),
            (1, Some(lost.clone()), 600, Holds::Unknown, "Starting"),
            (1, Some(lost), 720, Holds::False, "NotReady"),
            (2, Some(json!({"readyReplicas": 1})), 720, Holds::True, "Available"),
            (0, Some(json!({"readyReplicas": 1})), 0, Holds::True, "Stopped"),
        ] {
            let live = status.clone().map(live);
            let found = standing_of(replicas, live.as_ref(), after);
            assert_eq!((found.holds, found.reason), (holds, reason), "{status:?}");
        }
        let two = standing_of(2, Some(&live(json!({"readyReplicas": 1}))), 0);
        assert_eq!(two.count, Some(Count { desired: 2, ready: 1 }));
        assert_eq!(two.message, "1 of 2 workers are ready");
    }

    #[test]
    fn a_new_form_that_does_not_become_ready_is_said() {
        let conditions = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        let stuck = standing_of(1, Some(&live(json!({"readyReplicas": 1, "conditions": conditions}))), 0);
        assert_eq!((stuck.holds, stuck.reason), (Holds::True, "Available"));
        assert!(stuck.message.contains("new form"), "{}", stuck.message);
    }

    #[test]
    fn what_is_refused_says_why_and_still_counts_what_runs() {
        let refusal = Refusal::by_author("CeilingExceeded", "lower it");
        let greedy = Worker { shape: Err(refusal.clone()), ..worker("a") };
        let running = live(json!({"readyReplicas": 1}));
        let (standing, _) = of(&greedy, Some(&running), None, Timestamp::UNIX_EPOCH);
        assert_eq!((standing.reason, standing.count.unwrap().ready), ("CeilingExceeded", 1));
        let (standing, _) = of(&worker("a"), None, Some(&refusal), Timestamp::UNIX_EPOCH);
        assert_eq!((standing.reason, standing.count), ("CeilingExceeded", None));
    }
}
