//! Lists in a test's world: numbers put on them and taken off, and what became of each.

use cpr_operator::audit::Asker;
use cpr_operator::domain::identifier::CprNumber;
use cpr_operator::domain::pairwise::RecordId;
use cpr_operator::domain::resource::ResourceKey;
use cpr_operator::domain::subject::Origin;
use cpr_operator::ingest::lists::{self, Counts, Load, Progress, Removal, Standing};
use cpr_operator::store;
use cpr_operator::store::subscription::SubscriptionRow;

use super::{World, realm};

impl World {
    pub async fn subscription(&self, name: &str) -> SubscriptionRow {
        let key = ResourceKey::new("skole", name);
        let mut conn = self.store.main.read().await.unwrap();
        store::subscription::find(&mut conn, &key).await.unwrap().unwrap()
    }

    /// The present number of one of the register's people.
    pub fn number(&self, person: &str) -> CprNumber {
        CprNumber::parse(&self.register.citizen(person).unwrap().number).unwrap()
    }

    pub fn asker() -> Asker {
        Asker { name: "kari".into(), basis: "OperatingSystem".into() }
    }

    /// Puts numbers on a list, each as a line.
    pub async fn list_numbers(&self, name: &str, numbers: &[CprNumber]) -> Vec<Standing> {
        let row = self.subscription(name).await;
        let lines = (1..).zip(numbers.iter().cloned()).collect();
        let (origin, now) = (Origin::Managed, self.clock.now());
        let answers = lists::add(&self.store, &row, &realm(), origin, lines, Some(&Self::asker()), now).await.unwrap();
        assert!(answers.iter().map(|(line, _)| *line).eq(1..=numbers.len() as u32));
        answers.into_iter().map(|(_, standing)| standing).collect()
    }

    /// Puts one of the register's people on a list.
    pub async fn list(&self, name: &str, person: &str) -> Standing {
        self.list_numbers(name, &[self.number(person)]).await.remove(0)
    }

    /// Takes one of the register's people off a list.
    pub async fn unlist(&self, name: &str, person: &str) -> Removal {
        let row = self.subscription(name).await;
        let lines = vec![(7, self.number(person))];
        let now = self.clock.now();
        let mut answers = lists::remove(&self.store, &row, &realm(), lines, Some(&Self::asker()), now).await.unwrap();
        assert_eq!(answers[0].0, 7);
        answers.remove(0).1
    }

    pub async fn progress(&self, name: &str, record: RecordId) -> Progress {
        let row = self.subscription(name).await;
        lists::progress(&self.store, &row, &[record]).await.unwrap().remove(&record).unwrap()
    }

    pub async fn counts(&self, name: &str) -> Counts {
        let row = self.subscription(name).await;
        lists::counts(&mut self.store.main.read().await.unwrap(), row.id).await.unwrap()
    }

    pub async fn load(&self, name: &str) -> Load {
        let row = self.subscription(name).await;
        let mut conn = self.store.main.read().await.unwrap();
        lists::load(&mut conn, row.id, &self.context.lists, self.clock.now()).await.unwrap()
    }
}
