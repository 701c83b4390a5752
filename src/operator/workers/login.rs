//! The login at the database that a worker has for itself: its name, its addresses, and where they stand in the worker's Secret. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::names::{self, Role};
use super::plan::Worker;
use crate::operator::refusal::Refusal;
use crate::settings::database::DatabaseSettings;
use crate::store::login::{self, Password};

/// The volume with the addresses of the databases.
pub const VOLUME: &str = "database";

/// The reason of a worker whose login is not as it should be.
pub const REASON: &str = "LoginNotMade";

/// The address that every installation has.
const MAIN: &str = "url";

/// What a worker's Secret holds.
pub type Files = BTreeMap<String, ByteString>;

/// What logins are made from.
#[derive(Clone, Debug)]
pub struct Logins {
    /// What all their names begin with.
    pub prefix: String,
    /// The files with addresses that a worker reads.
    pub files: Vec<&'static str>,
    /// The addresses that are configured for those that deliver, or why there are none.
    pub addresses: Result<Addresses, Refusal>,
    /// Connections of one process, to both databases together.
    pub connections: u32,
}

/// Addresses of databases, by the name of their files.
#[derive(Clone, Debug)]
pub struct Addresses(BTreeMap<&'static str, SecretString>);

impl Logins {
    /// From the settings, and what the platform's Secrets hold.
    pub fn new(store: &str, settings: &DatabaseSettings, given: impl Fn(&str) -> Option<String>) -> Self {
        let files = files(settings);
        let addresses = Addresses::new(&files, given);
        Self { prefix: login::prefix(store), files, addresses, connections: settings.connections().whole() }
    }

    /// The name of a worker's login.
    pub fn name(&self, worker: &str) -> String {
        name(&self.prefix, worker)
    }

    /// How many connections a worker's login may have: while its pods are replaced there are twice as many and one.
    pub fn limit(&self, worker: &Worker) -> i64 {
        let most = worker.shape.as_ref().map_or(worker.replicas, |shape| shape.max);
        i64::from((2 * most + 1) * (self.connections + OPENING))
    }
}

/// The name of the login of a worker of this name.
pub fn name(prefix: &str, worker: &str) -> String {
    format!("{prefix}{}", names::hash(worker.as_bytes()))
}

/// Connections by which a process looks at the version of both schemas, as it starts.
const OPENING: u32 = 2;

/// The files with addresses that a process reads by these settings.
pub fn files(settings: &DatabaseSettings) -> Vec<&'static str> {
    let others = [("keysUrl", &settings.keys_url_file), ("listenUrl", &settings.listen_url_file)];
    [MAIN].into_iter().chain(others.into_iter().filter(|(_, file)| file.is_some()).map(|(name, _)| name)).collect()
}

/// The key in a worker's Secret of a file with an address.
pub fn key(file: &str) -> String {
    format!("database-{file}")
}

/// Those keys of a worker's Secret, of whatever worker.
pub fn of_login(files: &Files) -> Files {
    let is_ours = |key: &str| key.starts_with(&self::key(""));
    files.iter().filter(|(key, _)| is_ours(key)).map(|(key, content)| (key.clone(), content.clone())).collect()
}

/// Whether a worker has a login of its own where there are any: only those that deliver serve one consumer apart from others.
pub fn is_for(role: Role) -> bool {
    role == Role::Deliver
}

/// Whether pods of a Deployment log in by the worker's own Secret.
pub fn is_mounted(deployment: &Deployment) -> bool {
    let spec = deployment.spec.template.spec.as_ref();
    let volumes = spec.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
    let projected = volumes.filter(|volume| volume.name == VOLUME).filter_map(|volume| volume.projected.as_ref());
    let secrets = projected.flat_map(|all| all.sources.iter().flatten()).filter_map(|source| source.secret.as_ref());
    secrets.map(|secret| &secret.name).collect::<BTreeSet<_>>().contains(&deployment.name_any())
}

/// The password in a worker's Secret, if it is one of ours for this login.
pub fn password(files: &Files, login: &str) -> Option<Password> {
    let address = String::from_utf8(files.get(&key(MAIN))?.0.clone()).ok()?;
    let address = Url::parse(&address).ok().filter(|address| address.username() == login)?;
    Password::parse(address.password()?).ok()
}

impl Addresses {
    fn new(files: &[&'static str], given: impl Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        let one = |file: &&'static str| match given(file).map(|text| parse(text.trim())) {
            Some(Some(address)) => Ok((*file, SecretString::from(String::from(address)))),
            Some(None) => {
                Err(unusable(file, "is no address of a server, such as postgres://USER:PASSWORD@HOST/DATABASE"))
            }
            None => Err(unusable(file, "is missing")),
        };
        files.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// These addresses for another login, as they stand in a worker's Secret.
    pub fn of(&self, login: &str, password: &Password) -> Files {
        let with = |address: &SecretString| {
            let mut address = Url::parse(address.expose_secret()).expect("it was written by this library");
            // Refused only for an address without a host, which is none.
            let _ = address.set_username(login).and_then(|()| address.set_password(Some(password.expose())));
            ByteString(String::from(address).into_bytes())
        };
        self.0.iter().map(|(file, address)| (key(file), with(address))).collect()
    }
}

/// An address in which user and password can be set, without those that its parameters may name.
fn parse(text: &str) -> Option<Url> {
    let mut address = Url::parse(text).ok()?;
    address.set_username("a").ok()?;
    let names_a_login = |name: &str| ["user", "password"].contains(&name);
    if address.query_pairs().any(|(name, _)| names_a_login(&name)) {
        let others: Vec<(String, String)> = address.query_pairs().into_owned().collect();
        let others = others.into_iter().filter(|(name, _)| !names_a_login(name));
        address.query_pairs_mut().clear().extend_pairs(others);
    }
    Some(address)
}

fn unusable(file: &str, problem: &str) -> Refusal {
    refused(format!(
        "the key {file} of the platform's Secret with the address for workers that deliver {problem}: have it written"
    ))
}

/// Why a login was not made; what runs is not touched.
pub fn refused(problem: String) -> Refusal {
    Refusal::by_others(
        REASON,
        format!(
            "the worker's own login at the database is not there: {problem}. Workers that run go on with the login they have"
        ),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::operator::workers::testing::worker;

    fn logins(url: &str) -> Logins {
        Logins::new("0123456789abcdef", &DatabaseSettings::default(), |_| Some(url.to_owned()))
    }

    #[test]
    fn an_address_keeps_all_but_its_login() {
        let (login, password) = ("cpr_w_01234567_0123456789abcdef", Password::random());
        let of = |url: &str| {
            let files = logins(url).addresses.unwrap().of(login, &password);
            String::from_utf8(files["database-url"].0.clone()).unwrap()
        };
        let expected = format!("postgres://{login}:{}@db.example.org:6432/cpr?sslmode=verify-full", password.expose());
        assert_eq!(of("postgres://shared:geheim@db.example.org:6432/cpr?sslmode=verify-full\n"), expected);
        let hidden = of("postgres://db.example.org:6432/cpr?user=shared&sslmode=verify-full&password=geheim");
        assert_eq!(hidden, expected);
        let files = [(key(MAIN), ByteString(expected.into_bytes()))].into();
        assert_eq!(super::password(&files, login), Some(password));
        assert_eq!(super::password(&files, "cpr_w_01234567_fedcba9876543210"), None);
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_being_told() {
        for bad in ["", "geheim", "postgres:///cpr?host=/run/geheim"] {
            let refusal = logins(bad).addresses.unwrap_err();
            assert!(refusal.message.contains("key url") && !refusal.message.contains("geheim"), "{}", refusal.message);
        }
        let none = Logins::new("0123456789abcdef", &DatabaseSettings::default(), |_| None);
        assert!(none.addresses.unwrap_err().message.contains("is missing"));
    }

    #[test]
    fn each_worker_of_each_store_has_a_name_of_its_own() {
        let name =
            |store: &str, of: &str| Logins::new(store, &DatabaseSettings::default(), |_| None).name(&worker(of).name());
        assert_eq!(name("0123456789abcdef", "a").len(), 31);
        assert_ne!(name("0123456789abcdef", "a"), name("0123456789abcdef", "b"));
        assert_ne!(name("0123456789abcdef", "a"), name("fedcba9876543210", "a"));
    }
}
