//! Which groups read differently before and after: the content as consumers are given it, not the register's rows.

use jiff::civil::Date;

use super::Sides;
use super::told::Told;
use crate::domain::field_group::{FieldGroup, GroupSet};
use crate::domain::person::{Person, Row, in_force, past, present};
use crate::domain::render::residences;

/// The groups that both hold and that differ.
pub(super) fn differing(sides: &Sides<'_>) -> GroupSet {
    let both = sides.before.held.intersection(sides.after.held);
    both.iter().filter(|group| differs(*group, sides)).collect()
}

fn differs(group: FieldGroup, sides: &Sides<'_>) -> bool {
    use FieldGroup as G;
    let (a, b) = (sides.before, sides.after);
    match group {
        G::Number => now(sides, |p| &p.numbers, value) || once(sides, |p| &p.numbers, value_and_end),
        G::PersonId => a.id != b.id,
        G::Status => a.status != b.status || a.status_since != b.status_since,
        G::Birth => a.birth != b.birth,
        G::Sex => a.sex != b.sex,
        G::Name => now(sides, |p| &p.names, value),
        G::NameHistory => once(sides, |p| &p.names, value_and_end),
        G::Address => now(sides, |p| &p.addresses, value_and_beginning),
        G::AddressHistory => once(sides, |p| &p.addresses, value_and_both),
        G::SupplementaryAddress => now(sides, |p| &p.supplementary_addresses, value_and_both),
        G::ContactAddress => now(sides, |p| &p.contact_addresses, value_and_both),
        G::Municipality => a.municipality(sides.before_on) != b.municipality(sides.after_on),
        G::CivilStatus => now(sides, |p| &p.civil_statuses, value_and_beginning),
        G::CivilStatusHistory => once(sides, |p| &p.civil_statuses, value_and_both),
        G::Citizenship => now(sides, |p| &p.citizenships, value_and_beginning),
        G::CitizenshipHistory => once(sides, |p| &p.citizenships, value_and_both),
        G::Parents => all(sides, |p, on| in_force(&p.parents, on), value_and_beginning),
        G::Children => all(sides, |p, on| in_force(&p.children, on), value_and_beginning),
        G::Custody => {
            all(sides, |p, on| in_force(&p.custody_holders, on), value_and_beginning)
                || all(sides, |p, on| in_force(&p.custody_over, on), value_and_beginning)
        }
        G::Guardianship => now(sides, |p| &p.guardianships, value_and_beginning),
        G::Protection => {
            a.protection_known != b.protection_known || all(sides, |p, on| p.protections_in_force(on), value_and_both)
        }
        G::ProtectionHistory => all(sides, |p, on| p.past_protections(on), value_and_both),
        G::Residence => all(sides, residences, value_and_both),
        G::Church => now(sides, |p| &p.church, value_and_beginning),
        G::ChurchHistory => once(sides, |p| &p.church, value_and_both),
        G::MunicipalConditions => all(sides, |p, on| in_force(&p.municipal_conditions, on), value_and_beginning),
        G::MunicipalNotes => all(sides, |p, on| in_force(&p.municipal_notes, on), value_and_both),
    }
}

type Rows<T> = for<'p> fn(&'p Person) -> &'p Vec<Row<T>>;
type Same<T> = fn(&Row<T>, &Row<T>) -> bool;

/// Whether the row in force differs.
fn now<T>(sides: &Sides<'_>, rows: Rows<T>, same: Same<T>) -> bool {
    match (present(rows(sides.before), sides.before_on), present(rows(sides.after), sides.after_on)) {
        (Some(before), Some(after)) => !same(before, after),
        (before, after) => before.is_some() != after.is_some(),
    }
}

/// Whether the past rows differ.
fn once<T>(sides: &Sides<'_>, rows: Rows<T>, same: Same<T>) -> bool {
    let (before, after) = (past(rows(sides.before), sides.before_on), past(rows(sides.after), sides.after_on));
    !are_same(&before, &after, same)
}

/// Whether the chosen rows differ, in whatever order.
fn all<T>(sides: &Sides<'_>, rows: for<'p> fn(&'p Person, Date) -> Vec<&'p Row<T>>, same: Same<T>) -> bool {
    !are_same(&rows(sides.before, sides.before_on), &rows(sides.after, sides.after_on), same)
}

fn are_same<T>(before: &[&Row<T>], after: &[&Row<T>], same: Same<T>) -> bool {
    let mut left: Vec<&Row<T>> = after.to_vec();
    before.len() == after.len()
        && before.iter().all(|row| match left.iter().position(|other| same(row, other)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}

fn value<T: Told>(one: &Row<T>, two: &Row<T>) -> bool {
    one.value.reads_like(&two.value)
}

fn value_and_beginning<T: Told>(one: &Row<T>, two: &Row<T>) -> bool {
    one.from == two.from && value(one, two)
}

fn value_and_end<T: Told>(one: &Row<T>, two: &Row<T>) -> bool {
    one.until == two.until && value(one, two)
}

fn value_and_both<T: Told>(one: &Row<T>, two: &Row<T>) -> bool {
    one.from == two.from && value_and_end(one, two)
}
