//! The handle of a running consumer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use standardwebhooks::Webhook;
use tokio::sync::broadcast;

use super::behaviour::Applies;
use super::behaviour::Behaviour;
use super::judge::Judge;
use super::judge::Received;
use super::judge::Report;
use super::server;
use crate::simulate::serving::Serving;

/// How many arrivals a slow listener may lag behind before it misses some.
const LISTENERS_LAG: usize = 65_536;

/// How a consumer is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 chooses a free one.
    pub listen: SocketAddr,
    /// The secrets, as `whsec_` and base64, that a signature may be made with.
    pub secrets: Vec<String>,
}

/// All that requests share.
pub(super) struct Shared {
    pub judge: Mutex<Judge>,
    pub secrets: RwLock<Arc<[Webhook]>>,
    pub behaviour: RwLock<(Arc<Behaviour>, Applies)>,
    pub arrivals: broadcast::Sender<Received>,
    /// Whether arrivals are kept, or counted only.
    pub remember: AtomicBool,
}

impl Shared {
    pub(super) fn judge(&self) -> std::sync::MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn secrets(&self) -> Arc<[Webhook]> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn behaviour(&self) -> (Arc<Behaviour>, Applies) {
        self.behaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn behave(&self, behaviour: Behaviour, applies: Applies) {
        *self.behaviour.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(behaviour), applies);
    }
}

/// A running consumer. Dropping it ends it.
pub struct Consumer {
    shared: Arc<Shared>,
    serving: Serving,
}

impl Consumer {
    /// Starts a consumer. A secret that is not base64 is an error of the kind `InvalidInput`.
    pub async fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            judge: Mutex::default(),
            secrets: RwLock::new(parse(&options.secrets)?),
            behaviour: RwLock::default(),
            arrivals: broadcast::Sender::new(LISTENERS_LAG),
            remember: AtomicBool::new(true),
        });
        let serving = Serving::start(options.listen, server::routes(shared.clone())).await?;
        Ok(Self { shared, serving })
    }

    /// Where it wants its deliveries.
    pub fn url(&self) -> String {
        format!("http://{}/cpr/events", self.serving.address())
    }

    /// All that arrived, oldest first, forged and refused ones too.
    pub fn received(&self) -> Vec<Received> {
        self.shared.judge().received.clone()
    }

    /// Whether to keep what arrives from now on; the report counts it in any case. For loads that fill the memory.
    pub fn remember(&self, remember: bool) {
        self.shared.remember.store(remember, Ordering::Relaxed);
    }

    /// The sum of it.
    pub fn report(&self) -> Report {
        self.shared.judge().report
    }

    /// Answers deliveries so from now on, and challenges well.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behave(behaviour, Applies::Deliveries);
    }

    /// Answers deliveries and challenges so from now on.
    pub fn behave_in_everything(&self, behaviour: Behaviour) {
        self.shared.behave(behaviour, Applies::Everything);
    }

    /// Verifies with these secrets from now on.
    pub fn set_secrets(&self, secrets: &[String]) -> io::Result<()> {
        *self.shared.secrets.write().unwrap_or_else(PoisonError::into_inner) = parse(secrets)?;
        Ok(())
    }

    /// Each arrival whose signature is valid, from now on, as soon as it is judged.
    pub fn subscribe(&self) -> broadcast::Receiver<Received> {
        self.shared.arrivals.subscribe()
    }

    /// Ends it, and every connection with it.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}

fn parse(secrets: &[String]) -> io::Result<Arc<[Webhook]>> {
    let webhooks: Result<Vec<_>, _> = secrets.iter().map(|secret| Webhook::new(secret)).collect();
    webhooks
        .map(Arc::from)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a secret is not whsec_ and base64"))
}
