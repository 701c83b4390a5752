//! What lies in the files themselves.

use cpr_operator::domain::person::{Name, Person, Row};
use cpr_operator::store::keys::Identity;
use cpr_operator::store::removal;
use cpr_operator::store::unread::Unread;
use cpr_operator::store::{Error, event, person, unread};

use super::site::{self, Site};

/// All bytes of all files of the store but the root key.
fn bytes(site: &Site) -> Vec<u8> {
    let files = std::fs::read_dir(site.folder.path()).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| !path.ends_with("keys.root")).flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn checkpoint(site: &Site) {
    assert!(site.store.main.truncate_wal().await.unwrap());
    assert!(site.store.keys.database().truncate_wal().await.unwrap());
}

#[tokio::test]
async fn no_canary_in_database_files() {
    let site = Site::new().await;
    let (source, consumer) = (site::source(&site.store, "s").await, site::consumer(&site.store, "c").await);
    let number = site::cpr(4711);
    let identity = Identity { id: site::person_id(4711), numbers: vec![number.clone()] };
    let known = site.store.keys.ensure_persons(&site::realm(), &[identity], site::noon()).await.unwrap().remove(0);
    let name = Name { first: Some("Kanarie".into()), last: Some("Fuglsang".into()), ..Name::default() };
    let content = Person { id: Some(site::person_id(4711)), names: vec![Row::current(name)], ..Person::default() };
    let mut row = site::row(&known, source, 4711);
    row.content = person::seal(&known.key, source, &content).unwrap();
    let record = row.record;
    site::write(&site.store, &[row]).await;
    let mut told = site::event(record, source, vec![site::route(consumer)]);
    let mut snapshot = site::snapshot(4711);
    snapshot.after = content;
    told.snapshot = Some(event::seal(&known.key, told.id, &snapshot).unwrap());
    site.store.keys.ensure_period(site::noon()).await.unwrap();
    told.audit = Some(site.store.keys.audit_references(&site::person_id(4711), Some(&number), site::noon()).unwrap());
    site::append(&site.store, &[told]).await;
    let unread_row = Unread::seal(&known.key, source, &site::person_id(4711), 1, 3, site::noon()).unwrap();
    let mut tx = site.store.main.begin().await.unwrap();
    unread::write(&mut tx, source, &[unread_row]).await.unwrap();
    tx.commit().await.unwrap();

    let before = bytes(&site);
    checkpoint(&site).await;
    let after = bytes(&site);
    assert!(contains(&after, &record.0), "the record itself is there, so the right files are looked at");
    let id = site::person_id(4711).expose();
    for canary in ["6101804711", "Kanarie", "Fuglsang", id.as_str(), &id.replace('-', "")] {
        for (place, bytes) in [("log", &before), ("files", &after)] {
            assert!(!contains(bytes, canary.as_bytes()), "{canary} lies in the {place}");
        }
    }
}

#[tokio::test]
async fn deleted_content_leaves_no_bytes() {
    let site = Site::new().await;
    let source = site::source(&site.store, "s").await;
    let mut records = Vec::new();
    let mut sealed = Vec::new();
    for number in 0..50 {
        let record = site::stored(&site.store, source, number).await;
        let mut conn = site.store.main.read().await.unwrap();
        let row = person::find(&mut conn, source, &[record]).await.unwrap().remove(&record).unwrap();
        sealed.push(row.content);
        records.push(record);
    }
    checkpoint(&site).await;
    let full = bytes(&site);
    assert!(sealed.iter().all(|content| contains(&full, &content[20..60])));
    let gone = &records[10..40];
    let mut tx = site.store.main.begin().await.unwrap();
    assert_eq!(person::mark_leaving(&mut tx, source, gone).await.unwrap().len(), 30);
    tx.commit().await.unwrap();
    assert_eq!(removal::run_once(&site.store).await.unwrap(), 30);
    checkpoint(&site).await;
    let left = bytes(&site);
    for (position, (record, content)) in records.iter().zip(&sealed).enumerate() {
        let kept = !(10..40).contains(&position);
        assert_eq!(contains(&left, &content[20..60]), kept, "content {position}");
        assert_eq!(contains(&left, &record.0), kept, "record {position}");
    }
}

#[tokio::test]
async fn sealed_content_is_bound_to_its_place() {
    let site = Site::new().await;
    let (one, two) = (site::source(&site.store, "one").await, site::source(&site.store, "two").await);
    let first = site::ensured(&site.store, 1).await;
    let second = site::ensured(&site.store, 2).await;
    site::write(&site.store, &[site::row(&first, one, 1), site::row(&first, two, 1), site::row(&second, one, 2)]).await;
    let mut tx = site.store.main.begin().await.unwrap();
    let exchange = "UPDATE person SET content = (SELECT content FROM person WHERE record = $1 AND source = $2)
                    WHERE record = $3 AND source = $4";
    for (to, source) in [(&first, two), (&second, one)] {
        let (from, to) = (first.record.0, to.record.0);
        cpr_operator::store::sql::query(exchange)
            .bind(&from[..])
            .bind(one)
            .bind(&to[..])
            .bind(source)
            .execute(&mut tx)
            .await
            .unwrap();
    }
    for (ensured, source, opens) in [(&first, one, true), (&first, two, false), (&second, one, false)] {
        let row = person::find(&mut tx, source, &[ensured.record]).await.unwrap().remove(&ensured.record).unwrap();
        let opened = row.open(&ensured.key);
        assert_eq!(opened.is_ok(), opens);
        assert!(opens || matches!(opened, Err(Error::Sealed { table: "person", column: "content" })));
    }
}
