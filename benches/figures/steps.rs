//! The steps of a delivery one by one, each alone on the machine: what of the processor's time each takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cpr_operator::audit;
use cpr_operator::delivery::book::Shelf;
use cpr_operator::delivery::build::{Built, Delivery, Facts, build};
use cpr_operator::delivery::queue::{Key, Turn};
use cpr_operator::delivery::read::{self, Opened};
use cpr_operator::delivery::{record, sign};
use cpr_operator::domain::signing::SigningSecret;
use cpr_operator::net::client::Client;
use cpr_operator::net::guard::Guard;
use cpr_operator::store::attempt::{Attempt, AttemptOutcome};
use cpr_operator::store::consumer::ConsumerRow;
use cpr_operator::store::route::Route;
use cpr_operator::store::{self, ConsumerId};
use http::Request;

use super::receiver::Receiver;
use super::site::Site;
use super::table::Row;
use super::world::{AT_ONCE, World};
use super::{cpu, drain, runtime};

/// All of a consumer's shards.
const SHARDS: [i64; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// How many are read, built and flushed at a time, as in the product.
const READ: u32 = 512;
const BUILT: usize = 256;
const FLUSHED: usize = 500;

/// Each step's processor time for one delivery.
pub fn measure() -> anyhow::Result<Vec<Row>> {
    let receiver = Receiver::start()?;
    runtime()?.block_on(async {
        let site = Site::new().await?;
        drain::seed(&site, &receiver, 1).await?;
        site.analyse().await?;
        steps(&site, &receiver).await
    })
}

/// Keeps account of where the time goes, ours and the database's.
struct Account<'a> {
    site: &'a Site,
    since: (Duration, Duration),
    rows: Vec<Row>,
}

impl<'a> Account<'a> {
    async fn begin(site: &'a Site) -> anyhow::Result<Self> {
        let mut account = Self { site, since: Default::default(), rows: Vec::new() };
        account.again().await?;
        Ok(account)
    }

    /// What was spent since the last step is nobody's.
    async fn again(&mut self) -> anyhow::Result<()> {
        self.since = (cpu::own()?, self.site.cpu().await?);
        Ok(())
    }

    async fn spent(&mut self, step: &str, count: usize) -> anyhow::Result<()> {
        let (ours, theirs) = (cpu::own()? - self.since.0, self.site.cpu().await?.saturating_sub(self.since.1));
        self.rows.push(Row::known(format!("steps: {step}"), cpu::each(ours, count as u64), "µs"));
        if !theirs.is_zero() {
            let figure = format!("steps: {step}, the database");
            self.rows.push(Row::known(figure, cpu::each(theirs, count as u64), "µs"));
        }
        self.again().await
    }
}

async fn steps(site: &Site, receiver: &Receiver) -> anyhow::Result<Vec<Row>> {
    let world = World::open(site).await?;
    let id = world.consumer("consumer-0", receiver.url("instant")?).await?;
    let now = world.clock.now();
    let mut account = Account::begin(site).await?;

    let routes = read_all(&world, id).await?;
    account.spent("read", routes.len()).await?;
    let turns: Vec<Turn> = routes.into_iter().map(turn).collect();
    account.again().await?;

    let (shelf, mut bases) = (Shelf::default(), Vec::new());
    for some in turns.chunks(BUILT) {
        bases.push(read::basis(&world.store, &shelf, id, some).await?);
    }
    account.spent("open", turns.len()).await?;

    let key = world.store.keys.consumer_key(id, now).await?;
    let book = shelf.fresh(&mut *world.store.main.read().await?).await?;
    let consumer: Arc<ConsumerRow> = book.consumers[&id].clone();
    let (mut deliveries, mut bytes): (Vec<Delivery>, usize) = (Vec::new(), 0);
    account.again().await?;
    for (some, basis) in turns.chunks(BUILT).zip(&bases) {
        for turn in some {
            let Opened::Snapshot(snapshot) = basis.opened(&turn.route) else { anyhow::bail!("nothing to tell") };
            let facts = Facts {
                consumer: &consumer,
                book: &basis.book,
                key: &key,
                snapshot: Some(snapshot),
                protected: basis.is_protected(&turn.route),
                subjects: basis.subjects(&turn.route),
                claimed: &basis.claimed,
                ceiling: None,
                now,
            };
            let Built::Delivery(delivery) = build(turn.clone(), &facts) else { anyhow::bail!("nothing to send") };
            bytes += delivery.body.len();
            deliveries.push(*delivery);
        }
    }
    account.spent("build", deliveries.len()).await?;

    let secrets = [SigningSecret::parse("whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")?];
    let url = receiver.url("instant")?;
    account.again().await?;
    let signed: Vec<Request<Bytes>> = deliveries
        .iter()
        .filter_map(|delivery| sign::sign(&url, &delivery.id, delivery.body.clone(), &secrets, now))
        .collect();
    account.spent("sign", signed.len()).await?;

    let count = signed.len();
    send_all(&world, signed).await?;
    account.spent("send", count).await?;

    let lanes = {
        let mut tx = world.store.main.begin().await?;
        let lanes = store::lane::take(&mut tx, id, "bench").await?;
        tx.commit().await?;
        lanes
    };
    account.again().await?;
    for some in deliveries.chunks(FLUSHED) {
        let attempts: Vec<Attempt> = some.iter().map(|delivery| attempt(delivery.turn.route.seq, now)).collect();
        let mut tx = world.store.main.begin().await?;
        store::lane::advance(&mut tx, id, &lanes).await?;
        store::attempt::insert(&mut tx, id, &attempts).await?;
        tx.commit().await?;
    }
    account.spent("flush", deliveries.len()).await?;

    for some in deliveries.chunks(FLUSHED) {
        let entries: Vec<audit::Entry> = some
            .iter()
            .map(|delivery| {
                let (this, given) = ((delivery.id.clone(), 1), delivery.disclosure.clone());
                record::left(&consumer, &delivery.turn.route, this, given, now, None)
            })
            .collect();
        let mut tx = world.store.main.begin().await?;
        audit::record(&mut tx, &world.store.keys, &entries).await?;
        tx.commit().await?;
    }
    account.spent("audit", deliveries.len()).await?;
    account.rows.push(Row::known("steps: bytes of a body", bytes as f64 / deliveries.len() as f64, "B"));
    world.store.close().await;
    Ok(account.rows)
}

async fn read_all(world: &World, id: ConsumerId) -> anyhow::Result<Vec<Route>> {
    let (mut all, mut position): (Vec<Route>, i64) = (Vec::new(), 0);
    loop {
        let routes = read::routes(&world.store, id, &SHARDS, position, READ).await?;
        let Some(last) = routes.last() else { return Ok(all) };
        position = last.seq;
        all.extend(routes);
    }
}

fn turn(route: Route) -> Turn {
    Turn { key: Key::of(&route), route: Arc::new(route), gap: false, wait: None }
}

async fn send_all(world: &World, requests: Vec<Request<Bytes>>) -> anyhow::Result<()> {
    let guard = Guard::new(world.settings.network.allowed_networks.clone(), Vec::new());
    let client = Client::new(guard, None, &cpr_operator::net::Settings::default())?;
    let left = Arc::new(Mutex::new(requests.into_iter()));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, next) = (client.clone(), left.clone());
        senders.spawn(async move {
            while let Some(request) = next.lock().ok().and_then(|mut left| left.next()) {
                client.send(request, Duration::from_secs(10), 65_536).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(())
}

fn attempt(seq: i64, at: jiff::Timestamp) -> Attempt {
    Attempt { seq, number: 1, at, outcome: AttemptOutcome::Delivered, status: Some(200), millis: 3, class: None }
}
