//! Instances: looked at, changed, rebooted, paused and deleted.

use std::collections::BTreeSet;

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::{Thing, Violation};
use domain::instance::{
    self, Act, Action, Disposal, EditInstance, InstanceDetail, InstanceFilter, Offered, Status,
};
use domain::money::Money;
use domain::number::{self, Numbered};
use domain::pool::Label;
use domain::template::{self, TemplateId};
use domain::user::Caller;
use domain::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use super::account::Account;
use super::body::Json;
use super::error::Failure;
use super::instances_view::{Live, disk_gb, shown, shown_whole};
use super::iri::{self, Named};
use super::order;
use super::query::part;
use super::templates::Reader;
use super::{reading, resource};
use crate::app::App;
use crate::http::Query;

/// Items of a page, where their number is not asked for.
const PAGE_SIZE: u32 = 100;
/// The most instances of one bulk call.
const MOST_AT_ONCE: usize = 100;
/// The newest lines that an instance printed.
const CONSOLE_LINES: u32 = 200;

/// The list and its members.
pub fn operations(config: &mut ServiceConfig) {
    config
        .service(resource("/instances").route(web::post().to(order::create)))
        .service(reading("/instances/list", list))
        .service(resource("/instances/reboot").route(web::patch().to(reboot)))
        .service(resource("/instances/pause").route(web::patch().to(pause)))
        .service(resource("/instances/resume").route(web::post().to(resume)))
        .service(
            resource("/instances/{id}")
                .route(web::get().to(show))
                .route(web::put().to(edit))
                .route(web::delete().to(delete)),
        );
}

/// The numbers of instances, in their order.
pub async fn numbers(app: &App, details: &[InstanceDetail]) -> Result<Vec<i64>> {
    let ids: Vec<_> = details.iter().map(|detail| detail.instance.id.uuid()).collect();
    number::each(app.store.as_ref(), Numbered::Instance, &ids).await
}

async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> std::result::Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 100);
    let part = part(&mut query, PAGE_SIZE);
    query.finish()?;
    let filter = InstanceFilter { search, without_going: true, ..InstanceFilter::default() };
    let found = instance::part(app.store.as_ref(), &account.0, &filter, part).await?;
    let numbers = numbers(&app, &found).await?;
    let now = app.clock.now();
    let rows = found.iter().zip(numbers).map(|(detail, number)| shown(detail, number, now));
    Ok(HttpResponse::Ok().json(rows.collect::<Vec<_>>()))
}

/// The instance that is named, unless it is gone or about to be.
async fn named(app: &App, caller: &Caller, name: Option<Named>) -> Result<InstanceDetail> {
    let unknown = || Error::NotFound(Thing::Instance);
    let store = app.store.as_ref();
    let detail = match name.ok_or_else(unknown)? {
        Named::Number(number) => instance::numbered(store, caller, number).await?,
        Named::Id(id) => instance::show(store, caller, id).await?,
    };
    match detail.instance.status() {
        Status::Deleted | Status::Deleting => Err(unknown()),
        _ => Ok(detail),
    }
}

async fn of_path(app: &App, account: &Account, id: &str) -> Result<InstanceDetail> {
    named(app, &account.0, iri::instance(&Value::from(id))).await
}

async fn show(
    app: Data<App>,
    account: Account,
    id: Path<String>,
) -> std::result::Result<HttpResponse, Failure> {
    let detail = of_path(&app, &account, &id).await?;
    Ok(HttpResponse::Ok().json(whole(&app, &account.0, detail).await?))
}

/// An instance with all that is known of it now. A host that does not answer keeps only its own figures.
async fn whole(app: &App, caller: &Caller, detail: InstanceDetail) -> Result<Value> {
    let (store, driver) = (app.store.as_ref(), app.instances.as_ref());
    let id = detail.instance.id;
    let number = numbers(app, std::slice::from_ref(&detail)).await?;
    let number = number.first().copied().ok_or(Error::NotFound(Thing::Instance))?;
    let token = instance::jupyter_token(store, app.vault.as_ref(), caller, &detail.instance);
    let load = instance::load(store, driver, caller, id).await;
    let console = instance::logs(store, driver, caller, (id, CONSOLE_LINES)).await;
    let live = Live {
        load: unless_away(load)?.flatten(),
        console: unless_away(console)?.unwrap_or_default(),
        history: instance::history(store, caller, id).await?,
        jupyter_token: token.await?,
        largest_disk: match require_machine(&detail) {
            Ok(()) => instance::largest_disk(store, &detail.instance).await?,
            Err(_) => disk_gb(&detail),
        },
    };
    Ok(shown_whole(&detail, number, (&live, app.clock.now())))
}

/// What a host said, if it answered.
fn unless_away<T>(told: Result<T>) -> Result<Option<T>> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(Error::HostUnreachable(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// What the document lets a client change. Clients also send back all that they were shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes {
    is_auto_renew_on: Option<bool>,
    price_auto_renew_max: Option<Value>,
    notes: Option<String>,
    instance_template: Option<Value>,
    name: Option<String>,
    start_script: Option<Value>,
    env_variables: Option<Value>,
    disk_size: Option<Value>,
}

async fn edit(
    app: Data<App>,
    account: Account,
    id: Path<String>,
    body: Json<Changes>,
) -> std::result::Result<HttpResponse, Failure> {
    let detail = of_path(&app, &account, &id).await?;
    let caller = account.0;
    let template_id = template(&app, (&caller, &detail), &body.0).await?;
    let request = EditInstance { template_id, ..changes(&caller, &detail, body.0)? };
    let edited = app.edit_instance(request).await?;
    let detail = instance::detail(app.store.as_ref(), edited).await?;
    Ok(HttpResponse::Ok().json(whole(&app, &caller, detail).await?))
}

fn changes(caller: &Caller, detail: &InstanceDetail, body: Changes) -> Result<EditInstance> {
    let mut faults = Vec::new();
    let disk_gb = disk(detail, body.disk_size, &mut faults);
    let renewal_max = body.price_auto_renew_max.and_then(|price| {
        let max = max_price(&price);
        if max.is_none() {
            let message = "must be a price with at most 8 decimals; 0 takes any price";
            faults.push(Violation::new("priceAutoRenewMax", message));
        }
        max
    });
    let name = body.name.and_then(|name| {
        let fault = |message: &str| faults.push(Violation::new("name", message));
        Label::parse(&name).map_err(fault).ok()
    });
    let mut read = Reader(&mut faults);
    let start_script = read.text("startScript", body.start_script);
    let environment = read.variables(body.env_variables);
    Error::unless_empty(faults)?;
    // What has no term says so by what it is shown as: nobody asks it for one by sending that back.
    let has_term = detail.instance.term.is_some();
    Ok(EditInstance {
        caller: caller.clone(),
        id: detail.instance.id,
        hostname: None,
        name,
        description: body.notes,
        tags: None,
        start_script,
        environment,
        template_id: None,
        disk_gb,
        is_locked: None,
        renews: body.is_auto_renew_on.filter(|renews| has_term || *renews),
        renewal_max: renewal_max.filter(|max| has_term || max.is_some()),
    })
}

/// The template that is named, by a reference or as it was shown, if it is another one.
async fn template(
    app: &App,
    (caller, detail): (&Caller, &InstanceDetail),
    body: &Changes,
) -> Result<Option<TemplateId>> {
    let wish = body.instance_template.as_ref().map(|wish| wish.get("id").unwrap_or(wish));
    let Some(wish) = wish.filter(|wish| !wish.is_null()) else { return Ok(None) };
    let unknown = || Error::invalid("instanceTemplate", "is no template that there is");
    let number = order::template_number(wish).ok_or_else(unknown)?;
    // What an instance was made from may be deleted by now.
    if detail.instance.origin.template.as_ref().is_some_and(|own| own.number == number) {
        return Ok(None);
    }
    match template::numbered(app.store.as_ref(), caller, number).await {
        Err(Error::NotFound(_)) => Err(unknown()),
        found => found.map(|template| Some(template.id)),
    }
}

/// The disk that is wished for, if it is another one. Of containers it stays as it was ordered.
fn disk(detail: &InstanceDetail, wish: Option<Value>, faults: &mut Vec<Violation>) -> Option<u32> {
    let (wish, has) = (wish.filter(|wish| !wish.is_null())?, disk_gb(detail));
    let wanted = wish.as_u64().and_then(|wanted| u32::try_from(wanted).ok());
    if wanted == Some(has) {
        return None;
    }
    let mut fault = |message: &str| faults.push(Violation::new("diskSize", message));
    match wanted {
        Some(_) if require_machine(detail).is_err() => {
            fault("of a container stays as it was ordered");
        }
        None => fault("must be a whole number of GB"),
        Some(_) => {}
    }
    wanted
}

/// A price, or none for 0.
fn max_price(value: &Value) -> Option<Option<Money>> {
    let text = match value {
        Value::Null => return Some(None),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let price = Money::parse(text.trim()).filter(|price| *price >= Money::ZERO)?;
    Some((price > Money::ZERO).then_some(price))
}

async fn delete(
    app: Data<App>,
    account: Account,
    id: Path<String>,
) -> std::result::Result<HttpResponse, Failure> {
    let detail = of_path(&app, &account, &id).await?;
    let action = Action::Delete(Disposal { volume_ids: None, permanently: false });
    act(&app, account.0, action, &detail).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn act(app: &App, caller: Caller, action: Action, detail: &InstanceDetail) -> Result<()> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let request = Act { caller, action };
    let wish = (&app.settings.instance_policy, &request);
    instance::act(store, clock, random, wish, detail.instance.id).await.map(|_| ())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Several {
    instance_ids: Option<Vec<Value>>,
}

/// Reboots each of several; those that cannot be are told, and the others are done.
async fn reboot(
    app: Data<App>,
    account: Account,
    body: Json<Several>,
) -> std::result::Result<HttpResponse, Failure> {
    each(&app, &account, body.0, &Action::Restart).await
}

/// Pauses each of several machines: they keep their disks and addresses, and cost what those do.
async fn pause(
    app: Data<App>,
    account: Account,
    body: Json<Several>,
) -> std::result::Result<HttpResponse, Failure> {
    each(&app, &account, body.0, &Action::Hibernate).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resumed {
    instance_market: Option<Value>,
    instance: Option<Value>,
}

/// Lets a paused machine go on at a row of the market, or where it was if none is named.
async fn resume(
    app: Data<App>,
    account: Account,
    body: Json<Resumed>,
) -> std::result::Result<HttpResponse, Failure> {
    let Resumed { instance_market, instance } = body.0;
    let required = || Error::invalid("instance", "is required: an instance's reference, or its id");
    let reference = instance.filter(|wish| !wish.is_null()).ok_or_else(required)?;
    let detail = named(&app, &account.0, iri::instance(&reference)).await?;
    require_machine(&detail)?;
    let action = match instance_market.filter(|wish| !wish.is_null()) {
        Some(row) => {
            let (host_id, gpus) = order::market(&app, Some(&row)).await?;
            let has = detail.instance.terms.shape.gpus();
            if gpus != has {
                let message = format!("must be a row with {has} graphics processors, as it has");
                return Err(Error::invalid("instanceMarket", message).into());
            }
            Action::Resume { host_id }
        }
        None => Action::Start { may_move: false },
    };
    act(&app, account.0.clone(), action, &detail).await?;
    let seen = instance::show(app.store.as_ref(), &account.0, detail.instance.id).await?;
    let numbers = numbers(&app, std::slice::from_ref(&seen)).await?;
    let number = numbers.first().copied().unwrap_or_default();
    Ok(HttpResponse::Ok().json(shown(&seen, number, app.clock.now())))
}

/// Refuses what is a container, which has nothing to go on with elsewhere in the published document.
fn require_machine(detail: &InstanceDetail) -> Result<()> {
    match detail.instance.terms.offered {
        Offered::Gpus { is_machine: true, .. } => Ok(()),
        _ => Err(Error::invalid("instance", "must be a machine: containers are not paused")),
    }
}

/// Does the same with each of several; those that cannot be are told, and the others are done.
async fn each(
    app: &App,
    account: &Account,
    body: Several,
    action: &Action,
) -> std::result::Result<HttpResponse, Failure> {
    let ids = body.instance_ids.unwrap_or_default();
    if !(1..=MOST_AT_ONCE).contains(&ids.len()) {
        let message = format!("must be 1 to {MOST_AT_ONCE} ids of instances");
        return Err(Error::invalid("instanceIds", message).into());
    }
    let mut faults = Vec::new();
    let mut done = BTreeSet::new();
    for (at, id) in ids.iter().enumerate() {
        let outcome = match named(app, &account.0, iri::instance(id)).await {
            // One that is named twice is seen to once.
            Ok(detail) if !done.insert(detail.instance.id) => Ok(()),
            Ok(detail) if *action == Action::Hibernate && require_machine(&detail).is_err() => {
                require_machine(&detail)
            }
            // One that could not be started again is started.
            Ok(detail)
                if *action == Action::Restart && detail.instance.status() == Status::Stopped =>
            {
                act(app, account.0.clone(), Action::Start { may_move: false }, &detail).await
            }
            Ok(detail) => act(app, account.0.clone(), action.clone(), &detail).await,
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(()) => {}
            Err(
                fault @ (Error::NotFound(_)
                | Error::Conflict(_)
                | Error::Invalid(_)
                | Error::Forbidden(_)
                | Error::Contention
                | Error::Busy),
            ) => {
                let told = Failure::Domain(fault).to_string();
                faults.push(Violation::new(format!("instanceIds[{at}]"), &told));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Error::unless_empty(faults)?;
    Ok(HttpResponse::NoContent().finish())
}
