//! Jobs and who holds them: claims one by one, leases that run out, work that comes again.

use std::time::Duration as StdDuration;

use chrono::Duration;
use domain::clock::{Clock, Timestamp};
use domain::instance::InstanceId;
use domain::job::{self, AfterFailure, Job, JobKind, LEASE, Taking};
use domain::store::{Store, Tx, atomically};
use domain::volume::VolumeId;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tests::{Kind, TestApp, on_both_databases};

use crate::deals::number;
use crate::instances::{fleet, ordered};

fn store(app: &TestApp) -> &dyn Store {
    app.app.store.as_ref()
}

/// Schedules a job of a lane.
async fn scheduled(app: &TestApp, lane: &str, run_at: Timestamp) {
    let kind = JobKind::AlignVolume { volume_id: VolumeId::parse(lane).unwrap() };
    let job = Job::new(kind, run_at, app.app.random.as_ref());
    atomically(store(app), async |tx: &dyn Tx| tx.schedule(&job).await).await.unwrap();
}

async fn claimed(app: &TestApp) -> Job {
    claim(app, Taking::All).await.unwrap()
}

async fn claim(app: &TestApp, taking: Taking) -> Option<Job> {
    let now = app.clock.now();
    let claim = async |tx: &dyn Tx| tx.claim_job(taking, now, now + LEASE).await;
    atomically(store(app), claim).await.unwrap()
}

async fn finish(app: &TestApp, job: &Job) {
    atomically(store(app), async |tx: &dyn Tx| tx.finish_job(job).await).await.unwrap();
}

async fn postpone(app: &TestApp, job: &Job, run_at: Timestamp) {
    let work = async |tx: &dyn Tx| tx.postpone_job(job, run_at).await;
    atomically(store(app), work).await.unwrap();
}

async fn fail(app: &TestApp, job: &Job, then: AfterFailure) {
    let work = async |tx: &dyn Tx| tx.fail_job(job, "a fault", then).await;
    atomically(store(app), work).await.unwrap();
}

async fn jobs(app: &TestApp, state: &str) -> i64 {
    number(app, &format!("SELECT count(*) FROM jobs WHERE state = '{state}'")).await
}

const LANE: &str = "0123456789abcdef01234567";

on_both_databases! {
    // Seen failing on PostgreSQL with IN instead of =: all five were claimed at once, by a nested
    // loop that the planner prefers where it takes the table to have one row.
    async fn a_claim_takes_one_job_whatever_the_planner_thinks(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        let statistics = match app.database.kind {
            Kind::Postgres => "VACUUM ANALYZE jobs",
            Kind::Sqlite => "ANALYZE jobs",
        };
        scheduled(app, LANE, app.clock.now() + Duration::days(1)).await;
        app.database.connect().await.execute_unprepared(statistics).await.unwrap();
        for _ in 0..5 {
            ordered(&jane, json!({})).await;
        }
        for claims in 1..=5 {
            claimed(app).await;
            assert_eq!(jobs(app, "running").await, claims);
        }
    }

    // Seen failing with attempts for a fence: the first worker removed the third one's job.
    async fn a_worker_that_lost_its_lease_changes_nothing(app: &TestApp) {
        scheduled(app, LANE, app.clock.now()).await;
        let lost = claimed(app).await;
        app.clock.advance(LEASE);
        let second = claimed(app).await;
        let earlier = app.clock.now() - LEASE;
        postpone(app, &second, earlier).await;
        // By a clock that was set back, the third has the very lease that the first had.
        app.clock.advance(-LEASE);
        let third = claimed(app).await;
        assert_eq!((third.id, third.attempts), (lost.id, lost.attempts));
        for late in [&lost, &second] {
            finish(app, late).await;
            postpone(app, late, earlier).await;
            fail(app, late, AfterFailure::Dead).await;
            assert_eq!(jobs(app, "running").await, 1);
        }
        finish(app, &third).await;
        assert_eq!(number(app, "SELECT count(*) FROM jobs").await, 0);
    }

    // Seen failing without leases: the one that was held stayed so.
    async fn what_a_clock_that_ran_ahead_put_off_is_due_again(app: &TestApp) {
        let all = async || job::bring_forward(store(app), app.app.clock.as_ref()).await.unwrap();
        let soon = app.clock.now() + Duration::minutes(5);
        scheduled(app, "0123456789abcdef01234560", soon).await;
        app.clock.advance(Duration::days(1));
        let now = app.clock.now();
        scheduled(app, LANE, now).await;
        let held = claimed(app).await;
        let waiting = claimed(app).await;
        postpone(app, &waiting, now + Duration::minutes(5)).await;
        assert_eq!(all().await, 0);
        app.clock.advance(-Duration::days(1));
        assert_eq!(claim(app, Taking::All).await, None);
        scheduled(app, "0123456789abcdef01234561", app.clock.now() + Duration::minutes(5)).await;
        assert_eq!((all().await, all().await), (2, 0));
        let mut due = [claimed(app).await.id, claimed(app).await.id];
        due.sort();
        let mut both = [held.id, waiting.id];
        both.sort();
        assert_eq!((due, claim(app, Taking::All).await), (both, None));
    }

    // Seen failing without the condition in `claim_job`.
    async fn jobs_of_installs_are_left_to_those_who_take_them(app: &TestApp) {
        let instance_id = InstanceId::parse(LANE).unwrap();
        let kind = JobKind::AlignInstalls { instance_id };
        let job = Job::new(kind, app.clock.now(), app.app.random.as_ref());
        atomically(store(app), async |tx: &dyn Tx| tx.schedule(&job).await).await.unwrap();
        app.clock.advance(Duration::seconds(1));
        scheduled(app, LANE, app.clock.now()).await;
        let other = claim(app, Taking::AllButInstalls).await.unwrap();
        assert!(matches!(other.kind, JobKind::AlignVolume { .. }), "though it is the younger one");
        assert_eq!(claim(app, Taking::AllButInstalls).await, None);
        assert_eq!(claimed(app).await.kind, kind);
    }

    // Seen failing with two statements of which neither knew about the other.
    async fn what_is_scheduled_while_a_job_is_finished_is_not_lost(app: &TestApp) {
        scheduled(app, LANE, app.clock.now()).await;
        let job = claimed(app).await;
        let again = Job::new(job.kind, app.clock.now(), app.app.random.as_ref());
        let tx = store(app).begin().await.unwrap();
        tx.schedule(&again).await.unwrap();
        let commit = async {
            tokio::time::sleep(StdDuration::from_millis(300)).await;
            tx.commit().await.unwrap();
        };
        tokio::join!(finish(app, &job), commit);
        assert_eq!(jobs(app, "queued").await, 1);
        let job = claimed(app).await;
        finish(app, &job).await;
        assert_eq!(number(app, "SELECT count(*) FROM jobs").await, 0);
    }

    // Seen failing without the condition in `fail_job`.
    async fn a_job_does_not_die_that_is_wanted_again(app: &TestApp) {
        scheduled(app, LANE, app.clock.now()).await;
        let job = claimed(app).await;
        scheduled(app, LANE, app.clock.now()).await;
        fail(app, &job, AfterFailure::Dead).await;
        assert_eq!((jobs(app, "queued").await, jobs(app, "dead").await), (1, 0));
        let job = claimed(app).await;
        assert_eq!(job.attempts, 1);
        fail(app, &job, AfterFailure::Dead).await;
        assert_eq!(jobs(app, "dead").await, 1);
    }

    // Seen failing with maps that have no order.
    async fn lost_work_is_found_in_the_order_of_its_lanes(app: &TestApp) {
        let (_, jane, _) = fleet(app).await;
        for number in 0..12 {
            app.clock.advance(Duration::milliseconds(number));
            ordered(&jane, json!({})).await;
        }
        app.database.connect().await.execute_unprepared("DELETE FROM jobs").await.unwrap();
        let lost = store(app).reads().misaligned_instances(1_000).await.unwrap();
        assert_eq!((lost.len(), lost.is_sorted()), (12, true));
    }
}
