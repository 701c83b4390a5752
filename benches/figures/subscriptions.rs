//! Ten thousand subscriptions: applied while the operator runs, beside as many bare status patches; then rest, restart, end.

use std::time::{Duration, Instant};

use anyhow::Context;
use cpr_operator::api::{crds, names};
use cpr_operator::runtime::clock::Clock;
use cpr_operator::simulate::consumer::{self as receiver, Consumer};
use cpr_operator::simulate::datafordeler::{self, Register};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::program::{PATIENCE, Program, until};
use super::site::Site;
use super::table::{Goal, Row};

/// Subscriptions, where the variable of this name says nothing else.
const SUBSCRIPTIONS: usize = 10_000;
/// Consumers that they are spread over.
const CONSUMERS: usize = 500;
/// Bare patches and applied subscriptions take turns so often.
const ROUNDS: usize = 5;
/// Requests at a time, for both sides; the operator's own default.
const CONCURRENCY: usize = 8;
/// How long rest is looked at.
const REST: Duration = Duration::from_secs(60);
/// A signing secret of nobody.
const SECRET: &str = "whsec_dHJpYWwtc2VjcmV0LW9mLWEtZmljdGl0aW91cy1zeXM=";
/// Credentials of nobody.
const CLIENT: &str = "figures";
const CLIENT_SECRET: &str = "figures-secret";
/// Municipalities that subscriptions select.
const MUNICIPALITIES: [&str; 8] = ["0851", "0751", "0461", "0101", "0147", "0561", "0621", "0630"];

/// Measures on the cluster of the kubeconfig; nothing where there is none.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    super::runtime()?.block_on(figures())
}

async fn figures() -> anyhow::Result<Vec<Row>> {
    if std::env::var_os("KUBECONFIG").is_none() {
        return Ok(vec![]);
    }
    let wanted = std::env::var("SUBSCRIPTIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(SUBSCRIPTIONS);
    let each = wanted.div_ceil(ROUNDS);
    let (ground, site) = (Ground::new().await?, Site::new().await?);
    let program = Program::start(&site, &settings(&ground)).await?;
    ground.base(CONSUMERS).await?;
    ground.apply(Kind::Subscription, "sample", subscription(0, CONSUMERS)).await?;
    ground.until_ready(&program, 1).await?;
    let status = ground.status_of_sample().await?;
    ground.create_bare(each).await?;

    let mut rows = took(&ground, &program, each, &status).await?;
    let memory = program.memory()?;
    rows.push(Row::new("subscriptions: resident memory", memory.resident, "MB", Goal::AtMost(150.0)));
    rows.push(Row::new("subscriptions: most resident", memory.highest, "MB", Goal::AtMost(150.0)));
    rows.extend(rest(&ground, &program).await?);
    rows.extend(restart(&ground, program, &site, each * ROUNDS + 1).await?);
    Ok(rows)
}

/// Bare patches and subscriptions in turn.
async fn took(ground: &Ground, program: &Program, each: usize, status: &Value) -> anyhow::Result<Vec<Row>> {
    let (mut bare, mut applying, mut ours, mut cpu) = (0.0, 0.0, 0.0, 0.0);
    for round in 0..ROUNDS {
        let began = Instant::now();
        ground.patch_bare(each, status, round).await?;
        bare += began.elapsed().as_secs_f64();
        let (began, spent) = (Instant::now(), program.cpu()?);
        ground.apply_subscriptions(round * each..(round + 1) * each).await?;
        applying += began.elapsed().as_secs_f64();
        let ended = ground.until_ready(program, (round + 1) * each + 1).await?;
        let took = ended.duration_since(began).as_secs_f64();
        ours += took;
        let spent = (program.cpu()? - spent).as_secs_f64();
        cpu += spent;
        tell(&format!("round {round}: bare {bare:.1} s in all, ours {took:.1} s, CPU {spent:.1} s"));
    }
    let count = each * ROUNDS;
    Ok(vec![
        Row::new(format!("subscriptions: {count} applied until all are Ready"), ours, "s", Goal::AtMost(60.0)),
        Row::known(format!("subscriptions: {count} bare status patches"), bare, "s"),
        Row::new("subscriptions: the one to the other", ours / bare, "", Goal::AtMost(2.0)),
        Row::known("subscriptions: of it until the last was applied", applying, "s"),
        Row::known("subscriptions: processor time for each", cpu * 1e3 / count as f64, "ms"),
    ])
}

/// What happens while nothing does.
async fn rest(ground: &Ground, program: &Program) -> anyhow::Result<Vec<Row>> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, writes) = (ground.versions().await?, program.api_writes().await?);
    let reconciles = program.metric("controller_runtime_reconcile_total", &[]).await?;
    let requests = program.metric("rest_client_requests_total", &[]).await?;
    let (cpu, renewals) = tokio::join!(program.cpu_percent(REST), ground.renewals(REST));
    let writes = program.api_writes().await? - writes - renewals?;
    let requests = program.metric("rest_client_requests_total", &[]).await? - requests;
    let reconciles = program.metric("controller_runtime_reconcile_total", &[]).await? - reconciles;
    let changed = ground.versions().await?.iter().zip(&before).filter(|(a, b)| a != b).count();
    Ok(vec![
        Row::new("subscriptions: at rest for 60 s: processor time", cpu?, "%", Goal::AtMost(2.0)),
        Row::new("subscriptions: at rest: API writes but the Lease's", writes.max(0.0), "", Goal::AtMost(0.0)),
        Row::new("subscriptions: at rest: objects changed", changed as f64, "", Goal::AtMost(0.0)),
        Row::new("subscriptions: at rest: API requests in a minute", requests, "", Goal::AtMost(60.0)),
        Row::known("subscriptions: at rest: reconciles", reconciles, ""),
    ])
}

/// A restart with all in place, and the end of all.
async fn restart(ground: &Ground, program: Program, site: &Site, count: usize) -> anyhow::Result<Vec<Row>> {
    program.stop().await?;
    let program = Program::start(site, &settings(ground)).await?;
    let began = Instant::now();
    let name = "controller_runtime_reconcile_total";
    until("looked at", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let looked = program.metric(name, &["cprsubscription", "success"]).await.unwrap_or(0.0);
        (looked >= count as f64).then_some(())
    })
    .await?;
    let settled = began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let writes = program.metric("cpr_operator_status_writes_total", &[]).await?;
    let (cpu, memory) = (program.cpu()?.as_secs_f64(), program.memory()?);

    let began = Instant::now();
    ground.delete(&ground.namespace).await?;
    until("ended", async || {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let live = "SELECT count(*) FROM subscription WHERE ended_at IS NULL OR deleted_at IS NULL";
        let left = site.count(live).await.ok()?;
        (left == 0).then_some(())
    })
    .await?;
    let ended = began.elapsed().as_secs_f64();
    let after = program.memory()?;
    program.stop().await?;
    ground.end().await?;
    Ok(vec![
        Row::known("subscriptions: restart, until all were looked at", settled, "s"),
        Row::known("subscriptions: restart, processor time until then", cpu, "s"),
        Row::new("subscriptions: restart, status writes", writes, "", Goal::AtMost(0.0)),
        Row::new("subscriptions: restart, most resident", memory.highest, "MB", Goal::AtMost(150.0)),
        Row::known("subscriptions: namespace deleted until all have ended", ended, "s"),
        Row::known("subscriptions: after that, most resident", after.highest, "MB"),
    ])
}

/// Settings of the program for this ground.
pub fn settings(ground: &Ground) -> Vec<String> {
    vec![
        format!("operator.namespaces=[\"{}\"]", ground.namespace),
        // Not in the namespace that is deleted in the end: without its Lease the program reconciles nothing.
        format!("operator.lease_namespace={}", ground.bare),
        "network.allowed_networks=[\"127.0.0.0/8\"]".to_owned(),
        "store.accept_local_root_key=true".to_owned(),
    ]
}

/// Kinds that are applied.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `CprSource`.
    Source,
    /// `ConsumerSystem`.
    Consumer,
    /// `CprSubscription`.
    Subscription,
}

impl Kind {
    fn resource(self) -> ApiResource {
        let kind = match self {
            Self::Source => "CprSource",
            Self::Consumer => "ConsumerSystem",
            Self::Subscription => "CprSubscription",
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk("cpr-operator.dev", "v1alpha1", kind))
    }
}

/// Two namespaces, a register and a receiver.
pub struct Ground {
    client: Client,
    register: Register,
    receiver: Consumer,
    namespace: String,
    bare: String,
}

impl Ground {
    /// A new one.
    pub async fn new() -> anyhow::Result<Self> {
        let client = Client::try_default().await?;
        install(&client).await?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let (namespace, bare) = (format!("figures-{}", &id[..8]), format!("bare-{}", &id[..8]));
        for name in [&namespace, &bare] {
            let made: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
            Api::all(client.clone()).create(&PostParams::default(), &made).await?;
        }
        let listen = "127.0.0.1:0".parse()?;
        let options = datafordeler::Options {
            client_id: CLIENT.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            ..datafordeler::Options::new(Clock::system(), 7)
        };
        let register = Register::start(options, listen).await?;
        register.load();
        let receiver = Consumer::start(receiver::Options { listen, secrets: vec![SECRET.to_owned()] }).await?;
        Ok(Self { client, register, receiver, namespace, bare })
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Lets so many people live in the register. Their numbers.
    pub fn settle(&self, count: usize) -> anyhow::Result<Vec<String>> {
        self.register.add_people(count)?;
        self.register.load();
        Ok(self.register.people().into_iter().map(|citizen| citizen.number).collect())
    }

    /// Where deliveries go.
    pub fn receiver_url(&self) -> String {
        self.receiver.url()
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
    }

    /// Applies a resource.
    pub async fn apply(&self, kind: Kind, name: &str, spec: Value) -> anyhow::Result<()> {
        self.apply_in(&self.namespace, kind, name, spec).await
    }

    async fn apply_in(&self, namespace: &str, kind: Kind, name: &str, spec: Value) -> anyhow::Result<()> {
        let resource = kind.resource();
        let body = json!({
            "apiVersion": resource.api_version, "kind": resource.kind, "metadata": { "name": name }, "spec": spec
        });
        let params = PatchParams::apply("a-platform-team").force();
        self.api(kind, namespace).patch(name, &params, &Patch::Apply(&body)).await?;
        Ok(())
    }

    /// Secrets, a source and so many consumers, with which all is well.
    pub async fn base(&self, consumers: usize) -> anyhow::Result<()> {
        let secrets = [
            ("client", "source", json!({ "clientId": CLIENT, "clientSecret": CLIENT_SECRET })),
            ("signing", "signing", json!({ "first": SECRET })),
        ];
        for (name, label, data) in secrets {
            let labels = json!({ "cpr-operator.dev/use": label });
            let body = json!({ "metadata": { "name": name, "labels": labels }, "stringData": data });
            let api: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(self.client.clone(), &self.namespace);
            api.create(&PostParams::default(), &serde_json::from_value(body)?).await?;
        }
        self.apply(Kind::Source, "register", source(&self.register.url())).await?;
        for at in 0..consumers {
            self.apply(Kind::Consumer, &format!("consumer-{at}"), consumer(&self.receiver_url())).await?;
        }
        self.until_consumers_ready().await?;
        until("the source", async || self.count_not_ready(Kind::Source).await.ok().filter(|left| *left == 0)).await?;
        Ok(())
    }

    /// Waits until every consumer is Ready.
    pub async fn until_consumers_ready(&self) -> anyhow::Result<()> {
        until("the consumers", async || {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.count_not_ready(Kind::Consumer).await.ok().filter(|left| *left == 0)
        })
        .await?;
        Ok(())
    }

    async fn count_not_ready(&self, kind: Kind) -> anyhow::Result<usize> {
        let all = self.api(kind, &self.namespace).list(&ListParams::default()).await?;
        Ok(all.items.iter().filter(|object| !is_ready(object)).count())
    }

    /// Waits until so many subscriptions are Ready, each for its generation. When that was.
    pub async fn until_ready(&self, program: &Program, count: usize) -> anyhow::Result<Instant> {
        let name = "cpr_operator_status_writes_total";
        loop {
            until("so many statuses", async || {
                let written = program.metric(name, &["cprsubscription"]).await.unwrap_or(0.0);
                (written >= count as f64).then_some(())
            })
            .await?;
            let now = Instant::now();
            let all = self.api(Kind::Subscription, &self.namespace).list(&ListParams::default()).await?;
            if all.items.len() == count && all.items.iter().all(is_ready) {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn status_of_sample(&self) -> anyhow::Result<Value> {
        let found = self.api(Kind::Subscription, &self.namespace).get("sample").await?;
        found.data.get("status").cloned().context("no status")
    }

    /// Subscriptions that nobody watches.
    async fn create_bare(&self, count: usize) -> anyhow::Result<()> {
        each(0..count, async |at| {
            self.apply_in(&self.bare, Kind::Subscription, &format!("s-{at}"), subscription(at, CONSUMERS)).await
        })
        .await
    }

    /// Writes the status of each of those, as the operator writes it.
    async fn patch_bare(&self, count: usize, status: &Value, round: usize) -> anyhow::Result<()> {
        let resource = Kind::Subscription.resource();
        let mut status = status.clone();
        status["subjects"] = json!(round);
        let api = self.api(Kind::Subscription, &self.bare);
        let params = PatchParams::apply(names::FIELD_MANAGER).force();
        each(0..count, async |at| {
            let name = format!("s-{at}");
            let body = json!({
                "apiVersion": resource.api_version, "kind": resource.kind,
                "metadata": { "name": name }, "status": status
            });
            api.patch_status(&name, &params, &Patch::Apply(&body)).await?;
            Ok(())
        })
        .await
    }

    async fn apply_subscriptions(&self, range: std::ops::Range<usize>) -> anyhow::Result<()> {
        each(range, async |at| {
            self.apply(Kind::Subscription, &format!("subscription-{at}"), subscription(at, CONSUMERS)).await
        })
        .await
    }

    /// Name and version of each object.
    async fn versions(&self) -> anyhow::Result<Vec<(String, Option<String>)>> {
        let mut found = Vec::new();
        for kind in [Kind::Source, Kind::Consumer, Kind::Subscription] {
            let all = self.api(kind, &self.namespace).list_metadata(&ListParams::default()).await?;
            found.extend(all.items.iter().map(|object| (object.name_any(), object.resource_version())));
        }
        Ok(found)
    }

    /// How often the Lease is written within `time`.
    async fn renewals(&self, time: Duration) -> anyhow::Result<f64> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.bare);
        let seen = watcher(api, watcher::Config::default()).applied_objects().take_until(tokio::time::sleep(time));
        // The first is the Lease as it stands.
        Ok((seen.filter(|seen| std::future::ready(seen.is_ok())).count().await as f64 - 1.0).max(0.0))
    }

    async fn delete(&self, namespace: &str) -> anyhow::Result<()> {
        Api::<Namespace>::all(self.client.clone()).delete(namespace, &DeleteParams::background()).await?;
        Ok(())
    }

    /// Asks for the end of both namespaces.
    pub async fn end(&self) -> anyhow::Result<()> {
        for namespace in [&self.namespace, &self.bare] {
            // Gone is as good.
            let _ = self.delete(namespace).await;
        }
        Ok(())
    }
}

async fn install(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in crds::all() {
        let name = crd.name_any();
        api.patch(&name, &PatchParams::apply(names::FIELD_MANAGER).force(), &Patch::Apply(&crd)).await?;
        let is_there = kube::runtime::conditions::is_crd_established();
        let wait = kube::runtime::wait::await_condition(api.clone(), &name, is_there);
        tokio::time::timeout(PATIENCE, wait).await.context("a definition is not established")??;
    }
    Ok(())
}

/// Does something for each, so many at a time.
async fn each(range: std::ops::Range<usize>, work: impl AsyncFn(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let work = &work;
    stream::iter(range.map(Ok)).try_for_each_concurrent(CONCURRENCY, |at| async move { work(at).await }).await
}

fn is_ready(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    let ready = conditions.and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
    ready.is_some_and(|c| c["status"] == "True" && c["observedGeneration"].as_i64() == object.metadata.generation)
}

fn source(register: &str) -> Value {
    json!({
        "environment": "Test",
        "datafordeler": {
            "endpoints": { "graphql": register, "auth": register }, "credentialsRef": { "name": "client" }
        },
    })
}

/// A consumer whose events go to `url`.
pub fn consumer(url: &str) -> Value {
    json!({
        "displayName": "Casework",
        "owner": { "organisation": "Sandkøbing Kommune", "cvr": "00000000", "contact": "it@example.org" },
        "sector": "Public", "environment": "Test",
        "purposes": [{ "id": "case-work", "legalBases": ["GDPR-6-1-e", "DBL-11-1"], "description": "Case work" }],
        "fields": ["Number", "Status", "Name", "Address", "Municipality", "CivilStatus", "Protection"],
        "protectedPersons": "Mask",
        "delivery": { "url": url, "signingSecretRef": { "name": "signing" } },
    })
}

/// The subscription with this number, of one of so many consumers.
pub fn subscription(at: usize, consumers: usize) -> Value {
    let review = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 200);
    json!({
        "sourceRef": { "name": "register" },
        "consumerRef": { "name": format!("consumer-{}", at % consumers) },
        "purpose": "case-work",
        "select": { "municipalities": [MUNICIPALITIES[at % MUNICIPALITIES.len()]] },
        "payload": { "level": "Fields", "fields": ["Number", "Status", "Name", "Address"] },
        "reviewBy": review.strftime("%Y-%m-%d").to_string(),
    })
}

#[expect(clippy::print_stderr, reason = "a benchmark speaks to people")]
fn tell(text: &str) {
    eprintln!("{text}");
}
