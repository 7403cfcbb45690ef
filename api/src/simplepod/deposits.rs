//! What was paid in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::money::Money;
use domain::payment::{self, Deposit, DepositMethod, PaymentState};
use serde_json::{Value, json};

use super::account::Account;
use super::error::Failure;
use super::query::{PAGE_SIZE, part};
use super::view::instant;
use crate::app::App;
use crate::floats::amount;
use crate::http::Query;

fn shown((deposit, number): &(Deposit, i64), currency: &str) -> Value {
    let (remaining, is_paid) = (deposit.remaining(), deposit.state == PaymentState::Paid);
    let is_gone = is_paid && remaining <= Money::ZERO;
    json!({
        "id": number,
        // What came of it, so that the sum of what is paid is right; of what is gone, what it was.
        "amount": amount(if is_gone { deposit.amount } else { remaining }),
        "currency": currency,
        "method": match deposit.method {
            DepositMethod::Card(_) => "card",
            DepositMethod::Manual(_) => "manual",
        },
        "status": match deposit.state {
            PaymentState::Pending => "pending",
            PaymentState::Paid if is_gone => "refunded",
            PaymentState::Paid if deposit.reversed > Money::ZERO => "partially_refunded",
            PaymentState::Paid => "paid",
            PaymentState::Expired => "expired",
            PaymentState::Failed => "failed",
        },
        "createdAt": instant(deposit.created_at),
        "confirmedAt": deposit.confirmed_at.map(instant),
    })
}

/// One's deposits, newest first.
pub async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let part = part(&mut query, PAGE_SIZE);
    query.finish()?;
    let deposits = payment::deposits_part(app.store.as_ref(), &account.0, part).await?;
    let currency = &app.settings.currency;
    let rows: Vec<Value> = deposits.iter().map(|row| shown(row, currency)).collect();
    Ok(HttpResponse::Ok().json(rows))
}
