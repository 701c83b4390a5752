//! Events in pages, behind the state of imports.

use serde_json::Value;
use serde_json::json;

use super::Asker;
use super::TODAY;
use crate::simulate::datafordeler::Fault;

#[tokio::test]
async fn notices_wait_for_the_next_package_and_rows_do_not() {
    let asker = Asker::new().await;
    let id = asker.settled();
    assert_eq!(asker.register.load(), 301);
    let before = asker.all_events().await.len();
    asker.register.move_to(&id, "0101", TODAY).unwrap();
    assert_eq!(asker.all_events().await.len(), before);
    let shown = asker.person(&id, "adresseoplysninger { status cprAdresse { cprkommunekode } }").await;
    assert_eq!(shown["adresseoplysninger"][1]["cprAdresse"]["cprkommunekode"], "0101");
    assert_eq!(asker.register.load(), 302);
    let events = asker.all_events().await;
    let told: Vec<_> = events[before..].iter().map(|event| event["entityname"].as_str().unwrap()).collect();
    assert_eq!(told, ["CprAdresse", "Cprhaendelse"]);
    let last = events.last().unwrap();
    assert_eq!(last["object_id"], json!(id));
    assert_eq!(last["datafordelerRegisterImportSequenceNumber"], 302);
    assert_eq!(
        (&last["object_kommunekodetidligere"], &last["object_kommunekodenuvaerende"]),
        (&json!("0851"), &json!("0101"))
    );
    assert_eq!(asker.last_sequence().await, 302);
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor_and_filter() {
    let asker = Asker::with(|options| options.people = 7).await;
    let ids = |page: &Value| -> Vec<i64> {
        page["nodes"].as_array().unwrap().iter().map(|node| node["eventid"].as_i64().unwrap()).collect()
    };
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let query = "query($after: String) { CPR_Events(first: 3, after: $after,
            where: { entityname: { eq: \"Cprhaendelse\" }, and: [{ eventid: { ngt: 1000 } }] })
            { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { eventid } } }";
        let answer = asker.query("/CPR/v1", query, json!({ "after": after })).await;
        let page = &answer["data"]["CPR_Events"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], false);
        seen.extend(ids(page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted() && seen.windows(2).any(|pair| pair[1] - pair[0] > 1), "{seen:?}");
    let query =
        format!("{{ CPR_Events(first: 1, where: {{ eventid: {{ gt: {} }} }}) {{ nodes {{ eventid }} }} }}", seen[3]);
    assert_eq!(asker.events(&query).await["data"]["CPR_Events"]["nodes"][0]["eventid"], seen[3] + 1);
    let query = format!("{{ CPR_Events(where: {{ eventid: {{ gte: {} }} }}) {{ nodes {{ eventid }} }} }}", seen[6]);
    assert_eq!(asker.events(&query).await["data"]["CPR_Events"]["nodes"], json!([{ "eventid": seen[6] }]));
}

#[tokio::test]
async fn an_unfinished_a_failed_and_a_lost_package_look_as_documented() {
    let asker = Asker::new().await;
    let id = asker.settled();
    assert_eq!(asker.register.load_events_only(), 301);
    let first = asker.all_events().await.len();
    assert_eq!(asker.last_sequence().await, 300);
    assert_eq!(asker.register.fail_import(), first);
    assert!(asker.all_events().await.iter().all(|event| event["fromfailedimport"] == true));
    assert_eq!(asker.register.load(), 301);
    let events = asker.all_events().await;
    assert_eq!(events.len(), 2 * first);
    assert!(events[first..].iter().all(|event| event["fromfailedimport"] == false));
    asker.register.move_within(&id, TODAY).unwrap();
    assert_eq!(asker.register.lose_import(), 302);
    assert_eq!((asker.all_events().await.len(), asker.last_sequence().await), (2 * first, 302));
    asker.register.pretend_last_sequence(299);
    assert_eq!(asker.last_sequence().await, 299);
}

#[tokio::test]
async fn faults_of_content_change_pages_and_persons() {
    let asker = Asker::new().await;
    let id = asker.settled();
    asker.register.load();
    let right = asker.all_events().await;
    asker.register.faults().set(Fault::Duplicate);
    assert!(asker.all_events().await.len() > right.len());
    asker.register.faults().clear();
    asker.register.faults().set(Fault::UnknownField);
    let shown = asker.person(&id, "civilstande { civilstandstype }").await;
    assert!(shown["nytFelt"].is_object());
    assert_eq!(shown["civilstande"][0]["civilstandstype"], "endnu_ukendt");
    asker.register.faults().clear();
    asker.register.faults().set(Fault::DropMandatory { member: "beskyttelser".to_owned() });
    assert_eq!(asker.person(&id, "status").await.get("beskyttelser"), None);
}

#[tokio::test]
async fn a_package_of_thousands_is_read_by_pages() {
    let asker = Asker::with(|options| options.people = 2000).await;
    let query = "{ CPR_Events(where: { entityname: { eq: \"Cprhaendelse\" } }) { pageInfo { hasNextPage } nodes { eventid } } }";
    let answer = asker.events(query).await;
    assert_eq!(answer["data"]["CPR_Events"]["nodes"].as_array().unwrap().len(), 1000);
    assert_eq!(answer["data"]["CPR_Events"]["pageInfo"]["hasNextPage"], true);
}
