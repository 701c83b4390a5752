//! A long life comes through whole: every group of it, every person in it, and each oddity of the register's people.

use cpr_operator::domain::field_group::FieldGroup;
use cpr_operator::domain::identifier::PersonId;
use cpr_operator::domain::person::{ParentRole, Person, Protection as Kind, ResidenceKind, RowState};
use cpr_operator::domain::render;
use cpr_operator::domain::status::StatusCode;
use cpr_operator::simulate::datafordeler::{Names, Protection};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::site::{Site, every_group};

fn today() -> Date {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Lets everything happen that a person can still be asked for afterwards.
fn live(site: &Site) -> PersonId {
    let (register, id) = (&site.register, site.settle());
    let who = id.expose();
    let other = site.settle().expose();
    register.rename(&who, Some("Nyfornavn"), Some("Nyefternavn"), date(2021, 1, 1)).unwrap();
    register.move_to(&who, "0101", date(2022, 1, 1)).unwrap();
    register.emigrate(&who, "5110", date(2022, 6, 1)).unwrap();
    register.return_home(&who, "0851", date(2023, 6, 1)).unwrap();
    register.marry(&who, &other, date(2023, 7, 1)).unwrap();
    register.change_citizenship(&who, "5120", date(2023, 8, 1)).unwrap();
    register.protect(&who, Protection::NameAndAddress, date(2023, 9, 1), None).unwrap();
    register.unprotect(&who, date(2023, 10, 1)).unwrap();
    register.protect(&who, Protection::Marketing, date(2023, 9, 1), None).unwrap();
    register.join_church(&who, date(2023, 11, 1)).unwrap();
    register.leave_church(&who, date(2023, 12, 1)).unwrap();
    let child = register.have_child(&who, Some(&other), date(2024, 1, 1)).unwrap();
    register.protect(&child, Protection::NameAndAddress, date(2024, 1, 2), None).unwrap();
    register.change_parent(&who, &site.settle().expose(), date(2024, 2, 1)).unwrap();
    register.set_custody(&who, &other, date(2024, 3, 1)).unwrap();
    register.set_guardianship(&who, "Værgine Opdigtet", date(2024, 4, 1)).unwrap();
    register.set_contact_address(&who, date(2024, 5, 1), None).unwrap();
    register.set_supplementary_address(&who, date(2024, 6, 1), None).unwrap();
    register.municipal_condition(&who, "A", date(2024, 7, 1)).unwrap();
    register.note(&who, "Opdigtet notat", date(2024, 8, 1), None).unwrap();
    register.change_number(&who, date(2024, 9, 1)).unwrap();
    id
}

async fn read(site: &Site, id: &PersonId) -> Person {
    let number = site.number_of(id);
    let mut persons = site.client.persons_by_number(&[number], every_group()).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood), (1, 0));
    assert_eq!((persons.dropped_rows, persons.unknown_fields, persons.unknown_values), (0, 0, 0));
    persons.found.remove(0)
}

fn said(person: &Person, group: FieldGroup) -> Value {
    render::group(person, group, today(), &mut |related| render::related(related, None))
}

#[tokio::test]
async fn every_group_of_a_long_life_comes_through() {
    for names in [Names::Documented, Names::Other] {
        let site = Site::speaking(names).await;
        let id = live(&site);
        let person = read(&site, &id).await;
        assert_eq!(person.held, every_group(), "{names:?}");
        for group in FieldGroup::ALL {
            // Where a service shows one object in place of a list, there is no history of it.
            let is_shown = names == Names::Documented || group != FieldGroup::ChurchHistory;
            assert_eq!(said(&person, group) != Value::Null, is_shown, "{names:?} {group:?}");
        }
        assert_eq!(person.status, StatusCode::Resident);
        assert_eq!(person.numbers.len(), 2);
        assert!(person.id.as_ref() == Some(&id) && person.birth.is_some());
        assert_eq!(said(&person, FieldGroup::Municipality)["code"], "0851");
        assert_eq!(said(&person, FieldGroup::Name)["last"], "Nyefternavn");
        assert_eq!(said(&person, FieldGroup::ContactAddress)["lines"][0], "Postboks 0");
        assert_eq!(said(&person, FieldGroup::MunicipalNotes)[0]["text"], "Opdigtet notat");
        assert_eq!(said(&person, FieldGroup::MunicipalConditions)[0]["code"], "A");
        assert_eq!(said(&person, FieldGroup::Citizenship)["country"], "Sverige");
        assert_eq!(said(&person, FieldGroup::CivilStatus)["code"], "G");
        assert_eq!(said(&person, FieldGroup::CivilStatusHistory)[0]["code"], "U");
    }
}

#[tokio::test]
async fn rows_keep_their_state_their_dates_and_when_the_register_learnt_them() {
    let site = Site::new().await;
    let person = read(&site, &live(&site)).await;
    let old = &person.addresses[0];
    assert_eq!(old.state, RowState::Historical);
    assert_eq!(old.from.map(|from| from.date), Some(super::site::SINCE));
    assert_eq!(old.until.map(|until| until.date), Some(date(2022, 1, 1)));
    assert!(old.registered.is_some());
    let kinds: Vec<_> = person.residences.iter().map(|row| (row.value.kind, row.value.country.is_some())).collect();
    assert_eq!(kinds, [(ResidenceKind::Emigrated, true), (ResidenceKind::Immigrated, true)]);
    let past = person.protections.iter().find(|row| row.value == Kind::NameAndAddress).unwrap();
    assert_eq!((past.state.clone(), person.is_protected(today())), (RowState::Historical, false));
}

#[tokio::test]
async fn other_persons_come_with_their_own_protection() {
    let site = Site::new().await;
    let person = read(&site, &live(&site)).await;
    let child = &person.children[0].value;
    assert!(child.id.is_some() && child.number.is_some());
    assert_eq!(child.protected, Some(true));
    assert_eq!(said(&person, FieldGroup::Children)[0]["person"], json!({ "withheld": true }));
    let holder = person.custody_holders.iter().find(|row| row.value.person.id.is_some()).unwrap();
    assert_eq!(holder.value.person.protected, Some(false));
    assert!(person.parents.iter().any(|row| row.value.role != ParentRole::Other && row.value.person.name.is_some()));
    assert_eq!(
        said(&person, FieldGroup::CivilStatus)["spouse"],
        json!({ "withheld": true }),
        "no flag is said of them"
    );
    assert_eq!(said(&person, FieldGroup::Guardianship)["guardian"], json!({ "withheld": true }));
}

#[tokio::test]
async fn each_oddity_is_read_without_loss() {
    let site = Site::with(super::site::settings(), |options| options.cases = true).await;
    let people = site.register.people();
    let ids: Vec<_> = people.iter().map(|person| PersonId::parse(&person.id).unwrap()).collect();
    let persons = site.client.persons_by_id(&ids, every_group()).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood, persons.dropped_rows), (people.len(), 0, 0));
    assert_eq!((persons.unknown_fields, persons.unknown_values), (0, 0));
    for citizen in &people {
        let is_them = |person: &&Person| person.id.as_ref().is_some_and(|id| id.expose() == citizen.id);
        let person = persons.found.iter().find(is_them).unwrap();
        let case = citizen.case.unwrap_or("ordinary");
        assert!(!matches!(person.status, StatusCode::Other(_)), "{case}");
        assert_eq!(person.is_protected(today()), citizen.protected, "{case}");
        assert!(person.numbers.iter().any(|row| row.value.0.expose() == citizen.number), "{case}");
        assert_eq!(person.held, every_group(), "{case}");
    }
    let orphan = people.iter().find(|person| person.case == Some("parents without a number")).unwrap();
    let orphan = persons.found.iter().find(|person| person.id.as_ref().unwrap().expose() == orphan.id).unwrap();
    let strangers: Vec<_> = orphan.parents.iter().filter(|row| row.value.person.id.is_none()).collect();
    assert_eq!(strangers.len(), 2);
    assert!(strangers.iter().all(|row| row.value.person.name.is_some() && row.from.is_some_and(|from| from.uncertain)));
}

#[tokio::test]
async fn an_old_number_leads_to_the_person_and_an_unknown_one_to_nobody() {
    let site = Site::new().await;
    let id = site.settle();
    let old = site.number_of(&id);
    site.register.change_number(&id.expose(), date(2024, 9, 1)).unwrap();
    let found = site.client.persons_by_number(&[old.clone(), site.number_of(&id)], every_group()).await.unwrap().found;
    assert_eq!(found.len(), 1, "asked for by two numbers, told once");
    assert!(found[0].number(today()) != Some(&old));
    let nobody = PersonId::parse("0191d5a0-0000-4000-8000-000000000000").unwrap();
    let persons = site.client.persons_by_id(&[nobody], every_group()).await.unwrap();
    assert_eq!((persons.found.len(), persons.not_understood), (0, 0));
}
