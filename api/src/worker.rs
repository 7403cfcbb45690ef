//! Work that no request waits for: jobs, and the sweeps that look at what is.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use domain::gpu_offer::KEPT_CHANGES;
use domain::id::hex;
use domain::job::Taking;
use domain::wallet::take_checkpoint;
use domain::{
    Error, Result, compute_unit, gpu_offer, install, instance, job, meter, payment, quote,
    rate_limit, remote, rental, volume,
};
use futures_util::future::join_all;
use persistence::counting_statements;
use tokio::sync::watch;
use tracing::{error, info};

use crate::app::App;

/// How often to look for jobs when there were none.
const IDLE: Duration = Duration::from_millis(500);
/// How often to look for rentals that time has moved on.
const MOVE_ON_EVERY: Duration = Duration::from_secs(5);
/// How often to look for payments that are to be settled; a payer waits for it.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// How often to look for work that was lost.
const REALIGN_EVERY: Duration = Duration::from_mins(1);
/// How often to ask hosts what is on them.
const RECONCILE_EVERY: Duration = Duration::from_mins(1);
/// How often to look whether the day has its checkpoint.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(10);
/// After a failure, such as a database that does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Jobs done at once: most of the time each waits for a host.
const JOBS_AT_ONCE: usize = 16;
/// So many of them at most wait for scripts inside of instances: where renters make everything slow, the jobs
/// of others go on.
const INSTALLS_AT_ONCE: usize = 4;

/// Works until `stop` says so. A job that runs then is finished first; one that is cut off all the
/// same is done again when its lease is over.
pub async fn run(app: Data<App>, stop: watch::Receiver<bool>) {
    info!("worker started");
    tokio::join!(
        do_jobs(&app, &stop),
        repeat(MOVE_ON_EVERY, stop.clone(), async || move_on(&app).await),
        repeat(CHECKPOINT_EVERY, stop.clone(), async || checkpoint(&app).await),
        repeat(SETTLE_EVERY, stop.clone(), async || settle(&app).await),
        repeat(REALIGN_EVERY, stop.clone(), async || realign(&app).await),
        repeat(RECONCILE_EVERY, stop.clone(), async || reconcile(&app).await),
    );
    info!("worker stopped");
}

/// Does jobs, several at once.
async fn do_jobs(app: &Data<App>, stop: &watch::Receiver<bool>) {
    let lane = |number| {
        let taking = if number < INSTALLS_AT_ONCE { Taking::All } else { Taking::AllButInstalls };
        repeat(IDLE, stop.clone(), async move || {
            while !*stop.borrow() && job::run_next(app.job_context(), taking).await? {}
            Ok(())
        })
    };
    join_all((0..JOBS_AT_ONCE).map(lane)).await;
}

/// Everything that time alone brings about, in an order in which nothing is cut off that is about to be
/// paid for: renewals come before ends. A sweep that fails does not stop those after it, but for ends,
/// which do not come before the renewals did.
pub async fn move_on(app: &App) -> Result<()> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let ended = match told("renewed", Box::pin(rental::renew_due(store, clock, random))).await {
        Ok(()) => told("held or expired", Box::pin(rental::expire_due(store, clock, random))).await,
        failed => failed,
    };
    let unready = Box::pin(rental::abandon_unready(store, clock, random));
    let funds = app.settings.instance_policy.funds;
    first_failure([
        ended,
        told("given up as never ready", unready).await,
        told("earned from", Box::pin(rental::earn_due(store, clock, random))).await,
        told("at the end of their terms", Box::pin(instance::renew_due(store, clock, random)))
            .await,
        told("evicted", Box::pin(instance::evict_due(store, clock, random))).await,
        told("billed", Box::pin(meter::bill_due(store, clock, random, funds))).await,
        told("deleted unpaid", Box::pin(meter::delete_unpaid(store, clock, random))).await,
        told("taken from the trash", Box::pin(volume::empty_trash(store, clock, random))).await,
    ])
}

/// The first failure of several sweeps, for whoever called them; the others are only logged.
fn first_failure(outcomes: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let mut failures = outcomes.into_iter().filter_map(Result::err);
    let first = failures.next();
    for failure in failures.filter(|failure| !matches!(failure, Error::Busy)) {
        error!(cause = failure.for_the_log(), "another sweep failed and will be repeated");
    }
    first.map_or(Ok(()), Err)
}

/// Compares every host with the books, and puts right what can be.
pub async fn reconcile(app: &App) -> Result<()> {
    let found = Box::pin(instance::reconcile(app.job_context())).await?;
    if found > 0 {
        info!(found, "hosts and books differed");
    }
    Ok(())
}

/// A sweep, with a line in the log if it did something.
async fn told(what: &str, sweep: impl Future<Output = Result<u32>>) -> Result<()> {
    let began = Instant::now();
    let (count, queries) = counting_statements(sweep).await;
    let (count, duration_ms) = (count?, began.elapsed().as_millis());
    if count > 0 {
        info!(what, count, duration_ms, queries, "time moved things on");
    }
    Ok(())
}

async fn checkpoint(app: &App) -> Result<()> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    if let Some(taken) = take_checkpoint(store, clock, false).await? {
        // In the log, which leaves the machine as a rule, so that the database cannot be changed alone.
        info!(number = taken.number, hash = hex(&taken.hash), "checkpoint of the ledger");
    }
    quote::remove_stale(store, clock).await?;
    remote::forget(store, clock).await?;
    rate_limit::forget(store, clock).await.map(|_| ())
}

/// Everything about payments by card, where they are configured: what became of them, then top-ups of
/// wallets that are low all the same.
pub async fn settle(app: &App) -> Result<()> {
    let Ok(context) = app.payment_context() else {
        return Ok(());
    };
    let paid = payment::settle_due(context).await?;
    let topped_up = payment::top_up_due(context).await?;
    if paid + topped_up > 0 {
        info!(paid, topped_up, "payments settled");
    }
    Ok(())
}

async fn realign(app: &App) -> Result<()> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let now = clock.now();
    let said = |what: &str, lost: Result<usize>| {
        let lost = lost?;
        if lost > 0 {
            error!(what, lost, "there was no job to align them; scheduled again");
        }
        Ok(())
    };
    first_failure([
        told("due again after a clock ran ahead", job::bring_forward(store, clock)).await,
        told("forgotten of the market's changes", gpu_offer::trim_changes(store, KEPT_CHANGES))
            .await,
        said("rentals", rental::realign(store, clock, random).await),
        said("instances", instance::realign(store, random, now).await),
        said("volumes", volume::realign(store, random, now).await),
        said("installs", install::realign(store, random, now).await),
        said("hosts of compute units", compute_unit::realign(store, random, now).await),
    ])
}

async fn repeat(
    every: Duration,
    mut stop: watch::Receiver<bool>,
    work: impl AsyncFn() -> Result<()>,
) {
    while !*stop.borrow() {
        let pause = match work().await {
            Ok(()) | Err(Error::Busy) => every,
            Err(failure) => {
                error!(cause = failure.for_the_log(), "a sweep failed and will be repeated");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = stop.changed() => if changed.is_err() { return; },
        }
    }
}
