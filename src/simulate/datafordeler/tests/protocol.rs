//! The rules of queries, each with one that is refused and one that is accepted.

use serde_json::Value;
use serde_json::json;

use super::Asker;
use super::code;

const PEOPLE: &str = "query($ids: [UUID]) { CPRCustom_PublicSectorPerson(input: { person: { id: { in: $ids } } })
    { nodes { id beskyttelser { status } } } }";

#[tokio::test]
async fn refused_queries_say_which_rule() {
    let asker = Asker::new().await;
    let two = "{ DAF_RegisterImportStatus { lastEventId } CPR_Events { nodes { eventid } } }";
    let fragment = "{ ...all } fragment all on Query { DAF_RegisterImportStatus { lastEventId } CPR_Events { nodes { eventid } } }";
    for (query, expected) in [
        (two, "DAF-GQL-0010"),
        (fragment, "DAF-GQL-0010"),
        ("{ s: DAF_RegisterImportStatus { lastEventId } }", "DAF-GQL-0008"),
        ("{ DAF_RegisterImportStatus { last: lastEventId } }", "DAF-GQL-0008"),
        ("{ __schema { types { name } } }", "HC0046"),
        ("{ __type(name: \"Query\") { name } }", "HC0046"),
        ("{ CPR_Events(first: 1001) { nodes { eventid } } }", "HC0051"),
        ("{ CPR_Events(", "HC0011"),
        ("subscription { CPR_Events { eventid } }", "HC0013"),
    ] {
        let answer = asker.events(query).await;
        assert_eq!(code(&answer), expected, "{answer}");
        let trace = answer["errors"][0]["extensions"]["traceId"].as_str().unwrap();
        assert_eq!((trace.len(), trace.split('-').count()), (55, 4));
    }
    let introspection = asker.events("{ __schema { types { name } } }").await;
    assert_eq!(introspection["errors"][0]["extensions"]["field"], "__schema");
    let unknown = asker.events("{ CPR_Events { nodes { nothing } } }").await;
    assert_eq!((unknown["errors"].is_array(), &unknown["data"]), (true, &json!({ "CPR_Events": null })));
}

#[tokio::test]
async fn accepted_queries_use_names_variables_fragments_and_typename() {
    let asker = Asker::new().await;
    let answer = asker.events("query Status { DAF_RegisterImportStatus { __typename lastSequenceNumber } }").await;
    assert_eq!(answer["data"]["DAF_RegisterImportStatus"]["lastSequenceNumber"], 300);
    let query = "query($since: Long!, $first: Int!, $after: String) { CPR_Events(first: $first, after: $after,
        where: { entityname: { eq: \"Cprhaendelse\" }, eventid: { gt: $since } }) {
            pageInfo { ...page } nodes { eventid } edges { cursor node { eventid } } } }
        fragment page on PageInfo { hasNextPage endCursor }";
    let answer = asker.query("/CPR/v1", query, json!({ "since": 0, "first": 1000, "after": null })).await;
    assert_eq!(answer["data"]["CPR_Events"]["nodes"], json!([]), "{answer}");
}

#[tokio::test]
async fn lists_hold_a_hundred_and_no_more() {
    let asker = Asker::new().await;
    let ids =
        |count: usize| -> Vec<Value> { (0..count).map(|_| json!("0191d5a0-0000-4000-8000-000000000000")).collect() };
    let answer = asker.persons(PEOPLE, json!({ "ids": ids(100) })).await;
    assert_eq!(answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"], json!([]), "{answer}");
    let answer = asker.persons(PEOPLE, json!({ "ids": ids(101) })).await;
    assert_eq!(code(&answer), "DAF-GQL-0016");
    assert_eq!(answer["data"], json!({ "CPRCustom_PublicSectorPerson": null }));
    let literal = format!("{:?}", vec!["1"; 101]);
    let query = format!("{{ CPR_Events(where: {{ entityname: {{ in: {literal} }} }}) {{ nodes {{ eventid }} }} }}");
    assert_eq!(code(&asker.events(&query).await), "DAF-GQL-0016");
}

#[tokio::test]
async fn protections_must_be_asked_for_with_each_person() {
    let asker = Asker::new().await;
    let ask = |selection: &str| {
        let query = format!(
            "{{ CPRCustom_PublicSectorPerson(input: {{ personnummer: {{ personnummer: {{ eq: \"6101800001\" }} }} }})
                {{ nodes {{ {selection} }} }} }}"
        );
        let asker = &asker;
        async move { asker.persons(&query, Value::Null).await }
    };
    for (selection, missing) in [
        ("id", "beskyttelser"),
        ("beskyttelser { status } boern { barn { personid } }", "boern.barn.beskyttelser"),
        (
            "boern { barn { personid } } foraeldreoplysninger { foraelder { personid } }",
            "beskyttelser, boern.barn.beskyttelser, foraeldreoplysninger.foraelder.beskyttelser",
        ),
    ] {
        let message = format!("Required fields are missing in query selection: {missing}");
        assert_eq!(ask(selection).await["errors"][0]["message"], message);
    }
    let whole = "beskyttelser { status } boern { barn { personid beskyttelser { status } } }
        foraeldremyndighedOver { barn { beskyttelser { status } } }";
    assert_eq!(ask(whole).await["data"]["CPRCustom_PublicSectorPerson"]["nodes"], json!([]));
}

#[tokio::test]
async fn a_lookup_needs_a_filter() {
    let asker = Asker::new().await;
    let query = "{ CPRCustom_PublicSectorPerson(input: {}) { nodes { beskyttelser { status } } } }";
    assert_eq!(code(&asker.persons(query, Value::Null).await), "DAF-GQL-0009");
}

#[tokio::test]
async fn a_request_that_is_no_query_is_refused() {
    let asker = Asker::new().await;
    assert_eq!(asker.post("/CPR/v1", json!({ "variables": {} })).await.unwrap().status(), 400);
    let request = http::Request::post(format!("{}/CPR/v1", asker.register.url()))
        .header("authorization", format!("Bearer {}", asker.token));
    let answer = crate::simulate::serving::testing::send(request.body("{}".to_owned()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 415);
}
