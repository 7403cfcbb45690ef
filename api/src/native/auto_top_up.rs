//! Automatic top-ups of one's wallet with a saved card.

use actix_web::web::Data;
use actix_web::{delete, get, put};
use domain::payment::{self, AutoTopUp, SetAutoTopUp};
use domain::token::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, amount};
use super::view::Stamp;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct AutoTopUpBody {
    /// Below this balance the wallet is topped up.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "20.00")]
    #[serde(default)]
    threshold: Field<String>,
    /// By how much at a time.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "50.00")]
    #[serde(default)]
    amount: Field<String>,
    /// At most so much in a calendar month (UTC).
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "200.00")]
    #[serde(default)]
    monthly_max: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct AutoTopUpView {
    #[schema(example = "20.00")]
    threshold: String,
    #[schema(example = "50.00")]
    amount: String,
    #[schema(example = "200.00")]
    monthly_max: String,
    #[schema(example = "USD")]
    currency: String,
    /// Whether the card is charged; not after a failure, until this is set again.
    is_on: bool,
    /// Why it stopped, in a word.
    stopped: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

fn auto_top_up_view(wish: AutoTopUp, currency: &str) -> AutoTopUpView {
    AutoTopUpView {
        threshold: wish.threshold.to_string(),
        amount: wish.amount.to_string(),
        monthly_max: wish.monthly_max.to_string(),
        currency: currency.to_owned(),
        is_on: wish.stopped.is_none(),
        stopped: wish.stopped,
        created_at: Stamp(wish.created_at),
        updated_at: Stamp(wish.updated_at),
    }
}

/// Have one's wallet topped up when it runs low, with the card of a payment that saved it.
#[utoipa::path(tag = "wallet", request_body = AutoTopUpBody,
    responses((status = 200, body = Success<AutoTopUpView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "NO_SAVED_METHOD", "PAYMENTS_NOT_CONFIGURED"]))))]
#[put("/wallet/auto-top-up")]
pub async fn set_auto_top_up(
    app: Data<App>,
    signed: Authenticated,
    body: Body<AutoTopUpBody>,
) -> Answer<AutoTopUpView> {
    signed.caller.may(Permission::WalletWrite)?;
    app.payment_context()?;
    let mut check = Check::default();
    let threshold = check.required("/threshold", body.0.threshold, amount);
    let each = check.required("/amount", body.0.amount, amount);
    let monthly_max = check.required("/monthly_max", body.0.monthly_max, amount);
    let (caller, policy) = (signed.caller, app.settings.payment_policy);
    let request = check.finish(|| {
        let (threshold, amount, monthly_max) = (threshold?, each?, monthly_max?);
        Some(SetAutoTopUp { caller, threshold, amount, monthly_max, policy })
    })?;
    let wish = payment::set_auto_top_up(app.store.as_ref(), app.clock.as_ref(), request).await?;
    let view = auto_top_up_view(wish, &app.settings.currency);
    Ok(Success::ok("Automatic top-up saved successfully", view))
}

/// Look at one's automatic top-up.
#[utoipa::path(tag = "wallet", responses((status = 200, body = Success<AutoTopUpView>)),
    extensions(("x-errors" = json!(["AUTO_TOP_UP_NOT_FOUND", "PAYMENTS_NOT_CONFIGURED"]))))]
#[get("/wallet/auto-top-up")]
pub async fn show_auto_top_up(app: Data<App>, signed: Authenticated) -> Answer<AutoTopUpView> {
    signed.caller.may(Permission::WalletRead)?;
    app.payment_context()?;
    let wish = payment::show_auto_top_up(app.store.as_ref(), &signed.caller).await?;
    let view = auto_top_up_view(wish, &app.settings.currency);
    Ok(Success::ok("Automatic top-up retrieved successfully", view))
}

/// Stop having one's wallet topped up.
#[utoipa::path(tag = "wallet", responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["AUTO_TOP_UP_NOT_FOUND", "PAYMENTS_NOT_CONFIGURED"]))))]
#[delete("/wallet/auto-top-up")]
pub async fn stop_auto_top_up(app: Data<App>, signed: Authenticated) -> Answer<Done> {
    signed.caller.may(Permission::WalletWrite)?;
    app.payment_context()?;
    payment::stop_auto_top_up(app.store.as_ref(), app.clock.as_ref(), &signed.caller).await?;
    Ok(Success::done("Automatic top-up removed successfully"))
}
