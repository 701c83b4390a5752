//! Compiled resources, what the stages found, and the small nouns of ingest.

use cpr_operator::domain::compiled::{Announce, PayloadLevel, Selector, Subscription};
use cpr_operator::domain::event_type::{EventType, TypeSet};
use cpr_operator::domain::field_group::GroupSet;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::resource::{ProtectedPersons, ResourceKey, Sector};
use cpr_operator::store::consumer::ConsumerState;
use cpr_operator::store::cursor::{Cursor, Import};
use cpr_operator::store::source::SourceState;
use cpr_operator::store::subscription::EndReason;
use cpr_operator::store::told::Told;
use cpr_operator::store::{Store, consumer, cursor, meta, missed, retention, selection, source, subscription, told};
use jiff::Timestamp;

use super::site;

fn form(ends_at: Option<Timestamp>) -> Subscription {
    Subscription {
        key: ResourceKey::new("skole", "flytning"),
        source: ResourceKey::new("borgerservice", "s"),
        consumer: ResourceKey::new("skole", "c"),
        purpose: "skolegang".into(),
        legal_bases: vec!["Folkeskoleloven § 36".into()],
        selector: Selector::everyone(),
        places: Default::default(),
        types: [EventType::MovedIn].into_iter().collect(),
        level: PayloadLevel::Reference,
        fields: GroupSet::EMPTY,
        granted: GroupSet::ALWAYS_HELD,
        protected_persons: ProtectedPersons::Mask,
        sector: Sector::Public,
        follow_inactive: std::time::Duration::from_secs(3600),
        follow_on_move: None,
        announce: Announce::None,
        suspended: false,
        ends_at,
    }
}

pub async fn a_compiled_resource_is_read_back_as_written(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let form = form(Some(site::later(1)));
    let mut tx = store.main.begin().await.unwrap();
    let before = meta::configuration(&mut tx).await.unwrap();
    assert_eq!(meta::raise_configuration(&mut tx).await.unwrap(), before + 1);
    assert_eq!(meta::configuration(&mut tx).await.unwrap(), before + 1);
    let (id, began) = subscription::upsert(&mut tx, &form.key, "u", 3, s, c, Some(&form), site::noon()).await.unwrap();
    assert!(began);
    let row = subscription::find(&mut tx, &form.key).await.unwrap().unwrap();
    assert_eq!((row.id, row.generation, row.source, row.consumer), (id, 3, s, c));
    assert_eq!((row.compiled.as_ref(), row.began_at, row.ended_at), (Some(&form), site::noon(), None));
    let found = consumer::find(&mut tx, &form.consumer).await.unwrap().unwrap();
    assert_eq!((found.id, found.compiled), (c, Some(site::consumer_form("c"))));
    let found = source::find(&mut tx, &form.source).await.unwrap().unwrap();
    assert_eq!((found.id, found.compiled), (s, Some(site::source_form("s"))));
    source::upsert(&mut tx, &form.source, "u", 2, None).await.unwrap();
    let found = source::all(&mut tx).await.unwrap().remove(0);
    assert_eq!((found.id, found.generation, found.compiled), (s, 2, None));
    assert!(source::find(&mut tx, &ResourceKey::new("andre", "s")).await.unwrap().is_none());
}

pub async fn an_ended_resource_is_taken_up_again_under_its_id(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let form = form(None);
    let mut tx = store.main.begin().await.unwrap();
    consumer::write_verified(&mut tx, c, "fingerprint", site::noon()).await.unwrap();
    assert!(consumer::end(&mut tx, c, site::noon()).await.unwrap());
    assert!(!consumer::end(&mut tx, c, site::later(1)).await.unwrap());
    let key = site::consumer_form("c").key;
    assert_eq!(consumer::find(&mut tx, &key).await.unwrap().unwrap().ended_at, Some(site::noon()));
    assert_eq!(consumer::upsert(&mut tx, &key, "new", 1, None).await.unwrap(), c);
    let row = consumer::find(&mut tx, &key).await.unwrap().unwrap();
    assert_eq!((row.uid.as_str(), row.ended_at, row.verified.as_deref()), ("new", None, Some("fingerprint")));

    let (id, _) = subscription::upsert(&mut tx, &form.key, "u", 1, s, c, Some(&form), site::noon()).await.unwrap();
    assert!(subscription::end(&mut tx, id, EndReason::Deleted, site::later(1)).await.unwrap());
    let row = subscription::all(&mut tx).await.unwrap().remove(0);
    assert_eq!((row.end_reason, row.deleted_at), (Some(EndReason::Deleted), Some(site::later(1))));
    let again = subscription::upsert(&mut tx, &form.key, "v", 1, s, c, Some(&form), site::later(2)).await.unwrap();
    assert_eq!(again, (id, true));
    let row = subscription::all(&mut tx).await.unwrap().remove(0);
    assert_eq!((row.began_at, row.ended_at, row.end_reason, row.deleted_at), (site::later(2), None, None, None));
    let unchanged = subscription::upsert(&mut tx, &form.key, "v", 2, s, c, Some(&form), site::later(3)).await.unwrap();
    assert_eq!(unchanged, (id, false));
}

pub async fn an_earlier_selection_is_kept_while_somebody_stands_by_it(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let (one, two) = (form(None), Subscription { purpose: "andet".into(), ..form(None) });
    let mut tx = store.main.begin().await.unwrap();
    let (id, _) = subscription::upsert(&mut tx, &one.key, "u", 1, s, c, Some(&one), site::noon()).await.unwrap();
    subscription::upsert(&mut tx, &one.key, "u", 1, s, c, Some(&one), site::noon()).await.unwrap();
    subscription::upsert(&mut tx, &one.key, "u", 2, s, c, Some(&two), site::noon()).await.unwrap();
    subscription::end(&mut tx, id, EndReason::Deleted, site::noon()).await.unwrap();
    let earlier = selection::all(&mut tx).await.unwrap();
    let forms: Vec<_> = earlier.iter().map(|earlier| (earlier.until, earlier.form.as_ref())).collect();
    assert_eq!(forms, [(1, None), (2, Some(&one)), (3, Some(&two))]);
    assert_eq!(meta::selectors(&mut tx).await.unwrap(), 3);
    tx.commit().await.unwrap();

    let mut row = site::row(&site::ensured(store, 1).await, s, 1);
    row.settled = 2;
    site::write(store, &[row]).await;
    let mut tx = store.main.begin().await.unwrap();
    selection::forget_settled(&mut tx).await.unwrap();
    assert_eq!(selection::all(&mut tx).await.unwrap().len(), 1);
    assert!(retention::delete_subscription(&mut tx, id).await.unwrap());
    assert!(selection::all(&mut tx).await.unwrap().is_empty());
}

pub async fn a_form_that_was_taken_away_and_comes_back_is_a_new_selection(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let one = form(None);
    let mut tx = store.main.begin().await.unwrap();
    for (compiled, version) in [(Some(&one), 1), (None, 2), (None, 2), (Some(&one), 3), (Some(&one), 3)] {
        subscription::upsert(&mut tx, &one.key, "u", 1, s, c, compiled, site::noon()).await.unwrap();
        assert_eq!(meta::selectors(&mut tx).await.unwrap(), version);
    }
}

pub async fn an_expired_subscription_is_not_revived_by_its_old_form(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let old = form(Some(site::later(1)));
    let mut tx = store.main.begin().await.unwrap();
    let (id, _) = subscription::upsert(&mut tx, &old.key, "u", 1, s, c, Some(&old), site::noon()).await.unwrap();
    assert!(subscription::end(&mut tx, id, EndReason::Expired, site::later(1)).await.unwrap());
    let same = subscription::upsert(&mut tx, &old.key, "u", 1, s, c, Some(&old), site::later(2)).await.unwrap();
    assert_eq!(same, (id, false));
    let row = subscription::find(&mut tx, &old.key).await.unwrap().unwrap();
    assert_eq!((row.ended_at, row.end_reason), (Some(site::later(1)), Some(EndReason::Expired)));
    let longer = form(Some(site::later(9)));
    let again = subscription::upsert(&mut tx, &old.key, "u", 2, s, c, Some(&longer), site::later(2)).await.unwrap();
    assert_eq!(again, (id, true));
}

pub async fn only_a_changed_state_raises_the_revision(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let state = SourceState { unread: 1, ..SourceState::default() };
    let mut tx = store.main.begin().await.unwrap();
    assert!(source::write_state(&mut tx, s, &state).await.unwrap());
    let (changed, revision) = source::changed_since(&mut tx, 0).await.unwrap();
    assert_eq!(changed, [site::source_form("s").key]);
    assert!(!source::write_state(&mut tx, s, &state).await.unwrap());
    assert_eq!(source::changed_since(&mut tx, revision).await.unwrap(), (vec![], revision));
    assert_eq!(source::state(&mut tx, s).await.unwrap(), Some(state));
    assert_eq!(consumer::state(&mut tx, c).await.unwrap(), None);
    assert!(consumer::write_state(&mut tx, c, &ConsumerState::default()).await.unwrap());
    let (changed, next) = consumer::changed_since(&mut tx, revision).await.unwrap();
    assert_eq!(changed, [site::consumer_form("c").key]);
    assert!(next > revision);
}

pub async fn a_cursor_forgets_notices_before_the_last_two_imports(store: &Store) {
    let s = site::source(store, "s").await;
    let import = |number| Import { number, last_event: 10, notices: 2 };
    let mut tx = store.main.begin().await.unwrap();
    assert_eq!(cursor::read(&mut tx, s).await.unwrap(), None);
    let seen = [(1, 10), (2, 10), (3, 10), (4, 10)];
    cursor::mark_seen(&mut tx, s, &seen).await.unwrap();
    cursor::mark_seen(&mut tx, s, &seen[..1]).await.unwrap();
    let asked = [(4, 11), (4, 10), (2, 9), (1, 10)];
    assert_eq!(cursor::unseen(&mut tx, s, &asked).await.unwrap(), [(4, 11), (2, 9)]);
    let moved = Cursor { import: 3, imports: vec![import(1), import(2), import(3)] };
    cursor::write(&mut tx, s, &moved).await.unwrap();
    assert_eq!(cursor::read(&mut tx, s).await.unwrap(), Some(moved));
    assert_eq!(cursor::unseen(&mut tx, s, &seen).await.unwrap(), [(1, 10)]);
}

pub async fn a_statement_lives_until_it_is_undone(store: &Store) {
    let c = site::consumer(store, "c").await;
    let record = RecordId::random();
    let told = |type_| Told { consumer: c, record, type_ };
    let mut tx = store.main.begin().await.unwrap();
    let stated = [told(EventType::Died), told(EventType::Emigrated)];
    told::write(&mut tx, &stated, &[], site::noon()).await.unwrap();
    let types = |types: &[EventType]| types.iter().copied().collect::<TypeSet>();
    assert_eq!(
        told::find(&mut tx, &[record]).await.unwrap()[&record][&c],
        types(&[EventType::Died, EventType::Emigrated])
    );
    told::write(&mut tx, &[], &stated[..1], site::noon()).await.unwrap();
    assert_eq!(told::find(&mut tx, &[record]).await.unwrap()[&record][&c], types(&[EventType::Emigrated]));
    assert_eq!(told::expire(&mut tx, site::noon(), 10).await.unwrap(), 0);
    assert_eq!(told::expire(&mut tx, site::later(1), 10).await.unwrap(), 1);
    assert!(told::find(&mut tx, &[record]).await.unwrap().is_empty());
}

pub async fn the_first_that_was_missed_counts(store: &Store) {
    let (s, c) = (site::source(store, "s").await, site::consumer(store, "c").await);
    let form = form(None);
    let record = RecordId::random();
    let mut tx = store.main.begin().await.unwrap();
    let (id, _) = subscription::upsert(&mut tx, &form.key, "u", 1, s, c, Some(&form), site::noon()).await.unwrap();
    missed::write(&mut tx, &[(id, record, true)]).await.unwrap();
    missed::write(&mut tx, &[(id, record, false)]).await.unwrap();
    assert_eq!(missed::read(&mut tx, id, 10).await.unwrap(), [(record, true)]);
    missed::delete(&mut tx, id, &[record]).await.unwrap();
    assert!(missed::read(&mut tx, id, 10).await.unwrap().is_empty());
    missed::write(&mut tx, &[(id, record, true)]).await.unwrap();
    assert!(retention::delete_subscription(&mut tx, id).await.unwrap());
    assert!(subscription::all(&mut tx).await.unwrap().is_empty());
}

pub async fn an_ended_source_goes_with_its_cursor(store: &Store) {
    let s = site::source(store, "s").await;
    let mut tx = store.main.begin().await.unwrap();
    cursor::write(&mut tx, s, &Cursor { import: 1, imports: vec![] }).await.unwrap();
    let notices: Vec<_> = (0..1_500).map(|event| (1, event)).collect();
    cursor::mark_seen(&mut tx, s, &notices).await.unwrap();
    source::write_state(&mut tx, s, &SourceState::default()).await.unwrap();
    assert!(source::end(&mut tx, s, site::noon()).await.unwrap());
    assert!(!retention::delete_source(&mut tx, s).await.unwrap(), "a thousand rows at a time");
    assert!(retention::delete_source(&mut tx, s).await.unwrap());
    assert!(source::all(&mut tx).await.unwrap().is_empty());
    assert_eq!(cursor::read(&mut tx, s).await.unwrap(), None);
}
