//! Makes the database's logins as they are wanted: one for each worker that delivers, which stands for the consumers that it serves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::apply::Error;
use super::login::refused;
use super::plan::Worker;
use crate::domain::resource::ResourceKey;
use crate::operator::fleet::earlier;
use crate::store::login::{self, Login, Outcome, Password};
use crate::store::{self, ConsumerId, Database, Store};

/// The longest that a login stays whose worker is gone: its pods may finish what is under way.
const FINISHING: SignedDuration = SignedDuration::from_mins(2);

/// How often it is looked whether they have.
const LOOK: SignedDuration = SignedDuration::from_secs(15);

/// How often a login is tried again that could not be removed.
const HOURLY: SignedDuration = SignedDuration::from_hours(1);

/// The logins that are there.
pub struct Known<'a> {
    store: &'a Store,
    found: Result<Found, String>,
}

#[derive(Default)]
struct Found {
    main: BTreeMap<String, Login>,
    keys: BTreeMap<String, Login>,
    consumers: HashMap<ResourceKey, ConsumerId>,
}

/// A worker's login as it is to be.
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Password,
    /// How many connections it may have.
    pub connections: i64,
    /// Whether consumers stay that the worker serves no more, for its pods are being replaced.
    pub is_changing: bool,
}

/// Logins whose workers are gone.
#[derive(Default)]
pub struct Orphans {
    /// When each is to be removed at the latest.
    until: BTreeMap<String, Timestamp>,
    /// Whether there are no logins any more, and none are wanted.
    pub are_none: bool,
}

impl<'a> Known<'a> {
    /// Reads what there is.
    pub async fn read(store: &'a Store, prefix: &str) -> Self {
        Self { store, found: read(store, prefix).await.map_err(|error| error.to_string()) }
    }

    /// Nothing is wanted of the database.
    pub fn none(store: &'a Store) -> Self {
        Self { store, found: Ok(Found::default()) }
    }

    /// Whether there is no login.
    pub fn is_empty(&self) -> bool {
        self.found.as_ref().is_ok_and(|found| found.main.is_empty() && found.keys.is_empty())
    }

    /// Makes a worker's login as it is wanted, in both databases, which may be on two servers.
    pub async fn ensure(&self, worker: &Worker, wanted: &Wanted) -> Result<(), Error> {
        let found = self.found.as_ref().map_err(|cause| again(&wanted.name, cause.clone()))?;
        let served: BTreeSet<ConsumerId> =
            worker.members.keys().filter_map(|key| found.consumers.get(key).copied()).collect();
        let none = Login::default();
        for (database, known) in [(self.store.keys.database(), &found.keys), (&self.store.main, &found.main)] {
            let present = known.get(&wanted.name).unwrap_or(&none);
            let done = ensure(database, wanted, present, &served).await;
            judge(&wanted.name, done.map_err(|error| again(&wanted.name, error.to_string()))?)?;
        }
        // Who is shown more now looks at the consumers again.
        if found.main.get(&wanted.name).unwrap_or(&none).consumers.is_superset(&served) {
            return Ok(());
        }
        login::tell(&self.store.main).await.map_err(|error| again(&wanted.name, error.to_string()))
    }

    /// Removes the logins that are not kept, once nobody uses them any more. What failed, and when to look again.
    pub async fn sweep(
        &self,
        kept: &BTreeSet<String>,
        orphans: &mut Orphans,
        now: Timestamp,
    ) -> (Option<String>, Option<Timestamp>) {
        let found = match &self.found {
            Ok(found) => found,
            Err(cause) => return (Some(cause.clone()), None),
        };
        let gone: BTreeSet<&String> =
            found.main.keys().chain(found.keys.keys()).filter(|name| !kept.contains(*name)).collect();
        orphans.until.retain(|name, _| gone.contains(name));
        let (mut failed, mut next) = (None, None);
        for name in gone {
            let until = *orphans.until.entry(name.clone()).or_insert(now + FINISHING);
            let is_used = found.main.get(name).is_some_and(|login| login.is_used) || until > now + FINISHING;
            if is_used && now < until {
                next = earlier(next, Some(until.min(now + LOOK)));
                continue;
            }
            match self.remove(name).await {
                Ok(Outcome::Done) => tracing::info!(login = name, "a worker's login at the database was removed"),
                Ok(outcome) => {
                    tracing::warn!(
                        login = name,
                        ?outcome,
                        "a worker's login stays: have it dropped; tried again hourly"
                    );
                    orphans.until.insert(name.clone(), now + HOURLY);
                    next = earlier(next, Some(now + HOURLY));
                }
                Err(error) => failed = Some(format!("login {name}: {error}")),
            }
        }
        (failed, next)
    }

    /// From its beginning on nobody is shown anything by it, though they are still connected.
    async fn remove(&self, name: &str) -> Result<Outcome, store::Error> {
        for database in [&self.store.main, self.store.keys.database()] {
            let mut tx = database.begin_apart().await?;
            login::assign(&mut tx, name, &BTreeSet::new()).await?;
            tx.commit().await?;
        }
        let mut last = Outcome::Done;
        for database in [&self.store.main, self.store.keys.database()] {
            let mut tx = database.begin_apart().await?;
            match login::remove(&mut tx, name).await? {
                Outcome::Done => tx.commit().await?,
                outcome => last = outcome,
            }
        }
        Ok(last)
    }
}

async fn read(store: &Store, prefix: &str) -> Result<Found, store::Error> {
    let keys = login::all(&mut *store.keys.database().read().await?, prefix).await?;
    let mut main = store.main.read().await?;
    Ok(Found { keys, main: login::all(&mut main, prefix).await?, consumers: login::consumers(&mut main).await? })
}

/// Writes what is not as it is wanted.
async fn ensure(
    database: &Database,
    wanted: &Wanted,
    present: &Login,
    served: &BTreeSet<ConsumerId>,
) -> Result<Outcome, store::Error> {
    let kept = present.consumers.iter().filter(|_| wanted.is_changing);
    let consumers: BTreeSet<ConsumerId> = served.iter().chain(kept).copied().collect();
    let has_role = present.mark == wanted.password.mark() && present.connections == wanted.connections;
    if has_role && consumers == present.consumers {
        return Ok(Outcome::Done);
    }
    let mut tx = database.begin_apart().await?;
    if !has_role {
        match login::ensure(&mut tx, &wanted.name, &wanted.password, wanted.connections).await? {
            Outcome::Done => tracing::info!(login = wanted.name, "a worker's login at the database was made"),
            outcome => return Ok(outcome),
        }
    }
    login::assign(&mut tx, &wanted.name, &consumers).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}

fn judge(name: &str, outcome: Outcome) -> Result<(), Error> {
    let problem = match outcome {
        Outcome::Done => return Ok(()),
        Outcome::NotAllowed => {
            "the operator may not make it. Have the database's administrator run `cpr-operator migrate roles --logins | psql` in \
             both databases, and make the operator's login a member of cpr_operator"
                .to_owned()
        }
        Outcome::Refused => format!("the role {name} is not as the operator makes it: have it dropped"),
    };
    Err(Error::Refused(refused(problem)))
}

fn again(name: &str, cause: String) -> Error {
    Error::Again { kind: "login".to_owned(), name: name.to_owned(), cause }
}
