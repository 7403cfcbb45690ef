//! What instances have cost.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use domain::instance::InstanceId;
use domain::meter::{self, Cost, MeterId};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, bounded_page};
use super::field::ID;
use super::instances_view::MeterView;
use crate::app::App;
use crate::http::Query;

/// What an instance cost at one price.
#[derive(Serialize, ToSchema)]
pub struct CostView {
    #[serde(flatten)]
    meter: MeterView,
    /// What the instance is called now; where it has gone to somebody else's pool, the meter's name.
    #[schema(example = "hazy-star")]
    instance_name: String,
    /// Whether that was the price of an instance that could be evicted.
    is_spot: bool,
    #[schema(example = "USD")]
    currency: String,
}

fn cost_view(cost: Cost, currency: &str) -> CostView {
    CostView {
        is_spot: cost.line.meter.is_spot,
        instance_name: cost.instance_name,
        meter: cost.line.into(),
        currency: currency.to_owned(),
    }
}

/// What instances have cost in one's pools, meter by meter, newest first: at most 500 at a time.
///
/// A meter is for the pool that its instance was in, also when that has gone to another since.
#[utoipa::path(tag = "wallet",
    params(("instance_id" = Option<String>, Query, description = "Only of this instance"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Rows on a page"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<CostView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSTANCE_NOT_FOUND"]))))]
#[get("/billing")]
pub async fn list_costs(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<CostView>> {
    let mut query = Query::parse(request.query_string());
    let instance_id = query.value("instance_id", |text| InstanceId::parse(text).ok_or(ID));
    let page = bounded_page(&mut query, MeterId::parse);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let found = meter::costs(store, clock, &signed.caller, instance_id, page).await?;
    let next = found.next.map(|id| id.to_string());
    let currency = &app.settings.currency;
    let views = found.rows.into_iter().map(|cost| cost_view(cost, currency)).collect();
    Ok(Success::ok("Costs retrieved successfully", views).continued(next))
}
