//! Persons' own keys: made, read, forgotten.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::Keys;
use super::ring::{Kind, RingKey};
use crate::domain::pairwise::RecordId;
use crate::store::rows::{Column, Hex, Hex16, batch};
use crate::store::seal::PersonKey;
use crate::store::sql::{query, query_as, query_gathered, query_scalar};
use crate::store::{Conn, ConsumerId, Error, aead};

/// Version of persons' keys; one until rotation comes.
const VERSION: u32 = 1;

/// How exactly is kept when a key was last sought.
const SOUGHT: SignedDuration = SignedDuration::from_hours(1);

/// Record, wrapped key, row of the key that wrapped it, version.
pub(super) type Row = (Hex16, Hex, i64, i64);

impl Keys {
    /// The keys of records; a record without a key is erased and absent from the answer.
    pub async fn person_keys(&self, records: &[RecordId]) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let forgettings = self.cache.forgettings();
        let (mut keys, missing) = self.cached(records);
        if !missing.is_empty() {
            let read = self.read_person_keys(&mut *self.db.read().await?, &missing).await?;
            self.cache.put(read.values().cloned(), forgettings);
            keys.extend(read);
        }
        Ok(keys)
    }

    /// The keys of records on which the consumer has a claim.
    pub async fn person_keys_for(
        &self,
        consumer: ConsumerId,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let forgettings = self.cache.forgettings();
        let (mut keys, missing) = self.cached(records);
        if missing.is_empty() {
            let claimed = self.claimed(consumer, records).await?;
            keys.retain(|record, _| claimed.contains(record));
            return Ok(keys);
        }
        // One journey to the database for claims and keys: wrapped ones come of those too that are at hand.
        let rows = self.read_claimed_rows(consumer, records).await?;
        let (mut claimed, mut read) = (HashMap::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let record = RecordId(row.0.0);
            let key = match keys.remove(&record) {
                Some(key) => key,
                None => {
                    let key = self.unwrapped(row)?;
                    read.push(key.clone());
                    key
                }
            };
            claimed.insert(record, key);
        }
        self.cache.put(read, forgettings);
        Ok(claimed)
    }

    /// Keys that are at hand, and the records of those that are not.
    fn cached(&self, records: &[RecordId]) -> (HashMap<RecordId, PersonKey>, Vec<RecordId>) {
        let mut keys = HashMap::with_capacity(records.len());
        let mut missing = Vec::new();
        for record in records {
            match self.cache.get(*record) {
                Some(key) => drop(keys.insert(*record, key)),
                None => missing.push(*record),
            }
        }
        (keys, missing)
    }

    async fn read_claimed_rows(&self, consumer: ConsumerId, records: &[RecordId]) -> Result<Vec<Row>, Error> {
        query_gathered(
            "person_key",
            "SELECT json_group_array(json_array(hex(k.record), hex(wrapped), wrapped_by, version))
             FROM claim c CROSS JOIN person_key k ON k.record = c.record
             WHERE c.record IN records($2) AND c.consumer = $1",
            "SELECT record, wrapped, wrapped_by, version FROM claimed_keys($1, $2)",
        )
        .bind(consumer)
        .bind(records)
        .fetch_all(&mut *self.db.read_for(&[consumer]).await?)
        .await
    }

    /// Deletes persons with their identifiers and claims, so that nothing of theirs can be read again; but for those that
    /// somebody here is about to write about ([`super::Ensured`]). The records that have no key now.
    pub async fn forget_persons(&self, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
        self.forget_while(records, async || Ok(())).await
    }

    /// The same, unless it turns out before it is durable that what it rests on does not hold any more.
    pub(in crate::store) async fn forget_while(
        &self,
        records: &[RecordId],
        holds: impl AsyncFnOnce() -> Result<(), Error>,
    ) -> Result<Vec<RecordId>, Error> {
        let mut tx = self.db.begin().await?;
        let free = self.leases.free(records);
        query("DELETE FROM person_key WHERE record IN records($1)").bind(&free[..]).execute(&mut tx).await?;
        self.cache.forget(&free);
        holds().await?;
        tx.commit().await?;
        self.cache.forget(&free);
        Ok(free)
    }

    /// Whether all of these records have their keys still: another process may have deleted some since they were sought here.
    /// Ask within the main transaction that is to write about them, before it writes.
    pub async fn are_there(&self, records: &[RecordId]) -> Result<bool, Error> {
        let gone = if records.is_empty() { Vec::new() } else { self.without_key(records).await? };
        if !gone.is_empty() {
            self.cache.forget(&gone);
        }
        Ok(gone.is_empty())
    }

    /// Of these records those that have no key.
    pub async fn without_key(&self, records: &[RecordId]) -> Result<Vec<RecordId>, Error> {
        let rows: Vec<Vec<u8>> = query_scalar(
            "SELECT j.record FROM records($1) j
             WHERE NOT EXISTS (SELECT 1 FROM person_key k WHERE k.record = j.record)",
        )
        .bind(records)
        .fetch_all(&mut *self.db.read().await?)
        .await?;
        rows.iter().map(|bytes| Column("person_key", "record").record(bytes)).collect()
    }

    /// Records above `after` whose key nobody has sought since `before`, in order, at most `limit` read; and the record up to
    /// which was read, none at the end.
    pub async fn unsought(
        &self,
        after: Option<RecordId>,
        before: Timestamp,
        limit: u32,
    ) -> Result<(Vec<RecordId>, Option<RecordId>), Error> {
        let rows: Vec<(Vec<u8>, bool)> =
            query_as("SELECT record, sought_at < $1 FROM person_key WHERE record > $2 ORDER BY record LIMIT $3")
                .bind(before.as_millisecond())
                .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
                .bind(limit)
                .fetch_all(&mut *self.db.read().await?)
                .await?;
        let column = Column("person_key", "record");
        let last = rows.last().map(|(record, _)| column.record(record)).transpose()?;
        let unsought = rows.iter().filter(|(_, unsought)| *unsought).map(|(record, _)| column.record(record));
        Ok((unsought.collect::<Result<_, _>>()?, last))
    }

    /// Deletes those of the records whose key nobody has sought since `before`. How many.
    pub async fn forget_unsought(&self, records: &[RecordId], before: Timestamp) -> Result<u64, Error> {
        let mut tx = self.db.begin().await?;
        let free = self.leases.free(records);
        let deleted = query("DELETE FROM person_key WHERE record IN records($1) AND sought_at < $2")
            .bind(&free[..])
            .bind(before.as_millisecond())
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        self.cache.forget(&free);
        Ok(deleted)
    }

    /// Makes and inserts keys for new records.
    pub(super) async fn insert_persons(
        &self,
        conn: &mut Conn,
        records: &HashSet<RecordId>,
        now: Timestamp,
    ) -> Result<Vec<PersonKey>, Error> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let data = self.ring.get(Kind::Data, "")?;
        let keys: Vec<_> = records.iter().map(|r| PersonKey::new(*r, VERSION, aead::random_key())).collect();
        let rows: Vec<_> = keys.iter().map(|key| (hex::encode(key.record.0), hex::encode(wrap(&data, key)))).collect();
        query(
            "INSERT INTO person_key (record, wrapped, wrapped_by, version, made_at, sought_at)
             SELECT unhex(value ->> 0), unhex(value ->> 1), $1, $2, $3, $4 FROM json_each($5)",
        )
        .bind(data.id)
        .bind(VERSION)
        .bind(now.as_millisecond())
        .bind(now.as_millisecond())
        .bind(batch("person_key", &rows)?)
        .execute(conn)
        .await?;
        Ok(keys)
    }

    /// Reads keys past the cache, and which of them nobody has sought within the last hour.
    pub(super) async fn read_with_sought(
        &self,
        conn: &mut Conn,
        records: &[RecordId],
        now: Timestamp,
    ) -> Result<(HashMap<RecordId, PersonKey>, Vec<RecordId>), Error> {
        let rows: Vec<(Hex16, Hex, i64, i64, i64)> = query_gathered(
            "person_key",
            "SELECT json_group_array(json_array(hex(record), hex(wrapped), wrapped_by, version, sought_at))
             FROM person_key WHERE record IN records($1)",
            "SELECT record, wrapped, wrapped_by, version, sought_at FROM person_key WHERE record = ANY($1)",
        )
        .bind(records)
        .fetch_all(conn)
        .await?;
        let (mut keys, mut unsought) = (HashMap::with_capacity(rows.len()), Vec::new());
        for (record, wrapped, by, version, sought_at) in rows {
            let key = self.unwrapped((record, wrapped, by, version))?;
            if sought_at <= (now - SOUGHT).as_millisecond() {
                unsought.push(key.record);
            }
            keys.insert(key.record, key);
        }
        Ok((keys, unsought))
    }

    /// Remembers that keys were sought.
    pub(super) async fn mark_sought(&self, conn: &mut Conn, records: &[RecordId], now: Timestamp) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        query("UPDATE person_key SET sought_at = $1 WHERE record IN records($2)")
            .bind(now.as_millisecond())
            .bind(records)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Reads keys past the cache.
    pub(super) async fn read_person_keys(
        &self,
        conn: &mut Conn,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let rows: Vec<Row> = query_gathered(
            "person_key",
            "SELECT json_group_array(json_array(hex(record), hex(wrapped), wrapped_by, version)) FROM person_key
             WHERE record IN records($1)",
            "SELECT record, wrapped, wrapped_by, version FROM person_key WHERE record = ANY($1)",
        )
        .bind(records)
        .fetch_all(conn)
        .await?;
        rows.into_iter().map(|row| self.unwrapped(row).map(|key| (key.record, key))).collect()
    }

    fn unwrapped(&self, (record, wrapped, wrapped_by, version): Row) -> Result<PersonKey, Error> {
        let record = RecordId(record.0);
        let version = Column("person_key", "version").number(version)?;
        let refused = || Error::Sealed { table: "person_key", column: "wrapped" };
        let data = self.ring.by_id(wrapped_by).ok_or_else(refused)?;
        let bytes = aead::open(&data.bytes, &place(record, version, &data), &wrapped.0).ok_or_else(refused)?;
        let bytes = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| refused())?);
        Ok(PersonKey::new(record, version, bytes))
    }
}

fn wrap(data: &RingKey, key: &PersonKey) -> Vec<u8> {
    aead::seal(&data.bytes, &place(key.record, key.version, data), b"", key.bytes())
}

fn place(record: RecordId, version: u32, data: &RingKey) -> Vec<u8> {
    aead::joined(&[b"cpr-operator/person-key/v1", &record.0, &version.to_be_bytes(), &data.version.to_be_bytes()])
}
