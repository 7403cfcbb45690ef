//! Startup scripts of the project.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::error::{Error, Thing};
use domain::pool::{Duplicates, Label};
use domain::script::{self, AddScript, Content, Script, ScriptId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Json;
use super::error::{Code, Failure};
use super::input::OneOrMany;
use super::project::Project;
use super::resource;
use super::view::made;
use crate::app::App;
use crate::http::Query;
use crate::instants::to_the_millisecond as instant;

const PAGE_SIZE: u32 = 10;
const LARGEST_PAGE: u32 = 100;

#[derive(Deserialize)]
struct NewScript {
    name: Option<String>,
    script: Option<String>,
}

#[derive(Deserialize)]
struct Scripts {
    scripts: Option<OneOrMany>,
}

/// The collection and its members.
pub fn operations(config: &mut ServiceConfig) {
    let collection = resource("/scripts")
        .route(web::get().to(list))
        .route(web::post().to(add))
        .route(web::delete().to(delete_many));
    let member =
        resource("/scripts/{id}").route(web::get().to(show)).route(web::delete().to(delete_one));
    config.service(collection).service(member);
}

fn shown(script: &Script) -> Value {
    json!({
        "id": script.id.uuid().to_string(),
        "name": script.name,
        "script": script.content,
        "created_at": instant(script.created_at),
    })
}

/// A page, the newest first: without `page` the first, without `pageSize` of ten.
async fn list(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let page = query.number("page", 1, u32::MAX).unwrap_or(1);
    let size = query.number("pageSize", 1, LARGEST_PAGE).unwrap_or(PAGE_SIZE);
    query.finish()?;
    let skip = (page - 1).saturating_mul(size);
    let (scripts, total) =
        script::part(app.store.as_ref(), &project.caller, project.pool_id, (skip, size)).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("X-Page", page.to_string()))
        .insert_header(("X-Page-Size", size.to_string()))
        .insert_header(("X-Total-Count", total.to_string()))
        .json(scripts.iter().map(shown).collect::<Vec<_>>()))
}

async fn add(
    app: Data<App>,
    project: Project,
    body: Json<NewScript>,
) -> Result<HttpResponse, Failure> {
    let name = Label::parse(&body.0.name.unwrap_or_default());
    let name = name.map_err(|fault| Error::invalid("/name", fault))?;
    let content = Content::parse(&body.0.script.unwrap_or_default());
    let content = content.map_err(|fault| Error::invalid("/script", fault))?;
    // dstack adds its script anew for every instance.
    let duplicates = Duplicates::Allowed;
    let request = AddScript { caller: project.caller, pool_id: None, name, content, duplicates };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let script = script::add(store, clock, random, request).await?;
    Ok(made(script.id.uuid()))
}

/// An array of the one: clients take its first element.
async fn show(app: Data<App>, project: Project, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = ScriptId::parse_uuid(&id).ok_or(Error::NotFound(Thing::Script))?;
    let script = script::show(app.store.as_ref(), &project.caller, id).await?;
    Ok(HttpResponse::Ok().json([shown(&script)]))
}

async fn delete_one(
    app: Data<App>,
    project: Project,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    delete(&app, &project, OneOrMany::One(id.into_inner())).await
}

async fn delete_many(
    app: Data<App>,
    project: Project,
    body: Json<Scripts>,
) -> Result<HttpResponse, Failure> {
    let missing = Failure::Told(Code::InvalidRequest, "scripts is required");
    delete(&app, &project, body.0.scripts.ok_or(missing)?).await
}

async fn delete(app: &App, project: &Project, ids: OneOrMany) -> Result<HttpResponse, Failure> {
    let ids = ids.ids(ScriptId::parse_uuid)?.ok_or(Error::NotFound(Thing::Script))?;
    script::delete(app.store.as_ref(), app.clock.as_ref(), &project.caller, &ids).await?;
    Ok(HttpResponse::Ok().finish())
}
