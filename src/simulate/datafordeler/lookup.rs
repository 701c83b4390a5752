//! The service that shows persons: what it can be asked, and who fits a question.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::dynamic::Field;
use async_graphql::dynamic::FieldFuture;
use async_graphql::dynamic::FieldValue;
use async_graphql::dynamic::InputObject;
use async_graphql::dynamic::InputValue;
use async_graphql::dynamic::Object;
use async_graphql::dynamic::Schema;
use async_graphql::dynamic::SchemaBuilder;
use async_graphql::dynamic::SchemaError;
use async_graphql::dynamic::TypeRef;
use serde_json::Value;
use serde_json::json;

use super::answer::View;
use super::book::Book;
use super::cursor;
use super::dialect::Dialect;
use super::dialect::PersonFilter;
use super::people::Person;
use super::rows::Group;
use super::schema;
use super::schema::admits;
use super::shapes;
use super::world::World;

/// The root field.
pub(super) const ROOT: &str = "CPRCustom_PublicSectorPerson";
/// The fields that show another person, on which protections must be asked for too.
pub(super) const RELATIVES: &[&str] = &["barn", "foraelder", "foraeldremyndighedsindehaver"];

/// The schema of the service.
pub(super) fn schema(world: &Arc<World>) -> Result<Schema, SchemaError> {
    let dialect = world.dialect;
    let builder = schema::common(Schema::build("Query", None, None)).register(query(world));
    let builder = shapes::objects(&dialect).into_iter().fold(builder, SchemaBuilder::register);
    inputs(&dialect).into_iter().fold(builder, SchemaBuilder::register).finish()
}

fn inputs(dialect: &Dialect) -> Vec<InputObject> {
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
        .filter(|person| book.shows(person) && fits(&world.dialect, person, input))
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
