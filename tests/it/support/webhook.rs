//! Signed requests as the product sends them, for tests that play the product.
#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use standardwebhooks::Webhook;

/// What a receiver answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// Signs an event with each secret, as of now, and sends it.
pub async fn send(url: &str, secrets: &[&str], event: &Value) -> Answer {
    send_request(signed(url, secrets, event, jiff::Timestamp::now().as_second())).await
}

/// A request that was signed at this second.
pub fn signed(url: &str, secrets: &[&str], event: &Value, at: i64) -> Request<Full<Bytes>> {
    let (id, body) = (event["id"].as_str().unwrap(), event.to_string());
    let sign = |secret: &&str| Webhook::new(secret).unwrap().sign(id, at, body.as_bytes()).unwrap();
    let signatures: Vec<String> = secrets.iter().map(sign).collect();
    Request::post(url)
        .header("content-type", "application/cloudevents+json; charset=utf-8")
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", signatures.join(" "))
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

/// Sends a request as it is.
pub async fn send_request(request: Request<Full<Bytes>>) -> Answer {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.unwrap();
    let status = answer.status().as_u16();
    Answer { status, body: answer.into_body().collect().await.unwrap().to_bytes() }
}
