//! Every duty of a receiver, tried on each of ours with requests as the product signs them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use cpr_operator::domain::field_group::FieldGroup;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use super::kit::{Held, Kit, Running};
use crate::support::published::SCHEMAS;
use crate::support::webhook::{self, Answer, signed};
use crate::support::world::SECRET;

/// A secret that comes after the other, and one of somebody else.
const NEXT: &str = "whsec_bmV4dC1zZWNyZXQtb2YtYS1maWN0aXRpb3VzLXN5cw==";
const FOREIGN: &str = "whsec_bm90IHRoZSBzYW1lIHNlY3JldCBhdCBhbGw=";

type Case = for<'a> fn(&'a mut Person<'_>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), |person| Box::pin($name(person)))),*] };
}

/// The duties.
const CASES: &[(&str, Case)] = cases![
    a_challenge_is_returned_whichever_secret_it_is_signed_with,
    what_is_not_signed_is_refused_and_not_kept,
    what_is_signed_and_no_event_is_refused,
    headers_that_nobody_signed_change_nothing,
    what_comes_twice_counts_once,
    what_is_stale_is_dropped,
    groups_are_replaced_as_a_whole,
    what_is_withheld_is_deleted,
    protection_deletes_all_that_it_governs,
    what_the_protection_still_leaves_is_kept,
    after_a_gap_the_person_is_in_doubt_until_a_snapshot,
    a_snapshot_leaves_nothing_that_it_does_not_name,
    what_is_replayed_is_processed_and_lowers_nothing,
    who_has_left_is_forgotten_and_an_undoing_does_not_bring_them_back,
    who_is_covered_twice_stays_until_both_end,
    an_ended_subscription_takes_its_persons_along,
    merged_references_become_one,
    what_is_not_known_yet_is_ignored,
    what_was_answered_survives_the_process,
];

/// A person of the case's own, at a receiver.
struct Person<'a> {
    receiver: &'a mut Running,
    reference: String,
    /// A subscription of the case's own.
    subscription: String,
}

/// Numbers that no other case uses.
fn fresh() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn reference() -> String {
    format!("p_{:026}", fresh())
}

impl Person<'_> {
    /// An event about this person with these members of `data` beside what all have. It is as published.
    fn event(&self, kind: &str, sequence: u64, more: Value) -> Value {
        let event = self.any_event(kind, sequence, more);
        SCHEMAS.check(&event);
        event
    }

    fn any_event(&self, kind: &str, sequence: u64, more: Value) -> Value {
        let mut data = json!({
            "grounds": [{ "subscription": self.subscription, "purpose": "case-work" }],
            "correction": false, "derivedFrom": "Comparison",
        });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if data["fields"].is_object() && data.get("withheld").is_none() {
            data["withheld"] = json!([]);
        }
        json!({
            "specversion": "1.0", "id": format!("ev_{:026}", fresh()), "source": "/sandkoebing/register",
            "type": format!("dev.cpr-operator.{kind}"), "subject": self.reference,
            "time": "2026-11-22T03:11:08.123Z", "datacontenttype": "application/json",
            "dataschema": format!("https://cpr-operator.dev/schemas/v1/{kind}.json"),
            "partitionkey": self.reference, "sequence": format!("{sequence:020}"), "data": data,
        })
    }

    async fn tell(&self, event: &Value) {
        let answer = webhook::send(&self.receiver.url, &[SECRET], event).await;
        assert_eq!(answer.status, 204, "{}", event["type"]);
    }

    async fn happen(&self, kind: &str, sequence: u64, more: Value) {
        self.tell(&self.event(kind, sequence, more)).await;
    }

    async fn held(&self) -> Held {
        self.receiver.held(&self.reference).await
    }

    async fn groups(&self) -> Vec<String> {
        self.held().await.groups.into_keys().collect()
    }

    async fn first_name(&self) -> Value {
        self.held().await.groups.get("Name").map_or(Value::Null, |name| name["first"].clone())
    }
}

/// Fields with a first name.
fn named(first: &str) -> Value {
    json!({ "fields": { "Name": { "first": first } } })
}

/// Every group with something in it.
fn everything() -> Value {
    let all = FieldGroup::ALL.iter().map(|group| {
        let name = group.name();
        let content = match group {
            FieldGroup::Number => json!({ "current": "6101800001" }),
            FieldGroup::Address => json!({ "roadName": "Prøvevej", "houseNumber": "7" }),
            FieldGroup::Municipality => json!({ "code": "0851", "name": "Aalborg" }),
            FieldGroup::Name => json!({ "first": "Alma" }),
            FieldGroup::Status => json!({ "code": "01", "text": "Resident in Denmark" }),
            _ => Value::Null,
        };
        (name.to_owned(), content)
    });
    json!({ "fields": all.collect::<serde_json::Map<_, _>>() })
}

async fn send(request: Request<Full<bytes::Bytes>>) -> u16 {
    webhook::send_request(request).await.status
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn a_challenge_is_returned_whichever_secret_it_is_signed_with(person: &mut Person<'_>) {
    let challenge = json!({
        "specversion": "1.0", "id": format!("ev_{:026}", fresh()), "source": "/sandkoebing/consumersystems/casework",
        "type": "dev.cpr-operator.endpoint.verify", "time": "2026-11-22T03:11:08.123Z",
        "datacontenttype": "application/json",
        "dataschema": "https://cpr-operator.dev/schemas/v1/endpoint.verify.json",
        "data": { "challenge": "0123456789abcdef" },
    });
    SCHEMAS.check(&challenge);
    for secrets in [&[SECRET][..], &[SECRET, NEXT], &[NEXT, SECRET]] {
        let Answer { status, body } = webhook::send(&person.receiver.url, secrets, &challenge).await;
        assert_eq!(status, 200);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({ "challenge": "0123456789abcdef" }));
    }
    let answer = webhook::send(&person.receiver.url, &[NEXT], &challenge).await;
    assert_eq!(answer.status, 401, "it does not have that secret");
    assert!(!String::from_utf8_lossy(&answer.body).contains("0123456789abcdef"));
}

async fn what_is_not_signed_is_refused_and_not_kept(person: &mut Person<'_>) {
    let (url, event) = (&person.receiver.url, person.event("name.changed", 1, named("Alma")));
    let good = || signed(url, &[SECRET], &event, now());
    let mut requests = vec![
        signed(url, &[FOREIGN], &event, now()),
        signed(url, &[SECRET], &event, now() - 600),
        signed(url, &[SECRET], &event, now() + 600),
    ];
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut without = good();
        without.headers_mut().remove(header);
        requests.push(without);
        for nonsense in ["nonsense", "v1,", "v1", "v2,AAAA", "1790000000"] {
            let mut wrong = good();
            wrong.headers_mut().insert(header, nonsense.parse().unwrap());
            requests.push(wrong);
        }
    }
    let other = event.to_string().replace("Alma", "Anna");
    requests.push(good().map(|_| Full::new(other.into())));
    requests.push(good().map(|_| Full::default()));
    requests.push(good().map(|_| Full::new(bytes::Bytes::from_static(b"\xff\xfe\x00"))));
    for request in requests {
        let about = format!("{:?}", request.headers());
        assert_eq!(send(request).await, 401, "{about}");
    }
    assert_eq!(person.held().await, Held::default());
    assert_eq!(send(good()).await, 204, "and the same well signed is taken");
    assert_eq!(person.first_name().await, "Alma");
}

async fn what_is_signed_and_no_event_is_refused(person: &mut Person<'_>) {
    let url = &person.receiver.url;
    let event = person.event("name.changed", 1, named("Alma"));
    for body in ["", "{", "[]", "7", "{}", r#"{"specversion":"1.0","id":"ev_1"}"#] {
        let sign = |at: i64| standardwebhooks::Webhook::new(SECRET).unwrap().sign("ev_1", at, body.as_bytes()).unwrap();
        let mut request = signed(url, &[SECRET], &event, now()).map(|_| Full::new(body.into()));
        let at: i64 = request.headers()["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        request.headers_mut().insert("webhook-id", "ev_1".parse().unwrap());
        request.headers_mut().insert("webhook-signature", sign(at).parse().unwrap());
        assert_eq!(send(request).await, 400, "{body}");
    }
    for missing in ["/sequence", "/data"] {
        let mut broken = event.clone();
        broken.as_object_mut().unwrap().remove(&missing[1..]);
        assert_eq!(webhook::send(url, &[SECRET], &broken).await.status, 400, "{missing}");
    }
    assert_eq!(person.held().await, Held::default(), "nothing is half done");
    person.tell(&event).await;
}

async fn headers_that_nobody_signed_change_nothing(person: &mut Person<'_>) {
    let other = reference();
    let mut request = signed(&person.receiver.url, &[SECRET], &person.event("name.changed", 1, named("Alma")), now());
    for (name, value) in [
        ("ce-id", "ev_forged"),
        ("ce-specversion", "1.0"),
        ("ce-type", "dev.cpr-operator.scope.left"),
        ("ce-source", "/x/y"),
        ("ce-subject", other.as_str()),
        ("ce-sequence", "99999999999999999999"),
        ("ce-replayed", "true"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(send(request).await, 204);
    let held = person.held().await;
    assert_eq!((held.sequence, held.groups.len()), (Some(1), 1));
    assert_eq!(person.receiver.held(&other).await, Held::default());
}

async fn what_comes_twice_counts_once(person: &mut Person<'_>) {
    let first = person.event("name.changed", 1, named("Foerste"));
    let captured = signed(&person.receiver.url, &[SECRET], &first, now());
    assert_eq!(send(captured.clone()).await, 204);
    person.happen("name.changed", 2, named("Anden")).await;
    for _ in 0..2 {
        assert_eq!(send(captured.clone()).await, 204, "it was had: that is success");
    }
    person.tell(&first).await;
    assert_eq!((person.first_name().await, person.held().await.sequence), (json!("Anden"), Some(2)));
    let mut again = person.event("name.changed", 1, named("Foerste"));
    again["replayed"] = json!(true);
    person.tell(&again).await;
    person.happen("name.changed", 3, named("Tredje")).await;
    person.tell(&again).await;
    assert_eq!(person.first_name().await, "Tredje", "a replayed one counts once too");
}

async fn what_is_stale_is_dropped(person: &mut Person<'_>) {
    person.happen("name.changed", 10, named("Ny")).await;
    person.happen("name.changed", 9, named("Gammel")).await;
    person.happen("name.changed", 10, named("Gammel")).await;
    assert_eq!((person.first_name().await, person.held().await.sequence), (json!("Ny"), Some(10)));
    person.happen("scope.left", 8, json!({ "reason": "Moved" })).await;
    assert_eq!(person.first_name().await, "Ny");
}

async fn groups_are_replaced_as_a_whole(person: &mut Person<'_>) {
    let address = |content: Value| json!({ "fields": { "Address": content } });
    let (before, after) = (json!({ "roadName": "Gaden", "careOf": "Bo" }), json!({ "roadName": "Vejen" }));
    person.happen("moved.in", 1, address(before)).await;
    person.happen("name.changed", 2, named("Alma")).await;
    person.happen("moved.within", 3, address(after.clone())).await;
    let held = person.held().await;
    assert_eq!(held.groups["Address"], after, "nothing of the earlier address is left");
    assert_eq!(held.groups["Name"], json!({ "first": "Alma" }), "what was not said stays");
    person.happen("address.changed", 4, address(Value::Null)).await;
    assert_eq!(person.held().await.groups["Address"], Value::Null, "the register has none");
}

async fn what_is_withheld_is_deleted(person: &mut Person<'_>) {
    person.happen("moved.in", 1, everything()).await;
    let less = json!({ "withheld": ["Address", "Name"], "fields": { "Status": null } });
    person.happen("died", 2, less).await;
    let groups = person.groups().await;
    assert_eq!(groups.len(), FieldGroup::ALL.len() - 2);
    assert!(!groups.contains(&"Address".to_owned()) && !groups.contains(&"Name".to_owned()));
}

async fn protection_deletes_all_that_it_governs(person: &mut Person<'_>) {
    person.happen("moved.in", 1, everything()).await;
    person.happen("protection.started", 3, json!({})).await;
    let mut left: Vec<String> =
        FieldGroup::ALL.into_iter().filter(|group| !group.is_governed()).map(|group| group.name().to_owned()).collect();
    left.sort();
    assert_eq!(person.groups().await, left);
    person.happen("address.changed", 2, json!({ "fields": { "Address": { "roadName": "Prøvevej" } } })).await;
    assert_eq!(person.groups().await, left, "the earlier address does not come back");
}

async fn what_the_protection_still_leaves_is_kept(person: &mut Person<'_>) {
    person.happen("moved.in", 1, everything()).await;
    person.happen("protection.started", 2, named("Alma")).await;
    let held = person.held().await;
    assert!(held.groups.contains_key("Name") && !held.groups.contains_key("Address"), "{:?}", held.groups.keys());
}

async fn after_a_gap_the_person_is_in_doubt_until_a_snapshot(person: &mut Person<'_>) {
    person.happen("name.changed", 1, named("Alma")).await;
    let mut event = person.event("died", 3, json!({ "fields": { "Status": null } }));
    event["gapbefore"] = json!(true);
    person.tell(&event).await;
    assert!(person.held().await.gap);
    person.happen("name.changed", 4, named("Anna")).await;
    assert!(person.held().await.gap, "another event fills no hole");
    let mut old = person.event("snapshot", 2, named("Alma"));
    old["replayed"] = json!(true);
    person.tell(&old).await;
    assert!(person.held().await.gap, "nor does a snapshot from before it");
    person.happen("snapshot", 5, named("Anna")).await;
    assert!(!person.held().await.gap);
}

async fn a_snapshot_leaves_nothing_that_it_does_not_name(person: &mut Person<'_>) {
    person.happen("moved.in", 1, everything()).await;
    person.happen("snapshot", 2, named("Alma")).await;
    assert_eq!(person.groups().await, ["Name"]);
}

async fn what_is_replayed_is_processed_and_lowers_nothing(person: &mut Person<'_>) {
    let first = person.event("name.changed", 5, named("Foerste"));
    person.tell(&first).await;
    person.happen("name.changed", 7, named("Anden")).await;
    let mut again = person.event("name.changed", 5, named("Foerste"));
    (again["replayed"], again["replayof"]) = (json!(true), first["id"].clone());
    SCHEMAS.check(&again);
    person.tell(&again).await;
    assert_eq!((person.first_name().await, person.held().await.sequence), (json!("Foerste"), Some(7)));
    person.happen("name.changed", 6, named("Gammel")).await;
    assert_eq!(person.first_name().await, "Foerste", "what is below the last is still stale");
    person.happen("name.changed", 8, named("Ny")).await;
    assert_eq!((person.first_name().await, person.held().await.sequence), (json!("Ny"), Some(8)));
}

async fn who_has_left_is_forgotten_and_an_undoing_does_not_bring_them_back(person: &mut Person<'_>) {
    person.happen("scope.entered", 1, json!({ "reason": "Moved" })).await;
    person.happen("moved.in", 2, everything()).await;
    person.happen("scope.left", 3, json!({ "reason": "Inactive", "fields": { "Status": null } })).await;
    let nothing = |sequence| Held { sequence: Some(sequence), ..Held::default() };
    assert_eq!(person.held().await, nothing(3));
    for (at, kind) in ["death.annulled", "found", "returned"].into_iter().enumerate() {
        person.happen(kind, 4 + at as u64, named("Alma")).await;
    }
    assert_eq!(person.held().await, nothing(6));
    person.happen("scope.entered", 7, json!({ "reason": "Moved", "fields": { "Name": { "first": "Alma" } } })).await;
    assert_eq!(person.first_name().await, "Alma");
}

async fn who_is_covered_twice_stays_until_both_end(person: &mut Person<'_>) {
    let of = |subscriptions: &[&str], mut more: Value| {
        let ground = |name: &&str| json!({ "subscription": name, "purpose": "case-work" });
        more["grounds"] = subscriptions.iter().map(ground).collect();
        more
    };
    let (one, other) = (format!("one-{}", fresh()), format!("other-{}", fresh()));
    person.happen("name.changed", 1, of(&[&one, &other], named("Alma"))).await;
    person.happen("scope.left", 2, of(&[&one], json!({ "reason": "Moved" }))).await;
    assert_eq!((person.first_name().await, person.held().await.subscriptions.len()), (json!("Alma"), 1));
    person.happen("scope.left", 3, of(&[&other], json!({ "reason": "Moved" }))).await;
    assert_eq!(person.groups().await.len(), 0);
}

async fn an_ended_subscription_takes_its_persons_along(person: &mut Person<'_>) {
    person.happen("name.changed", 1, named("Alma")).await;
    let mut ended = person.any_event("subscription.ended", 0, json!({ "reason": "Deleted" }));
    for absent in ["subject", "partitionkey", "sequence"] {
        ended.as_object_mut().unwrap().remove(absent);
    }
    for absent in ["correction", "derivedFrom"] {
        ended["data"].as_object_mut().unwrap().remove(absent);
    }
    SCHEMAS.check(&ended);
    person.tell(&ended).await;
    assert_eq!(person.held().await, Held { sequence: Some(1), ..Held::default() });
}

async fn merged_references_become_one(person: &mut Person<'_>) {
    let earlier = std::mem::replace(&mut person.reference, reference());
    let survivor = std::mem::replace(&mut person.reference, earlier.clone());
    let elsewhere = format!("elsewhere-{}", fresh());
    let own = std::mem::replace(&mut person.subscription, elsewhere.clone());
    person.happen("name.changed", 1, named("Dobbelt")).await;
    (person.reference, person.subscription) = (survivor.clone(), own.clone());
    person.happen("name.changed", 2, named("Alma")).await;
    let merged = json!({ "fields": { "Name": { "first": "Alma" } }, "previous": { "reference": earlier } });
    person.happen("person.merged", 3, merged).await;
    assert_eq!(person.receiver.now_known_as(&earlier).await, Some(survivor.clone()));
    assert!(person.receiver.held(&earlier).await.groups.is_empty());
    assert_eq!(person.held().await.subscriptions, [elsewhere, own].into());
    assert_eq!(person.first_name().await, "Alma");
    person.reference = earlier.clone();
    person.happen("scope.entered", 4, json!({ "reason": "FirstSeen" })).await;
    assert_eq!(person.receiver.now_known_as(&earlier).await, None, "a merge can be undone");
    person.reference = survivor;
    assert_eq!(person.first_name().await, "Alma");
}

async fn what_is_not_known_yet_is_ignored(person: &mut Person<'_>) {
    let mut event = person.any_event("something.new", 1, named("Alma"));
    event["newattribute"] = json!("x");
    event["data"]["newMember"] = json!({ "of": ["any", 1, null] });
    event["data"]["fields"]["NewGroup"] = json!([{ "code": 1 }]);
    person.tell(&event).await;
    assert_eq!(person.first_name().await, "Alma");
    let mut nobody = person.any_event("something.else", 1, json!({}));
    nobody.as_object_mut().unwrap().remove("subject");
    person.tell(&nobody).await;
}

async fn what_was_answered_survives_the_process(person: &mut Person<'_>) {
    let event = person.event("name.changed", 1, named("Alma"));
    person.tell(&event).await;
    person.receiver.restart().await;
    assert_eq!(person.first_name().await, "Alma");
    person.happen("name.changed", 2, named("Anna")).await;
    person.tell(&event).await;
    assert_eq!(person.first_name().await, "Anna");
    let said = person.receiver.said();
    assert!(!said.contains(&person.reference) && !said.contains("Alma") && !said.contains(SECRET), "{said}");
}

async fn does_every_duty(language: &str) {
    let Some(kit) = Kit::get(language) else { return };
    let mut receiver = Running::start(kit, SECRET).await;
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let (reference, subscription) = (reference(), format!("citizens-{}", fresh()));
        let mut person = Person { receiver: &mut receiver, reference, subscription };
        let outcome = std::panic::AssertUnwindSafe(case(&mut person));
        if futures::FutureExt::catch_unwind(outcome).await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "the {language} receiver fails in {failed:?}: {}", receiver.said());
}

#[tokio::test]
async fn the_python_receiver_does_every_duty() {
    does_every_duty("python").await;
}

#[tokio::test]
async fn the_typescript_receiver_does_every_duty() {
    does_every_duty("typescript").await;
}

#[tokio::test]
async fn the_java_receiver_does_every_duty() {
    does_every_duty("java").await;
}
