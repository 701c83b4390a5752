//! Every delivery that reaches a test's consumer is held against the published schemas.

use std::sync::{LazyLock, Mutex, PoisonError};

use cpr_operator::delivery::schema;
use cpr_operator::simulate::consumer::{Consumer, Received};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::schemas::Schemas;

/// The schemas, compiled once for all tests.
pub static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(schema::bundle()));

/// Watches what a consumer is sent. When it is dropped, what is not as published fails the test.
pub struct AsPublished(Mutex<Receiver<Received>>);

impl AsPublished {
    /// From now on.
    pub fn at(consumer: &Consumer) -> Self {
        Self(Mutex::new(consumer.subscribe()))
    }

    /// Fails where something that came since this was last asked is not as published.
    pub fn check(&self) {
        let mut arrivals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match arrivals.try_recv() {
                Ok(arrival) => SCHEMAS.check(&arrival.body),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }
}

impl Drop for AsPublished {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

#[tokio::test]
#[should_panic(expected = "not as published: name.changed at /data")]
async fn a_delivery_that_is_not_as_published_fails_the_test_that_looks_elsewhere() {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let secret = super::world::SECRET;
    let options = cpr_operator::simulate::consumer::Options { listen, secrets: vec![secret.to_owned()] };
    let consumer = Consumer::start(options).await.expect("a consumer");
    let _watch = AsPublished::at(&consumer);
    let reference = "p_00000000000000000000000000";
    let event = serde_json::json!({
        "specversion": "1.0", "id": "ev_00000000000000000000000000", "source": "/aalborg/register",
        "type": "dev.cpr-operator.name.changed", "subject": reference, "time": "2026-11-22T03:11:08.123Z",
        "datacontenttype": "application/json",
        "dataschema": "https://cpr-operator.dev/schemas/v1/name.changed.json",
        "partitionkey": reference, "sequence": "00000000000000000001",
        "data": { "grounds": [{ "subscription": "s", "purpose": "p" }], "correction": false },
    });
    let answer = super::webhook::send(&consumer.url(), &[secret], &event).await;
    assert_eq!(answer.status, 204, "the consumer itself sees nothing wrong");
}
