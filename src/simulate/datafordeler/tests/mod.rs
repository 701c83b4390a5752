//! The register, asked over HTTP as a client would.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod imports;
mod lives;
mod protocol;
mod variants;

use http::Request;
use http::Response;
use jiff::civil::Date;
use jiff::civil::date;
use serde_json::Value;
use serde_json::json;

use super::Names;
use super::Options;
use super::Register;
use crate::runtime::clock::Clock;
use crate::simulate::serving::testing;

/// A register whose clock stands, with a token for it.
struct Asker {
    register: Register,
    clock: Clock,
    token: String,
}

const TODAY: Date = date(2026, 11, 22);

impl Asker {
    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::by_hand("2026-11-22T10:00:00Z".parse().unwrap());
        let mut options = Options::new(clock.clone(), 42);
        change(&mut options);
        let register = Register::start(options, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let mut asker = Self { register, clock, token: String::new() };
        asker.token = asker.fetch_token().await;
        asker
    }

    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn speaking(names: Names) -> Self {
        Self::with(|options| options.names = names).await
    }

    async fn fetch_token(&self) -> String {
        let answer =
            self.ask_token("grant_type=client_credentials&client_id=simulated-client&client_secret=simulated-secret");
        testing::json(&answer.await)["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask_token(&self, form: &str) -> Response<Vec<u8>> {
        let url = format!("{}/realms/distribution/protocol/openid-connect/token", self.register.url());
        let request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        testing::send(request.body(form.to_owned()).unwrap()).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Result<Response<Vec<u8>>, String> {
        let request = Request::post(format!("{}{path}", self.register.url()))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        testing::send(request.body(body.to_string()).unwrap()).await
    }

    async fn get(&self, path: &str, bearer: bool) -> Response<Vec<u8>> {
        let mut request = Request::get(format!("{}{path}", self.register.url()));
        if bearer {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        testing::send(request.body(String::new()).unwrap()).await.unwrap()
    }

    async fn query(&self, path: &str, query: &str, variables: Value) -> Value {
        let answer = self.post(path, json!({ "query": query, "variables": variables })).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", String::from_utf8_lossy(answer.body()));
        testing::json(&answer)
    }

    async fn events(&self, query: &str) -> Value {
        self.query("/CPR/v1", query, Value::Null).await
    }

    async fn persons(&self, query: &str, variables: Value) -> Value {
        self.query("/CPR/custom/PublicSector/v2", query, variables).await
    }

    /// A person's rows of some groups, given as a selection.
    async fn person(&self, id: &str, selection: &str) -> Value {
        let query = format!(
            "query($id: UUID!) {{ CPRCustom_PublicSectorPerson(input: {{ person: {{ id: {{ eq: $id }} }} }}) {{
                 nodes {{ id beskyttelser {{ status }} {selection} }} }} }}"
        );
        let answer = self.persons(&query, json!({ "id": id })).await;
        assert_eq!(answer.get("errors"), None, "{answer}");
        let nodes = answer["data"]["CPRCustom_PublicSectorPerson"]["nodes"].as_array().unwrap().clone();
        assert_eq!(nodes.len(), 1, "{answer}");
        nodes[0].clone()
    }

    /// Ids, entities and the given member of all events, oldest first.
    async fn all_events(&self) -> Vec<Value> {
        let query = "{ CPR_Events { nodes { eventid entityname eventaction fromfailedimport object_id
            datafordelerRegisterImportSequenceNumber object_kommunekodenuvaerende object_kommunekodetidligere } } }";
        let answer = self.events(query).await;
        answer["data"]["CPR_Events"]["nodes"].as_array().unwrap().clone()
    }

    async fn last_sequence(&self) -> u64 {
        let answer = self.events("{ DAF_RegisterImportStatus { lastSequenceNumber lastEventId lastUpdated } }").await;
        answer["data"]["DAF_RegisterImportStatus"]["lastSequenceNumber"].as_u64().unwrap()
    }

    fn settled(&self) -> String {
        self.register.settle("0851", date(2020, 5, 1)).unwrap()
    }
}

/// The code of an answer's first error.
fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}
