//! What instances have cost.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::meter::{self, NumberedCost};
use serde_json::{Value, json};

use super::account::Account;
use super::error::Failure;
use super::query::{PAGE_SIZE, part};
use super::view::instant;
use crate::app::App;
use crate::floats::amount;
use crate::http::Query;

/// A stretch of an instance at one price.
fn shown(row: &NumberedCost, currency: &str) -> Value {
    let (cost, meter) = (&row.cost, &row.cost.line.meter);
    json!({
        "id": row.number,
        "instanceId": row.instance_number,
        "instanceName": cost.instance_name,
        "rentalType": if meter.is_spot { "interruptible" } else { "demand" },
        "startedAt": instant(meter.started_at),
        "endedAt": meter.ended_at.map(instant),
        "duration": cost.line.seconds,
        "pricePerHour": amount(meter.rate.hourly()),
        "amount": amount(cost.line.amount),
        "currency": currency,
    })
}

/// The stretches of all instances, or of one, newest first.
pub async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let number = |text: &str| text.parse::<i64>().map_err(|_| "must be a whole number");
    let instance = query.value("instanceId", number);
    let part = part(&mut query, PAGE_SIZE);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let costs = meter::costs_part(store, clock, &account.0, instance, part).await?;
    let currency = &app.settings.currency;
    let rows: Vec<Value> = costs.iter().map(|row| shown(row, currency)).collect();
    Ok(HttpResponse::Ok().json(rows))
}
