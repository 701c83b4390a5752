//! What subscriptions selected before, as long as persons stand by it who are not settled for what they select now.

use super::rows::Column;
use super::sql::{query, query_as, query_scalar};
use super::{Conn, ConsumerId, Error, SubscriptionId, meta};
use crate::domain::compiled::Subscription;

const COMPILED: Column = Column("selection", "compiled");

/// A form that held until a version.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Whose.
    pub subscription: SubscriptionId,
    /// Its consumer.
    pub consumer: ConsumerId,
    /// The version of the selections from which it held no more.
    pub until: i64,
    /// The form; none where the subscription was not live.
    pub form: Option<Subscription>,
}

/// Raises the version of the selections and remembers what the subscription selected until now.
pub(super) async fn supersede(
    conn: &mut Conn,
    subscription: SubscriptionId,
    consumer: ConsumerId,
    form: Option<&Subscription>,
) -> Result<(), Error> {
    let until = meta::raise_selectors(&mut *conn).await?;
    let form = form.map(|form| COMPILED.to_json(form)).transpose()?;
    query("INSERT INTO selection (subscription, until, consumer, compiled) VALUES ($1, $2, $3, $4)")
        .bind(subscription)
        .bind(until)
        .bind(consumer)
        .bind(form)
        .execute(conn)
        .await?;
    Ok(())
}

/// The forms that held no more from a version after `after` on, up to and with `upto`; none where some of them are forgotten
/// by now, so that all has to be read. Each version is the end of one form.
pub async fn between(conn: &mut Conn, after: i64, upto: i64) -> Result<Option<Vec<Earlier>>, Error> {
    let rows: Vec<Row> = query_as(
        "SELECT subscription, consumer, until, compiled FROM selection WHERE until > $1 AND until <= $2 ORDER BY until",
    )
    .bind(after)
    .bind(upto)
    .fetch_all(conn)
    .await?;
    let is_whole = i64::try_from(rows.len()).is_ok_and(|count| count == upto - after);
    is_whole.then(|| rows.into_iter().map(earlier).collect()).transpose()
}

/// The lowest version from which a form held no more that persons may still stand by; none where there is no such form.
pub async fn lowest(conn: &mut Conn) -> Result<Option<i64>, Error> {
    Ok(query_scalar("SELECT min(until) FROM selection").fetch_one(conn).await?)
}

/// Subscription, consumer, until, form.
type Row = (i64, i64, i64, Option<String>);

fn earlier((subscription, consumer, until, form): Row) -> Result<Earlier, Error> {
    Ok(Earlier { subscription, consumer, until, form: COMPILED.optional_json(form.as_deref())? })
}

/// Every form that persons may still stand by.
pub async fn all(conn: &mut Conn) -> Result<Vec<Earlier>, Error> {
    let rows: Vec<Row> = query_as("SELECT subscription, consumer, until, compiled FROM selection ORDER BY until")
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(earlier).collect()
}

/// Forgets forms that nobody stands by any more.
pub async fn forget_settled(conn: &mut Conn) -> Result<(), Error> {
    query(
        "DELETE FROM selection
         WHERE until <= coalesce(
             (SELECT min((SELECT min(p.settled) FROM person p WHERE p.source = s.id)) FROM source s),
             (SELECT max(until) FROM selection))",
    )
    .execute(conn)
    .await?;
    Ok(())
}
