//! What a person is known by: name, number, birth date, citizenship.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::simulate::datafordeler::book::Book;
use crate::simulate::datafordeler::happening::Error;
use crate::simulate::datafordeler::names;
use crate::simulate::datafordeler::numbers;
use crate::simulate::datafordeler::people::Status;
use crate::simulate::datafordeler::rows::Group;
use crate::simulate::datafordeler::rows::RowStatus;

/// The present name with parts of it replaced. Who had none gets invented parts.
fn changed_name(book: &mut Book, id: &str, first: Option<String>, last: Option<String>) -> Result<Value, Error> {
    let invented = (names::first_name(&mut book.chance, true), names::last_name(&mut book.chance).to_owned());
    let now = book.get(id)?.current(Group::Name).map(|row| row.content.clone()).unwrap_or_default();
    let part = |given: Option<String>, member: &str, invented: String| {
        given.or_else(|| now[member].as_str().map(str::to_owned)).unwrap_or(invented)
    };
    let (first, last) = (part(first, "fornavne", invented.0), part(last, "efternavn", invented.1));
    Ok(names::name(&first, now["mellemnavn"].as_str(), &last))
}

pub(super) fn rename(
    book: &mut Book,
    id: &str,
    first: Option<String>,
    last: Option<String>,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let name = changed_name(book, id, first, last)?;
    book.change(id, Group::Name)?.replace(Group::Name, at, Some(from), name);
    Ok(())
}

pub(super) fn correct_name(
    book: &mut Book,
    id: &str,
    first: Option<String>,
    last: Option<String>,
    at: Timestamp,
) -> Result<(), Error> {
    let name = changed_name(book, id, first, last)?;
    book.change(id, Group::Name)?.correct(Group::Name, at, RowStatus::Corrected, None, name);
    Ok(())
}

pub(super) fn change_number(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let modulus = numbers::has_modulus(book.get(id)?.number());
    book.give_number(id, modulus, from, at)
}

pub(super) fn cancel_number(book: &mut Book, id: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    if matches!(book.get(id)?.status, Status::Cancelled | Status::Closed | Status::Dead) {
        return Err(Error::Impossible("the number is not in use"));
    }
    book.change(id, Group::Number)?.end(Group::Number, at, Some(on));
    if book.get(id)?.status.resident() {
        book.change(id, Group::Address)?.end(Group::Address, at, Some(on));
    }
    let person = book.change_self(id)?;
    person.before = Some((person.status, person.status_since));
    (person.status, person.status_since) = (Status::Cancelled, Some(on));
    Ok(())
}

pub(super) fn restore_number(book: &mut Book, id: &str, at: Timestamp) -> Result<(), Error> {
    let person = book.get(id)?;
    let (Status::Cancelled, Some((status, since))) = (person.status, person.before) else {
        return Err(Error::Impossible("the number is not cancelled"));
    };
    book.change(id, Group::Number)?.reopen(Group::Number, at);
    if status.resident() {
        book.change(id, Group::Address)?.reopen(Group::Address, at);
    }
    let person = book.change_self(id)?;
    (person.status, person.status_since, person.before) = (status, since, None);
    Ok(())
}

pub(super) fn merge(book: &mut Book, id: &str, into: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    book.get(into)?;
    if id == into || book.get(id)?.status == Status::Closed {
        return Err(Error::Impossible("closed already, or the same person"));
    }
    let number = book.get(id)?.number().to_owned();
    let row = book.get(id)?.current(Group::Number).cloned();
    book.change(id, Group::Number)?.end(Group::Number, at, Some(on));
    book.change(id, Group::Address)?.end(Group::Address, at, Some(on));
    let closed = book.change_self(id)?;
    (closed.status, closed.status_since) = (Status::Closed, Some(on));
    let survivor = book.change(into, Group::Number)?.rows.entry(Group::Number).or_default();
    if let Some(mut row) = row {
        (row.status, row.to, row.registered) = (RowStatus::Historical, Some(on), at);
        survivor.insert(0, row);
    }
    book.index_number(into, &number);
    Ok(())
}

pub(super) fn split(book: &mut Book, id: &str, from: &str, at: Timestamp) -> Result<(), Error> {
    if book.get(id)?.status != Status::Closed {
        return Err(Error::Impossible("not closed as a double"));
    }
    let number = book.get(id)?.number().to_owned();
    let other = book.change(from, Group::Number)?.rows.entry(Group::Number).or_default();
    for row in other.iter_mut().filter(|row| row.content["personnummer"] == number.as_str()) {
        (row.status, row.registered) = (RowStatus::Undone, at);
    }
    book.change(id, Group::Number)?.reopen(Group::Number, at);
    book.change(id, Group::Address)?.reopen(Group::Address, at);
    let person = book.change_self(id)?;
    (person.status, person.status_since) = (Status::Resident, None);
    Ok(())
}

pub(super) fn second_number(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let first = book.get(id)?.current(Group::Number).cloned();
    let modulus = numbers::has_modulus(book.get(id)?.number());
    book.give_number(id, modulus, from, at)?;
    let rows = book.change(id, Group::Number)?.rows.entry(Group::Number).or_default();
    if let Some(row) = rows.iter_mut().find(|row| first.as_ref().is_some_and(|first| first.content == row.content)) {
        (row.status, row.to) = (RowStatus::Current, None);
    }
    Ok(())
}

pub(super) fn former_number(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let rows = book.get(id)?.of(Group::Number);
    let former = rows.iter().rev().find(|row| row.status == RowStatus::Historical).map(|row| row.content.clone());
    let former = former.ok_or(Error::Impossible("there was no other number"))?;
    book.change(id, Group::Number)?.replace(Group::Number, at, Some(from), former);
    Ok(())
}

pub(super) fn claim_number(book: &mut Book, id: &str, of: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let content = book.get(of)?.current(Group::Number).map(|row| row.content.clone());
    let number = book.get(of)?.number().to_owned();
    let content = content.ok_or(Error::Impossible("the number is not in use"))?;
    book.change(id, Group::Number)?.replace(Group::Number, at, Some(from), content);
    book.index_number(id, &number);
    Ok(())
}

pub(super) fn another_person_id(book: &mut Book, id: &str) -> Result<String, Error> {
    let new = book.rename_id(id)?;
    book.change_self(&new)?;
    Ok(new)
}

pub(super) fn show(book: &mut Book, id: &str, shown: bool) -> Result<(), Error> {
    book.change_self(id)?;
    book.show(id, shown);
    Ok(())
}

pub(super) fn correct_birth(book: &mut Book, id: &str, born: Date, at: Timestamp) -> Result<(), Error> {
    book.change_self(id)?.born = born;
    change_number(book, id, at_date(at), at)
}

fn at_date(at: Timestamp) -> Date {
    crate::runtime::clock::danish_date(at)
}

pub(super) fn change_citizenship(
    book: &mut Book,
    id: &str,
    country: &str,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let content = names::country(country);
    book.change(id, Group::Citizenship)?.replace(Group::Citizenship, at, Some(from), content);
    Ok(())
}
