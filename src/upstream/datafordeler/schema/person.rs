//! How the person service is asked: root field, filters, paging, members.

use crate::domain::field_group::{FieldGroup, GroupSet};

use super::super::fields::PERSON;
use super::sdl::{Input, Sdl};
use super::{Chosen, Findings, Lookup, choose, documented};

/// The documented root field.
const ROOT: &str = "CPRCustom_PublicSectorPerson";

/// What is known of the person service.
#[derive(Clone, Debug)]
pub struct PersonShape {
    /// Name of the root field.
    pub root: String,
    /// Whether its persons are in a connection's `nodes`.
    pub nodes: bool,
    /// Whether it can be paged by `first` and `after`.
    pub paged: bool,
    /// The filter by PersonID.
    pub by_id: Option<Filter>,
    /// The filter by CPR number.
    pub by_number: Option<Filter>,
    /// The person's members.
    pub members: Vec<Chosen>,
    /// The groups that these members give.
    pub offered: GroupSet,
}

/// Where in the arguments a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Argument and members of inputs down to the value, operator included.
    pub path: Vec<String>,
    /// The value's type, as the schema writes it; none where that is not known, and a variable cannot be declared.
    pub written: Option<String>,
    /// Whether it takes many.
    pub lookup: Lookup,
}

impl PersonShape {
    /// The documented form.
    pub fn documented() -> Self {
        let filter = |path: &[&str], written: Option<&str>| Filter {
            path: path.iter().map(|&name| name.to_owned()).collect(),
            written: written.map(str::to_owned),
            lookup: Lookup::Batch,
        };
        let members = documented(PERSON);
        let given = members.iter().fold(GroupSet::EMPTY, |given, chosen| given.union(chosen.field.groups));
        Self {
            root: ROOT.to_owned(),
            nodes: true,
            paged: false,
            by_id: Some(filter(&["input", "person", "id", "in"], None)),
            by_number: Some(filter(&["input", "personnummer", "personnummer", "in"], Some("[String!]!"))),
            members,
            offered: given,
        }
    }

    /// The form that a schema shows; none where it has no such root field.
    pub fn read(sdl: &Sdl, out: &mut Findings) -> Option<Self> {
        let (root, arguments, target) = sdl.arguments(sdl.query(), ROOT).or_else(|| similar_root(sdl))?;
        let target = target?;
        let nodes = sdl.member(target, "nodes").and_then(|(_, node)| node);
        let page_info = sdl.member(target, "pageInfo").is_some();
        let has = |name: &str| arguments.iter().any(|argument| argument.name == name);
        let members = choose(sdl, nodes.unwrap_or(target), PERSON, "", GroupSet::EMPTY, out);
        let all: GroupSet = FieldGroup::ALL.into_iter().collect();
        Some(Self {
            root: root.to_owned(),
            nodes: nodes.is_some(),
            paged: nodes.is_some() && page_info && has("first") && has("after"),
            by_id: find(sdl, arguments, &ID),
            by_number: find(sdl, arguments, &NUMBER),
            members,
            offered: if out.unusable { GroupSet::EMPTY } else { all.minus(out.lost) },
        })
    }
}

fn similar_root(sdl: &Sdl) -> Option<(&str, &[Input], Option<&str>)> {
    let mut similar = sdl.names(sdl.query()).filter(|name| name.to_ascii_lowercase().contains("publicsectorperson"));
    let found = similar.next()?;
    if similar.next().is_some() { None } else { sdl.arguments(sdl.query(), found) }
}

/// What a filter may be called: by a name of its own anywhere, or by a short name within a container.
struct Sought {
    own: &'static [&'static str],
    within: &'static [&'static str],
    short: &'static [&'static str],
}

const ID: Sought = Sought {
    own: &["personid", "person_id", "personuuid"],
    within: &["person", "personer", "personid"],
    short: &["id", "uuid", "personid"],
};

const NUMBER: Sought = Sought {
    own: &["personnummer", "cprnummer", "cpr", "pnr"],
    within: &["personnummer", "personnumre", "pnr"],
    short: &["personnummer", "nummer", "cprnummer", "pnr"],
};

/// Arguments and inputs around everything.
const OUTER: &[&str] = &["input", "where", "filter", "soegning"];

/// Inputs that hold the filters of one noun.
const CONTAINERS: &[&str] = &["person", "personer", "personid", "personnummer", "personnumre", "pnr"];

const DEPTH: usize = 4;

/// The filter nearest to the root; of those at the same distance, one that takes many.
fn find(sdl: &Sdl, arguments: &[Input], sought: &Sought) -> Option<Filter> {
    let mut level: Vec<(Vec<String>, Vec<Input>)> = vec![(Vec::new(), arguments.to_vec())];
    for _ in 0..DEPTH {
        let found: Vec<Filter> = level.iter().flat_map(|(path, inputs)| here(sdl, path, inputs, sought)).collect();
        let batch = found.iter().find(|filter| filter.lookup == Lookup::Batch);
        if let Some(filter) = batch.or(found.first()) {
            return Some(filter.clone());
        }
        level = level.iter().flat_map(|(path, inputs)| deeper(sdl, path, inputs)).collect();
    }
    None
}

fn here(sdl: &Sdl, path: &[String], inputs: &[Input], sought: &Sought) -> Vec<Filter> {
    let parent = path.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let within = sought.within.contains(&parent.as_str());
    let outer = OUTER.contains(&parent.as_str());
    let named = |input: &&Input| {
        let name = input.name.to_ascii_lowercase();
        let name = name.as_str();
        sought.own.contains(&name) || (sought.short.contains(&name) && (within || (outer && name == "id")))
    };
    inputs
        .iter()
        .filter(named)
        .filter(|input| alone(inputs, input))
        .filter_map(|input| value(sdl, path, input))
        .collect()
}

/// Whether nothing beside `input` has to be given.
fn alone(inputs: &[Input], input: &Input) -> bool {
    inputs.iter().all(|other| other.name == input.name || !other.required)
}

/// Where the value goes below an input: into an operator, or straight in.
fn value(sdl: &Sdl, path: &[String], input: &Input) -> Option<Filter> {
    let mut path = path.to_vec();
    path.push(input.name.clone());
    let Some(operators) = sdl.inputs(&input.base) else {
        let lookup = if input.list { Lookup::Batch } else { Lookup::Single };
        return Some(Filter { path, written: Some(input.written.clone()), lookup });
    };
    let operator = |name: &str| operators.iter().find(|operator| operator.name == name && alone(operators, operator));
    let (operator, lookup) = match operator("in") {
        Some(many) => (many, Lookup::Batch),
        None => (operator("eq")?, Lookup::Single),
    };
    path.push(operator.name.clone());
    Some(Filter { path, written: Some(operator.written.clone()), lookup })
}

fn deeper(sdl: &Sdl, path: &[String], inputs: &[Input]) -> Vec<(Vec<String>, Vec<Input>)> {
    let wraps = |input: &&Input| {
        let name = input.name.to_ascii_lowercase();
        (OUTER.contains(&name.as_str()) || CONTAINERS.contains(&name.as_str())) && alone(inputs, input)
    };
    inputs
        .iter()
        .filter(wraps)
        .filter_map(|input| {
            let path = [path, std::slice::from_ref(&input.name)].concat();
            Some((path, sdl.inputs(&input.base)?.to_vec()))
        })
        .collect()
}
