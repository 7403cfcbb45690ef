//! Plans, as instance types, and which of them could be had now.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Months;
use domain::Error;
use domain::capacity::{self, AvailabilityFilter};
use domain::error::Thing;
use domain::image::Image;
use domain::money::Money;
use domain::plan::{self, Plan, PlanCode};
use serde_json::{Value, json};

use super::catalogue::{images, location, plans};
use super::error::{Code, Failure};
use super::project::{MaybeProject, Project};
use super::shapes::{cpu, gpu_memory, gpus, manufacturer, memory};
use crate::app::App;
use crate::http::Query;

const UNKNOWN: Failure = Failure::Told(Code::NotFound, "Instance type not found");

/// Every plan that is sold to who asks. Anybody may look; prices are in the one currency of the deployment,
/// whichever is asked for.
pub async fn list(app: Data<App>, project: MaybeProject) -> Result<HttpResponse, Failure> {
    let plans = plans(&app, project.caller()).await?;
    let images = images(&app, None).await?;
    let currency = app.settings.currency.to_ascii_lowercase();
    let types = plans.iter().filter_map(|plan| instance_type(plan, &images, &currency));
    Ok(HttpResponse::Ok().json(types.collect::<Vec<_>>()))
}

/// One of them by its name.
pub async fn show(
    app: Data<App>,
    project: MaybeProject,
    name: Path<String>,
) -> Result<HttpResponse, Failure> {
    let code = PlanCode::parse(&name).map_err(|_| UNKNOWN)?;
    let plan = match plan::show(app.store.as_ref(), project.caller(), &code).await {
        Err(Error::NotFound(Thing::Plan)) => return Err(UNKNOWN),
        plan => plan?,
    };
    let currency = app.settings.currency.to_ascii_lowercase();
    let shown = instance_type(&plan, &images(&app, None).await?, &currency).ok_or(UNKNOWN)?;
    Ok(HttpResponse::Ok().json(shown))
}

/// `None` for a plan that is sold neither on demand nor spot.
fn instance_type(plan: &Plan, images: &[Image], currency: &str) -> Option<Value> {
    let (on_demand, spot) = (plan.pricing.per_hour, plan.pricing.spot_per_hour);
    // Clients read both as numbers and fail without one; an order at the one that is missing is refused.
    let (per_hour, spot) = (on_demand.or(spot)?.exact(), spot.or(on_demand)?.exact());
    let gpu = plan.shape.gpu.as_ref();
    let fits = |image: &&Image| image.fits(plan.shape.disk_gb);
    let supported: Vec<&str> =
        images.iter().filter(fits).map(|image| image.code.as_str()).collect();
    Some(json!({
        "id": plan.id.uuid().to_string(),
        "instance_type": plan.code.as_str(),
        "name": plan.name,
        "display_name": display_name(plan),
        "description": plan.description,
        "model": gpu.map_or("", |gpu| gpu.model.as_str()),
        "manufacturer": manufacturer(gpu),
        "cpu": cpu(plan.shape.cpus),
        "gpu": gpus(plan.shape.gpus(), &plan.name),
        "gpu_memory": gpu_memory(gpu),
        "memory": memory(plan.shape.ram_mib),
        "storage": { "description": "dynamic" },
        "price_per_hour": per_hour,
        "spot_price": spot,
        "dynamic_price": per_hour,
        "max_dynamic_price": per_hour,
        "serverless_price": null,
        "serverless_spot_price": null,
        "currency": currency,
        "best_for": [],
        "p2p": "",
        "deploy_warning": null,
        "supported_os": supported,
    }))
}

/// Such as `NVIDIA H100 SXM5 80GB`.
fn display_name(plan: &Plan) -> String {
    format!("{} {}", manufacturer(plan.shape.gpu.as_ref()), plan.name).trim().to_owned()
}

/// The last price of each day on which a type came to cost something else, the newest first; one month back, or
/// as many as are asked for. Prices are fixed.
pub async fn price_history(
    app: Data<App>,
    project: MaybeProject,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let months = query.number("num_of_months", 1, 120).unwrap_or(1);
    query.finish()?;
    let now = app.clock.now();
    let since = now.checked_sub_months(Months::new(months)).unwrap_or(now);
    let currency = app.settings.currency.to_ascii_lowercase();
    let changes = plan::price_changes(app.store.as_ref(), project.caller(), since).await?;
    let history = changes.into_iter().map(|(plan, prices)| {
        let mut days: Vec<Value> = Vec::new();
        let mut last = None;
        for price in prices {
            let day = price.changed_at.date_naive();
            let per_hour = price.per_hour.or(price.spot_per_hour).filter(|_| last != Some(day));
            let Some(per_hour) = per_hour.map(Money::exact) else { continue };
            last = Some(day);
            days.push(json!({
                "date": day.to_string(),
                "fixed_price_per_hour": per_hour,
                "dynamic_price_per_hour": per_hour,
                "currency": currency,
            }));
        }
        (plan.code.to_string(), Value::from(days))
    });
    Ok(HttpResponse::Ok().json(history.collect::<serde_json::Map<_, _>>()))
}

/// Kinds of containers without an instance: none are sold.
pub async fn list_for_containers() -> Result<HttpResponse, Failure> {
    Ok(HttpResponse::Ok().json(Vec::<Value>::new()))
}

/// What could be had now, an entry for each location.
pub async fn availabilities(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let filter = filter(&request)?;
    let caller = Some(&project.caller);
    let found = capacity::available(app.store.as_ref(), caller, &filter).await?;
    let shown = found.iter().map(|here| {
        let types: Vec<&str> = here.plans.iter().map(PlanCode::as_str).collect();
        json!({ "location_code": here.location.as_str(), "availabilities": types })
    });
    Ok(HttpResponse::Ok().json(shown.collect::<Vec<_>>()))
}

/// Whether this type could be had now, somewhere or there.
pub async fn is_available(
    app: Data<App>,
    project: Project,
    name: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let code = PlanCode::parse(&name).map_err(|_| UNKNOWN)?;
    let filter = AvailabilityFilter { plan: Some(code), ..filter(&request)? };
    let caller = Some(&project.caller);
    let found = capacity::available(app.store.as_ref(), caller, &filter).await?;
    Ok(HttpResponse::Ok().json(found.iter().any(|here| !here.plans.is_empty())))
}

/// Clients spell either parameter in one of two ways.
fn filter(request: &HttpRequest) -> Result<AvailabilityFilter, Failure> {
    let mut query = Query::parse(request.query_string());
    let is_spot = query.flag("is_spot") | query.flag("isSpot");
    let location = location(&mut query);
    query.finish()?;
    Ok(AvailabilityFilter { location, plan: None, is_spot, nodes: 1 })
}
