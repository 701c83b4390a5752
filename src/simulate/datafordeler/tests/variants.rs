//! The other ways in which open names may have turned out, as schema and as answers.

use async_graphql::parser::parse_schema;
use serde_json::Value;
use serde_json::json;

use super::Asker;
use crate::simulate::datafordeler::Names;

async fn schemas(asker: &Asker) -> String {
    let mut all = String::new();
    for path in ["/CPR/v1/schema", "/CPR/custom/PublicSector/v2/schema"] {
        let sdl = String::from_utf8(asker.get(path, true).await.into_body()).unwrap();
        parse_schema(&sdl).unwrap();
        all.push_str(&sdl);
    }
    all
}

#[tokio::test]
async fn schemas_show_what_is_offered_and_nothing_else() {
    for (names, shown, hidden) in [
        (
            Names::Documented,
            vec!["fornavne:", "id: DafUuidOperationFilterInput", "notater:"],
            vec!["fornavn:", "first: Int, after: String): CPRCustom"],
        ),
        (Names::Other, vec!["fornavn:", "personid: CPRCustom_EqualsInput"], vec!["fornavne:"]),
        (Names::WithoutPersonId, vec!["personnummer: CPRCustom"], vec!["CPRCustom_PublicSectorPersonIdInput"]),
        (Names::Fewer, vec!["fornavne:"], vec!["notater:", "kommunaleForhold:", "CPRCustom_PublicSectorNotat"]),
    ] {
        let asker = Asker::speaking(names).await;
        let sdl = schemas(&asker).await;
        for text in shown {
            assert!(sdl.contains(text), "{names:?} {text}\n{sdl}");
        }
        for text in hidden {
            assert!(!sdl.contains(text), "{names:?} {text}\n{sdl}");
        }
    }
}

#[tokio::test]
async fn other_names_answer_in_their_own_form() {
    let asker = Asker::speaking(Names::Other).await;
    let ids = [asker.settled(), asker.settled()];
    let query =
        "query($id: String) { CPRCustom_PublicSectorPerson(input: { person: { personid: { eq: $id } } }) { nodes {
        beskyttelser { status } navne { fornavn status } kontaktadresse { adresselinie1 }
        adresseoplysninger { cprAdresse { cprkommunekode } } } } }";
    let answer = asker.persons(query, json!({ "id": ids[0] })).await;
    let node = &answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"][0];
    assert_eq!(node["navne"][0]["status"], "Aktuel", "{answer}");
    assert!(node["navne"][0]["fornavn"].is_string());
    assert_eq!(node["adresseoplysninger"][0]["cprAdresse"]["cprkommunekode"], "851");
    assert_eq!(node["kontaktadresse"], Value::Null);
    asker.register.set_contact_address(&ids[0], super::TODAY, None).unwrap();
    let answer = asker.persons(query, json!({ "id": ids[0] })).await;
    let contact = &answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"][0]["kontaktadresse"];
    assert_eq!(contact["adresselinie1"], "Postboks 0");
    let query = "query($after: String) { CPRCustom_PublicSectorPerson(first: 1, after: $after,
        input: { cprAdresse: { cprkommunekode: { eq: \"851\" } } })
        { pageInfo { hasNextPage endCursor } nodes { id beskyttelser { status } } } }";
    let (mut found, mut after) = (Vec::new(), Value::Null);
    for more in [true, false] {
        let answer = asker.persons(query, json!({ "after": after })).await;
        let page = &answer["data"]["CPRCustom_PublicSectorPerson"];
        assert_eq!(page["pageInfo"]["hasNextPage"], more, "{answer}");
        after = page["pageInfo"]["endCursor"].clone();
        found.push(page["nodes"][0]["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.iter().all(|id| found.contains(id)));
}

#[tokio::test]
async fn a_filter_or_field_that_is_not_offered_is_refused() {
    let asker = Asker::speaking(Names::WithoutPersonId).await;
    let query = "{ CPRCustom_PublicSectorPerson(input: { person: { id: { eq: \"x\" } } }) { nodes { beskyttelser { status } } } }";
    assert!(asker.persons(query, Value::Null).await["errors"].is_array());
    let asker = Asker::speaking(Names::Fewer).await;
    let query = "{ CPRCustom_PublicSectorPerson(input: { personnummer: { personnummer: { eq: \"x\" } } })
        { nodes { beskyttelser { status } notater { notatlinie } } } }";
    let answer = asker.persons(query, Value::Null).await;
    assert_eq!(answer["data"], json!({ "CPRCustom_PublicSectorPerson": null }));
    let query = query.replace("notater { notatlinie }", "");
    assert_eq!(asker.persons(&query, Value::Null).await["errors"], Value::Null);
}
