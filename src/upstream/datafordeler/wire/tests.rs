//! Answers as they are documented, and as they should not be.
#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::civil::date;
use serde_json::json;

use super::*;
use crate::domain::field_group::FieldGroup::*;
use crate::domain::person::{ParentRole, ResidenceKind, Sex};
use crate::domain::status::StatusCode;

const ID: &str = "7f3b2c1e-5a64-4c0d-9e21-0d6a1b2c3d4e";
const OTHER: &str = "00000000-5a64-4c0d-9e21-0d6a1b2c3d4e";

fn all() -> GroupSet {
    FieldGroup::ALL.into_iter().collect()
}

fn node() -> Value {
    json!({
        "id": ID, "status": "bopael_i_danmark", "statusdato": null, "foedselsdato": "1980-01-01", "koen": "kvinde",
        "personnumre": [{"personnummer": "6101800001", "status": "aktuel", "virkningfra": "1980-01-01", "virkningtil": null}],
        "navne": [
            {"adresseringsnavn": "Testesen,Åse", "fornavne": " Åse ", "mellemnavn": null, "efternavn": "Testesen",
             "status": "Aktuel", "virkningfra": "2001-02-03", "registreringfra": "2001-02-02T10:00:00.000000Z"},
            {"fornavne": "Åse", "efternavn": "Prøvesen", "status": "historisk", "virkningfra": "1980-01-01", "virkningtil": "2001-02-03"}],
        "adresseoplysninger": [{"conavn": "c/o Prøve", "status": "aktuel", "virkningfra": "2020-05-01",
            "cprAdresse": {"cprkommunekode": "101", "cprkommunenavn": "København", "cprvejkode": "0111", "husnummer": "011A",
                "etage": "02", "sidedoer": "tv", "postnummer": "1000", "postdistrikt": "København K", "vejnavn": "Prøvevej"},
            "supplerendeAdresse": {"adresselinie1": "Gården", "adresselinie2": "", "virkningfra": "2020-05-02"}}],
        "beskyttelser": [],
        "civilstande": [{"civilstandstype": "gift", "status": "aktuel", "virkningfra": "2010-01-01",
            "aegtefaelle": {"personid": OTHER, "beskyttelser": []}}],
        "statsborgerskaber": [{"status": "aktuel", "virkningFra": "1991-09-23", "virkningFraUsikkerhedsmarkering": true,
            "cprland": {"kode": "5100", "navn": "Danmark", "landekode": "DNK"}}],
        "boern": [{"virkningfra": "2012-01-01", "barn": {"personid": OTHER, "personnummer": "6101120002",
            "beskyttelser": [{"beskyttelsestype": "navne_og_adresse", "status": "aktuel"}], "navn": {"fornavne": "Bo", "efternavn": "Testesen"}}}],
        "foraeldreoplysninger": [
            {"foraelderrolle": "mor", "foraelder": {"personid": OTHER, "beskyttelser": [], "navn": [{"fornavne": "Ida", "efternavn": "X", "status": "historisk"}, {"fornavne": "Ida", "efternavn": "Testesen", "status": "aktuel"}]}},
            {"foraelderrolle": "far_medmor", "foraelder": null, "foraelderUdenCpr": {"navn": "John Doe", "foedselsdato": "1950-01-01"}}],
        "foraeldremyndighedsoplysninger": [{"foraeldremyndighedsindehaverrolle": "anden", "foraeldremyndighedsindehaver": OTHER, "status": "aktuel"}],
        "foraeldremyndighedOver": [{"barn": {"personid": OTHER}, "status": "aktuel", "virkningfra": "2012-01-01"}],
        "udrejseIndrejser": [{"cprlandekodeudrejse": "5110", "cprlandekodeindrejse": "5120", "status": "historisk", "virkningfra": "2015-01-01", "virkningtil": "2016-01-01"},
            {"cprlandekodeudrejse": "5130", "status": "aktuel", "virkningfra": "2018-01-01"}],
        "forsvindinger": [{"status": "historisk", "virkningfra": "2017-01-01", "virkningtil": "2017-06-01"}],
        "kontaktadresse": {"adresselinie1": "Postboks 1", "status": "aktuel"},
        "vaergemaal": [{"vaergemaalstype": "type1", "vaergenavn": "Vagn Værge", "status": "aktuel"}],
        "kommunaleForhold": [{"kommunaleforholdstype": "1", "kommunaleforholdskode": "22", "bemaerkning": "note", "status": "aktuel"}],
        "folkekirke": [{"tilhoersforhold": "medlem", "status": "aktuel"}],
        "notater": [{"notatlinie": "linie", "notatnummer": 1, "status": "aktuel"}]
    })
}

fn read_all(value: Value) -> Persons {
    persons(value, all(), &BTreeSet::new()).unwrap()
}

fn with(pointer: &str, value: Value) -> Value {
    let mut node = node();
    *node.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    node
}

fn without(key: &str) -> Value {
    let mut node = node();
    node.as_object_mut().unwrap().remove(key).unwrap();
    node
}

fn one(node: Value) -> Person {
    let read = read_all(json!([node]));
    assert_eq!(read.found.len(), 1, "{read:?}");
    read.found[0].clone()
}

#[test]
fn a_documented_answer_is_read_whole() {
    let read = read_all(json!([node()]));
    assert_eq!((read.not_understood, read.dropped_rows, read.unknown_fields, read.unknown_values), (0, 0, 0, 0));
    let person = &read.found[0];
    assert_eq!(person.held, all());
    assert_eq!((&person.status, person.sex), (&StatusCode::Resident, Sex::Female));
    assert_eq!(person.birth.unwrap().date, date(1980, 1, 1));
    assert_eq!(person.numbers[0].value.0.expose(), "6101800001");
    let on = date(2026, 1, 1);
    assert!(person.protection_known && !person.is_protected(on));
    assert_eq!(person.municipality(on).unwrap().to_string(), "0101");
    let address = &person.address(on).unwrap().value;
    assert_eq!(address.house_number.as_deref(), Some("11A"));
    assert_eq!((address.floor.as_deref(), address.care_of.as_deref()), (Some("02"), Some("c/o Prøve")));
    assert_eq!(person.supplementary_addresses[0].value.0, ["Gården"]);
    assert_eq!(person.supplementary_addresses[0].from.unwrap().date, date(2020, 5, 2));
    assert_eq!(person.names[0].state, RowState::Historical);
    assert_eq!(person.names[1].value.full().as_deref(), Some("Åse Testesen"));
    assert_eq!(person.names[1].registered.unwrap().to_string(), "2001-02-02T10:00:00Z");
    assert!(person.citizenships[0].from.unwrap().uncertain);
    assert_eq!(person.citizenships[0].value.country.as_deref(), Some("Danmark"));
    assert_eq!(person.contact_addresses[0].value.0, ["Postboks 1"]);
    assert_eq!(person.guardianships[0].value.guardian.as_ref().unwrap().name.as_deref(), Some("Vagn Værge"));
    assert_eq!(person.municipal_conditions[0].value.code.as_deref(), Some("22"));
    assert_eq!(person.church[0].value.kind, "medlem");
    assert_eq!(person.municipal_notes[0].value.text, "linie");
}

#[test]
fn other_persons_are_read_with_their_own_protection() {
    let person = one(node());
    let child = &person.children[0].value;
    assert_eq!((child.protected, child.name.as_deref()), (Some(true), Some("Bo Testesen")));
    assert_eq!(child.number.as_ref().unwrap().expose(), "6101120002");
    let parents: Vec<_> = person.parents.iter().map(|row| &row.value).collect();
    assert_eq!((&parents[0].role, parents[0].person.name.as_deref()), (&ParentRole::Mother, Some("Ida Testesen")));
    assert_eq!(parents[0].person.protected, Some(false));
    assert_eq!((&parents[1].role, parents[1].person.protected), (&ParentRole::FatherOrCoMother, None));
    assert_eq!(parents[1].person.name.as_deref(), Some("John Doe"));
    assert_eq!(person.civil_statuses[0].value.spouse.as_ref().unwrap().protected, Some(false));
    assert_eq!(person.custody_over[0].value.protected, None);
    assert_eq!(person.custody_holders[0].value.person.id.as_ref().unwrap().expose(), OTHER);
}

#[test]
fn another_persons_protection_fails_closed() {
    let protected = |rows: Value| one(with("/boern/0/barn/beskyttelser", rows)).children[0].value.protected;
    let row = |kind: &str, status: &str| json!([{"beskyttelsestype": kind, "status": status}]);
    assert_eq!(protected(json!([])), Some(false));
    assert_eq!(protected(row("markedsfoering", "aktuel")), Some(false));
    assert_eq!(protected(row("navne_og_adresse", "historisk")), Some(false));
    assert_eq!(protected(row("navne_og_adresse", "AKTUEL")), Some(true));
    assert_eq!(protected(row("noget_nyt", "aktuel")), Some(true));
    assert_eq!(protected(row("navne_og_adresse", "noget_nyt")), Some(true));
    assert_eq!(protected(json!(null)), None);
    assert_eq!(protected(json!("x")), None);
    assert_eq!(protected(json!([7])), None);
}

#[test]
fn protection_that_is_not_said_or_not_understood_is_not_known() {
    let known = |node: Value| {
        let person = one(node);
        (person.protection_known, person.held.contains(Protection))
    };
    assert_eq!(known(node()), (true, true));
    assert_eq!(known(without("beskyttelser")), (false, false));
    for odd in [json!(null), json!("ingen"), json!([3]), json!([{"beskyttelsestype": {}}])] {
        assert_eq!(known(with("/beskyttelser", odd)), (false, false));
    }
    let odd_state = json!([{"beskyttelsestype": "navne_og_adresse", "status": "noget_nyt"}]);
    assert_eq!(known(with("/beskyttelser", odd_state)), (false, true));
    let on = date(2026, 1, 1);
    let odd_kind = json!([{"beskyttelsestype": "noget_nyt", "status": "aktuel"}]);
    assert!(one(with("/beskyttelser", odd_kind)).is_protected(on));
    let unreadable_dates = json!([{"beskyttelsestype": "navne_og_adresse", "status": "aktuel", "virkningfra": "0000-00-00", "virkningtil": "soon"}]);
    assert!(one(with("/beskyttelser", unreadable_dates)).is_protected(on));
}

#[test]
fn protection_times_fall_on_danish_days() {
    let from = |text: &str| {
        let row = json!([{"beskyttelsestype": "navne_og_adresse", "status": "aktuel", "virkningfra": text}]);
        one(with("/beskyttelser", row)).protections[0].from.map(|from| from.date)
    };
    for (text, expected) in [
        ("2026-03-02", Some(date(2026, 3, 2))),
        ("2026-03-01T23:00:00.000000Z", Some(date(2026, 3, 2))),
        ("2026-03-02T00:00:00Z", Some(date(2026, 3, 2))),
        ("2026-03-02T00:00:00+01:00", Some(date(2026, 3, 2))),
        ("2026-03-02T00:00:00", Some(date(2026, 3, 2))),
        ("1952-00-00", None),
        ("x", None),
    ] {
        assert_eq!(from(text), expected, "{text}");
    }
}

#[test]
fn protections_end_at_danish_midnight_on_the_days_when_the_clock_changes() {
    for (instant, day) in [
        ("2026-03-28T23:00:00.000000Z", date(2026, 3, 29)),
        ("2026-03-29T22:00:00.000000Z", date(2026, 3, 30)),
        ("2026-10-24T22:00:00.000000Z", date(2026, 10, 25)),
        ("2026-10-25T23:00:00.000000Z", date(2026, 10, 26)),
        ("2026-03-29T00:00:00+01:00", date(2026, 3, 29)),
        ("2026-10-25T00:00:00", date(2026, 10, 25)),
    ] {
        let rows = json!([{"beskyttelsestype": "navne_og_adresse", "status": "aktuel", "virkningfra": "2020-01-01",
            "virkningtil": instant}]);
        let person = one(with("/beskyttelser", rows));
        assert_eq!(person.protections[0].until.unwrap().date, day, "{instant}");
    }
}

#[test]
fn both_forms_of_letters_are_read_as_one_and_counted_as_one() {
    let composed = "Å".repeat(34);
    let decomposed = "A\u{30a}".repeat(34);
    let person = one(with("/navne/0/adresseringsnavn", json!(decomposed)));
    let addressing = person.names.iter().find_map(|row| row.value.addressing.clone()).unwrap();
    assert_eq!((addressing.as_str(), addressing.chars().count()), (composed.as_str(), 34));
}

#[test]
fn a_person_without_what_is_indispensable_is_not_understood() {
    for broken in [
        without("id"),
        with("/id", json!("12345")),
        with("/id", json!(null)),
        without("status"),
        with("/status", json!(null)),
        with("/status", json!([])),
        without("personnumre"),
        with("/personnumre", json!(null)),
        with("/personnumre/0/personnummer", json!("123")),
        with("/personnumre/0", json!("6101800001")),
        without("adresseoplysninger"),
        with("/adresseoplysninger", json!("x")),
        with("/adresseoplysninger/0/cprAdresse", json!("x")),
        with("/adresseoplysninger/0/cprAdresse/cprkommunekode", json!([101])),
        json!(null),
        json!("person"),
    ] {
        let read = read_all(json!([broken, node()]));
        assert_eq!((read.found.len(), read.not_understood), (1, 1), "{broken}");
    }
}

#[test]
fn wrong_rows_are_dropped_counted_and_cost_their_groups() {
    for (pointer, lost) in [
        ("/navne/0/fornavne", vec![Name, NameHistory]),
        ("/civilstande/0/civilstandstype", vec![CivilStatus, CivilStatusHistory]),
        ("/statsborgerskaber/0/cprland", vec![Citizenship, CitizenshipHistory]),
        ("/boern/0/barn", vec![Children]),
        ("/foraeldreoplysninger/0/foraelder", vec![Parents]),
        ("/udrejseIndrejser/0/virkningfra", vec![Residence]),
        ("/kontaktadresse/adresselinie1", vec![ContactAddress]),
        ("/vaergemaal/0/vaergemaalstype", vec![Guardianship]),
        ("/folkekirke/0/tilhoersforhold", vec![Church, ChurchHistory]),
        ("/adresseoplysninger/0/supplerendeAdresse", vec![SupplementaryAddress]),
    ] {
        let read = read_all(json!([with(pointer, json!(true))]));
        assert_eq!(read.found.len(), 1, "{pointer}");
        assert_eq!(all().minus(read.found[0].held), GroupSet::of(&lost), "{pointer}");
        assert!(read.dropped_rows > 0, "{pointer}");
    }
    let person = one(with("/navne/0/fornavne", json!(true)));
    assert_eq!(person.names.len(), 1);
}

#[test]
fn members_that_are_absent_wrong_or_named_by_an_error_are_not_held() {
    for key in ["navne", "boern", "koen", "foedselsdato", "folkekirke", "notater"] {
        let lost = groups(key);
        assert!(!one(without(key)).held.iter().any(|group| lost.contains(group)), "{key}");
        let broken = BTreeSet::from([key.to_owned()]);
        let read = persons(json!([node()]), all(), &broken).unwrap();
        assert_eq!(read.found[0].held, all().minus(lost), "{key}");
    }
    let protection = persons(json!([node()]), all(), &BTreeSet::from(["beskyttelser".to_owned()])).unwrap();
    assert!(!protection.found[0].protection_known);
    assert!(one(with("/boern", json!(null))).held.contains(Children));
    assert!(!one(with("/boern", json!(3))).held.contains(Children));
}

#[test]
fn only_selected_groups_are_held_and_expected() {
    let least = json!([{"id": ID, "status": "udrejst", "statusdato": "2020-01-01", "personnumre": [{"personnummer": 101800001}],
        "adresseoplysninger": [], "beskyttelser": []}]);
    let read = persons(least, GroupSet::ALWAYS_HELD, &BTreeSet::new()).unwrap();
    let person = &read.found[0];
    assert_eq!((person.held, &person.status), (GroupSet::ALWAYS_HELD, &StatusCode::Emigrated));
    assert_eq!(person.numbers[0].value.0.expose(), "0101800001");
    assert_eq!(person.status_since.unwrap().date, date(2020, 1, 1));
}

#[test]
fn unknown_members_and_values_are_counted_and_not_fatal() {
    let mut node = node();
    node["nyt"] = json!({"a": 1});
    node["navne"][0]["nyt"] = json!(1);
    node["__typename"] = json!("Person");
    node["status"] = json!("noget_nyt");
    node["koen"] = json!("x");
    node["navne"][0]["status"] = json!("noget_nyt");
    let read = read_all(json!([node]));
    assert_eq!((read.unknown_fields, read.unknown_values, read.not_understood), (2, 3, 0));
    assert_eq!(read.found[0].status, StatusCode::Other("noget_nyt".into()));
    assert_eq!(read.found[0].names[1].state, RowState::Other("noget_nyt".into()));
}

#[test]
fn every_status_is_known() {
    for (text, code) in [
        ("bopael_i_danmark", 1),
        ("bopael_i_danmark_hoej_vejkode", 3),
        ("bopael_i_groenland", 5),
        ("bopael_i_groenland_hoej_vejkode", 7),
        ("ej_bopael", 20),
        ("annulleret", 30),
        ("nedlagt_person", 50),
        ("60", 60),
        ("forsvundet", 70),
        ("Udrejst", 80),
        ("doed", 90),
        ("01", 1),
    ] {
        assert_eq!(one(with("/status", json!(text))).status.code(), Some(code), "{text}");
    }
}

#[test]
fn residences_are_joined_in_order() {
    let person = one(node());
    let told: Vec<_> = person
        .residences
        .iter()
        .map(|row| {
            (row.value.kind, row.from.unwrap().date.year(), row.until.map(|until| until.date.year()), &row.state)
        })
        .collect();
    use ResidenceKind::*;
    assert_eq!(
        told,
        [
            (Emigrated, 2015, Some(2016), &RowState::Historical),
            (Immigrated, 2016, Some(2018), &RowState::Historical),
            (Disappeared, 2017, Some(2017), &RowState::Historical),
            (Emigrated, 2018, None, &RowState::Current),
        ]
    );
}

#[test]
fn single_objects_and_a_person_given_twice_are_read() {
    let mut node = node();
    node["navne"] = node["navne"][0].clone();
    assert_eq!(one(node.clone()).names.len(), 1);
    let read = read_all(json!([node, node]));
    assert_eq!(read.found.len(), 1);
    assert_eq!(read_all(node).found.len(), 1);
    assert_eq!(persons(json!("x"), all(), &BTreeSet::new()), Err(NotPersons));
    assert_eq!(read_all(json!(null)).found.len(), 0);
}
