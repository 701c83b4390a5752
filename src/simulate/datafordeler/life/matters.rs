//! The rest of what is written about a person: protection, church, guardian, contact address, conditions, notes.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use crate::simulate::datafordeler::book::Book;
use crate::simulate::datafordeler::happening::Error;
use crate::simulate::datafordeler::people::Protection;
use crate::simulate::datafordeler::rows::Group;
use crate::simulate::datafordeler::rows::RowStatus;

pub(super) fn protect(
    book: &mut Book,
    id: &str,
    kind: Protection,
    from: Date,
    until: Option<Date>,
    at: Timestamp,
) -> Result<(), Error> {
    let content = json!({ "beskyttelsestype": kind.text() });
    book.change(id, Group::Protection)?.add(Group::Protection, at, Some(from), content).to = until;
    Ok(())
}

pub(super) fn unprotect(
    book: &mut Book,
    id: &str,
    kind: Option<Protection>,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let rows = book.change(id, Group::Protection)?.rows.entry(Group::Protection).or_default();
    for row in rows.iter_mut().filter(|row| row.status == RowStatus::Current) {
        if kind.is_none_or(|kind| row.content["beskyttelsestype"] == kind.text()) {
            (row.status, row.to, row.registered) = (RowStatus::Historical, Some(from), at);
        }
    }
    Ok(())
}

pub(super) fn church(book: &mut Book, id: &str, relation: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let content = json!({ "tilhoersforhold": relation });
    book.change(id, Group::Church)?.replace(Group::Church, at, Some(from), content);
    Ok(())
}

pub(super) fn set_guardianship(
    book: &mut Book,
    id: &str,
    guardian: &str,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let content = json!({
        "vaergemaalstype": "vaergemaal_uden_fratagelse_af_retlig_handleevne", "vaergenavn": guardian,
        "adresselinie1": "Værgestien 1", "adresselinie2": "9999 Ingensteds",
    });
    book.change(id, Group::Guardianship)?.replace(Group::Guardianship, at, Some(from), content);
    Ok(())
}

pub(super) fn end_guardianship(book: &mut Book, id: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    book.change(id, Group::Guardianship)?.end(Group::Guardianship, at, Some(on));
    Ok(())
}

pub(super) fn contact_address(
    book: &mut Book,
    id: &str,
    from: Date,
    until: Option<Date>,
    at: Timestamp,
) -> Result<(), Error> {
    let content = json!({ "adresselinie1": "Postboks 0", "adresselinie2": "9999 Ingensteds" });
    book.change(id, Group::ContactAddress)?.replace(Group::ContactAddress, at, Some(from), content).to = until;
    Ok(())
}

pub(super) fn condition(book: &mut Book, id: &str, code: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let content = json!({
        "kommunaleforholdskode": code, "kommunaleforholdstype": "1", "bemaerkning": "Opdigtet forhold",
    });
    book.change(id, Group::MunicipalCondition)?.add(Group::MunicipalCondition, at, Some(from), content);
    Ok(())
}

pub(super) fn note(
    book: &mut Book,
    id: &str,
    text: &str,
    from: Date,
    until: Option<Date>,
    at: Timestamp,
) -> Result<(), Error> {
    let person = book.change(id, Group::Note)?;
    let content = json!({ "notatlinie": text, "notatnummer": person.of(Group::Note).len() + 1 });
    person.add(Group::Note, at, Some(from), content).to = until;
    Ok(())
}
