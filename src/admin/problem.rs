//! What a caller is told when something cannot be done.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::wire;
use crate::audit;
use crate::domain::resource::ResourceKey;
use crate::store;

/// Why a request was not met, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nobody knows who asks.
    #[error("{0}")]
    Unknown(String),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(String),
    /// What is asked about is not there.
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be done as things are.
    #[error("{0}")]
    Impossible(String),
    /// The cluster could not be asked who the caller is.
    #[error("{0}")]
    ClusterUnreachable(String),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// The use could not be recorded, so it did not take place.
    #[error("the audit record could not be written: {0}")]
    Record(#[from] audit::Error),
}

impl Problem {
    /// A resource that the store does not have live.
    pub fn not_found(kind: &str, key: &ResourceKey) -> Self {
        Self::NotFound(format!("{kind} {key} is not in force here: see kubectl get cpr -n {}", key.namespace))
    }

    /// One word for programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "Unknown",
            Self::Forbidden(_) => "Forbidden",
            Self::NotFound(_) => "NotFound",
            Self::Invalid(_) => "Invalid",
            Self::Impossible(_) => "Impossible",
            Self::ClusterUnreachable(_) => "ClusterUnreachable",
            Self::Store(_) | Self::Record(_) => "Failed",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Impossible(_) => StatusCode::CONFLICT,
            Self::ClusterUnreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Record(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status().is_server_error() {
            tracing::error!(error = %self, "a command failed");
        }
        let told = wire::Told { reason: self.reason().to_owned(), message: self.to_string() };
        (self.status(), Json(told)).into_response()
    }
}
