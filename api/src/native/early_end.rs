//! Ending a rental before its time.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use domain::clock::Timestamp;
use domain::error::Thing;
use domain::rental::{
    self, RentalId, RentalStatus, Share, TerminateRental, Terminated, TerminationPreview,
};
use domain::wallet::Basis;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader};
use super::field::{Check, Field, amount};
use super::rental_view::{ChargeView, charge_view};
use super::view::Stamp;
use crate::app::App;

/// What is given back of one paid period.
#[derive(Serialize, ToSchema)]
pub struct RefundShareView {
    #[schema(value_type = String, format = DateTime)]
    period_start: Stamp,
    #[schema(value_type = String, format = DateTime)]
    period_end: Stamp,
    /// What was really paid for the period.
    #[schema(example = "70.00")]
    paid: String,
    /// What was given back of it before.
    #[schema(example = "0.00")]
    returned_before: String,
    days: u32,
    /// Whole days that lie ahead.
    unused_days: u32,
    /// What would be given back, rounded down to the cent.
    #[schema(example = "60.00")]
    refund_amount: String,
}

fn share_view(share: Share, at: Timestamp) -> RefundShareView {
    let period = share.period;
    RefundShareView {
        period_start: Stamp(period.starts_at),
        period_end: Stamp(period.ends_at),
        paid: period.price.to_string(),
        returned_before: period.returned.to_string(),
        days: period.days(),
        unused_days: match share.basis {
            Basis::EarlyEnd(end) => end.unused_days,
            _ => period.unused_days(at),
        },
        refund_amount: share.amount.to_string(),
    }
}

/// What ending a rental now would give back.
#[derive(Serialize, ToSchema)]
pub struct TerminationPreviewView {
    rental_id: String,
    /// All that would be given back, to whoever paid it.
    #[schema(example = "60.00")]
    refund_amount: String,
    #[schema(example = "USD")]
    currency: String,
    /// What is kept of the value of unused days, as the rental's terms say.
    #[schema(example = "0.00")]
    fee_percent: String,
    /// True if the server never became ready: then everything is given back.
    never_ready: bool,
    periods: Vec<RefundShareView>,
    /// The moment that this holds for.
    #[schema(value_type = String, format = DateTime)]
    calculated_at: Stamp,
}

fn preview_view(preview: TerminationPreview, currency: &str) -> TerminationPreviewView {
    let fee_bp = preview.rental.terms.early_end_fee_bp;
    TerminationPreviewView {
        rental_id: preview.rental.id.to_string(),
        refund_amount: preview.refund.to_string(),
        currency: currency.to_owned(),
        fee_percent: percent(fee_bp),
        never_ready: preview.rental.ready_at.is_none(),
        periods: preview.shares.into_iter().map(|share| share_view(share, preview.at)).collect(),
        calculated_at: Stamp(preview.at),
    }
}

/// Hundredths of a percent as a percentage with two decimals.
pub fn percent(basis_points: u32) -> String {
    format!("{}.{:02}", basis_points / 100, basis_points % 100)
}

#[derive(Deserialize, ToSchema)]
pub struct TerminateBody {
    /// Refuse with `REFUND_CHANGED` unless exactly this is given back: `refund_amount` of the preview.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,10}([.][0-9]{1,2})?$", example = "60.00")]
    #[serde(default)]
    expected_refund: Field<String>,
}

/// A rental that was just ended.
#[derive(Serialize, ToSchema)]
pub struct EndedRentalView {
    #[schema(example = "507f1f77bcf86cd799439320")]
    id: String,
    /// `terminated`.
    #[schema(value_type = String, example = "terminated")]
    status: RentalStatus,
    /// All rent so far.
    #[schema(example = "70.00")]
    amount: String,
    /// What was given back of it: refunds and credits.
    #[schema(example = "60.00")]
    refunded: String,
}

/// The answer to an early end.
#[derive(Serialize, ToSchema)]
pub struct TerminatedView {
    rental: EndedRentalView,
    /// All that was given back by ending it.
    #[schema(example = "60.00")]
    refund_amount: String,
    /// One for each period of which something was given back.
    transactions: Vec<ChargeView>,
}

fn terminated_view(ended: &Terminated, currency: &str) -> TerminatedView {
    TerminatedView {
        rental: EndedRentalView {
            id: ended.rental.id.to_string(),
            status: ended.rental.status(),
            amount: ended.rental.amount.to_string(),
            refunded: ended.rental.refunded.to_string(),
        },
        refund_amount: ended.refund.to_string(),
        transactions: ended.refunds.iter().map(|refund| charge_view(refund, currency)).collect(),
    }
}

fn rental_id(id: &str) -> Result<RentalId> {
    RentalId::parse(id).ok_or(Error::NotFound(Thing::Rental))
}

/// Look at what ending a rental now would give back.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<TerminationPreviewView>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND", "RENTAL_ENDED"]))))]
#[get("/rentals/{id}/termination-preview")]
pub async fn preview_termination(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<TerminationPreviewView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let preview =
        rental::termination_preview(store, clock, &signed.caller, rental_id(&id)?).await?;
    let view = preview_view(preview, &app.settings.currency);
    Ok(Success::ok("Termination preview retrieved successfully", view))
}

/// End a rental early.
///
/// The server is taken back and wiped at once. The whole unused days are refunded to whoever paid for
/// them, at the price really paid, less the fee of the rental's terms; all of it, if the server never
/// became ready.
#[utoipa::path(tag = "rentals", request_body = TerminateBody,
    params(("id", description = "Rental identifier"), ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 200, body = Success<TerminatedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "RENTAL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "RENTAL_ENDED", "REFUND_CHANGED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/rentals/{id}/terminate")]
pub async fn terminate_rental(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    id: Path<String>,
    body: Body<TerminateBody>,
) -> Answer<TerminatedView> {
    let rental_id = rental_id(&id)?;
    let mut check = Check::default();
    let expected_refund = check.optional("/expected_refund", body.0.expected_refund, amount);
    let (caller, idempotency_key) = (signed.caller, once.0);
    let request = check
        .finish(|| Some(TerminateRental { caller, rental_id, expected_refund, idempotency_key }))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let ended = rental::terminate(store, clock, random, request).await?;
    let view = terminated_view(&ended, &app.settings.currency);
    Ok(Success::ok("Rental terminated successfully", view))
}
