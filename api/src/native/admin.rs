//! What operators do over HTTP: money, servers, users, dead jobs.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use domain::error::Thing;
use domain::host::{self, EditHost, HostDraft, HostId};
use domain::job::{self, Job, JobId};
use domain::user::{self, UserId};
use domain::wallet::{self, Book, Booked, PostingId};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::admin_view::{AdminServerView, ServerBody, described, priced, promised};
use super::envelope::{Answer, Done, Paging, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, page};
use super::field::{Check, Field, amount, as_is, at_most};
use super::view::{Stamp, UserView, number};
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct BookBody {
    #[schema(value_type = String, required, max_length = 100, example = "jane_admin")]
    #[serde(default)]
    username: Field<String>,
    /// A decimal number as a string, whole cents.
    #[schema(value_type = String, required, pattern = "^-?[0-9]{1,7}([.][0-9]{1,2})?$", example = "100.00")]
    #[serde(default)]
    amount: Field<String>,
    /// The wallet's owner sees it.
    #[schema(value_type = String, required, min_length = 1, max_length = 500, example = "bank transfer 4711")]
    #[serde(default)]
    reason: Field<String>,
    /// The transaction of the same wallet that an adjustment corrects.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    corrects: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct BookedView {
    /// The transaction.
    id: String,
    user_id: String,
    #[schema(value_type = f64, example = 100)]
    amount: Number,
    #[schema(example = "125.50")]
    balance: String,
    currency: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

fn booked_view(booked: &Booked, currency: &str) -> BookedView {
    BookedView {
        id: booked.id.to_string(),
        user_id: booked.user_id.to_string(),
        amount: number(booked.amount),
        balance: booked.balance.to_string(),
        currency: currency.to_owned(),
        created_at: Stamp(booked.at),
    }
}

fn book(body: BookBody, signed: Authenticated, once: IdempotencyHeader) -> Result<Book> {
    let mut check = Check::default();
    let username = check.required("/username", body.username, at_most(100));
    let amount = check.required("/amount", body.amount, amount);
    let reason = check.required("/reason", body.reason, as_is);
    let corrects = check.optional("/corrects", body.corrects, |text| {
        PostingId::parse(&text).ok_or("must be 24 lower-case hexadecimal characters")
    });
    check.finish(|| {
        Some(Book {
            operator: signed.caller.into(),
            username: username?,
            amount: amount?,
            reason: reason?,
            corrects,
            idempotency_key: once.0,
        })
    })
}

/// Book money that came in.
#[utoipa::path(tag = "operators", request_body = BookBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<BookedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "USER_NOT_FOUND", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/admin/deposits")]
pub async fn book_deposit(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<BookBody>,
) -> Answer<BookedView> {
    let request = book(body.0, signed, once)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let booked = wallet::deposit(store, clock, random, request).await?;
    let view = booked_view(&booked, &app.settings.currency);
    Ok(Success::created("Deposit booked successfully", view))
}

/// Correct a balance, in either direction but never below zero.
#[utoipa::path(tag = "operators", request_body = BookBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<BookedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "OPERATOR_REQUIRED", "USER_NOT_FOUND", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/admin/adjustments")]
pub async fn book_adjustment(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<BookBody>,
) -> Answer<BookedView> {
    let request = book(body.0, signed, once)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let booked = wallet::adjust(store, clock, random, request).await?;
    let view = booked_view(&booked, &app.settings.currency);
    Ok(Success::created("Adjustment booked successfully", view))
}

/// List all users by age, oldest first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<UserView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/users")]
pub async fn list_users(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<UserView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, UserId::parse);
    query.finish()?;
    let users = user::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = users.next.map(|id| id.to_string());
    let paging = users.total.map(|total| Paging { next, total: Some(total) });
    let views = users.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Users retrieved successfully", views).paged(paging))
}

/// List all servers, offered or not, by age, oldest first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<AdminServerView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/servers")]
pub async fn list_all_servers(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<AdminServerView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, HostId::parse);
    query.finish()?;
    let hosts = host::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = hosts.next.map(|id| id.to_string());
    let paging = hosts.total.map(|total| Paging { next, total: Some(total) });
    let views = hosts.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Servers retrieved successfully", views).paged(paging))
}

fn host_id(id: &str) -> Result<HostId> {
    HostId::parse(id).ok_or(Error::NotFound(Thing::Server))
}

/// Look at a server, offered or not.
#[utoipa::path(tag = "operators", params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<AdminServerView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[get("/admin/servers/{id}")]
pub async fn show_any_server(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<AdminServerView> {
    let host = host::show(app.store.as_ref(), &signed.caller.into(), host_id(&id)?).await?;
    Ok(Success::ok("Server retrieved successfully", host.into()))
}

/// Offer a server.
#[utoipa::path(tag = "operators", request_body = ServerBody,
    responses((status = 201, body = Success<AdminServerView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[post("/admin/servers")]
pub async fn enlist_server(
    app: Data<App>,
    signed: Authenticated,
    body: Body<ServerBody>,
) -> Answer<AdminServerView> {
    let mut check = Check::default();
    let external_id = check.optional("/external_id", body.0.external_id, as_is);
    let specs = check.required("/specs", body.0.specs, described);
    let pricing = check.required("/prices", body.0.prices, priced);
    let later = "is set by a change (PATCH) of the server that was listed";
    check.optional("/sla", body.0.sla, |_| Err::<(), _>(later));
    check.optional("/supplier", body.0.supplier, |_| Err::<(), _>(later));
    check.optional("/is_listed", body.0.is_listed, |is_listed| {
        let advice = "a new server is offered at once; list it without prices, or retire it then";
        if is_listed { Ok(()) } else { Err(advice) }
    });
    let draft =
        check.finish(|| Some(HostDraft { external_id, specs: specs?, pricing: pricing? }))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let host = host::enlist(store, clock, random, &signed.caller.into(), draft).await?;
    Ok(Success::created("Server listed successfully", host.into()))
}

/// Change a server's description, prices, or whether it is offered; keys that are absent stay.
///
/// A rental that runs keeps its terms.
#[utoipa::path(tag = "operators", request_body = ServerBody, params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<AdminServerView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "CARRIES_INSTANCES", "CUT_INTO_UNITS"]))))]
#[patch("/admin/servers/{id}")]
pub async fn edit_server(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<ServerBody>,
) -> Answer<AdminServerView> {
    let id = host_id(&id)?;
    let mut check = Check::default();
    check.optional("/external_id", body.0.external_id, |_| {
        Err::<(), _>("is given once, when the server is listed; an import finds the server by it")
    });
    let specs = check.optional("/specs", body.0.specs, described);
    let pricing = check.optional("/prices", body.0.prices, priced);
    let is_listed = check.optional("/is_listed", body.0.is_listed, as_is);
    let sla = check.change("/sla", body.0.sla, promised);
    let supplier = check.change("/supplier", body.0.supplier, at_most(100));
    let request =
        check.finish(|| Some(EditHost { id, specs, pricing, is_listed, sla, supplier }))?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let host = host::edit(store, clock, &signed.caller.into(), request).await?;
    Ok(Success::ok("Server updated successfully", host.into()))
}

/// Take a server off the marketplace. A rental that runs goes on to its end.
#[utoipa::path(tag = "operators", params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[delete("/admin/servers/{id}")]
pub async fn retire_server(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    host::retire(store, clock, &signed.caller.into(), host_id(&id)?).await?;
    Ok(Success::done("Server retired successfully"))
}

#[derive(Serialize, ToSchema)]
pub struct JobView {
    id: String,
    /// What was to be done.
    #[schema(value_type = Object)]
    work: Value,
    attempts: u32,
    last_error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            work: serde_json::to_value(job.kind).unwrap_or_default(),
            attempts: job.attempts,
            last_error: job.last_error,
            created_at: Stamp(job.created_at),
        }
    }
}

/// List jobs that failed too often and wait for an operator, oldest first.
#[utoipa::path(tag = "operators", responses((status = 200, body = Success<Vec<JobView>>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED"]))))]
#[get("/admin/jobs/dead")]
pub async fn list_dead_jobs(app: Data<App>, signed: Authenticated) -> Answer<Vec<JobView>> {
    let jobs = job::dead(app.store.as_ref(), &signed.caller.into()).await?;
    Ok(Success::ok("Dead jobs retrieved successfully", jobs.into_iter().map(Into::into).collect()))
}

/// Queue a dead job again.
#[utoipa::path(tag = "operators", params(("id", description = "Job identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "JOB_NOT_FOUND"]))))]
#[post("/admin/jobs/{id}/retry")]
pub async fn retry_job(app: Data<App>, signed: Authenticated, id: Path<String>) -> Answer<Done> {
    let id = JobId::parse(&id).ok_or(Error::NotFound(Thing::Job))?;
    job::retry(app.store.as_ref(), app.clock.as_ref(), &signed.caller.into(), id).await?;
    Ok(Success::done("Job queued successfully"))
}
