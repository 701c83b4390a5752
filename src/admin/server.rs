//! Serving: a socket that only the process's own user can open, and its routes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::{UnixListener, UnixSocket};
use tokio_util::sync::CancellationToken;

use super::requests::Peer;
use super::{Context, consumer_test, dead_letters, deliveries, doctor, jobs, persons, plan, report};

/// Connections that wait to be accepted.
const WAITING: u32 = 64;

/// The socket at a path. One that was left there by a process that ended is replaced: who calls this holds the store's lock.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Before anybody can connect.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(WAITING)
}

/// Serves until `stop`, then finishes what was asked.
pub async fn serve(listener: UnixListener, context: Context, stop: CancellationToken) -> io::Result<()> {
    let service = routes().with_state(context).into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn routes() -> Router<Context> {
    Router::new()
        .route("/v1/doctor", get(doctor::run))
        .route("/v1/plan", post(plan::run))
        .route("/v1/report", get(report::run))
        .route("/v1/subscriptions/{namespace}/{name}/persons", get(persons::page))
        .route("/v1/subscriptions/{namespace}/{name}/persons/add", post(persons::add))
        .route("/v1/subscriptions/{namespace}/{name}/persons/progress", post(persons::progress))
        .route("/v1/subscriptions/{namespace}/{name}/persons/remove", post(persons::remove))
        .route("/v1/consumers/{namespace}/{name}/deadletters", get(dead_letters::list))
        .route("/v1/consumers/{namespace}/{name}/deadletters/drop", post(dead_letters::drop))
        .route("/v1/consumers/{namespace}/{name}/deadletters/retry", post(dead_letters::retry))
        .route("/v1/consumers/{namespace}/{name}/deliveries", get(deliveries::list))
        .route("/v1/consumers/{namespace}/{name}/jobs/{job}", get(jobs::state))
        .route("/v1/consumers/{namespace}/{name}/replay", post(jobs::replay))
        .route("/v1/consumers/{namespace}/{name}/resync", post(jobs::resync))
        .route("/v1/consumers/{namespace}/{name}/test", post(consumer_test::run))
}
