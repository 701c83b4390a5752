//! The adapter for Svix: an application with one endpoint is a consumer, a message is an event.

use anyhow::Context;
use serde_json::{Value, json};
use url::Url;

use super::{Api, Server};

/// The server behind its API.
pub struct Svix(pub Api);

impl Server for Svix {
    async fn create_consumer(&self, url: &Url) -> anyhow::Result<String> {
        let made = self.0.post("/api/v1/app", &json!({ "name": "figures" })).await?;
        let id = made["id"].as_str().context("an application without an id")?.to_owned();
        self.0.post(&format!("/api/v1/app/{id}/endpoint"), &json!({ "url": url, "version": 1 })).await?;
        Ok(id)
    }

    async fn post_event(&self, consumer: &str, event: Value) -> anyhow::Result<()> {
        let message = json!({ "eventType": "address.changed", "payload": event });
        self.0.post(&format!("/api/v1/app/{consumer}/msg"), &message).await?;
        Ok(())
    }
}
