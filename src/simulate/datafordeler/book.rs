//! All people of the register, found by PersonID, by number and in the order they came.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::chance::Chance;
use super::happening::Error;
use super::imports::Notice;
use super::life;
use super::names;
use super::names::Road;
use super::numbers;
use super::people::Person;
use super::people::Sex;
use super::people::Status;
use super::rows::Group;

/// Everybody, and what changed since the notices were last made.
#[derive(Debug)]
pub(super) struct Book {
    pub chance: Chance,
    people: Vec<Person>,
    by_id: HashMap<String, usize>,
    by_number: HashMap<String, Vec<usize>>,
    /// PersonIDs that no look-up finds.
    hidden: BTreeSet<String>,
    touched: BTreeMap<String, Touch>,
}

/// What a happening did to one person.
#[derive(Clone, Debug, Default)]
struct Touch {
    municipality_before: Option<String>,
    entities: BTreeSet<&'static str>,
}

/// How somebody enters the register.
#[derive(Clone, Debug)]
pub(super) struct Newcomer {
    pub sex: Sex,
    pub born: Date,
    pub modulus: bool,
    pub named: bool,
    /// Municipality, kind of road and since when; nobody without one is a resident.
    pub home: Option<(String, Road, Date)>,
    pub status: Status,
    pub case: Option<&'static str>,
}

impl Book {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            people: Vec::new(),
            by_id: HashMap::new(),
            by_number: HashMap::new(),
            hidden: BTreeSet::new(),
            touched: BTreeMap::new(),
        }
    }

    pub(super) fn people(&self) -> &[Person] {
        &self.people
    }

    pub(super) fn get(&self, id: &str) -> Result<&Person, Error> {
        self.by_id.get(id).map(|at| &self.people[*at]).ok_or(Error::NoSuchPerson)
    }

    /// Everybody who has or had a number.
    pub(super) fn with_number(&self, number: &str) -> impl Iterator<Item = &Person> {
        self.by_number.get(number).into_iter().flatten().map(|at| &self.people[*at])
    }

    /// The person, to be changed in rows of `group`: a notice will say so.
    pub(super) fn change(&mut self, id: &str, group: Group) -> Result<&mut Person, Error> {
        self.change_entity(id, group.words().1)
    }

    /// The person, to be changed in what their own row says: status, birth, sex.
    pub(super) fn change_self(&mut self, id: &str) -> Result<&mut Person, Error> {
        self.change_entity(id, "Person")
    }

    fn change_entity(&mut self, id: &str, entity: &'static str) -> Result<&mut Person, Error> {
        let at = *self.by_id.get(id).ok_or(Error::NoSuchPerson)?;
        let person = &mut self.people[at];
        let touch = self.touched.entry(person.id.clone()).or_insert_with(|| Touch {
            municipality_before: person.municipality().map(str::to_owned),
            entities: BTreeSet::new(),
        });
        touch.entities.insert(entity);
        Ok(person)
    }

    /// Enters somebody; gives their PersonID.
    pub(super) fn enter(&mut self, newcomer: Newcomer, at: Timestamp) -> Result<String, Error> {
        let id = self.chance.uuid();
        let Newcomer { sex, born, status, case, .. } = newcomer;
        let person = Person {
            id: id.clone(),
            sex,
            born,
            status,
            status_since: None,
            before: None,
            case,
            version: 0,
            rows: BTreeMap::new(),
        };
        self.by_id.insert(id.clone(), self.people.len());
        self.people.push(person);
        self.touched.insert(id.clone(), Touch { municipality_before: None, entities: BTreeSet::from(["Person"]) });
        self.give_number(&id, newcomer.modulus, born, at)?;
        self.fill(&id, newcomer, at)?;
        Ok(id)
    }

    fn fill(&mut self, id: &str, newcomer: Newcomer, at: Timestamp) -> Result<(), Error> {
        let born = newcomer.born;
        if newcomer.named {
            let first = names::first_name(&mut self.chance, newcomer.sex == Sex::Woman);
            let middle = names::middle_name(&mut self.chance);
            let name = names::name(&first, middle, names::last_name(&mut self.chance));
            self.change(id, Group::Name)?.add(Group::Name, at, Some(born), name);
        }
        if let Some((municipality, road, since)) = newcomer.home {
            let address = names::address(&mut self.chance, &municipality, road);
            self.change(id, Group::Address)?.add(Group::Address, at, Some(since), address);
        }
        let unmarried = json!({ "civilstandstype": "ugift" });
        self.change(id, Group::CivilStatus)?.add(Group::CivilStatus, at, Some(born), unmarried);
        let migrated = jiff::civil::date(1991, 9, 23);
        let citizenship = self.change(id, Group::Citizenship)?;
        let row = citizenship.add(Group::Citizenship, at, Some(born.max(migrated)), names::country("5100"));
        row.uncertain = born < migrated;
        Ok(())
    }

    /// Gives a person a new number from `from` on; an earlier one becomes history.
    pub(super) fn give_number(&mut self, id: &str, modulus: bool, from: Date, at: Timestamp) -> Result<(), Error> {
        let person = self.get(id)?;
        let (born, sex) = (person.born, person.sex);
        let by_number = &self.by_number;
        let number = numbers::assign(&mut self.chance, born, sex, modulus, |number| by_number.contains_key(number))
            .or_else(|| numbers::assign(&mut self.chance, born, sex, !modulus, |number| by_number.contains_key(number)))
            .ok_or(Error::Impossible("every number of this birth date is taken"))?;
        let content = json!({ "personnummer": number });
        self.change(id, Group::Number)?.replace(Group::Number, at, Some(from), content);
        self.index_number(id, &number);
        Ok(())
    }

    /// Lets a number lead to a person as well.
    pub(super) fn index_number(&mut self, id: &str, number: &str) {
        if let Some(at) = self.by_id.get(id) {
            self.by_number.entry(number.to_owned()).or_default().push(*at);
        }
    }

    /// Lets look-ups find a person, or find nobody.
    pub(super) fn show(&mut self, id: &str, shown: bool) {
        if shown {
            self.hidden.remove(id);
        } else {
            self.hidden.insert(id.to_owned());
        }
    }

    /// Whether look-ups find a person.
    pub(super) fn shows(&self, person: &Person) -> bool {
        !self.hidden.contains(&person.id)
    }

    /// Keeps a person under another PersonID; nobody is found by the former one. Gives the new one.
    pub(super) fn rename_id(&mut self, id: &str) -> Result<String, Error> {
        let at = self.by_id.remove(id).ok_or(Error::NoSuchPerson)?;
        let new = self.chance.uuid();
        self.people[at].id.clone_from(&new);
        self.by_id.insert(new.clone(), at);
        Ok(new)
    }

    /// The notices about all that was changed since this was last asked.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        let touched = std::mem::take(&mut self.touched);
        let mut notices = Vec::new();
        for (id, touch) in touched {
            let Some(at) = self.by_id.get(&id) else { continue };
            let person = &mut self.people[*at];
            person.version += 1;
            notices.extend(life::notices(person, touch.municipality_before, &touch.entities));
        }
        notices
    }
}
