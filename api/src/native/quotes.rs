//! Quotes: prices that hold for a while.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use domain::Error;
use domain::error::Thing;
use domain::host::{HostId, Sla};
use domain::id::hex;
use domain::pool::PoolId;
use domain::quote::{self, AskQuote, Quote, QuoteId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::early_end::percent;
use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, whole};
use super::view::Stamp;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct QuoteBody {
    #[schema(value_type = String, required, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    server_id: Field<String>,
    /// Must be one of the server's durations.
    #[schema(value_type = u32, required, minimum = 1, maximum = 3650, example = 7)]
    #[serde(default)]
    rental_days: Field<i64>,
    /// A pool that one owns or administers.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
}

/// What an early end gives back.
#[derive(Serialize, ToSchema)]
pub struct RefundRuleView {
    /// Always `unused_days`: whole unused days at the price really paid.
    #[schema(example = "unused_days")]
    kind: &'static str,
    /// What is kept of their value.
    #[schema(example = "0.00")]
    fee_percent: String,
}

#[derive(Serialize, ToSchema)]
pub struct QuoteView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    server_id: String,
    pool_id: Option<String>,
    rental_days: u32,
    /// For all days; renting with this quote charges exactly this.
    #[schema(example = "70.00")]
    price: String,
    #[schema(example = "USD")]
    currency: String,
    /// How long the server is kept after the end.
    hold_days: u32,
    refund_rule: RefundRuleView,
    /// What is promised about downtime.
    #[schema(value_type = Option<Object>)]
    sla: Option<Sla>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// Until when it can be used; the server is not reserved meanwhile.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    /// HMAC-SHA-256 over all of the above by the operator's key, in hexadecimal digits.
    signature: String,
    /// The rental that it was used for.
    rental_id: Option<String>,
}

fn quote_view(quote: &Quote, currency: &str) -> QuoteView {
    QuoteView {
        id: quote.id.to_string(),
        server_id: quote.host_id.to_string(),
        pool_id: quote.pool_id.map(|id| id.to_string()),
        rental_days: quote.terms.days,
        price: quote.terms.price.to_string(),
        currency: currency.to_owned(),
        hold_days: quote.terms.hold_days,
        refund_rule: RefundRuleView {
            kind: "unused_days",
            fee_percent: percent(quote.terms.early_end_fee_bp),
        },
        sla: quote.terms.sla,
        created_at: Stamp(quote.created_at),
        expires_at: Stamp(quote.expires_at),
        signature: hex(&quote.signature),
        rental_id: quote.rental_id.map(|id| id.to_string()),
    }
}

/// Ask for a price that holds for a while.
#[utoipa::path(tag = "rentals", request_body = QuoteBody,
    responses((status = 201, body = Success<QuoteView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_DURATION", "NO_PRICING", "SERVER_NOT_FOUND", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "SERVER_UNAVAILABLE"]))))]
#[post("/quotes")]
pub async fn ask_quote(
    app: Data<App>,
    signed: Authenticated,
    body: Body<QuoteBody>,
) -> Answer<QuoteView> {
    let id = "must be 24 lower-case hexadecimal characters";
    let mut check = Check::default();
    let host_id =
        check.required("/server_id", body.0.server_id, |text| HostId::parse(&text).ok_or(id));
    let days = check.required("/rental_days", body.0.rental_days, whole(1, 3_650));
    let pool_id = check.optional("/pool_id", body.0.pool_id, |text| PoolId::parse(&text).ok_or(id));
    let (caller, policy) = (signed.caller, app.settings.rental_policy);
    let lifetime = app.settings.quote_lifetime;
    let request = check.finish(|| {
        Some(AskQuote { caller, host_id: host_id?, days: days?, pool_id, policy, lifetime })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let quote = quote::ask(store, clock, random, app.signer.as_ref(), request).await?;
    let view = quote_view(&quote, &app.settings.currency);
    Ok(Success::created("Quote created successfully", view))
}

/// Look at one of one's quotes.
#[utoipa::path(tag = "rentals", params(("id", description = "Quote identifier")),
    responses((status = 200, body = Success<QuoteView>)),
    extensions(("x-errors" = json!(["QUOTE_NOT_FOUND"]))))]
#[get("/quotes/{id}")]
pub async fn show_quote(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<QuoteView> {
    let id = QuoteId::parse(&id).ok_or(Error::NotFound(Thing::Quote))?;
    let quote = quote::show(app.store.as_ref(), &signed.caller, id).await?;
    let view = quote_view(&quote, &app.settings.currency);
    Ok(Success::ok("Quote retrieved successfully", view))
}
