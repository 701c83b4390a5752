//! The list of a subscription: read from its Secret where it is kept in one, brought into the store, and how it stands.

use std::collections::HashMap;
use std::sync::Mutex;

use secrecy::ExposeSecret;

use super::dereference::Found;
use crate::api::common::SecretKeyRef;
use crate::api::names::USE_PERSONS;
use crate::api::subscription::CprSubscription;
use crate::domain::identifier::CprNumber;
use crate::domain::resource::ResourceKey;
use crate::ingest::lists::{self, Load};
use crate::operator::fleet::Fleet;
use crate::operator::refusal::Refusal;
use crate::operator::requeue::Error;
use crate::operator::secrets::{self, Data, Fingerprints};
use crate::store::keys::Realm;
use crate::store::subscription;
use crate::store::subscription::SubscriptionRow;

/// Numbers that one Secret may hold.
const MOST: usize = 10_000;

/// Lines that a message names at most.
const NAMED: usize = 10;

/// The numbers of a Secret, each with its line.
pub struct Lines {
    numbers: Vec<(u32, CprNumber)>,
    fingerprint: String,
}

/// How a subscription's list stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// How its loading stands; none where the subscription is not live.
    pub load: Option<Load>,
    /// Why the Secret's numbers were not taken; the list is as it was.
    pub refusal: Option<Refusal>,
}

/// What was last brought into the store of each subscription's Secret, so that it is done once for each change.
#[derive(Debug, Default)]
pub struct Brought(Mutex<HashMap<ResourceKey, String>>);

impl Brought {
    fn is(&self, key: &ResourceKey, mark: &str) -> bool {
        self.0.lock().expect("no holder panics").get(key).is_some_and(|last| last == mark)
    }

    fn set(&self, key: &ResourceKey, mark: String) {
        self.0.lock().expect("no holder panics").insert(key.clone(), mark);
    }
}

/// Reads the numbers of the Secret that a subscription names; none where it names none.
pub async fn read(
    from: Option<&SecretKeyRef>,
    key: &ResourceKey,
    fleet: &Fleet,
) -> Result<Option<Result<Lines, Refusal>>, Error> {
    let Some(from) = from else { return Ok(None) };
    let data = secrets::read_secret(&fleet.client, &key.namespace, from.name.as_str(), USE_PERSONS).await?;
    Ok(Some(data.and_then(|data| lines(&data, from, &fleet.process.fingerprints)).map_err(|refusal| Refusal {
        message: format!("{}. Nobody was taken off the list", refusal.message),
        ..refusal
    })))
}

/// One number a line, with or without a hyphen; blank lines and those that begin with `#` are passed over.
fn lines(data: &Data, from: &SecretKeyRef, fingerprints: &Fingerprints) -> Result<Lines, Refusal> {
    let (name, key) = (from.name.as_str(), from.key.as_str());
    let text = secrets::text(data, name, key)?;
    let text = text.expose_secret();
    let (mut numbers, mut malformed) = (Vec::new(), Vec::new());
    for (line, content) in (1_u32..).zip(text.lines().map(str::trim)) {
        match CprNumber::parse(content) {
            _ if content.is_empty() || content.starts_with('#') => {}
            Ok(number) => numbers.push((line, number)),
            Err(_) => malformed.push(line.to_string()),
        }
    }
    if !malformed.is_empty() {
        let more = if malformed.len() > NAMED { ", …" } else { "" };
        let named = malformed[..malformed.len().min(NAMED)].join(", ");
        let message = format!(
            "key {key} of Secret {name} holds something else than a number of ten digits in the lines {named}{more}: correct them"
        );
        return Err(Refusal::by_others("KeyMalformed", message));
    }
    if numbers.is_empty() {
        let message =
            format!("key {key} of Secret {name} holds no number: add them, or remove personsSecretRef to end the list");
        return Err(Refusal::by_others("KeyEmpty", message));
    }
    if numbers.len() > MOST {
        let message = format!(
            "key {key} of Secret {name} holds {} numbers and may hold {MOST}: keep a larger list with persons: Managed",
            numbers.len()
        );
        return Err(Refusal::by_others("TooManyPersons", message));
    }
    Ok(Lines { fingerprint: fingerprints.of([text.as_bytes()]), numbers })
}

/// Brings the Secret's numbers into the store where they have changed, and says how the list stands; none where the
/// subscription has none.
pub async fn apply(
    subscription: &CprSubscription,
    found: &Found,
    lines: Option<Result<Lines, Refusal>>,
    fleet: &Fleet,
) -> Result<Option<List>, Error> {
    let select = &subscription.spec.select;
    if select.persons.is_none() && select.persons_secret_ref.is_none() {
        return Ok(None);
    }
    let row = subscription::find(&mut *fleet.context().store.main.read().await?, &found.key).await?;
    let row = row.filter(|row| row.ended_at.is_none() && has_list(row));
    let refusal = match (lines, &row) {
        (Some(Ok(lines)), Some(row)) => {
            bring(row, found, lines, fleet).await?;
            None
        }
        (Some(Err(refusal)), _) => Some(refusal),
        _ => None,
    };
    let Some(row) = row else { return Ok(Some(List { load: None, refusal })) };
    let context = fleet.context();
    let mut conn = context.store.main.read().await?;
    let load = lists::load(&mut conn, row.id, &context.lists, fleet.now()).await?;
    Ok(Some(List { load: Some(load), refusal }))
}

fn has_list(row: &SubscriptionRow) -> bool {
    row.compiled.as_ref().is_some_and(|form| form.selector.listed)
}

async fn bring(row: &SubscriptionRow, found: &Found, lines: Lines, fleet: &Fleet) -> Result<(), Error> {
    let Ok(source) = &found.source else { return Ok(()) };
    let mark = format!("{} {} {} {}", row.id, row.uid, row.generation, lines.fingerprint);
    if fleet.lists.is(&found.key, &mark) {
        return Ok(());
    }
    let context = fleet.context();
    let realm = Realm { authority: source.key.namespace.clone(), environment: source.environment };
    let (added, removed) = lists::replace(&context.store, row, &realm, lines.numbers, fleet.now()).await?;
    tracing::info!(subscription = %found.key, added, removed, "the list of a Secret was taken in");
    context.bells.requests.ring();
    fleet.lists.set(&found.key, mark);
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Lines, Refusal> {
        let data = BTreeMap::from([("persons".to_owned(), ByteString(text.as_bytes().to_vec()))]);
        let from = serde_json::from_value(json!({ "name": "list", "key": "persons" })).unwrap();
        lines(&data, &from, &Fingerprints::new())
    }

    #[test]
    fn numbers_are_read_line_by_line() {
        let read = read("# a comment\n610180-0001\n\n  6201800001  \n").unwrap();
        let lines: Vec<u32> = read.numbers.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line_and_never_quoted() {
        let refusal = read("6101800001\nCanary Hansen\n61018000011\n").err().unwrap();
        assert_eq!(refusal.reason, "KeyMalformed");
        assert!(refusal.message.contains("lines 2, 3:") && !refusal.message.contains("Canary"), "{}", refusal.message);
    }

    #[test]
    fn an_empty_list_and_one_that_is_too_long_are_refused() {
        assert_eq!(read("# nobody\n").err().unwrap().reason, "KeyEmpty");
        let long: String = (0..=MOST).map(|number| format!("61018{number:05}\n")).collect();
        assert_eq!(read(&long).err().unwrap().reason, "TooManyPersons");
    }
}
