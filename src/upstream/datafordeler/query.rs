//! The queries, as text with variables: one root field, no aliases, no introspection.

use serde_json::{Value, json};

use crate::domain::field_group::GroupSet;

use super::schema::{Chosen, EventShape, PersonShape};
use super::schema::{Comparison, Filter, Lookup};

/// A query that is ready to send.
pub struct Query {
    /// The root field that its answer is under.
    pub root: String,
    /// The JSON to post.
    pub body: Value,
}

/// The name of the entity whose events are the register's word that something happened to a person.
pub const HAPPENING: &str = "Cprhaendelse";

/// The most rows that one page may have.
const PAGE: u32 = 1_000;

/// The persons whom `values` name, with what `asked` and `demanded`, the documented names of members that the service
/// will not do without, need. Where `filter` takes one value only, the first is sent.
pub fn persons(
    shape: &PersonShape,
    filter: &Filter,
    values: &[String],
    asked: GroupSet,
    demanded: &[&str],
    after: Option<&str>,
) -> Query {
    let value = match filter.lookup {
        Lookup::Batch => json!(values),
        Lookup::Single => json!(values.first()),
    };
    let (mut declared, mut variables) = (Vec::new(), json!({}));
    let mut arguments = match &filter.written {
        Some(written) => {
            declared.push(format!("$v: {written}"));
            variables["v"] = value;
            nested(&filter.path, "$v")
        }
        // Identifiers and lists of them read the same in JSON and GraphQL, and as a literal they fit whatever type it is.
        None => nested(&filter.path, &value.to_string()),
    };
    if shape.paged {
        declared.push("$after: String".to_owned());
        variables["after"] = json!(after);
        arguments.push_str(&format!(", first: {PAGE}, after: $after"));
    }
    let declared = if declared.is_empty() { String::new() } else { format!("({}) ", declared.join(", ")) };
    let mut selection = String::new();
    for chosen in &shape.members {
        if demanded.contains(&chosen.field.key()) {
            select(&mut selection, chosen, asked.union(chosen.field.groups));
        } else {
            select(&mut selection, chosen, asked);
        }
    }
    let rows = wrapped(&selection, shape.nodes, shape.paged);
    let query = format!("query {declared}{{ {}({arguments}) {{ {rows}}} }}", shape.root);
    Query { root: shape.root.clone(), body: json!({ "query": query, "variables": variables }) }
}

/// The first `count` notices after an event id.
pub fn notices(shape: &EventShape, after: i64, count: u32) -> Query {
    events(shape, &shape.after, shape.after.bound(after), count.min(PAGE))
}

/// The first notice of an import or a later one.
pub fn first_of_import(shape: &EventShape, comparison: &Comparison, import: u32) -> Query {
    events(shape, comparison, i64::from(import), 1)
}

impl Comparison {
    /// What to compare with, so that what is above `value` is found.
    fn bound(&self, value: i64) -> i64 {
        match self.operator {
            super::schema::Operator::Above => value,
            super::schema::Operator::From => value.saturating_add(1),
        }
    }
}

fn events(shape: &EventShape, comparison: &Comparison, bound: i64, count: u32) -> Query {
    let Comparison { member, operator, written } = comparison;
    let entity = if shape.by_entity { format!("entityname: {{eq: \"{HAPPENING}\"}}, ") } else { String::new() };
    let condition = format!("{}: {{{entity}{member}: {{{}: $v}}}}", shape.filter, operator.name());
    let mut selection = String::new();
    shape.event.iter().for_each(|chosen| select(&mut selection, chosen, GroupSet::ALWAYS_HELD));
    let rows = wrapped(&selection, shape.nodes, shape.page_info);
    let query =
        format!("query ($v: {written}, $first: Int) {{ {}(first: $first, {condition}) {{ {rows}}} }}", shape.events);
    Query { root: shape.events.clone(), body: json!({ "query": query, "variables": { "v": bound, "first": count } }) }
}

/// The import status.
pub fn import_status(shape: &EventShape) -> Query {
    let mut selection = String::new();
    shape.import_status.iter().for_each(|chosen| select(&mut selection, chosen, GroupSet::ALWAYS_HELD));
    let rows = wrapped(&selection, shape.status_nodes, false);
    let query = format!("query {{ {} {{ {rows}}} }}", shape.status);
    Query { root: shape.status.clone(), body: json!({ "query": query }) }
}

fn wrapped(selection: &str, nodes: bool, page_info: bool) -> String {
    let page = if nodes && page_info { "pageInfo { hasNextPage endCursor } " } else { "" };
    if nodes { format!("{page}nodes {{ {selection}}} ") } else { selection.to_owned() }
}

/// `a: {b: {c: value}}` for a path of a, b and c.
fn nested(path: &[String], value: &str) -> String {
    let mut text = path.join(": {");
    text.push_str(": ");
    text.push_str(value);
    text.push_str(&"}".repeat(path.len().saturating_sub(1)));
    text
}

/// Selects a member that `asked` needs, with those of its own that `asked` needs.
fn select(out: &mut String, chosen: &Chosen, asked: GroupSet) {
    if chosen.field.groups.intersection(asked).is_empty() {
        return;
    }
    if chosen.members.is_empty() {
        out.push_str(&chosen.name);
        out.push(' ');
        return;
    }
    let mut inner = String::new();
    chosen.members.iter().for_each(|member| select(&mut inner, member, asked));
    if !inner.is_empty() {
        out.push_str(&format!("{} {{ {inner}}} ", chosen.name));
    }
}
