//! Software of one's pools, and the operator's.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post, put};
use domain::error::Thing;
use domain::pool::PoolId;
use domain::software::{
    self, AddSoftware, Keeper, MOST_OPTIONS, OptionKind, ReplaceSoftware, Scripts, SoftwareDraft,
    SoftwareId, SoftwareOption,
};
use domain::{Error, Result};

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, bounded_page};
use super::field::{Check, ID, Nested, as_is};
use super::software_view::{
    AddSoftwareBody, OptionBody, SoftwareBody, SoftwareSummaryView, SoftwareView,
};
use crate::app::App;
use crate::http::Query;

fn software_id(id: &str) -> Result<SoftwareId> {
    SoftwareId::parse(id).ok_or(Error::NotFound(Thing::Software))
}

/// Reads what software is to be.
fn draft(body: SoftwareBody, mut check: Check) -> Result<SoftwareDraft> {
    let name = check.required("/name", body.name, as_is);
    let description = check.optional("/description", body.description, as_is);
    let category = check.optional("/category", body.category, as_is);
    let install = check.required("/install_script", body.install_script, as_is);
    let remove = check.optional("/remove_script", body.remove_script, as_is);
    // Before each of them is looked at: a body has room for a hundred thousand.
    let few = |options: Vec<_>| {
        if options.len() <= MOST_OPTIONS { Ok(options) } else { Err("must be at most 32 options") }
    };
    let options = check.optional("/options", body.options, few).unwrap_or_default();
    let options = options.into_iter().enumerate();
    let options = options.map(|(at, Nested(body))| option(body, at, &mut check)).collect();
    let draft = SoftwareDraft {
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        category: category.unwrap_or_default(),
        scripts: Scripts { install: install.unwrap_or_default(), remove },
        options,
    };
    check.also(draft.violations());
    check.finish(|| Some(draft))
}

fn option(body: OptionBody, at: usize, check: &mut Check) -> SoftwareOption {
    let place = |name: &str| format!("/options/{at}/{name}");
    let key = check.required(&place("key"), body.key, as_is);
    let name = check.required(&place("name"), body.name, as_is);
    let kind = check.required(&place("type"), body.kind, |text| {
        OptionKind::parse(&text).ok_or("must be text, select, number or boolean")
    });
    let default_value = check.optional(&place("default_value"), body.default_value, as_is);
    let values = check.optional(&place("possible_values"), body.possible_values, as_is);
    SoftwareOption {
        // Told apart from other faulty ones, so that it is not taken for one of them twice.
        key: key.unwrap_or_else(|| format!("/{at}")),
        name: name.unwrap_or_default(),
        kind: kind.unwrap_or(OptionKind::Text),
        default_value,
        possible_values: values.unwrap_or_default(),
    }
}

/// List the software that can be put onto instances: that of one's pools and the operator's, newest first.
#[utoipa::path(tag = "software",
    params(("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only that of this pool, without the operator's"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if it is not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<SoftwareSummaryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND"]))))]
#[get("/software")]
pub async fn list_software(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<SoftwareSummaryView>> {
    let mut query = Query::parse(request.query_string());
    let pool_id = query.value("pool_id", |text| PoolId::parse(text).ok_or(ID));
    let page = bounded_page(&mut query, SoftwareId::parse);
    query.finish()?;
    let found = software::list(app.store.as_ref(), &signed.caller, pool_id, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Software retrieved successfully", views).continued(next))
}

/// Add software to a pool.
///
/// Its owner and admins may. A pool has at most 100.
#[utoipa::path(tag = "software", request_body = AddSoftwareBody,
    responses((status = 201, body = Success<SoftwareView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "SOFTWARE_LIMIT"]))))]
#[post("/software")]
pub async fn add_software(
    app: Data<App>,
    signed: Authenticated,
    body: Body<AddSoftwareBody>,
) -> Answer<SoftwareView> {
    let AddSoftwareBody { software, pool_id } = body.0;
    let mut check = Check::default();
    let pool_id = check.optional("/pool_id", pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let draft = draft(software, check)?;
    add(&app, AddSoftware { keeper: Keeper::Member(signed.caller), pool_id, draft }).await
}

async fn add(app: &App, request: AddSoftware) -> Answer<SoftwareView> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let added = software::add(store, clock, random, request).await?;
    Ok(Success::created("Software added successfully", added.into()))
}

/// Look at software of one's pools, or of the operator.
#[utoipa::path(tag = "software", params(("id", description = "Software identifier")),
    responses((status = 200, body = Success<SoftwareView>)),
    extensions(("x-errors" = json!(["SOFTWARE_NOT_FOUND"]))))]
#[get("/software/{id}")]
pub async fn show_software(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<SoftwareView> {
    let found = software::show(app.store.as_ref(), &signed.caller, software_id(&id)?).await?;
    Ok(Success::ok("Software retrieved successfully", found.into()))
}

/// Replace software of one's pools.
///
/// The pool's owner and admins may. What is on instances already stays as it was ordered. What is left out is
/// as with a new one.
#[utoipa::path(tag = "software", request_body = SoftwareBody,
    params(("id", description = "Software identifier")),
    responses((status = 200, body = Success<SoftwareView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "SOFTWARE_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[put("/software/{id}")]
pub async fn replace_software(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<SoftwareBody>,
) -> Answer<SoftwareView> {
    replace(&app, Keeper::Member(signed.caller), &id, body.0).await
}

async fn replace(app: &App, keeper: Keeper, id: &str, body: SoftwareBody) -> Answer<SoftwareView> {
    let (id, draft) = (software_id(id)?, draft(body, Check::default())?);
    let request = ReplaceSoftware { keeper, id, draft };
    let replaced = software::replace(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::ok("Software replaced successfully", replaced.into()))
}

/// Delete software of one's pools.
///
/// The pool's owner and admins may. What is on instances already stays there, and can be removed.
#[utoipa::path(tag = "software", params(("id", description = "Software identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["SOFTWARE_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/software/{id}")]
pub async fn delete_software(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    remove(&app, &Keeper::Member(signed.caller), &id).await
}

async fn remove(app: &App, keeper: &Keeper, id: &str) -> Answer<Done> {
    software::delete(app.store.as_ref(), app.clock.as_ref(), keeper, software_id(id)?).await?;
    Ok(Success::done("Software deleted successfully"))
}

/// Add software for everybody.
///
/// There are at most 1,000 of these.
#[utoipa::path(tag = "operators", request_body = SoftwareBody,
    responses((status = 201, body = Success<SoftwareView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SOFTWARE_LIMIT"]))))]
#[post("/admin/software")]
pub async fn add_global_software(
    app: Data<App>,
    signed: Authenticated,
    body: Body<SoftwareBody>,
) -> Answer<SoftwareView> {
    let draft = draft(body.0, Check::default())?;
    let keeper = Keeper::Operator(signed.caller.into());
    add(&app, AddSoftware { keeper, pool_id: None, draft }).await
}

/// Replace software that is for everybody.
///
/// What is on instances already stays as it was ordered. What is left out is as with a new one.
#[utoipa::path(tag = "operators", request_body = SoftwareBody,
    params(("id", description = "Software identifier")),
    responses((status = 200, body = Success<SoftwareView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SOFTWARE_NOT_FOUND"]))))]
#[put("/admin/software/{id}")]
pub async fn replace_global_software(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<SoftwareBody>,
) -> Answer<SoftwareView> {
    replace(&app, Keeper::Operator(signed.caller.into()), &id, body.0).await
}

/// Delete software that is for everybody.
///
/// What is on instances already stays there, and can be removed.
#[utoipa::path(tag = "operators", params(("id", description = "Software identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SOFTWARE_NOT_FOUND"]))))]
#[delete("/admin/software/{id}")]
pub async fn delete_global_software(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    remove(&app, &Keeper::Operator(signed.caller.into()), &id).await
}
