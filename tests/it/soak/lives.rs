//! What happens to the people of a run: random lives, merges and splits, a list that changes, imports as they should not be.

use std::path::Path;
use std::time::Duration;

use cpr_operator::simulate::datafordeler::Happening;

use crate::support::chance::Chance;
use crate::support::world::World;

/// Chance's part of the people.
pub struct Lives {
    /// PersonIDs of those who were there at first.
    people: Vec<String>,
    /// Numbers of some of them, for the list.
    numbers: Vec<String>,
    /// Entries that were closed, and those they turned out to be the same as.
    merged: Vec<(String, String)>,
    pub happenings: usize,
    pub merges: usize,
    pub splits: usize,
}

impl Lives {
    /// The lives of those who are there.
    pub fn of(world: &World) -> Self {
        let people = world.register.people();
        let numbers = people.iter().step_by(3).map(|citizen| citizen.number.clone()).collect();
        let people = people.into_iter().map(|citizen| citizen.id).collect();
        Self { people, numbers, merged: Vec::new(), happenings: 0, merges: 0, splits: 0 }
    }

    fn anyone(&self, chance: &mut Chance) -> String {
        self.people[chance.below(self.people.len() as u64) as usize].clone()
    }

    /// Lets so much happen, among it now and then a merge or a split.
    pub fn go_on(&mut self, world: &World, chance: &mut Chance, count: usize) {
        self.happenings += world.register.live(count).len();
        match chance.below(4) {
            0 => self.merge(world, chance),
            1 => self.split(world),
            _ => {}
        }
        let cancelled = (chance.below(6) == 0).then(|| self.anyone(chance));
        if let Some(who) = cancelled {
            // Whose number is not in use has nothing to lose.
            let _ = world.register.cancel_number(&who, jiff::Zoned::now().date());
        }
        if chance.below(3) > 0 {
            world.register.load();
        }
    }

    fn merge(&mut self, world: &World, chance: &mut Chance) {
        let (closed, into) = (self.anyone(chance), self.anyone(chance));
        let is_part = |id: &String| self.merged.iter().any(|(one, other)| one == id || other == id);
        if closed == into || is_part(&closed) || is_part(&into) {
            return;
        }
        let on = jiff::Zoned::now().date();
        if world.register.happen(&closed, Happening::Merge { into: into.clone(), on }).is_ok() {
            self.merged.push((closed, into));
            self.merges += 1;
        }
    }

    fn split(&mut self, world: &World) {
        if let Some((closed, from)) = self.merged.pop() {
            self.splits += usize::from(world.register.split(&closed, &from).is_ok());
        }
    }

    /// Puts some on the list by the tool, or takes them off. Whether the program, whose folder is `at`, was there to do
    /// it.
    pub async fn change_the_list(&self, world: &World, at: &Path, chance: &mut Chance, count: usize) -> bool {
        let subscription = format!("{}/listing", world.namespace.name());
        let what = if count < 10 && chance.below(3) == 0 { "remove" } else { "add" };
        let some = (0..count).map(|_| self.numbers[chance.below(self.numbers.len() as u64) as usize].clone());
        let lines = some.collect::<Vec<_>>().join("\n");
        let said = world.tool_at(at, &["persons", what, "--subscription", &subscription, "--no-wait"], &lines).await;
        said.code == Some(0)
    }

    /// An import that is not as it should be.
    pub async fn import_oddly(&mut self, world: &World, chance: &mut Chance) {
        self.happenings += world.register.live(10).len();
        let pause = async |chance: &mut Chance| {
            tokio::time::sleep(Duration::from_millis(chance.below(1_500))).await;
        };
        match chance.below(4) {
            0 => {
                world.register.load_events_only();
                pause(chance).await;
                world.register.fail_import();
                pause(chance).await;
            }
            1 => {
                world.register.load_events_only();
                pause(chance).await;
                world.register.finish_import();
            }
            2 => {
                world.register.lose_import();
            }
            _ => {
                let told = world.register.load();
                world.register.pretend_last_sequence(told - 1);
                pause(chance).await;
                world.register.pretend_last_sequence(told);
            }
        }
    }
}
