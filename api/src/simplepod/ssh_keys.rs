//! SSH keys of the account.

use std::collections::BTreeSet;

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::Error;
use domain::error::Thing;
use domain::pool::{Duplicates, Label};
use domain::ssh_key::{self, AddSshKey, PublicKey, SshKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Account;
use super::error::Failure;
use super::query::{PAGE_SIZE, part};
use super::view::instant;
use super::{body::Json, reading, resource};
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewKey {
    name: Option<String>,
    public_key: Option<String>,
}

/// The list and its members.
pub fn operations(config: &mut ServiceConfig) {
    config
        .service(reading("/user-ssh-keys/list", list))
        .service(resource("/user-ssh-keys").route(web::post().to(add)))
        .service(
            resource("/user-ssh-keys/{id}")
                .route(web::get().to(show))
                .route(web::delete().to(delete)),
        );
}

fn shown(key: &SshKey, number: i64) -> Value {
    json!({
        "id": number,
        "name": key.name,
        "publicKey": key.public_key,
        "createdAt": instant(key.created_at),
    })
}

async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 100);
    let (skip, limit) = part(&mut query, PAGE_SIZE);
    query.finish()?;
    let part = (
        usize::try_from(skip).map_err(Error::internal)?,
        usize::try_from(limit).map_err(Error::internal)?,
    );
    let keys = ssh_key::part(app.store.as_ref(), &account.0, search.as_deref(), part).await?;
    let rows: Vec<Value> = keys.iter().map(|(key, number)| shown(key, *number)).collect();
    Ok(HttpResponse::Ok().json(rows))
}

async fn add(
    app: Data<App>,
    account: Account,
    body: Json<NewKey>,
) -> Result<HttpResponse, Failure> {
    let name = Label::parse(&body.0.name.unwrap_or_default());
    let name = name.map_err(|fault| Error::invalid("/name", fault))?;
    let public_key = PublicKey::parse(&body.0.public_key.unwrap_or_default());
    let public_key = public_key.map_err(|fault| Error::invalid("/publicKey", fault))?;
    let duplicates = Duplicates::Refused;
    let request = AddSshKey { caller: account.0, pool_id: None, name, public_key, duplicates };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let (key, number) = ssh_key::add(store, clock, random, request).await?;
    Ok(HttpResponse::Created().json(shown(&key, number)))
}

/// The key of a path and its number.
async fn named(app: &App, account: &Account, id: &str) -> Result<(SshKey, i64), Error> {
    let number = id.parse().map_err(|_| Error::NotFound(Thing::SshKey))?;
    let key = ssh_key::numbered(app.store.as_ref(), &account.0, number).await?;
    Ok((key, number))
}

async fn show(app: Data<App>, account: Account, id: Path<String>) -> Result<HttpResponse, Failure> {
    let (key, number) = named(&app, &account, &id).await?;
    Ok(HttpResponse::Ok().json(shown(&key, number)))
}

async fn delete(
    app: Data<App>,
    account: Account,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let (key, _) = named(&app, &account, &id).await?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    ssh_key::delete(store, clock, &account.0, &BTreeSet::from([key.id])).await?;
    Ok(HttpResponse::NoContent().finish())
}
