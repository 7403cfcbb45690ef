//! What operators do with everybody's instances.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post};
use domain::Result;
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::instance::{self, HostedFilter, Instance, InstanceDetail, InstanceId, Status};
use domain::user::UserId;
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, bounded_page};
use super::field::ID;
use super::instances::instance_id;
use super::instances_view::{InstanceView, instance_view};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

/// An instance as operators see it.
#[derive(Serialize, ToSchema)]
pub struct HostedInstanceView {
    /// As its owner sees it.
    instance: InstanceView,
    server_id: String,
    /// Who pays.
    payer_id: String,
    /// What went wrong the last time, in the driver's words.
    driver_fault: Option<String>,
    /// Since when its server does not have it.
    #[schema(value_type = Option<String>, format = DateTime)]
    missing_since: Option<Stamp>,
}

impl HostedInstanceView {
    fn new(detail: InstanceDetail, now: Timestamp) -> Self {
        let Instance { host_id, payer_id, missing_since, .. } = detail.instance;
        Self {
            server_id: host_id.to_string(),
            payer_id: payer_id.to_string(),
            driver_fault: detail.instance.driver_fault.clone(),
            missing_since: missing_since.map(Stamp),
            instance: instance_view(detail, now),
        }
    }
}

/// List everybody's instances, newest first.
///
/// Those that are deleted are left out, unless they are asked for by their status.
#[utoipa::path(tag = "operators",
    params(("server_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only on this server"),
           ("payer_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only what this user pays for"),
           ("status" = Option<String>, Query, description = "Only in this state", example = "running"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<HostedInstanceView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/instances")]
pub async fn list_hosted_instances(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<HostedInstanceView>> {
    let mut query = Query::parse(request.query_string());
    let filter = HostedFilter {
        host_id: query.value("server_id", |text| HostId::parse(text).ok_or(ID)),
        payer_id: query.value("payer_id", |text| UserId::parse(text).ok_or(ID)),
        status: query.value("status", |text| Status::parse(text).ok_or("is no status")),
    };
    let page = bounded_page(&mut query, InstanceId::parse);
    query.finish()?;
    let found = instance::all(app.store.as_ref(), &signed.caller.into(), &filter, page).await?;
    let next = found.next.map(|id| id.to_string());
    let now = app.clock.now();
    let views = found.rows.into_iter().map(|row| HostedInstanceView::new(row, now)).collect();
    Ok(Success::ok("Instances retrieved successfully", views).continued(next))
}

async fn hosted(app: &App, instance: Instance) -> Result<HostedInstanceView> {
    let now = app.clock.now();
    let detail = instance::detail(app.store.as_ref(), instance).await?;
    Ok(HostedInstanceView::new(detail, now))
}

/// Give a spot instance notice.
#[utoipa::path(tag = "operators", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<HostedInstanceView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "INSTANCE_NOT_FOUND", "NOT_SPOT"]))))]
#[post("/admin/instances/{id}/evict")]
pub async fn evict_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<HostedInstanceView> {
    let operator = signed.caller.into();
    let id = instance_id(&id)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let policy = &app.settings.instance_policy;
    let noticed = instance::evict(store, clock, &operator, policy, id).await?;
    Ok(Success::ok("Notice given successfully", hosted(&app, noticed).await?))
}

/// Delete somebody's instance, such as one on a server that is to go; a cluster goes as a whole.
///
/// Volumes stay. Its owner is told.
#[utoipa::path(tag = "operators", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<HostedInstanceView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "INSTANCE_NOT_FOUND"]))))]
#[delete("/admin/instances/{id}")]
pub async fn delete_hosted_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<HostedInstanceView> {
    let operator = signed.caller.into();
    let id = instance_id(&id)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let gone = Box::pin(instance::take_down(store, clock, random, &operator, id)).await?;
    Ok(Success::ok("Instance deleted successfully", hosted(&app, gone).await?))
}
