//! Kinds of clusters: so many instances of a plan with graphics processors, for each number that the operator sells.
//! A kind is named `2x8H200.141S.176V`, for two instances of that plan.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::capacity::{self, AvailabilityFilter};
use domain::location::{self, LocationCode};
use domain::page::Page;
use domain::plan::{GpuShape, Plan, PlanCode, Shape};
use serde_json::{Value, json};

use super::catalogue::{self, images, plans};
use super::error::{Code, Failure};
use super::project::{MaybeProject, Project};
use super::shapes::{cpu, gpu_memory, gpus, manufacturer, memory};
use crate::app::App;
use crate::http::Query;

/// For names of kinds that are not sold.
pub const UNKNOWN: Failure = Failure::Told(Code::InvalidRequest, "Invalid cluster type");

/// The name of a kind.
pub fn name(nodes: u32, plan: &PlanCode) -> String {
    format!("{nodes}x{plan}")
}

/// What a name says: how many of which plan.
pub fn parse(app: &App, name: &str) -> Option<(u32, PlanCode)> {
    let (nodes, plan) = name.split_once('x')?;
    let nodes = nodes.parse().ok().filter(|nodes| sizes(app).contains(nodes))?;
    Some((nodes, PlanCode::parse(plan).ok()?))
}

fn sizes(app: &App) -> &[u32] {
    app.settings.verda.as_ref().map_or(&[], |verda| verda.cluster_nodes.as_slice())
}

/// Every kind that is sold to who asks. Anybody may look.
pub async fn list(app: Data<App>, project: MaybeProject) -> Result<HttpResponse, Failure> {
    let plans = plans(&app, project.caller()).await?;
    let images = images(&app, None).await?;
    let currency = app.settings.currency.to_ascii_lowercase();
    let mut rows = Vec::new();
    for plan in plans.iter().filter(|plan| plan.shape.gpu.is_some()) {
        let fits = images.iter().filter(|image| image.fits(plan.shape.disk_gb));
        let supported: Vec<&str> = fits.map(|image| image.code.as_str()).collect();
        let of_size = |nodes: &u32| cluster_type(plan, *nodes, (&supported, &currency));
        rows.extend(sizes(&app).iter().filter_map(of_size));
    }
    Ok(HttpResponse::Ok().json(rows))
}

/// `None` for a plan that is sold only spot: a cluster is not evicted in part.
fn cluster_type(plan: &Plan, nodes: u32, (images, currency): (&[&str], &str)) -> Option<Value> {
    let price = plan.pricing.per_hour?.fraction(u64::from(nodes), 1).floor();
    let shape = together(&plan.shape, nodes);
    let gpu = shape.gpu.as_ref();
    Some(json!({
        "id": name(nodes, &plan.code),
        "model": gpu.map_or("", |gpu| gpu.model.as_str()),
        "name": plan.name,
        "cluster_type": name(nodes, &plan.code),
        "cpu": cpu(shape.cpus),
        "gpu": gpus(shape.gpus(), &plan.name),
        "gpu_memory": gpu_memory(gpu),
        "memory": memory(shape.ram_mib),
        "price_per_hour": price.exact(),
        "currency": currency,
        "manufacturer": manufacturer(gpu),
        "node_details": details(plan, nodes),
        "supported_os": images,
    }))
}

/// What all nodes have.
pub fn together(shape: &Shape, nodes: u32) -> Shape {
    let gpu = shape.gpu.as_ref();
    let gpu = gpu.map(|gpu| GpuShape { count: gpu.count.saturating_mul(nodes), ..gpu.clone() });
    Shape {
        cpus: shape.cpus.saturating_mul(nodes),
        ram_mib: shape.ram_mib.saturating_mul(nodes),
        gpu,
        disk_gb: shape.disk_gb,
    }
}

fn details(plan: &Plan, nodes: u32) -> Vec<Value> {
    let disk = plan.shape.disk_gb;
    vec![
        json!({ "Nodes": nodes.to_string() }),
        json!({ "Instance type": plan.code.as_str() }),
        json!({ "Disk": format!("{disk} GB") }),
    ]
}

/// What could be had now, an entry for each location, which the Python SDK takes the first of.
pub async fn availabilities(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let location = catalogue::location(&mut query);
    query.finish()?;
    let with_gpu = plans(&app, Some(&project.caller)).await?.into_iter();
    let with_gpu = with_gpu.filter(|plan| plan.shape.gpu.is_some());
    let with_gpu: Vec<PlanCode> = with_gpu.map(|plan| plan.code).collect();
    // The Python SDK takes the first location, also where nothing is sold.
    let places = if let Some(code) = &location {
        vec![code.clone()]
    } else {
        let all = Page { after: None, limit: None };
        let found = location::list(app.store.as_ref(), Some(&project.caller), all).await?.rows;
        found.into_iter().map(|location| location.code).collect()
    };
    let mut rows: Vec<(LocationCode, Vec<String>)> =
        places.into_iter().map(|code| (code, Vec::new())).collect();
    for nodes in sizes(&app) {
        let filter = AvailabilityFilter {
            location: location.clone(),
            nodes: *nodes,
            ..AvailabilityFilter::default()
        };
        let caller = Some(&project.caller);
        for here in capacity::available(app.store.as_ref(), caller, &filter).await? {
            let sold = here.plans.iter().filter(|code| with_gpu.contains(code));
            let names: Vec<String> = sold.map(|code| name(*nodes, code)).collect();
            if let Some((_, all)) = rows.iter_mut().find(|(code, _)| *code == here.location) {
                all.extend(names);
            }
        }
    }
    let shown = rows
        .into_iter()
        .map(|(code, names)| json!({ "location_code": code.as_str(), "availabilities": names }));
    Ok(HttpResponse::Ok().json(shown.collect::<Vec<_>>()))
}

/// Whether this kind could be had now, somewhere or there: exactly `true` or `false`.
pub async fn is_available(
    app: Data<App>,
    project: Project,
    wanted: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let location = catalogue::location(&mut query);
    query.finish()?;
    let Some((nodes, plan)) = parse(&app, &wanted) else {
        return Ok(HttpResponse::Ok().json(false));
    };
    let filter = AvailabilityFilter { location, plan: Some(plan), is_spot: false, nodes };
    let found = capacity::available(app.store.as_ref(), Some(&project.caller), &filter).await?;
    Ok(HttpResponse::Ok().json(found.iter().any(|here| !here.plans.is_empty())))
}
