//! Outages of servers.

use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use domain::host::HostId;
use domain::outage::{self, Credit, Outage, OutageId, RecordOutage, Recorded};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, page};
use super::field::{Check, Field, ID, at_most, instant};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct OutageBody {
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    server_id: Field<String>,
    #[schema(value_type = String, required, format = DateTime)]
    #[serde(default)]
    started_at: Field<String>,
    /// Not in the future.
    #[schema(value_type = String, required, format = DateTime)]
    #[serde(default)]
    ended_at: Field<String>,
    /// How it is known; whoever gets a credit sees it.
    #[schema(value_type = String, required, min_length = 1, max_length = 2000, example = "ticket 815: no ping from three places")]
    #[serde(default)]
    evidence: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct OutageView {
    id: String,
    server_id: String,
    #[schema(value_type = String, format = DateTime)]
    started_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Stamp,
    evidence: String,
    /// Who recorded it.
    author_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<Outage> for OutageView {
    fn from(outage: Outage) -> Self {
        Self {
            id: outage.id.to_string(),
            server_id: outage.host_id.to_string(),
            started_at: Stamp(outage.started_at),
            ended_at: Stamp(outage.ended_at),
            evidence: outage.evidence,
            author_id: outage.author.map(|id| id.to_string()),
            created_at: Stamp(outage.created_at),
        }
    }
}

/// What somebody got for an outage.
#[derive(Serialize, ToSchema)]
pub struct CreditView {
    rental_id: String,
    user_id: String,
    transaction_id: String,
    #[schema(example = "1.25")]
    amount: String,
}

impl From<Credit> for CreditView {
    fn from(credit: Credit) -> Self {
        Self {
            rental_id: credit.rental_id.to_string(),
            user_id: credit.payer_id.to_string(),
            transaction_id: credit.charge.id.to_string(),
            amount: credit.charge.amount.to_string(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct RecordedView {
    outage: OutageView,
    /// What the terms of the server's rentals give for it.
    credits: Vec<CreditView>,
}

impl From<Recorded> for RecordedView {
    fn from(recorded: Recorded) -> Self {
        Self {
            outage: recorded.outage.into(),
            credits: recorded.credits.into_iter().map(Into::into).collect(),
        }
    }
}

/// Record an outage of a server.
///
/// Whoever had paid for that time gets at once what the terms of their rental give for it.
#[utoipa::path(tag = "operators", request_body = OutageBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<RecordedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND", "OUTAGE_OVERLAPS", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/admin/outages")]
pub async fn record_outage(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<OutageBody>,
) -> Answer<RecordedView> {
    let mut check = Check::default();
    let host_id =
        check.required("/server_id", body.0.server_id, |text| HostId::parse(&text).ok_or(ID));
    let started_at = check.required("/started_at", body.0.started_at, |text| instant(&text));
    let ended_at = check.required("/ended_at", body.0.ended_at, |text| instant(&text));
    let evidence = check.required("/evidence", body.0.evidence, at_most(2_000));
    let operator = signed.caller.into();
    let request = check.finish(|| {
        Some(RecordOutage {
            operator,
            host_id: host_id?,
            started_at: started_at?,
            ended_at: ended_at?,
            evidence: evidence?,
            idempotency_key: once.0,
        })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let recorded = outage::record(store, clock, random, request).await?;
    Ok(Success::created("Outage recorded successfully", recorded.into()))
}

/// List outages, newest first.
#[utoipa::path(tag = "operators",
    params(("server_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this server"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<OutageView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/outages")]
pub async fn list_outages(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<OutageView>> {
    let mut query = Query::parse(request.query_string());
    let host_id = query.value("server_id", |text| HostId::parse(text).ok_or(ID));
    let page = page(&mut query, OutageId::parse);
    query.finish()?;
    let found = outage::list(app.store.as_ref(), &signed.caller.into(), host_id, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Outages retrieved successfully", views).continued(next))
}
