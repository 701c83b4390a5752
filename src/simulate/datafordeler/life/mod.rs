//! How the rows change when something happens to a person, one file per part of life.

mod family;
mod home;
mod identity;
mod matters;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::book::Book;
use super::happening::Error;
use super::happening::Happening;
use super::imports::Notice;
use super::people::Person;
use super::rows::Group;

pub(super) use home::status_at;

/// Lets something happen to a person at `at`. Gives the PersonID of whoever came into being by it.
pub(super) fn happen(book: &mut Book, id: &str, what: Happening, at: Timestamp) -> Result<Option<String>, Error> {
    use Happening as H;
    book.get(id)?;
    match what {
        H::MoveTo { municipality, from } => home::move_to(book, id, &municipality, from, at)?,
        H::MoveWithin { from } => home::move_within(book, id, from, at)?,
        H::LoseHome { from } => home::lose_home(book, id, from, at)?,
        H::CorrectAddress { municipality, from } => home::correct(book, id, municipality, from, at)?,
        H::AnnulMove => home::annul_move(book, id, at)?,
        H::RenameRoad => home::rename_road(book, id, at)?,
        H::Emigrate { country, from } => home::emigrate(book, id, &country, from, at)?,
        H::ReturnHome { municipality, from } => home::return_home(book, id, &municipality, from, at)?,
        H::Disappear { from } => home::disappear(book, id, from, at)?,
        H::Found { municipality, from } => home::found(book, id, &municipality, from, at)?,
        H::SetSupplementaryAddress { from, until } => home::supplement(book, id, from, until, at)?,
        H::Die { on } => family::die(book, id, on, at)?,
        H::AnnulDeath => family::annul_death(book, id, at)?,
        H::Marry { spouse, on } => family::marry(book, id, &spouse, on, at)?,
        H::Divorce { on } => family::divorce(book, id, on, at)?,
        H::HaveChild { other_parent, born } => return family::have_child(book, id, other_parent, born, at).map(Some),
        H::ChangeParent { parent, from } => family::change_parent(book, id, &parent, from, at)?,
        H::SetCustody { holder, from } => family::set_custody(book, id, &holder, from, at)?,
        H::EndCustody { on } => family::end_custody(book, id, on, at)?,
        H::Rename { first, last, from } => identity::rename(book, id, first, last, from, at)?,
        H::CorrectName { first, last } => identity::correct_name(book, id, first, last, at)?,
        H::ChangeNumber { from } => identity::change_number(book, id, from, at)?,
        H::CancelNumber { on } => identity::cancel_number(book, id, on, at)?,
        H::RestoreNumber => identity::restore_number(book, id, at)?,
        H::Merge { into, on } => identity::merge(book, id, &into, on, at)?,
        H::Split { from } => identity::split(book, id, &from, at)?,
        H::SecondNumber { from } => identity::second_number(book, id, from, at)?,
        H::FormerNumber { from } => identity::former_number(book, id, from, at)?,
        H::ClaimNumber { of, from } => identity::claim_number(book, id, &of, from, at)?,
        H::AnotherPersonId => return identity::another_person_id(book, id).map(Some),
        H::Vanish => identity::show(book, id, false)?,
        H::Reappear => identity::show(book, id, true)?,
        H::CorrectBirth { born } => identity::correct_birth(book, id, born, at)?,
        H::ChangeCitizenship { country, from } => identity::change_citizenship(book, id, &country, from, at)?,
        H::Protect { kind, from, until } => matters::protect(book, id, kind, from, until, at)?,
        H::Unprotect { kind, from } => matters::unprotect(book, id, kind, from, at)?,
        H::JoinChurch { from } => matters::church(book, id, "medlem_af_folkekirken", from, at)?,
        H::LeaveChurch { from } => matters::church(book, id, "ikke_medlem_af_folkekirken", from, at)?,
        H::SetGuardianship { guardian, from } => matters::set_guardianship(book, id, &guardian, from, at)?,
        H::EndGuardianship { on } => matters::end_guardianship(book, id, on, at)?,
        H::SetContactAddress { from, until } => matters::contact_address(book, id, from, until, at)?,
        H::MunicipalCondition { code, from } => matters::condition(book, id, &code, from, at)?,
        H::Note { text, from, until } => matters::note(book, id, &text, from, until, at)?,
        H::Nothing => book.change_self(id).map(drop)?,
    }
    Ok(None)
}

/// What the register will tell about a changed person: each entity's row, then the business event.
pub(super) fn notices(person: &Person, before: Option<String>, entities: &BTreeSet<&'static str>) -> Vec<Notice> {
    let notice = |entity, action| Notice {
        entity,
        action,
        person: person.id.clone(),
        status: None,
        from: None,
        to: None,
        municipality_now: None,
        municipality_before: None,
    };
    let mut notices: Vec<_> = entities
        .iter()
        .map(|entity| {
            let row =
                Group::ALL.iter().filter(|group| group.words().1 == *entity).find_map(|group| person.of(*group).last());
            Notice {
                status: row.map(|row| row.status.text()),
                from: row.and_then(|row| row.from),
                to: row.and_then(|row| row.to),
                ..notice(entity, if person.version == 1 { "i" } else { "u" })
            }
        })
        .collect();
    let now = person.municipality().map(str::to_owned);
    notices.push(Notice { municipality_now: now, municipality_before: before, ..notice("Cprhaendelse", "i") });
    notices
}
