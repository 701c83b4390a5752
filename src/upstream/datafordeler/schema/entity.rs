//! How events and import status are asked: root fields, filters, members.

use crate::domain::field_group::GroupSet;

use super::super::fields::{EVENT, IMPORT_STATUS};
use super::sdl::{Input, Sdl};
use super::{Chosen, Findings, choose, documented};

const EVENTS: &str = "CPR_Events";
const STATUS: &str = "DAF_RegisterImportStatus";
const IMPORT: &str = "datafordelerRegisterImportSequenceNumber";

/// What is known of the entity service.
#[derive(Clone, Debug)]
pub struct EventShape {
    /// Root field of the events.
    pub events: String,
    /// Root field of the import status.
    pub status: String,
    /// Whether events are in a connection's `nodes`.
    pub nodes: bool,
    /// Whether the connection says if more follow.
    pub page_info: bool,
    /// Name of the filter argument.
    pub filter: String,
    /// How events after an id are asked for.
    pub after: Comparison,
    /// Whether events can be asked for by entity.
    pub by_entity: bool,
    /// How events from an import on are asked for, where they can be.
    pub from_import: Option<Comparison>,
    /// An event's members.
    pub event: Vec<Chosen>,
    /// The status's members.
    pub import_status: Vec<Chosen>,
    /// Whether the status is in a connection's `nodes`.
    pub status_nodes: bool,
}

/// A filter that compares a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The member of the filter.
    pub member: String,
    /// Its operator.
    pub operator: Operator,
    /// The number's type, as the schema writes it.
    pub written: String,
}

/// An operator that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `gt`: greater than.
    Above,
    /// `gte`: greater than or equal.
    From,
}

impl Operator {
    /// Its name in the register's filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Above => "gt",
            Self::From => "gte",
        }
    }
}

impl EventShape {
    /// The documented form.
    pub fn documented() -> Self {
        let after = Comparison { member: "eventid".into(), operator: Operator::Above, written: "Long!".into() };
        Self {
            events: EVENTS.to_owned(),
            status: STATUS.to_owned(),
            nodes: true,
            page_info: true,
            filter: "where".to_owned(),
            after,
            by_entity: true,
            from_import: None,
            event: documented(EVENT),
            import_status: documented(IMPORT_STATUS),
            status_nodes: false,
        }
    }

    /// The form that a schema shows; none where events or status cannot be read by it.
    pub fn read(sdl: &Sdl, out: &mut Findings) -> Option<Self> {
        let (events, arguments, target) = sdl.arguments(sdl.query(), EVENTS)?;
        let (status, status_target) = sdl.member(sdl.query(), STATUS)?;
        let (target, status_target) = (target?, status_target?);
        let nodes = sdl.member(target, "nodes").and_then(|(_, node)| node);
        let status_nodes = sdl.member(status_target, "nodes").and_then(|(_, node)| node);
        let filter = arguments.iter().find(|argument| argument.name == "where" || argument.name == "filter")?;
        let members = sdl.inputs(&filter.base)?;
        let shape = Self {
            events: events.to_owned(),
            status: status.to_owned(),
            nodes: nodes.is_some(),
            page_info: sdl.member(target, "pageInfo").is_some(),
            filter: filter.name.clone(),
            after: comparison(sdl, members, "eventid", &[Operator::Above, Operator::From])?,
            by_entity: operator(sdl, members, "entityname", "eq").is_some(),
            from_import: comparison(sdl, members, IMPORT, &[Operator::From]),
            event: choose(sdl, nodes.unwrap_or(target), EVENT, "", GroupSet::EMPTY, out),
            import_status: choose(sdl, status_nodes.unwrap_or(status_target), IMPORT_STATUS, "", GroupSet::EMPTY, out),
            status_nodes: status_nodes.is_some(),
        };
        (!out.unusable).then_some(shape)
    }
}

fn comparison(sdl: &Sdl, members: &[Input], name: &str, operators: &[Operator]) -> Option<Comparison> {
    operators.iter().find_map(|&wanted| {
        let (member, input) = operator(sdl, members, name, wanted.name())?;
        Some(Comparison { member: member.to_owned(), operator: wanted, written: input.written.clone() })
    })
}

fn operator<'a>(sdl: &'a Sdl, members: &'a [Input], name: &str, operator: &str) -> Option<(&'a str, &'a Input)> {
    let member = members.iter().find(|member| member.name.eq_ignore_ascii_case(name))?;
    let found = sdl.inputs(&member.base)?.iter().find(|input| input.name == operator)?;
    Some((&member.name, found))
}
