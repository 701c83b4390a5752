//! Lives that go on by themselves, as the seed has it.

use jiff::Span;
use jiff::Timestamp;
use jiff::civil::Date;

use super::book::Book;
use super::happening::Happening;
use super::life;
use super::names::MUNICIPALITIES;
use super::people::Person;
use super::people::Protection;
use super::people::Status;
use crate::runtime::clock::danish_date;

/// How often a happening that turns out impossible is replaced by another.
const TRIES: usize = 20;

/// Lets up to `count` things happen; fewer only where nobody is there for them.
pub(super) fn live(book: &mut Book, count: usize, at: Timestamp) -> Vec<(String, Happening)> {
    let mut happened = Vec::new();
    for _ in 0..count {
        for _ in 0..TRIES {
            let Some((who, what)) = think_of(book, danish_date(at)) else { return happened };
            if life::happen(book, &who, what.clone(), at).is_ok() {
                happened.push((who, what));
                break;
            }
        }
    }
    happened
}

fn think_of(book: &mut Book, today: Date) -> Option<(String, Happening)> {
    let count = book.people().len();
    if count == 0 {
        return None;
    }
    let [at, other] = [(); 2].map(|()| book.chance.below(count));
    let other = book.people()[other].id.clone();
    let days = i64::try_from(book.chance.below(20)).unwrap_or(0);
    let from = today.saturating_sub(Span::new().days(days));
    let roll = book.chance.below(100);
    let municipality = book.chance.pick(MUNICIPALITIES).0.to_owned();
    let person = &book.people()[at];
    Some((person.id.clone(), choose(person, roll, from, municipality, other)))
}

fn choose(person: &Person, roll: usize, from: Date, municipality: String, other: String) -> Happening {
    match person.status {
        Status::Dead => Happening::AnnulDeath,
        Status::Cancelled => Happening::RestoreNumber,
        Status::Closed => Happening::Nothing,
        Status::Disappeared => Happening::Found { municipality, from },
        Status::Emigrated => Happening::ReturnHome { municipality, from },
        _ => choose_for_resident(person, roll, from, municipality, other),
    }
}

fn choose_for_resident(person: &Person, roll: usize, from: Date, municipality: String, other: String) -> Happening {
    let protection = Protection::NameAndAddress;
    match roll {
        0..=29 => Happening::MoveTo { municipality, from },
        30..=39 => Happening::MoveWithin { from },
        40..=42 => Happening::CorrectAddress { municipality: None, from: None },
        43..=44 => Happening::AnnulMove,
        45 => Happening::RenameRoad,
        46..=49 => Happening::Emigrate { country: "5120".to_owned(), from },
        50..=52 => Happening::Disappear { from },
        53..=56 => Happening::Die { on: from },
        57..=63 => Happening::Rename { first: None, last: Some("Omdøbtsen".to_owned()), from },
        64..=66 => Happening::CorrectName { first: None, last: Some("Rettelsen".to_owned()) },
        67..=71 => Happening::Marry { spouse: other, on: from },
        72..=74 => Happening::Divorce { on: from },
        75..=80 if !person.protected(from) => Happening::Protect { kind: protection, from, until: None },
        75..=82 => Happening::Unprotect { kind: None, from },
        83..=85 => Happening::ChangeNumber { from },
        86 => Happening::CancelNumber { on: from },
        87..=90 => Happening::HaveChild { other_parent: Some(other), born: from },
        91..=92 => Happening::ChangeCitizenship { country: "5110".to_owned(), from },
        93 => Happening::JoinChurch { from },
        94 => Happening::SetGuardianship { guardian: "Værge Opdigtsen".to_owned(), from },
        95 => Happening::SetContactAddress { from, until: None },
        96 => Happening::SetSupplementaryAddress { from, until: None },
        97 => Happening::MunicipalCondition { code: "1".to_owned(), from },
        98 => Happening::Note { text: "Opdigtet notat".to_owned(), from, until: None },
        _ => Happening::Nothing,
    }
}
