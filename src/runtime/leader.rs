//! Leader election by a Lease: one process of a cluster leads, and only with the store that the Lease names.
//!
//! Whether a Lease has run out is judged by how long this process saw it unchanged, so clocks need not agree. A Lease is no
//! fence: a leader that was paused may still act once, and what it does has to be safe to repeat.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::causes;

/// The store of this process, and how the Lease speaks of stores.
#[derive(Clone, Debug)]
pub struct StoreClaim {
    /// The store's random id.
    pub id: String,
    /// Annotation with the id of the store whose processes may lead.
    pub annotation: &'static str,
    /// Annotation by which an administrator lets another store take over.
    pub adopt_annotation: &'static str,
}

/// Whether this process leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Leading,
    /// Another process does.
    HeldElsewhere,
    /// The Lease names another store; holds that store's id.
    OtherStore(String),
}

/// What the leader's surroundings are told; each change once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// How this process stands.
    Standing(Standing),
    /// The API server could not be asked; says why.
    Unreachable(String),
}

/// One process's part in the election.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    store: StoreClaim,
    /// The version of the Lease last seen, and since when.
    seen: Option<(Option<String>, Instant)>,
    /// The Lease as this process wrote it last. While nobody else writes it, it is renewed without being read again.
    written: Option<Lease>,
}

impl Election {
    /// Takes part in the election by the Lease `name`, as `identity`, which holds for `duration` without renewal.
    pub fn new(api: Api<Lease>, name: &str, identity: &str, duration: Duration, store: StoreClaim) -> Self {
        Self { api, name: name.to_owned(), identity: identity.to_owned(), duration, store, seen: None, written: None }
    }

    /// Takes or renews the Lease if that is possible now.
    pub async fn attempt(&mut self) -> kube::Result<Standing> {
        // Who annotates the Lease between our reading and writing must not cost a leader its place: so once more.
        match self.attempt_once().await? {
            Some(standing) => Ok(standing),
            None => Ok(self.attempt_once().await?.unwrap_or(Standing::HeldElsewhere)),
        }
    }

    /// One attempt; none where another writer came between.
    async fn attempt_once(&mut self) -> kube::Result<Option<Standing>> {
        let now = Timestamp::now();
        let present = match self.written.take() {
            Some(written) => Some(written),
            None => self.api.get_opt(&self.name).await?,
        };
        match present {
            None => self.create(now).await,
            Some(lease) => self.take(lease, now).await,
        }
    }

    /// Gives the Lease back, so that the next process need not wait.
    pub async fn release(&mut self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|s| s.holder_identity.as_deref() == Some(&self.identity)) else {
            return Ok(());
        };
        spec.holder_identity = Some(String::new());
        self.written = None;
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await).map(drop)
    }

    async fn create(&mut self, now: Timestamp) -> kube::Result<Option<Standing>> {
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            annotations: Some(BTreeMap::from([(self.store.annotation.to_owned(), self.store.id.clone())])),
            ..Default::default()
        };
        let lease = Lease { metadata, spec: Some(self.spec(now, now, 0)) };
        Ok(self.leads(won(self.api.create(&PostParams::default(), &lease).await)?))
    }

    async fn take(&mut self, mut lease: Lease, now: Timestamp) -> kube::Result<Option<Standing>> {
        if let Some(other) = other_store(&lease, &self.store) {
            return Ok(Some(Standing::OtherStore(other)));
        }
        let held = lease.spec.take().unwrap_or_default();
        let holder = held.holder_identity.as_deref().unwrap_or_default();
        let mine = holder == self.identity;
        if !mine && !holder.is_empty() && !self.has_run_out(&lease, &held) {
            return Ok(Some(Standing::HeldElsewhere));
        }
        let since = held.acquire_time.filter(|_| mine).map_or(now, |t| t.0);
        let transitions = held.lease_transitions.unwrap_or(0) + i32::from(!mine);
        lease.spec = Some(self.spec(since, now, transitions));
        claim(&mut lease, &self.store);
        // The version that was read goes back with it: of two writers one is refused.
        Ok(self.leads(won(self.api.replace(&self.name, &PostParams::default(), &lease).await)?))
    }

    fn leads(&mut self, written: Option<Lease>) -> Option<Standing> {
        self.written = written;
        self.written.as_ref().map(|_| Standing::Leading)
    }

    /// Whether the Lease has stood unchanged before our eyes for longer than it holds.
    fn has_run_out(&mut self, lease: &Lease, held: &LeaseSpec) -> bool {
        let version = lease.metadata.resource_version.clone();
        let since = match &self.seen {
            Some((seen, since)) if *seen == version => *since,
            _ => self.seen.insert((version, Instant::now())).1,
        };
        let holds = u64::try_from(held.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        since.elapsed() > Duration::from_secs(holds)
    }

    fn spec(&self, acquired: Timestamp, renewed: Timestamp, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(renewed)),
            lease_transitions: Some(transitions),
            ..Default::default()
        }
    }

    fn retry(&self) -> Duration {
        self.duration / 7
    }

    /// After this long without renewal the work is stopped, well before others may begin.
    fn deadline(&self) -> Duration {
        self.duration * 2 / 3
    }
}

/// The store that the Lease names, if it is another and ours was not let in.
fn other_store(lease: &Lease, store: &StoreClaim) -> Option<String> {
    let annotations = lease.metadata.annotations.as_ref()?;
    let named = annotations.get(store.annotation).filter(|named| **named != store.id)?;
    let adopted = annotations.get(store.adopt_annotation) == Some(&store.id);
    (!adopted).then(|| named.clone())
}

fn claim(lease: &mut Lease, store: &StoreClaim) {
    let annotations = lease.metadata.annotations.get_or_insert_default();
    annotations.insert(store.annotation.to_owned(), store.id.clone());
    if annotations.get(store.adopt_annotation) == Some(&store.id) {
        annotations.remove(store.adopt_annotation);
    }
}

/// The Lease as written; none where another writer came between.
fn won(written: kube::Result<Lease>) -> kube::Result<Option<Lease>> {
    match written {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs `work` whenever this process leads, until `stop`. Each time it is given a token that tells it to end; the Lease is
/// given back only after it has ended. `told` hears each change once.
pub async fn run<W, F>(mut election: Election, stop: CancellationToken, told: impl Fn(&Change), work: W)
where
    W: Fn(CancellationToken) -> F,
    F: Future<Output = ()>,
{
    let mut last = None;
    let mut tell = |change: Change| {
        if last.as_ref() != Some(&change) {
            told(&change);
            last = Some(change);
        }
    };
    while !stop.is_cancelled() {
        let standing = change(attempt_in_time(&mut election).await);
        let leading = standing == Change::Standing(Standing::Leading);
        tell(standing);
        if leading {
            lead(&mut election, &stop, &mut tell, &work).await;
        } else {
            wait(&stop, election.retry()).await;
        }
    }
}

/// Works and renews, until the Lease is lost or `stop`.
async fn lead<W, F>(election: &mut Election, stop: &CancellationToken, tell: &mut impl FnMut(Change), work: &W)
where
    W: Fn(CancellationToken) -> F,
    F: Future<Output = ()>,
{
    let end = stop.child_token();
    let mut working = pin!(work(end.clone()).fuse());
    let lost = tokio::select! {
        () = &mut working => None,
        lost = renew(election, &end) => lost,
    };
    end.cancel();
    // What does not end in time is dropped where it stands, before another process may begin.
    let _ = tokio::time::timeout(election.duration - election.deadline(), working).await;
    match lost {
        Some(change) => tell(change),
        // Ended on request, or the work ended by itself: the next need not wait.
        None => drop(tokio::time::timeout(election.retry(), election.release()).await),
    }
}

/// Renews until the Lease is lost, and says how; none where `end` came first.
async fn renew(election: &mut Election, end: &CancellationToken) -> Option<Change> {
    let mut renewed = Instant::now();
    loop {
        wait(end, election.retry()).await;
        if end.is_cancelled() {
            return None;
        }
        match change(attempt_in_time(election).await) {
            Change::Standing(Standing::Leading) => renewed = Instant::now(),
            lost @ Change::Standing(_) => return Some(lost),
            failed if renewed.elapsed() >= election.deadline() => return Some(failed),
            Change::Unreachable(_) => {}
        }
    }
}

/// One attempt that takes no longer than the time between two.
async fn attempt_in_time(election: &mut Election) -> Result<Standing, String> {
    match tokio::time::timeout(election.retry(), election.attempt()).await {
        Ok(attempt) => attempt.map_err(|error| causes::text(&error)),
        Err(_) => Err("the API server does not answer in time".to_owned()),
    }
}

fn change(attempt: Result<Standing, String>) -> Change {
    attempt.map_or_else(Change::Unreachable, Change::Standing)
}

async fn wait(stop: &CancellationToken, time: Duration) {
    let _ = tokio::time::timeout(time, stop.cancelled()).await;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use http::{Method, Request, Response, StatusCode};
    use http_body_util::BodyExt;
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    /// The one Lease of an API server, with its optimistic locking.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<Stored>>);

    #[derive(Default)]
    struct Stored {
        lease: Option<Value>,
        version: u64,
        reads: u64,
        down: bool,
    }

    impl Server {
        fn election(&self, identity: &str, store: &str) -> Election {
            let server = self.clone();
            let service = tower::service_fn(move |request: Request<Body>| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(request).await) }
            });
            let api = Api::namespaced(Client::new(service, "default"), "default");
            let store = StoreClaim { id: store.to_owned(), annotation: "store", adopt_annotation: "adopt-store" };
            Election::new(api, "lease", identity, Duration::from_secs(15), store)
        }

        async fn answer(&self, request: Request<Body>) -> Response<Body> {
            let method = request.method().clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut stored = self.0.lock().unwrap();
            if stored.down {
                return status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
            }
            if method == Method::GET {
                stored.reads += 1;
                return stored.lease.as_ref().map_or(status(StatusCode::NOT_FOUND, "NotFound"), answer);
            }
            let mut sent: Value = serde_json::from_slice(&body).unwrap();
            let current = stored.lease.as_ref().map(|l| l["metadata"]["resourceVersion"].clone());
            if method == Method::POST && current.is_some() {
                return status(StatusCode::CONFLICT, "AlreadyExists");
            }
            if method == Method::PUT && current != Some(sent["metadata"]["resourceVersion"].clone()) {
                return status(StatusCode::CONFLICT, "Conflict");
            }
            stored.version += 1;
            sent["metadata"]["resourceVersion"] = json!(stored.version.to_string());
            stored.lease = Some(sent.clone());
            answer(&sent)
        }

        fn annotate(&self, name: &str, value: &str) {
            let mut stored = self.0.lock().unwrap();
            stored.lease.as_mut().unwrap()["metadata"]["annotations"][name] = json!(value);
        }

        fn annotations(&self) -> Value {
            self.0.lock().unwrap().lease.as_ref().unwrap()["metadata"]["annotations"].clone()
        }

        fn set_down(&self, down: bool) {
            self.0.lock().unwrap().down = down;
        }
    }

    fn answer(lease: &Value) -> Response<Body> {
        Response::new(Body::from(lease.to_string().into_bytes()))
    }

    fn status(code: StatusCode, reason: &str) -> Response<Body> {
        let body =
            json!({ "kind": "Status", "status": "Failure", "reason": reason, "message": "m", "code": code.as_u16() });
        Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_until_it_gives_back_or_falls_silent() {
        let server = Server::default();
        let (mut a, mut b) = (server.election("a", "s"), server.election("b", "s"));
        assert_eq!(a.attempt().await.unwrap(), Standing::Leading);
        assert_eq!(b.attempt().await.unwrap(), Standing::HeldElsewhere);
        assert_eq!(a.attempt().await.unwrap(), Standing::Leading);
        a.release().await.unwrap();
        assert_eq!(b.attempt().await.unwrap(), Standing::Leading);
        assert_eq!(a.attempt().await.unwrap(), Standing::HeldElsewhere);
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(a.attempt().await.unwrap(), Standing::HeldElsewhere);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(a.attempt().await.unwrap(), Standing::Leading);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_reads_its_lease_again_only_where_somebody_else_wrote_it() {
        let server = Server::default();
        let mut a = server.election("a", "s");
        for _ in 0..3 {
            assert_eq!(a.attempt().await.unwrap(), Standing::Leading);
        }
        assert_eq!(server.0.lock().unwrap().reads, 1);
        tokio::time::advance(Duration::from_secs(16)).await;
        let mut b = server.election("b", "s");
        assert_eq!(b.attempt().await.unwrap(), Standing::HeldElsewhere);
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(b.attempt().await.unwrap(), Standing::Leading);
        assert_eq!(a.attempt().await.unwrap(), Standing::HeldElsewhere);
        assert_eq!(server.0.lock().unwrap().reads, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn another_store_leads_only_after_it_was_adopted() {
        let server = Server::default();
        let (mut a, mut b) = (server.election("a", "first"), server.election("b", "second"));
        a.attempt().await.unwrap();
        a.release().await.unwrap();
        assert_eq!(b.attempt().await.unwrap(), Standing::OtherStore("first".to_owned()));
        server.annotate("adopt-store", "second");
        assert_eq!(b.attempt().await.unwrap(), Standing::Leading);
        assert_eq!(server.annotations(), json!({ "store": "second" }));
        assert_eq!(a.attempt().await.unwrap(), Standing::OtherStore("second".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_ends_the_work_and_its_return_begins_it_again() {
        let server = Server::default();
        let (stop, began, ended) = (CancellationToken::new(), Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let work = {
            let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
            move |end: CancellationToken| {
                let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
                async move {
                    *began.lock().unwrap() += 1;
                    end.cancelled().await;
                    *ended.lock().unwrap() += 1;
                }
            }
        };
        let running = tokio::spawn(run(server.election("a", "s"), stop.clone(), |_| {}, work));
        let reached = |counter: Arc<Mutex<u32>>, target| async move {
            let poll = async {
                while *counter.lock().unwrap() < target {
                    tokio::task::yield_now().await;
                    tokio::time::advance(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), poll).await.unwrap();
        };
        reached(Arc::clone(&began), 1).await;
        server.set_down(true);
        reached(Arc::clone(&ended), 1).await;
        server.set_down(false);
        reached(Arc::clone(&began), 2).await;
        stop.cancel();
        running.await.unwrap();
        assert_eq!(*ended.lock().unwrap(), 2);
        let holder = server.0.lock().unwrap().lease.as_ref().unwrap()["spec"]["holderIdentity"].clone();
        assert_eq!(holder, "");
    }
}
