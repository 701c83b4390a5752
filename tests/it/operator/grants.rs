//! Grants of a source to another namespace, both watched side by side.
#![expect(clippy::unwrap_used, reason = "tests")]

use cpr_operator::api::consumer::ConsumerSystem;
use cpr_operator::api::source::CprSource;
use cpr_operator::api::subscription::CprSubscription;
use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::domain::grant::Grant;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::store::{self, audit_entry};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::steered::{Steered, WHSEC, consumer, source, subscription, within_patience};
use crate::support::cluster::{self, TestNamespace};

/// A tenant with a consumer, and the namespace of the source that it wants.
struct Neighbours {
    tenant: Steered,
    authority: TestNamespace,
}

impl Neighbours {
    async fn new() -> Self {
        let mut tenant = Steered::new().await;
        tenant.stop().await;
        let authority = cluster::namespace(&tenant.client, "authority").await;
        tenant.context.settings.namespaces.push(authority.name().to_owned());
        tenant.start();
        tenant.secret("signing", Some("signing"), json!({"a": WHSEC})).await;
        let mut system = consumer(&["Number", "Name", "Status"]);
        system["delivery"]["url"] = json!("http://localhost:1/events");
        tenant.apply::<ConsumerSystem>("sample", system).await;
        Self { tenant, authority }
    }

    fn sources(&self) -> Api<CprSource> {
        Api::namespaced(self.tenant.client.clone(), self.authority.name())
    }

    /// The source, with these grants to the tenant's namespace.
    async fn grant(&self, grants: Value) {
        let mut spec = source();
        spec["grants"] = grants;
        let body = json!({"apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSource", "metadata": {"name": "register"}, "spec": spec});
        let apply = PatchParams::apply("test").force();
        self.sources().patch("register", &apply, &Patch::Apply(&body)).await.unwrap();
    }

    /// The smallest grant to the tenant, with members replaced.
    fn to_tenant(&self, replaced: &[(&str, Value)]) -> Value {
        let mut grant = json!({
            "namespace": self.tenant.namespace(), "sector": "Public", "fields": ["Number", "Name", "Status"],
            "municipalities": ["0851"], "protectedPersons": "Mask", "hosts": ["localhost"],
        });
        replaced.iter().for_each(|(name, value)| grant[*name] = value.clone());
        grant
    }

    async fn subscribe(&self, name: &str, to: &str) {
        let mut spec = subscription(&self.tenant.day(100));
        spec["sourceRef"] = json!({"name": to, "namespace": self.authority.name()});
        self.tenant.apply::<CprSubscription>(name, spec).await;
    }

    async fn until(&self, expected: &str) -> String {
        self.tenant.until::<CprSubscription>("clients", "ReferencesResolved", expected).await
    }

    /// What the source's row grants, once it is as asked for.
    async fn until_row(&self, wanted: impl Fn(&[Grant]) -> bool) {
        let key = ResourceKey::new(self.authority.name(), "register");
        let found = within_patience(async || {
            let mut conn = self.tenant.context.store.main.read().await.unwrap();
            let row = store::source::find(&mut conn, &key).await.unwrap()?;
            wanted(&row.compiled?.grants).then_some(())
        });
        assert!(found.await.is_some(), "the row never grants that");
    }

    async fn covers_nobody(&self) -> bool {
        let form = self.tenant.compiled("clients").await.unwrap();
        form.covers_nobody() && form.granted == GroupSet::EMPTY
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_wakes_the_subscriptions_of_its_namespace_and_each_change_of_it_is_followed() {
    let mut world = Neighbours::new().await;
    world.subscribe("clients", "register").await;
    let said = world.until("False NotGranted").await;
    assert!(said.contains("ask those who own namespace"), "{said}");
    world.grant(json!([])).await;
    world.until_row(<[Grant]>::is_empty).await;
    assert_eq!(world.until("False NotGranted").await, said, "that there is a source now is not said");
    assert!(world.tenant.compiled("clients").await.is_none());

    world.grant(json!([world.to_tenant(&[])])).await;
    world.until("True Resolved").await;
    let whole = world.tenant.compiled("clients").await.unwrap();
    assert!(!whole.covers_nobody() && whole.granted.contains(FieldGroup::Name));

    world.grant(json!([world.to_tenant(&[("fields", json!(["Status"]))])])).await;
    let said = world.until("False FieldsNotGranted").await;
    assert!(said.contains("Name") && said.contains("have them granted"), "{said}");
    assert_eq!(world.tenant.compiled("clients").await.unwrap().granted, GroupSet::of(&[FieldGroup::Status]));

    world.grant(json!([world.to_tenant(&[("hosts", json!(["*.example.org"]))])])).await;
    world.until("False HostNotGranted").await;
    assert!(world.covers_nobody().await);
    world.grant(json!([world.to_tenant(&[])])).await;
    world.until("True Resolved").await;
    assert_eq!(world.tenant.compiled("clients").await.unwrap(), whole);

    world.sources().delete("register", &DeleteParams::default()).await.unwrap();
    world.until("False NotGranted").await;
    assert!(world.covers_nobody().await);
    world.tenant.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_granted_and_one_that_is_not_there_are_answered_alike() {
    let mut world = Neighbours::new().await;
    world.grant(json!([])).await;
    world.until_row(<[Grant]>::is_empty).await;
    let mut answers = Vec::new();
    for (name, of) in [("one", "register"), ("two", "nothing1")] {
        world.subscribe(name, of).await;
        world.tenant.until::<CprSubscription>(name, "Ready", "False NotGranted").await;
        let object = world.tenant.api::<CprSubscription>().get(name).await.unwrap();
        let mut status = serde_json::to_value(object.status).unwrap();
        for condition in status["conditions"].as_array_mut().unwrap() {
            condition["lastTransitionTime"].take();
        }
        let said = status.to_string();
        answers.push(said.replace(&format!("/{of} "), "/… ").replace(&format!("CprSource {of} "), "CprSource … "));
    }
    assert_eq!(answers[0], answers[1]);
    let mut spec = subscription(&world.tenant.day(100));
    spec["sourceRef"] = json!({"name": "register", "namespace": "nobody-watches-this"});
    world.tenant.apply::<CprSubscription>("three", spec).await;
    world.tenant.until::<CprSubscription>("three", "Ready", "False NotGranted").await;
    world.tenant.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_contradicts_itself_grants_nothing_and_what_it_granted_is_recorded() {
    let mut world = Neighbours::new().await;
    world.grant(json!([world.to_tenant(&[])])).await;
    world.subscribe("clients", "register").await;
    world.until("True Resolved").await;
    let own = world.to_tenant(&[("namespace", json!(world.authority.name()))]);
    world.grant(json!([world.to_tenant(&[]), own])).await;
    world.until_row(<[Grant]>::is_empty).await;
    world.until("False NotGranted").await;
    let status = serde_json::to_value(world.sources().get("register").await.unwrap().status).unwrap();
    let told = within_patience(async || {
        let source = serde_json::to_value(world.sources().get("register").await.unwrap().status).unwrap();
        source.to_string().contains("is the source's own namespace and needs none").then_some(())
    });
    assert!(told.await.is_some(), "{status:#}");

    let mut conn = world.tenant.context.store.main.read().await.unwrap();
    let entries = audit_entry::read(&mut conn, 0, 10_000).await.unwrap();
    drop(conn);
    let entries: Vec<Value> = entries.iter().map(|entry| serde_json::from_slice(&entry.public).unwrap()).collect();
    let of_source: Vec<&Value> = entries.iter().filter(|e| e["resource"]["kind"] == "CprSource").collect();
    let first = of_source[0]["grants"][0].as_str().unwrap();
    for part in
        [world.tenant.namespace(), "sector=Public", "fields=Name,Number,Status", "places=0851", "hosts=localhost"]
    {
        assert!(first.contains(part), "{first}");
    }
    assert!(of_source[1].get("grants").is_none(), "{of_source:?}");
    assert!(entries.iter().any(|e| e["type"] == "refusal" && e["class"] == "NotGranted"));
    world.tenant.stop().await;
}
