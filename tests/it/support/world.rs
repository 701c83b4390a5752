//! A world for a journey: a register, a consumer, a namespace, database files of its own, and the real program.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cpr_operator::runtime::clock::Clock;
use cpr_operator::simulate::consumer::{self, Consumer, Received};
use cpr_operator::simulate::datafordeler::{self, Register};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::cluster::{self, TestNamespace};
use super::published::AsPublished;
use super::wire::Wire;

/// A signing secret of nobody.
pub const SECRET: &str = "whsec_dHJpYWwtc2VjcmV0LW9mLWEtZmljdGl0aW91cy1zeXM=";

/// How long anything may take that a test waits for; a bound for failing, never a measure.
const PATIENCE: Duration = Duration::from_secs(90);

/// The world.
pub struct World {
    pub client: Client,
    pub namespace: TestNamespace,
    pub register: Register,
    pub consumer: Consumer,
    pub settings: Vec<String>,
    /// A program that starts the program, and its arguments.
    pub through: Vec<String>,
    /// What is set in the environment of the processes that are started from now on.
    pub variables: Vec<(&'static str, String)>,
    /// Kubeconfig of the program, where it is not the test's own.
    pub kubeconfig: Option<PathBuf>,
    /// Every delivery is held against the schemas.
    published: AsPublished,
    /// Where the wire to the database begins, if there is one.
    wired: Option<std::net::SocketAddr>,
    folder: TempDir,
    process: Mutex<Option<Child>>,
    starts: u32,
}

impl World {
    /// A world in which nothing runs yet but register and consumer.
    pub async fn new(prefix: &str) -> Self {
        Self::seeded(prefix, 7).await
    }

    /// Such a world, in whose register all chance follows from a seed.
    pub async fn seeded(prefix: &str, seed: u64) -> Self {
        let client = cluster::cluster().await;
        let namespace = cluster::namespace(&client, prefix).await;
        let options = datafordeler::Options::new(Clock::system(), seed);
        let register = Register::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let consumer = Consumer::start(consumer::Options { listen, secrets: vec![SECRET.to_owned()] }).await.unwrap();
        let published = AsPublished::at(&consumer);
        let folder = TempDir::new().unwrap();
        let mut settings = vec!["network.allowed_networks=[\"127.0.0.0/8\"]".to_owned()];
        let database = super::database::settings(folder.path()).await;
        settings.extend(database.url_file.map(|file| format!("database.url_file={}", file.display())));
        Self {
            client,
            namespace,
            register,
            consumer,
            settings,
            through: vec![],
            variables: vec![],
            kubeconfig: None,
            published,
            wired: None,
            folder,
            process: Mutex::new(None),
            starts: 0,
        }
    }

    /// The same on SQLite files, whatever the other tests run on.
    pub fn on_sqlite(mut self) -> Self {
        self.settings.retain(|setting| !setting.starts_with("database."));
        self
    }

    /// Folder of the databases.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that the program has logged so far.
    pub fn log(&self) -> String {
        let files = (1..=self.starts).map(|start| self.folder.path().join(format!("log-{start}")));
        files.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// Starts a process of its own that plays one role, such as `ingest --source a/b`. All of them share the world's
    /// PostgreSQL database and root key.
    pub async fn spawn(&mut self, role: &[&str], name: &str) -> Child {
        let database = self.login(role[0]).await;
        self.spawn_at(&database, role, name)
    }

    /// The same with the file of its login.
    pub fn spawn_at(&mut self, database: &Path, role: &[&str], name: &str) -> Child {
        let root_key = self.root_key();
        let data = self.folder.path().join(name);
        let mut command = self.play(role, &data);
        for pair in
            [format!("database.url_file={}", database.display()), format!("store.root_key_file={}", root_key.display())]
        {
            command.args(["--set", &pair]);
        }
        command.spawn().unwrap()
    }

    /// File with the address by which a role logs in to the database that the processes share.
    pub async fn login(&self, role: &str) -> PathBuf {
        let database = super::logins::address(self.folder.path(), role).await;
        if let Some(wire) = self.wired {
            let mut url: url::Url = std::fs::read_to_string(&database).unwrap().parse().unwrap();
            url.set_port(Some(wire.port())).unwrap();
            std::fs::write(&database, url.as_str()).unwrap();
        }
        database
    }

    /// File of the root key that they share.
    pub fn root_key(&self) -> PathBuf {
        self.folder.path().join("keys.root")
    }

    /// Makes that root key before any process does.
    pub fn make_root_key(&self) {
        let bytes = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
        std::fs::write(self.root_key(), BASE64_STANDARD.encode(bytes)).unwrap();
    }

    /// From now on processes that are spawned reach the database by a wire of their own.
    pub async fn wire_to_database(&mut self) -> Wire {
        let file = super::database::on_postgres(self.folder.path()).await.url_file.expect("it is on a server");
        let url: url::Url = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let wire = Wire::to(format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())).await;
        self.wired = Some(wire.address());
        wire
    }

    /// The folder from which workers take their secrets; they are what the operator would hand them.
    pub fn hand_secrets(&self) -> PathBuf {
        let folder = self.folder.path().join("secrets");
        std::fs::create_dir_all(&folder).unwrap();
        let namespace = self.namespace.name();
        let credentials = json!({ "clientId": "simulated-client", "clientSecret": "simulated-secret" });
        for (name, content) in [("register", credentials), ("casework", json!({ "signing": [SECRET] }))] {
            std::fs::write(folder.join(format!("{namespace}_{name}.json")), content.to_string()).unwrap();
        }
        folder
    }

    fn command(&mut self, data: &Path) -> Command {
        self.play(&["all"], data)
    }

    fn play(&mut self, role: &[&str], data: &Path) -> Command {
        self.starts += 1;
        let log = std::fs::File::create(self.folder.path().join(format!("log-{}", self.starts))).unwrap();
        let namespace = self.namespace.name();
        let program = env!("CARGO_BIN_EXE_cpr-operator").to_owned();
        let mut words = self.through.iter().chain([&program]);
        let mut command = Command::new(words.next().expect("the program at least"));
        command.args(words);
        command.args(role).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let mut set = vec![
            format!("store.path={}", data.display()),
            format!("operator.namespaces=[\"{namespace}\"]"),
            format!("operator.lease_namespace={namespace}"),
            "operator.lease_duration=3s".to_owned(),
            "http.listen=127.0.0.1:0".to_owned(),
            "log.filter=info,cpr_operator=debug".to_owned(),
        ];
        set.extend(self.settings.clone());
        command.envs(self.variables.iter().cloned());
        if let Some(path) = &self.kubeconfig {
            command.env("KUBECONFIG", path);
        }
        set.iter().for_each(|pair| {
            command.args(["--set", pair]);
        });
        command
    }

    /// Starts the program.
    pub fn start(&mut self) {
        let data = self.data();
        let child = self.command(&data).spawn().unwrap();
        *self.process.lock().unwrap() = Some(child);
    }

    /// Starts a second program on the same files and gives its exit status and what it said.
    pub async fn start_second(&mut self) -> (Option<i32>, String) {
        let data = self.data();
        let status = self.command(&data).status().await.unwrap();
        let said = std::fs::read_to_string(self.folder.path().join(format!("log-{}", self.starts))).unwrap();
        (status.code(), said)
    }

    /// The program's process.
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().and_then(Child::id).expect("the program runs")
    }

    /// Sets one of the program's limits while it runs, as `prlimit` writes it.
    pub async fn limit(&self, limit: &str) {
        let pid = self.pid().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, limit]).status().await.unwrap();
        assert!(set.success(), "{limit}");
    }

    /// Sends the program a signal, such as `STOP`.
    pub async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().await.unwrap().success(), "{name}");
    }

    /// Ends the program without warning, as `kill -9` does.
    pub async fn kill(&mut self) {
        let mut process = self.process.lock().unwrap().take().expect("the program runs");
        process.kill().await.unwrap();
    }

    /// What the program answers over HTTP, at the address that its log tells: status and body. Of several that of the last.
    pub async fn ask(&self, path: &str) -> (u16, String) {
        self.ask_at(self.starts, path).await
    }

    /// The same of the process that was started as this one, counted from 1.
    pub async fn ask_at(&self, start: u32, path: &str) -> (u16, String) {
        let address = self.until("the address", async || self.address(start)).await.expect("the address is logged");
        let client: hyper_util::client::legacy::Client<_, http_body_util::Empty<bytes::Bytes>> =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let answer = client.get(format!("http://{address}{path}").parse().unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn address(&self, start: u32) -> Option<String> {
        let log = std::fs::read_to_string(self.folder.path().join(format!("log-{start}"))).ok()?;
        let line = log.lines().rfind(|line| line.contains("probes and metrics"))?;
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["address"].as_str()?.to_owned())
    }

    /// Asks the program to end and waits until it has.
    pub async fn stop(&mut self) {
        self.signal("TERM").await;
        let mut process = self.process.lock().unwrap().take().expect("the program runs");
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await.expect("it ends when asked");
        assert!(ended.unwrap().success(), "{}", self.log());
    }

    /// Runs a command against the running program, with what it reads on standard input.
    pub async fn tool(&self, arguments: &[&str], input: &str) -> Said {
        self.tool_at(&self.data(), arguments, input).await
    }

    /// The same against the process that has this folder.
    pub async fn tool_at(&self, data: &Path, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
        command.args(arguments).arg("--set").arg(format!("store.path={}", data.display())).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that reads nothing closes it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let gvk = match kind {
            "Secret" | "ConfigMap" | "Event" => GroupVersionKind::gvk("", "v1", kind),
            _ => GroupVersionKind::gvk("cpr-operator.dev", "v1alpha1", kind),
        };
        Api::namespaced_with(self.client.clone(), self.namespace.name(), &ApiResource::from_gvk(&gvk))
    }

    /// Applies a manifest.
    pub async fn apply(&self, manifest: Value) {
        let kind = manifest["kind"].as_str().unwrap();
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let params = PatchParams::apply("a-platform-team").force();
        self.api(kind).patch(name, &params, &Patch::Apply(&manifest)).await.expect("the manifest is accepted");
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// An object as it is now.
    pub async fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::to_value(self.api(kind).get(name).await.unwrap()).unwrap()
    }

    /// All objects of a kind, as one text.
    pub async fn dump(&self, kind: &str) -> String {
        serde_json::to_string(&self.api(kind).list(&Default::default()).await.unwrap()).unwrap()
    }

    /// A condition of a resource.
    pub async fn condition(&self, kind: &str, name: &str, type_: &str) -> Option<Condition> {
        let object = self.get(kind, name).await;
        let conditions: Vec<Condition> =
            serde_json::from_value(object["status"]["conditions"].clone()).unwrap_or_default();
        conditions.into_iter().find(|condition| condition.type_ == type_)
    }

    /// Waits until a condition has this status, and this reason where one is given.
    pub async fn until_condition(
        &self,
        kind: &str,
        name: &str,
        type_: &str,
        status: &str,
        reason: Option<&str>,
    ) -> Condition {
        let what = format!("{kind} {name}: {type_}={status} {}", reason.unwrap_or_default());
        let wanted = |condition: &Condition| {
            condition.status == status && reason.is_none_or(|reason| condition.reason == reason)
        };
        let found = self.until(&what, async || self.condition(kind, name, type_).await.filter(wanted)).await;
        match found {
            Some(found) => found,
            None => panic!("{what} never came; {:#}\n{}", self.get(kind, name).await["status"], self.log()),
        }
    }

    /// Whether the program was started and has ended by itself.
    pub fn has_ended(&self) -> bool {
        let mut process = self.process.lock().unwrap();
        process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some())
    }

    /// Asks again and again until there is an answer; none when patience ends.
    pub async fn until<T>(&self, _what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(answer) = ask().await {
                return Some(answer);
            }
            if self.has_ended() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// Waits until an accepted delivery fits.
    pub async fn until_received(&self, what: &str, fits: impl Fn(&Received) -> bool) -> Received {
        let found =
            self.until(what, async || self.consumer.received().into_iter().find(|one| one.accepted && fits(one))).await;
        self.published.check();
        found.unwrap_or_else(|| panic!("{what} never arrived; arrived: {:?}\n{}", self.kinds(), self.log()))
    }

    /// The kinds of all accepted deliveries, in the order of arrival.
    pub fn kinds(&self) -> Vec<String> {
        self.consumer.received().into_iter().filter(|one| one.accepted).map(|one| one.kind).collect()
    }

    /// The Secrets and the three manifests of a small installation: Aalborg, everything granted that samples show.
    pub async fn install(&self) {
        self.apply_secrets().await;
        self.apply(self.source()).await;
        self.apply(self.consumer_system("casework")).await;
        self.apply(self.subscription("citizens", "casework")).await;
    }

    /// Waits until the three work.
    pub async fn until_ready(&self) {
        self.until_condition("CprSource", "register", "Ready", "True", None).await;
        self.until_condition("ConsumerSystem", "casework", "Ready", "True", None).await;
        self.until_condition("CprSubscription", "citizens", "Ready", "True", None).await;
    }

    /// Asks that the source be read now; each `wish` is another.
    pub async fn ask_to_read(&self, wish: usize) {
        let mut source = self.source();
        source["metadata"]["annotations"] = json!({ "cpr-operator.dev/reconcile-at": wish.to_string() });
        self.apply(source).await;
    }

    /// The Secrets that the manifests name.
    pub async fn apply_secrets(&self) {
        self.apply(secret(
            "register",
            "source",
            json!({ "clientId": "simulated-client", "clientSecret": "simulated-secret" }),
        ))
        .await;
        self.apply(secret("signing", "signing", json!({ "first": SECRET }))).await;
    }

    /// A source that reads the register.
    pub fn source(&self) -> Value {
        json!({
            "apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSource", "metadata": { "name": "register" },
            "spec": {
                "environment": "Test",
                "datafordeler": {
                    "endpoints": { "graphql": self.register.url(), "auth": self.register.url() },
                    "credentialsRef": { "name": "register" },
                },
                "events": { "pollInterval": "1s", "calendar": "Daily" },
            },
        })
    }

    /// A consumer that receives at the world's receiver.
    pub fn consumer_system(&self, name: &str) -> Value {
        json!({
            "apiVersion": "cpr-operator.dev/v1alpha1", "kind": "ConsumerSystem", "metadata": { "name": name },
            "spec": {
                "displayName": "Casework",
                "owner": { "organisation": "Sandkøbing Kommune", "cvr": "00000000", "contact": "it@example.org" },
                "sector": "Public",
                "environment": "Test",
                "purposes": [{ "id": "case-work", "legalBases": ["GDPR-6-1-e"], "description": "Case work" }],
                "fields": ["Number", "Status", "Name", "Address", "Municipality", "Protection"],
                "protectedPersons": "Mask",
                "delivery": {
                    "url": self.consumer.url(),
                    "signingSecretRef": { "name": "signing" },
                    "timeout": "2s",
                    "retry": { "initial": "1s", "max": "5s", "giveUpAfter": "1h" },
                },
            },
        })
    }

    /// A subscription of the consumer to Aalborg.
    pub fn subscription(&self, name: &str, consumer: &str) -> Value {
        let review = jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(200));
        json!({
            "apiVersion": "cpr-operator.dev/v1alpha1", "kind": "CprSubscription", "metadata": { "name": name },
            "spec": {
                "sourceRef": { "name": "register" },
                "consumerRef": { "name": consumer },
                "purpose": "case-work",
                "select": { "municipalities": ["0851"] },
                "payload": { "level": "Fields", "fields": ["Number", "Status", "Name", "Address", "Municipality"] },
                "reviewBy": review.to_string(),
            },
        })
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// What a command said that ended well and was asked for JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A labelled Secret.
pub fn secret(name: &str, use_: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "labels": { "cpr-operator.dev/use": use_ } },
        "stringData": data,
    })
}
