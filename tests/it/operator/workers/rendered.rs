//! A worker run as it was rendered: the command of its pod template with its arguments, its variables and what it mounts, on this
//! machine, so that an event passes through exactly what the operator made.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::process::Stdio;

use cpr_operator::operator::workers::names::{self, Role};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Secret, Volume};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::cluster::{self, TestNamespace};
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
    let projected =
        volume["projected"]["sources"].as_array().into_iter().flatten().map(|source| &source["secret"]["name"]);
    for name in volume.get("secret").map(|secret| &secret["secretName"]).into_iter().chain(projected) {
        let api = Api::<Secret>::namespaced(client.clone(), namespace);
        let data = api.get(name.as_str().unwrap()).await.unwrap().data.unwrap();
        found.extend(data.into_iter().map(|(name, content)| (name, content.0)));
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

#[tokio::test(flavor = "multi_thread")]
async fn an_event_passes_through_workers_as_they_were_rendered() {
    let mut world = World::new("rendered").await;
    let citizen = world.register.settle("0851", jiff::civil::date(2013, 1, 1)).unwrap();
    world.register.load();
    world.make_root_key();
    let platform = platform(&world).await;
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
