//! The marketplace: browse, facets, one offer.

use std::sync::Arc;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use domain::error::Thing;
use domain::host::{
    self, Browse, Category, CpuScore, DiskType, Facet, Facets, Filters, Host, HostId, RamType,
    ScoreType, Sort, SortKey,
};
use domain::money::Money;
use domain::page::Page;
use domain::user::Caller;
use domain::{Error, Result};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Paging, Success};
use super::error::Failure;
use super::extract::{MaybeAuthenticated, page};
use super::server_view::OfferView;
use crate::app::App;
use crate::http::{Encoded, Query, whole_number};

/// What generated clients can hold in 32 bits.
const MAX_FILTER: u32 = 2_147_483_647;

fn filters(query: &mut Query) -> Filters {
    let any = MAX_FILTER;
    let score_type = query.value("cpu_score_type", ScoreType::parse);
    Filters {
        country: query.text("country", 50),
        region: query.text("region", 50),
        max_price_per_day: query.value("max_price_per_day", price),
        durations: query.list("available_durations", |text| whole_number(text, 1, any)),
        min_cpu_cores: query.number("min_cpu_cores", 0, any),
        min_cpu_score: query
            .number("min_cpu_score", 0, any)
            .map(|least| CpuScore { least, kind: score_type.unwrap_or(ScoreType::Passmark) }),
        min_ram_gb: query.number("min_ram_gb", 0, any),
        ram_types: query.list("ram_types", RamType::parse),
        min_total_storage_gb: query.number("min_total_storage_gb", 0, any),
        disk_types: query.list("disk_types", DiskType::parse),
        min_bandwidth_mbps: query.number("min_bandwidth_mbps", 0, any),
        min_traffic_tb: query.number("min_traffic_tb", 0, any),
        unlimited_traffic_only: query.flag("unlimited_traffic_only"),
        category: query.value("category", Category::parse),
        featured_only: query.flag("featured_only"),
        text: query.text("q", 100),
    }
}

fn price(text: &str) -> Result<Money, &'static str> {
    let amount = Money::parse(text).filter(|amount| *amount >= Money::ZERO);
    amount.ok_or("must be an amount such as 15 or 15.50")
}

fn sort(text: &str) -> Result<Sort, &'static str> {
    let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
    let key = match name {
        "price_per_day" => SortKey::PricePerDay,
        "cpu_score" => SortKey::CpuScore,
        "ram" => SortKey::Ram,
        "storage" => SortKey::Storage,
        "bandwidth" => SortKey::Bandwidth,
        "newest" => SortKey::Newest,
        _ => {
            return Err("must be price_per_day, cpu_score, ram, storage, bandwidth or newest, \
                        with a - before it to turn the order round");
        }
    };
    Ok(Sort { key, descending })
}

/// Browse the servers that can be rented now.
///
/// All filters given must pass. Featured servers come first, then by popularity.
#[utoipa::path(tag = "marketplace", security((), ("bearer" = [])),
    params(
        ("country" = Option<String>, Query, description = "Country code, without regard to case", example = "DE"),
        ("region" = Option<String>, Query, description = "Region, without regard to case", example = "eu-central"),
        ("max_price_per_day" = Option<String>, Query, pattern = "^[0-9]{1,12}([.][0-9]{1,8})?$", description = "The cheapest tier's price by its days is at most this", example = "15"),
        ("available_durations" = Option<Vec<u32>>, Query, explode = false, description = "All of these numbers of days are offered", example = json!([7, 30])),
        ("min_cpu_cores" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least CPU cores"),
        ("min_cpu_score" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least score in the benchmark of `cpu_score_type`"),
        ("cpu_score_type" = Option<String>, Query, pattern = "^(passmark|geekbench_single|geekbench_multi)$", description = "passmark (the default), geekbench_single or geekbench_multi"),
        ("min_ram_gb" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least memory"),
        ("ram_types" = Option<Vec<String>>, Query, explode = false, description = "Any of DDR3, DDR4, DDR5, ECC DDR3, ECC DDR4, ECC DDR5"),
        ("min_total_storage_gb" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least storage, all disks together"),
        ("disk_types" = Option<Vec<String>>, Query, explode = false, description = "Some disk of HDD, SSD or NVMe"),
        ("min_bandwidth_mbps" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least port speed"),
        ("min_traffic_tb" = Option<u32>, Query, minimum = 0, maximum = 2_147_483_647_u32, description = "Least traffic a month; unlimited passes"),
        ("unlimited_traffic_only" = Option<bool>, Query, description = "Only unlimited traffic"),
        ("category" = Option<String>, Query, pattern = "^(compute|memory|storage|general|gpu)$", description = "compute, memory, storage, general or gpu"),
        ("featured_only" = Option<bool>, Query, description = "Only featured servers"),
        ("q" = Option<String>, Query, max_length = 100, description = "Words in the name, CPU, GPU or city"),
        ("sort" = Option<String>, Query, pattern = "^-?(price_per_day|cpu_score|ram|storage|bandwidth|newest)$", description = "price_per_day, cpu_score, ram, storage, bandwidth or newest; - turns it round"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
        ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<OfferView>>),
              (status = 304, description = "The complete list is the one whose `ETag` came in `If-None-Match`")),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/servers/available")]
pub async fn browse_servers(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    if request.query_string().is_empty() {
        return Ok(complete_list(&app, signed.caller()).await?.respond(&request));
    }
    let mut query = Query::parse(request.query_string());
    let filters = filters(&mut query);
    let sort = query.value("sort", sort).unwrap_or_default();
    let page = page(&mut query, |text| Some(text.to_owned()));
    query.finish()?;
    let wanted = Browse { filters, sort, page };
    let offers = host::browse(app.store.as_ref(), signed.caller(), &wanted).await?;
    let paging = offers.total.map(|total| Paging { next: offers.next, total: Some(total) });
    Ok(listed(offers.rows).paged(paging).respond_to(&request))
}

/// Every offer, which nearly all clients begin with.
async fn complete_list(app: &App, caller: Option<&Caller>) -> Result<Arc<Encoded>, Failure> {
    let store = app.store.as_ref();
    let generation = host::generation(store, caller)?;
    let make = async || {
        let page = Page { after: None, limit: None };
        let every = Browse { filters: Filters::default(), sort: Sort::default(), page };
        let offers = host::browse(store, caller, &every).await?;
        serde_json::to_vec(&listed(offers.rows)).map_err(Error::internal)
    };
    Ok(app.offers.get_or_make(generation, host::CHANGES_SEEN_WITHIN, make).await?)
}

fn listed(hosts: Vec<Host>) -> Success<Vec<OfferView>> {
    let views = hosts.into_iter().map(Into::into).collect();
    Success::ok("Available servers retrieved successfully", views)
}

#[derive(Serialize, ToSchema)]
pub struct FacetView {
    #[schema(example = "DE")]
    value: String,
    count: u64,
}

impl From<Facet> for FacetView {
    fn from(Facet { value, count }: Facet) -> Self {
        Self { value, count }
    }
}

#[derive(Serialize, ToSchema)]
pub struct FacetsView {
    /// How many servers pass the filters.
    total: u64,
    countries: Vec<FacetView>,
    categories: Vec<FacetView>,
    ram_types: Vec<FacetView>,
    /// A server with two kinds of disk counts in both.
    disk_types: Vec<FacetView>,
}

impl From<Facets> for FacetsView {
    fn from(facets: Facets) -> Self {
        let views = |facets: Vec<Facet>| facets.into_iter().map(Into::into).collect();
        Self {
            total: facets.total,
            countries: views(facets.countries),
            categories: views(facets.categories),
            ram_types: views(facets.ram_types),
            disk_types: views(facets.disk_types),
        }
    }
}

/// Count the servers that pass the filters, by country, category, RAM type and disk type.
///
/// Takes the same filters as `/servers/available`.
// `document.rs` copies their description from there.
#[utoipa::path(tag = "marketplace", security((), ("bearer" = [])),
    responses((status = 200, body = Success<FacetsView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/servers/facets")]
pub async fn server_facets(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Answer<FacetsView> {
    let mut query = Query::parse(request.query_string());
    let filters = filters(&mut query);
    query.finish()?;
    let facets = host::facets(app.store.as_ref(), signed.caller(), &filters).await?;
    Ok(Success::ok("Server facets retrieved successfully", facets.into()))
}

/// Look at one server that can be rented now.
#[utoipa::path(tag = "marketplace", security((), ("bearer" = [])), params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<OfferView>)),
    extensions(("x-errors" = json!(["SERVER_NOT_FOUND"]))))]
#[get("/servers/available/{id}")]
pub async fn show_offer(
    app: Data<App>,
    signed: MaybeAuthenticated,
    id: Path<String>,
) -> Answer<OfferView> {
    let id = HostId::parse(&id).ok_or(Error::NotFound(Thing::Server))?;
    let host = host::offer(app.store.as_ref(), signed.caller(), id).await?;
    Ok(Success::ok("Server retrieved successfully", host.into()))
}
