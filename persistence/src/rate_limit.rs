//! Counts of requests.

use std::ops::Range;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::pool::PoolId;
use domain::rate_limit::{RequestCount, RequestCounts};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement};

use crate::failure::{Result, corrupt, failed};
use crate::store::Handle;
use crate::words::number;

/// The row of the whole pool first, so that no two requests wait for each other in a circle.
const COUNT: &str = "
INSERT INTO request_counts (pool_id, endpoint, since, requests)
VALUES ($1, $2, $3, 1), ($1, $4, $3, 1)
ON CONFLICT (pool_id, endpoint) DO UPDATE SET
    requests = CASE WHEN request_counts.since > $5 AND request_counts.since < $6
        THEN request_counts.requests + 1 ELSE 1 END,
    since = CASE WHEN request_counts.since > $5 AND request_counts.since < $6
        THEN request_counts.since ELSE excluded.since END
RETURNING endpoint, since, requests";
/// What stands for all endpoints.
const ALL: &[u8] = &[];

#[async_trait]
impl RequestCounts for Handle {
    async fn count_request(
        &self,
        pool_id: PoolId,
        endpoint: &[u8; 32],
        (now, window): (Timestamp, Range<Timestamp>),
    ) -> Result<(RequestCount, RequestCount)> {
        let values = [
            pool_id.uuid().into(),
            ALL.to_vec().into(),
            now.into(),
            endpoint.to_vec().into(),
            window.start.into(),
            window.end.into(),
        ];
        let backend = self.connection.get_database_backend();
        let insert = Statement::from_sql_and_values(backend, COUNT, values);
        let rows = self.connection.query_all_raw(insert).await.map_err(failed)?;
        let (mut all, mut own) = (None, None);
        for row in rows {
            let (endpoint, count) = counted(&row)?;
            let place = if endpoint.is_empty() { &mut all } else { &mut own };
            *place = Some(count);
        }
        all.zip(own).ok_or_else(|| corrupt("counts of requests"))
    }

    async fn forget_counts(&self, before: Timestamp) -> Result<u64> {
        let sql = "DELETE FROM request_counts WHERE since < $1";
        let backend = self.connection.get_database_backend();
        let delete = Statement::from_sql_and_values(backend, sql, [before.into()]);
        let outcome = self.connection.execute_raw(delete).await.map_err(failed)?;
        Ok(outcome.rows_affected())
    }
}

fn counted(row: &QueryResult) -> Result<(Vec<u8>, RequestCount)> {
    let (endpoint, since, requests): (Vec<u8>, Timestamp, i64) =
        row.try_get_many_by_index().map_err(failed)?;
    Ok((endpoint, RequestCount { since, requests: number(requests)? }))
}
