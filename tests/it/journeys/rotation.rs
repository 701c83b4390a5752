//! Secrets that are replaced in the cluster while events flow: from the tenant's Secret by the operator's process and the worker's
//! Secret to the file that a running worker reads. No process is started anew, and no delivery is refused for it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::operator::workers::names::{self, Role};
use jiff::civil::date;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::support::cluster::{self, TestNamespace};
use crate::support::front::{Authority, Front};
use crate::support::world::{SECRET, World, secret};

/// Signing secrets of nobody.
const SECOND: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const THIRD: &str = "whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// The operator and two workers, each in a process of its own, the workers' files as the kubelet would have them.
struct Installation {
    world: World,
    processes: Vec<Child>,
    mounts: Vec<JoinHandle<()>>,
    citizens: Vec<String>,
    rounds: usize,
    _platform: TestNamespace,
}

impl Installation {
    async fn begin(mut world: World) -> Self {
        let platform = cluster::namespace(&world.client, "platform").await;
        for name in ["anchor", "settings"] {
            let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
            let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), platform.name());
            api.create(&PostParams::default(), &map).await.unwrap();
        }
        let with = |pair: String| format!("workers.{pair}");
        world.settings.extend(
            [
                "image=registry.example.org/cpr-operator".to_owned(),
                format!("namespace={}", platform.name()),
                "anchor=anchor".to_owned(),
                "settings_config_map=settings".to_owned(),
                "database_secret=database".to_owned(),
                "root_key_secret=root-key".to_owned(),
            ]
            .map(with),
        );
        let citizens = (0..4).map(|_| world.register.settle("0851", date(2013, 1, 1)).unwrap()).collect();
        world.register.load();
        world.make_root_key();
        let mut new = Self { world, processes: vec![], mounts: vec![], citizens, rounds: 0, _platform: platform };
        let operator = new.world.spawn(&["operator"], "operator").await;
        new.processes.push(operator);
        let ready = async || (new.world.ask("/readyz").await.0 == 200).then_some(());
        new.world.until("the operator", ready).await.unwrap();
        new.start("ingest", "--source", Role::Ingest, "register").await;
        new.start("deliver", "--consumer", Role::Deliver, "casework").await;
        // What happens before is not told.
        new.world.until_condition("CprSource", "register", "FeedHealthy", "True", None).await;
        new.world.until_condition("ConsumerSystem", "casework", "EndpointVerified", "True", None).await;
        new.rename();
        new.until_heard().await;
        new
    }

    async fn start(&mut self, role: &str, flag: &str, of: Role, name: &str) {
        let key = ResourceKey::new(self.world.namespace.name(), name);
        let folder = self.world.data().with_file_name(format!("mounted-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let api: Api<Secret> = Api::namespaced(self.world.client.clone(), self._platform.name());
        self.mounts.push(tokio::spawn(mount(api, names::worker(of, &key), folder.clone())));
        let words = [role, flag, &key.to_string(), "--secrets", folder.to_str().unwrap()];
        let child = self.world.spawn(&words, role).await;
        self.processes.push(child);
    }

    /// Renames everybody again and again until there is an answer, then until the last name was heard of everybody.
    async fn flowing<T>(&mut self, what: &str, ask: impl AsyncFn(&Self) -> Option<T>) -> T {
        let began = std::time::Instant::now();
        let answer = loop {
            self.rename();
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Some(answer) = ask(self).await {
                break answer;
            }
            assert!(began.elapsed() < Duration::from_secs(90), "{what} never came\n{}", self.world.log());
        };
        self.rename();
        self.until_heard().await;
        answer
    }

    async fn until_heard(&self) {
        let heard = self.world.until("the last round", async || self.has_heard().then_some(())).await;
        assert!(heard.is_some(), "not all was heard of round {}\n{}", self.rounds, self.world.log());
    }

    fn rename(&mut self) {
        self.rounds += 1;
        for citizen in &self.citizens {
            let today = jiff::Zoned::now().date();
            self.world.register.rename(citizen, Some(&format!("Runde{}", self.rounds)), None, today).unwrap();
        }
        self.world.register.load();
    }

    /// Whether the present name of everybody was taken.
    fn has_heard(&self) -> bool {
        let name = json!(format!("Runde{}", self.rounds));
        let received = self.world.consumer.received();
        let taken = received.iter().filter(|one| one.accepted && one.body["data"]["fields"]["Name"]["first"] == name);
        taken.map(|one| &one.reference).collect::<std::collections::HashSet<_>>().len() == self.citizens.len()
    }

    /// Whether the last delivery fitted just these of the secrets that the receiver knows.
    fn is_signed_by(&self, places: &[usize]) -> bool {
        self.world.consumer.received().last().is_some_and(|last| last.verified_by == places)
    }

    async fn refused_for(&self, reason: &str) -> String {
        self.world.until_condition("ConsumerSystem", "casework", "SecretsResolved", "False", Some(reason)).await.message
    }

    /// Nothing was refused or out of order, and everybody who was started is alive.
    fn is_well(&mut self) {
        let report = self.world.consumer.report();
        assert_eq!((report.forged, report.malformed, report.refused, report.out_of_order), (0, 0, 0, 0), "{report:?}");
        let are_alive = self.processes.iter_mut().all(|child| child.try_wait().unwrap().is_none());
        assert!(are_alive, "{}", self.world.log());
        assert!(!self.world.log().contains("\"level\":\"ERROR\""), "{}", self.world.log());
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.mounts.iter().for_each(JoinHandle::abort);
    }
}

/// Keeps a folder as a Secret is, a file for each key, each replaced as a whole.
async fn mount(api: Api<Secret>, name: String, folder: PathBuf) {
    loop {
        if let Ok(Some(secret)) = api.get_opt(&name).await {
            let data = secret.data.unwrap_or_default();
            data.iter().for_each(|(key, content)| replace(&folder.join(key), &content.0));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn certificate((certificate, key): &(rcgen::Certificate, rcgen::KeyPair)) -> Value {
    let pair = json!({ "tls.crt": certificate.pem(), "tls.key": key.serialize_pem() });
    secret("mtls", "client-certificate", pair)
}

fn signing(secrets: Value) -> Value {
    secret("signing", "signing", secrets)
}

fn secrets(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// An installation whose receiver asks for certificates that `clients` vouches for and is shown the first.
async fn asked_for_certificates(clients: &Authority) -> (Installation, Front, (rcgen::Certificate, rcgen::KeyPair)) {
    let world = World::new("rotation").await;
    let (servers, plain): (_, url::Url) = (Authority::new(), world.consumer.url().parse().unwrap());
    let target = *plain.socket_addrs(|| None).unwrap().first().unwrap();
    let front = Front::before(target, "localhost", &servers, &[clients]).await;
    let shown = clients.issue("client.example.org");
    let ca = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" }, "data": { "ca.crt": servers.pem() } });
    world.apply(ca).await;
    world.apply(certificate(&shown)).await;
    world.install().await;
    let mut consumer = world.consumer_system("casework");
    let delivery = &mut consumer["spec"]["delivery"];
    delivery["url"] = json!(format!("https://localhost:{}{}", front.address().port(), plain.path()));
    delivery["caBundleRef"] = json!({ "name": "ca", "key": "ca.crt" });
    delivery["clientCertificateRef"] = json!({ "name": "mtls" });
    delivery["timeout"] = json!("10s");
    world.apply(consumer).await;
    (Installation::begin(world).await, front, shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_s_secrets_are_replaced_while_deliveries_go_on() {
    let (first, second) = (Authority::new(), Authority::new());
    let (mut installation, front, shown) = asked_for_certificates(&first).await;
    assert!(front.was_shown(&shown.0));

    // As whoever rotates does: the receiver takes both, then there is the new one, then it takes the new one alone.
    front.take(&[&first, &second]);
    let renewed = second.issue("client.example.org");
    installation.world.apply(certificate(&renewed)).await;
    installation.flowing("the new certificate", async |_| front.was_shown(&renewed.0).then_some(())).await;
    front.take(&[&second]);

    installation.world.consumer.set_secrets(&secrets(&[SECRET, SECOND])).unwrap();
    installation.world.apply(signing(json!({ "first": SECOND }))).await;
    installation.flowing("the new signature", async |it| it.is_signed_by(&[1]).then_some(())).await;
    installation.world.consumer.set_secrets(&secrets(&[SECOND])).unwrap();
    installation.flowing("its deliveries", async |it| it.is_signed_by(&[0]).then_some(())).await;
    installation.is_well();
    assert_eq!(front.refused(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_spoilt_is_named_and_the_others_are_replaced() {
    let clients = Authority::new();
    let (mut installation, front, shown) = asked_for_certificates(&clients).await;
    let spoilt = json!({ "tls.crt": "spoilt", "tls.key": shown.1.serialize_pem() });
    installation.world.apply(secret("mtls", "client-certificate", spoilt)).await;
    let said = installation.refused_for("CertificateMalformed").await;
    assert!(said.contains("Secret mtls") && !said.contains("spoilt"), "{said}");

    installation.world.consumer.set_secrets(&secrets(&[SECRET, THIRD])).unwrap();
    installation.world.apply(signing(json!({ "first": THIRD }))).await;
    installation.flowing("the new signature", async |it| it.is_signed_by(&[1]).then_some(())).await;
    installation.world.consumer.set_secrets(&secrets(&[THIRD])).unwrap();

    // The other way round: what signs is spoilt, and the certificate is replaced.
    installation.world.apply(signing(json!({ "first": "whsec_spoilt" }))).await;
    let said = installation.refused_for("KeyMalformed").await;
    assert!(said.contains("Secret signing"), "{said}");
    let renewed = clients.issue("client.example.org");
    installation.world.apply(certificate(&renewed)).await;
    installation.flowing("the new certificate", async |_| front.was_shown(&renewed.0).then_some(())).await;
    installation.is_well();
    assert_eq!(front.refused(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_s_credentials_are_replaced_while_it_is_read() {
    let world = World::new("rotation").await;
    world.install().await;
    let mut installation = Installation::begin(world).await;
    let taken_in = |world: &World| world.log().matches("secrets were taken in").count();
    let before = taken_in(&installation.world);
    installation.world.register.set_client_secret("replaced");
    let replaced = json!({ "clientId": "simulated-client", "clientSecret": "replaced" });
    installation.world.apply(secret("register", "source", replaced)).await;
    installation.flowing("the new file", async |it| (taken_in(&it.world) > before).then_some(())).await;
    installation.world.register.revoke_tokens();
    installation.rename();
    installation.until_heard().await;
    installation.world.until_condition("CprSource", "register", "CredentialsValid", "True", None).await;
    installation.is_well();
    assert!(!installation.world.log().contains("CredentialsWrong"), "{}", installation.world.log());
}
