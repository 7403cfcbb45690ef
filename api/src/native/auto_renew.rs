//! Mandates to renew rentals.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use domain::error::Thing;
use domain::rental::{self, GiveMandate, Mandate, RentalId};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, amount, whole};
use super::view::Stamp;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct MandateBody {
    /// Each renewal's length; one of the server's durations.
    #[schema(value_type = u32, required, minimum = 1, maximum = 3650, example = 7)]
    #[serde(default)]
    days: Field<i64>,
    /// No renewal costs more than this.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "70.00")]
    #[serde(default)]
    max_price: Field<String>,
    /// How many renewals; no end if it is not given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    #[serde(default)]
    max_renewals: Field<i64>,
    /// How long before the end one is told what will happen; 3 if it is not given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 365, example = 3)]
    #[serde(default)]
    notice_days: Field<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct MandateView {
    rental_id: String,
    /// Whose wallet pays.
    payer_id: String,
    days: u32,
    #[schema(example = "70.00")]
    max_price: String,
    #[schema(example = "USD")]
    currency: String,
    max_renewals: Option<u32>,
    /// How many renewals there were.
    renewals: u32,
    notice_days: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

fn mandate_view(mandate: &Mandate, currency: &str) -> MandateView {
    MandateView {
        rental_id: mandate.rental_id.to_string(),
        payer_id: mandate.payer_id.to_string(),
        days: mandate.days,
        max_price: mandate.max_price.to_string(),
        currency: currency.to_owned(),
        max_renewals: mandate.max_renewals,
        renewals: mandate.renewals,
        notice_days: mandate.notice_days,
        created_at: Stamp(mandate.created_at),
    }
}

fn rental_id(id: &str) -> Result<RentalId> {
    RentalId::parse(id).ok_or(Error::NotFound(Thing::Rental))
}

/// Have a rental renewed automatically.
///
/// In the hour before its end it is renewed once at the price of the day, if that is not above
/// `max_price` and the wallet covers it. Otherwise nothing is charged, the rental goes to hold, and it
/// is tried again every hour until the hold ends. Notifications tell what will happen `notice_days`
/// ahead, and what was refused.
#[utoipa::path(tag = "rentals", request_body = MandateBody, params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<MandateView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_DURATION", "NO_PRICING", "RENTAL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "RENTAL_ENDED"]))))]
#[put("/rentals/{id}/auto-renew")]
pub async fn give_mandate(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<MandateBody>,
) -> Answer<MandateView> {
    let rental_id = rental_id(&id)?;
    let mut check = Check::default();
    let days = check.required("/days", body.0.days, whole(1, 3_650));
    let max_price = check.required("/max_price", body.0.max_price, amount);
    let max_renewals = check.optional("/max_renewals", body.0.max_renewals, whole(1, 10_000));
    let notice_days = check.optional("/notice_days", body.0.notice_days, whole(1, 365));
    let notice_days = notice_days.unwrap_or(3);
    let caller = signed.caller;
    let request = check.finish(|| {
        let (days, max_price) = (days?, max_price?);
        Some(GiveMandate { caller, rental_id, days, max_price, max_renewals, notice_days })
    })?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let mandate = rental::give_mandate(store, clock, request).await?;
    let view = mandate_view(&mandate, &app.settings.currency);
    Ok(Success::ok("Automatic renewal switched on", view))
}

/// Look at how a rental is renewed.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<MandateView>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND", "MANDATE_NOT_FOUND"]))))]
#[get("/rentals/{id}/auto-renew")]
pub async fn show_mandate(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<MandateView> {
    let store = app.store.as_ref();
    let mandate = rental::show_mandate(store, &signed.caller, rental_id(&id)?).await?;
    let view = mandate_view(&mandate, &app.settings.currency);
    Ok(Success::ok("Automatic renewal retrieved successfully", view))
}

/// Stop renewing a rental.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "MANDATE_NOT_FOUND"]))))]
#[delete("/rentals/{id}/auto-renew")]
pub async fn revoke_mandate(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    rental::revoke_mandate(store, clock, &signed.caller, rental_id(&id)?).await?;
    Ok(Success::done("Automatic renewal switched off"))
}
