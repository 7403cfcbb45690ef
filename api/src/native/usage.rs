//! What one's running things cost, and how long the money lasts.

use actix_web::get;
use actix_web::web::Data;
use domain::meter::{self, Burn, Standing};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::Authenticated;
use super::instances_view::MeterView;
use super::view::Stamp;
use crate::app::App;

#[derive(Serialize, ToSchema)]
pub struct UsageView {
    #[schema(example = "125.5")]
    balance: String,
    /// What was used and is not booked yet.
    #[schema(example = "0.00063611")]
    unbilled: String,
    /// What an hour of all that runs costs.
    #[schema(example = "2.29")]
    per_hour: String,
    #[schema(example = "USD")]
    currency: String,
    /// When the wallet runs dry at this rate; null where nothing runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    runs_dry_at: Option<Stamp>,
    /// `warned` if it will soon, `stopped` if it did; else null.
    #[schema(example = "warned")]
    standing: Option<&'static str>,
    /// When all of it is deleted, unless it is paid for.
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Stamp>,
    meters: Vec<MeterView>,
}

fn usage_view(burn: Burn, currency: &str) -> UsageView {
    let (standing, deleted_at) = match burn.standing {
        None => (None, None),
        Some(Standing::Warned { .. }) => (Some("warned"), None),
        Some(Standing::Stopped { delete_at, .. }) => (Some("stopped"), Some(Stamp(delete_at))),
    };
    UsageView {
        balance: burn.balance.to_decimal().to_string(),
        unbilled: burn.unbilled.to_decimal().to_string(),
        per_hour: burn.per_hour.to_decimal().to_string(),
        currency: currency.to_owned(),
        runs_dry_at: burn.runs_dry_at.map(Stamp),
        standing,
        deleted_at,
        meters: burn.lines.into_iter().map(Into::into).collect(),
    }
}

/// What all that runs on one's account costs, and how long the money lasts.
#[utoipa::path(tag = "wallet", responses((status = 200, body = Success<UsageView>)))]
#[get("/wallet/usage")]
pub async fn show_usage(app: Data<App>, signed: Authenticated) -> Answer<UsageView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let burn = meter::burn(store, clock, &signed.caller).await?;
    let view = usage_view(burn, &app.settings.currency);
    Ok(Success::ok("Usage retrieved successfully", view))
}
