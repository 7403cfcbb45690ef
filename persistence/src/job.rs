//! Jobs and the loop that claims them.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use domain::Error;
use domain::clock::Timestamp;
use domain::job::{AfterFailure, INSTALLS, Job, JobId, JobQueries, Jobs, Taking};
use sea_orm::sea_query::{
    Expr, ExprTrait, LockBehavior, LockType, OnConflict, Query, SubQueryStatement,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::entity::job::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

fn job(row: Model) -> Result<Job> {
    Ok(Job {
        id: JobId::from_uuid(row.id),
        kind: from_json(row.kind)?,
        run_at: row.run_at,
        attempts: number(row.attempts)?,
        claims: number(row.claims)?,
        last_error: row.last_error,
        created_at: row.created_at,
    })
}

/// The job as the worker claimed it. Attempts would not do: they begin anew when it is queued again.
fn still_held(job: &Job) -> Condition {
    Condition::all()
        .add(Column::Id.eq(job.id.uuid()))
        .add(Column::State.eq("running"))
        .add(Column::Claims.eq(job.claims))
}

impl Handle {
    /// Queues a job that is still held, with its attempts forgotten.
    async fn queue_again(&self, job: &Job, run_at: Timestamp) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::State, Expr::value("queued"))
            .col_expr(Column::RunAt, Expr::value(run_at))
            .col_expr(Column::IsWantedAgain, Expr::value(false))
            .col_expr(Column::Attempts, Expr::value(0))
            .filter(still_held(job));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    /// The ids of a table's unsettled rows whose lane has no job, not even one that waits for an
    /// operator; sorted.
    pub(crate) async fn unsettled_without_job(
        &self,
        table: &'static str,
        lane: impl Fn(Uuid) -> String + Send + Sync,
        limit: u32,
    ) -> Result<Vec<Uuid>> {
        let sql =
            format!("SELECT id FROM {table} WHERE NOT is_settled AND id > $1 ORDER BY id LIMIT $2");
        let (mut lost, mut after) = (Vec::new(), Uuid::nil());
        loop {
            let rows: Vec<IdRow> = self.rows(&sql, [after.into(), i64::from(limit).into()]).await?;
            let Some(newest) = rows.last() else { return Ok(lost) };
            after = newest.id;
            // Sorted, as everybody schedules lanes, so that nobody waits for another in a circle.
            let lanes: BTreeMap<String, Uuid> =
                rows.into_iter().map(|row| (lane(row.id), row.id)).collect();
            let find = Entity::find()
                .select_only()
                .column(Column::Lane)
                .filter(Column::Lane.is_in(lanes.keys()))
                .into_tuple();
            let worked_on: Vec<String> = find.all(&self.connection).await.map_err(failed)?;
            let worked_on: HashSet<String> = worked_on.into_iter().collect();
            let nobodys = lanes.into_iter().filter(|(lane, _)| !worked_on.contains(lane));
            lost.extend(nobodys.map(|(_, id)| id));
            if lost.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                return Ok(lost);
            }
        }
    }
}

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

#[async_trait]
impl JobQueries for Handle {
    async fn dead_jobs(&self, limit: u32) -> Result<Vec<Job>> {
        let find = Entity::find().filter(Column::State.eq("dead"));
        let rows = find.order_by_asc(Column::Id).limit(u64::from(limit)).all(&self.connection);
        rows.await.map_err(failed)?.into_iter().map(job).collect()
    }
}

#[async_trait]
impl Jobs for Handle {
    async fn schedule(&self, job: &Job) -> Result<()> {
        self.schedule_all(std::slice::from_ref(job)).await
    }

    async fn schedule_all(&self, jobs: &[Job]) -> Result<()> {
        let row = |job: &Job| {
            Ok(ActiveModel {
                id: Set(job.id.uuid()),
                lane: Set(job.kind.lane()),
                kind: Set(to_json(job.kind)?),
                state: Set("queued".to_owned()),
                is_wanted_again: Set(false),
                run_at: Set(job.run_at),
                leased_until: Set(None),
                attempts: Set(i64::from(job.attempts)),
                claims: Set(i64::from(job.claims)),
                last_error: Set(None),
                created_at: Set(job.created_at),
            })
        };
        let mut jobs: Vec<&Job> = jobs.iter().collect();
        jobs.sort_by_cached_key(|job| job.kind.lane());
        let rows = jobs.into_iter().map(row).collect::<Result<Vec<_>>>()?;
        let running = Expr::cust("jobs.state = 'running'");
        let live = OnConflict::column(Column::Lane)
            // Word for word the index's predicate: SQLite does not look through parameters.
            .target_and_where(Expr::cust("state IN ('queued', 'running')"))
            .value(Column::IsWantedAgain, running)
            .to_owned();
        let insert = Entity::insert_many(rows).on_conflict(live);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn hasten(&self, job: &Job) -> Result<()> {
        self.schedule(job).await?;
        let update = Entity::update_many()
            .col_expr(Column::RunAt, Expr::value(job.run_at))
            .filter(Column::Lane.eq(job.kind.lane()))
            .filter(Column::State.eq("queued"))
            .filter(Column::RunAt.gt(job.run_at));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn claim_job(
        &self,
        taking: Taking,
        now: Timestamp,
        leased_until: Timestamp,
    ) -> Result<Option<Job>> {
        let free = Condition::any()
            .add(Column::State.eq("queued"))
            .add(Column::State.eq("running").and(Column::LeasedUntil.lte(now)));
        let mut due = Condition::all().add(Column::RunAt.lte(now)).add(free);
        match taking {
            Taking::All => {}
            Taking::AllButInstalls => due = due.add(Column::Lane.starts_with(INSTALLS).not()),
            Taking::Only(kind) => due = due.add(Column::Lane.eq(kind.lane())),
        }
        let claimable = Query::select()
            .column(Column::Id)
            .from(Entity)
            .cond_where(due)
            .order_by(Column::RunAt, sea_orm::Order::Asc)
            .limit(1)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .to_owned();
        let claim = Entity::update_many()
            .col_expr(Column::State, Expr::value("running"))
            .col_expr(Column::LeasedUntil, Expr::value(leased_until))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::Claims, Expr::col(Column::Claims).add(1))
            // Not IN: PostgreSQL may run that as a join and the subselect once for each row, which
            // then skips what is locked already and claims the next one, too.
            .filter(Expr::col(Column::Id).eq(Expr::from(SubQueryStatement::from(claimable))));
        let rows = claim.exec_with_returning(&self.connection).await.map_err(failed)?;
        if rows.len() > 1 {
            return Err(Error::internal("one claim took several jobs"));
        }
        rows.into_iter().next().map(job).transpose()
    }

    async fn finish_job(&self, job: &Job) -> Result<()> {
        // This statement decides: whoever schedules it from here on waits, and then adds a new job.
        let done = Entity::delete_many().filter(still_held(job));
        let done = done.filter(Column::IsWantedAgain.eq(false)).exec(&self.connection).await;
        match done.map_err(failed)?.rows_affected {
            0 => self.queue_again(job, job.run_at).await,
            _ => Ok(()),
        }
    }

    async fn postpone_job(&self, job: &Job, run_at: Timestamp) -> Result<()> {
        self.queue_again(job, run_at).await
    }

    async fn fail_job(&self, job: &Job, error: &str, then: AfterFailure) -> Result<()> {
        let noted = Entity::update_many()
            .col_expr(Column::LastError, Expr::value(error))
            .filter(still_held(job));
        let noted = match then {
            AfterFailure::RetryAt(at) => noted
                .col_expr(Column::State, Expr::value("queued"))
                .col_expr(Column::RunAt, Expr::value(at)),
            AfterFailure::Dead => noted
                .col_expr(Column::State, Expr::value("dead"))
                .filter(Column::IsWantedAgain.eq(false)),
        };
        let noted = noted.exec(&self.connection).await.map_err(failed)?;
        match then {
            AfterFailure::Dead if noted.rows_affected == 0 => {
                self.queue_again(job, job.run_at).await
            }
            _ => Ok(()),
        }
    }

    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Result<u32> {
        let far = Condition::any()
            .add(Column::State.eq("queued").and(Column::RunAt.gt(latest)))
            .add(Column::State.eq("running").and(Column::LeasedUntil.gt(latest)));
        let due = Entity::update_many()
            .col_expr(Column::RunAt, Expr::value(now))
            .col_expr(Column::LeasedUntil, Expr::value(now))
            .filter(far)
            .exec(&self.connection);
        u32::try_from(due.await.map_err(failed)?.rows_affected).map_err(Error::internal)
    }

    async fn revive_job(&self, id: JobId, now: Timestamp) -> Result<bool> {
        let find = Entity::find_by_id(id.uuid()).filter(Column::State.eq("dead"));
        let dead = find.lock(LockType::Update).one(&self.connection).await.map_err(failed)?;
        let Some(dead) = dead else {
            return Ok(false);
        };
        let delete = Entity::delete_by_id(dead.id).exec(&self.connection);
        delete.await.map_err(failed)?;
        self.schedule(&Job { run_at: now, attempts: 0, ..job(dead)? }).await?;
        Ok(true)
    }
}
