//! What both of the register's schemas are made of: scalars, filters, and objects that show parts of a JSON value.

use async_graphql::Value as Shown;
use async_graphql::dynamic::Field;
use async_graphql::dynamic::FieldFuture;
use async_graphql::dynamic::FieldValue;
use async_graphql::dynamic::InputObject;
use async_graphql::dynamic::InputValue;
use async_graphql::dynamic::Object;
use async_graphql::dynamic::ResolverContext;
use async_graphql::dynamic::Scalar;
use async_graphql::dynamic::SchemaBuilder;
use async_graphql::dynamic::TypeRef;
use serde_json::Value;

/// The type of an object's field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A scalar, by name.
    Scalar(&'static str),
    /// An object, by name.
    One(&'static str),
    /// A list of objects, by name.
    Many(&'static str),
}

pub(super) const TEXT: Kind = Kind::Scalar("String");
pub(super) const INT: Kind = Kind::Scalar("Int");
pub(super) const LONG: Kind = Kind::Scalar("Long");
pub(super) const BOOL: Kind = Kind::Scalar("Boolean");
pub(super) const DATE: Kind = Kind::Scalar("LocalDate");
pub(super) const TIME: Kind = Kind::Scalar("DafDateTime");
pub(super) const UUID: Kind = Kind::Scalar("UUID");

const COMPARISONS: &[&str] = &["eq", "gt", "ngt", "gte", "ngte", "lt", "nlt", "lte", "nlte"];

/// Adds the scalars and filters that every service has.
pub(super) fn common(builder: SchemaBuilder) -> SchemaBuilder {
    let scalars = ["Long", "LocalDate", "DafDateTime", "UUID"];
    let builder = scalars.into_iter().fold(builder, |builder, name| builder.register(Scalar::new(name)));
    builder
        .register(listed(InputObject::new("DafStringOperationFilterInput"), "String", &["eq"]))
        .register(listed(InputObject::new("DafUuidOperationFilterInput"), "UUID", &["eq"]))
        .register(listed(InputObject::new("DafLongOperationFilterInput"), "Long", COMPARISONS))
        .register(listed(InputObject::new("DafIntOperationFilterInput"), "Int", COMPARISONS))
        .register(object(
            "PageInfo",
            &[("hasNextPage", BOOL), ("hasPreviousPage", BOOL), ("startCursor", TEXT), ("endCursor", TEXT)],
        ))
}

fn listed(filter: InputObject, scalar: &str, operators: &[&str]) -> InputObject {
    let filter = operators
        .iter()
        .fold(filter, |filter, operator| filter.field(InputValue::new(*operator, TypeRef::named(scalar))));
    filter.field(InputValue::new("in", TypeRef::named_list(scalar)))
}

/// An input object whose fields are of the named input types.
pub(super) fn input(name: &str, fields: &[(&str, &str)]) -> InputObject {
    fields.iter().fold(InputObject::new(name), |input, (field, kind)| {
        input.field(InputValue::new(*field, TypeRef::named(*kind)))
    })
}

/// An object that shows the equally named members of its JSON value.
pub(super) fn object(name: &str, fields: &[(&'static str, Kind)]) -> Object {
    fields.iter().fold(Object::new(name), |object, (field, kind)| object.field(member(field, *kind)))
}

fn member(name: &'static str, kind: Kind) -> Field {
    match kind {
        Kind::Scalar(scalar) => Field::new(name, TypeRef::named(scalar), move |ctx| {
            FieldFuture::from_value(part(&ctx, name).map(|value| Shown::from_json(value.clone()).unwrap_or_default()))
        }),
        Kind::One(of) => Field::new(name, TypeRef::named(of), move |ctx| {
            FieldFuture::Value(part(&ctx, name).map(|value| FieldValue::borrowed_any(value)))
        }),
        Kind::Many(of) => Field::new(name, TypeRef::named_nn_list(of), move |ctx| {
            let list = part(&ctx, name).and_then(Value::as_array);
            FieldFuture::Value(
                list.map(|list| FieldValue::list(list.iter().map(|value| FieldValue::borrowed_any(value)))),
            )
        }),
    }
}

fn part<'a>(ctx: &ResolverContext<'a>, name: &str) -> Option<&'a Value> {
    ctx.parent_value.downcast_ref::<Value>()?.get(name).filter(|value| !value.is_null())
}

/// An argument of a root field as JSON; null where it was not given.
pub(super) fn argument(ctx: &ResolverContext<'_>, name: &str) -> Value {
    ctx.args.get(name).and_then(|value| value.as_value().clone().into_json().ok()).unwrap_or_default()
}

/// Whether `value` satisfies each operator of a filter object. A missing filter lets everything through.
pub(super) fn admits(filter: &Value, value: &Value) -> bool {
    let Some(operators) = filter.as_object() else { return true };
    operators.iter().all(|(operator, wanted)| holds(operator, wanted, value))
}

fn holds(operator: &str, wanted: &Value, value: &Value) -> bool {
    if let Some(opposite) = operator.strip_prefix('n') {
        return !holds(opposite, wanted, value);
    }
    let order = value.as_i64().zip(wanted.as_i64()).map(|(value, wanted)| value.cmp(&wanted));
    match operator {
        "eq" => value == wanted,
        "in" => value == wanted || wanted.as_array().is_some_and(|list| list.contains(value)),
        "gt" => order.is_some_and(std::cmp::Ordering::is_gt),
        "gte" => order.is_some_and(std::cmp::Ordering::is_ge),
        "lt" => order.is_some_and(std::cmp::Ordering::is_lt),
        "lte" => order.is_some_and(std::cmp::Ordering::is_le),
        _ => false,
    }
}
