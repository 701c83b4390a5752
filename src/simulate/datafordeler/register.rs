//! The handle of a running register: its address, its people, its imports and its faults.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::Mutex;

use super::cases;
use super::control;
use super::dialect::Names;
use super::faults::Faults;
use super::happening::Error;
use super::happening::Happening;
use super::life;
use super::names::Road;
use super::people::Citizen;
use super::random;
use super::server::Doors;
use super::world::Answered;
use super::world::Ledger;
use super::world::Request;
use super::world::World;
use crate::runtime::clock::Clock;
use crate::simulate::serving::Serving;

/// How a register is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time by which it writes rows, loads packages and lets tokens expire.
    pub clock: Clock,
    /// Everything that looks like chance follows from it.
    pub seed: u64,
    /// The client that gets tokens.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The key that opens the schemas.
    pub api_key: Option<String>,
    /// How long a token is good.
    pub token_lifetime: Duration,
    /// How the names that the documents leave open turned out.
    pub names: Names,
    /// How many ordinary citizens there are at first.
    pub people: usize,
    /// Whether there is also one for each oddity.
    pub cases: bool,
}

impl Options {
    /// An empty register in the documented form, with a client `simulated-client` and its secret `simulated-secret`.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            seed,
            client_id: "simulated-client".to_owned(),
            client_secret: "simulated-secret".to_owned(),
            api_key: Some("simulated-key".to_owned()),
            token_lifetime: Duration::from_secs(300),
            names: Names::Documented,
            people: 0,
            cases: false,
        }
    }
}

/// A running register. Clones are the same register.
#[derive(Clone, Debug)]
pub struct Register {
    pub(super) world: Arc<World>,
    address: SocketAddr,
    serving: Arc<Mutex<Option<Serving>>>,
}

impl Register {
    /// Starts a register on `listen`; port 0 chooses a free one. Its first people come with a loaded package.
    pub async fn start(options: Options, listen: SocketAddr) -> io::Result<Self> {
        let (people, cases) = (options.people, options.cases);
        let world = World::new(options);
        let serving = serve(&world, listen).await?;
        let register = Self { world, address: serving.address(), serving: Arc::new(Mutex::new(Some(serving))) };
        register.add_people(people).map_err(io::Error::other)?;
        if cases {
            register.add_cases().map_err(io::Error::other)?;
        }
        if people > 0 || cases {
            register.load();
        }
        Ok(register)
    }

    /// The base URL of the GraphQL services and of the token service, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everybody, in the order they came.
    pub fn people(&self) -> Vec<Citizen> {
        let today = self.world.clock.today();
        self.world.ledger().book.people().iter().map(|person| Citizen::of(person, today)).collect()
    }

    /// One person, by PersonID.
    pub fn citizen(&self, person: &str) -> Option<Citizen> {
        let today = self.world.clock.today();
        self.world.ledger().book.get(person).ok().map(|person| Citizen::of(person, today))
    }

    /// Enters a new person who has lived in a municipality (four digits) since a date. Gives the PersonID.
    pub fn settle(&self, municipality: &str, since: Date) -> Result<String, Error> {
        let at = self.world.clock.now();
        self.write(|ledger| {
            let newcomer = cases::resident(&mut ledger.book, municipality, Road::Ordinary, since, at);
            ledger.book.enter(newcomer, at)
        })
    }

    /// Enters ordinary citizens here and there. Gives their PersonIDs.
    pub fn add_people(&self, count: usize) -> Result<Vec<String>, Error> {
        let at = self.world.clock.now();
        self.write(|ledger| {
            (0..count)
                .map(|_| {
                    let newcomer = cases::anyone(&mut ledger.book, at);
                    ledger.book.enter(newcomer, at)
                })
                .collect()
        })
    }

    /// Enters one person for each oddity; [`Citizen::case`] says which. Gives their PersonIDs.
    pub fn add_cases(&self) -> Result<Vec<String>, Error> {
        let at = self.world.clock.now();
        self.write(|ledger| cases::make(&mut ledger.book, at))
    }

    /// Lets something happen to a person. Gives the PersonID of a child that was born.
    pub fn happen(&self, person: &str, what: Happening) -> Result<Option<String>, Error> {
        let at = self.world.clock.now();
        self.write(|ledger| life::happen(&mut ledger.book, person, what, at))
    }

    /// Lets `count` things happen to residents, as the seed has it. Gives who and what.
    pub fn live(&self, count: usize) -> Vec<(String, Happening)> {
        let at = self.world.clock.now();
        self.write(|ledger| random::live(&mut ledger.book, count, at))
    }

    /// Changes the book and queues the notices of what changed, also of what changed before an error.
    fn write<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.world.ledger();
        let done = change(&mut ledger);
        let notices = ledger.book.take_notices();
        ledger.imports.queue(notices);
        done
    }

    /// Loads one package with all queued notices, and moves the status row. Gives the package's number. A package
    /// that was begun is finished with it.
    pub fn load(&self) -> u32 {
        let at = self.world.clock.now();
        self.world.ledger().imports.finish(at)
    }

    /// Begins a package: the queued notices can be read, the status row stays. Gives the package's number.
    pub fn load_events_only(&self) -> u32 {
        let at = self.world.clock.now();
        self.world.ledger().imports.publish(at)
    }

    /// Finishes the package that was begun, with what was queued since.
    pub fn finish_import(&self) -> u32 {
        self.load()
    }

    /// The package that was begun, or else one with what is queued, fails: its events get the mark, and come again
    /// with new ids in the next load. Gives how many.
    pub fn fail_import(&self) -> usize {
        let at = self.world.clock.now();
        self.world.ledger().imports.fail(at)
    }

    /// The status row moves past a package whose notices, all that were queued, never come. Gives its number.
    pub fn lose_import(&self) -> u32 {
        let at = self.world.clock.now();
        self.world.ledger().imports.lose(at)
    }

    /// The status row shows another number, also a lower one.
    pub fn pretend_last_sequence(&self, sequence: u32) {
        let at = self.world.clock.now();
        self.world.ledger().imports.pretend(sequence, at);
    }

    /// The number in the status row.
    pub fn last_sequence(&self) -> u32 {
        self.world.ledger().imports.status().last_sequence
    }

    /// How many notices wait for the next load.
    pub fn queued(&self) -> usize {
        self.world.ledger().imports.queued()
    }

    /// The switches of what is wrong.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// What was asked so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.world.requests()
    }

    /// Which persons were shown so far in which version, oldest first.
    pub fn answered(&self) -> Vec<Answered> {
        self.world.answered()
    }

    /// From now on only `secret` gets a token.
    pub fn set_client_secret(&self, secret: &str) {
        self.world.tokens.set_secret(secret);
    }

    /// No token given so far is good any more.
    pub fn revoke_tokens(&self) {
        self.world.tokens.revoke();
    }

    /// Stops listening and cuts every connection; people and packages stay. See [`Register::come_back`].
    pub async fn go_down(&self) {
        if let Some(serving) = self.serving.lock().await.take() {
            serving.stop().await;
        }
    }

    /// Listens again, at the same address.
    pub async fn come_back(&self) -> io::Result<()> {
        let mut serving = self.serving.lock().await;
        if serving.is_none() {
            *serving = Some(serve(&self.world, self.address).await?);
        }
        Ok(())
    }

    /// Ends the register, for all clones.
    pub async fn stop(self) {
        self.go_down().await;
    }

    /// A handle for the register's own doors, without the means to stop it.
    fn inside(world: &Arc<World>, address: SocketAddr) -> Self {
        Self { world: world.clone(), address, serving: Arc::default() }
    }
}

async fn serve(world: &Arc<World>, listen: SocketAddr) -> io::Result<Serving> {
    let doors = Doors::new(world.clone()).map_err(io::Error::other)?;
    let control = control::routes(Register::inside(world, listen));
    Serving::start(listen, doors.routes().nest("/simulator", control)).await
}
