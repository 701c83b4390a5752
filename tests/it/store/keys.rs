//! The key store: who is who, and who may read whom.

use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::resource::Environment;
use cpr_operator::store::Store;
use cpr_operator::store::keys::{Identity, Realm};

use super::site;

pub async fn one_person_is_one_record(store: &Store) {
    let realm = site::realm();
    let first = site::ensured(store, 1).await;
    let both = Identity { id: site::person_id(1), numbers: vec![site::cpr(2), site::cpr(1)] };
    let by_number = Identity { id: site::person_id(9), numbers: vec![site::cpr(2)] };
    for identity in [both, by_number] {
        let again = store.keys.ensure_persons(&realm, &[identity], site::noon()).await.unwrap();
        assert_eq!(again[0].record, first.record);
    }
    let ids = [site::person_id(9), site::person_id(8), site::person_id(1)];
    let found = store.keys.find(&realm, &ids).await.unwrap();
    assert_eq!(found, [Some(first.record), None, Some(first.record)]);
    assert_ne!(site::ensured(store, 3).await.record, first.record);
}

pub async fn a_key_without_a_row_is_taken_over(store: &Store) {
    let first = site::ensured(store, 1).await;
    let place = cpr_operator::store::seal::Place { table: "person", column: "content", row: "1" };
    let sealed = first.key.seal(place, &"content").unwrap();
    let second = site::ensured(store, 1).await;
    assert_eq!(second.record, first.record);
    assert_eq!(second.key.open::<String>(place, &sealed).unwrap(), "content");
}

pub async fn realms_share_nobody(store: &Store) {
    let mine = site::ensured(store, 1).await;
    let others = [
        Realm { authority: "anden".into(), ..site::realm() },
        Realm { environment: Environment::Production, ..site::realm() },
    ];
    for realm in others {
        assert_eq!(store.keys.find(&realm, &[site::person_id(1)]).await.unwrap(), [None]);
        let theirs = store.keys.ensure_persons(&realm, &[site::identity(1)], site::noon()).await.unwrap();
        assert_ne!(theirs[0].record, mine.record);
    }
}

pub async fn many_at_once_agree_on_the_record(store: &Store) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let identities: Vec<_> = (0..50).map(site::identity).collect();
            let ensured = store.keys.ensure_persons(&site::realm(), &identities, site::noon()).await.unwrap();
            ensured.iter().map(|e| e.record).collect::<Vec<_>>()
        });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|records| *records == all[0]));
}

pub async fn a_claim_decides_on_the_key(store: &Store) {
    let (one, two) = (site::ensured(store, 1).await.record, site::ensured(store, 2).await.record);
    let records = [one, two];
    assert_eq!(store.keys.person_keys(&records).await.unwrap().len(), 2);
    assert!(store.keys.person_keys_for(7, &records).await.unwrap().is_empty());
    store.keys.ensure_claims(&[(7, one), (7, RecordId::random()), (8, two)], site::noon()).await.unwrap();
    store.keys.ensure_claims(&[(7, one)], site::noon()).await.unwrap();
    let keys = store.keys.person_keys_for(7, &records).await.unwrap();
    assert_eq!(keys.keys().copied().collect::<Vec<_>>(), [one]);
    store.keys.release_claims(&[(7, one)]).await.unwrap();
    assert!(store.keys.claimed(7, &records).await.unwrap().is_empty());
    assert_eq!(store.keys.claimed(8, &records).await.unwrap().len(), 1);
}

pub async fn a_forgotten_person_is_unknown(store: &Store) {
    let record = site::ensured(store, 1).await.record;
    store.keys.ensure_claims(&[(7, record)], site::noon()).await.unwrap();
    assert_eq!(store.keys.person_keys(&[record]).await.unwrap().len(), 1);
    assert_eq!(store.keys.forget_persons(&[record]).await.unwrap(), [record]);
    assert!(store.keys.person_keys(&[record]).await.unwrap().is_empty());
    assert!(store.keys.claimed(7, &[record]).await.unwrap().is_empty());
    assert_eq!(store.keys.find(&site::realm(), &[site::person_id(1)]).await.unwrap(), [None]);
}

pub async fn a_consumer_key_lives_until_it_is_forgotten(store: &Store) {
    let record = site::ensured(store, 1).await.record;
    let reference = async |consumer| store.keys.consumer_key(consumer, site::noon()).await.unwrap().reference(record);
    let mine = reference(7).await;
    assert_eq!(reference(7).await, mine);
    assert_ne!(reference(8).await, mine);
    store.keys.ensure_claims(&[(7, record), (8, record)], site::noon()).await.unwrap();
    store.keys.forget_consumer(7).await.unwrap();
    assert_ne!(reference(7).await, mine);
    assert!(store.keys.claimed(7, &[record]).await.unwrap().is_empty());
    assert_eq!(store.keys.claimed(8, &[record]).await.unwrap().len(), 1);
}

pub async fn audit_references_hold_for_a_month(store: &Store) {
    let (id, number) = (site::person_id(1), site::cpr(1));
    assert!(store.keys.audit_references(&id, None, site::later(0)).is_err(), "no key yet");
    for hours in [0, 24 * 31] {
        store.keys.ensure_period(site::later(hours)).await.unwrap();
    }
    let references = |hours| store.keys.audit_references(&id, Some(&number), site::later(hours)).unwrap();
    assert_eq!(references(0), references(24));
    assert_eq!(references(0).period, "2026-07");
    assert_ne!(references(0).person, references(24 * 31).person);
    assert_ne!(Some(references(0).person), references(0).number);
    let eve = "2026-08-31T23:59:59Z".parse().unwrap();
    store.keys.ensure_period(eve).await.unwrap();
    let midnight = "2026-09-01T00:00:00Z".parse().unwrap();
    assert_eq!(store.keys.audit_references(&id, None, midnight).unwrap().period, "2026-09");
}
