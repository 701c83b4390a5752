//! Reads what all workers of an installation stand on: the object that owns them, and the settings that they are given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::Dict;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};
use url::Url;

use super::build::Ground;
use super::login::Logins;
use super::names::{self, Role};
use crate::operator::Context;
use crate::operator::refusal::Refusal;
use crate::settings::database::DatabaseSettings;

/// Port of a database whose address names none.
const POSTGRES: u16 = 5432;

/// Key of the ConfigMap with the settings.
const SETTINGS_KEY: &str = "settings.toml";

/// Sections that a role does not read: what changes there is no reason to replace its pods.
const UNREAD: [(Role, &[&str]); 2] = [
    (Role::Ingest, &["operator", "workers", "delivery"]),
    (Role::Deliver, &["operator", "workers", "ingest", "lists", "register"]),
];

/// Reads the ground in this namespace; a refusal where no worker can stand on it.
pub async fn read(context: &Context, client: &Client, namespace: &str) -> Result<Result<Ground, Refusal>, kube::Error> {
    let (settings, api) = (&context.workers, Api::<ConfigMap>::namespaced(client.clone(), namespace));
    let Some(anchor) = api.get_opt(&settings.anchor).await? else {
        return Ok(Err(missing(namespace, &settings.anchor)));
    };
    let Some(given) = api.get_opt(&settings.settings_config_map).await? else {
        return Ok(Err(missing(namespace, &settings.settings_config_map)));
    };
    let logins = match context.database.login_per_consumer {
        true => Some(logins(context, client, namespace).await?),
        false => None,
    };
    let text = given.data.unwrap_or_default().remove(SETTINGS_KEY).unwrap_or_default();
    Ok(Ok(Ground {
        settings: settings.clone(),
        namespace: namespace.to_owned(),
        anchor: anchor.metadata.uid.unwrap_or_default(),
        database_ports: database_ports(&context.database),
        settings_hash: UNREAD.map(|(role, unread)| (role, hash(&text, unread))).into(),
        longest_reading: i64::try_from(context.register.timeout.as_secs()).unwrap_or(i64::MAX),
        logins,
    }))
}

/// What logins of workers' own are made from: the addresses that those that deliver would share.
async fn logins(context: &Context, client: &Client, namespace: &str) -> Result<Logins, kube::Error> {
    let (settings, api) = (&context.workers, Api::<Secret>::namespaced(client.clone(), namespace));
    let shared = [&settings.deliver_database_secret, &settings.database_secret];
    let shared = shared.into_iter().find(|name| !name.is_empty()).expect("the settings name it");
    let mut given = api.get_opt(shared).await?.and_then(|secret| secret.data).unwrap_or_default();
    if !settings.keys_database_secret.is_empty() {
        let keys = api.get_opt(&settings.keys_database_secret).await?.and_then(|secret| secret.data);
        given.extend(keys.unwrap_or_default().into_iter().filter(|(key, _)| key == "keysUrl"));
    }
    let text = |key: &str| String::from_utf8(given.get(key)?.0.clone()).ok();
    Ok(Logins::new(&context.store.id, &context.database, text))
}

fn missing(namespace: &str, name: &str) -> Refusal {
    let message = format!(
        "the platform's ConfigMap {name} is not in namespace {namespace}, so no workers are made: have the product's installation repaired"
    );
    Refusal::by_others("InstallationIncomplete", message)
}

/// The hash of settings but for some sections; of the whole text, where it cannot be read.
fn hash(text: &str, unread: &[&str]) -> String {
    let Ok(mut sections) = Figment::from(Toml::string(text)).extract::<Dict>() else {
        return names::hash(text.as_bytes());
    };
    sections.retain(|name, _| !unread.contains(&name.as_str()));
    let content: BTreeMap<_, _> = sections.into_iter().collect();
    names::hash(serde_json::to_string(&content).unwrap_or_default().as_bytes())
}

/// The ports of all addresses at which the database is reached.
fn database_ports(database: &DatabaseSettings) -> Vec<u16> {
    let files = [&database.url_file, &database.keys_url_file, &database.listen_url_file];
    let ports: BTreeSet<u16> = files.into_iter().flatten().map(|file| port(file)).collect();
    ports.into_iter().collect()
}

/// The port in the address that a file holds. The process could not run if it could not be read.
fn port(file: &Path) -> u16 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    Url::parse(text.trim()).ok().and_then(|url| url.port()).unwrap_or(POSTGRES)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_a_role_reads_are_a_reason_to_replace_its_pods() {
        let of = |role: usize, text| hash(text, UNREAD[role].1);
        let (ingest, deliver) = (0, 1);
        let before = "[delivery]\nflush_results = 500\n[operator]\nconcurrency = 8\n";
        let operator = "[operator]\nconcurrency = 9\n\n[delivery]\nflush_results = 500";
        assert_eq!((of(ingest, before), of(deliver, before)), (of(ingest, operator), of(deliver, operator)));
        let delivery = "[delivery]\nflush_results = 501\n";
        assert_eq!(of(ingest, before), of(ingest, delivery));
        assert_ne!(of(deliver, before), of(deliver, delivery));
        assert_ne!(of(deliver, "[log]\nfilter = \"info\""), of(deliver, "[log]\nfilter = \"debug\""));
        assert_ne!(of(deliver, "no toml"), of(deliver, "no toml either"));
    }

    #[test]
    fn the_ports_of_all_addresses_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, address: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, address).unwrap();
            Some(path)
        };
        let one = DatabaseSettings { url_file: file("a", "postgres://u:p@db.example.org/cpr\n"), ..Default::default() };
        assert_eq!(database_ports(&one), [5432]);
        let listen_url_file = file("b", "postgres://u:p@db.example.org:6543/cpr?sslmode=require");
        let two = DatabaseSettings { keys_url_file: one.url_file.clone(), listen_url_file, ..one };
        assert_eq!(database_ports(&two), [5432, 6543]);
    }
}
