//! Who may ask: bearer tokens everywhere, an API key for schemas alone.

use http::HeaderMap;
use http::StatusCode;
use http::Uri;
use http::header;

use super::replies::Reply;
use super::world::World;

/// What a door accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Token,
    TokenOrKey,
}

/// Lets a request through, or gives the answer that refuses it.
pub(super) fn allowed(world: &World, uri: &Uri, headers: &HeaderMap, access: Access) -> Result<(), Reply> {
    let key = api_key(uri);
    match (bearer(headers), key) {
        (Some(_), Some(_)) => {
            Err(refused(Some("DAF-AUTH-0002"), "Only one method of authentication can be used.", None))
        }
        (Some(token), None) if world.tokens.accepts(token, world.clock.now()) => Ok(()),
        (Some(_), None) => Err(unknown(Some("invalid_token"))),
        (None, Some(key)) if access == Access::TokenOrKey && world.api_key.as_ref() == Some(&key) => Ok(()),
        (None, _) => Err(unknown(None)),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    Some(value.strip_prefix("Bearer ").unwrap_or(value))
}

fn api_key(uri: &Uri) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("apikey")).map(|(_, key)| key.into_owned())
}

fn unknown(error: Option<&str>) -> Reply {
    refused(Some("DAF-AUTH-0005"), "No valid method of authentication was found in the request.", error)
}

fn refused(code: Option<&str>, detail: &str, error: Option<&str>) -> Reply {
    let challenge = error.map_or("Bearer".to_owned(), |error| format!("Bearer error=\"{error}\""));
    Reply::problem(StatusCode::UNAUTHORIZED, code, detail).with(header::WWW_AUTHENTICATE, &challenge)
}
