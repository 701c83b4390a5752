//! The key ring: random keys by kind, scope and version, wrapped by the root key and unwrapped in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::root::RootKey;
use super::usage::Usage;
use crate::store::aead::{self, Cipher, KeyBytes};
use crate::store::rows::Column;
use crate::store::sql::{query, query_as, query_scalar};
use crate::store::{Conn, Database, Error};

/// What a key of the ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Wraps persons' keys.
    Data,
    /// Makes references of identifiers.
    Lookup,
    /// Makes a month's references for the audit record.
    AuditReference,
    /// Seals a month's private parts of the audit record.
    AuditPrivate,
    /// Makes one consumer's references and event ids.
    Consumer,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Data, Kind::Lookup, Kind::AuditReference, Kind::AuditPrivate, Kind::Consumer];

    /// The name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Data => "data",
            Kind::Lookup => "lookup",
            Kind::AuditReference => "audit-reference",
            Kind::AuditPrivate => "audit-private",
            Kind::Consumer => "consumer",
        }
    }
}

/// One key.
pub(super) struct RingKey {
    /// Its row.
    pub(super) id: i64,
    /// What it is for.
    pub(super) kind: Kind,
    /// What it is for within the kind: a month, a consumer's id, or empty.
    pub(super) scope: String,
    /// Version.
    pub(super) version: u32,
    /// The key itself.
    pub(super) bytes: KeyBytes,
    /// The key for making MACs.
    pub(super) mac: hmac::Key,
    /// The key for sealing.
    pub(super) cipher: Cipher,
    /// How often it has sealed, where that is counted.
    pub(super) usage: Usage,
}

/// All keys, newest versions found by kind and scope.
pub(super) struct Ring {
    root: RootKey,
    keys: RwLock<BTreeMap<i64, Arc<RingKey>>>,
    newest: RwLock<BTreeMap<(Kind, String), Arc<RingKey>>>,
    making: tokio::sync::Mutex<()>,
}

type Row = (i64, String, String, i64, Vec<u8>);

impl Ring {
    /// Unwraps all keys.
    pub(super) async fn load(db: &Database, root: RootKey) -> Result<Self, Error> {
        let making = tokio::sync::Mutex::new(());
        let ring = Self { root, keys: RwLock::default(), newest: RwLock::default(), making };
        ring.read_new(&mut *db.read().await?).await?;
        Ok(ring)
    }

    /// Unwraps keys that other processes made since this one last looked. Keys appear in the order of their rows.
    pub(super) async fn read_new(&self, conn: &mut Conn) -> Result<(), Error> {
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).keys().next_back().copied();
        let rows: Vec<Row> =
            query_as("SELECT id, kind, scope, version, wrapped FROM keyring WHERE id > $1 ORDER BY id")
                .bind(known.unwrap_or(0))
                .fetch_all(conn)
                .await?;
        for row in rows {
            self.insert(self.unwrapped(row)?);
        }
        Ok(())
    }

    /// Unwraps the keys of a scope that other processes made, or that this one may not see without saying for whom it asks.
    async fn read_scope(&self, conn: &mut Conn, kind: Kind, scope: &str) -> Result<(), Error> {
        let rows: Vec<Row> = query_as(
            "SELECT id, kind, scope, version, wrapped FROM keyring WHERE kind = $1 AND scope = $2 ORDER BY version",
        )
        .bind(kind.name())
        .bind(scope)
        .fetch_all(conn)
        .await?;
        for row in rows {
            self.insert(self.unwrapped(row)?);
        }
        Ok(())
    }

    /// The newest key for a scope, if there is one.
    pub(super) fn find(&self, kind: Kind, scope: &str) -> Option<Arc<RingKey>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).get(&(kind, scope.to_owned())).cloned()
    }

    /// The newest key for a scope that must have been made before.
    pub(super) fn get(&self, kind: Kind, scope: &str) -> Result<Arc<RingKey>, Error> {
        self.find(kind, scope).ok_or_else(|| Error::NoKey { kind: kind.name(), scope: scope.to_owned() })
    }

    /// A key by its row.
    pub(super) fn by_id(&self, id: i64) -> Option<Arc<RingKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Keys with a higher row than `after`, in the order in which they were made.
    pub(super) fn after(&self, after: i64) -> Vec<Arc<RingKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.range(after.saturating_add(1)..).map(|(_, key)| key.clone()).collect()
    }

    /// The newest key for a scope, made if absent and durable on return.
    pub(super) async fn ensure(
        &self,
        db: &Database,
        kind: Kind,
        scope: &str,
        now: Timestamp,
    ) -> Result<Arc<RingKey>, Error> {
        if let Some(key) = self.find(kind, scope) {
            return Ok(key);
        }
        self.make(db, kind, scope, 1, now).await
    }

    /// Makes a version of a key, unless it exists. Keys are made one at a time, so that rows appear in their order.
    pub(super) async fn make(
        &self,
        db: &Database,
        kind: Kind,
        scope: &str,
        version: u32,
        now: Timestamp,
    ) -> Result<Arc<RingKey>, Error> {
        let _one_at_a_time = self.making.lock().await;
        if let Some(key) = self.find(kind, scope).filter(|key| key.version >= version) {
            return Ok(key);
        }
        let mut tx = match kind {
            Kind::Consumer => db.begin_for(&[Column("keyring", "scope").parse(scope)?]).await?,
            _ => db.begin().await?,
        };
        self.read_scope(&mut tx, kind, scope).await?;
        if let Some(key) = self.find(kind, scope).filter(|key| key.version >= version) {
            return Ok(key);
        }
        let bytes = aead::random_key();
        let wrapped = self.root.wrap(kind.name(), scope, version, &bytes);
        let insert =
            "INSERT INTO keyring (kind, scope, version, wrapped, made_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
        let id: i64 = query_scalar(insert)
            .bind(kind.name())
            .bind(scope)
            .bind(version)
            .bind(wrapped)
            .bind(now.as_millisecond())
            .fetch_one(&mut tx)
            .await?;
        tx.commit().await?;
        let key = ring_key(id, kind, scope.to_owned(), version, bytes);
        self.insert(key.clone());
        Ok(key)
    }

    /// Destroys all versions of a key.
    pub(super) async fn destroy(&self, db: &Database, kind: Kind, scope: &str) -> Result<(), Error> {
        let _one_at_a_time = self.making.lock().await;
        let mut tx = db.begin().await?;
        query("DELETE FROM keyring WHERE kind = $1 AND scope = $2")
            .bind(kind.name())
            .bind(scope)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        self.newest.write().unwrap_or_else(PoisonError::into_inner).remove(&(kind, scope.to_owned()));
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, key| key.kind != kind || key.scope != scope);
        Ok(())
    }

    fn unwrapped(&self, (id, kind, scope, version, wrapped): Row) -> Result<Arc<RingKey>, Error> {
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| Column("keyring", "kind").unreadable())?;
        let version = Column("keyring", "version").number(version)?;
        let bytes = self.root.unwrap_key(kind.name(), &scope, version, &wrapped)?;
        Ok(ring_key(id, kind, scope, version, bytes))
    }

    fn insert(&self, key: Arc<RingKey>) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.id, key.clone());
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let place = newest.entry((key.kind, key.scope.clone())).or_insert_with(|| key.clone());
        if place.version < key.version {
            *place = key;
        }
    }
}

fn ring_key(id: i64, kind: Kind, scope: String, version: u32, bytes: KeyBytes) -> Arc<RingKey> {
    let mac = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
    let cipher = Cipher::new(&bytes);
    Arc::new(RingKey { id, kind, scope, version, bytes, mac, cipher, usage: Usage::default() })
}
