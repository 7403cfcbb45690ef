//! Orders of servers, which is what this API calls instances: to order one, to see them, to start and stop
//! one, to name and lock it, and to log in.

use std::collections::BTreeMap;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::{Thing, Violation};
use domain::image;
use domain::install::{self, Install};
use domain::instance::{
    self, Act, Action, Boot, CreateInstance, EditInstance, Hostname, InstanceDetail,
    InstanceFilter, InstanceId, Keys, Offering, PasswordWish, Prepaid, Renewal,
};
use domain::money::Money;
use domain::number::{self, Numbered};
use domain::page::Page;
use domain::plan::{self, Interval};
use domain::pool::Label;
use domain::software::SoftwareKey;
use domain::tag::Tags;
use domain::user::Caller;
use domain::{Error, Result};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::account::Owner;
use super::body::{Json, REQUIRED, whole};
use super::error::Failure;
use super::orders_view::{Shown, happened, order, status};
use super::{Answer, acting, order_asked_for, ordered, reading};
use crate::app::App;
use crate::http::Query;

/// The most orders that are told at once.
const MOST_ORDERS: u32 = 1_000;
/// The changes of status that are told.
const CHANGES: usize = 5;
/// The most templates of an order.
const MOST_TEMPLATES: usize = 32;

pub fn operations(config: &mut ServiceConfig) {
    config
        .service(acting("/api/order", create))
        .service(reading("/api/orders", list))
        .service(acting("/api/order-status", change_status))
        .service(acting("/api/order-title", change_title))
        .service(acting("/api/order-lock", lock))
        .service(acting("/api/credentials", credentials))
        .service(reading("/api/order-status-history", history));
}

#[derive(Deserialize)]
struct NewOrder {
    blib_id: Option<Value>,
    price_h: Option<Number>,
    total_price: Option<Number>,
    terms_accepted: Option<bool>,
    contract_interval: Option<String>,
    second_partition_percentage: Option<Number>,
    templates: Option<Vec<ChosenTemplate>>,
}

#[derive(Deserialize)]
struct ChosenTemplate {
    id: Option<Value>,
}

/// Orders a server at the price that the client has seen.
async fn create(app: Data<App>, owner: Owner, body: Json<NewOrder>) -> Answer {
    let wish = wish(&app, owner.0, body.0).await?;
    let (store, clock, means) = (app.store.as_ref(), app.clock.as_ref(), app.means());
    let policy = &app.settings.instance_policy;
    let made = Box::pin(instance::create(store, clock, means, policy, wish)).await?;
    let numbers = number::each(store, Numbered::Instance, &[made.id.uuid()]).await?;
    let number = numbers.first().copied();
    Ok(HttpResponse::Ok().json(json!({ "success": true, "orderId": number })))
}

async fn wish(app: &App, caller: Caller, body: NewOrder) -> Result<CreateInstance, Failure> {
    if body.terms_accepted != Some(true) {
        return Err(Failure::Terms);
    }
    let interval = body.contract_interval.as_deref().and_then(|text| Interval::parse(text).ok());
    let interval = interval.ok_or(Failure::Interval)?;
    let mut faults = Vec::new();
    let blib = whole(&mut faults, "blib_id", body.blib_id.as_ref());
    let price_of_hour = price(&mut faults, "price_h", body.price_h);
    let price = price(&mut faults, "total_price", body.total_price);
    let percent = body.second_partition_percentage.map(|number| number.as_f64().unwrap_or(-1.0));
    if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        faults.push(Violation::new("second_partition_percentage", "must be 0 to 100"));
    }
    let templates = body.templates.unwrap_or_default();
    if templates.len() > MOST_TEMPLATES {
        faults.push(Violation::new("templates", format!("must be at most {MOST_TEMPLATES}")));
    }
    let templates = templates.iter().take(MOST_TEMPLATES);
    let software: Vec<SoftwareKey> = templates
        .map(|chosen| SoftwareKey::Number(whole(&mut faults, "templates/id", chosen.id.as_ref())))
        .collect();
    Error::unless_empty(faults)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let sale = plan::sale(store, Some(&caller), blib).await?;
    let pool_id = plan::pool_for(store, clock, &caller, &sale.plan).await?;
    let hostname = Hostname::of_words(&sale.plan.name, "server");
    Ok(CreateInstance {
        caller,
        pool_id,
        name: Label::parse(&sale.plan.name).ok(),
        offering: Offering::Plan { code: sale.plan.code, location: sale.location.code },
        boot: Boot::OwnDisk(image(app).await?),
        ordered_as: None,
        hostname,
        description: String::new(),
        keys: Keys::All,
        script_id: None,
        start_script: None,
        environment: BTreeMap::new(),
        ports: None,
        volumes: Vec::new(),
        is_spot: false,
        max_per_hour: None,
        prepaid: Some(Prepaid { interval, price, price_of_hour }),
        renewal: Renewal::default(),
        password: PasswordWish::Made,
        software,
        tags: Tags::default(),
        is_numbered: true,
        idempotency_key: None,
    })
}

/// A price that the client has seen: without it nothing is ordered.
fn price(faults: &mut Vec<Violation>, name: &str, number: Option<Number>) -> Option<Money> {
    let price = number.as_ref().and_then(|number| Money::parse(&number.to_string()));
    if price.is_none() {
        faults.push(Violation::new(name, "must be the price of the offer, a number"));
    }
    price
}

/// The image that servers start with: the one that is configured, or the first that is offered.
async fn image(app: &App) -> Result<domain::image::ImageCode> {
    let configured = app.settings.trooper.as_ref().and_then(|trooper| trooper.image.clone());
    if let Some(code) = configured {
        return Ok(code);
    }
    let first = Page { after: None, limit: Some(1) };
    let listed = image::list(app.store.as_ref(), None, first).await?;
    let found = listed.rows.into_iter().next();
    Ok(found.ok_or(Error::NotFound(Thing::Image))?.code)
}

/// The account's servers, newest first.
async fn list(app: Data<App>, owner: Owner, request: HttpRequest) -> Answer {
    let mut query = Query::parse(request.query_string());
    let limit = query.number("limit", 1, MOST_ORDERS).unwrap_or(MOST_ORDERS);
    let skip = query.number("offset", 0, 1_000_000).unwrap_or(0);
    query.finish()?;
    let (store, caller) = (app.store.as_ref(), &owner.0);
    let found = instance::part(store, caller, &InstanceFilter::default(), (skip, limit)).await?;
    let rows = shown(&app, caller, found).await?;
    Ok(HttpResponse::Ok().json(rows.iter().map(order).collect::<Vec<_>>()))
}

/// Servers with all that is told of them, by a fixed number of statements.
async fn shown(app: &App, caller: &Caller, found: Vec<InstanceDetail>) -> Result<Vec<Shown>> {
    let store = app.store.as_ref();
    let ids: Vec<InstanceId> = found.iter().map(|detail| detail.instance.id).collect();
    let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let numbers = number::each(store, Numbered::Instance, &uuids).await?;
    let hosts = found.iter().map(|detail| detail.instance.host_id).collect();
    let hosts = number::of_hosts(store, &hosts).await?;
    let locations = plan::countries(store).await?;
    let mut installs = Vec::new();
    for part in ids.chunks(install::MOST_INSTANCES) {
        installs.extend(install::of_instances(store, caller, part).await?);
    }
    let now = app.clock.now();
    let row = |(detail, number): (InstanceDetail, i64)| {
        let id = detail.instance.id;
        let is_its = |install: &mut Install| install.instance_id == id;
        Shown {
            number,
            now,
            host: hosts.get(&detail.instance.host_id).copied(),
            country: locations.get(&detail.instance.location).cloned(),
            installs: installs.extract_if(.., is_its).collect(),
            detail,
        }
    };
    Ok(found.into_iter().zip(numbers).map(row).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewStatus {
    server_id: Option<Value>,
    action: Option<String>,
    #[serde(rename = "migration_allowed")]
    migration_allowed: Option<bool>,
}

/// Starts, stops, restarts or freezes a server.
async fn change_status(app: Data<App>, owner: Owner, body: Json<NewStatus>) -> Answer {
    let may_move = body.0.migration_allowed == Some(true);
    let mut faults = Vec::new();
    let server = whole(&mut faults, "serverId", body.0.server_id.as_ref());
    let wanted = match body.0.action.as_deref() {
        Some("running") => Some((Action::Start { may_move }, "start", "starting")),
        Some("stopped") => Some((Action::Shutdown { force: false }, "stop", "stopping")),
        Some("restarted") => Some((Action::Restart, "restart", "restarting")),
        Some("frozen") => Some((Action::Hibernate, "freeze", "freezing")),
        _ => {
            let message = "must be running, stopped, restarted or frozen";
            faults.push(Violation::new("action", message));
            None
        }
    };
    Error::unless_empty(faults).map_err(Failure::of_status)?;
    let Some((action, word, next)) = wanted else {
        return Err(Error::internal("an action without a fault is known").into());
    };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let id = ordered(&app, &owner.0, server).await.map_err(Failure::of_status)?;
    let request = Act { caller: owner.0, action };
    let wish = (&app.settings.instance_policy, &request);
    let done = Box::pin(instance::act(store, clock, random, wish, id)).await;
    let (outcome, instance) = done.map_err(Failure::of_status)?;
    let is_new = outcome == instance::Outcome::Accepted;
    let status = if is_new { next } else { status(instance.status()) };
    let message = format!("Server {word} initiated successfully");
    Ok(HttpResponse::Ok().json(json!({ "success": true, "message": message, "status": status })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewTitle {
    server_id: Option<Value>,
    title: Option<String>,
}

async fn change_title(app: Data<App>, owner: Owner, body: Json<NewTitle>) -> Answer {
    let mut faults = Vec::new();
    let server = whole(&mut faults, "serverId", body.0.server_id.as_ref());
    let title = body.0.title.as_deref().map(Label::parse);
    let title = title.unwrap_or(Err(REQUIRED)).map_err(|fault| {
        faults.push(Violation::new("title", fault));
    });
    Error::unless_empty(faults)?;
    let id = ordered(&app, &owner.0, server).await?;
    let request = EditInstance { name: title.ok(), ..EditInstance::nothing(owner.0, id) };
    app.edit_instance(request).await?;
    let message = "Title updated successfully";
    Ok(HttpResponse::Ok().json(json!({ "success": true, "message": message })))
}

#[derive(Deserialize)]
struct Lock {
    #[serde(rename = "serverId")]
    server_id: Option<Value>,
    is_locked: Option<bool>,
}

async fn lock(app: Data<App>, owner: Owner, body: Json<Lock>) -> Answer {
    let mut faults = Vec::new();
    let server = whole(&mut faults, "serverId", body.0.server_id.as_ref());
    if body.0.is_locked.is_none() {
        faults.push(Violation::new("is_locked", "must be true or false"));
    }
    Error::unless_empty(faults)?;
    let id = ordered(&app, &owner.0, server).await?;
    let is_locked = body.0.is_locked;
    let request = EditInstance { is_locked, ..EditInstance::nothing(owner.0, id) };
    app.edit_instance(request).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true, "updated": 1 })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfServer {
    server_id: Option<Value>,
}

/// How one logs in: for owners and admins.
async fn credentials(app: Data<App>, owner: Owner, body: Json<OfServer>) -> Answer {
    let mut faults = Vec::new();
    let server = whole(&mut faults, "serverId", body.0.server_id.as_ref());
    Error::unless_empty(faults)?;
    let (store, vault) = (app.store.as_ref(), app.vault.as_ref());
    let detail = instance::numbered(store, &owner.0, server).await?;
    let password = instance::password(store, vault, &owner.0, &detail.instance).await?;
    let password = password.map(|password| password.expose_secret().to_owned());
    let (ip, ssh_port) = super::orders_view::reached(&detail);
    Ok(HttpResponse::Ok().json(json!({
        "success": true,
        "ip": ip,
        "ssh_port": ssh_port,
        "username": detail.instance.origin.image.username,
        "password": password,
        "status": status(detail.instance.status()),
    })))
}

/// The newest changes of a server's status.
async fn history(app: Data<App>, owner: Owner, request: HttpRequest) -> Answer {
    let order = order_asked_for(&request)?;
    let id = ordered(&app, &owner.0, order).await?;
    let events = instance::history(app.store.as_ref(), &owner.0, id).await?;
    let history: Vec<Value> = events.iter().filter_map(happened).take(CHANGES).collect();
    Ok(HttpResponse::Ok().json(json!({ "success": true, "history": history })))
}
