//! Where a person lives: moves, corrections of them, abroad and back, disappeared and found.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use serde_json::json;

use crate::simulate::datafordeler::book::Book;
use crate::simulate::datafordeler::happening::Error;
use crate::simulate::datafordeler::names;
use crate::simulate::datafordeler::names::Road;
use crate::simulate::datafordeler::people::Status;
use crate::simulate::datafordeler::rows::Group;
use crate::simulate::datafordeler::rows::RowStatus;

/// The status of somebody who lives in a municipality.
pub(in crate::simulate::datafordeler) fn status_at(municipality: &str, road: Road) -> Status {
    match (("0950"..="0969").contains(&municipality), road) {
        (false, Road::Ordinary) => Status::Resident,
        (false, Road::Special) => Status::ResidentSpecialRoad,
        (true, Road::Ordinary) => Status::Greenland,
        (true, Road::Special) => Status::GreenlandSpecialRoad,
    }
}

fn home_of(book: &Book, id: &str) -> Result<String, Error> {
    let person = book.get(id)?;
    let resident = person.status.resident().then(|| person.municipality()).flatten();
    resident.map(str::to_owned).ok_or(Error::Impossible("not a resident"))
}

fn settle(book: &mut Book, id: &str, municipality: &str, road: Road, from: Date, at: Timestamp) -> Result<(), Error> {
    let address = names::address(&mut book.chance, municipality, road);
    book.change(id, Group::Address)?.replace(Group::Address, at, Some(from), address);
    let status = status_at(municipality, road);
    if book.get(id)?.status != status {
        let person = book.change_self(id)?;
        (person.status, person.status_since) = (status, None);
    }
    Ok(())
}

fn leave(book: &mut Book, id: &str, status: Status, on: Date, at: Timestamp) -> Result<(), Error> {
    book.change(id, Group::Address)?.end(Group::Address, at, Some(on));
    let person = book.change_self(id)?;
    (person.status, person.status_since) = (status, Some(on));
    Ok(())
}

pub(super) fn move_to(book: &mut Book, id: &str, municipality: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    home_of(book, id)?;
    settle(book, id, municipality, Road::Ordinary, from, at)
}

pub(super) fn move_within(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let municipality = home_of(book, id)?;
    settle(book, id, &municipality, Road::Ordinary, from, at)
}

pub(super) fn lose_home(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let municipality = home_of(book, id)?;
    settle(book, id, &municipality, Road::Special, from, at)
}

pub(super) fn correct(
    book: &mut Book,
    id: &str,
    municipality: Option<String>,
    from: Option<Date>,
    at: Timestamp,
) -> Result<(), Error> {
    let municipality = municipality.map_or_else(|| home_of(book, id), Ok)?;
    home_of(book, id)?;
    let address = names::address(&mut book.chance, &municipality, Road::Ordinary);
    book.change(id, Group::Address)?.correct(Group::Address, at, RowStatus::Corrected, from, address);
    book.change_self(id)?.status = status_at(&municipality, Road::Ordinary);
    Ok(())
}

pub(super) fn annul_move(book: &mut Book, id: &str, at: Timestamp) -> Result<(), Error> {
    home_of(book, id)?;
    if !book.get(id)?.of(Group::Address).iter().any(|row| row.status == RowStatus::Historical) {
        return Err(Error::Impossible("never lived anywhere else"));
    }
    book.change(id, Group::Address)?.undo(Group::Address, at);
    let municipality = home_of(book, id)?;
    book.change_self(id)?.status = status_at(&municipality, Road::Ordinary);
    Ok(())
}

pub(super) fn rename_road(book: &mut Book, id: &str, at: Timestamp) -> Result<(), Error> {
    home_of(book, id)?;
    let person = book.change(id, Group::Address)?;
    let mut address = person.current(Group::Address).map(|row| row.content.clone()).unwrap_or_default();
    address["cprAdresse"]["vejnavn"] = json!("Omdøbte Vej");
    address["cprAdresse"]["vejadresseringsnavn"] = json!("Omdøbte Vej");
    person.correct(Group::Address, at, RowStatus::Technical, None, address);
    Ok(())
}

pub(super) fn emigrate(book: &mut Book, id: &str, country: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    home_of(book, id)?;
    leave(book, id, Status::Emigrated, from, at)?;
    book.change(id, Group::Travel)?.add(Group::Travel, at, Some(from), abroad(country, None));
    Ok(())
}

pub(super) fn return_home(
    book: &mut Book,
    id: &str,
    municipality: &str,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    if book.get(id)?.status != Status::Emigrated {
        return Err(Error::Impossible("not abroad"));
    }
    let person = book.change(id, Group::Travel)?;
    if let Some(row) = person.rows.get_mut(&Group::Travel).and_then(|rows| rows.last_mut()) {
        row.content["cprlandekodeindrejse"] = row.content["cprlandekodeudrejse"].clone();
    }
    person.end(Group::Travel, at, Some(from));
    settle(book, id, municipality, Road::Ordinary, from, at)
}

/// The content of a row of somebody who left for a country, and perhaps came back from one.
pub(in crate::simulate::datafordeler) fn abroad(country: &str, back: Option<&str>) -> Value {
    json!({
        "cprlandekodeudrejse": country, "cprlandekodeindrejse": back,
        "udenlandsadresselinie1": "1 Invented Street", "udenlandsadresselinie2": "Nowhere",
        "udenlandsadresselinie3": null, "udenlandsadresselinie4": null, "udenlandsadresselinie5": null,
    })
}

pub(super) fn disappear(book: &mut Book, id: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    home_of(book, id)?;
    leave(book, id, Status::Disappeared, from, at)?;
    book.change(id, Group::Disappearance)?.add(Group::Disappearance, at, Some(from), json!({}));
    Ok(())
}

pub(super) fn found(book: &mut Book, id: &str, municipality: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    if book.get(id)?.status != Status::Disappeared {
        return Err(Error::Impossible("not disappeared"));
    }
    book.change(id, Group::Disappearance)?.end(Group::Disappearance, at, Some(from));
    settle(book, id, municipality, Road::Ordinary, from, at)
}

pub(super) fn supplement(
    book: &mut Book,
    id: &str,
    from: Date,
    until: Option<Date>,
    at: Timestamp,
) -> Result<(), Error> {
    home_of(book, id)?;
    let person = book.change(id, Group::Address)?;
    let rows = person.rows.entry(Group::Address).or_default();
    if let Some(row) = rows.iter_mut().rev().find(|row| row.status == RowStatus::Current) {
        row.content["supplerendeAdresse"] = json!({
            "virkningfra": from, "virkningtil": until,
            "adresselinie1": "Bag Kulissen", "adresselinie2": "Dør uden klinke", "adresselinie3": null,
            "adresselinie4": null, "adresselinie5": null,
        });
        row.registered = at;
    }
    Ok(())
}
