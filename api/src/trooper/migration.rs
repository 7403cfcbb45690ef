//! Brings a server to another model: what there is, what it costs, and to do it.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::Unpayable;
use domain::instance::{self, Instance, InstanceTerms, Migrate, MigrationCost};
use domain::money::Money;
use domain::number::{self, Numbered};
use domain::plan::{self, Interval, Sale};
use domain::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Owner;
use super::body::{Json, whole};
use super::error::Failure;
use super::orders_view::status;
use super::{Answer, acting, order_asked_for, ordered, reading};
use crate::app::App;
use crate::floats::amount;
use crate::instants::to_the_millisecond as instant;

pub fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/api/migration-options", options))
        .service(acting("/api/migration-cost", cost))
        .service(acting("/api/buy-migration", buy));
}

/// The models that a server can be brought to, and what an interval of them costs more.
async fn options(app: Data<App>, owner: Owner, request: HttpRequest) -> Answer {
    let order = order_asked_for(&request)?;
    let (store, caller) = (app.store.as_ref(), &owner.0);
    let instance = instance::numbered(store, caller, order).await?.instance;
    let paid = instance.paid().ok_or_else(not_prepaid)?;
    let mut sales = plan::sales(store, Some(caller)).await?;
    // The account may see what is for another of its pools.
    sales.retain(|sale| sale.plan.is_offered_to(instance.pool_id));
    let fits = plan::fits(store, &sales).await?;
    let current = sales.iter().find(|sale| is_of(&instance, sale));
    let others = sales.iter().zip(&fits).filter(|(sale, _)| !is_of(&instance, sale));
    let others = others.filter_map(|(sale, fit)| {
        let price = sale.plan.pricing.prepaid(paid.interval)?;
        Some(option(sale, fit.instances > 0, price.saturating_sub(paid.price)))
    });
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "currentOrder": {
            "id": order,
            "title": instance.name,
            "status": status(instance.status()),
            "contract_interval": paid.interval.as_str(),
            "paid_until": instant(paid.lasts_until(app.clock.now())),
        },
        "currentBlib": blib(&instance.terms, current.map(|sale| sale.number)),
        "availableBlibs": others.collect::<Vec<_>>(),
    })))
}

fn not_prepaid() -> Error {
    Error::invalid("order_id", "is not paid by the interval, so that there is nothing to migrate")
}

fn is_of(instance: &Instance, sale: &Sale) -> bool {
    instance.terms.code() == sale.plan.code.as_str() && instance.location == sale.location.code
}

fn blib(terms: &InstanceTerms, number: Option<i64>) -> Value {
    json!({
        "id": number,
        "name": terms.name(),
        "gpu_type": terms.shape.gpu.as_ref().map_or("", |gpu| &gpu.model),
        "gpu_num": terms.shape.gpus(),
        "price_h": amount(terms.per_hour),
    })
}

fn option(sale: &Sale, is_available: bool, more: Money) -> Value {
    let shape = &sale.plan.shape;
    json!({
        "id": sale.number,
        "name": sale.plan.name,
        "gpu_type": shape.gpu.as_ref().map_or("", |gpu| &gpu.model),
        "gpu_num": shape.gpus(),
        "price_h": amount(sale.per_hour),
        "country_code": sale.location.country,
        "is_available": is_available,
        "additionalCostPerCycle": amount(more),
    })
}

#[derive(Deserialize)]
struct Wish {
    order_id: Option<Value>,
    target_blib_id: Option<Value>,
    keep_data: Option<bool>,
}

/// The numbers of the order and of the model.
fn numbers(wish: &Wish) -> Result<(i64, i64)> {
    let mut faults = Vec::new();
    let order = whole(&mut faults, "order_id", wish.order_id.as_ref());
    let target = whole(&mut faults, "target_blib_id", wish.target_blib_id.as_ref());
    Error::unless_empty(faults).map(|()| (order, target))
}

/// What it would cost now.
async fn cost(app: Data<App>, owner: Owner, body: Json<Wish>) -> Answer {
    let (order, target) = numbers(&body.0)?;
    let (store, clock, caller) = (app.store.as_ref(), app.clock.as_ref(), &owner.0);
    let detail = instance::numbered(store, caller, order).await?;
    let paid = detail.instance.paid().ok_or_else(not_prepaid)?;
    let sale = plan::sale(store, Some(caller), target).await?;
    let wanted = (detail.instance.id, &sale.plan.code);
    let cost = instance::migration_cost(store, clock, caller, wanted).await?;
    let rates = (paid.interval, app.settings.currency.as_str());
    Ok(HttpResponse::Ok().json(told(&cost, rates)))
}

fn told(cost: &MigrationCost, rates: (Interval, &str)) -> Value {
    let ((_, old), (_, new)) = (&cost.current, &cost.next);
    json!({
        "success": true,
        "upgradeCost": amount(*new),
        "remainingValue": amount(cost.credit),
        "totalDue": amount(cost.due),
        "additionalCostPerCycle": amount(new.saturating_sub(*old)),
        "nextBillingDate": instant(cost.paid_until),
        "currentRate": rate(*old, rates),
        "newRate": rate(*new, rates),
    })
}

fn rate(price: Money, (interval, currency): (Interval, &str)) -> Value {
    let sign = match currency {
        "EUR" => "€".to_owned(),
        "USD" => "$".to_owned(),
        other => format!("{other} "),
    };
    let display = format!("{sign}{price}/{}", interval.as_str().to_ascii_lowercase());
    json!({ "amount": amount(price), "display": display })
}

/// Orders the server that takes the place of this one.
async fn buy(app: Data<App>, owner: Owner, body: Json<Wish>) -> Answer {
    let (order, target) = numbers(&body.0)?;
    let (store, clock, means) = (app.store.as_ref(), app.clock.as_ref(), app.means());
    let id = ordered(&app, &owner.0, order).await?;
    let sale = plan::sale(store, Some(&owner.0), target).await?;
    let request = Migrate {
        caller: owner.0,
        id,
        plan: sale.plan.code,
        location: sale.location.code,
        // Nobody loses what is on a disk by leaving a word out.
        keeps_data: body.0.keep_data.unwrap_or(true),
    };
    let by = (&app.settings.instance_policy, &request);
    let made = Box::pin(instance::migrate(store, clock, means, by)).await;
    let made = made.map_err(|fault| match fault {
        Error::Unpayable(Unpayable::InsufficientBalance { .. }) => Failure::Budget,
        other => Failure::Domain(other),
    })?;
    let numbers = number::each(store, Numbered::Instance, &[made.id.uuid()]).await?;
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "message": "Migration initiated successfully",
        "new_order_id": numbers.first(),
    })))
}
