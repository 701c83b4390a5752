//! Who may ask what: by the operating system's user, or by a token of the cluster and its rules.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::support::files;
use crate::support::world::{Said, World};

async fn create<K>(world: &World, object: Value)
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + serde::de::DeserializeOwned
        + serde::Serialize
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(world.client.clone(), world.namespace.name());
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// A token of a service account of the world's namespace.
async fn token(world: &World, name: &str) -> String {
    create::<ServiceAccount>(world, json!({ "metadata": { "name": name } })).await;
    let api: Api<ServiceAccount> = Api::namespaced(world.client.clone(), world.namespace.name());
    let asked = TokenRequest { spec: Some(TokenRequestSpec::default()), ..TokenRequest::default() };
    let made = api.create_token_request(name, &PostParams::default(), &asked).await.unwrap();
    made.status.unwrap().token.unwrap()
}

async fn allow(world: &World, name: &str, resource: &str) {
    let rules = json!([{ "apiGroups": ["cpr-operator.dev"], "resources": [resource], "verbs": ["update"] }]);
    create::<Role>(world, json!({ "metadata": { "name": name }, "rules": rules })).await;
    let binding = json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": world.namespace.name() }],
    });
    create::<RoleBinding>(world, binding).await;
}

async fn test_as(world: &World, token: Option<&str>) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let consumer = format!("{}/casework", world.namespace.name());
    let mut arguments = vec!["consumer", "test", "--consumer", &consumer];
    if let Some(token) = token {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        arguments.extend(["--token-file", file.to_str().unwrap()]);
    }
    world.tool(&arguments, "").await
}

/// Class of each entry of one type, and who asked is only in the private part.
async fn recorded(world: &World, type_: &str) -> Vec<String> {
    let mut conn = files::open(&world.data().join("main.db")).await;
    let rows: Vec<String> = sqlx::query_scalar("SELECT CAST(public AS TEXT) FROM audit_entry ORDER BY position")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    let entries = rows.iter().map(|row| serde_json::from_str::<Value>(row).unwrap());
    let of_type = entries.filter(|entry| entry["type"] == type_);
    of_type.map(|entry| entry["class"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_believed_as_the_cluster_believes_it() {
    let mut world = World::new("who").await;
    world.settings.push("admin.operating_system_users=false".to_owned());
    world.install().await;
    world.start();
    world.until_ready().await;

    let said = test_as(&world, None).await;
    assert!(said.code == Some(1) && said.err.contains("--token-file"), "{said:?}");
    let said = test_as(&world, Some("no-token-of-this-cluster")).await;
    assert!(said.code == Some(1) && said.err.contains("does not know this token"), "{said:?}");

    let stranger = token(&world, "stranger").await;
    let said = test_as(&world, Some(&stranger)).await;
    assert!(said.code == Some(1) && said.err.contains("may not update consumersystems/test"), "{said:?}");
    assert!(said.err.contains("system:serviceaccount:") && said.err.contains(":stranger"), "{said:?}");

    let helper = token(&world, "helper").await;
    allow(&world, "helper", "consumersystems/test").await;
    let allowed = async || Some(test_as(&world, Some(&helper)).await).filter(|said| said.code == Some(0));
    let said = world.until("the rule in force", allowed).await.expect("allowed");
    assert!(said.out.starts_with("Proved: "), "{said:?}");

    assert!(
        recorded(&world, "refusal").await.iter().filter(|class| *class == "update consumersystems/test").count() >= 3
    );
    assert_eq!(recorded(&world, "command").await, ["consumer.test"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_own_user_can_open_the_socket_and_the_record_says_how_they_are_known() {
    let mut world = World::new("socket").await;
    world.install().await;
    world.start();
    world.until_ready().await;
    let socket = std::fs::metadata(world.data().join("admin.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let said = test_as(&world, None).await;
    assert!(said.code == Some(0), "{said:?}");
    assert_eq!(recorded(&world, "command").await, ["consumer.test"]);
    let unknown = format!("{}/nobody", world.namespace.name());
    let said = world.tool(&["consumer", "test", "--consumer", &unknown], "").await;
    assert!(said.code == Some(1) && said.err.contains("is not in force here"), "{said:?}");
    world.kill().await;

    let said = test_as(&world, None).await;
    assert!(said.code == Some(1) && said.err.contains("no cpr-operator answers at"), "{said:?}");
    // What a process that was killed left behind is in nobody's way.
    world.start();
    world.until_ready().await;
    let answered = async || (test_as(&world, None).await.code == Some(0)).then_some(());
    world.until("an answer", answered).await.expect("the new process answers");
    world.stop().await;
}
