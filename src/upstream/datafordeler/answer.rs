//! What an answer means: data, or which error. The body decides, whatever the status says. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::net::client::Answer;

use super::error::{Down, Error, MaybeCode, TraceId, not_understood};

/// Data under a root field. Hidden from Debug.
#[derive(Default)]
pub struct Given {
    /// What is under the root field.
    pub value: Value,
    /// Members that an error beside the data speaks of: what they hold is not to be believed.
    pub broken: BTreeSet<String>,
}

/// An error, and what it says of the query. Words of the register's are hidden from Debug.
pub struct Refusal {
    /// The error.
    pub error: Error,
    /// Words that may be members which the service wants selected.
    pub demanded: Vec<String>,
    /// Whether a changed schema may be the reason.
    pub about_schema: bool,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(…)")
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal").field("error", &self.error).finish_non_exhaustive()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, demanded: Vec::new(), about_schema: false }
    }
}

/// Reads the answer to a query.
pub fn read(answer: &Answer, root: &str, now: Timestamp) -> Result<Given, Refusal> {
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(by_status(answer, now).into());
    }
    match envelope(answer) {
        Some(body) => within(body, root),
        None if answer.status.is_success() && answer.truncated => {
            Err(not_understood("an answer of bounded size").into())
        }
        None if answer.status.is_success() => Err(not_understood("a GraphQL answer").into()),
        None => Err(by_status(answer, now).into()),
    }
}

/// The body, where it is a GraphQL answer.
fn envelope(answer: &Answer) -> Option<Value> {
    if answer.truncated {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    (body.get("data").is_some() || body.get("errors").is_some_and(Value::is_array)).then_some(body)
}

fn within(mut body: Value, root: &str) -> Result<Given, Refusal> {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let value = body.get_mut("data").and_then(|data| data.get_mut(root)).map(Value::take).unwrap_or_default();
    let Some(first) = errors.first() else {
        let missing = value.is_null();
        return if missing {
            Err(not_understood("data under the root field").into())
        } else {
            Ok(Given { value, ..Given::default() })
        };
    };
    let broken: Option<BTreeSet<String>> = errors.iter().map(broken_member).collect();
    match broken {
        Some(broken) if !value.is_null() => Ok(Given { value, broken }),
        _ => Err(refusal(first)),
    }
}

/// The first member below the rows that an error's path names; none where it speaks of the whole answer.
fn broken_member(error: &Value) -> Option<String> {
    let path = error.get("path")?.as_array()?;
    let mut names = path.iter().skip(1).filter_map(Value::as_str).filter(|name| *name != "nodes");
    names.next().map(str::to_owned)
}

fn refusal(error: &Value) -> Refusal {
    let extensions = &error["extensions"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = text(&error["message"]);
    let code = MaybeCode::read(&text(&extensions["code"]));
    let trace_id = TraceId::read(&text(&extensions["traceId"]));
    let demanded = demanded(&message);
    let name = code.as_str().unwrap_or_default().to_owned();
    if name == "DAF-AUTH-0001" {
        return Error::NotGranted { code }.into();
    }
    if name.starts_with("DAF-AUTH") {
        return not_authenticated(code, &message).into();
    }
    let known = code.as_str().is_some() || !demanded.is_empty();
    let error = if known {
        Error::QueryRefused { code, trace_id }
    } else {
        Error::NotUnderstood { what: "an error with a code", trace_id }
    };
    Refusal { error, demanded, about_schema: true }
}

/// The words after the colon of the service's message about members that have to be selected.
fn demanded(message: &str) -> Vec<String> {
    let Some((before, names)) = message.split_once(':') else { return Vec::new() };
    if !before.to_ascii_lowercase().contains("required fields are missing") {
        return Vec::new();
    }
    let words = names.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).take(100).collect()
}

/// The catch-all answer for credentials, told apart by whether it speaks of an address.
fn not_authenticated(code: MaybeCode, detail: &str) -> Error {
    let detail = detail.to_ascii_lowercase();
    let mut words = detail.split(|c: char| !c.is_ascii_alphanumeric());
    if detail.contains("ip address") || detail.contains("ip-adresse") || words.any(|word| word == "ip") {
        return Error::AddressNotWhiteListed { code };
    }
    let perhaps_address = code.as_str().is_none_or(|code| code == "DAF-AUTH-0005");
    Error::CredentialsWrong { code, perhaps_address }
}

/// What an answer's status means where its body is no GraphQL answer.
pub fn by_status(answer: &Answer, now: Timestamp) -> Error {
    let problem: Value =
        if answer.truncated { Value::Null } else { serde_json::from_slice(&answer.body).unwrap_or_default() };
    let member = |name: &str| problem[name].as_str().unwrap_or_default();
    let code = MaybeCode::read(if problem["errorCode"].is_string() { member("errorCode") } else { member("error") });
    match answer.status {
        StatusCode::UNAUTHORIZED => not_authenticated(code, member("detail")),
        StatusCode::BAD_REQUEST if code.as_str().is_some_and(|code| code.starts_with("DAF-AUTH")) => {
            not_authenticated(code, member("detail"))
        }
        StatusCode::FORBIDDEN if code.as_str() == Some("DAF-AUTH-0005") => not_authenticated(code, member("detail")),
        StatusCode::FORBIDDEN => Error::NotGranted { code },
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::UnknownService,
        StatusCode::TOO_MANY_REQUESTS => Error::Busy { retry_after: retry_after(&answer.headers, now) },
        StatusCode::SERVICE_UNAVAILABLE => match retry_after(&answer.headers, now) {
            None => Error::Down { class: Down::Status(503) },
            wait => Error::Busy { retry_after: wait },
        },
        status if status.is_server_error() => Error::Down { class: Down::Status(status.as_u16()) },
        StatusCode::BAD_REQUEST => Error::QueryRefused { code, trace_id: TraceId::default() },
        _ => not_understood("a success or an error"),
    }
}

/// The longest wait that is believed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How long a `Retry-After`, in seconds or as a date, asks to wait.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::error::Retry;
    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
            truncated: false,
        }
    }

    fn error(status: u16, body: &str) -> Error {
        read(&answer(status, body), "root", NOW.parse().unwrap()).unwrap_err().error
    }

    fn graphql(code: &str) -> String {
        format!(
            r#"{{"errors":[{{"message":"about 6101800001","path":["root"],"extensions":{{"code":"{code}",
            "traceId":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}}],"data":{{"root":null}}}}"#
        )
    }

    #[test]
    fn errors_are_told_apart_by_code_whatever_the_status() {
        for status in [200, 400, 403, 500] {
            assert!(matches!(error(status, &graphql("DAF-AUTH-0001")), Error::NotGranted { .. }));
            assert!(matches!(error(status, &graphql("DAF-AUTH-0005")), Error::CredentialsWrong { .. }));
            for code in ["HC0046", "DAF-GQL-0008"] {
                let refused = error(status, &graphql(code));
                assert!(matches!(refused, Error::QueryRefused { .. }), "{status} {code}");
                assert_eq!(refused.retry(), Retry::Hourly);
                assert!(refused.to_string().contains(code) && refused.to_string().contains("0af765"));
            }
            assert!(matches!(error(status, &graphql("6101800001")), Error::NotUnderstood { .. }));
        }
    }

    #[test]
    fn errors_of_the_gateway_are_told_apart() {
        let problem = |code: &str, detail: &str| format!(r#"{{"errorCode":"{code}","detail":"{detail}"}}"#);
        let address = error(401, &problem("DAF-AUTH-0005", "The IP address is not verified"));
        assert!(matches!(address, Error::AddressNotWhiteListed { .. }));
        let either = error(401, &problem("DAF-AUTH-0005", "no valid method"));
        assert_eq!(either.retry(), Retry::EveryFiveMinutes);
        let said = either.to_string();
        assert!(
            said.contains("secret") && said.contains("allowed addresses") && said.contains("DAF-AUTH-0005"),
            "{said}"
        );
        assert!(matches!(error(403, &problem("DAF-AUTH-0001", "")), Error::NotGranted { .. }));
        assert!(matches!(error(401, "<html>"), Error::CredentialsWrong { .. }));
        assert_eq!(error(404, "not here"), Error::UnknownService);
        assert_eq!(error(500, "oh"), Error::Down { class: Down::Status(500) });
        assert_eq!(error(503, "oh"), Error::Down { class: Down::Status(503) });
        assert_eq!(error(429, "oh"), Error::Busy { retry_after: None });
        for body in ["", "{", "[]", "{\"root\":1}", r#"{"data":{}}"#, r#"{"data":{"root":null}}"#, r#"{"data":null}"#] {
            assert!(matches!(error(200, body), Error::NotUnderstood { .. }), "{body}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        for (text, seconds) in [
            ("120", Some(120)),
            ("Sun, 22 Nov 2026 12:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("99999999", Some(24 * 3600)),
            ("soon", None),
        ] {
            let mut busy = answer(429, "");
            busy.headers.insert(RETRY_AFTER, text.parse().unwrap());
            let error = read(&busy, "root", NOW.parse().unwrap()).unwrap_err().error;
            assert_eq!(error, Error::Busy { retry_after: seconds.map(Duration::from_secs) }, "{text}");
        }
    }

    #[test]
    fn an_error_beside_data_takes_the_members_that_it_names() {
        let body = |path: &str| {
            format!(
                r#"{{"errors":[{{"message":"m","path":{path},"extensions":{{"code":"DAF-AUTH-0001"}}}}],"data":{{"root":{{"nodes":[]}}}}}}"#
            )
        };
        let now = NOW.parse().unwrap();
        let given = read(&answer(200, &body(r#"["root","nodes",0,"navne",1]"#)), "root", now).unwrap();
        assert_eq!(given.broken, BTreeSet::from(["navne".to_owned()]));
        for whole in [r#"["root"]"#, r#"["root","nodes",0]"#, "null"] {
            let refused = read(&answer(200, &body(whole)), "root", now).unwrap_err().error;
            assert!(matches!(refused, Error::NotGranted { .. }), "{whole}");
        }
    }

    #[test]
    fn members_that_have_to_be_selected_are_heard() {
        let body = r#"{"errors":[{"message":"Required fields are missing in query selection: koen, navne.fornavne"}]}"#;
        let refused = read(&answer(200, body), "root", NOW.parse().unwrap()).unwrap_err();
        assert_eq!(refused.demanded, ["koen", "navne", "fornavne"]);
        assert!(matches!(refused.error, Error::QueryRefused { .. }));
    }
}
