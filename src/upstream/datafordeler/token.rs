//! Asking for the access token, and what the answer means.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::net::client::Answer;
use crate::net::token::{Fresh, Outage};

use super::Credentials;
use super::answer::by_status;
use super::error::{Error, not_understood};

impl Outage for Error {
    fn is_outage(&self) -> bool {
        Error::is_outage(self)
    }
}

/// The request for a token.
pub fn request(url: &str, credentials: &Credentials) -> Result<Request<Bytes>, Error> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", credentials.client_id.expose_secret())
        .append_pair("client_secret", credentials.client_secret.expose_secret())
        .finish();
    Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Bytes::from(form))
        .map_err(|_| Error::Address)
}

/// Reads the answer to a request for a token.
pub fn read(answer: &Answer, now: Timestamp) -> Result<Fresh, Error> {
    if !answer.status.is_success() {
        return Err(match by_status(answer, now) {
            Error::QueryRefused { code, .. } => Error::CredentialsWrong { code, perhaps_address: false },
            other => other,
        });
    }
    let fresh = Some(&answer.body).filter(|_| answer.status == StatusCode::OK).and_then(|body| Fresh::read(body));
    fresh.ok_or(not_understood("a token"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_token_service_are_told_apart() {
        let read = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, headers: Default::default(), body: body.to_owned().into(), truncated: false };
            read(&answer, Timestamp::UNIX_EPOCH).map(|fresh| fresh.life().as_secs())
        };
        assert_eq!(read(200, r#"{"access_token":"a.b.c","expires_in":120,"token_type":"Bearer"}"#), Ok(120));
        assert_eq!(read(200, r#"{"access_token":"a.b.c"}"#), Ok(300));
        assert_eq!(read(200, r#"{"access_token":"a.b.c","expires_in":0}"#), Ok(5));
        for body in ["", "{}", r#"{"access_token":"a\nb"}"#, r#"{"access_token":1}"#] {
            assert!(matches!(read(200, body), Err(Error::NotUnderstood { .. })), "{body}");
        }
        for status in [400, 401] {
            let wrong = read(status, r#"{"error":"invalid_client","error_description":"6101800001"}"#).unwrap_err();
            assert!(wrong.to_string().contains("invalid_client") && !wrong.to_string().contains("6101800001"));
            assert!(matches!(wrong, Error::CredentialsWrong { perhaps_address: false, .. }));
        }
        assert_eq!(read(404, ""), Err(Error::UnknownService));
        assert!(matches!(read(502, ""), Err(Error::Down { .. })));
    }
}
