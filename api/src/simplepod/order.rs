//! Orders of instances: containers from a template, and machines from an image.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::error::{Thing, Violation};
use domain::host::HostId;
use domain::image;
use domain::instance::{
    self, Boot, CreateInstance, Hostname, Instance, Keys, Offering, PasswordWish, Renewal,
};
use domain::number::Numbered;
use domain::pool::Label;
use domain::ssh_key::{self, PublicKey};
use domain::tag::Tags;
use domain::template;
use domain::{Error, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::account::Account;
use super::body::Json;
use super::error::Failure;
use super::instances::numbers;
use super::instances_view::shown;
use super::iri;
use super::templates::Reader;
use crate::app::App;

/// The disk of a machine whose image says nothing, in GB.
const LEAST_DISK_GB: u32 = 32;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewInstance {
    gpu_count: Option<Value>,
    instance_market: Option<Value>,
    instance_template: Option<Value>,
    start_script: Option<Value>,
    env_variables: Option<Value>,
    num_of_instances: Option<Value>,
    instance_vm_image: Option<Value>,
    user_ssh_key: Option<Value>,
    user_ssh_key_name: Option<String>,
    password: Option<String>,
}

/// Orders one, or several that are alike: all of them or none.
pub async fn create(
    app: Data<App>,
    account: Account,
    body: Json<NewInstance>,
) -> std::result::Result<HttpResponse, Failure> {
    let count = body.0.num_of_instances.as_ref().filter(|count| !count.is_null());
    let count = count.map(|count| whole("numOfInstances", count)).transpose()?;
    let request = wish(&app, account, body.0).await?;
    let (store, clock, means) = (app.store.as_ref(), app.clock.as_ref(), app.means());
    let policy = &app.settings.instance_policy;
    let made = match count {
        None | Some(1) => {
            vec![Box::pin(instance::create(store, clock, means, policy, request)).await?]
        }
        Some(count) => {
            let several = instance::create_several(store, clock, means, policy, (request, count));
            Box::pin(several).await?
        }
    };
    let rows = rows(&app, made).await?;
    Ok(match rows.as_slice() {
        [one] => HttpResponse::Created().json(one),
        several => HttpResponse::Created().json(several),
    })
}

async fn rows(app: &App, made: Vec<Instance>) -> Result<Vec<Value>> {
    let details = instance::details(app.store.as_ref(), made).await?;
    let (numbers, now) = (numbers(app, &details).await?, app.clock.now());
    let rows = details.iter().zip(numbers).map(|(detail, number)| shown(detail, number, now));
    Ok(rows.collect())
}

/// What of a host is ordered, of which template or image.
struct What {
    boot: Boot,
    name: String,
    disk_gb: Option<u32>,
    is_machine: bool,
    keys: Keys,
    password: PasswordWish,
}

async fn wish(app: &App, account: Account, body: NewInstance) -> Result<CreateInstance> {
    let mut faults = Vec::new();
    let mut read = Reader(&mut faults);
    // An empty field of a form asks for nothing.
    let start_script = read.text("startScript", body.start_script.clone());
    let start_script = start_script.filter(|script| !script.trim().is_empty());
    let environment = read.variables(body.env_variables.clone()).unwrap_or_default();
    Error::unless_empty(faults)?;
    let (host_id, row_gpus) = market(app, body.instance_market.as_ref()).await?;
    let gpu_count = body.gpu_count.as_ref().filter(|count| !count.is_null());
    let gpus = gpu_count.map(|count| whole("gpuCount", count)).transpose()?.unwrap_or(row_gpus);
    let what = what(app, &account, &body).await?;
    if what.is_machine && (start_script.is_some() || !environment.is_empty()) {
        let message = "is for containers, and this is a machine";
        let member = if start_script.is_some() { "startScript" } else { "envVariables" };
        return Err(Error::invalid(member, message));
    }
    Ok(CreateInstance {
        caller: account.0,
        pool_id: None,
        offering: Offering::Gpus {
            host_id,
            gpus,
            disk_gb: what.disk_gb,
            is_machine: what.is_machine,
        },
        boot: what.boot,
        ordered_as: None,
        hostname: Hostname::of_words(&what.name, "pod"),
        name: Label::parse(&what.name).ok(),
        description: String::new(),
        keys: what.keys,
        script_id: None,
        start_script,
        environment,
        ports: None,
        volumes: Vec::new(),
        is_spot: false,
        max_per_hour: None,
        prepaid: None,
        renewal: Renewal::default(),
        password: what.password,
        software: Vec::new(),
        tags: Tags::parse(BTreeMap::new()).unwrap_or_default(),
        is_numbered: true,
        idempotency_key: None,
    })
}

async fn what(app: &App, account: &Account, body: &NewInstance) -> Result<What> {
    let is_given = |field: &Option<Value>| field.as_ref().is_some_and(|value| !value.is_null());
    match (is_given(&body.instance_template), is_given(&body.instance_vm_image)) {
        (true, false) => of_template(app, account, body).await,
        (false, true) => of_image(app, account, body).await,
        (true, true) => {
            let message = "is not given with instanceTemplate: one is a machine, one a container";
            Err(Error::invalid("instanceVmImage", message))
        }
        (false, false) => {
            let message = "is required: a template for a container; instanceVmImage for a machine";
            Err(Error::invalid("instanceTemplate", message))
        }
    }
}

/// A container, into which all keys of the account may log in: the document names none.
async fn of_template(app: &App, account: &Account, body: &NewInstance) -> Result<What> {
    let number = body.instance_template.as_ref().and_then(template_number);
    let number = number.ok_or(Error::NotFound(Thing::Template))?;
    let template = template::numbered(app.store.as_ref(), &account.0, number).await?;
    Ok(What {
        boot: Boot::Template(template.id),
        name: template.recipe.name,
        disk_gb: None,
        is_machine: false,
        keys: Keys::All,
        password: PasswordWish::None,
    })
}

/// The number of a template, of somebody's own or the operator's.
pub fn template_number(reference: &Value) -> Option<i64> {
    iri::number(reference, &["/instances/templates/", "/instances/global-templates/"])
}

/// A machine, into which one key may log in.
async fn of_image(app: &App, account: &Account, body: &NewInstance) -> Result<What> {
    let reference = body.instance_vm_image.as_ref();
    let number = reference.and_then(|image| iri::number(image, &["/instances/images/"]));
    let number = number.ok_or(Error::NotFound(Thing::Image))?;
    let image = image::numbered(app.store.as_ref(), &account.0, number).await?;
    Ok(What {
        disk_gb: Some(image.min_disk_gb.max(LEAST_DISK_GB)),
        boot: Boot::OwnDisk(image.code),
        name: image.name,
        is_machine: true,
        keys: key(app, account, body).await?,
        password: password(body).map_or(PasswordWish::None, PasswordWish::Own),
    })
}

/// The password that was chosen. An empty field of a form is none.
fn password(body: &NewInstance) -> Option<SecretString> {
    body.password.clone().filter(|password| !password.is_empty()).map(SecretString::from)
}

/// The key that is named, or one that is sent and kept from now on.
async fn key(app: &App, account: &Account, body: &NewInstance) -> Result<Keys> {
    let reference = body.user_ssh_key.as_ref().filter(|key| !key.is_null());
    let Some(reference) = reference else {
        let required = || Error::invalid("userSshKey", "is required, or password");
        return password(body).map(|_| Keys::These(Vec::new())).ok_or_else(required);
    };
    if let Some(number) = iri::number(reference, &["/user-ssh-keys/"]) {
        let key = ssh_key::numbered(app.store.as_ref(), &account.0, number).await?;
        return Ok(Keys::These(vec![key.id]));
    }
    let text = reference.as_str().unwrap_or_default();
    let public_key = PublicKey::parse(text).map_err(|fault| {
        Error::invalid("userSshKey", format!("is neither the path of a key nor a key: {fault}"))
    })?;
    let name = body.user_ssh_key_name.as_deref().filter(|name| !name.trim().is_empty());
    let comment = text.split_whitespace().nth(2);
    let name = Label::parse(name.or(comment).unwrap_or("SSH key"));
    let name = name.map_err(|fault| Error::invalid("userSshKeyName", fault))?;
    Ok(Keys::Raw { name, public_key })
}

/// The host of a row of the marketplace, and how many graphics processors the row is.
pub async fn market(app: &App, reference: Option<&Value>) -> Result<(HostId, u32)> {
    let reference = reference.filter(|reference| !reference.is_null());
    let required = || Error::invalid("instanceMarket", "is required: /instances/market/…");
    let unknown = || Error::NotFound(Thing::GpuOffer);
    let row = iri::number(reference.ok_or_else(required)?, &["/instances/market/"]);
    let (offer, gpus) = row.and_then(iri::of_market_row).ok_or_else(unknown)?;
    let host = app.store.reads().numbered(Numbered::GpuOffer, offer).await?;
    Ok((HostId::from_uuid(host.ok_or_else(unknown)?), gpus))
}

/// A whole number, which clients also send as a text.
fn whole(name: &str, value: &Value) -> Result<u32> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
    number
        .ok_or_else(|| Error::Invalid(vec![Violation::new(name, "must be a whole number from 1")]))
}
