//! How requests reach the register: address, token, limits, and what a refusal of the token leads to.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use url::Url;

use crate::domain::compiled::Source;
use crate::net;
use crate::net::client::Answer;
use crate::net::proxy::Fault;
use crate::net::token::{Bearer, Tokens};

use super::answer::{self, Given, Refusal};
use super::counters::Counters;
use super::error::Error;
use super::limits::{Circuit, Rate, chance};
use super::query::Query;
use super::token;
use super::{Credentials, Settings};

/// One of the register's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Events and import status.
    Entities,
    /// Persons.
    Persons,
}

impl Service {
    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Entities => &["CPR", "v1"],
            Self::Persons => &["CPR", "custom", "PublicSector", "v2"],
        }
    }
}

const TOKEN_PATH: &[&str] = &["realms", "distribution", "protocol", "openid-connect", "token"];

const AGENT: &str = concat!("cpr-operator/", env!("CARGO_PKG_VERSION"));

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 32 << 20;

/// The longest answer of the token service that is read, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// The way to one source's register.
pub struct Transport {
    http: net::client::Client,
    entities: Url,
    persons: Url,
    token: Url,
    credentials: Credentials,
    tokens: Tokens<Error>,
    rate: Rate,
    /// The state of the register as it was met lately.
    pub circuit: Circuit,
    /// What was counted.
    pub counters: Counters,
    timeout: std::time::Duration,
}

impl Transport {
    /// The way to the services under a source's base addresses.
    pub fn new(
        source: &Source,
        credentials: Credentials,
        settings: &Settings,
        http: net::client::Client,
    ) -> Result<Self, Error> {
        Ok(Self {
            http,
            entities: below(&source.graphql, Service::Entities.path())?,
            persons: below(&source.graphql, Service::Persons.path())?,
            token: below(&source.auth, TOKEN_PATH)?,
            credentials,
            tokens: Tokens::default(),
            rate: Rate::new(settings.requests_per_second),
            circuit: Circuit::new(settings),
            counters: Counters::default(),
            timeout: settings.timeout,
        })
    }

    /// Sends a query. A token that is not accepted is renewed once, and the query sent once more.
    pub async fn query(&self, service: Service, query: &Query) -> Result<Given, Refusal> {
        let body = Bytes::from(query.body.to_string());
        let url = self.url(service).as_str();
        let send = async |bearer: &Bearer| {
            let request = Request::post(url)
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "application/json")
                .header(AUTHORIZATION, bearer.header())
                .body(body.clone())
                .map_err(|_| Error::Address)?;
            answer::read(&self.send(request, MAX_ANSWER).await?, &query.root, Timestamp::now())
        };
        let bearer = self.bearer().await?;
        match self.judged(send(&bearer).await) {
            Err(refusal) if wants_new_token(&refusal.error) => {
                self.tokens.forget(&bearer).await;
                let bearer = self.bearer().await?;
                self.judged(send(&bearer).await)
            }
            outcome => outcome,
        }
    }

    /// A service's schema as text: with the token first, else with the API key. None where it is not given to us.
    pub async fn schema(&self, service: Service) -> Result<Option<String>, Error> {
        let url = below(self.url(service), &["schema"])?;
        let bearer = self.bearer().await?;
        let mut found = self.schema_with(&url, Some(&bearer)).await?;
        if found == Document::Unauthorised {
            self.tokens.forget(&bearer).await;
            let renewed = self.bearer().await?;
            found = self.schema_with(&url, Some(&renewed)).await?;
        }
        if let (Document::Refused | Document::Unauthorised, Some(key)) = (&found, &self.credentials.schema_api_key) {
            let mut url = url;
            url.query_pairs_mut().append_pair("apiKey", key.expose_secret());
            found = self.schema_with(&url, None).await?;
        }
        match found {
            Document::Given(text) => Ok(Some(text)),
            Document::Refused | Document::Unauthorised => Ok(None),
        }
    }

    async fn schema_with(&self, url: &Url, bearer: Option<&Bearer>) -> Result<Document, Error> {
        let mut request = Request::get(url.as_str()).header(ACCEPT, "*/*");
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer.header());
        }
        let request = request.body(Bytes::new()).map_err(|_| Error::Address)?;
        let read = async { document(&self.send(request, MAX_ANSWER).await?) };
        self.judged(read.await)
    }

    async fn bearer(&self) -> Result<Bearer, Error> {
        let fetch = async || {
            let request = token::request(self.token.as_str(), &self.credentials)?;
            let read = async { token::read(&self.send(request, MAX_TOKEN).await?, Timestamp::now()) };
            let fresh = self.judged(read.await)?;
            self.counters.token();
            Ok(fresh)
        };
        self.tokens.get(fetch).await
    }

    /// Sends one request when limits and circuit let it.
    async fn send(&self, mut request: Request<Bytes>, max: usize) -> Result<Answer, Error> {
        self.circuit.enter().map_err(|remaining| Error::Paused { remaining })?;
        self.rate.turn().await;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        Ok(self.http.send(request, self.timeout, max).await?)
    }

    /// Counts an outcome and tells the circuit of it.
    fn judged<T, E: Judged>(&self, outcome: Result<T, E>) -> Result<T, E> {
        let error = outcome.as_ref().map(|_| ()).map_err(|error| error.error().clone());
        self.counters.request(&error);
        match &error {
            Err(Error::Paused { .. } | Error::Guarded { .. } | Error::Proxy { fault: Fault::Refused(_) }) => {}
            Err(Error::Busy { retry_after }) => self.circuit.failed(*retry_after, chance()),
            Err(Error::Down { .. } | Error::Proxy { .. }) => self.circuit.failed(None, chance()),
            _ => self.circuit.answered(),
        }
        outcome
    }

    fn url(&self, service: Service) -> &Url {
        match service {
            Service::Entities => &self.entities,
            Service::Persons => &self.persons,
        }
    }
}

trait Judged {
    fn error(&self) -> &Error;
}

impl Judged for Error {
    fn error(&self) -> &Error {
        self
    }
}

impl Judged for Refusal {
    fn error(&self) -> &Error {
        &self.error
    }
}

/// A document, or that it is not for us.
#[derive(PartialEq)]
enum Document {
    Given(String),
    Unauthorised,
    Refused,
}

fn document(answer: &Answer) -> Result<Document, Error> {
    match answer.status {
        StatusCode::OK if !answer.truncated => {
            Ok(String::from_utf8(answer.body.to_vec()).map_or(Document::Refused, Document::Given))
        }
        StatusCode::UNAUTHORIZED => Ok(Document::Unauthorised),
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            Err(answer::by_status(answer, Timestamp::now()))
        }
        _ => Ok(Document::Refused),
    }
}

fn wants_new_token(error: &Error) -> bool {
    matches!(error, Error::CredentialsWrong { .. } | Error::AddressNotWhiteListed { .. })
}

/// The URL with segments added to its path.
fn below(base: &Url, segments: &[&str]) -> Result<Url, Error> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| Error::Address)?.pop_if_empty().extend(segments);
    Ok(url)
}
