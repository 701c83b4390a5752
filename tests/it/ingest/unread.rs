//! Persons who cannot be read, or whom the register does not know.

use cpr_operator::simulate::datafordeler::Fault;

/// The register answers lookups without the members by which a person would be recognised.
pub fn forgotten() -> Fault {
    Fault::DropMandatory { member: "id".into() }
}
