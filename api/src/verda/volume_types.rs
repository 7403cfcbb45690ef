//! Kinds of volumes and what they cost.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::meter::SECONDS_PER_MONTH;
use domain::money::Money;
use domain::volume::VolumeType;
use rust_decimal::Decimal;
use serde_json::{Number, Value, json};

use super::catalogue::is_shared;
use super::error::Failure;
use crate::app::App;
use crate::floats::{amount, number};

/// Every kind that is sold. Anybody may look. How fast they are nobody has measured: 0 and nothing.
pub async fn list(app: Data<App>) -> Result<HttpResponse, Failure> {
    let currency = app.settings.currency.to_ascii_lowercase();
    let types = app.settings.instance_policy.volume_types.iter();
    let shown: Vec<Value> = types.map(|kind| volume_type(kind, &currency)).collect();
    Ok(HttpResponse::Ok().json(shown))
}

fn volume_type(kind: &VolumeType, currency: &str) -> Value {
    json!({
        "type": kind.name,
        "price": {
            "price_per_month_per_gb": amount(kind.price_per_gb),
            "cps_per_gb": per_second(kind.price_per_gb),
            "currency": currency,
        },
        "is_shared_fs": is_shared(&kind.name),
        "burst_bandwidth": 0,
        "continuous_bandwidth": 0,
        "internal_network_speed": 0,
        "iops": "",
        "throughput_gbps": 0,
    })
}

/// For people: what is charged is computed from the price of a month.
fn per_second(per_month: Money) -> Number {
    let exact = Decimal::new(per_month.e8(), 8) / Decimal::from(SECONDS_PER_MONTH);
    number(&exact.to_string())
}
