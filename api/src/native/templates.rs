//! Templates of one's pools, and the operator's.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post, put};
use domain::error::Thing;
use domain::page::Paged;
use domain::pool::PoolId;
use domain::template::{
    self, AddGlobalTemplate, AddTemplate, Recipe, RegistryDraft, ReplaceGlobalTemplate,
    ReplaceTemplate, Template, TemplateDraft, TemplateId, TemplateSummary,
};
use domain::{Error, Result};
use secrecy::SecretString;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, bounded_page, page};
use super::field::{Check, ID, Nested, as_is, count, ports};
use super::templates_view::{
    AddTemplateBody, RegistryBody, TemplateBody, TemplateSummaryView, TemplateView,
};
use crate::app::App;
use crate::http::Query;

fn template_id(id: &str) -> Result<TemplateId> {
    TemplateId::parse(id).ok_or(Error::NotFound(Thing::Template))
}

/// Reads what a template is to be; faults go to `check`.
fn draft(body: TemplateBody, check: &mut Check) -> TemplateDraft {
    let name = check.required("/name", body.name, as_is);
    let image = check.required("/image", body.image, as_is);
    let tag = check.optional("/tag", body.tag, as_is);
    let category = check.optional("/category", body.category, as_is);
    let disk_gb = check.required("/disk_gb", body.disk_gb, count);
    let ports = check.optional("/ports", body.ports, ports);
    let start_script = check.optional("/start_script", body.start_script, as_is);
    let build_arguments = check.optional("/build_arguments", body.build_arguments, as_is);
    let environment = check.optional("/environment", body.environment, as_is);
    let notes = check.optional("/notes", body.notes, as_is);
    let registry = check.optional("/registry", body.registry, as_is);
    let runs_ssh = check.optional("/runs_ssh", body.runs_ssh, as_is);
    let runs_jupyter = check.optional("/runs_jupyter", body.runs_jupyter, as_is);
    let recipe = Recipe {
        name: name.unwrap_or_default(),
        image: image.unwrap_or_default(),
        tag: tag.unwrap_or_else(|| "latest".to_owned()),
        category: category.unwrap_or_default(),
        disk_gb: disk_gb.unwrap_or_default(),
        ports: ports.unwrap_or_default(),
        start_script: start_script.unwrap_or_default(),
        build_arguments: build_arguments.unwrap_or_default(),
        environment: environment.unwrap_or_default(),
        notes: notes.unwrap_or_default(),
        runs_ssh: runs_ssh.unwrap_or(false),
        runs_jupyter: runs_jupyter.unwrap_or(false),
    };
    let registry = registry.map(|Nested(registry)| registry_draft(registry, check));
    TemplateDraft { recipe, registry }
}

fn registry_draft(body: RegistryBody, check: &mut Check) -> RegistryDraft {
    let host = check.required("/registry/host", body.host, as_is);
    let username = check.required("/registry/username", body.username, as_is);
    let password = check.optional("/registry/password", body.password, as_is);
    RegistryDraft {
        host: host.unwrap_or_default(),
        username: username.unwrap_or_default(),
        password: password.map(SecretString::from),
    }
}

/// A template that is to be added.
fn new_draft(body: TemplateBody, mut check: Check) -> Result<TemplateDraft> {
    let draft = draft(body, &mut check);
    check.also(draft.violations_of_new());
    check.finish(|| Some(draft))
}

/// A template that is to be another one.
fn next_draft(body: TemplateBody) -> Result<TemplateDraft> {
    let mut check = Check::default();
    let draft = draft(body, &mut check);
    check.also(draft.violations());
    check.finish(|| Some(draft))
}

fn listed(found: Paged<TemplateSummary, TemplateId>) -> Success<Vec<TemplateSummaryView>> {
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Success::ok("Templates retrieved successfully", views).continued(next)
}

/// List the templates of one's pools, newest first.
#[utoipa::path(tag = "templates",
    params(("search" = Option<String>, Query, max_length = 200, description = "Contained in the name or the image, without regard to case", example = "cuda"),
           ("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this pool"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<TemplateSummaryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND"]))))]
#[get("/templates")]
pub async fn list_templates(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<TemplateSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 200);
    let pool_id = query.value("pool_id", |text| PoolId::parse(text).ok_or(ID));
    let page = page(&mut query, TemplateId::parse);
    query.finish()?;
    let wanted = (pool_id, search);
    Ok(listed(template::list(app.store.as_ref(), &signed.caller, wanted, page).await?))
}

/// List the operator's templates, which are for everybody, newest first.
#[utoipa::path(tag = "templates",
    params(("search" = Option<String>, Query, max_length = 200, description = "Contained in the name or the image, without regard to case", example = "cuda"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if it is not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<TemplateSummaryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/templates/global")]
pub async fn list_global_templates(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<TemplateSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 200);
    let page = bounded_page(&mut query, TemplateId::parse);
    query.finish()?;
    Ok(listed(template::global(app.store.as_ref(), &signed.caller, search, page).await?))
}

/// Add a template to a pool.
///
/// Every member of the pool may. A pool holds at most 1,000 templates.
#[utoipa::path(tag = "templates", request_body = AddTemplateBody,
    responses((status = 201, body = Success<TemplateView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "TEMPLATE_LIMIT"]))))]
#[post("/templates")]
pub async fn add_template(
    app: Data<App>,
    signed: Authenticated,
    body: Body<AddTemplateBody>,
) -> Answer<TemplateView> {
    let AddTemplateBody { template, pool_id } = body.0;
    let mut check = Check::default();
    let pool_id = check.optional("/pool_id", pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let draft = new_draft(template, check)?;
    let request = AddTemplate { caller: signed.caller, pool_id, draft };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let template = template::add(store, clock, random, app.vault.as_ref(), request).await?;
    Ok(Success::created("Template added successfully", template.into()))
}

/// Look at a template of one's pools, or of the operator.
#[utoipa::path(tag = "templates", params(("id", description = "Template identifier")),
    responses((status = 200, body = Success<TemplateView>)),
    extensions(("x-errors" = json!(["TEMPLATE_NOT_FOUND"]))))]
#[get("/templates/{id}")]
pub async fn show_template(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<TemplateView> {
    let template = template::show(app.store.as_ref(), &signed.caller, template_id(&id)?).await?;
    // With what the operator logs in is nobody else's to know.
    let registry = template.registry.filter(|_| template.pool_id.is_some());
    let template = Template { registry, ..template };
    Ok(Success::ok("Template retrieved successfully", template.into()))
}

/// Replace a template of one's pools.
///
/// Whoever added it may, and the admins and the owner of its pool. What is left out is as with a new one; a
/// registry's password that is left out stays.
#[utoipa::path(tag = "templates", request_body = TemplateBody,
    params(("id", description = "Template identifier")),
    responses((status = 200, body = Success<TemplateView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "TEMPLATE_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[put("/templates/{id}")]
pub async fn replace_template(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<TemplateBody>,
) -> Answer<TemplateView> {
    let (id, draft) = (template_id(&id)?, next_draft(body.0)?);
    let request = ReplaceTemplate { caller: signed.caller, id, draft };
    let (store, clock, vault) = (app.store.as_ref(), app.clock.as_ref(), app.vault.as_ref());
    let template = template::replace(store, clock, vault, request).await?;
    Ok(Success::ok("Template replaced successfully", template.into()))
}

/// Delete a template of one's pools.
///
/// Whoever added it may, and the admins and the owner of its pool.
#[utoipa::path(tag = "templates", params(("id", description = "Template identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["TEMPLATE_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/templates/{id}")]
pub async fn delete_template(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    template::delete(store, clock, &signed.caller, template_id(&id)?).await?;
    Ok(Success::done("Template deleted successfully"))
}

/// Add a template for everybody.
///
/// There are at most 10,000 of these.
#[utoipa::path(tag = "operators", request_body = TemplateBody,
    responses((status = 201, body = Success<TemplateView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "TEMPLATE_LIMIT"]))))]
#[post("/admin/templates")]
pub async fn add_global_template(
    app: Data<App>,
    signed: Authenticated,
    body: Body<TemplateBody>,
) -> Answer<TemplateView> {
    let draft = new_draft(body.0, Check::default())?;
    let request = AddGlobalTemplate { operator: signed.caller.into(), draft };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let template = template::add_global(store, clock, random, app.vault.as_ref(), request).await?;
    Ok(Success::created("Template added successfully", template.into()))
}

/// Replace a template that is for everybody.
///
/// What is left out is as with a new one; a registry's password that is left out stays.
#[utoipa::path(tag = "operators", request_body = TemplateBody,
    params(("id", description = "Template identifier")),
    responses((status = 200, body = Success<TemplateView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "TEMPLATE_NOT_FOUND"]))))]
#[put("/admin/templates/{id}")]
pub async fn replace_global_template(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<TemplateBody>,
) -> Answer<TemplateView> {
    let (id, draft) = (template_id(&id)?, next_draft(body.0)?);
    let request = ReplaceGlobalTemplate { operator: signed.caller.into(), id, draft };
    let (store, clock, vault) = (app.store.as_ref(), app.clock.as_ref(), app.vault.as_ref());
    let template = template::replace_global(store, clock, vault, request).await?;
    Ok(Success::ok("Template replaced successfully", template.into()))
}

/// Delete a template that is for everybody.
#[utoipa::path(tag = "operators", params(("id", description = "Template identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "TEMPLATE_NOT_FOUND"]))))]
#[delete("/admin/templates/{id}")]
pub async fn delete_global_template(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    template::delete_global(store, clock, &signed.caller.into(), template_id(&id)?).await?;
    Ok(Success::done("Template deleted successfully"))
}
