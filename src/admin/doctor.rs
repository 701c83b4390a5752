//! `doctor`: the databases, the root key, the clock, the cluster, each register and each consumer's address, looked at now.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use url::Url;

use super::who::{Caller, Right};
use super::wire::{Area, Check, Verdict};
use super::{Context, Problem};
use crate::audit::{Entry, Outcome};
use crate::net;
use crate::net::error::Error as NetError;
use crate::net::guard::Guard;
use crate::net::probe::probe;
use crate::store::connections::{Demand, REMEDY};
use crate::store::consumer::ConsumerRow;
use crate::store::source::SourceRow;
use crate::store::{self, connections, consumer, source};

/// For one address.
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses that are tried at the same time.
const AT_ONCE: usize = 16;
/// A certificate that is valid for less than this is worth a look.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A clock that differs by more is worth a look: receivers refuse signatures that are five minutes off.
const OFF: SignedDuration = SignedDuration::from_secs(5);
/// A write that takes longer is worth a look.
const SLOW: Duration = Duration::from_millis(500);

/// Looks at everything.
pub async fn run(State(context): State<Context>, caller: Caller) -> Result<Json<Vec<Check>>, Problem> {
    let asker = context.admit(&caller, &Right::whole("/cpr-operator/doctor")).await?;
    Ok(Json(checks(&context, Entry::command(context.now(), Outcome::Succeeded, "doctor", &asker)).await?))
}

/// Every check; that of the database is whether this use could be recorded.
pub(super) async fn checks(context: &Context, entry: Entry) -> Result<Vec<Check>, Problem> {
    let began = Instant::now();
    let written = context.record(entry).await;
    let mut found = vec![database(written, began.elapsed()), root_key(context)];
    let demands = connections::look(&context.store, &context.settings.database, None, 0).await?;
    found.extend(demands.iter().map(room));
    found.extend(cluster(context).await);
    let (sources, consumers) = live(context).await?;
    for row in &sources {
        found.push(register(context, row).await?);
    }
    let addresses = sources.iter().flat_map(|row| registers(context, row));
    let addresses: Vec<Address> = addresses.chain(consumers.iter().flat_map(|row| receivers(context, row))).collect();
    let tried = stream::iter(addresses).map(|address| reach(address, context.now())).buffered(AT_ONCE);
    found.extend(tried.collect::<Vec<_>>().await);
    Ok(found)
}

async fn live(context: &Context) -> Result<(Vec<SourceRow>, Vec<ConsumerRow>), store::Error> {
    let mut conn = context.store.main.read().await?;
    let sources = source::all(&mut conn).await?.into_iter().filter(|row| row.ended_at.is_none());
    let consumers = consumer::all(&mut conn).await?.into_iter().filter(|row| row.ended_at.is_none());
    Ok((sources.collect(), consumers.collect()))
}

fn check(area: Area, subject: impl Into<String>, verdict: Verdict, message: impl Into<String>) -> Check {
    Check { area, subject: subject.into(), verdict, message: message.into() }
}

/// Recording a use takes the writer as every commit does, so that a lock, a full disk or a slow one shows.
fn database(written: Result<(), Problem>, took: Duration) -> Check {
    let said = |verdict, message| check(Area::Database, "main.db", verdict, message);
    let millis = took.as_millis();
    match written {
        Err(error) => said(Verdict::Problem, format!("cannot be written: {error}")),
        Ok(()) if took > SLOW => said(Verdict::Warning, format!("a commit took {millis} ms: the disk is slow or busy")),
        Ok(()) => said(Verdict::Ok, format!("a commit took {millis} ms")),
    }
}

/// Whether a database's server has room for all connections that the processes that live now may open.
fn room(demand: &Demand) -> Check {
    let Demand { database, processes, possible, allowed } = demand;
    let said = format!("{processes} processes may open {possible} connections, and its server takes {allowed}");
    let (verdict, message) = match demand.is_too_much() {
        false => (Verdict::Ok, said),
        true => (Verdict::Warning, format!("{said}: {REMEDY}")),
    };
    check(Area::Database, format!("{database} server"), verdict, message)
}

fn root_key(context: &Context) -> Check {
    let said = |verdict, message: &str| check(Area::RootKey, "root key", verdict, message);
    match (context.store.root_key_is_local, context.settings.store.accept_local_root_key) {
        (false, _) => said(Verdict::Ok, "lies apart from the databases"),
        (true, true) => said(
            Verdict::Warning,
            "lies beside the databases, which the settings accept: a backup of the folder opens it",
        ),
        (true, false) => said(
            Verdict::Warning,
            "was made here or lies beside the databases: sources with environment Production are not served; see docs/security.md",
        ),
    }
}

/// Whether the cluster answers, and whether its clock is ours.
async fn cluster(context: &Context) -> Vec<Check> {
    if !context.settings.operator.enabled {
        return vec![check(Area::Cluster, "API server", Verdict::Ok, "not used: operator.enabled is false")];
    }
    let answer = async {
        let client = (context.cluster)().await?;
        let request = http::Request::get("/version").body(Body::empty()).map_err(|error| error.to_string())?;
        tokio::time::timeout(PATIENCE, client.send(request))
            .await
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|e| e.to_string())
    };
    match answer.await {
        Err(error) => vec![check(
            Area::Cluster,
            "API server",
            Verdict::Problem,
            format!("{error}: manifests are not followed; what is configured goes on"),
        )],
        Ok(answer) => {
            let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
            let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
            let reached = check(
                Area::Cluster,
                "API server",
                Verdict::Ok,
                format!("answers with status {}", answer.status().as_u16()),
            );
            vec![reached, clock(context.now(), theirs)]
        }
    }
}

fn clock(ours: Timestamp, theirs: Option<Timestamp>) -> Check {
    let said = |verdict, message| check(Area::Clock, "this machine", verdict, message);
    match theirs.map(|theirs| ours.duration_since(theirs)) {
        None => said(Verdict::Warning, "could not be compared: the API server told no date".to_owned()),
        // The other side tells whole seconds.
        Some(off) if off.abs() <= OFF => said(Verdict::Ok, "agrees with the API server's".to_owned()),
        Some(off) => said(
            Verdict::Problem,
            format!(
                "is {off:#} off the API server's: receivers refuse signatures that are minutes off; let it be synchronised"
            ),
        ),
    }
}

/// What ingest last found at a register.
async fn register(context: &Context, row: &SourceRow) -> Result<Check, Problem> {
    let said = |verdict, message: String| check(Area::Register, row.key.to_string(), verdict, message);
    if row.compiled.is_none() {
        return Ok(said(Verdict::Problem, "is not valid: see kubectl describe".to_owned()));
    }
    let state = source::state(&mut *context.store.main.read().await?, row.id).await?;
    Ok(match state.and_then(|state| Some((state.contact?, state.feed))) {
        None => said(Verdict::Warning, "was not asked yet".to_owned()),
        Some((contact, _)) if contact.reason != "Succeeded" => {
            said(Verdict::Problem, format!("{}: {}", contact.reason, contact.message))
        }
        Some((_, Some(feed))) if feed.reason != "Healthy" => {
            said(Verdict::Warning, format!("{}: {}", feed.reason, feed.message))
        }
        Some(_) => said(Verdict::Ok, "answers, accepts the credentials, and its feed is whole".to_owned()),
    })
}

/// An address to try.
struct Address {
    area: Area,
    subject: String,
    url: Url,
    guard: Guard,
    ca: Option<String>,
    proxy: Option<Url>,
}

fn registers(context: &Context, row: &SourceRow) -> Vec<Address> {
    let Some(form) = &row.compiled else { return Vec::new() };
    let guard = Guard::new(context.settings.network.allowed_networks.clone(), form.allowed_networks.clone());
    let address = |what: &str, url: &Url| Address {
        area: Area::Register,
        subject: format!("{} {what}", row.key),
        url: url.clone(),
        guard: guard.clone(),
        ca: form.ca_bundle.clone(),
        proxy: form.proxy.clone(),
    };
    vec![address("graphql", &form.graphql), address("auth", &form.auth)]
}

fn receivers(context: &Context, row: &ConsumerRow) -> Option<Address> {
    let delivery = &row.compiled.as_ref()?.delivery;
    Some(Address {
        area: Area::Endpoint,
        subject: row.key.to_string(),
        url: delivery.url.clone(),
        guard: Guard::new(context.settings.network.allowed_networks.clone(), delivery.allowed_networks.clone()),
        ca: delivery.ca_bundle.clone(),
        proxy: None,
    })
}

async fn reach(address: Address, now: Timestamp) -> Check {
    let said = |verdict, message: String| check(address.area, address.subject.clone(), verdict, message);
    let by = net::Settings { connect_timeout: PATIENCE, proxy: address.proxy, ..net::Settings::default() };
    match probe(address.guard, address.ca.as_deref(), &address.url, &by).await {
        Err(error) => said(Verdict::Problem, format!("{}: {error}", failed_at(&error))),
        Ok(reached) => {
            let left = reached.certificate_until.map(|until| until.duration_since(now));
            let took = reached.took.as_millis();
            match left {
                Some(left) if left < SOON => said(
                    Verdict::Warning,
                    format!("reached in {took} ms; its certificate ends in {} days", left.as_hours() / 24),
                ),
                Some(left) => said(
                    Verdict::Ok,
                    format!(
                        "name, guard, connection and TLS are well ({took} ms); certificate valid for {} days",
                        left.as_hours() / 24
                    ),
                ),
                None => said(Verdict::Ok, format!("name, guard and connection are well ({took} ms); no TLS")),
            }
        }
    }
}

/// At which step an address failed.
fn failed_at(error: &NetError) -> &'static str {
    match error {
        NetError::Resolve => "DNS",
        NetError::Refused { .. } => "address guard",
        NetError::Proxy { .. } => "proxy",
        NetError::Tls { .. } | NetError::CaBundle => "TLS",
        _ => "connection",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_server_with_too_little_room_is_said_with_what_to_do() {
        let of = |allowed| room(&Demand { database: "main", processes: 7, possible: 119, allowed });
        assert_eq!(of(119).verdict, Verdict::Ok);
        let found = of(97);
        assert_eq!((found.verdict, found.subject.as_str()), (Verdict::Warning, "main server"));
        assert!(found.message.contains("7 processes may open 119") && found.message.contains("max_connections"));
    }

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        let now: Timestamp = "2026-11-22T03:11:08Z".parse().unwrap();
        for (theirs, verdict) in [
            (Some("2026-11-22T03:11:05Z"), Verdict::Ok),
            (Some("2026-11-22T03:11:12Z"), Verdict::Ok),
            (Some("2026-11-22T03:10:00Z"), Verdict::Problem),
            (Some("2026-11-22T04:11:08Z"), Verdict::Problem),
            (None, Verdict::Warning),
        ] {
            assert_eq!(clock(now, theirs.map(|at| at.parse().unwrap())).verdict, verdict, "{theirs:?}");
        }
    }
}
