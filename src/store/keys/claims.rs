//! Claims: which consumer may read which record. Access to a person's key is decided by them alone.

use std::collections::HashSet;

use jiff::Timestamp;

use super::Keys;
use super::ring::Kind;
use crate::domain::pairwise::{ConsumerKey, RecordId};
use crate::store::database::Dialect;
use crate::store::rows::{Column, Hex16, batch};
use crate::store::sql::{Arg, query, query_gathered, query_scalar};
use crate::store::{ConsumerId, Error};

const INSERT_SQLITE: &str = "INSERT INTO claim (record, consumer, made_at)
     SELECT unhex(value ->> 1), CAST(value ->> 0 AS BIGINT), $1 FROM json_each($2)
     WHERE EXISTS (SELECT 1 FROM person_key WHERE record = unhex(value ->> 1))
     ON CONFLICT DO NOTHING";
const INSERT_POSTGRES: &str = "INSERT INTO claim (record, consumer, made_at)
     SELECT c.record, c.consumer, $1 FROM unnest($2::bytea[], $3::bigint[]) c (record, consumer)
     CROSS JOIN LATERAL (SELECT 1 FROM person_key k WHERE k.record = c.record LIMIT 1) there
     ON CONFLICT DO NOTHING";

impl Keys {
    /// Inserts claims that are absent, durable on return. Records without a key get none.
    pub async fn ensure_claims(&self, claims: &[(ConsumerId, RecordId)], now: Timestamp) -> Result<(), Error> {
        if claims.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let insert = match tx.dialect() {
            Dialect::Sqlite => query(INSERT_SQLITE).bind(now.as_millisecond()).bind(pairs(claims)?),
            Dialect::Postgres => query(INSERT_POSTGRES)
                .bind(now.as_millisecond())
                .bind(Arg::Blobs(claims.iter().map(|(_, record)| Some(record.0.to_vec())).collect()))
                .bind(Arg::Ints(claims.iter().map(|(consumer, _)| Some(*consumer)).collect())),
        };
        insert.execute(&mut tx).await?;
        tx.commit().await
    }

    /// Which of the records the consumer has a claim on.
    pub async fn claimed(&self, consumer: ConsumerId, records: &[RecordId]) -> Result<HashSet<RecordId>, Error> {
        let rows: Vec<(Hex16,)> = query_gathered(
            "claim",
            "SELECT json_group_array(json_array(hex(record))) FROM claim WHERE record IN records($1) AND consumer = $2",
            "SELECT record FROM claim WHERE record = ANY($1) AND consumer = $2",
        )
        .bind(records)
        .bind(consumer)
        .fetch_all(&mut *self.db.read_for(&[consumer]).await?)
        .await?;
        Ok(rows.into_iter().map(|(record,)| RecordId(record.0)).collect())
    }

    /// The record that a consumer knows by this reference; none where it has no claim on such a person. A reference cannot be
    /// turned back, so the consumer's claims are gone through, a thousand at a time.
    pub async fn find_reference(&self, consumer: ConsumerId, reference: &str) -> Result<Option<RecordId>, Error> {
        let Some(key) = self.ring.find(Kind::Consumer, &consumer.to_string()) else { return Ok(None) };
        let key = ConsumerKey::new(key.bytes.as_slice());
        let mut after: Option<RecordId> = None;
        loop {
            let page = self.claims_after(consumer, after).await?;
            if let Some(found) = page.iter().find(|record| key.reference(**record) == reference) {
                return Ok(Some(*found));
            }
            after = page.last().copied();
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    async fn claims_after(&self, consumer: ConsumerId, after: Option<RecordId>) -> Result<Vec<RecordId>, Error> {
        let rows: Vec<Vec<u8>> =
            query_scalar("SELECT record FROM claim WHERE consumer = $1 AND record > $2 ORDER BY record LIMIT 1000")
                .bind(consumer)
                .bind(after.map(|record| record.0.to_vec()).unwrap_or_default())
                .fetch_all(&mut *self.db.read().await?)
                .await?;
        rows.iter().map(|record| Column("claim", "record").record(record)).collect()
    }

    /// Deletes claims.
    pub async fn release_claims(&self, claims: &[(ConsumerId, RecordId)]) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        query(
            "DELETE FROM claim WHERE (record, consumer) IN (SELECT unhex(value ->> 1), CAST(value ->> 0 AS BIGINT) FROM json_each($1))",
        )
        .bind(pairs(claims)?)
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// Deletes all claims of a consumer, a thousand in a transaction.
    pub(super) async fn release_all_claims(&self, consumer: ConsumerId) -> Result<(), Error> {
        loop {
            let mut tx = self.db.begin().await?;
            let deleted = query(
                "DELETE FROM claim
                 WHERE (record, consumer) IN (SELECT record, consumer FROM claim WHERE consumer = $1 LIMIT 1000)",
            )
            .bind(consumer)
            .execute(&mut tx)
            .await?;
            tx.commit().await?;
            if deleted == 0 {
                return Ok(());
            }
        }
    }
}

fn pairs(claims: &[(ConsumerId, RecordId)]) -> Result<String, Error> {
    let rows: Vec<_> = claims.iter().map(|(consumer, record)| (consumer, hex::encode(record.0))).collect();
    batch("claim", &rows)
}
