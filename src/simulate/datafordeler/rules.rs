//! What the register refuses before it answers: rules checked on the parsed query.

use std::collections::HashSet;

use async_graphql::Name;
use async_graphql::Pos;
use async_graphql::Positioned;
use async_graphql::Value as Plain;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::parser::types::Field;
use async_graphql::parser::types::OperationDefinition;
use async_graphql::parser::types::OperationType;
use async_graphql::parser::types::Selection;
use async_graphql::parser::types::SelectionSet;
use serde_json::Value;

use super::events;
use super::lookup;

/// The most elements of a list filter.
const LIST: usize = 100;
/// Fragments within fragments: more is refused, which ends circles too.
const DEPTH: usize = 24;

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The register's code; for some refusals none is known.
    pub code: Option<&'static str>,
    pub message: String,
    /// The root field, where there was exactly one.
    pub root: Option<String>,
    /// The field that is not allowed.
    pub field: Option<String>,
    pub at: Option<Pos>,
}

/// What was asked for, once nothing speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub root: String,
    /// How many persons or numbers were asked for by name.
    pub ids: usize,
    /// The filter group they were asked for by.
    pub by: Option<&'static str>,
}

/// Checks a document with its variables.
pub(super) fn check(document: &ExecutableDocument, variables: &Value) -> Result<Asked, Refusal> {
    let reading = Reading { document, variables };
    let operation = reading.operation()?;
    let root = reading.root(operation)?;
    reading.names(&operation.selection_set.node, DEPTH).map_err(|refusal| refusal.about(root))?;
    let asked = reading.arguments(root).map_err(|refusal| refusal.about(root))?;
    if root.node.name.node == lookup::ROOT {
        reading.mandatory(root).map_err(|refusal| refusal.about(root))?;
    }
    Ok(asked)
}

impl Refusal {
    /// A refusal without place.
    pub(super) fn new(code: impl Into<Option<&'static str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), root: None, field: None, at: None }
    }

    fn at(self, pos: Pos) -> Self {
        Self { at: Some(pos), ..self }
    }

    fn about(self, root: &Positioned<Field>) -> Self {
        Self { root: Some(root.node.name.node.to_string()), ..self }
    }
}

struct Reading<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Value,
}

impl<'a> Reading<'a> {
    fn operation(&self) -> Result<&'a OperationDefinition, Refusal> {
        let mut operations = self.document.operations.iter();
        let (Some((_, operation)), None) = (operations.next(), operations.next()) else {
            return Err(Refusal::new("HC0012", "The request must hold exactly one operation."));
        };
        if operation.node.ty != OperationType::Query {
            return Err(Refusal::new("HC0013", "Only queries are answered here.").at(operation.pos));
        }
        Ok(&operation.node)
    }

    /// The fields of a selection, those of its fragments included.
    fn fields(&self, set: &'a SelectionSet, depth: usize) -> Vec<&'a Positioned<Field>> {
        if depth == 0 {
            return Vec::new();
        }
        let mut fields = Vec::new();
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => fields.push(field),
                Selection::InlineFragment(part) => {
                    fields.extend(self.fields(&part.node.selection_set.node, depth - 1));
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(part) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        fields.extend(self.fields(&part.node.selection_set.node, depth - 1));
                    }
                }
            }
        }
        fields
    }

    fn root(&self, operation: &'a OperationDefinition) -> Result<&'a Positioned<Field>, Refusal> {
        match *self.fields(&operation.selection_set.node, DEPTH) {
            [root] => Ok(root),
            [] => Err(Refusal::new("HC0014", "Nothing was asked for.")),
            [_, second, ..] => {
                Err(Refusal::new("DAF-GQL-0010", "Only one root field can be asked for at a time.").at(second.pos))
            }
        }
    }

    fn names(&self, set: &'a SelectionSet, depth: usize) -> Result<(), Refusal> {
        if depth == 0 {
            return Err(Refusal::new("HC0086", "The query is nested too deeply."));
        }
        for field in self.fields(set, DEPTH) {
            let name = &field.node.name.node;
            if field.node.alias.is_some() {
                return Err(Refusal::new("DAF-GQL-0008", "Aliases are not supported.").at(field.pos));
            }
            if name == "__schema" || name == "__type" {
                let message = "Introspection is not allowed for the current request.";
                let refusal = Refusal::new("HC0046", message).at(field.pos);
                return Err(Refusal { field: Some(name.to_string()), ..refusal });
            }
            self.names(&field.node.selection_set.node, depth - 1)?;
        }
        Ok(())
    }

    fn argument(&self, field: &Field, name: &str) -> Value {
        let Some(argument) = field.get_argument(name) else { return Value::Null };
        let given = |variable: Name| {
            let value = self.variables.get(variable.as_str()).cloned().or_else(|| self.default_of(&variable));
            Plain::from_json(value.unwrap_or_default())
        };
        let plain = argument.node.clone().into_const_with(given);
        plain.ok().and_then(|plain| plain.into_json().ok()).unwrap_or_default()
    }

    fn default_of(&self, variable: &Name) -> Option<Value> {
        let mut operations = self.document.operations.iter();
        let definitions = &operations.next()?.1.node.variable_definitions;
        let definition = definitions.iter().find(|definition| definition.node.name.node == *variable)?;
        definition.node.default_value()?.clone().into_json().ok()
    }

    fn arguments(&self, root: &Positioned<Field>) -> Result<Asked, Refusal> {
        let [input, filter, first] = ["input", "where", "first"].map(|name| self.argument(&root.node, name));
        if [&input, &filter].into_iter().any(|value| longest_list(value) > LIST) {
            let message = format!("A list filter can hold at most {LIST} elements.");
            return Err(Refusal::new("DAF-GQL-0016", message).at(root.pos));
        }
        let page = i64::try_from(events::PAGE).unwrap_or(i64::MAX);
        if first.as_i64().is_some_and(|first| !(0..=page).contains(&first)) {
            return Err(
                Refusal::new("HC0051", format!("At most {page} items can be asked for at a time.")).at(root.pos)
            );
        }
        let name = root.node.name.node.to_string();
        if name == lookup::ROOT && input.as_object().is_none_or(|groups| groups.values().all(Value::is_null)) {
            let message = "A filter is required on one of: person, personnummer, cprAdresse, adresseoplysninger.";
            return Err(Refusal::new("DAF-GQL-0009", message).at(root.pos));
        }
        let by = ["person", "personnummer", "cprAdresse"].into_iter().find(|group| input[group].is_object());
        let ids = by.filter(|group| *group != "cprAdresse").map_or(0, |group| count(&input[group]));
        Ok(Asked { root: name, ids, by })
    }

    /// Protections must be asked for with every person that is shown.
    fn mandatory(&self, root: &'a Positioned<Field>) -> Result<(), Refusal> {
        let mut missing = Vec::new();
        for nodes in self.fields(&root.node.selection_set.node, DEPTH) {
            if nodes.node.name.node == "nodes" {
                self.protections(nodes, "", true, &mut missing);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Required fields are missing in query selection: {}", missing.join(", "));
        Err(Refusal::new(None, message).at(root.pos))
    }

    fn protections(&self, field: &'a Positioned<Field>, path: &str, person: bool, missing: &mut Vec<String>) {
        let fields = self.fields(&field.node.selection_set.node, DEPTH);
        let names: HashSet<&str> = fields.iter().map(|field| field.node.name.node.as_str()).collect();
        if person && !names.contains("beskyttelser") {
            missing.push(format!("{path}beskyttelser"));
        }
        for field in fields {
            let name = field.node.name.node.as_str();
            let path = format!("{path}{name}.");
            let person = lookup::RELATIVES.contains(&name);
            if !field.node.selection_set.node.items.is_empty() {
                self.protections(field, &path, person, missing);
            }
        }
    }
}

/// The length of the longest list of scalars. Lists of filters (`and`) are not counted.
fn longest_list(value: &Value) -> usize {
    match value {
        Value::Array(list) if list.iter().any(Value::is_object) => list.iter().map(longest_list).max().unwrap_or(0),
        Value::Array(list) => list.len(),
        Value::Object(members) => members.values().map(longest_list).max().unwrap_or(0),
        _ => 0,
    }
}

/// How many texts a filter group holds.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len(),
        Value::Object(members) => members.values().map(count).sum(),
        Value::String(_) => 1,
        _ => 0,
    }
}
