//! Deposits by card.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, get, post};
use domain::Error;
use domain::error::Thing;
use domain::payment::{self, CheckOut, CheckoutPages, Payment, PaymentId, PaymentState, Purpose};
use domain::token::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::error::Failure;
use super::extract::{Authenticated, Body, IdempotencyHeader, page};
use super::field::{Check, Field, amount, as_is};
use super::view::Stamp;
use crate::app::App;
use crate::http::{Query, read_bytes};

#[derive(Deserialize, ToSchema)]
pub struct CheckoutBody {
    /// In whole cents, between the operator's minimum and maximum.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "25.00")]
    #[serde(default)]
    amount: Field<String>,
    /// Where the payer is sent after paying.
    #[schema(value_type = String, required, max_length = 2048, example = "https://front.example/paid")]
    #[serde(default)]
    success_url: Field<String>,
    /// Where the payer is sent after giving up.
    #[schema(value_type = String, required, max_length = 2048, example = "https://front.example/wallet")]
    #[serde(default)]
    cancel_url: Field<String>,
    /// Whether the card may be charged later for automatic top-ups.
    #[schema(value_type = Option<bool>, example = false)]
    #[serde(default)]
    save_method: Field<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct PaymentView {
    #[schema(example = "507f1f77bcf86cd799439330")]
    id: String,
    /// `checkout` (paid on a page) or `top_up` (a saved card was charged).
    #[schema(example = "checkout")]
    purpose: &'static str,
    /// `pending`, `paid`, `expired` or `failed`.
    #[schema(example = "pending")]
    status: &'static str,
    /// Why it failed, in a word.
    failure: Option<String>,
    /// What was asked for.
    #[schema(example = "25.00")]
    amount: String,
    /// What was captured and credited.
    #[schema(example = "0.00")]
    credited: String,
    /// What of it was refunded or withdrawn by a dispute.
    #[schema(example = "0.00")]
    reversed: String,
    #[schema(example = "USD")]
    currency: String,
    /// The page on which to pay.
    checkout_url: Option<String>,
    /// The deposit among one's transactions.
    transaction_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// Until when it can be paid.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

fn payment_view(payment: Payment, currency: &str) -> PaymentView {
    PaymentView {
        id: payment.id.to_string(),
        purpose: match payment.purpose {
            Purpose::Checkout(_) => "checkout",
            Purpose::TopUp => "top_up",
        },
        status: match payment.state {
            PaymentState::Pending => "pending",
            PaymentState::Paid => "paid",
            PaymentState::Expired => "expired",
            PaymentState::Failed => "failed",
        },
        failure: payment.failure,
        amount: payment.amount.to_string(),
        credited: payment.credited.to_string(),
        reversed: payment.reversed.to_string(),
        currency: currency.to_owned(),
        checkout_url: payment.checkout_url,
        transaction_id: payment.posting_id.map(|id| id.to_string()),
        created_at: Stamp(payment.created_at),
        expires_at: Stamp(payment.expires_at),
        updated_at: Stamp(payment.updated_at),
    }
}

/// An address that a browser can be sent to.
fn web_address(text: String) -> Result<String, &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host =
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_alphanumeric()));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_host && is_plain && text.len() <= 2_048 {
        Ok(text)
    } else {
        Err("must be an https or http address of at most 2048 ASCII characters")
    }
}

/// Open a page on which to pay money in by card.
#[utoipa::path(tag = "wallet", request_body = CheckoutBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<PaymentView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS", "PAYMENT_PROVIDER_UNAVAILABLE", "PAYMENTS_NOT_CONFIGURED"]))))]
#[post("/wallet/payments/stripe/checkout")]
pub async fn open_checkout(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<CheckoutBody>,
) -> Answer<PaymentView> {
    signed.caller.may(Permission::WalletWrite)?;
    let context = app.payment_context()?;
    let mut check = Check::default();
    let amount = check.required("/amount", body.0.amount, amount);
    let success_url = check.required("/success_url", body.0.success_url, web_address);
    let cancel_url = check.required("/cancel_url", body.0.cancel_url, web_address);
    let save_method = check.optional("/save_method", body.0.save_method, as_is);
    let (caller, policy) = (signed.caller, app.settings.payment_policy);
    let request = check.finish(|| {
        let (success_url, cancel_url) = (success_url?, cancel_url?);
        let save_method = save_method.unwrap_or(false);
        let pages = CheckoutPages { success_url, cancel_url, save_method };
        Some(CheckOut { caller, amount: amount?, pages, policy, idempotency_key: once.0 })
    })?;
    let payment = payment::check_out(context, request).await?;
    let view = payment_view(payment, &app.settings.currency);
    Ok(Success::created("Checkout opened successfully", view))
}

/// List one's payments by card, newest first.
#[utoipa::path(tag = "wallet",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<PaymentView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "PAYMENTS_NOT_CONFIGURED"]))))]
#[get("/wallet/payments/stripe/intents")]
pub async fn list_payments(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<PaymentView>> {
    signed.caller.may(Permission::WalletRead)?;
    app.payment_context()?;
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, PaymentId::parse);
    query.finish()?;
    let found = payment::all(app.store.as_ref(), &signed.caller, page).await?;
    let next = found.next.map(|id| id.to_string());
    let currency = &app.settings.currency;
    let views = found.rows.into_iter().map(|payment| payment_view(payment, currency));
    Ok(Success::ok("Payments retrieved successfully", views.collect()).continued(next))
}

/// Look at one of one's payments by card.
#[utoipa::path(tag = "wallet", params(("id", description = "Payment identifier")),
    responses((status = 200, body = Success<PaymentView>)),
    extensions(("x-errors" = json!(["PAYMENT_NOT_FOUND", "PAYMENTS_NOT_CONFIGURED"]))))]
#[get("/wallet/payments/stripe/intents/{id}")]
pub async fn show_payment(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<PaymentView> {
    signed.caller.may(Permission::WalletRead)?;
    app.payment_context()?;
    let id = PaymentId::parse(&id).ok_or(Error::NotFound(Thing::Payment))?;
    let payment = payment::show(app.store.as_ref(), &signed.caller, id).await?;
    let view = payment_view(payment, &app.settings.currency);
    Ok(Success::ok("Payment retrieved successfully", view))
}

/// Hear of a payment from Stripe.
///
/// For Stripe alone, which signs what it sends. A message is a hint: it makes Berth ask Stripe.
#[utoipa::path(tag = "wallet", security(()), request_body(content = Object, content_type = "application/json"),
    params(("Stripe-Signature" = Option<String>, Header, description = "As `t=SECONDS,v1=HEX`")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["INVALID_SIGNATURE", "PAYMENTS_NOT_CONFIGURED"]))))]
#[post("/wallet/payments/stripe/webhook")]
pub async fn hear_stripe(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer<Done> {
    let cards = app.cards.as_ref().ok_or(Error::PaymentsNotConfigured)?;
    let deadline = app.settings.client_deadline;
    let body = read_bytes(&request, payload, deadline).await;
    let body = body.map_err(Failure::Body)?;
    let signature = request.headers().get("stripe-signature");
    let signature = signature.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let hint = cards.events.read(signature, &body, app.outside_now());
    let hint = hint.ok_or(Error::InvalidSignature)?;
    payment::hear(app.store.as_ref(), app.clock.as_ref(), hint).await?;
    Ok(Success::done("Event heard"))
}
