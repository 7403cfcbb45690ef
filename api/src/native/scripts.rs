//! Scripts of one's pools.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post};
use domain::error::Thing;
use domain::pool::{Duplicates, Label, PoolId};
use domain::script::{self, AddScript, Content, Script, ScriptId, ScriptSummary};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, page};
use super::field::{Check, Field, ID, id_set};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct ScriptBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "update")]
    #[serde(default)]
    name: Field<String>,
    /// Up to 64 KiB; without `#!` at its beginning it is run by `/bin/sh`.
    #[schema(value_type = String, required, min_length = 1, max_length = 65_536, example = "#!/bin/sh\napt-get update")]
    #[serde(default)]
    content: Field<String>,
    /// The pool that it is for; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct ScriptsBody {
    #[schema(value_type = Vec<String>, required, min_items = 1, max_items = 1000)]
    #[serde(default)]
    ids: Field<Vec<String>>,
}

/// A script as lists have it.
#[derive(Serialize, ToSchema)]
pub struct ScriptSummaryView {
    #[schema(example = "507f1f77bcf86cd799439701")]
    id: String,
    pool_id: String,
    #[schema(example = "update")]
    name: String,
    /// Who added it.
    author_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

#[derive(Serialize, ToSchema)]
pub struct ScriptView {
    #[serde(flatten)]
    summary: ScriptSummaryView,
    #[schema(example = "#!/bin/sh\napt-get update")]
    content: String,
}

impl From<ScriptSummary> for ScriptSummaryView {
    fn from(script: ScriptSummary) -> Self {
        Self {
            id: script.id.to_string(),
            pool_id: script.pool_id.to_string(),
            name: script.name,
            author_id: script.author.map(|id| id.to_string()),
            created_at: Stamp(script.created_at),
        }
    }
}

impl From<Script> for ScriptView {
    fn from(script: Script) -> Self {
        Self { summary: script.summary().into(), content: script.content }
    }
}

fn script_id(id: &str) -> Result<ScriptId> {
    ScriptId::parse(id).ok_or(Error::NotFound(Thing::Script))
}

/// List the scripts of one's pools, newest first.
#[utoipa::path(tag = "scripts",
    params(("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this pool"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<ScriptSummaryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND"]))))]
#[get("/scripts")]
pub async fn list_scripts(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<ScriptSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let pool_id = query.value("pool_id", |text| PoolId::parse(text).ok_or(ID));
    let page = page(&mut query, ScriptId::parse);
    query.finish()?;
    let found = script::list(app.store.as_ref(), &signed.caller, pool_id, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Scripts retrieved successfully", views).continued(next))
}

/// Add a script to a pool.
///
/// Every member of the pool may. A pool holds at most 1,000 scripts, and each content once.
#[utoipa::path(tag = "scripts", request_body = ScriptBody,
    responses((status = 201, body = Success<ScriptView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "SCRIPT_EXISTS", "SCRIPT_LIMIT"]))))]
#[post("/scripts")]
pub async fn add_script(
    app: Data<App>,
    signed: Authenticated,
    body: Body<ScriptBody>,
) -> Answer<ScriptView> {
    let mut check = Check::default();
    let name = check.required("/name", body.0.name, |text| Label::parse(&text));
    let content = check.required("/content", body.0.content, |text| Content::parse(&text));
    let pool_id = check.optional("/pool_id", body.0.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let request = check.finish(|| {
        let (name, content, duplicates) = (name?, content?, Duplicates::Refused);
        Some(AddScript { caller: signed.caller, pool_id, name, content, duplicates })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let script = script::add(store, clock, random, request).await?;
    Ok(Success::created("Script added successfully", script.into()))
}

/// Look at a script.
#[utoipa::path(tag = "scripts", params(("id", description = "Script identifier")),
    responses((status = 200, body = Success<ScriptView>)),
    extensions(("x-errors" = json!(["SCRIPT_NOT_FOUND"]))))]
#[get("/scripts/{id}")]
pub async fn show_script(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ScriptView> {
    let script = script::show(app.store.as_ref(), &signed.caller, script_id(&id)?).await?;
    Ok(Success::ok("Script retrieved successfully", script.into()))
}

/// Delete a script.
///
/// Whoever added it may, and the admins and the owner of its pool.
#[utoipa::path(tag = "scripts", params(("id", description = "Script identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["SCRIPT_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/scripts/{id}")]
pub async fn delete_script(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let ids = BTreeSet::from([script_id(&id)?]);
    script::delete(app.store.as_ref(), app.clock.as_ref(), &signed.caller, &ids).await?;
    Ok(Success::done("Script deleted successfully"))
}

/// Delete several scripts, all or none.
#[utoipa::path(tag = "scripts", request_body = ScriptsBody,
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "SCRIPT_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/scripts")]
pub async fn delete_scripts(
    app: Data<App>,
    signed: Authenticated,
    body: Body<ScriptsBody>,
) -> Answer<Done> {
    let ids = id_set(body.0.ids, ScriptId::parse)?;
    script::delete(app.store.as_ref(), app.clock.as_ref(), &signed.caller, &ids).await?;
    Ok(Success::done("Scripts deleted successfully"))
}
