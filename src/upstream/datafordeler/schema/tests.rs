//! Schemas with the documented names, with others, and with gaps.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::domain::field_group::FieldGroup::*;
use crate::domain::field_group::{FieldGroup, GroupSet};

use super::super::query;
use super::sdl::NotASchema;
use super::*;

/// An entity service as it is documented.
pub const ENTITIES: &str = r#"
schema { query: Query }
"The root" type Query {
  CPR_Events(first: Int, after: String, where: CPR_EventsFilterInput): CPR_EventsConnection
    @listSize(assumedSize: 1000, slicingArguments: ["first"], requireOneSlicingArgument: false) @cost(weight: "10")
  DAF_RegisterImportStatus: DAF_RegisterImportStatus
}
type CPR_EventsConnection { pageInfo: PageInfo! nodes: [CPR_Events!] }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type CPR_Events { eventid: Long! entityname: String! datafordelerRegisterImportSequenceNumber: Int! object_id: String
  object_kommunekodenuvaerende: String object_kommunekodetidligere: String fromfailedimport: Boolean }
type DAF_RegisterImportStatus { lastSequenceNumber: Int lastEventId: Long lastUpdated: DafDateTime }
input CPR_EventsFilterInput { and: [CPR_EventsFilterInput!] eventid: DafLongOperationFilterInput
  entityname: DafStringOperationFilterInput }
input DafLongOperationFilterInput { eq: Long gt: Long gte: Long in: [Long!] }
input DafStringOperationFilterInput { eq: String in: [String!] }
scalar Long
scalar DafDateTime
"#;

const ROWS: &str =
    "status: String virkningfra: LocalDate virkningtil: LocalDate virkningfrausikkerhedsmarkering: Boolean";

/// A person service as it is documented, with words replaced by others.
pub fn person_service(replace: &[(&str, &str)]) -> String {
    let text = format!(
        r#"
type Query {{ CPRCustom_PublicSectorPerson(input: PersonInput): PersonConnection }}
type PersonConnection {{ nodes: [Person!] }}
input PersonInput {{ person: PersonFilter personnummer: NumberFilter cprAdresse: AddressFilter }}
input PersonFilter {{ id: StringOp status: StringOp }}
input NumberFilter {{ personnummer: StringOp }}
input AddressFilter {{ cprkommunekode: StringOp }}
input StringOp {{ eq: String in: [String!] }}
scalar LocalDate
type Person {{
  id: String! status: String! statusdato: LocalDate foedselsdato: LocalDate koen: String
  personnumre: [Personnummer!]! navne: [Navn!] adresseoplysninger: [Adresse!] beskyttelser: [Beskyttelse!]
  civilstande: [Civilstand!] statsborgerskaber: [Statsborgerskab!] boern: [Barn!] foraeldreoplysninger: [Foraelder!]
  foraeldremyndighedsoplysninger: [Myndighed!] foraeldremyndighedOver: [MyndighedOver!]
  udrejseIndrejser: [Udrejse!] forsvindinger: [Forsvinding!] kontaktadresse: Kontaktadresse vaergemaal: [Vaergemaal!]
  kommunaleForhold: [Forhold!] folkekirke: [Folkekirke!] notater: [Notat!]
}}
type Personnummer {{ personnummer: String! {ROWS} }}
type Navn {{ adresseringsnavn: String fornavne: String mellemnavn: String efternavn: String {ROWS} registreringfra: String }}
type Adresse {{ conavn: String {ROWS} cprAdresse: CprAdresse supplerendeAdresse: Linier }}
type CprAdresse {{ daradresse: String cprkommunekode: String cprkommunenavn: String cprvejkode: String vejnavn: String
  husnummer: String etage: String sidedoer: String postnummer: String postdistrikt: String }}
type Linier {{ virkningfra: LocalDate virkningtil: LocalDate adresselinie1: String adresselinie2: String }}
type Beskyttelse {{ beskyttelsestype: String {ROWS} }}
type Civilstand {{ civilstandstype: String {ROWS} aegtefaelle: Simpel }}
type Statsborgerskab {{ status: String virkningFra: LocalDate virkningFraUsikkerhedsmarkering: Boolean cprland: Land }}
type Land {{ kode: String navn: String landekode: String }}
type Simpel {{ personid: String personnummer: String beskyttelser: [Beskyttelse!] navn: Navn }}
type Barn {{ virkningfra: LocalDate barn: Simpel }}
type Foraelder {{ foraelderrolle: String virkningfra: LocalDate foraelder: Simpel foraelderUdenCpr: UdenCpr }}
type UdenCpr {{ personid: String navn: String foedselsdato: LocalDate }}
type Myndighed {{ foraeldremyndighedsindehaverrolle: String foraeldremyndighedsindehaver: String {ROWS} }}
type MyndighedOver {{ barn: Simpel {ROWS} }}
type Udrejse {{ cprlandekodeudrejse: String cprlandekodeindrejse: String {ROWS} }}
type Forsvinding {{ {ROWS} }}
type Kontaktadresse {{ adresselinie1: String {ROWS} }}
type Vaergemaal {{ vaergemaalstype: String vaergenavn: String {ROWS} }}
type Forhold {{ kommunaleforholdstype: String kommunaleforholdskode: String bemaerkning: String {ROWS} }}
type Folkekirke {{ tilhoersforhold: String {ROWS} }}
type Notat {{ notatlinie: String notatnummer: Int {ROWS} }}
"#
    );
    replace.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    })
}

fn learn(persons: &str) -> Known {
    Known::read(Some(ENTITIES), Some(persons))
}

fn all() -> GroupSet {
    FieldGroup::ALL.into_iter().collect()
}

fn query_by_id(known: &Known, groups: GroupSet) -> serde_json::Value {
    let filter = known.persons.by_id.clone().unwrap();
    let groups = groups.union(GroupSet::ALWAYS_HELD);
    let ids = ["a".to_owned(), "b".to_owned()];
    let query = query::persons(&known.persons, &filter, &ids, groups, &[], None);
    graphql_parser::parse_query::<&str>(query.body["query"].as_str().unwrap()).expect("a well-formed query");
    query.body
}

#[test]
fn the_documented_names_offer_every_group() {
    let known = learn(&person_service(&[]));
    let understanding = &known.understanding;
    assert_eq!(understanding.offered, all(), "{:?}", understanding.missing);
    assert!(understanding.from_schema && understanding.events && understanding.missing.is_empty());
    assert_eq!(understanding.lookup_by_id, Some(Lookup::Batch));
    let body = query_by_id(&known, all());
    let text = body["query"].as_str().unwrap();
    assert!(text.starts_with("query ($v: [String!]) { CPRCustom_PublicSectorPerson(input: {person: {id: {in: $v}}})"));
    assert!(text.contains("virkningFraUsikkerhedsmarkering") && text.contains("fornavne"));
    assert_eq!(text.matches("beskyttelser {").count(), 5, "on the person and on every other person: {text}");
    assert_eq!(body["variables"], serde_json::json!({"v": ["a", "b"]}));
}

#[test]
fn only_what_the_groups_need_is_selected() {
    let known = learn(&person_service(&[]));
    let least = query_by_id(&known, GroupSet::EMPTY).to_string();
    for needed in ["personnummer", "statusdato", "cprkommunekode", "virkningtil", "beskyttelsestype"] {
        assert!(least.contains(needed), "{needed}");
    }
    for other in
        ["navne", "husnummer", "koen", "foedselsdato", "boern", "conavn", "folkekirke", "notater", "adresselinie"]
    {
        assert!(!least.contains(other), "{other}");
    }
    let address = query_by_id(&known, GroupSet::of(&[Address])).to_string();
    assert!(address.contains("husnummer") && address.contains("conavn") && !address.contains("adresselinie"));
}

#[test]
fn members_that_are_demanded_are_selected_whatever_the_groups() {
    let known = learn(&person_service(&[]));
    let filter = known.persons.by_number.clone().unwrap();
    let query = query::persons(&known.persons, &filter, &[], GroupSet::ALWAYS_HELD, &["navne", "koen"], None);
    let text = query.body.to_string();
    assert!(text.contains("koen") && text.contains("efternavn") && !text.contains("boern"));
    assert!(text.contains("personnummer: {personnummer: {in: $v}}"));
}

#[test]
fn other_names_and_forms_are_chosen() {
    let known = learn(&person_service(&[
        ("fornavne", "fornavn"),
        ("nodes: [Person!]", "nodes: [Person!] pageInfo: PageInfo"),
        ("(input: PersonInput)", "(first: Int, after: String, input: PersonInput!)"),
        ("id: StringOp status", "personId: IdOp status"),
        ("input StringOp {", "input IdOp { eq: UUID } type PageInfo { hasNextPage: Boolean } input StringOp {"),
    ]));
    assert_eq!(known.understanding.offered, all());
    assert_eq!(known.understanding.lookup_by_id, Some(Lookup::Single));
    assert_eq!(known.understanding.lookup_by_number, Some(Lookup::Batch));
    assert!(known.understanding.chosen.contains(&"navne.fornavne=fornavn".to_owned()));
    let body = query_by_id(&known, GroupSet::of(&[Name]));
    let text = body["query"].as_str().unwrap();
    assert!(text.contains("($v: UUID, $after: String)") && text.contains("person: {personId: {eq: $v}}"), "{text}");
    assert!(text.contains("fornavn ") && text.contains("pageInfo { hasNextPage endCursor }"));
    assert_eq!(body["variables"]["v"], "a");
}

#[test]
fn filters_are_found_wherever_they_nest() {
    let path = |old: &str, new: &str| {
        let known = learn(&person_service(&[(old, new)]));
        known.persons.by_id.map(|filter| (filter.path.join("."), filter.lookup))
    };
    let filter = "person: PersonFilter personnummer";
    let found = |path: &str, lookup| Some((path.to_owned(), lookup));
    assert_eq!(path(filter, "personid: StringOp personnummer"), found("input.personid.in", Lookup::Batch));
    assert_eq!(path(filter, "id: StringOp personnummer"), found("input.id.in", Lookup::Batch));
    assert_eq!(path(filter, "personId: [ID!] personnummer"), found("input.personId", Lookup::Batch));
    assert_eq!(path(filter, "personid: String personnummer"), found("input.personid", Lookup::Single));
    let argument = path("(input: PersonInput)", "(input: PersonInput, where: PersonFilter)");
    assert_eq!(argument, found("where.id.in", Lookup::Batch));
    assert_eq!(path("id: StringOp status", "status"), None);
    assert_eq!(path("id: StringOp status: StringOp", "id: StringOp status: StringOp!"), None);
}

#[test]
fn missing_members_take_only_their_groups() {
    for (replace, lost) in [
        (("notater: [Notat!]", ""), vec![MunicipalNotes]),
        (("kommunaleForhold: [Forhold!]", ""), vec![MunicipalConditions]),
        (("koen: String", ""), vec![Sex]),
        (("koen: String", "koen(form: String!): String"), vec![Sex]),
        (("koen: String", "koen: Land"), vec![Sex]),
        (("efternavn: String", ""), vec![Name, NameHistory]),
        (("husnummer: String", ""), vec![Address, AddressHistory]),
        (("cprkommunekode: String c", "c"), vec![Address, AddressHistory, SupplementaryAddress, Municipality]),
        (("beskyttelsestype: String", ""), vec![Protection, ProtectionHistory]),
        (("forsvindinger: [Forsvinding!]", ""), vec![Residence]),
    ] {
        let known = learn(&person_service(&[replace]));
        assert_eq!(all().minus(known.understanding.offered), GroupSet::of(&lost), "{replace:?}");
        assert!(!known.understanding.missing.is_empty());
    }
}

#[test]
fn without_a_mandatory_member_nothing_is_offered() {
    for mandatory in ["id: String! ", "personnumre: [Personnummer!]! "] {
        let known = learn(&person_service(&[(mandatory, "")]));
        assert_eq!(known.understanding.offered, GroupSet::EMPTY);
    }
}

#[test]
fn lists_may_be_objects_and_connections_may_be_lists() {
    let known = learn(&person_service(&[(": PersonConnection", ": [Person!]"), ("navne: [Navn!]", "navne: Navn")]));
    assert_eq!(known.understanding.offered, all());
    assert!(!known.persons.nodes);
    assert!(!query_by_id(&known, all()).to_string().contains("nodes"));
}

#[test]
fn without_a_schema_the_documented_form_is_used_for_what_is_confirmed() {
    for (entities, persons) in [(None, None), (Some("<html>"), Some("{}")), (Some(""), Some("type Query { x: Int }"))] {
        let known = Known::read(entities, persons);
        assert!(!known.understanding.from_schema);
        assert!(known.understanding.offered.contains(Address) && known.understanding.offered.contains(Parents));
        assert!(!known.understanding.offered.contains(MunicipalNotes));
        let text = query_by_id(&known, all()).to_string();
        assert!(!text.contains("notater") && !text.contains("registreringfra") && text.contains("virkningFra"));
        assert!(text.contains("person: {id: {in: [") && !text.contains("$v"), "of no declared type: {text}");
    }
}

#[test]
fn a_schema_of_any_depth_is_refused_without_harm() {
    for deep in ["[".repeat(100_000), "{".repeat(100_000), format!("type Query {{ a: {}A }}", "[".repeat(100_000))] {
        assert_eq!(Sdl::parse(&deep).err(), Some(NotASchema));
    }
}

#[test]
fn events_are_asked_by_what_the_schema_has() {
    let known = learn(&person_service(&[]));
    let text = query::notices(&known.events, 41, 500).body;
    let expected = "query ($v: Long, $first: Int) { CPR_Events(first: $first, \
        where: {entityname: {eq: \"Cprhaendelse\"}, eventid: {gt: $v}}) { pageInfo { hasNextPage endCursor } nodes {";
    assert!(text["query"].as_str().unwrap().starts_with(expected), "{text}");
    assert_eq!(text["variables"], serde_json::json!({"v": 41, "first": 500}));
    assert_eq!(known.events.from_import, None);
    let other = ENTITIES.replace("gt: Long", "").replace(
        "entityname: DafString",
        "datafordelerRegisterImportSequenceNumber: DafLongOperationFilterInput x: DafString",
    );
    let known = Known::read(Some(&other), None);
    assert!(known.understanding.events);
    assert_eq!(query::notices(&known.events, 41, 500).body["variables"]["v"], 42);
    assert!(known.events.from_import.is_some() && !known.events.by_entity);
    let lacking = Known::read(Some(&ENTITIES.replace("object_id: String", "")), None);
    assert!(!lacking.understanding.events);
    assert_eq!(lacking.understanding.missing, ["object_id"]);
}

#[test]
fn a_changed_schema_has_another_hash() {
    let one = learn(&person_service(&[]));
    let other = learn(&person_service(&[("notater: [Notat!]", "")]));
    assert_ne!(one.understanding.hash, other.understanding.hash);
    assert_eq!(one.understanding.hash, learn(&person_service(&[])).understanding.hash);
}
