//! Signing: the headers of one attempt. Pure.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request};
use jiff::Timestamp;
use url::Url;

use crate::domain::signing::SigningSecret;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CLOUD_EVENT: HeaderValue = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("cpr-operator/", env!("CARGO_PKG_VERSION")));

/// A request signed with every secret; none where there is no secret, for nothing goes out unsigned.
pub fn sign(url: &Url, id: &str, body: Bytes, secrets: &[SigningSecret], now: Timestamp) -> Option<Request<Bytes>> {
    let at = now.as_second();
    let signatures: Vec<String> = secrets.iter().map(|s| format!("v1,{}", s.sign(id, at, &body))).collect();
    if signatures.is_empty() {
        return None;
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(CONTENT_TYPE, CLOUD_EVENT)
        .header(ID, id)
        .header(TIMESTAMP, at)
        .header(SIGNATURE, signatures.join(" "))
        .header(TRACEPARENT, traceparent())
        .header(USER_AGENT, AGENT);
    request.body(body).ok()
}

/// A new trace for each delivery, in the form of W3C Trace Context.
fn traceparent() -> String {
    let mut bytes = [0u8; 24];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    // All zeros would be no trace.
    bytes[0] |= 1;
    bytes[16] |= 1;
    format!("00-{}-{}-01", hex::encode(&bytes[..16]), hex::encode(&bytes[16..]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    fn secret(byte: u8) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode([byte; 32]))
    }

    #[test]
    fn every_secret_signs_and_the_official_library_accepts_each() {
        let secrets: Vec<SigningSecret> = [1, 2].map(|b| SigningSecret::parse(&secret(b)).unwrap()).into();
        let url = Url::parse("https://receiver.example.org/cpr").unwrap();
        let request = sign(&url, "ev_1", Bytes::from_static(b"{}"), &secrets, Timestamp::now()).unwrap();
        for byte in [1, 2] {
            let webhook = standardwebhooks::Webhook::new(&secret(byte)).unwrap();
            webhook.verify(request.body(), request.headers()).unwrap();
        }
        assert!(standardwebhooks::Webhook::new(&secret(3)).unwrap().verify(request.body(), request.headers()).is_err());
        assert_eq!(request.headers()["traceparent"].len(), 55);
        assert_eq!(request.headers()["content-type"], "application/cloudevents+json; charset=utf-8");
    }

    #[test]
    fn nothing_goes_out_unsigned() {
        let url = Url::parse("https://receiver.example.org/cpr").unwrap();
        assert!(sign(&url, "ev_1", Bytes::new(), &[], Timestamp::now()).is_none());
    }
}
