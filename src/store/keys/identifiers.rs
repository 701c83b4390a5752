//! Identifiers: which record a PersonID or CPR number means, kept as keyed references only.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::ring::{Kind, RingKey};
use super::{Ensured, Identity, Keys, Realm};
use crate::domain::identifier::{CprNumber, PersonId};
use crate::domain::pairwise::RecordId;
use crate::domain::resource::Environment;
use crate::store::database::Dialect;
use crate::store::rows::{Column, Hex16, batch};
use crate::store::seal::PersonKey;
use crate::store::sql::{Arg, query, query_gathered, query_scalar};
use crate::store::{Conn, Error, aead};

/// The kinds as they stand in the tables.
pub(super) const PERSON_ID: &str = "PersonId";
pub(super) const NUMBER: &str = "Number";

/// Where a sought identifier stood in its batch.
const POSITION: Column = Column("identifier", "position");

/// Bytes of a reference.
pub(super) const REFERENCE: usize = 16;

/// An identifier's kind and reference.
type Reference = (&'static str, [u8; REFERENCE]);

impl Keys {
    /// The records of PersonIDs, in their order; none where we know nobody by it.
    pub async fn find(&self, realm: &Realm, ids: &[PersonId]) -> Result<Vec<Option<RecordId>>, Error> {
        let lookup = self.ring.get(Kind::Lookup, "")?;
        let sought: Vec<Reference> = ids.iter().map(|id| reference(&lookup, realm, PERSON_ID, &id.expose())).collect();
        let found = known(&mut *self.db.read().await?, &lookup, realm, &sought).await?;
        Ok(sought.iter().map(|reference| found.get(reference).copied()).collect())
    }

    /// The records of CPR numbers, of those that lead to one.
    pub async fn find_numbers(
        &self,
        realm: &Realm,
        numbers: &[CprNumber],
    ) -> Result<HashMap<CprNumber, RecordId>, Error> {
        if numbers.is_empty() {
            return Ok(HashMap::new());
        }
        let lookup = self.ring.get(Kind::Lookup, "")?;
        let of = |number: &CprNumber| reference(&lookup, realm, NUMBER, number.expose());
        let sought: Vec<Reference> = numbers.iter().map(of).collect();
        let found = known(&mut *self.db.read().await?, &lookup, realm, &sought).await?;
        let led = numbers.iter().zip(&sought);
        Ok(led.filter_map(|(number, by)| Some((number.clone(), *found.get(by)?))).collect())
    }

    /// Lets PersonIDs and numbers lead to nobody any more, until a person is made or known by them anew.
    pub async fn release_identifiers(
        &self,
        realm: &Realm,
        ids: &[PersonId],
        numbers: &[CprNumber],
    ) -> Result<(), Error> {
        let lookup = self.ring.get(Kind::Lookup, "")?;
        let ids = ids.iter().map(|id| reference(&lookup, realm, PERSON_ID, &id.expose()));
        let numbers = numbers.iter().map(|number| reference(&lookup, realm, NUMBER, number.expose()));
        let list: Vec<_> = ids.chain(numbers).map(|(kind, bytes)| (kind, hex::encode(bytes))).collect();
        if list.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        query(
            "DELETE FROM identifier WHERE authority = $1 AND environment = $2 AND key_version = $3
             AND (kind, reference) IN (SELECT value ->> 0, unhex(value ->> 1) FROM json_each($4))",
        )
        .bind(&realm.authority)
        .bind(environment(realm.environment))
        .bind(lookup.version)
        .bind(batch("identifier", &list)?)
        .execute(&mut tx)
        .await?;
        tx.commit().await
    }

    /// The record and key of each person, made if absent and durable on return, in their order. A person is known by their
    /// PersonID, else by any of their numbers; identifiers that are new are added to the same record. Identifiers that point
    /// to another record already are left as they are.
    pub async fn ensure_persons(
        &self,
        realm: &Realm,
        persons: &[Identity],
        now: Timestamp,
    ) -> Result<Vec<Ensured>, Error> {
        let lookup = self.ring.get(Kind::Lookup, "")?;
        let sought = persons.iter().map(|person| references(&lookup, realm, person)).collect();
        self.ensure(realm, &lookup, sought, now).await
    }

    /// As [`Keys::ensure_persons`], for persons of whom nothing but a number is known.
    pub async fn ensure_numbers(
        &self,
        realm: &Realm,
        numbers: &[CprNumber],
        now: Timestamp,
    ) -> Result<Vec<Ensured>, Error> {
        let lookup = self.ring.get(Kind::Lookup, "")?;
        let sought = numbers.iter().map(|number| vec![reference(&lookup, realm, NUMBER, number.expose())]).collect();
        self.ensure(realm, &lookup, sought, now).await
    }

    /// Of these records those that are known by numbers and by nothing else.
    pub async fn known_by_number_only(&self, records: &[RecordId]) -> Result<HashSet<RecordId>, Error> {
        if records.is_empty() {
            return Ok(HashSet::new());
        }
        let rows: Vec<Vec<u8>> = query_scalar(
            "SELECT j.record FROM records($1) j
             WHERE NOT EXISTS (SELECT 1 FROM identifier i WHERE i.record = j.record AND i.kind <> 'Number')",
        )
        .bind(records)
        .fetch_all(&mut *self.db.read().await?)
        .await?;
        rows.iter().map(|bytes| Column("identifier", "record").record(bytes)).collect()
    }

    async fn ensure(
        &self,
        realm: &Realm,
        lookup: &RingKey,
        sought: Vec<Vec<Reference>>,
        now: Timestamp,
    ) -> Result<Vec<Ensured>, Error> {
        let forgettings = self.cache.forgettings();
        let mut tx = self.db.begin().await?;
        let found = known(&mut tx, lookup, realm, &sought.concat()).await?;
        let plan = plan(&sought, found);
        let made = self.insert_persons(&mut tx, &plan.made, now).await?;
        insert_identifiers(&mut tx, lookup, realm, &plan.added).await?;
        let known: Vec<RecordId> = plan.records.iter().copied().filter(|r| !plan.made.contains(r)).collect();
        let mut keys = self.read_sought(&mut tx, &known, now).await?;
        let lease = self.leases.take(plan.records.clone());
        tx.commit().await?;
        self.cache.put(made.iter().chain(keys.values()).cloned(), forgettings);
        keys.extend(made.into_iter().map(|key| (key.record, key)));
        let ensured = |record: &RecordId| Ensured {
            record: *record,
            key: keys.get(record).expect("an identifier's record has a key: a foreign key says so").clone(),
            _lease: lease.clone(),
        };
        Ok(plan.records.iter().map(ensured).collect())
    }

    /// Keys of known persons, with the time when they were last sought brought up to date.
    async fn read_sought(
        &self,
        conn: &mut Conn,
        records: &[RecordId],
        now: Timestamp,
    ) -> Result<HashMap<RecordId, PersonKey>, Error> {
        let (keys, unsought) = self.read_with_sought(&mut *conn, records, now).await?;
        self.mark_sought(conn, &unsought, now).await?;
        Ok(keys)
    }
}

/// What is to be written for a batch of persons.
struct Plan {
    /// Each person's record.
    records: Vec<RecordId>,
    /// Records that are new.
    made: HashSet<RecordId>,
    /// Identifiers that are new.
    added: Vec<(Reference, RecordId)>,
}

/// Gives each person a record: that of the PersonID, else that of the first number known, else a new one.
fn plan(sought: &[Vec<Reference>], mut known: HashMap<Reference, RecordId>) -> Plan {
    let mut plan = Plan { records: Vec::with_capacity(sought.len()), made: HashSet::new(), added: Vec::new() };
    for references in sought {
        let record = references.iter().find_map(|reference| known.get(reference).copied()).unwrap_or_else(|| {
            let record = RecordId::random();
            plan.made.insert(record);
            record
        });
        for reference in references {
            known.entry(*reference).or_insert_with(|| {
                plan.added.push((*reference, record));
                record
            });
        }
        plan.records.push(record);
    }
    plan
}

/// A person's references, the PersonID's first.
fn references(lookup: &RingKey, realm: &Realm, person: &Identity) -> Vec<Reference> {
    let id = reference(lookup, realm, PERSON_ID, &person.id.expose());
    let numbers = person.numbers.iter().map(|number| reference(lookup, realm, NUMBER, number.expose()));
    std::iter::once(id).chain(numbers).collect()
}

fn reference(lookup: &RingKey, realm: &Realm, kind: &'static str, value: &str) -> Reference {
    let text = aead::joined(&[
        b"cpr-operator/identifier/v1",
        &lookup.version.to_be_bytes(),
        realm.authority.as_bytes(),
        environment(realm.environment).as_bytes(),
        kind.as_bytes(),
        value.as_bytes(),
    ]);
    (kind, cut(&hmac::sign(&lookup.mac, &text)))
}

/// The first sixteen bytes of a MAC.
pub(super) fn cut(mac: &hmac::Tag) -> [u8; REFERENCE] {
    let mut bytes = [0; REFERENCE];
    bytes.copy_from_slice(&mac.as_ref()[..REFERENCE]);
    bytes
}

fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Test => "Test",
        Environment::Production => "Production",
    }
}

async fn known(
    conn: &mut Conn,
    lookup: &RingKey,
    realm: &Realm,
    sought: &[Reference],
) -> Result<HashMap<Reference, RecordId>, Error> {
    let (kinds, references) = match conn.dialect() {
        Dialect::Sqlite => {
            let list: Vec<_> = sought.iter().map(|(kind, bytes)| (kind, hex::encode(bytes))).collect();
            (Arg::from(batch("identifier", &list)?), Arg::Text(None))
        }
        Dialect::Postgres => (
            Arg::Texts(sought.iter().map(|(kind, _)| Some((*kind).into())).collect()),
            Arg::Blobs(sought.iter().map(|(_, bytes)| Some(bytes.to_vec())).collect()),
        ),
    };
    let rows: Vec<(i64, Hex16)> = query_gathered(
        "identifier",
        "SELECT json_group_array(json_array(j.key, hex(i.record))) FROM json_each($1) j CROSS JOIN identifier i
         WHERE i.authority = $2 AND i.environment = $3 AND i.kind = j.value ->> 0 AND i.key_version = $4
           AND i.reference = unhex(j.value ->> 1)",
        // One after the other, each by the whole of the index: while the server knows the table as empty, a join would walk over
        // all that the realm has, once for each that is sought.
        "SELECT j.key - 1, i.record
         FROM unnest($1::text[], $5::bytea[]) WITH ORDINALITY j (kind, reference, key) CROSS JOIN LATERAL (
             SELECT record FROM identifier
             WHERE authority = $2 AND environment = $3 AND kind = j.kind AND key_version = $4 AND reference = j.reference
             LIMIT 1) i",
    )
    .bind(kinds)
    .bind(&realm.authority)
    .bind(environment(realm.environment))
    .bind(lookup.version)
    .bind(references)
    .fetch_all(conn)
    .await?;
    let found = |(at, record): (i64, Hex16)| Ok((sought[POSITION.number::<usize>(at)?], RecordId(record.0)));
    rows.into_iter().map(found).collect()
}

async fn insert_identifiers(
    conn: &mut Conn,
    lookup: &RingKey,
    realm: &Realm,
    added: &[(Reference, RecordId)],
) -> Result<(), Error> {
    if added.is_empty() {
        return Ok(());
    }
    let list: Vec<_> =
        added.iter().map(|((kind, bytes), record)| (kind, hex::encode(bytes), hex::encode(record.0))).collect();
    query(
        "INSERT INTO identifier (kind, reference, record, authority, environment, key_version)
         SELECT value ->> 0, unhex(value ->> 1), unhex(value ->> 2), $1, $2, $3 FROM json_each($4)",
    )
    .bind(&realm.authority)
    .bind(environment(realm.environment))
    .bind(lookup.version)
    .bind(batch("identifier", &list)?)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(kind: &'static str, byte: u8) -> Reference {
        (kind, [byte; REFERENCE])
    }

    #[test]
    fn the_person_id_wins_and_nothing_is_pointed_elsewhere() {
        let (one, two) = (RecordId::random(), RecordId::random());
        let known = HashMap::from([(reference(PERSON_ID, 1), one), (reference(NUMBER, 2), two)]);
        let plan = plan(&[vec![reference(PERSON_ID, 1), reference(NUMBER, 2), reference(NUMBER, 3)]], known);
        assert_eq!(plan.records, [one]);
        assert!(plan.made.is_empty());
        assert_eq!(plan.added, [(reference(NUMBER, 3), one)]);
    }

    #[test]
    fn a_known_number_finds_the_record_of_a_new_person_id() {
        let one = RecordId::random();
        let known = HashMap::from([(reference(NUMBER, 2), one)]);
        let plan = plan(&[vec![reference(PERSON_ID, 1), reference(NUMBER, 3), reference(NUMBER, 2)]], known);
        assert_eq!(plan.records, [one]);
        assert_eq!(plan.added.len(), 2);
    }

    #[test]
    fn one_person_twice_in_a_batch_is_one_record() {
        let sought = [vec![reference(PERSON_ID, 1)], vec![reference(PERSON_ID, 1), reference(NUMBER, 2)]];
        let plan = plan(&sought, HashMap::new());
        assert_eq!(plan.records[0], plan.records[1]);
        assert_eq!((plan.made.len(), plan.added.len()), (1, 2));
    }
}
