//! Birth, marriage, custody and death, which change the rows of more than one person.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use serde_json::json;

use crate::simulate::datafordeler::book::Book;
use crate::simulate::datafordeler::book::Newcomer;
use crate::simulate::datafordeler::happening::Error;
use crate::simulate::datafordeler::people::Person;
use crate::simulate::datafordeler::people::Sex;
use crate::simulate::datafordeler::people::Status;
use crate::simulate::datafordeler::rows::Group;
use crate::simulate::datafordeler::rows::RowStatus;

fn spouse_of(person: &Person) -> Option<String> {
    let row = person.current(Group::CivilStatus)?;
    (row.content["civilstandstype"] == "gift").then(|| row.other.clone()).flatten()
}

/// The content of a civil status row, with the spouse where there is one.
fn civil_status(kind: &str, spouse: Option<&Person>) -> Value {
    let name = spouse.and_then(|spouse| spouse.current(Group::Name)).map(|row| row.content["adresseringsnavn"].clone());
    json!({
        "civilstandstype": kind, "aegtefaelle": spouse.map(|spouse| &spouse.id),
        "aegtefaellenavn": name, "aegtefaellefoedselsdato": spouse.map(|spouse| spouse.born),
    })
}

fn set_civil_status(
    book: &mut Book,
    id: &str,
    kind: &str,
    spouse: Option<&str>,
    on: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let content = civil_status(kind, spouse.map(|spouse| book.get(spouse)).transpose()?);
    let row = book.change(id, Group::CivilStatus)?.replace(Group::CivilStatus, at, Some(on), content);
    row.other = spouse.map(str::to_owned);
    Ok(())
}

pub(super) fn marry(book: &mut Book, id: &str, spouse: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    if id == spouse {
        return Err(Error::Impossible("nobody marries themselves"));
    }
    for one in [id, spouse] {
        let person = book.get(one)?;
        if person.status == Status::Dead || spouse_of(person).is_some() {
            return Err(Error::Impossible("dead or married already"));
        }
    }
    set_civil_status(book, id, "gift", Some(spouse), on, at)?;
    set_civil_status(book, spouse, "gift", Some(id), on, at)
}

pub(super) fn divorce(book: &mut Book, id: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    let spouse = spouse_of(book.get(id)?).ok_or(Error::Impossible("not married"))?;
    set_civil_status(book, id, "fraskilt", None, on, at)?;
    set_civil_status(book, &spouse, "fraskilt", None, on, at)
}

pub(super) fn die(book: &mut Book, id: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    let person = book.get(id)?;
    if matches!(person.status, Status::Dead | Status::Cancelled | Status::Closed) {
        return Err(Error::Impossible("nobody who is alive"));
    }
    let spouse = spouse_of(person);
    if person.status.resident() {
        book.change(id, Group::Address)?.end(Group::Address, at, Some(on));
    }
    set_civil_status(book, id, "doed", None, on, at)?;
    if let Some(spouse) = spouse {
        set_civil_status(book, &spouse, "enke_enkemand", None, on, at)?;
    }
    let person = book.change_self(id)?;
    person.before = Some((person.status, person.status_since));
    (person.status, person.status_since) = (Status::Dead, Some(on));
    Ok(())
}

pub(super) fn annul_death(book: &mut Book, id: &str, at: Timestamp) -> Result<(), Error> {
    let person = book.get(id)?;
    let (Status::Dead, Some((status, since))) = (person.status, person.before) else {
        return Err(Error::Impossible("not dead"));
    };
    if status.resident() {
        book.change(id, Group::Address)?.reopen(Group::Address, at);
    }
    book.change(id, Group::CivilStatus)?.undo(Group::CivilStatus, at);
    if let Some(spouse) = spouse_of(book.get(id)?) {
        book.change(&spouse, Group::CivilStatus)?.undo(Group::CivilStatus, at);
    }
    let person = book.change_self(id)?;
    (person.status, person.status_since, person.before) = (status, since, None);
    Ok(())
}

pub(super) fn have_child(
    book: &mut Book,
    id: &str,
    other: Option<String>,
    born: Date,
    at: Timestamp,
) -> Result<String, Error> {
    let parent = book.get(id)?;
    let address = parent.current(Group::Address).map(|row| row.content.clone());
    let (true, Some(address)) = (parent.status.resident(), address) else {
        return Err(Error::Impossible("the parent has no home"));
    };
    let status = parent.status;
    other.as_deref().map(|other| book.get(other)).transpose()?;
    let sex = if book.chance.once_in(2) { Sex::Woman } else { Sex::Man };
    let newcomer = Newcomer { sex, born, modulus: false, named: false, home: None, status, case: None };
    let child = book.enter(newcomer, at)?;
    book.change(&child, Group::Address)?.add(Group::Address, at, Some(born), address);
    relate(book, &child, id, "mor", born, at)?;
    if let Some(other) = other.filter(|other| other != id) {
        relate(book, &child, &other, "far_medmor", born, at)?;
    }
    Ok(child)
}

/// Makes somebody a parent with custody, in the rows of both.
pub(in crate::simulate::datafordeler) fn relate(
    book: &mut Book,
    child: &str,
    parent: &str,
    role: &str,
    from: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let row = book.change(child, Group::Parent)?.add(Group::Parent, at, Some(from), json!({ "foraelderrolle": role }));
    row.other = Some(parent.to_owned());
    let row = book.change(parent, Group::Child)?.add(Group::Child, at, Some(from), json!({}));
    row.other = Some(child.to_owned());
    custody(book, child, parent, role, from, at)
}

fn custody(book: &mut Book, child: &str, holder: &str, role: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    let held = json!({ "foraeldremyndighedsindehaverrolle": role });
    let row = book.change(child, Group::CustodyHolder)?.add(Group::CustodyHolder, at, Some(from), held);
    row.other = Some(holder.to_owned());
    let row = book.change(holder, Group::CustodyOver)?.add(Group::CustodyOver, at, Some(from), json!({}));
    row.other = Some(child.to_owned());
    Ok(())
}

pub(super) fn change_parent(book: &mut Book, id: &str, parent: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    book.get(parent)?;
    if id == parent {
        return Err(Error::Impossible("nobody is their own parent"));
    }
    let mut former = Vec::new();
    let child = book.change(id, Group::Parent)?;
    child.rows.entry(Group::Parent).or_default().retain(|row| {
        let second = row.content["foraelderrolle"] == "far_medmor";
        former.extend(second.then(|| row.other.clone()).flatten());
        !second
    });
    for former in former {
        let rows = book.change(&former, Group::Child)?.rows.entry(Group::Child).or_default();
        rows.retain(|row| row.other.as_deref() != Some(id));
    }
    let role = json!({ "foraelderrolle": "far_medmor" });
    book.change(id, Group::Parent)?.add(Group::Parent, at, Some(from), role).other = Some(parent.to_owned());
    book.change(parent, Group::Child)?.add(Group::Child, at, Some(from), json!({})).other = Some(id.to_owned());
    Ok(())
}

pub(super) fn set_custody(book: &mut Book, id: &str, holder: &str, from: Date, at: Timestamp) -> Result<(), Error> {
    book.get(holder)?;
    if id == holder {
        return Err(Error::Impossible("nobody has custody of themselves"));
    }
    custody(book, id, holder, "anden", from, at)
}

pub(super) fn end_custody(book: &mut Book, id: &str, on: Date, at: Timestamp) -> Result<(), Error> {
    let holders: Vec<_> = book.get(id)?.of(Group::CustodyHolder).iter().filter_map(|row| row.other.clone()).collect();
    end_custody_rows(book, id, Group::CustodyHolder, None, on, at)?;
    for holder in holders {
        end_custody_rows(book, &holder, Group::CustodyOver, Some(id), on, at)?;
    }
    Ok(())
}

fn end_custody_rows(
    book: &mut Book,
    id: &str,
    group: Group,
    about: Option<&str>,
    on: Date,
    at: Timestamp,
) -> Result<(), Error> {
    let rows = book.change(id, group)?.rows.entry(group).or_default();
    let current = rows.iter_mut().filter(|row| row.status == RowStatus::Current);
    for row in current.filter(|row| about.is_none() || row.other.as_deref() == about) {
        (row.status, row.to, row.registered) = (RowStatus::Historical, Some(on), at);
    }
    Ok(())
}
