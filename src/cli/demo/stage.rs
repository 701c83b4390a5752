//! The stage: register, receivers, cluster and operator, and what every act does with them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::civil::Date;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::PATIENCE;
use super::cluster::{Cluster, Resource};
use super::manifests::{self, Places};
use super::operator::Operator;
use super::receiver::{self, Receiver};
use crate::cli::say;
use crate::runtime::clock::Clock;
use crate::simulate::datafordeler::{self, Register};

/// The municipality of the sample subscription.
pub const OURS: &str = "0851";
/// Another one.
pub const OTHER: &str = "0461";

/// How often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(100);

/// Who the demo is about, each by their PersonID.
pub struct Cast {
    /// Lives elsewhere and moves in.
    pub mover: String,
    /// Lives in our municipality.
    pub citizen: String,
    /// Live elsewhere and come onto a list.
    pub clients: [String; 2],
    /// Live in our municipality; two teams may hear of them.
    pub pupils: [String; 4],
}

impl Cast {
    /// Settles them years ago and has that told before anybody asks, so that nothing about it is news.
    fn settle(register: &Register) -> anyhow::Result<Self> {
        let years_ago = today().saturating_sub(jiff::Span::new().years(6));
        let settle = |municipality| register.settle(municipality, years_ago);
        let cast = Self {
            mover: settle(OTHER)?,
            citizen: settle(OURS)?,
            clients: [settle(OTHER)?, settle(OTHER)?],
            pupils: [settle(OURS)?, settle(OURS)?, settle(OURS)?, settle(OURS)?],
        };
        register.load();
        Ok(cast)
    }
}

/// What an act has shown, for the verdict.
#[derive(Debug)]
pub struct Finding {
    /// Whether it is as it has to be.
    pub good: bool,
    /// What was found, in words.
    pub said: String,
}

/// All that an act needs.
pub struct Stage<'a> {
    /// Where manifests are applied.
    pub cluster: &'a Cluster,
    /// Where life happens.
    pub register: Register,
    /// To whom.
    pub cast: Cast,
    /// The sample's receiver.
    pub casework: Receiver,
    /// The receiver of the other team.
    pub schools: Receiver,
    /// The product.
    pub operator: Operator,
    /// Addresses and namespaces.
    pub places: Places,
}

impl<'a> Stage<'a> {
    /// Starts everything, applies the samples and waits until they work.
    pub async fn set(cluster: &'a Cluster, own: &str, theirs: &str, folder: &Path) -> anyhow::Result<Self> {
        let register = register().await?;
        let cast = Cast::settle(&register)?;
        let casework = Receiver::start("casework", manifests::casework_secret()).await?;
        let schools = Receiver::start("schools", manifests::schools_secret()).await?;
        let places = Places {
            register: register.url(),
            casework: casework.consumer.url(),
            schools: schools.consumer.url(),
            own: own.to_owned(),
            theirs: theirs.to_owned(),
        };
        say(&format!("A simulated register is at {}, a simulated consumer at {}", places.register, places.casework));
        let operator = Operator::start(folder, &[own, theirs])?;
        let mut stage = Self { cluster, register, cast, casework, schools, operator, places };
        cluster.apply(own, stage.places.samples()?).await?;
        say("Applied config/samples: secrets, source, consumer, subscription");
        for (kind, name) in
            [("CprSource", "datafordeler"), ("ConsumerSystem", "casework"), ("CprSubscription", "casework-citizens")]
        {
            stage.until_ready(&Resource { namespace: own, kind, name }).await?;
        }
        say("The operator is ready: the register was read, the consumer's address has proved itself\n");
        Ok(stage)
    }

    /// The CPR number of somebody, for standard input of a tool.
    pub fn number_of(&self, person: &str) -> anyhow::Result<String> {
        Ok(self.register.citizen(person).context("a citizen")?.number)
    }

    /// Lets the register tell what happened, and waits until everything that was to be heard has arrived.
    pub async fn tell(&mut self) -> anyhow::Result<()> {
        self.register.load();
        self.until_heard().await
    }

    /// Waits until everything that was to be heard has arrived.
    pub async fn until_heard(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            self.show();
            let missing = [self.casework.missing(), self.schools.missing()].concat();
            if missing.is_empty() {
                return Ok(());
            }
            self.look_again(began).await.with_context(|| format!("never arrived: {}", missing.join(", ")))?;
        }
    }

    /// Waits until a resource is Ready.
    pub async fn until_ready(&mut self, of: &Resource<'_>) -> anyhow::Result<()> {
        self.until_condition(of, "Ready", "Succeeded").await.map(|_| ())
    }

    /// Waits until a condition has this reason, and says it.
    pub async fn show_condition(&mut self, of: &Resource<'_>, type_: &str, reason: &str) -> anyhow::Result<()> {
        let found = self.until_condition(of, type_, reason).await?;
        say(&format!("  {} {}: {type_} is {}, {}", of.kind, of.name, found.status, found.reason));
        if !found.message.is_empty() {
            say(&format!("    {}", found.message));
        }
        Ok(())
    }

    async fn until_condition(&mut self, of: &Resource<'_>, type_: &str, reason: &str) -> anyhow::Result<Condition> {
        let began = Instant::now();
        loop {
            self.show();
            let found = self.cluster.condition(of, type_).await?;
            let now = match found {
                Some(found) if found.reason == reason => return Ok(found),
                Some(found) => format!("{}: {}", found.reason, found.message),
                None => "not seen yet".to_owned(),
            };
            let what = || format!("{} {}: {type_} is not {reason} but {now}", of.kind, of.name);
            self.look_again(began).await.with_context(what)?;
        }
    }

    async fn look_again(&mut self, began: Instant) -> anyhow::Result<()> {
        self.operator.check()?;
        if began.elapsed() > PATIENCE {
            bail!("waited for {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Says what arrived since the last time.
    pub fn show(&mut self) {
        receiver::show([&mut self.casework, &mut self.schools]);
    }

    /// Runs a tool and says what it was and what it printed, which it also gives. `from`: what standard input is called.
    pub async fn tool(&mut self, words: &[&str], from: &str, input: &str) -> anyhow::Result<String> {
        say(&format!("  $ cpr-operator {}{from}", words.join(" ")));
        let printed = self.operator.tool(words, input).await?;
        printed.lines().for_each(|line| say(&format!("    {line}")));
        Ok(printed)
    }
}

/// The present day.
pub fn today() -> Date {
    Clock::system().today()
}

async fn register() -> anyhow::Result<Register> {
    let options = datafordeler::Options {
        people: 300,
        cases: true,
        client_id: "trial-client".to_owned(),
        client_secret: "trial-client-secret".to_owned(),
        ..datafordeler::Options::new(Clock::system(), 2026)
    };
    Register::start(options, "127.0.0.1:0".parse()?).await.context("register")
}
