//! Bells between processes: what rings here is called out, and what is called elsewhere rings here.

use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use futures::future::select_all;
use tokio_util::sync::CancellationToken;

use crate::runtime::bell::Bells;
use crate::settings::database::DatabaseSettings;
use crate::store::calls::{self, Listener};
use crate::store::open::address;
use crate::store::{self, Store};

/// Rings within this time are called out together: fifty times a second at most.
const GATHER: Duration = Duration::from_millis(20);
/// The longest wait before the connection is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Without a connection to listen on: how often is looked while there is something, and while there is not.
const BUSY: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_secs(1);

/// Carries rings until `stop`.
pub(super) fn run(
    settings: &DatabaseSettings,
    store: Store,
    bells: Bells,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let file = match (&settings.listen_url_file, settings.pooler) {
        (Some(file), _) => Some(file),
        (None, false) => settings.url_file.as_ref(),
        (None, true) => None,
    };
    let listen = file.cloned();
    if let Some(file) = &listen {
        address(file)?;
    }
    Ok(async move {
        let hear = async {
            match listen {
                Some(file) => hear(&file, &bells).await,
                None => look(&store, &bells).await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tell(&store, &bells) => {}
            () = hear => {}
        }
    })
}

/// Calls out what rings here.
async fn tell(store: &Store, bells: &Bells) {
    let each = bells.each();
    loop {
        let rings = each.iter().map(|(name, bell)| Box::pin(bell.to_tell().map(|()| *name)));
        let (first, ..) = select_all(rings).await;
        tokio::time::sleep(GATHER).await;
        let others = each.iter().filter(|(_, bell)| bell.to_tell().now_or_never().is_some()).map(|(name, _)| *name);
        let names: Vec<&str> = std::iter::once(first).chain(others.filter(|name| *name != first)).collect();
        if let Err(error) = calls::call(&store.main, &names).await {
            tracing::warn!(%error, "other processes could not be called: they look by themselves");
        }
    }
}

/// Rings here what was called elsewhere; everything, where calls may have been missed.
async fn hear(file: &Path, bells: &Bells) {
    let mut wait = Duration::from_millis(100);
    loop {
        match start(file).await {
            Ok(mut listener) => {
                wait = Duration::from_millis(100);
                ring_all(bells);
                let error = listen(&mut listener, bells).await;
                tracing::warn!(%error, "the connection on which calls are heard was lost");
            }
            Err(error) => tracing::warn!(%error, "there is no connection on which calls are heard"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Listens at the address that the file holds now.
async fn start(file: &Path) -> Result<Listener, store::Error> {
    Listener::start(&address(file)?).await
}

/// Rings until the connection is lost; why it was.
async fn listen(listener: &mut Listener, bells: &Bells) -> store::Error {
    loop {
        match listener.next().await {
            Ok(Some(name)) => bells.each().iter().filter(|(known, _)| *known == name).for_each(|(_, b)| b.ring_here()),
            Ok(None) => ring_all(bells),
            Err(error) => return error,
        }
    }
}

fn ring_all(bells: &Bells) {
    bells.each().iter().for_each(|(_, bell)| bell.ring_here());
}

/// Looks for new routes by itself, often while there are some.
async fn look(store: &Store, bells: &Bells) {
    let (mut wait, mut last) = (IDLE, None);
    loop {
        tokio::time::sleep(wait).await;
        let found = match store.main.read().await {
            Ok(mut conn) => store::route::newest(&mut conn).await.ok(),
            Err(_) => None,
        };
        wait = if found == last { (wait * 2).min(IDLE) } else { BUSY };
        if found != last {
            bells.routes.ring_here();
        }
        last = found;
    }
}
