//! What users do with compute units.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::compute_unit::{self, Allocate, Allocation, UnitFilter, UnitWish};
use domain::error::{Thing, Violation};
use domain::instance::InstanceId;
use domain::job::{self, JobKind, Taking};
use domain::ssh_key::PublicKey;
use domain::{Error, Result};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::Answer;
use super::account::Account;
use super::body::Object;
use super::error::Failure;
use super::fields::{Fault, Members, whole_text};
use super::view::ComputeUnitResponse;
use crate::app::App;

/// How many CPUs a unit has for who does not say.
const CPUS: i64 = 4;
/// How soon to look again at an allocation that somebody waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How often giving up an allocation is tried.
const ATTEMPTS: u32 = 5;
/// No region, zone or name is longer.
const LONGEST: usize = 200;

/// Hands out a free unit, once its key is in place.
pub async fn allocate(app: Data<App>, account: Account, body: Object) -> Answer {
    let mut members = Members::new(&body.0);
    let cpu_count = members.whole_or_null("cpu_count", CPUS);
    let region = members.text_or_null("region");
    let zone = members.text_or_null("zone");
    let tags = members.labels_or_null("tags");
    let key = members.text("ssh_public_key");
    members.finish().map_err(Failure::Faults)?;
    let public_key = PublicKey::parse(&key.unwrap_or_default()).map_err(|advice| {
        let fault = Violation::new("/ssh_public_key", advice);
        Failure::of(Error::Invalid(vec![fault]), &body.0)
    })?;
    // No unit has fewer than one CPU.
    let cpu_count = cpu_count.map(|count| u32::try_from(count).unwrap_or_default());
    let wish = UnitWish { cpu_count, region: region.map(possible), zone: zone.map(possible) };
    let request = Allocate { caller: account.0, pool_id: None, wish, public_key, tags };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let taken = compute_unit::allocate(store, clock, random, policy, &request).await;
    let id = taken.map_err(|error| Failure::of(error, &body.0))?;
    match made_ready(app.clone(), id).await? {
        Allocation::Ready => {
            let unit = compute_unit::allocated(store, id).await?;
            Ok(HttpResponse::Ok().json(ComputeUnitResponse::from(unit)))
        }
        Allocation::Waiting | Allocation::Failed => Err(Failure::NotReady),
    }
}

/// Does the job of an allocation here and now, unless a worker was faster; gives the allocation up when nobody
/// is to wait for it any longer.
async fn made_ready(app: Data<App>, id: InstanceId) -> Result<Allocation> {
    let within = app.settings.instance_policy.compute_units.allocated_within;
    let until = Instant::now() + within.to_std().unwrap_or_default();
    let working = app.clone();
    // It goes on when the client goes away: what was begun on a host is not cut off in the middle.
    let job = actix_web::rt::spawn(async move {
        loop {
            // A fault says nothing about the allocation; it is looked at again until its time is over.
            match worked(&working, id).await {
                Ok(Allocation::Waiting) | Err(_) if Instant::now() < until => {
                    sleep(LOOK_AGAIN).await;
                }
                Ok(outcome) => return outcome,
                Err(_) => return Allocation::Waiting,
            }
        }
    });
    match timeout_at(until, job).await {
        Ok(Ok(outcome)) if outcome != Allocation::Waiting => Ok(outcome),
        _ => given_up(&app, id).await,
    }
}

/// Does the job if it waits for somebody.
async fn worked(app: &App, id: InstanceId) -> Result<Allocation> {
    let store = app.store.as_ref();
    match compute_unit::allocation(store, id).await? {
        Allocation::Waiting => {
            let kind = JobKind::AlignInstance { instance_id: id };
            job::run_next(app.job_context(), Taking::Only(kind)).await?;
            compute_unit::allocation(store, id).await
        }
        outcome => Ok(outcome),
    }
}

/// Who is not told of a unit must not pay for it, so that giving it up is tried more than once.
async fn given_up(app: &App, id: InstanceId) -> Result<Allocation> {
    let mut attempt = 1;
    loop {
        match compute_unit::give_up(app.job_context(), id).await {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Takes a unit back; it is wiped in the background.
pub async fn deallocate(app: Data<App>, account: Account, name: Path<String>) -> Answer {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let who = (&app.settings.instance_policy, &account.0);
    let is_lenient = app.settings.kloigos.as_ref().is_some_and(|kloigos| kloigos.is_lenient);
    match compute_unit::deallocate(store, clock, random, who, &name).await {
        Err(Error::NotFound(Thing::ComputeUnit)) if is_lenient => {}
        done => done?,
    }
    Ok(HttpResponse::Ok().finish())
}

/// The units, filtered.
pub async fn list(app: Data<App>, account: Account, request: HttpRequest) -> Answer {
    let filter = filter(request.query_string())?;
    let lines = compute_unit::list(app.store.as_ref(), &account.0, &filter).await?;
    let lines: Vec<ComputeUnitResponse> = lines.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(lines))
}

/// A text that something can be called, else one that nothing is called.
fn possible(text: String) -> String {
    if text.len() <= LONGEST && !text.contains(char::is_control) { text } else { String::new() }
}

fn filter(query: &str) -> std::result::Result<UnitFilter, Failure> {
    let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(query);
    let pairs = pairs.map(actix_web::web::Query::into_inner).unwrap_or_default();
    let last = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    // What is left empty in a form is not asked for.
    let text = |name: &str| last(name).filter(|value| !value.is_empty()).map(possible);
    let cpu_count = last("cpu_count").map(|sent| {
        let read = whole_text(&sent).map_err(|(kind, message)| {
            let at = [json!("query"), json!("cpu_count")];
            Failure::Faults(vec![Fault::new(kind, &at, message, &json!(sent))])
        });
        // No unit has that many.
        read.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    });
    Ok(UnitFilter {
        name: text("compute_id"),
        hostname: text("hostname"),
        region: text("region"),
        zone: text("zone"),
        cpu_count: cpu_count.transpose()?,
        // These are compared here, and may be anything.
        deployment_id: last("deployment_id").filter(|value| !value.is_empty()),
        status: last("status").filter(|value| !value.is_empty()),
    })
}
