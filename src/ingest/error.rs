//! Why a unit of work was not done: the register, the store or the record.

use crate::upstream::datafordeler::Error as RegisterError;
use crate::{audit, store};

/// Why a unit of work was not done. It is done again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The register.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Our store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The record; nothing is committed without it.
    #[error(transparent)]
    Audit(#[from] audit::Error),
}
