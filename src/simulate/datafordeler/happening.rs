//! What can happen to a person, as a test or somebody at a terminal says it.

use jiff::civil::Date;
use serde::Deserialize;

use super::people::Protection;

/// One thing that happens to a person. In JSON the member `happens` names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "happens", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the variants' docs say what their members are")]
pub enum Happening {
    /// Moves to another municipality (four digits).
    MoveTo { municipality: String, from: Date },
    /// Moves to another address in the same municipality.
    MoveWithin { from: Date },
    /// Has no fixed place any more: a road code from 9900 on, in the same municipality.
    LoseHome { from: Date },
    /// The address was written down wrongly; the right one applied from the same day, or from `from`.
    CorrectAddress { municipality: Option<String>, from: Option<Date> },
    /// The latest move never took place.
    AnnulMove,
    /// The road or postcode is renamed; nobody moves.
    RenameRoad,
    /// Leaves for a country (the register's code, such as 5110).
    Emigrate { country: String, from: Date },
    /// Comes back from abroad.
    ReturnHome { municipality: String, from: Date },
    /// Nobody knows where the person is.
    Disappear { from: Date },
    /// Is found again.
    Found { municipality: String, from: Date },
    /// Dies.
    Die { on: Date },
    /// Did not die.
    AnnulDeath,
    /// Takes another name, or a first one.
    Rename { first: Option<String>, last: Option<String>, from: Date },
    /// The name was written down wrongly.
    CorrectName { first: Option<String>, last: Option<String> },
    /// Marries another person of the register.
    Marry { spouse: String, on: Date },
    /// Is divorced.
    Divorce { on: Date },
    /// A protection begins, with an end or without.
    Protect { kind: Protection, from: Date, until: Option<Date> },
    /// Protections end, all of them or those of a kind.
    Unprotect { kind: Option<Protection>, from: Date },
    /// Gets another number, because the first told a wrong sex or birth date.
    ChangeNumber { from: Date },
    /// The number is cancelled.
    CancelNumber { on: Date },
    /// The number is restored.
    RestoreNumber,
    /// Turns out to be the same as `into`: this PersonID is closed, its number becomes history of the other.
    Merge { into: String, on: Date },
    /// Was no double of `from` after all: this PersonID is in use again, and its number is not the other's any more.
    Split { from: String },
    /// Gets a second number while the first stays in use.
    SecondNumber { from: Date },
    /// Gets back the number that was in use before the present one.
    FormerNumber { from: Date },
    /// Another person's present number is written down as this one's too.
    ClaimNumber { of: String, from: Date },
    /// Is kept under another PersonID, which is the answer; the former one is gone.
    AnotherPersonId,
    /// Is not found any more.
    Vanish,
    /// Is found again by whoever asks.
    Reappear,
    /// Becomes a citizen of a country (the register's code).
    ChangeCitizenship { country: String, from: Date },
    /// Joins the church.
    JoinChurch { from: Date },
    /// Leaves the church.
    LeaveChurch { from: Date },
    /// Another person of the register gets custody of this one.
    SetCustody { holder: String, from: Date },
    /// Custody of this person ends for all who hold it.
    EndCustody { on: Date },
    /// A guardian is appointed.
    SetGuardianship { guardian: String, from: Date },
    /// The guardianship ends.
    EndGuardianship { on: Date },
    /// A contact address applies.
    SetContactAddress { from: Date, until: Option<Date> },
    /// A supplementary address applies.
    SetSupplementaryAddress { from: Date, until: Option<Date> },
    /// The municipality writes down a condition.
    MunicipalCondition { code: String, from: Date },
    /// The municipality writes down a note.
    Note { text: String, from: Date, until: Option<Date> },
    /// Has a child, which has no name yet. The answer is the child's PersonID.
    HaveChild { other_parent: Option<String>, born: Date },
    /// Another person of the register is the father or co-mother.
    ChangeParent { parent: String, from: Date },
    /// The birth date was wrong; the number changes with it.
    CorrectBirth { born: Date },
    /// A notice is sent, and nothing has changed.
    Nothing,
}

/// Why something could not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The register has nobody with this PersonID.
    #[error("nobody in the simulated register has this PersonID")]
    NoSuchPerson,
    /// Not to somebody in this state.
    #[error("impossible: {0}")]
    Impossible(&'static str),
}
