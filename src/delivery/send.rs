//! Sending: one request over the consumer's own connections, a deadline, an answer of bounded size.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::RETRY_AFTER;
use jiff::Timestamp;

use super::build::Delivery;
use super::outcome::Reply;
use super::sender::{Error, Sender};

/// A delivery that was sent, or could not be.
#[derive(Debug)]
pub struct Attempt {
    /// What was sent.
    pub delivery: Delivery,
    /// Which attempt of it this was, from 1.
    pub number: u32,
    /// When it began.
    pub began_at: Timestamp,
    /// The same, for measuring.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// The answer.
    pub reply: Result<Reply, Error>,
}

impl Attempt {
    /// Whether bytes of the body may have left: then it is a disclosure, whatever the answer.
    pub fn left(&self) -> bool {
        self.reply.as_ref().err().is_none_or(|error| error.sent)
    }
}

/// Sends a delivery and waits for its answer, no longer than `timeout` for each time that it is sent.
pub async fn send(
    sender: Sender,
    delivery: Delivery,
    number: u32,
    request: Request<Bytes>,
    timeout: Duration,
    began_at: Timestamp,
) -> Attempt {
    let began = Instant::now();
    let reply = sender.post(request, timeout).await.map(|answer| Reply {
        status: answer.status,
        retry_after: answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned),
    });
    Attempt { delivery, number, began_at, began, took: began.elapsed(), reply }
}
