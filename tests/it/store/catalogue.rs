//! Every column is classified.

use std::collections::BTreeSet;

use cpr_operator::store::{Database, catalogue};

use super::site::Site;

async fn live(database: &Database) -> BTreeSet<(String, String)> {
    let columns = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> '_sqlx_migrations'";
    let rows: Vec<(String, String)> =
        cpr_operator::store::sql::query_as(columns).fetch_all(&mut database.read().await.unwrap()).await.unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn every_column_is_classified() {
    let site = Site::new().await;
    for (database, listed) in [(&site.store.main, catalogue::MAIN), (site.store.keys.database(), catalogue::KEYS)] {
        let live = live(database).await;
        let listed: BTreeSet<_> = listed.iter().map(|(t, c, _)| ((*t).to_owned(), (*c).to_owned())).collect();
        assert_eq!(live.difference(&listed).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "unclassified");
        assert_eq!(listed.difference(&live).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "stale");
    }
}
