//! SSH keys of the project. `/sshkeys` and `/ssh-keys` are one collection: some clients know the one name,
//! some the other.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpResponse, Resource};
use domain::error::{Error, Thing};
use domain::page::Page;
use domain::pool::{Duplicates, Label};
use domain::ssh_key::{self, AddSshKey, PublicKey, SshKey, SshKeyId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Json;
use super::error::{Code, Failure};
use super::input::OneOrMany;
use super::project::Project;
use super::resource;
use super::view::made;
use crate::app::App;
use crate::instants::to_the_millisecond as instant;

#[derive(Deserialize)]
struct NewKey {
    name: Option<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Keys {
    keys: Option<OneOrMany>,
}

/// Both names of the collection.
pub fn operations(config: &mut ServiceConfig) {
    for name in ["/sshkeys", "/ssh-keys"] {
        config.service(collection(name)).service(member(name));
    }
}

fn collection(name: &str) -> Resource {
    resource(name)
        .route(web::get().to(list))
        .route(web::post().to(add))
        .route(web::delete().to(delete_many))
}

fn member(name: &str) -> Resource {
    resource(&format!("{name}/{{id}}"))
        .route(web::get().to(show))
        .route(web::delete().to(delete_one))
}

fn shown(key: &SshKey) -> Value {
    json!({
        "id": key.id.uuid().to_string(),
        "name": key.name,
        "key": key.public_key,
        "fingerprint": key.fingerprint,
        "created_at": instant(key.created_at),
    })
}

async fn list(app: Data<App>, project: Project) -> Result<HttpResponse, Failure> {
    let all = Page { after: None, limit: None };
    let found = ssh_key::list(app.store.as_ref(), &project.caller, None, all).await?;
    Ok(HttpResponse::Ok().json(found.rows.iter().map(shown).collect::<Vec<_>>()))
}

async fn add(
    app: Data<App>,
    project: Project,
    body: Json<NewKey>,
) -> Result<HttpResponse, Failure> {
    let name = Label::parse(&body.0.name.unwrap_or_default());
    let name = name.map_err(|fault| Error::invalid("/name", fault))?;
    let public_key = PublicKey::parse(&body.0.key.unwrap_or_default());
    let public_key = public_key.map_err(|fault| Error::invalid("/key", fault))?;
    // dstack adds its key anew for every instance.
    let duplicates = Duplicates::Allowed;
    let request = AddSshKey { caller: project.caller, pool_id: None, name, public_key, duplicates };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let (key, _) = ssh_key::add(store, clock, random, request).await?;
    Ok(made(key.id.uuid()))
}

/// An array of the one: clients take its first element.
async fn show(app: Data<App>, project: Project, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = SshKeyId::parse_uuid(&id).ok_or(Error::NotFound(Thing::SshKey))?;
    let key = ssh_key::show(app.store.as_ref(), &project.caller, id).await?;
    Ok(HttpResponse::Ok().json([shown(&key)]))
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
    body: Json<Keys>,
) -> Result<HttpResponse, Failure> {
    let missing = Failure::Told(Code::InvalidRequest, "keys is required");
    delete(&app, &project, body.0.keys.ok_or(missing)?).await
}

async fn delete(app: &App, project: &Project, ids: OneOrMany) -> Result<HttpResponse, Failure> {
    let ids = ids.ids(SshKeyId::parse_uuid)?.ok_or(Error::NotFound(Thing::SshKey))?;
    ssh_key::delete(app.store.as_ref(), app.clock.as_ref(), &project.caller, &ids).await?;
    Ok(HttpResponse::Ok().finish())
}
