//! Speaking to the running process over its admin socket.

use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::settings::{self, SettingsArgs};
use crate::admin::wire::Told;
use crate::domain::resource::ResourceKey;

/// Where the running process is, and who asks.
#[derive(Clone, Debug, Args)]
pub struct SocketArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Socket of the running process. Without it: where the settings say, else `admin.sock` in the store's folder.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// File with a token of the cluster, as `kubectl create token` prints it. Without it the process knows the caller by their
    /// user on this machine, where its settings allow that.
    #[arg(long, env = "CPR_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The running process.
#[derive(Default)]
pub struct Socket {
    path: PathBuf,
    token: Option<SecretString>,
}

impl Socket {
    /// Finds the socket; does not connect yet.
    pub fn find(args: &SocketArgs) -> anyhow::Result<Self> {
        let path = match &args.socket {
            Some(path) => path.clone(),
            None => {
                let settings = settings::load(&args.settings)?;
                settings.admin.socket(&settings.store.path)
            }
        };
        let token = args.token_file.as_ref().map(|file| {
            let text = std::fs::read_to_string(file).with_context(|| format!("--token-file {}", file.display()))?;
            anyhow::Ok(SecretString::from(text.trim()))
        });
        Ok(Self { path, token: token.transpose()? })
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Has something done.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        let stream = UnixStream::connect(&self.path).await.with_context(|| {
            format!(
                "no cpr-operator answers at {}: run this where it runs and as its user, with the same --config and --set, or name --socket",
                self.path.display()
            )
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer; what fails in it fails the request too.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(HOST, "cpr-operator");
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let answer = sender.send_request(request.body(Full::new(body))?).await.context("the process did not answer")?;
        let status = answer.status();
        let body = answer.into_body().collect().await.context("the answer was cut")?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).context("an answer of another version of cpr-operator");
        }
        match serde_json::from_slice::<Told>(&body) {
            Ok(told) => bail!("{} ({})", told.message, told.reason),
            Err(_) => bail!("the process answered {status}: it may be of another version"),
        }
    }
}

/// Part of a path that names a resource.
pub fn path_of(key: &ResourceKey) -> String {
    format!("{}/{}", key.namespace, key.name)
}

/// A path with those of the parameters that have a value.
pub fn query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            encoded.append_pair(name, value);
        }
    }
    format!("{path}?{}", encoded.finish())
}
