//! The audit record: in the caller's transaction or not at all, and open to who has the key.

use cpr_operator::audit::{self, Entry, Opening, Outcome};
use cpr_operator::domain::field_group::GroupSet;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::store::keys::AuditReferences;
use cpr_operator::store::{Store, audit_entry};

use super::site;

async fn references(store: &Store, number: u32) -> AuditReferences {
    store.keys.ensure_period(site::noon()).await.unwrap();
    store.keys.audit_references(&site::person_id(number), Some(&site::cpr(number)), site::noon()).unwrap()
}

pub(super) async fn fetch(store: &Store, persons: u32) -> Entry {
    let mut subjects = Vec::new();
    for number in 0..persons {
        subjects.push(references(store, number).await);
    }
    let source = ResourceKey::new("borgerservice", "s");
    Entry::fetch(site::noon(), Outcome::Succeeded, source, GroupSet::ALWAYS_HELD, subjects)
}

async fn record(store: &Store, entry: &Entry) {
    let mut tx = store.main.begin().await.unwrap();
    audit::record(&mut tx, &store.keys, std::slice::from_ref(entry)).await.unwrap();
    tx.commit().await.unwrap();
}

/// All entries but those of keys that were made, and how many those are.
async fn entries(store: &Store) -> (Vec<audit_entry::Entry>, usize) {
    let all = audit_entry::read(&mut store.main.read().await.unwrap(), 0, 1_000).await.unwrap();
    let (keys, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| String::from_utf8_lossy(&entry.public).contains("\"key.made\""));
    (others, keys.len())
}

pub async fn an_entry_opens_and_verifies(store: &Store) {
    let entry = fetch(store, 1).await;
    record(store, &entry).await;
    let stored = entries(store).await.0.remove(0);
    let (salt, private) = store.keys.open_private(&stored.id, stored.private_key, &stored.private).unwrap();
    assert!(String::from_utf8_lossy(&private).contains(&hex::encode(&entry.subjects[0].person)));
    assert!(!String::from_utf8_lossy(&stored.public).contains(&hex::encode(&entry.subjects[0].person)));
    assert!(audit::verify(&stored.public, &Opening { salt, private: private.clone() }));
    assert!(!audit::verify(&stored.public, &Opening { salt: [0; 32], private }));
    assert!(store.keys.open_private(&[0; 16], stored.private_key, &stored.private).is_err());
}

pub async fn a_rolled_back_use_leaves_no_entry(store: &Store) {
    let entry = fetch(store, 1).await;
    let mut tx = store.main.begin().await.unwrap();
    audit::record(&mut tx, &store.keys, std::slice::from_ref(&entry)).await.unwrap();
    drop(tx);
    assert_eq!(entries(store).await.0.len(), 0);
}

pub async fn the_making_of_a_key_is_recorded_once(store: &Store) {
    let entry = fetch(store, 1).await;
    let mut tx = store.main.begin().await.unwrap();
    audit::record(&mut tx, &store.keys, std::slice::from_ref(&entry)).await.unwrap();
    drop(tx);
    record(store, &entry).await;
    assert_eq!(entries(store).await.1, store.keys.made_after(0).len(), "data, lookup and a month's two");
    record(store, &entry).await;
    assert_eq!(entries(store).await.1, 4);
    store.keys.consumer_key(7, site::noon()).await.unwrap();
    record(store, &entry).await;
    assert_eq!(entries(store).await.1, 5);
}

pub async fn every_subject_of_a_fetch_is_kept(store: &Store) {
    record(store, &fetch(store, 3).await).await;
    let mut conn = store.main.read().await.unwrap();
    let of = "SELECT (SELECT count(*) FROM audit_entry WHERE person = $1) +
                     (SELECT count(*) FROM audit_subject WHERE reference = $1 AND kind = 'PersonId')";
    for number in 0..3 {
        let reference = references(store, number).await.person;
        let found: i64 = cpr_operator::store::sql::query_scalar(of).bind(reference).fetch_one(&mut conn).await.unwrap();
        assert_eq!(found, 1);
    }
}
