//! What somebody has, and for how long their money lasts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::meter;
use serde_json::json;

use super::account::Account;
use super::error::Failure;
use crate::app::App;
use crate::floats::{amount, hundredths};

/// Seconds in a hundredth of an hour.
const SECONDS: i64 = 36;

/// Hours are told to the hundredth, rounded down, and as 0 where nothing costs anything, as in the document's
/// example: its clients read a number.
pub async fn show(app: Data<App>, account: Account) -> Result<HttpResponse, Failure> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let summary = meter::summary(store, clock, &account.0).await?;
    let hours_e2 = summary.lasts.map_or(0, |lasts| lasts.num_seconds() / SECONDS);
    Ok(HttpResponse::Ok().json(json!({
        "all": {
            "active": { "rri": summary.instances, "rriCountTotal": summary.instance_count }
        },
        "rentalAvailability": {
            "pricePerInstances": amount(summary.per_hour),
            "balanceRental": amount(summary.balance),
            "availableRentalHours": hundredths(hours_e2),
        }
    })))
}
