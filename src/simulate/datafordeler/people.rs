//! A person as the register holds them, and how rows follow each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::rows::Group;
use super::rows::Row;
use super::rows::RowStatus;

/// A person's sex in the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Woman,
    Man,
}

impl Sex {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Woman => "kvinde",
            Self::Man => "mand",
        }
    }

    pub(super) fn last_digit_parity(self) -> u32 {
        match self {
            Self::Woman => 0,
            Self::Man => 1,
        }
    }
}

/// A person's status in the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 01: resident in Denmark.
    Resident,
    /// 03: in Denmark, on a special road code.
    ResidentSpecialRoad,
    /// 05: resident in Greenland.
    Greenland,
    /// 07: in Greenland, on a special road code.
    GreenlandSpecialRoad,
    /// 20: a number for tax or the like, no residence.
    Administrative,
    /// 30: the number is cancelled.
    Cancelled,
    /// 50: one of two numbers, closed.
    Closed,
    /// 70: disappeared.
    Disappeared,
    /// 80: emigrated.
    Emigrated,
    /// 90: dead.
    Dead,
}

impl Status {
    /// The register's text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Resident => "bopael_i_danmark",
            Self::ResidentSpecialRoad => "bopael_i_danmark_hoej_vejkode",
            Self::Greenland => "bopael_i_groenland",
            Self::GreenlandSpecialRoad => "bopael_i_groenland_hoej_vejkode",
            Self::Administrative => "ej_bopael",
            Self::Cancelled => "annulleret",
            Self::Closed => "nedlagt_person",
            Self::Disappeared => "forsvundet",
            Self::Emigrated => "udrejst",
            Self::Dead => "doed",
        }
    }

    /// Whether somebody with this status lives in Denmark or Greenland.
    pub fn resident(self) -> bool {
        matches!(self, Self::Resident | Self::ResidentSpecialRoad | Self::Greenland | Self::GreenlandSpecialRoad)
    }
}

/// Somebody in the register.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: String,
    pub sex: Sex,
    pub born: Date,
    pub status: Status,
    /// Since when an inactive status applies.
    pub status_since: Option<Date>,
    /// The status that an annulment returns to.
    pub before: Option<(Status, Option<Date>)>,
    /// What the person is an example of.
    pub case: Option<&'static str>,
    /// Grows with each change.
    pub version: u64,
    pub rows: BTreeMap<Group, Vec<Row>>,
}

impl Person {
    pub(super) fn of(&self, group: Group) -> &[Row] {
        self.rows.get(&group).map_or(&[], Vec::as_slice)
    }

    pub(super) fn current(&self, group: Group) -> Option<&Row> {
        self.of(group).iter().rev().find(|row| row.status == RowStatus::Current)
    }

    fn current_mut(&mut self, group: Group) -> Option<&mut Row> {
        self.rows.get_mut(&group)?.iter_mut().rev().find(|row| row.status == RowStatus::Current)
    }

    /// Adds a row that applies beside the others.
    pub(super) fn add(&mut self, group: Group, at: Timestamp, from: Option<Date>, content: Value) -> &mut Row {
        let row =
            Row { status: RowStatus::Current, from, to: None, uncertain: false, registered: at, content, other: None };
        let rows = self.rows.entry(group).or_default();
        rows.push(row);
        let last = rows.len() - 1;
        &mut rows[last]
    }

    /// Ends the current row on `from` and lets `content` apply from then on.
    pub(super) fn replace(&mut self, group: Group, at: Timestamp, from: Option<Date>, content: Value) -> &mut Row {
        self.end(group, at, from);
        self.add(group, at, from, content)
    }

    /// Ends the current row, which becomes history.
    pub(super) fn end(&mut self, group: Group, at: Timestamp, to: Option<Date>) {
        if let Some(row) = self.current_mut(group) {
            (row.status, row.to, row.registered) = (RowStatus::Historical, to, at);
        }
    }

    /// Marks the current row as `wrong` and lets `content` apply from the same day, unless `from` says another.
    pub(super) fn correct(
        &mut self,
        group: Group,
        at: Timestamp,
        wrong: RowStatus,
        from: Option<Date>,
        content: Value,
    ) -> &mut Row {
        let same = self.current_mut(group).and_then(|row| {
            (row.status, row.registered) = (wrong, at);
            row.from
        });
        self.add(group, at, from.or(same), content)
    }

    /// The current row never was so; the last one in history applies again.
    pub(super) fn undo(&mut self, group: Group, at: Timestamp) {
        if let Some(row) = self.current_mut(group) {
            (row.status, row.registered) = (RowStatus::Undone, at);
        }
        self.reopen(group, at);
    }

    /// The last row in history applies again.
    pub(super) fn reopen(&mut self, group: Group, at: Timestamp) {
        let rows = self.rows.entry(group).or_default();
        if let Some(row) = rows.iter_mut().rev().find(|row| row.status == RowStatus::Historical) {
            (row.status, row.to, row.registered) = (RowStatus::Current, None, at);
        }
    }

    /// The number that applies, or the last one that did.
    pub(super) fn number(&self) -> &str {
        let row = self.current(Group::Number).or_else(|| self.of(Group::Number).last());
        row.and_then(|row| row.content["personnummer"].as_str()).unwrap_or_default()
    }

    /// The municipality of the address that applies, in four digits.
    pub(super) fn municipality(&self) -> Option<&str> {
        self.current(Group::Address)?.content["cprAdresse"]["cprkommunekode"].as_str()
    }

    /// Whether name and address are protected on `today`.
    pub(super) fn protected(&self, today: Date) -> bool {
        self.of(Group::Protection).iter().any(|row| {
            row.status == RowStatus::Current
                && row.content["beskyttelsestype"] == Protection::NameAndAddress.text()
                && row.from.is_none_or(|from| from <= today)
                && row.to.is_none_or(|to| to > today)
        })
    }
}

/// A kind of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protection {
    /// Nobody private is told name and address.
    NameAndAddress,
    /// Left out of local directories.
    LocalDirectory,
    /// No marketing.
    Marketing,
    /// A warning to those who give credit.
    CreditWarning,
}

impl Protection {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NameAndAddress => "navne_og_adresse",
            Self::LocalDirectory => "lokal_vejviser",
            Self::Marketing => "markedsfoering",
            Self::CreditWarning => "kreditadvarsel",
        }
    }
}

/// A person as somebody at the register's side sees them, for tests and people at a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Citizen {
    /// The PersonID, a UUID.
    pub id: String,
    /// The number that applies.
    pub number: String,
    /// Given, middle and family names; none for a newborn.
    pub name: Option<String>,
    /// The municipality of the address that applies, in four digits.
    pub municipality: Option<String>,
    /// The register's text for the status.
    pub status: &'static str,
    /// Whether name and address are protected today.
    pub protected: bool,
    /// What the person is an example of, for those made as one.
    pub case: Option<&'static str>,
    /// Grows with each change.
    pub version: u64,
}

impl Citizen {
    pub(super) fn of(person: &Person, today: Date) -> Self {
        Self {
            id: person.id.clone(),
            number: person.number().to_owned(),
            name: person
                .current(Group::Name)
                .and_then(|row| row.content["adresseringsnavn"].as_str())
                .map(str::to_owned),
            municipality: person.municipality().map(str::to_owned),
            status: person.status.text(),
            protected: person.protected(today),
            case: person.case,
            version: person.version,
        }
    }
}
