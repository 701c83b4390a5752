//! One person for each oddity that a client has to live with.

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::date;
use serde_json::json;

use super::book::Book;
use super::book::Newcomer;
use super::happening::Error;
use super::happening::Happening;
use super::life;
use super::names;
use super::names::MUNICIPALITIES;
use super::names::Road;
use super::people::Protection;
use super::people::Sex;
use super::people::Status;
use super::rows::Group;
use crate::runtime::clock::danish_date;

/// Somebody with a home and nothing special about them.
pub(super) fn resident(book: &mut Book, municipality: &str, road: Road, since: Date, at: Timestamp) -> Newcomer {
    let sex = if book.chance.once_in(2) { Sex::Woman } else { Sex::Man };
    let born = names::birth_date(&mut book.chance, danish_date(at)).min(since);
    Newcomer {
        sex,
        born,
        modulus: !book.chance.once_in(10),
        named: true,
        home: Some((municipality.to_owned(), road, since)),
        status: life::status_at(municipality, road),
        case: None,
    }
}

/// Somebody with a home in one of the municipalities, since some time ago.
pub(super) fn anyone(book: &mut Book, at: Timestamp) -> Newcomer {
    let municipality = book.chance.pick(MUNICIPALITIES).0;
    let days = i64::try_from(30 + book.chance.below(9000)).unwrap_or(30);
    let since = danish_date(at).saturating_sub(Span::new().days(days));
    resident(book, municipality, Road::Ordinary, since, at)
}

/// The making of cases: the book, the time, and the date a month ago.
struct Making<'a> {
    book: &'a mut Book,
    at: Timestamp,
    lately: Date,
    made: Vec<String>,
}

impl Making<'_> {
    fn enter(&mut self, case: &'static str, change: impl FnOnce(&mut Newcomer)) -> Result<String, Error> {
        let mut newcomer = resident(self.book, "0851", Road::Ordinary, date(2015, 3, 1), self.at);
        newcomer.born = newcomer.born.min(date(2000, 6, 15));
        newcomer.case = Some(case);
        change(&mut newcomer);
        let id = self.book.enter(newcomer, self.at)?;
        self.made.push(id.clone());
        Ok(id)
    }

    fn happen(&mut self, id: &str, what: Happening) -> Result<Option<String>, Error> {
        life::happen(self.book, id, what, self.at)
    }

    fn entered_then(&mut self, case: &'static str, what: Happening) -> Result<String, Error> {
        let id = self.enter(case, |_| ())?;
        self.happen(&id, what)?;
        Ok(id)
    }
}

/// Makes all cases; gives their PersonIDs.
pub(super) fn make(book: &mut Book, at: Timestamp) -> Result<Vec<String>, Error> {
    let lately = danish_date(at).saturating_sub(Span::new().days(30));
    let mut making = Making { book, at, lately, made: Vec::new() };
    numbers(&mut making)?;
    statuses(&mut making)?;
    protections(&mut making)?;
    doubles(&mut making)?;
    families(&mut making)?;
    Ok(making.made)
}

fn numbers(making: &mut Making<'_>) -> Result<(), Error> {
    making.enter("born 1 January 1965, no modulus", |who| (who.born, who.modulus) = (date(1965, 1, 1), false))?;
    making.enter("number fails modulus 11", |who| who.modulus = false)?;
    making.enter("born in the century before last", |who| who.born = date(1899, 12, 31))?;
    making.entered_then("changed number", Happening::ChangeNumber { from: making.lately })?;
    making.enter("administrative number", |who| {
        who.status = Status::Administrative;
        who.home = Some(("0010".to_owned(), Road::Special, date(2020, 1, 1)));
    })?;
    Ok(())
}

fn statuses(making: &mut Making<'_>) -> Result<(), Error> {
    let from = making.lately;
    let home = |municipality: &str, road| Some((municipality.to_owned(), road, date(2018, 8, 8)));
    for (case, municipality, road) in [
        ("resident", "0851", Road::Ordinary),
        ("special road code", "0101", Road::Special),
        ("Greenland", "0956", Road::Ordinary),
        ("Greenland, special road code", "0960", Road::Special),
    ] {
        making.enter(case, |who| {
            (who.home, who.status) = (home(municipality, road), life::status_at(municipality, road));
        })?;
    }
    making.entered_then("cancelled number", Happening::CancelNumber { on: from })?;
    making.entered_then("disappeared", Happening::Disappear { from })?;
    making.entered_then("emigrated", Happening::Emigrate { country: "5110".to_owned(), from })?;
    making.entered_then("dead", Happening::Die { on: from })?;
    Ok(())
}

fn protections(making: &mut Making<'_>) -> Result<(), Error> {
    let from = making.lately;
    for (case, kind) in [
        ("name and address protected", Protection::NameAndAddress),
        ("not in local directories", Protection::LocalDirectory),
        ("no marketing", Protection::Marketing),
        ("credit warning", Protection::CreditWarning),
    ] {
        making.entered_then(case, Happening::Protect { kind, from, until: None })?;
    }
    let until = Some(danish_date(making.at).saturating_add(Span::new().days(30)));
    let kind = Protection::NameAndAddress;
    making.entered_then("protected with an end date", Happening::Protect { kind, from, until })?;
    Ok(())
}

fn doubles(making: &mut Making<'_>) -> Result<(), Error> {
    let survivor = making.enter("survivor of a double PersonID", |_| ())?;
    let into = survivor.clone();
    making.entered_then("closed double PersonID", Happening::Merge { into, on: making.lately })?;
    making.enter("long name", |who| who.named = false)?;
    let long = making.made.last().cloned().unwrap_or_default();
    let (first, last) = ("Ærøskøbingia Østerlarsine Åkirkebyette", "Blåbærgrødsløkkegård-Sønderhøjskovæble");
    let from = date(2001, 1, 1);
    making.happen(&long, Happening::Rename { first: Some(first.to_owned()), last: Some(last.to_owned()), from })?;
    Ok(())
}

fn families(making: &mut Making<'_>) -> Result<(), Error> {
    let mother = making.enter("mother of two, married", |who| (who.born, who.sex) = (date(1985, 4, 2), Sex::Woman))?;
    let father = making.enter("father of two, married", |who| (who.born, who.sex) = (date(1983, 9, 9), Sex::Man))?;
    making.happen(&mother, Happening::Marry { spouse: father.clone(), on: date(2012, 6, 2) })?;
    let born = date(2014, 2, 3);
    let older = making.happen(&mother, Happening::HaveChild { other_parent: Some(father.clone()), born })?;
    if let Some(older) = older {
        let kind = Protection::NameAndAddress;
        making.happen(&older, Happening::Rename { first: None, last: None, from: born })?;
        making.happen(&older, Happening::Protect { kind, from: born, until: None })?;
        making.made.push(older);
    }
    let born = making.lately;
    let newborn = making.happen(&mother, Happening::HaveChild { other_parent: Some(father), born })?;
    making.made.extend(newborn);
    orphans(making)
}

fn orphans(making: &mut Making<'_>) -> Result<(), Error> {
    let at = making.at;
    let orphan = making.enter("parents without a number", |_| ())?;
    let unknown = json!({ "foraelderrolle": "mor", "foraelderUdenCpr": {
        "personid": null, "navn": "Ukendtine Udenlandsen", "navnemarkering": null,
        "foedselsdato": "1950-01-01", "foedselsdatousikkerhedsmarkering": true,
    } });
    let invalid = json!({ "foraelderrolle": "far_medmor", "ikkeValidRelationsForaelder": {
        "personid": null, "personnummer": null, "navn": "Ugyldius Relationsen", "foedselsdato": "1949-02-03",
    } });
    for parent in [unknown, invalid] {
        making.book.change(&orphan, Group::Parent)?.add(Group::Parent, at, Some(date(1991, 9, 23)), parent).uncertain =
            true;
    }
    Ok(())
}
