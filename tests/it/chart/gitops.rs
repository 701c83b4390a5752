//! How Argo CD and Flux judge our resources, by their own machines, which `make build/gitops` builds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use cpr_operator::api::crds;
use serde_json::{Value, json};

use super::helm::root;
use crate::support::world::World;

/// What is said of an object: by Argo CD, by Flux with our expressions, and by kstatus without.
type Verdict = [&'static str; 3];

/// What each says of some objects, with Argo CD's message.
fn judged(objects: &[Value]) -> Vec<([String; 3], String)> {
    let mut command = Command::new(root().join("build/gitops"));
    command.args(["docs/gitops/argocd-health.lua", "docs/gitops/flux-kustomization.yaml"]).current_dir(root());
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("build/gitops is there: `make test` builds it");
    let input: String = objects.iter().map(Value::to_string).collect();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let read = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        (["argo", "flux", "kstatus"].map(text), text("message"))
    };
    lines.lines().map(read).collect()
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    let message = format!("about {reason}");
    json!({ "type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": 2 })
}

/// A resource in its second generation with these conditions.
fn resource(kind: &str, suspend: bool, observed: u64, conditions: &[Value]) -> Value {
    json!({
        "apiVersion": "cpr-operator.dev/v1alpha1", "kind": kind,
        "metadata": { "name": "a", "namespace": "b", "generation": 2 },
        "spec": { "suspend": suspend },
        "status": { "observedGeneration": observed, "conditions": conditions },
    })
}

/// What a status says, and what is made of it.
fn cases(kind: &str) -> Vec<(&'static str, Value, Verdict, &'static str)> {
    let of = |suspend, observed, conditions: &[Value]| resource(kind, suspend, observed, conditions);
    let waits = condition("Reconciling", "True", "a");
    let stalled = condition("Stalled", "True", "InvalidSpec");
    let ready = |status, reason| condition("Ready", status, reason);
    let mut fresh = of(false, 2, &[]);
    fresh.as_object_mut().unwrap().remove("status");
    vec![
        ("new", fresh, ["Progressing", "Unknown", "Current"], "The operator has not looked at it yet."),
        (
            "changed",
            of(false, 1, &[ready("True", "Succeeded")]),
            ["Progressing", "InProgress", "InProgress"],
            "The operator has not looked at the last change yet.",
        ),
        ("well", of(false, 2, &[ready("True", "Succeeded")]), ["Healthy", "Current", "Current"], "about Succeeded"),
        (
            "not judged",
            of(false, 2, &[condition("Reachable", "True", "Reached")]),
            ["Progressing", "InProgress", "Current"],
            "The operator has not judged it yet.",
        ),
        (
            "not known",
            of(false, 2, &[ready("Unknown", "NotRead"), waits.clone()]),
            ["Progressing", "InProgress", "InProgress"],
            "about NotRead",
        ),
        (
            "waits for another object",
            of(false, 2, &[ready("False", "SecretNotFound"), waits.clone()]),
            ["Progressing", "InProgress", "InProgress"],
            "about SecretNotFound",
        ),
        (
            "waits for a person",
            of(false, 2, &[ready("False", "CredentialsWrong"), waits]),
            ["Degraded", "InProgress", "InProgress"],
            "about CredentialsWrong",
        ),
        (
            "cannot work",
            of(false, 2, &[ready("False", "InvalidSpec"), stalled.clone()]),
            ["Degraded", "Failed", "Failed"],
            "about InvalidSpec",
        ),
        (
            "suspended",
            of(true, 2, &[ready("False", "Suspended")]),
            ["Suspended", "Current", "InProgress"],
            "spec.suspend is true.",
        ),
        (
            "suspended and wrong",
            of(true, 2, &[ready("False", "InvalidSpec"), stalled]),
            ["Degraded", "Failed", "Failed"],
            "about InvalidSpec",
        ),
    ]
}

#[test]
fn every_state_of_every_kind_is_judged_as_it_is() {
    for crd in crds::all() {
        let kind = crd.spec.names.kind;
        let cases = cases(&kind);
        let objects: Vec<_> = cases.iter().map(|(_, object, ..)| object.clone()).collect();
        let judged = judged(&objects);
        assert_eq!(judged.len(), cases.len());
        for ((what, _, expected, message), (said, with)) in cases.iter().zip(judged) {
            assert_eq!((said.each_ref().map(String::as_str), with.as_str()), (*expected, *message), "{kind}: {what}");
        }
    }
}

#[test]
fn reasons_that_pass_are_reasons_of_ours() {
    let script = fs::read_to_string(root().join("docs/gitops/argocd-health.lua")).unwrap();
    let known = fs::read_to_string(root().join("docs/conditions.md")).unwrap();
    let reasons: Vec<_> = script.split(" = true").filter_map(|before| before.split([' ', '\n']).next_back()).collect();
    assert!(reasons.len() > 10);
    for reason in reasons.iter().take(reasons.len() - 1) {
        assert!(known.contains(&format!("`{reason}`")), "docs/conditions.md has no {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_writes_is_judged_as_it_is() {
    let mut world = World::new("gitops").await.on_sqlite();
    world.install().await;
    let kinds = [("CprSource", "register"), ("ConsumerSystem", "casework"), ("CprSubscription", "citizens")];
    assert_verdict(&world, kinds[1], ["Progressing", "Unknown", "Current"]).await;
    world.start();
    world.until_ready().await;
    for kind in kinds {
        assert_verdict(&world, kind, ["Healthy", "Current", "Current"]).await;
    }

    let mut consumer = world.consumer_system("casework");
    consumer["spec"]["suspend"] = json!(true);
    world.apply(consumer).await;
    world.until_condition("ConsumerSystem", "casework", "Ready", "False", Some("Suspended")).await;
    assert_verdict(&world, kinds[1], ["Suspended", "Current", "InProgress"]).await;

    let mut subscription = world.subscription("citizens", "casework");
    subscription["spec"]["reviewBy"] = json!("2099-01-01");
    world.apply(subscription).await;
    world.until_condition("CprSubscription", "citizens", "Stalled", "True", Some("ReviewTooLate")).await;
    assert_verdict(&world, kinds[2], ["Degraded", "Failed", "Failed"]).await;

    world.delete("Secret", "register").await;
    world.until_condition("CprSource", "register", "Ready", "False", Some("SecretNotFound")).await;
    assert_verdict(&world, kinds[0], ["Progressing", "InProgress", "InProgress"]).await;
    world.stop().await;
}

async fn assert_verdict(world: &World, (kind, name): (&str, &str), expected: Verdict) {
    let object = world.get(kind, name).await;
    let (said, _) = judged(std::slice::from_ref(&object)).remove(0);
    assert_eq!(said.each_ref().map(String::as_str), expected, "{kind} {}", object["status"]);
}
