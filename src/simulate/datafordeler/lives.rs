//! One method per happening, for tests that read like a life.

use jiff::civil::Date;

use super::happening::Error;
use super::happening::Happening;
use super::people::Protection;
use super::register::Register;

/// Each changes the person's rows at once and queues the notices. Municipalities are four digits, countries the
/// register's codes; a person is named by PersonID.
#[expect(missing_docs, reason = "the equally named variants of Happening say what happens")]
impl Register {
    fn does(&self, person: &str, what: Happening) -> Result<(), Error> {
        self.happen(person, what).map(drop)
    }

    pub fn move_to(&self, person: &str, municipality: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::MoveTo { municipality: municipality.to_owned(), from })
    }

    pub fn move_within(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::MoveWithin { from })
    }

    pub fn lose_home(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::LoseHome { from })
    }

    pub fn correct_address(&self, person: &str, municipality: Option<&str>, from: Option<Date>) -> Result<(), Error> {
        self.does(person, Happening::CorrectAddress { municipality: municipality.map(str::to_owned), from })
    }

    pub fn annul_move(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::AnnulMove)
    }

    pub fn rename_road(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::RenameRoad)
    }

    pub fn emigrate(&self, person: &str, country: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::Emigrate { country: country.to_owned(), from })
    }

    pub fn return_home(&self, person: &str, municipality: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::ReturnHome { municipality: municipality.to_owned(), from })
    }

    pub fn disappear(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::Disappear { from })
    }

    pub fn found(&self, person: &str, municipality: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::Found { municipality: municipality.to_owned(), from })
    }

    pub fn die(&self, person: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::Die { on })
    }

    pub fn annul_death(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::AnnulDeath)
    }

    pub fn rename(&self, person: &str, first: Option<&str>, last: Option<&str>, from: Date) -> Result<(), Error> {
        let [first, last] = [first, last].map(|part| part.map(str::to_owned));
        self.does(person, Happening::Rename { first, last, from })
    }

    pub fn correct_name(&self, person: &str, first: Option<&str>, last: Option<&str>) -> Result<(), Error> {
        let [first, last] = [first, last].map(|part| part.map(str::to_owned));
        self.does(person, Happening::CorrectName { first, last })
    }

    pub fn marry(&self, person: &str, spouse: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::Marry { spouse: spouse.to_owned(), on })
    }

    pub fn divorce(&self, person: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::Divorce { on })
    }

    pub fn protect(&self, person: &str, kind: Protection, from: Date, until: Option<Date>) -> Result<(), Error> {
        self.does(person, Happening::Protect { kind, from, until })
    }

    pub fn unprotect(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::Unprotect { kind: None, from })
    }

    pub fn change_number(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::ChangeNumber { from })
    }

    pub fn cancel_number(&self, person: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::CancelNumber { on })
    }

    pub fn restore_number(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::RestoreNumber)
    }

    pub fn merge(&self, person: &str, into: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::Merge { into: into.to_owned(), on })
    }

    pub fn split(&self, person: &str, from: &str) -> Result<(), Error> {
        self.does(person, Happening::Split { from: from.to_owned() })
    }

    pub fn second_number(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::SecondNumber { from })
    }

    pub fn former_number(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::FormerNumber { from })
    }

    pub fn claim_number(&self, person: &str, of: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::ClaimNumber { of: of.to_owned(), from })
    }

    pub fn another_person_id(&self, person: &str) -> Result<String, Error> {
        let new = self.happen(person, Happening::AnotherPersonId)?;
        new.ok_or(Error::Impossible("no other PersonID was given"))
    }

    pub fn vanish(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::Vanish)
    }

    pub fn reappear(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::Reappear)
    }

    pub fn change_citizenship(&self, person: &str, country: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::ChangeCitizenship { country: country.to_owned(), from })
    }

    pub fn join_church(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::JoinChurch { from })
    }

    pub fn leave_church(&self, person: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::LeaveChurch { from })
    }

    pub fn set_custody(&self, child: &str, holder: &str, from: Date) -> Result<(), Error> {
        self.does(child, Happening::SetCustody { holder: holder.to_owned(), from })
    }

    pub fn end_custody(&self, child: &str, on: Date) -> Result<(), Error> {
        self.does(child, Happening::EndCustody { on })
    }

    pub fn set_guardianship(&self, person: &str, guardian: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::SetGuardianship { guardian: guardian.to_owned(), from })
    }

    pub fn end_guardianship(&self, person: &str, on: Date) -> Result<(), Error> {
        self.does(person, Happening::EndGuardianship { on })
    }

    pub fn set_contact_address(&self, person: &str, from: Date, until: Option<Date>) -> Result<(), Error> {
        self.does(person, Happening::SetContactAddress { from, until })
    }

    pub fn set_supplementary_address(&self, person: &str, from: Date, until: Option<Date>) -> Result<(), Error> {
        self.does(person, Happening::SetSupplementaryAddress { from, until })
    }

    pub fn municipal_condition(&self, person: &str, code: &str, from: Date) -> Result<(), Error> {
        self.does(person, Happening::MunicipalCondition { code: code.to_owned(), from })
    }

    pub fn note(&self, person: &str, text: &str, from: Date, until: Option<Date>) -> Result<(), Error> {
        self.does(person, Happening::Note { text: text.to_owned(), from, until })
    }

    pub fn have_child(&self, parent: &str, other_parent: Option<&str>, born: Date) -> Result<String, Error> {
        let child =
            self.happen(parent, Happening::HaveChild { other_parent: other_parent.map(str::to_owned), born })?;
        child.ok_or(Error::Impossible("nobody was born"))
    }

    pub fn change_parent(&self, child: &str, parent: &str, from: Date) -> Result<(), Error> {
        self.does(child, Happening::ChangeParent { parent: parent.to_owned(), from })
    }

    pub fn correct_birth(&self, person: &str, born: Date) -> Result<(), Error> {
        self.does(person, Happening::CorrectBirth { born })
    }

    pub fn notice_without_change(&self, person: &str) -> Result<(), Error> {
        self.does(person, Happening::Nothing)
    }
}
