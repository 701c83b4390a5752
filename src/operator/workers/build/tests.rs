//! What holds for the objects of every worker.
#![expect(clippy::unwrap_used, reason = "tests")]

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::domain::resource::ResourceKey;
use crate::operator::workers::covers::covers;
use crate::operator::workers::login;
use crate::operator::workers::testing::{self, demand, ground, shape, worker};
use crate::operator::workers::wish::{Demand, Reach, Secrets};
use crate::settings::database::DatabaseSettings;
use crate::settings::workers::WorkerSettings;

fn json_of(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap()
}

fn account_owner() -> OwnerReference {
    let metadata = ObjectMeta { name: Some("account".into()), uid: Some("uid".into()), ..ObjectMeta::default() };
    owner(&ServiceAccount { metadata, ..ServiceAccount::default() })
}

/// The Deployment of a worker on this ground.
fn deployed(worker: &Worker, ground: &Ground) -> Value {
    json_of(&deployment::build(worker, &shape(), ground, account_owner()))
}

fn pod_of(worker: &Worker, ground: &Ground) -> Value {
    deployed(worker, ground)["spec"]["template"].clone()
}

fn ingest() -> Worker {
    Worker { role: Role::Ingest, replicas: 2, ..worker("register") }
}

#[test]
fn pods_keep_the_restricted_standard_and_have_no_token() {
    for worker in [worker("a"), ingest()] {
        let pod = &pod_of(&worker, &ground())["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"], json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
        let expected = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        let containers = pod["containers"].as_array().unwrap();
        assert!(containers.iter().all(|container| container["securityContext"] == expected));
        for volume in pod["volumes"].as_array().unwrap() {
            let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
            assert!(["configMap", "emptyDir", "projected", "secret"].contains(&kind.as_str()), "{kind}");
        }
        let account = json_of(&service_account::build(&worker, &ground()));
        assert_eq!(account["automountServiceAccountToken"], false);
    }
}

#[test]
fn a_command_names_its_role_and_whom_it_serves() {
    let args = |worker: &Worker| pod_of(worker, &ground())["spec"]["containers"][0]["args"].clone();
    let files =
        json!(["--secrets", "/etc/cpr-operator/secrets", "--config", "/etc/cpr-operator/settings/settings.toml"]);
    let with_files =
        |first: Value| json!([first.as_array().unwrap().clone(), files.as_array().unwrap().clone()].concat());
    assert_eq!(args(&worker("a")), with_files(json!(["deliver", "--consumer", "tenant/a"])));
    assert_eq!(args(&ingest()), with_files(json!(["ingest", "--source", "tenant/register"])));
    let mut both = worker("a");
    both.members.insert(ResourceKey::new("tenant", "b"), demand());
    let named = json!(["deliver", "--consumer", "tenant/a", "--consumer", "tenant/b"]);
    assert_eq!(args(&both), with_files(named));
}

#[test]
fn everything_is_labelled_and_owned() {
    let (worker, ground) = (Worker { replicas: 2, ..worker("a") }, ground());
    let account = json_of(&service_account::build(&worker, &ground));
    assert_eq!(account["metadata"]["ownerReferences"][0]["uid"], "uid-of-the-anchor");
    let rest = [
        json_of(&secret::build(&worker, &ground, account_owner(), None, Default::default())),
        json_of(&network_policy::build(&worker, &ground, account_owner())),
        deployed(&worker, &ground),
        json_of(&disruption_budget::build(&worker, &ground, account_owner()).unwrap()),
    ];
    for object in &rest {
        let expected = json!([{"apiVersion": "v1", "kind": "ServiceAccount", "name": "account", "uid": "uid"}]);
        assert_eq!(object["metadata"]["ownerReferences"], expected);
    }
    for object in rest.iter().chain([&account]) {
        let (metadata, labels) = (&object["metadata"], &object["metadata"]["labels"]);
        assert_eq!(metadata["namespace"], "platform");
        assert_eq!(metadata["name"], json!(worker.name()));
        assert_eq!(metadata["annotations"][OF], "tenant/a");
        assert_eq!(labels[names::ANCHOR], "release-anchor");
        assert_eq!(labels["app.kubernetes.io/component"], "deliver");
        assert_eq!(labels["cpr-operator.dev/consumer"], json!(names::short(&worker.of)));
    }
}

#[test]
fn the_same_worker_gives_the_same_bytes_and_a_change_shows() {
    let (one, ground) = (worker("a"), ground());
    let before = deployed(&one, &ground);
    assert_eq!(before.to_string(), deployed(&one, &ground).to_string());
    let rotated = testing::given("other", "other");
    let member = Demand { secrets: rotated, ..demand() };
    let other = Worker { members: [(one.of.clone(), member)].into(), ..one.clone() };
    assert_eq!(before, deployed(&other, &ground), "a rotated secret replaces no pod");
    assert_eq!(before, deployed(&Worker { replicas: 3, ..one.clone() }, &ground), "and more of them replace none");
    let image = WorkerSettings { image: "registry.example.org/cpr-operator:2".into(), ..ground.settings.clone() };
    let after = deployed(&one, &Ground { settings: image, ..ground });
    assert_ne!(before["metadata"]["annotations"][names::TEMPLATE], after["metadata"]["annotations"][names::TEMPLATE]);
    assert!(!covers(&before, &after));
}

#[test]
fn what_is_taken_out_of_an_object_is_seen_by_its_hash() {
    let (worker, ground) = (worker("a"), ground());
    let class = WorkerSettings { priority_class: "high".into(), ..ground.settings.clone() };
    let with = deployed(&worker, &Ground { settings: class, ..ground.clone() });
    assert!(!covers(&with, &deployed(&worker, &ground)));
}

#[test]
fn the_platforms_labels_are_on_the_pods_and_do_not_hide_ours() {
    let mut settings = ground().settings;
    settings.pod_labels = [("app.kubernetes.io/instance", "release"), ("team", "x"), (names::WORKER, "other")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    settings.service_account_annotations = [("example.org/role".to_owned(), "reader".to_owned())].into();
    let (ground, worker) = (Ground { settings, ..ground() }, worker("a"));
    let labels = &pod_of(&worker, &ground)["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/instance"], "release");
    assert_eq!(labels["team"], "x");
    assert_eq!(labels[names::WORKER], json!(worker.name()));
    let account = json_of(&service_account::build(&worker, &ground));
    assert_eq!(account["metadata"]["annotations"]["example.org/role"], "reader");
    assert_eq!(account["metadata"]["annotations"][OF], "tenant/a");
}

#[test]
fn each_role_logs_in_as_itself_where_it_can() {
    let secrets = |ground: &Ground| {
        [worker("a"), ingest()].map(|worker| {
            let volumes = pod_of(&worker, ground)["spec"]["volumes"].clone();
            let volume =
                volumes.as_array().unwrap().iter().find(|volume| volume["name"] == "database").unwrap().clone();
            let sources = volume["projected"]["sources"].as_array().unwrap().clone();
            sources.iter().map(|source| source["secret"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
    };
    assert_eq!(secrets(&ground()), [["database"], ["database"]]);
    let settings = WorkerSettings {
        ingest_database_secret: "for-ingest".into(),
        deliver_database_secret: "for-deliver".into(),
        keys_database_secret: "keys".into(),
        ..ground().settings
    };
    assert_eq!(secrets(&Ground { settings, ..ground() }), [["for-deliver", "keys"], ["for-ingest", "keys"]]);
}

#[test]
fn a_worker_with_a_login_of_its_own_finds_its_addresses_in_its_own_secret() {
    let database = DatabaseSettings { listen_url_file: Some("listen".into()), ..DatabaseSettings::default() };
    let logins = Logins::new("0123456789abcdef", &database, |_| None);
    let ground = Ground { logins: Some(logins), ..ground() };
    let sources = |worker: &Worker| {
        let volumes = pod_of(worker, &ground)["spec"]["volumes"].clone();
        let volume = volumes.as_array().unwrap().iter().find(|volume| volume["name"] == "database").unwrap();
        volume["projected"]["sources"].clone()
    };
    let deliver = worker("a");
    let items = json!([{"key": "database-url", "path": "url"}, {"key": "database-listenUrl", "path": "listenUrl"}]);
    assert_eq!(sources(&deliver), json!([{"secret": {"name": deliver.name(), "items": items}}]));
    assert_eq!(sources(&ingest()), json!([{"secret": {"name": "database"}}]));
    let built = deployment::build(&deliver, &shape(), &ground, account_owner());
    assert!(login::is_mounted(&built));
    assert!(!login::is_mounted(&deployment::build(&ingest(), &shape(), &ground, account_owner())));
}

#[test]
fn a_policy_opens_names_the_database_and_the_served_and_nothing_else() {
    let reach = Reach { ports: vec![8443], networks: vec!["10.20.0.0/16".parse().unwrap()] };
    let mut worker = worker("a");
    worker.members.insert(worker.of.clone(), Demand { reach, ..demand() });
    let policy = json_of(&network_policy::build(&worker, &ground(), account_owner()));
    let spec = &policy["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(spec["ingress"], json!([{"ports": [{"port": 8080, "protocol": "TCP"}]}]));
    let egress = spec["egress"].as_array().unwrap();
    let ports: Vec<_> = egress.iter().map(|rule| rule["ports"][0]["port"].as_i64().unwrap()).collect();
    assert_eq!(ports, [53, 5432, 8443]);
    let to: Vec<_> = egress[2]["to"].as_array().unwrap().iter().map(|peer| &peer["ipBlock"]["cidr"]).collect();
    assert_eq!(to, ["0.0.0.0/0", "::/0", "10.20.0.0/16"]);
    let except = egress[2]["to"][0]["ipBlock"]["except"].as_array().unwrap();
    assert!(except.contains(&json!("10.0.0.0/8")) && except.contains(&json!("169.254.0.0/16")));
    assert_eq!(spec["podSelector"]["matchLabels"], json!({names::WORKER: worker.name()}));
}

#[test]
fn a_budget_is_for_more_than_one() {
    let budget = |replicas| disruption_budget::build(&Worker { replicas, ..worker("a") }, &ground(), account_owner());
    assert!(budget(0).is_none() && budget(1).is_none());
    assert_eq!(json_of(&budget(2).unwrap())["spec"]["maxUnavailable"], 1);
}

#[test]
fn a_secret_holds_what_was_given_and_keeps_what_was_good() {
    let file = "tenant_a.json";
    let of = |secrets, present: Option<&str>, role| {
        let worker = worker("a");
        let members = [(worker.of.clone(), Demand { secrets, ..demand() })].into();
        let present = present.map(|text| [(file.to_owned(), k8s_openapi::ByteString(text.into()))].into());
        let built = secret::build(
            &Worker { role, members, ..worker },
            &ground(),
            account_owner(),
            present.as_ref(),
            Default::default(),
        );
        built.data.unwrap().get(file).map(|content| String::from_utf8(content.0.clone()).unwrap())
    };
    let given = || testing::given("given", "one");
    assert_eq!(of(given(), Some("present"), Role::Deliver).as_deref(), Some("given"));
    assert_eq!(of(Secrets::Spoilt, Some("present"), Role::Deliver).as_deref(), Some("present"));
    assert_eq!(of(Secrets::Spoilt, None, Role::Deliver).as_deref(), Some(r#"{"signing":[]}"#));
    assert_eq!(of(Secrets::Withdrawn, Some("present"), Role::Deliver).as_deref(), Some(r#"{"signing":[]}"#));
    assert_eq!(of(Secrets::Withdrawn, Some("present"), Role::Ingest), None);
}

#[test]
fn no_secret_shows_in_what_is_not_one() {
    let (worker, ground) = (worker("a"), ground());
    let policy = network_policy::build(&worker, &ground, account_owner());
    for text in [deployed(&worker, &ground).to_string(), json_of(&policy).to_string(), format!("{worker:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}
