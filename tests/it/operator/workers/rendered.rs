//! A worker run as it was rendered: the command of its pod template with its arguments, its variables and what it mounts, on this
//! machine, so that an event passes through exactly what the operator made.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;

use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::operator::workers::names::{self, Role};
use cpr_operator::simulate::consumer::Received;
use cpr_operator::store::postgres;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret, Volume};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::cluster::{self, TestNamespace};
use crate::support::server::Server;
use crate::support::world::{SECRET, World, secret};

/// A pod without a node: files in a folder stand for what it mounts.
struct LocalPod {
    folder: TempDir,
    spec: PodSpec,
}

impl LocalPod {
    /// One of a Deployment's pods.
    async fn new(client: &Client, namespace: &str, deployment: &Deployment) -> Self {
        let spec = deployment.spec.template.spec.clone().unwrap();
        let pod = Self { folder: TempDir::new().unwrap(), spec };
        pod.sync(client, namespace).await;
        pod
    }

    /// Writes what is mounted as it is now, as the kubelet does.
    async fn sync(&self, client: &Client, namespace: &str) {
        for mount in self.spec.containers[0].volume_mounts.iter().flatten() {
            let volume = self.spec.volumes.iter().flatten().find(|volume| volume.name == mount.name).unwrap();
            let folder = self.place(&mount.mount_path);
            std::fs::create_dir_all(&folder).unwrap();
            for (name, content) in files(client, namespace, volume).await {
                std::fs::write(folder.join(name), self.here(&String::from_utf8(content).unwrap())).unwrap();
            }
        }
    }

    /// Where something of the pod lies on this machine.
    fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// A text in which the product's paths in the pod are those on this machine.
    fn here(&self, text: &str) -> String {
        let mounts = self.spec.containers[0].volume_mounts.iter().flatten();
        let mounts = mounts.filter(|mount| mount.mount_path.contains("cpr-operator"));
        mounts.fold(text.to_owned(), |text, mount| {
            text.replace(&mount.mount_path, self.place(&mount.mount_path).to_str().unwrap())
        })
    }

    /// Runs the container's command.
    fn run(&self) -> Child {
        let container = &self.spec.containers[0];
        assert_eq!(container.command, None, "the image's own");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cpr-operator"));
        command.args(container.args.iter().flatten().map(|arg| self.here(arg)));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        for variable in container.env.iter().flatten() {
            command.env(&variable.name, self.here(variable.value.as_ref().unwrap()));
        }
        // A pod has the port for itself.
        command.env("CPR_HTTP__LISTEN", "127.0.0.1:0");
        command.stderr(std::fs::File::create(self.log_file()).unwrap());
        command.spawn().unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

/// What a volume holds, by the name of the file.
async fn files(client: &Client, namespace: &str, volume: &Volume) -> Vec<(String, Vec<u8>)> {
    let volume = serde_json::to_value(volume).unwrap();
    let mut found = Vec::new();
    if let Some(map) = volume.get("configMap") {
        let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let data = api.get(map["name"].as_str().unwrap()).await.unwrap().data.unwrap();
        found.extend(data.into_iter().map(|(name, text)| (name, text.into_bytes())));
    }
    let projected = volume["projected"]["sources"].as_array().into_iter().flatten();
    let projected = projected.map(|source| (&source["secret"]["name"], &source["secret"]["items"]));
    let whole = volume.get("secret").map(|secret| (&secret["secretName"], &Value::Null));
    for (name, items) in whole.into_iter().chain(projected) {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let data = api.get(name.as_str().unwrap()).await.unwrap().data.unwrap();
        let file = |name: &String| match items.as_array() {
            Some(items) => items.iter().find(|item| item["key"] == *name)?["path"].as_str().map(str::to_owned),
            None => Some(name.clone()),
        };
        found.extend(data.into_iter().filter_map(|(name, content)| Some((file(&name)?, content.0))));
    }
    found
}

/// The platform's own objects, as a chart renders them, with a login for each role.
async fn platform(world: &World) -> TestNamespace {
    let namespace = cluster::namespace(&world.client, "platform").await;
    let settings = "[store]\nroot_key_file = \"/etc/cpr-operator/keys/root\"\n\
                    [database]\nurl_file = \"/etc/cpr-operator/database/url\"\n\
                    [network]\nallowed_networks = [\"127.0.0.0/8\"]\n";
    let maps = Api::<ConfigMap>::namespaced(world.client.clone(), namespace.name());
    for (name, data) in [("anchor", json!({})), ("settings", json!({"settings.toml": settings}))] {
        let map = serde_json::from_value(json!({"metadata": {"name": name}, "data": data})).unwrap();
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    let secrets = Api::<Secret>::namespaced(world.client.clone(), namespace.name());
    let mut files = vec![("root-key", "root", world.root_key())];
    for role in ["ingest", "deliver"] {
        files.push((role, "url", world.login(role).await));
    }
    for (name, key, file) in files {
        let data = json!({ key: std::fs::read_to_string(file).unwrap() });
        let secret = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": data})).unwrap();
        secrets.create(&PostParams::default(), &secret).await.unwrap();
    }
    namespace
}

/// The Deployment of a worker, once it has replicas.
async fn deployment(world: &World, namespace: &str, role: Role, name: &str) -> Deployment {
    let api = Api::<Deployment>::namespaced(world.client.clone(), namespace);
    let key = cpr_operator::domain::resource::ResourceKey::new(world.namespace.name(), name);
    let name = names::worker(role, &key);
    let made = async || api.get_opt(&name).await.unwrap().filter(|found| found.spec.replicas > Some(0));
    world.until(&name, made).await.unwrap_or_else(|| panic!("{name} was not made\n{}", world.log()))
}

/// Has the operator make workers there.
fn makes_workers(world: &mut World, platform: &TestNamespace) {
    world.settings.extend(
        [
            "workers.image=registry.example.org/cpr-operator:1",
            "workers.anchor=anchor",
            "workers.settings_config_map=settings",
            "workers.database_secret=database",
            "workers.ingest_database_secret=ingest",
            "workers.deliver_database_secret=deliver",
            "workers.root_key_secret=root-key",
            &format!("workers.namespace={}", platform.name()),
        ]
        .map(str::to_owned),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_passes_through_workers_of_which_each_logs_in_as_itself() {
    let mut world = World::new("rendered-logins").await.on_sqlite();
    let home = world.data().parent().unwrap().to_owned();
    let server = Server::demanding_passwords();
    server.hold(&home);
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.make_root_key();
    let platform = platform(&world).await;
    let mut administrator = PgConnection::connect(&server.url()).await.unwrap();
    administrator.execute(postgres::LOGINS).await.unwrap();
    makes_workers(&mut world, &platform);
    // Whoever shares this login could not log in: it has no password.
    world.settings.push("database.login_per_consumer=true".to_owned());
    let _operator = world.spawn(&["operator"], "operator").await;
    world.install().await;
    world.apply(world.consumer_system("archive")).await;
    world.apply(world.subscription("archived", "archive")).await;

    let mut pods = Vec::new();
    for (role, name) in [(Role::Ingest, "register"), (Role::Deliver, "casework"), (Role::Deliver, "archive")] {
        let deployment = deployment(&world, platform.name(), role, name).await;
        pods.push(LocalPod::new(&world.client, platform.name(), &deployment).await);
    }
    let mut running: Vec<Child> = pods.iter().map(LocalPod::run).collect();
    let logs = || pods.iter().map(LocalPod::log).collect::<String>();
    for (kind, name, type_) in [
        ("ConsumerSystem", "casework", "EndpointVerified"),
        ("ConsumerSystem", "archive", "EndpointVerified"),
        ("CprSource", "register", "FeedHealthy"),
    ] {
        let holds = async || world.condition(kind, name, type_).await.filter(|condition| condition.status == "True");
        world.until(type_, holds).await.unwrap_or_else(|| panic!("{type_} never held\n{}\n{}", world.log(), logs()));
    }
    let heard_twice = async |round: &str| {
        world.register.rename(&citizen, Some(round), None, jiff::Zoned::now().date()).unwrap();
        world.register.load();
        let is_so = async || {
            let all = world.consumer.received();
            let of_round = |one: &&Received| one.accepted && one.body["data"]["fields"]["Name"]["first"] == round;
            let references: BTreeSet<_> = all.iter().filter(of_round).map(|one| one.reference.clone()).collect();
            (references.len() == 2).then_some(())
        };
        world.until(round, is_so).await.unwrap_or_else(|| panic!("{round} never came\n{}\n{}", world.log(), logs()));
    };
    heard_twice("RundeA").await;
    let names = "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE usename LIKE 'cpr\\_w\\_%' ORDER BY usename";
    let used: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut administrator).await.unwrap();
    assert_eq!(used.len(), 2, "{used:?}");

    // Another password, as where the Secret was deleted, is taken in from the file; nothing is lost meanwhile.
    let secrets = Api::<Secret>::namespaced(world.client.clone(), platform.name());
    let of = names::worker(Role::Deliver, &ResourceKey::new(world.namespace.name(), "casework"));
    let before = secrets.get(&of).await.unwrap();
    secrets.delete(&of, &DeleteParams::default()).await.unwrap();
    let is_new = async || secrets.get_opt(&of).await.unwrap().filter(|now| now.data != before.data).map(drop);
    world.until("another Secret", is_new).await.unwrap();
    pods[1].sync(&world.client, platform.name()).await;
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'cpr\\_w\\_%'";
    administrator.execute(ended).await.unwrap();
    heard_twice("RundeB").await;
    for child in &mut running {
        assert!(child.try_wait().unwrap().is_none(), "{}", logs());
    }

    // A consumer that is deleted takes its login with it.
    running.remove(2).kill().await.unwrap();
    world.delete("ConsumerSystem", "archive").await;
    let count = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'cpr\\_w\\_%'";
    let mut left = 0;
    for _ in 0..600 {
        left = sqlx::query_scalar::<_, i64>(count).fetch_one(&mut administrator).await.unwrap();
        if left == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(left, 1, "{}", world.log());
    let password = before.data.unwrap()["database-url"].0.clone();
    let password = String::from_utf8(password).unwrap().parse::<url::Url>().unwrap().password().unwrap().to_owned();
    for said in [world.log(), logs(), server.log()] {
        assert!(!said.contains(&password), "a password was told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_passes_through_workers_as_they_were_rendered() {
    let mut world = World::new("rendered").await;
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.make_root_key();
    let platform = platform(&world).await;
    makes_workers(&mut world, &platform);
    let _operator = world.spawn(&["operator"], "operator").await;
    world.install().await;

    let mut pods = Vec::new();
    for (role, name) in [(Role::Ingest, "register"), (Role::Deliver, "casework")] {
        let deployment = deployment(&world, platform.name(), role, name).await;
        pods.push(LocalPod::new(&world.client, platform.name(), &deployment).await);
    }
    let running: Vec<Child> = pods.iter().map(LocalPod::run).collect();
    let logs = || pods.iter().map(LocalPod::log).collect::<String>();
    let name = |round: &str| Some(format!("Runde{round}"));
    let heard = async |round: &str| {
        let first = name(round).unwrap();
        let is_so = async || {
            let all = world.consumer.received();
            all.into_iter().find(|one| one.accepted && one.body["data"]["fields"]["Name"]["first"] == first.as_str())
        };
        world.until(&first, is_so).await.unwrap_or_else(|| panic!("{first} never came\n{}\n{}", world.log(), logs()));
    };
    // What was there before it was read for the first time is no event.
    for (kind, name, type_) in
        [("ConsumerSystem", "casework", "EndpointVerified"), ("CprSource", "register", "FeedHealthy")]
    {
        let holds = async || world.condition(kind, name, type_).await.filter(|condition| condition.status == "True");
        world.until(type_, holds).await.unwrap_or_else(|| panic!("{type_} never held\n{}\n{}", world.log(), logs()));
    }
    world.register.rename(&citizen, name("A").as_deref(), None, jiff::Zoned::now().date()).unwrap();
    world.register.load();
    heard("A").await;

    // A rotated secret reaches the process by its file, and nothing is started anew.
    let other = "whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    world.apply(secret("signing", "signing", json!({"first": SECRET, "second": other}))).await;
    let taken_in = async || {
        pods[1].sync(&world.client, platform.name()).await;
        (pods[1].log().matches("secrets were taken in").count() >= 2).then_some(())
    };
    world.until("the second set", taken_in).await.unwrap_or_else(|| panic!("{}", pods[1].log()));
    world.register.rename(&citizen, name("B").as_deref(), None, jiff::Zoned::now().date()).unwrap();
    world.register.load();
    heard("B").await;
    assert_eq!(running.len(), 2);
}
