//! Templates: of the account, and of the operator for everybody.

use std::collections::BTreeMap;

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Error;
use domain::error::{Thing, Violation};
use domain::template::{
    self, AddTemplate, Recipe, RegistryDraft, ReplaceTemplate, Template, TemplateDraft,
};
use domain::user::Caller;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::account::Account;
use super::error::Failure;
use super::query::{PAGE_SIZE, part};
use super::templates_view::{listed, shown};
use super::{body::Json, reading, resource};
use crate::app::App;
use crate::http::Query;

/// The disk of a template that does not say how large, in GB: the least that hosts are asked for.
const DISK_GB: u32 = 32;

/// Where images are that name no registry, as in the document's example.
const REGISTRY: &str = "docker.io";

/// What a template is to be; what is left out stays, or is empty in a new one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateBody {
    host: Option<String>,
    username: Option<String>,
    password: Option<String>,
    name: Option<String>,
    image_name: Option<String>,
    category_name: Option<Value>,
    default_tag: Option<Value>,
    disk_size: Option<Value>,
    expose_ports: Option<Value>,
    start_script: Option<Value>,
    arg_options: Option<Value>,
    env_variables: Option<Value>,
    notes: Option<String>,
    is_password_protected: Option<bool>,
    is_run_ssh_server_on: Option<bool>,
    is_run_jupyter_on: Option<bool>,
}

/// Lists and members of both kinds.
pub fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/instances/global-templates/list", list_global))
        .service(reading("/instances/global-templates/{id}", show_global))
        .service(reading("/instances/templates/list", list))
        .service(
            resource("/instances/templates").route(web::post().to(add)).route(web::get().to(list)),
        )
        .service(
            resource("/instances/templates/{id}")
                .route(web::get().to(show))
                .route(web::put().to(replace))
                .route(web::delete().to(delete)),
        );
}

async fn list_global(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let (search, part) = asked(&request)?;
    let store = app.store.as_ref();
    let (templates, _) = template::global_part(store, &account.0, search, part).await?;
    Ok(HttpResponse::Ok().json(templates.iter().map(listed).collect::<Vec<_>>()))
}

async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let (search, part) = asked(&request)?;
    let store = app.store.as_ref();
    let (templates, _) = template::part(store, &account.0, (None, search), part).await?;
    Ok(HttpResponse::Ok().json(templates.iter().map(listed).collect::<Vec<_>>()))
}

/// What is searched for, and which page of it.
fn asked(request: &HttpRequest) -> Result<(Option<String>, (u32, u32)), Failure> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 100);
    let part = part(&mut query, PAGE_SIZE);
    query.finish()?;
    Ok((search, part))
}

async fn show_global(
    app: Data<App>,
    account: Account,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let template = named(&app, &account.0, &id, true).await?;
    Ok(HttpResponse::Ok().json(shown(&template)))
}

async fn show(app: Data<App>, account: Account, id: Path<String>) -> Result<HttpResponse, Failure> {
    let template = named(&app, &account.0, &id, false).await?;
    Ok(HttpResponse::Ok().json(shown(&template)))
}

/// The template of a path, of the operator or of somebody's own.
async fn named(app: &App, caller: &Caller, id: &str, is_global: bool) -> Result<Template, Error> {
    let unknown = || Error::NotFound(Thing::Template);
    let number = id.parse().map_err(|_| unknown())?;
    let template = template::numbered(app.store.as_ref(), caller, number).await?;
    if template.pool_id.is_none() == is_global { Ok(template) } else { Err(unknown()) }
}

async fn add(
    app: Data<App>,
    account: Account,
    body: Json<TemplateBody>,
) -> Result<HttpResponse, Failure> {
    let empty = Recipe { tag: "latest".to_owned(), disk_gb: DISK_GB, ..Recipe::default() };
    let draft = draft(body.0, (empty, None))?;
    let request = AddTemplate { caller: account.0, pool_id: None, draft };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let added = template::add(store, clock, random, app.vault.as_ref(), request).await?;
    Ok(HttpResponse::Created().json(shown(&added)))
}

async fn replace(
    app: Data<App>,
    account: Account,
    id: Path<String>,
    body: Json<TemplateBody>,
) -> Result<HttpResponse, Failure> {
    let before = named(&app, &account.0, &id, false).await?;
    let registry = before.registry.map(|registry| RegistryDraft {
        host: registry.host,
        username: registry.username,
        password: None,
    });
    let draft = draft(body.0, (before.recipe, registry))?;
    let request = ReplaceTemplate { caller: account.0, id: before.id, draft };
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let now = template::replace(store, clock, app.vault.as_ref(), request).await?;
    Ok(HttpResponse::Ok().json(shown(&now)))
}

async fn delete(
    app: Data<App>,
    account: Account,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let template = named(&app, &account.0, &id, false).await?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    template::delete(store, clock, &account.0, template.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The template that a body makes of what was there.
fn draft(
    body: TemplateBody,
    (before, registry): (Recipe, Option<RegistryDraft>),
) -> Result<TemplateDraft, Error> {
    let mut faults = Vec::new();
    let mut read = Reader(&mut faults);
    let image = body.image_name.unwrap_or(before.image);
    // A template without a name is called what it is made of.
    let name = body.name.filter(|name| !name.trim().is_empty()).or(Some(before.name));
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| image.clone());
    let recipe = Recipe {
        name,
        image,
        tag: read.text("defaultTag", body.default_tag).unwrap_or(before.tag),
        category: read.text("categoryName", body.category_name).unwrap_or(before.category),
        disk_gb: read.disk(body.disk_size).unwrap_or(before.disk_gb),
        ports: read.ports(body.expose_ports).unwrap_or(before.ports),
        start_script: read.text("startScript", body.start_script).unwrap_or(before.start_script),
        build_arguments: read.lines(body.arg_options).unwrap_or(before.build_arguments),
        environment: read.variables(body.env_variables).unwrap_or(before.environment),
        notes: body.notes.unwrap_or(before.notes),
        runs_ssh: body.is_run_ssh_server_on.unwrap_or(before.runs_ssh),
        runs_jupyter: body.is_run_jupyter_on.unwrap_or(before.runs_jupyter),
    };
    let is_known = registry.is_some() || body.password.is_some();
    let is_protected = body.is_password_protected.unwrap_or(is_known);
    let (host, username) = registry.map_or_else(
        || (REGISTRY.to_owned(), String::new()),
        |registry| (registry.host, registry.username),
    );
    let registry = is_protected.then(|| RegistryDraft {
        host: body.host.unwrap_or(host),
        username: body.username.unwrap_or(username),
        password: body.password.map(SecretString::from),
    });
    Error::unless_empty(faults)?;
    Ok(TemplateDraft { recipe, registry })
}

/// Reads what clients of the document spell in more than one way.
pub struct Reader<'a>(pub &'a mut Vec<Violation>);

impl Reader<'_> {
    fn fault<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.0.push(Violation::new(name, message));
        None
    }

    /// A text; the document calls some of them numbers.
    pub fn text(&mut self, name: &str, value: Option<Value>) -> Option<String> {
        match value? {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => self.fault(name, "must be a text"),
        }
    }

    fn disk(&mut self, value: Option<Value>) -> Option<u32> {
        match self.text("diskSize", value)?.parse() {
            Ok(disk_gb) => Some(disk_gb),
            Err(_) => self.fault("diskSize", "must be a whole number of GB"),
        }
    }

    /// Numbers with commas between them.
    fn ports(&mut self, value: Option<Value>) -> Option<Vec<u16>> {
        let text = self.text("exposePorts", value)?;
        let ports = text.split(',').map(str::trim).filter(|port| !port.is_empty());
        match ports.map(str::parse).collect() {
            Ok(ports) => Some(ports),
            Err(_) => self.fault("exposePorts", "must be ports with commas between them: 22,80"),
        }
    }

    /// A text, or a list of its lines.
    fn lines(&mut self, value: Option<Value>) -> Option<String> {
        let Some(Value::Array(items)) = value else {
            return self.text("argOptions", value);
        };
        let lines = items.into_iter().map(|item| item.as_str().map(ToOwned::to_owned));
        match lines.collect::<Option<Vec<_>>>() {
            Some(lines) => Some(lines.join("\n")),
            None => self.fault("argOptions", "must be a text or a list of texts"),
        }
    }

    /// A list of names and values, or the text of one.
    pub fn variables(&mut self, value: Option<Value>) -> Option<BTreeMap<String, String>> {
        let advice = "must be a list of {\"name\", \"value\"}, each name once";
        let list = match value? {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => Value::Array(Vec::new()),
            Value::String(text) => crate::json::read(text.as_bytes()).unwrap_or_default(),
            other => other,
        };
        let Value::Array(mut items) = list else { return self.fault("envVariables", advice) };
        // An empty row of a form; the document's own example has one.
        items.retain(|item| !item.is_null());
        let count = items.len();
        let pair = |item: Value| {
            let of = |name: &str| match item.get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(flag) => Some(flag.to_string()),
                _ => None,
            };
            Some((of("name")?, of("value")?))
        };
        let pairs: Option<BTreeMap<_, _>> = items.into_iter().map(pair).collect();
        match pairs.filter(|pairs| pairs.len() == count) {
            Some(pairs) => Some(pairs),
            None => self.fault("envVariables", advice),
        }
    }
}
