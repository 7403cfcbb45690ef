use async_trait::async_trait;

use super::{AfterFailure, Job, JobId, Taking};
use crate::clock::Timestamp;
use crate::error::Result;

/// Looks at jobs.
#[async_trait]
pub trait JobQueries {
    /// Jobs that failed too often, the oldest first.
    async fn dead_jobs(&self, limit: u32) -> Result<Vec<Job>>;
}

/// Changes jobs.
#[async_trait]
pub trait Jobs {
    /// Adds a job unless its lane has a waiting one; a running one will run once more.
    async fn schedule(&self, job: &Job) -> Result<()>;

    /// The same for several jobs of different lanes, with one statement that takes them in the order
    /// of their lanes.
    async fn schedule_all(&self, jobs: &[Job]) -> Result<()>;

    /// The same for a job that somebody waits for: one that waits in its lane is due now.
    async fn hasten(&self, job: &Job) -> Result<()>;

    /// Takes the oldest of these jobs that may run and that nobody holds, for as long as the lease;
    /// counts the attempt and the claim. It takes one at most, and no two callers get the same job.
    async fn claim_job(
        &self,
        taking: Taking,
        now: Timestamp,
        leased_until: Timestamp,
    ) -> Result<Option<Job>>;

    /// Removes a job that is done, or queues it again if it was scheduled meanwhile. A job that was
    /// claimed again since (its lease was lost to another worker) stays as it is.
    async fn finish_job(&self, job: &Job) -> Result<()>;

    /// Queues a job that is not done yet, with its attempts forgotten, under the same condition.
    async fn postpone_job(&self, job: &Job, run_at: Timestamp) -> Result<()>;

    /// Notes a failure, under the same condition. A job that was scheduled meanwhile does not die of
    /// it: it is queued again with its attempts forgotten.
    async fn fail_job(&self, job: &Job, error: &str, then: AfterFailure) -> Result<()>;

    /// Makes every live job due whose time or whose lease's end lies after `latest`; answers how many.
    async fn bring_forward(&self, latest: Timestamp, now: Timestamp) -> Result<u32>;

    /// Queues a dead job again with its attempts forgotten, or drops it if its lane has a live job,
    /// which does the same; whether there was a dead one.
    async fn revive_job(&self, id: JobId, now: Timestamp) -> Result<bool>;
}
