//! What one does with instances, one or many.

use actix_web::web::{Data, Path};
use actix_web::{delete, post};
use domain::Result;
use domain::host::HostId;
use domain::instance::{self, Act, Action, Disposal, InstanceId, Outcome};
use domain::volume::VolumeId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::error::Failure;
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, ID, as_is, id_set};
use super::instances::{instance_id, one};
use super::instances_view::InstanceView;
use crate::app::App;

const ACTIONS: &str = "must be start, boot, resume, shutdown, force_shutdown, restart, hibernate, \
                       restore, delete, discontinue, delete_stuck or configure_spot";

#[derive(Deserialize, ToSchema)]
pub struct ActionBody {
    /// `start` (or `boot`; also out of hibernation, for which there is `restore` as well), `resume`, `shutdown`,
    /// `force_shutdown`, `restart`, `hibernate`, `delete` (or `discontinue`), `delete_stuck`,
    /// `configure_spot`.
    #[schema(value_type = String, required, example = "shutdown")]
    #[serde(default)]
    action: Field<String>,
    /// With `delete`: those of its volumes that go with it; the others stay. If it is not given, its disk
    /// alone goes, where that is a volume.
    #[schema(value_type = Option<Vec<String>>, max_items = 16)]
    #[serde(default)]
    volume_ids: Field<Vec<String>>,
    /// With `delete`: those volumes are destroyed at once, not put into the trash.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    delete_permanently: Field<bool>,
    /// With `configure_spot`: whether it may be evicted.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    is_spot: Field<bool>,
    /// With `start`: whether a hibernated one may come to another server, where its own has no room. Its disk
    /// is brought there, and its ports and address are others then.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    may_move: Field<bool>,
    /// With `resume`: the server where one that is hibernated and sold by the graphics processor is to go on, at
    /// the price of that server's offer. Its disk is brought there.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    server_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct BulkActionBody {
    #[schema(value_type = Vec<String>, required, min_items = 1, max_items = 1000)]
    #[serde(default)]
    ids: Field<Vec<String>>,
    #[serde(flatten)]
    action: ActionBody,
}

fn action(body: ActionBody) -> Result<Action> {
    let mut check = Check::default();
    let volume_ids = check.optional("/volume_ids", body.volume_ids, |ids| {
        ids.iter().map(|id| VolumeId::parse(id).ok_or(ID)).collect::<Result<Vec<_>, _>>()
    });
    let permanently = check.optional("/delete_permanently", body.delete_permanently, as_is);
    let is_spot = check.optional("/is_spot", body.is_spot, as_is);
    let may_move = check.optional("/may_move", body.may_move, as_is).unwrap_or(false);
    let server_id =
        check.optional("/server_id", body.server_id, |text| HostId::parse(&text).ok_or(ID));
    let disposal = Disposal { volume_ids, permanently: permanently.unwrap_or(false) };
    let action = check.required("/action", body.action, |text| match text.as_str() {
        "start" | "boot" | "restore" => Ok(Action::Start { may_move }),
        "resume" => match server_id {
            Some(host_id) => Ok(Action::Resume { host_id }),
            None => Err("needs `server_id`"),
        },
        "shutdown" => Ok(Action::Shutdown { force: false }),
        "force_shutdown" => Ok(Action::Shutdown { force: true }),
        "restart" => Ok(Action::Restart),
        "hibernate" => Ok(Action::Hibernate),
        "delete" | "discontinue" => Ok(Action::Delete(disposal.clone())),
        "delete_stuck" => Ok(Action::DeleteStuck),
        "configure_spot" => match is_spot {
            Some(is_spot) => Ok(Action::ConfigureSpot { is_spot }),
            None => Err("needs `is_spot`"),
        },
        _ => Err(ACTIONS),
    });
    check.finish(|| action)
}

/// Start, stop, restart, hibernate or delete an instance.
///
/// The answer shows what is wanted now; `status` tells when it is done. What is so already stays so.
#[utoipa::path(tag = "instances", request_body = ActionBody,
    params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "NO_PRICING", "INSTANCE_NOT_FOUND", "GPU_OFFER_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTANCE_BUSY", "INSTANCE_LOCKED", "INSTANCE_DELETED", "PART_OF_CLUSTER", "NO_CAPACITY", "CHARGE_EXCEEDS_MAX", "NOT_FOR_UNITS"]))))]
#[post("/instances/{id}/actions")]
pub async fn act_on_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<ActionBody>,
) -> Answer<InstanceView> {
    let id = instance_id(&id)?;
    let request = Act { caller: signed.caller, action: action(body.0)? };
    let (outcome, made) = act(&app, &request, id).await?;
    let message = match outcome {
        Outcome::Accepted => "Action accepted",
        Outcome::Unchanged => "Nothing to do",
    };
    Ok(Success::ok(message, one(&app, made).await?))
}

async fn act(app: &App, request: &Act, id: InstanceId) -> Result<(Outcome, instance::Instance)> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let by = (&app.settings.instance_policy, request);
    Box::pin(instance::act(store, clock, random, by, id)).await
}

/// Delete an instance.
///
/// Its volumes stay, but for one that is its disk, which goes to the trash. What it costs ends with this
/// second.
#[utoipa::path(tag = "instances", params(("id", description = "Instance identifier")),
    responses((status = 200, body = Success<InstanceView>)),
    extensions(("x-errors" = json!(["INSTANCE_NOT_FOUND", "POOL_ADMIN_REQUIRED", "INSTANCE_LOCKED", "PART_OF_CLUSTER"]))))]
#[delete("/instances/{id}")]
pub async fn delete_instance(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<InstanceView> {
    let id = instance_id(&id)?;
    let action = Action::Delete(Disposal { volume_ids: None, permanently: false });
    let (_, made) = act(&app, &Act { caller: signed.caller, action }, id).await?;
    Ok(Success::ok("Instance deleted successfully", one(&app, made).await?))
}

/// What came of one of several.
#[derive(Serialize, ToSchema)]
pub struct ActionResultView {
    instance_id: String,
    /// `accepted`, `unchanged` or `error`.
    #[schema(example = "accepted")]
    status: &'static str,
    /// Why not, for programs.
    #[schema(example = "INSTANCE_BUSY")]
    error: Option<&'static str>,
    message: Option<String>,
}

/// Do the same with several instances.
///
/// Each is done or refused for itself, and the answer tells of each; 207 if one was refused.
#[utoipa::path(tag = "instances", request_body = BulkActionBody,
    responses((status = 200, body = Success<Vec<ActionResultView>>),
              (status = 207, body = Success<Vec<ActionResultView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[post("/instances/actions")]
pub async fn act_on_instances(
    app: Data<App>,
    signed: Authenticated,
    body: Body<BulkActionBody>,
) -> Answer<Vec<ActionResultView>> {
    let ids = id_set(body.0.ids, InstanceId::parse)?;
    let request = Act { caller: signed.caller, action: action(body.0.action)? };
    let ids: Vec<InstanceId> = ids.into_iter().collect();
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let by = (&app.settings.instance_policy, &request);
    let outcomes = Box::pin(instance::act_on_all(store, clock, random, by, &ids)).await?;
    let views: Vec<ActionResultView> = outcomes.into_iter().map(result_view).collect();
    let is_mixed = views.iter().any(|view| view.error.is_some());
    let success = Success::ok("Actions done", views);
    Ok(if is_mixed { success.mixed() } else { success })
}

fn result_view((id, outcome): (InstanceId, Result<Outcome>)) -> ActionResultView {
    let (status, failure) = match outcome {
        Ok(Outcome::Accepted) => ("accepted", None),
        Ok(Outcome::Unchanged) => ("unchanged", None),
        Err(error) => ("error", Some(Failure::from(error))),
    };
    ActionResultView {
        instance_id: id.to_string(),
        status,
        error: failure.as_ref().map(|failure| failure.code().as_str()),
        message: failure.map(|failure| failure.to_string()),
    }
}
