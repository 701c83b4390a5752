//! The service that shows persons: its schema, and who fits a question.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::dynamic::Field;
use async_graphql::dynamic::FieldFuture;
use async_graphql::dynamic::FieldValue;
use async_graphql::dynamic::InputValue;
use async_graphql::dynamic::Object;
use async_graphql::dynamic::Schema;
use async_graphql::dynamic::SchemaError;
use async_graphql::dynamic::TypeRef;
use serde_json::Value;
use serde_json::json;

use super::answer::View;
use super::book::Book;
use super::cursor;
use super::dialect::Dialect;
use super::dialect::PersonFilter;
use super::people::Group;
use super::people::Person;
use super::schema;
use super::schema::BOOL;
use super::schema::DATE;
use super::schema::INT;
use super::schema::Kind;
use super::schema::TEXT;
use super::schema::TIME;
use super::schema::UUID;
use super::schema::admits;
use super::world::World;

/// The root field.
pub(super) const ROOT: &str = "CPRCustom_PublicSectorPerson";
/// The fields that show another person, on which protections must be asked for too.
pub(super) const RELATIVES: &[&str] = &["barn", "foraelder", "foraeldremyndighedsindehaver"];

const ROW: &[(&str, Kind)] = &[
    ("status", TEXT),
    ("virkningfra", DATE),
    ("virkningfrausikkerhedsmarkering", BOOL),
    ("virkningtil", DATE),
    ("virkningtilusikkerhedsmarkering", BOOL),
    ("registreringfra", TIME),
];

const LINES: &[(&str, Kind)] = &[
    ("adresselinie1", TEXT),
    ("adresselinie2", TEXT),
    ("adresselinie3", TEXT),
    ("adresselinie4", TEXT),
    ("adresselinie5", TEXT),
];

/// Name of a type, whether it has the dates of a row, and its own members.
type Shape = (&'static str, bool, &'static [(&'static str, Kind)]);

const SHAPES: &[Shape] = &[
    ("CPRCustom_PublicSectorPersonnummer", true, &[("personnummer", TEXT)]),
    (
        "CPRCustom_PublicSectorNavn",
        true,
        &[("adresseringsnavn", TEXT), ("fornavne", TEXT), ("mellemnavn", TEXT), ("efternavn", TEXT)],
    ),
    (
        "CPRCustom_PublicSectorAdresseoplysning",
        true,
        &[
            ("conavn", TEXT),
            ("cprAdresse", Kind::One("CPRCustom_PublicSectorCprAdresse")),
            ("supplerendeAdresse", Kind::One("CPRCustom_PublicSectorSupplerendeAdresse")),
        ],
    ),
    (
        "CPRCustom_PublicSectorCprAdresse",
        false,
        &[
            ("daradresse", UUID),
            ("bygningsnummer", TEXT),
            ("bynavn", TEXT),
            ("cprkommunekode", TEXT),
            ("cprkommunenavn", TEXT),
            ("cprvejkode", TEXT),
            ("etage", TEXT),
            ("husnummer", TEXT),
            ("postdistrikt", TEXT),
            ("postnummer", TEXT),
            ("sidedoer", TEXT),
            ("vejadresseringsnavn", TEXT),
            ("vejnavn", TEXT),
        ],
    ),
    ("CPRCustom_PublicSectorSupplerendeAdresse", false, &[("virkningfra", DATE), ("virkningtil", DATE)]),
    (
        "CPRCustom_PublicSectorBeskyttelse",
        false,
        &[
            ("beskyttelsestype", TEXT),
            ("status", TEXT),
            ("virkningfra", TIME),
            ("virkningtil", TIME),
            ("registreringfra", TIME),
        ],
    ),
    (
        "CPRCustom_PublicSectorCivilstand",
        true,
        &[
            ("civilstandstype", TEXT),
            ("aegtefaelle", TEXT),
            ("aegtefaellenavn", TEXT),
            ("aegtefaellefoedselsdato", DATE),
        ],
    ),
    (
        "CPRCustom_PublicSectorStatsborgerskab",
        false,
        &[
            ("status", TEXT),
            ("virkningFra", DATE),
            ("virkningFraUsikkerhedsmarkering", BOOL),
            ("virkningTil", DATE),
            ("virkningTilUsikkerhedsmarkering", BOOL),
            ("registreringfra", TIME),
            ("cprland", Kind::One("CPRCustom_PublicSectorCprLand")),
        ],
    ),
    (
        "CPRCustom_PublicSectorCprLand",
        false,
        &[
            ("kode", TEXT),
            ("navn", TEXT),
            ("landekode", TEXT),
            ("administrativEnhedType", Kind::One("CPRCustom_PublicSectorAdministrativEnhedType")),
        ],
    ),
    ("CPRCustom_PublicSectorAdministrativEnhedType", false, &[("typeKode", TEXT), ("typeNavn", TEXT)]),
    (
        "CPRCustom_PublicSectorSimpelPerson",
        false,
        &[
            ("personid", UUID),
            ("personnummer", TEXT),
            ("beskyttelser", Kind::Many("CPRCustom_PublicSectorBeskyttelse")),
            ("navn", Kind::One("CPRCustom_PublicSectorNavn")),
        ],
    ),
    (
        "CPRCustom_PublicSectorBarn",
        false,
        &[
            ("virkningfra", DATE),
            ("virkningfrausikkerhedsmarkering", BOOL),
            ("barn", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaeldreoplysning",
        false,
        &[
            ("foraelderrolle", TEXT),
            ("virkningfra", DATE),
            ("virkningfrausikkerhedsmarkering", BOOL),
            ("foraelder", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
            ("foraelderUdenCpr", Kind::One("CPRCustom_PublicSectorForaelderUdenCpr")),
            ("ikkeValidRelationsForaelder", Kind::One("CPRCustom_PublicSectorIkkeValidForaelder")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaelderUdenCpr",
        false,
        &[
            ("personid", TEXT),
            ("navn", TEXT),
            ("navnemarkering", TEXT),
            ("foedselsdato", DATE),
            ("foedselsdatousikkerhedsmarkering", BOOL),
        ],
    ),
    (
        "CPRCustom_PublicSectorIkkeValidForaelder",
        false,
        &[("personid", TEXT), ("personnummer", TEXT), ("navn", TEXT), ("foedselsdato", DATE)],
    ),
    (
        "CPRCustom_PublicSectorForaeldremyndighed",
        true,
        &[
            ("foraeldremyndighedsindehaverrolle", TEXT),
            ("foraeldremyndighedsindehaver", Kind::One("CPRCustom_PublicSectorSimpelPerson")),
        ],
    ),
    (
        "CPRCustom_PublicSectorForaeldremyndighedOver",
        true,
        &[("barn", Kind::One("CPRCustom_PublicSectorSimpelPerson"))],
    ),
    (
        "CPRCustom_PublicSectorUdrejseIndrejse",
        true,
        &[
            ("cprlandekodeudrejse", TEXT),
            ("cprlandekodeindrejse", TEXT),
            ("udenlandsadresselinie1", TEXT),
            ("udenlandsadresselinie2", TEXT),
            ("udenlandsadresselinie3", TEXT),
            ("udenlandsadresselinie4", TEXT),
            ("udenlandsadresselinie5", TEXT),
        ],
    ),
    ("CPRCustom_PublicSectorForsvinding", true, &[]),
    ("CPRCustom_PublicSectorKontaktadresse", true, LINES),
    (
        "CPRCustom_PublicSectorVaergemaal",
        true,
        &[
            ("vaergemaalstype", TEXT),
            ("vaergenavn", TEXT),
            ("adresselinie1", TEXT),
            ("adresselinie2", TEXT),
            ("adresselinie3", TEXT),
            ("adresselinie4", TEXT),
            ("adresselinie5", TEXT),
        ],
    ),
    (
        "CPRCustom_PublicSectorKommunaleForhold",
        true,
        &[("bemaerkning", TEXT), ("kommunaleforholdskode", TEXT), ("kommunaleforholdstype", TEXT)],
    ),
    ("CPRCustom_PublicSectorFolkekirke", true, &[("tilhoersforhold", TEXT)]),
    ("CPRCustom_PublicSectorNotat", true, &[("notatlinie", TEXT), ("notatnummer", INT)]),
];

const PERSON: &[(&str, Kind)] = &[
    ("id", UUID),
    ("status", TEXT),
    ("statusdato", DATE),
    ("foedselsdato", DATE),
    ("koen", TEXT),
    ("personnumre", Kind::Many("CPRCustom_PublicSectorPersonnummer")),
    ("navne", Kind::Many("CPRCustom_PublicSectorNavn")),
    ("adresseoplysninger", Kind::Many("CPRCustom_PublicSectorAdresseoplysning")),
    ("beskyttelser", Kind::Many("CPRCustom_PublicSectorBeskyttelse")),
    ("civilstande", Kind::Many("CPRCustom_PublicSectorCivilstand")),
    ("statsborgerskaber", Kind::Many("CPRCustom_PublicSectorStatsborgerskab")),
    ("boern", Kind::Many("CPRCustom_PublicSectorBarn")),
    ("foraeldreoplysninger", Kind::Many("CPRCustom_PublicSectorForaeldreoplysning")),
    ("foraeldremyndighedsoplysninger", Kind::Many("CPRCustom_PublicSectorForaeldremyndighed")),
    ("foraeldremyndighedOver", Kind::Many("CPRCustom_PublicSectorForaeldremyndighedOver")),
    ("udrejseIndrejser", Kind::Many("CPRCustom_PublicSectorUdrejseIndrejse")),
    ("forsvindinger", Kind::Many("CPRCustom_PublicSectorForsvinding")),
    ("kontaktadresse", Kind::Many("CPRCustom_PublicSectorKontaktadresse")),
    ("vaergemaal", Kind::Many("CPRCustom_PublicSectorVaergemaal")),
    ("kommunaleForhold", Kind::Many("CPRCustom_PublicSectorKommunaleForhold")),
    ("folkekirke", Kind::Many("CPRCustom_PublicSectorFolkekirke")),
    ("notater", Kind::Many("CPRCustom_PublicSectorNotat")),
];

/// The schema of the service.
pub(super) fn schema(world: &Arc<World>) -> Result<Schema, SchemaError> {
    let dialect = world.dialect;
    let mut builder = schema::common(Schema::build("Query", None, None)).register(query(world));
    for shape in SHAPES {
        let members = members(shape, &dialect);
        // A type that only a left-out member showed is left out as well.
        if !dialect.left_out.iter().any(|left| shows(left, shape.0)) {
            builder = builder.register(schema::object(shape.0, &members));
        }
    }
    builder = builder.register(schema::object("CPRCustom_PublicSectorPerson", &person_members(&dialect)));
    let mut connection = vec![("nodes", Kind::Many("CPRCustom_PublicSectorPerson"))];
    connection.extend(dialect.paged_lookup.then_some(("pageInfo", Kind::One("PageInfo"))));
    builder = builder.register(schema::object("CPRCustom_PublicSectorPersonConnection", &connection));
    inputs(&dialect).into_iter().fold(builder, async_graphql::dynamic::SchemaBuilder::register).finish()
}

fn shows(member: &str, shape: &str) -> bool {
    PERSON.iter().any(|(name, kind)| *name == member && matches!(kind, Kind::Many(of) if *of == shape))
}

fn members(shape: &Shape, dialect: &Dialect) -> Vec<(&'static str, Kind)> {
    let (name, row, own) = *shape;
    let lines = if name.ends_with("SupplerendeAdresse") { LINES } else { &[] };
    let rename = |(member, kind)| if member == "fornavne" { (dialect.first_names, kind) } else { (member, kind) };
    own.iter()
        .copied()
        .map(rename)
        .chain(lines.iter().copied())
        .chain(row.then_some(ROW).into_iter().flatten().copied())
        .collect()
}

fn person_members(dialect: &Dialect) -> Vec<(&'static str, Kind)> {
    let offered = PERSON.iter().copied().filter(|(member, _)| !dialect.left_out.contains(member));
    offered
        .map(|(member, kind)| match kind {
            Kind::Many(of) if dialect.singles.contains(&member) => (member, Kind::One(of)),
            kind => (member, kind),
        })
        .collect()
}

fn inputs(dialect: &Dialect) -> Vec<async_graphql::dynamic::InputObject> {
    const TEXTS: &str = "DafStringOperationFilterInput";
    let mut groups = vec![
        ("personnummer", "CPRCustom_PublicSectorPersonnummerInput"),
        ("adresseoplysninger", "CPRCustom_PublicSectorAdresseoplysningerInput"),
        ("cprAdresse", "CPRCustom_PublicSectorCprAdresseInput"),
    ];
    let mut inputs = vec![
        schema::input("CPRCustom_PublicSectorPersonnummerInput", &[("personnummer", TEXTS)]),
        schema::input("CPRCustom_PublicSectorAdresseoplysningerInput", &[("status", TEXTS)]),
        schema::input(
            "CPRCustom_PublicSectorCprAdresseInput",
            &[("cprkommunekode", TEXTS), ("cprvejkode", TEXTS), ("husnummer", TEXTS)],
        ),
    ];
    let by_person = match dialect.person_filter {
        PersonFilter::Id => {
            Some(schema::input("CPRCustom_PublicSectorPersonIdInput", &[("id", "DafUuidOperationFilterInput")]))
        }
        PersonFilter::PersonId => {
            inputs.push(schema::input("CPRCustom_EqualsInput", &[("eq", "String")]));
            Some(schema::input("CPRCustom_PublicSectorPersonIdInput", &[("personid", "CPRCustom_EqualsInput")]))
        }
        PersonFilter::Missing => None,
    };
    if let Some(by_person) = by_person {
        inputs.push(by_person);
        groups.push(("person", "CPRCustom_PublicSectorPersonIdInput"));
    }
    inputs.push(schema::input("CPRCustom_PublicSectorPersonInput", &groups));
    inputs
}

fn query(world: &Arc<World>) -> Object {
    let paged = world.dialect.paged_lookup;
    let world = world.clone();
    let field = Field::new(ROOT, TypeRef::named("CPRCustom_PublicSectorPersonConnection"), move |ctx| {
        let input = schema::argument(&ctx, "input");
        let (first, after) = (schema::argument(&ctx, "first"), schema::argument(&ctx, "after"));
        FieldFuture::Value(Some(FieldValue::owned_any(answer(&world, &input, &first, &after))))
    });
    let field = field.argument(InputValue::new("input", TypeRef::named_nn("CPRCustom_PublicSectorPersonInput")));
    let field = if paged {
        field
            .argument(InputValue::new("first", TypeRef::named(TypeRef::INT)))
            .argument(InputValue::new("after", TypeRef::named(TypeRef::STRING)))
    } else {
        field
    };
    Object::new("Query").field(field)
}

fn answer(world: &World, input: &Value, first: &Value, after: &Value) -> Value {
    let ledger = world.ledger();
    let book = &ledger.book;
    let view = View { book, dialect: &world.dialect, today: world.clock.today() };
    let after = after.as_str().and_then(cursor::read_id);
    let mut found: BTreeMap<&str, &Person> = candidates(book, input)
        .into_iter()
        .filter(|person| fits(&world.dialect, person, input))
        .map(|p| (&*p.id, p))
        .collect();
    if let Some(after) = after {
        found.retain(|id, _| *id > after.as_str());
    }
    let page = if world.dialect.paged_lookup { first.as_u64().unwrap_or(1000) } else { u64::MAX };
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    let more = found.len() > page;
    let shown: Vec<_> = found.into_values().take(page).collect();
    world.record_answered(shown.iter().map(|person| (person.id.clone(), person.version)));
    let cursor = |person: Option<&&Person>| person.map(|person| cursor::of_id(&person.id));
    json!({
        "nodes": shown.iter().map(|person| view.person(person)).collect::<Vec<_>>(),
        "pageInfo": {
            "hasNextPage": more, "hasPreviousPage": false,
            "startCursor": cursor(shown.first()), "endCursor": cursor(shown.last()),
        },
    })
}

/// Who can fit at all, by the most selective filter there is.
fn candidates<'a>(book: &'a Book, input: &Value) -> Vec<&'a Person> {
    let by_number = &input["personnummer"]["personnummer"];
    if by_number.is_object() {
        return wanted(by_number).into_iter().flat_map(|number| book.with_number(number)).collect();
    }
    let by_id = [&input["person"]["id"], &input["person"]["personid"]].into_iter().find(|filter| filter.is_object());
    match by_id {
        Some(filter) => wanted(filter).into_iter().filter_map(|id| book.get(id).ok()).collect(),
        None => book.people().iter().collect(),
    }
}

fn wanted(filter: &Value) -> Vec<&str> {
    let list = filter["in"].as_array().into_iter().flatten().filter_map(Value::as_str);
    list.chain(filter["in"].as_str()).chain(filter["eq"].as_str()).collect()
}

fn fits(dialect: &Dialect, person: &Person, input: &Value) -> bool {
    let id = Value::from(person.id.as_str());
    let by_person = &input["person"];
    let numbers = &input["personnummer"]["personnummer"];
    admits(&by_person["id"], &id)
        && admits(&by_person["personid"], &id)
        && (!numbers.is_object()
            || person.of(Group::Number).iter().any(|row| admits(numbers, &row.content["personnummer"])))
        && lives_so(dialect, person, input)
}

/// Whether one of the person's addresses satisfies all that is asked of addresses.
fn lives_so(dialect: &Dialect, person: &Person, input: &Value) -> bool {
    let (status, address) = (&input["adresseoplysninger"]["status"], &input["cprAdresse"]);
    if !status.is_object() && !address.is_object() {
        return true;
    }
    person.of(Group::Address).iter().any(|row| {
        let place = &row.content["cprAdresse"];
        let code = place["cprkommunekode"].as_str().map(|code| dialect.municipality(code));
        admits(status, &dialect.row_status(row.status.text()).into())
            && admits(&address["cprkommunekode"], &code.into())
            && ["cprvejkode", "husnummer"].iter().all(|member| admits(&address[*member], &place[*member]))
    })
}
