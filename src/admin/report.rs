//! `report`: what somebody who helps from afar needs to know, and nothing of any person or secret.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::doctor;
use super::who::{Caller, Right};
use super::wire::Check;
use super::{Context, Problem};
use crate::audit::{Entry, Outcome};
use crate::store::{self, Conn, consumer, cursor, sizes, source, subscription};

/// The bundle.
#[derive(Serialize)]
pub struct Report {
    version: &'static str,
    at: Timestamp,
    store: String,
    settings: String,
    checks: Vec<Check>,
    sources: Vec<Value>,
    consumers: Vec<Value>,
    subscriptions: Vec<Value>,
    rows: BTreeMap<&'static str, u64>,
    bytes: u64,
    metrics: Vec<String>,
}

/// Puts the bundle together.
pub async fn run(State(context): State<Context>, caller: Caller) -> Result<Json<Report>, Problem> {
    let asker = context.admit(&caller, &Right::whole("/cpr-operator/report")).await?;
    let entry = Entry::command(context.now(), Outcome::Succeeded, "report", &asker);
    let checks = doctor::checks(&context, entry).await?;
    let mut conn = context.store.main.read().await?;
    Ok(Json(Report {
        version: context.version,
        at: context.now(),
        store: context.store.id.clone(),
        settings: format!("{:?}", context.settings),
        checks,
        sources: sources(&mut conn).await?,
        consumers: consumers(&mut conn).await?,
        subscriptions: subscriptions(&mut conn).await?,
        rows: sizes::rows(&mut conn).await?,
        bytes: sizes::bytes(&mut conn).await?,
        metrics: metrics(&context),
    }))
}

async fn sources(conn: &mut Conn) -> Result<Vec<Value>, store::Error> {
    let mut told = Vec::new();
    for row in source::all(conn).await? {
        let cursor = cursor::read(conn, row.id)
            .await?
            .map(|cursor| json!({ "import": cursor.import, "imports": cursor.imports }));
        told.push(json!({
            "key": row.key.to_string(), "generation": row.generation, "endedAt": row.ended_at,
            "form": form(&row.compiled), "state": source::state(conn, row.id).await?, "cursor": cursor,
        }));
    }
    Ok(told)
}

async fn consumers(conn: &mut Conn) -> Result<Vec<Value>, store::Error> {
    let mut told = Vec::new();
    for row in consumer::all(conn).await? {
        let waiting = consumer::backlog(conn, row.id).await?;
        told.push(json!({
            "key": row.key.to_string(), "generation": row.generation, "endedAt": row.ended_at,
            "form": form(&row.compiled), "verifiedAt": row.verified_at, "state": consumer::state(conn, row.id).await?,
            "pending": waiting.pending, "parked": waiting.parked, "deadLetters": waiting.dead_letters,
            "lastDeliveredAt": waiting.last_delivered_at, "oldestPendingAt": waiting.oldest_pending_at,
        }));
    }
    Ok(told)
}

async fn subscriptions(conn: &mut Conn) -> Result<Vec<Value>, store::Error> {
    let rows = subscription::all(conn).await?.into_iter();
    let told = rows.map(|row| {
        json!({
            "key": row.key.to_string(), "generation": row.generation, "endedAt": row.ended_at, "endReason": row.end_reason,
            "form": form(&row.compiled),
        })
    });
    Ok(told.collect())
}

/// A compiled form without what may hold a secret: of addresses the host only, and no certificates.
fn form<T: Serialize>(form: &Option<T>) -> Value {
    let mut value = serde_json::to_value(form).unwrap_or_default();
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Ok(url) = Url::parse(text)
                && url.has_host()
            {
                *text = url.origin().ascii_serialization();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        Value::Object(members) => {
            if let Some(bundle) = members.get_mut("ca_bundle").filter(|bundle| !bundle.is_null()) {
                *bundle = Value::Bool(true);
            }
            members.values_mut().for_each(redact);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn metrics(context: &Context) -> Vec<String> {
    match context.metrics.text() {
        Ok(text) => text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_secret_is_taken_out() {
        let mut value = json!({
            "delivery": { "url": "https://user:hidden@receiver.example.org:8443/hidden?token=hidden", "ca_bundle": "hidden" },
            "nets": ["10.0.0.0/8"],
        });
        redact(&mut value);
        let expected = json!({
            "delivery": { "url": "https://receiver.example.org:8443", "ca_bundle": true },
            "nets": ["10.0.0.0/8"],
        });
        assert_eq!(value, expected);
    }
}
