//! Server models: plans at the locations where they are sold by the hour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::capacity::Fit;
use domain::host::HostId;
use domain::number;
use domain::plan::{self, Interval, Sale};
use domain::user::Caller;
use domain::{Error, Result};
use serde::Serialize;
use serde_json::Number;

use super::account::{Account, MaybeAccount};
use super::error::Failure;
use crate::app::App;
use crate::floats::amount;
use crate::sizes::gigabytes;

/// A server model.
#[derive(Serialize)]
struct Blib<'a> {
    id: i64,
    name: &'a str,
    gpu_type: &'a str,
    gpu_num: u32,
    /// Of each graphics processor.
    gpu_ram: u32,
    cpu_cores: u32,
    cpu_ram: u32,
    hdd: u32,
    price_h: Number,
    /// What each interval costs in advance, for `total_price` of an order; the published document has no word
    /// of where that comes from.
    prices: BTreeMap<&'static str, Number>,
    is_public: u8,
    country_code: &'a str,
}

/// A server model, and how much of it could be had now.
#[derive(Serialize)]
struct AvailableBlib<'a> {
    #[serde(flatten)]
    blib: Blib<'a>,
    is_available: bool,
    available_hosts: Vec<String>,
    #[serde(rename = "fitCount")]
    fit_count: u32,
    #[serde(rename = "maxPossibleInstances")]
    max_possible_instances: u64,
}

/// How long what could be had is told again: it takes a look at every host, and anybody may ask.
const TOLD_AGAIN_FOR: Duration = Duration::from_secs(1);

/// Everything that is sold to the caller, and how much of it could be had: a moment ago, for those to whom it is
/// what is sold to everybody.
pub async fn list(
    app: Data<App>,
    account: MaybeAccount,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let (store, caller) = (app.store.as_ref(), account.0.as_ref());
    plan::may_look(caller)?;
    if plan::sees_private(store, caller).await.map_err(Failure::of_blibs)? {
        let own = counted(&app, caller).await.map_err(Failure::of_blibs)?;
        return Ok(HttpResponse::Ok().content_type("application/json").body(own));
    }
    // By our clock no answer is told in the next second, either; nor is one after a plan was changed, as what was
    // for everybody may be for some from then on.
    let mark = (app.clock.now().timestamp().unsigned_abs(), plan::generation(store));
    let told = app.blibs.get_or_make(mark, TOLD_AGAIN_FOR, async || counted(&app, None).await);
    Ok(told.await.map_err(Failure::of_blibs)?.respond(&request))
}

async fn counted(app: &App, caller: Option<&Caller>) -> Result<Vec<u8>> {
    let store = app.store.as_ref();
    let sales = plan::sales(store, caller).await?;
    let fits = plan::fits(store, &sales).await?;
    let hosts: BTreeSet<HostId> = fits.iter().flat_map(|fit| fit.named.iter().copied()).collect();
    let numbers = number::of_hosts(store, &hosts).await?;
    let rows = sales.iter().zip(&fits).map(|(sale, fit)| with_availability(sale, fit, &numbers));
    serde_json::to_vec(&rows.collect::<Vec<_>>()).map_err(Error::internal)
}

/// What the account can order: what everybody can, and what is for pools of theirs only.
pub async fn list_for_account(app: Data<App>, account: Account) -> Result<HttpResponse, Failure> {
    let sales = plan::sales(app.store.as_ref(), Some(&account.0)).await;
    let sales = sales.map_err(Failure::of_blibs)?;
    Ok(HttpResponse::Ok().json(sales.iter().map(shown).collect::<Vec<_>>()))
}

fn shown(sale: &Sale) -> Blib<'_> {
    let (plan, shape) = (&sale.plan, &sale.plan.shape);
    let gpu = shape.gpu.as_ref();
    let prices = Interval::ALL
        .into_iter()
        .filter_map(|interval| Some((interval.as_str(), amount(plan.pricing.prepaid(interval)?))));
    Blib {
        id: sale.number,
        name: &plan.name,
        gpu_type: gpu.map_or("", |gpu| &gpu.model),
        gpu_num: shape.gpus(),
        gpu_ram: gpu.map_or(0, |gpu| gigabytes(gpu.memory_mib)),
        cpu_cores: shape.cpus,
        cpu_ram: gigabytes(shape.ram_mib),
        hdd: shape.disk_gb,
        price_h: amount(sale.per_hour),
        prices: prices.collect(),
        is_public: u8::from(!plan.is_private()),
        country_code: &sale.location.country,
    }
}

fn with_availability<'a>(
    sale: &'a Sale,
    fit: &Fit,
    numbers: &BTreeMap<HostId, i64>,
) -> AvailableBlib<'a> {
    // What operators call their hosts is their own; a number says no more than which ones are the same.
    let name = |number: &i64| format!("host-{number}");
    let names = fit.named.iter().filter_map(|host_id| numbers.get(host_id).map(name));
    AvailableBlib {
        blib: shown(sale),
        is_available: fit.instances > 0,
        available_hosts: names.collect(),
        fit_count: fit.hosts,
        max_possible_instances: fit.instances,
    }
}
