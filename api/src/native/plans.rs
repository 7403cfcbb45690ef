//! Plans.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, put};
use domain::error::Thing;
use domain::location::LocationCode;
use domain::plan::{
    self, GpuShape, Interval, IntervalPrice, LongTerm, LongTermCode, PlanCode, PlanDraft,
    PlanFilter, PlanPlace, PlanPricing, Shape,
};
use domain::pool::PoolId;
use domain::{Error, Result};

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, MaybeAuthenticated, page};
use super::field::{Check, Field, ID, Nested, amount, as_is, count};
use super::plans_view::{
    AdminPlanView, GpuBody, IntervalPriceBody, LongTermBody, PlanBody, PlanPriceView,
    PlanPricingBody, PlanView, ShapeBody, admin_plan_view, plan_view,
};
use crate::app::App;
use crate::config::basis_points;
use crate::http::Query;

/// What generated clients can hold in 32 bits.
const MAX_FILTER: u32 = 2_147_483_647;
const WHOLE_PERCENT: u32 = 100;

/// A plan of a path; what cannot be a code names nothing.
fn plan_code(text: &str) -> Result<PlanCode> {
    PlanCode::parse(text).map_err(|_| Error::NotFound(Thing::Plan))
}

/// List the plans that instances are sold by, the cheapest by the hour first.
///
/// Those without an hourly price come last. All filters given must pass.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])),
    params(("location" = Option<String>, Query, description = "Sold at the location of this code", example = "FIN-03"),
           ("gpu_model" = Option<String>, Query, max_length = 100, description = "With this graphics processor, without regard to case", example = "H100"),
           ("min_gpus" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least graphics processors"),
           ("min_cpus" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least virtual CPUs"),
           ("min_ram_mib" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least memory"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<PlanView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/plans")]
pub async fn list_plans(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Answer<Vec<PlanView>> {
    let mut query = Query::parse(request.query_string());
    let filter = PlanFilter {
        location: query.value("location", LocationCode::parse),
        gpu_model: query.text("gpu_model", 100),
        min_gpus: query.number("min_gpus", 0, MAX_FILTER),
        min_cpus: query.number("min_cpus", 0, MAX_FILTER),
        min_ram_mib: query.number("min_ram_mib", 0, MAX_FILTER),
        ..PlanFilter::default()
    };
    let page = page(&mut query, PlanPlace::parse);
    query.finish()?;
    let found = plan::list(app.store.as_ref(), signed.caller(), filter, page).await?;
    let next = found.next.map(|place| place.to_string());
    let currency = &app.settings.currency;
    let views = found.rows.into_iter().map(|plan| plan_view(plan, currency)).collect();
    Ok(Success::ok("Plans retrieved successfully", views).continued(next))
}

/// Look at a plan.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])), params(("code", description = "Plan code")),
    responses((status = 200, body = Success<PlanView>)),
    extensions(("x-errors" = json!(["PLAN_NOT_FOUND"]))))]
#[get("/plans/{code}")]
pub async fn show_plan(
    app: Data<App>,
    signed: MaybeAuthenticated,
    code: Path<String>,
) -> Answer<PlanView> {
    let plan = plan::show(app.store.as_ref(), signed.caller(), &plan_code(&code)?).await?;
    let view = plan_view(plan, &app.settings.currency);
    Ok(Success::ok("Plan retrieved successfully", view))
}

/// List what a plan has cost by the hour, the newest price first.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])),
    params(("code", description = "Plan code"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many; 500 if it is not given")),
    responses((status = 200, body = Success<Vec<PlanPriceView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "PLAN_NOT_FOUND"]))))]
#[get("/plans/{code}/prices")]
pub async fn list_plan_prices(
    app: Data<App>,
    signed: MaybeAuthenticated,
    code: Path<String>,
    request: HttpRequest,
) -> Answer<Vec<PlanPriceView>> {
    let code = plan_code(&code)?;
    let mut query = Query::parse(request.query_string());
    let limit = query.number("limit", 1, 500).unwrap_or(500);
    query.finish()?;
    let prices = plan::prices(app.store.as_ref(), signed.caller(), &code, limit).await?;
    let views = prices.into_iter().map(Into::into).collect();
    Ok(Success::ok("Prices retrieved successfully", views))
}

/// List all plans, also those that renters do not see, the cheapest by the hour first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<AdminPlanView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/plans")]
pub async fn list_all_plans(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<AdminPlanView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, PlanPlace::parse);
    query.finish()?;
    let found = plan::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|place| place.to_string());
    let currency = &app.settings.currency;
    let views = found.rows.into_iter().map(|plan| admin_plan_view(plan, currency)).collect();
    Ok(Success::ok("Plans retrieved successfully", views).continued(next))
}

/// Make a plan, or replace it.
///
/// Every change of its hourly prices is kept. Of a plan with `pools` nobody else is told that there is one. What
/// these have of it goes on when it is taken from them, by the second as long as it runs, and what is paid in
/// advance to the end of that time.
#[utoipa::path(tag = "operators", request_body = PlanBody,
    params(("code" = String, Path, description = "1 to 64 letters, digits, dots, underscores, tildes and dashes")),
    responses((status = 200, body = Success<AdminPlanView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[put("/admin/plans/{code}")]
pub async fn put_plan(
    app: Data<App>,
    signed: Authenticated,
    code: Path<String>,
    body: Body<PlanBody>,
) -> Answer<AdminPlanView> {
    let draft = draft(&code, body.0)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let plan = plan::put(store, clock, random, &signed.caller.into(), draft).await?;
    let view = admin_plan_view(plan, &app.settings.currency);
    Ok(Success::ok("Plan saved successfully", view))
}

fn draft(code: &str, body: PlanBody) -> Result<PlanDraft> {
    let mut check = Check::default();
    let code = check.required("code", Field::Given(code), PlanCode::parse);
    let name = check.required("/name", body.name, as_is);
    let description = check.optional("/description", body.description, as_is);
    let shape = check.required("/shape", body.shape, as_is);
    let pricing = check.required("/pricing", body.pricing, as_is);
    let shape = shape.map(|Nested(body)| shaped(&mut check, body));
    let pricing = pricing.map(|Nested(body)| priced(&mut check, body));
    let texts = check.optional("/locations", body.locations, as_is).unwrap_or_default();
    let locations = locations(&mut check, &texts);
    let is_listed = check.optional("/is_listed", body.is_listed, as_is);
    let pools = check.optional("/pools", body.pools, as_is);
    let pools = pools.map(|texts| pools_named(&mut check, &texts));
    // A shape that is not there has one fault, not one for each number.
    let is_shaped = shape.is_some();
    let draft = PlanDraft {
        code: code.unwrap_or_else(|| PlanCode::from_stored(String::new())),
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        shape: shape.unwrap_or_default(),
        pricing: pricing.unwrap_or_default(),
        locations,
        is_listed: is_listed.unwrap_or(true),
        pools,
    };
    let mut violations = draft.violations();
    violations.retain(|fault| is_shaped || !fault.path.starts_with("/shape/"));
    check.also(violations);
    check.finish(|| Some(draft))
}

fn locations(check: &mut Check, texts: &[String]) -> Vec<LocationCode> {
    let code = |(at, text): (usize, &String)| {
        let path = format!("/locations/{at}");
        let code = check.required(&path, Field::Given(text), |text| LocationCode::parse(text));
        // Something in its place, so that the others keep theirs.
        code.unwrap_or_else(|| LocationCode::from_stored(path))
    };
    texts.iter().enumerate().map(code).collect()
}

/// None if one has a fault, because the domain would miscount the others.
fn pools_named(check: &mut Check, texts: &[String]) -> Vec<PoolId> {
    let pool = |(at, text): (usize, &String)| {
        let path = format!("/pools/{at}");
        check.required(&path, Field::Given(text), |text| PoolId::parse(text).ok_or(ID))
    };
    let pools: Vec<_> = texts.iter().enumerate().map(pool).collect();
    pools.into_iter().collect::<Option<_>>().unwrap_or_default()
}

fn shaped(check: &mut Check, body: ShapeBody) -> Shape {
    let cpus = check.required("/shape/cpus", body.cpus, count);
    let ram_mib = check.required("/shape/ram_mib", body.ram_mib, count);
    let gpu = check.optional("/shape/gpu", body.gpu, as_is);
    let gpu = gpu.map(|Nested(body)| gpu_shaped(check, body));
    let disk_gb = check.required("/shape/disk_gb", body.disk_gb, count);
    Shape {
        cpus: cpus.unwrap_or_default(),
        ram_mib: ram_mib.unwrap_or_default(),
        gpu,
        disk_gb: disk_gb.unwrap_or_default(),
    }
}

fn gpu_shaped(check: &mut Check, body: GpuBody) -> GpuShape {
    GpuShape {
        model: check.required("/shape/gpu/model", body.model, as_is).unwrap_or_default(),
        count: check.required("/shape/gpu/count", body.count, count).unwrap_or_default(),
        memory_mib: check
            .required("/shape/gpu/memory_mib", body.memory_mib, count)
            .unwrap_or_default(),
    }
}

fn priced(check: &mut Check, body: PlanPricingBody) -> PlanPricing {
    let per_hour = check.optional("/pricing/per_hour", body.per_hour, amount);
    let spot_per_hour = check.optional("/pricing/spot_per_hour", body.spot_per_hour, amount);
    let intervals = check.optional("/pricing/intervals", body.intervals, as_is);
    let intervals = each(intervals, |at, body| interval(check, at, body));
    let long_terms = check.optional("/pricing/long_terms", body.long_terms, as_is);
    let long_terms = each(long_terms, |at, body| long_term(check, at, body));
    let stopped = check.optional("/pricing/stopped_percent", body.stopped_percent, count);
    let stopped_percent = stopped.unwrap_or(WHOLE_PERCENT);
    PlanPricing { per_hour, spot_per_hour, intervals, long_terms, stopped_percent }
}

/// Every item read; none if one has a fault, because the domain would miscount the others.
fn each<T, U>(
    items: Option<Vec<Nested<T>>>,
    mut read: impl FnMut(usize, T) -> Option<U>,
) -> Vec<U> {
    let items = items.unwrap_or_default().into_iter().enumerate();
    let items: Vec<Option<U>> = items.map(|(at, Nested(body))| read(at, body)).collect();
    items.into_iter().collect::<Option<Vec<U>>>().unwrap_or_default()
}

fn interval(check: &mut Check, at: usize, body: IntervalPriceBody) -> Option<IntervalPrice> {
    let path = |name: &str| format!("/pricing/intervals/{at}/{name}");
    let interval = check.required(&path("interval"), body.interval, |text| Interval::parse(&text));
    let price = check.required(&path("price"), body.price, amount);
    Some(IntervalPrice { interval: interval?, price: price? })
}

fn long_term(check: &mut Check, at: usize, body: LongTermBody) -> Option<LongTerm> {
    let path = |name: &str| format!("/pricing/long_terms/{at}/{name}");
    let code = check.required(&path("code"), body.code, |text| LongTermCode::parse(&text));
    let name = check.required(&path("name"), body.name, as_is);
    let months = check.required(&path("months"), body.months, count);
    let discount = check
        .required(&path("discount_percent"), body.discount_percent, |text| basis_points(&text));
    Some(LongTerm { code: code?, name: name?, months: months?, discount_bp: discount? })
}
