//! Whatever way the open names turned out, the same questions get the same answers.

use cpr_operator::domain::field_group::{FieldGroup, GroupSet};
use cpr_operator::simulate::datafordeler::{Fault, Names, Service};
use cpr_operator::upstream::datafordeler::{Error, Lookup};

use super::site::{Site, every_group};

const ALL: [Names; 4] = [Names::Documented, Names::Other, Names::WithoutPersonId, Names::Fewer];

/// What the service of each dialect can be asked and can give.
fn expected(names: Names) -> (Option<Lookup>, GroupSet) {
    use FieldGroup::{Guardianship, MunicipalConditions, MunicipalNotes};
    let fewer = GroupSet::of(&[Guardianship, MunicipalConditions, MunicipalNotes]);
    match names {
        Names::Documented => (Some(Lookup::Batch), every_group()),
        Names::Other => (Some(Lookup::Single), every_group()),
        Names::WithoutPersonId => (None, every_group()),
        Names::Fewer => (Some(Lookup::Batch), every_group().minus(fewer)),
    }
}

#[tokio::test]
async fn each_dialect_is_understood_from_its_schema() {
    for names in ALL {
        let site = Site::speaking(names).await;
        let understood = site.client.learn().await.unwrap();
        let (by_id, offered) = expected(names);
        assert!(understood.from_schema && understood.events && understood.hash.is_some(), "{names:?}");
        assert_eq!((understood.lookup_by_id, understood.lookup_by_number), (by_id, Some(Lookup::Batch)), "{names:?}");
        assert_eq!(understood.offered, offered, "{names:?} {:?}", understood.missing);
        let renamed = understood.chosen.iter().any(|chosen| chosen.contains("fornavn"));
        assert_eq!(renamed, names == Names::Other, "{:?}", understood.chosen);
    }
}

#[tokio::test]
async fn a_person_reads_the_same_in_each_dialect() {
    let mut first = None;
    for names in ALL {
        let site = Site::speaking(names).await;
        let id = site.settle();
        let number = site.number_of(&id);
        let by_number = site.client.persons_by_number(&[number], every_group()).await.unwrap();
        assert_eq!((by_number.found.len(), by_number.not_understood, by_number.dropped_rows), (1, 0, 0), "{names:?}");
        assert_eq!((by_number.unknown_fields, by_number.unknown_values), (0, 0), "{names:?}");
        let person = &by_number.found[0];
        assert_eq!(person.held, expected(names).1, "{names:?}");
        match site.client.persons_by_id(&[id], every_group()).await {
            Ok(by_id) => assert!(by_id.found == by_number.found, "{names:?}"),
            Err(error) => assert_eq!((names, error), (Names::WithoutPersonId, Error::NoLookupById)),
        }
        let address = &person.addresses[0].value;
        assert_eq!(address.municipality_code.as_deref(), Some("0851"), "{names:?}");
        let read = (person.names[0].value.clone(), address.road_name.clone(), person.birth);
        let before = first.get_or_insert_with(|| read.clone());
        assert!(*before == read, "the same seed is the same person, {names:?}");
    }
}

#[tokio::test]
async fn many_persons_come_in_batches_that_the_service_takes() {
    for (names, expected) in [(Names::Documented, vec![100, 100, 50]), (Names::Other, vec![1; 250])] {
        let site = Site::speaking(names).await;
        site.register.add_people(250).unwrap();
        let ids: Vec<_> = site.register.people().iter().map(|person| person.id.parse_id()).collect();
        let persons = site.client.persons_by_id(&ids, GroupSet::EMPTY).await.unwrap();
        assert_eq!((persons.found.len(), persons.not_understood), (250, 0), "{names:?}");
        assert_eq!(site.batches(), expected, "{names:?}");
        let numbers: Vec<_> = ids.iter().map(|id| site.number_of(id)).collect();
        assert_eq!(site.client.persons_by_number(&numbers, GroupSet::EMPTY).await.unwrap().found.len(), 250);
        assert_eq!(site.batches()[expected.len()..], [100, 100, 50], "{names:?}");
    }
}

#[tokio::test]
async fn notices_and_their_imports_are_found_in_each_dialect() {
    for names in ALL {
        let site = Site::speaking(names).await;
        let (old, new) = (site.settle(), site.settle());
        let first = site.register.load();
        site.register.move_within(&old.expose(), super::site::SINCE).unwrap();
        let second = site.register.load();
        assert_eq!(site.client.import_status().await.unwrap().last_sequence_number, second, "{names:?}");
        let start = site.client.find_event_before_import(second).await.unwrap();
        let late = site.notices(start).await;
        assert!(!late.is_empty() && late.iter().all(|notice| notice.import == second && notice.person == old));
        let all = site.notices(0).await;
        assert!(all.iter().any(|notice| notice.import == first && notice.person == new), "{names:?}");
        assert!(all.is_sorted_by_key(|notice| notice.event_id));
        assert_eq!(all.len(), late.len() + 2, "{names:?}: one notice for each person settled");
        let end = site.client.find_event_before_import(second + 1).await.unwrap();
        assert!(site.notices(end).await.is_empty() && end >= late[late.len() - 1].event_id, "{names:?}");
    }
}

#[tokio::test]
async fn notices_come_page_by_page_and_skip_what_is_about_other_things() {
    let settings = cpr_operator::upstream::datafordeler::Settings { page_size: 10, ..super::site::settings() };
    let site = Site::with(settings, |options| options.people = 35).await;
    let all = site.notices(0).await;
    assert_eq!(all.len(), 35);
    assert_eq!(site.statuses(Service::Events).len(), 4);
    assert!(all.iter().all(|notice| notice.municipality_now.is_some()));
}

#[tokio::test]
async fn without_a_schema_the_documented_form_is_accepted_by_the_register() {
    let site = Site::new().await;
    site.register.faults().set_for(Fault::Forbidden, Some(&[Service::Schema]), None);
    let id = site.settle();
    let import = site.register.load();
    let understood = site.client.learn().await.unwrap();
    assert!(!understood.from_schema && understood.hash.is_none());
    assert_eq!(site.client.import_status().await.unwrap().last_sequence_number, import);
    assert_eq!(site.notices(0).await.len(), 1);
    let persons = site.client.persons_by_id(std::slice::from_ref(&id), every_group()).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood, persons.dropped_rows), (1, 0, 0));
    assert!(persons.found[0].protection_known && persons.found[0].held.contains(FieldGroup::Parents));
    let by_number = site.client.persons_by_number(&[site.number_of(&id)], every_group()).await.unwrap();
    assert!(by_number.found == persons.found);
}

#[tokio::test]
async fn only_what_is_granted_is_asked_for() {
    let site = Site::new().await;
    let id = site.settle();
    let asked = GroupSet::of(&[FieldGroup::Birth]);
    let person = site.client.persons_by_id(&[id], asked).await.unwrap().found.remove(0);
    assert_eq!(person.held, GroupSet::ALWAYS_HELD.union(asked));
    assert!(person.birth.is_some() && person.names.is_empty() && person.civil_statuses.is_empty());
    assert!(person.addresses[0].value.road_name.is_none(), "of the address only the municipality");
}

/// A PersonID as the register writes it.
trait ParseId {
    fn parse_id(&self) -> cpr_operator::domain::identifier::PersonId;
}

impl ParseId for String {
    fn parse_id(&self) -> cpr_operator::domain::identifier::PersonId {
        cpr_operator::domain::identifier::PersonId::parse(self).unwrap()
    }
}
