//! Single values: the store's id, the version of the configuration, the revision of what the stages found.

use super::{Conn, Error};

/// The version of the compiled configuration; every change of it raises it in its own transaction.
pub async fn configuration(conn: &mut Conn) -> Result<i64, Error> {
    let _ = conn;
    todo!()
}

/// Raises the version of the configuration and gives the new one.
pub async fn raise_configuration(conn: &mut Conn) -> Result<i64, Error> {
    let _ = conn;
    todo!()
}
