//! What is done with volumes, one or many.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::instance::InstanceId;
use domain::volume::{self, CloneVolume, EditVolume, Volume};
use serde::Deserialize;

use super::body::Json;
use super::error::{Code, Failure};
use super::input::{OneOrMany, Whole, invalid, required};
use super::project::Project;
use super::volumes::{find, is_copying, only_instance, remove};
use crate::app::App;

#[derive(Deserialize)]
pub struct ActionBody {
    action: Option<String>,
    id: Option<OneOrMany>,
    instance_id: Option<String>,
    instance_ids: Option<Vec<String>>,
    is_permanent: Option<bool>,
    location_code: Option<String>,
    name: Option<String>,
    size: Option<Whole>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

enum Action {
    Attach(InstanceId),
    Detach(Option<InstanceId>),
    Delete { permanently: bool },
    Rename(String),
    Resize(u32),
    Restore,
    Clone { name: Option<String>, places: Vec<String> },
    Cancel,
}

/// Does something with a volume, or with several. A refusal is the answer; what was done before it stays done,
/// and may be asked for again. Copies are answered by their ids, an array of them.
pub async fn act(
    app: Data<App>,
    project: Project,
    body: Json<ActionBody>,
) -> Result<HttpResponse, Failure> {
    let (ids, action) = read(body.0)?;
    let mut copies = Vec::new();
    for id in &ids {
        let volume = find(&app, &project, id).await?;
        copies.extend(act_on(&app, &project, volume, &action).await?);
    }
    match action {
        Action::Clone { .. } => Ok(HttpResponse::Accepted().json(copies)),
        _ => Ok(HttpResponse::Accepted().finish()),
    }
}

fn read(body: ActionBody) -> Result<(Vec<String>, Action), Failure> {
    let ids = required(body.id, "id")?.texts()?;
    if ids.is_empty() {
        return Err(invalid("id", "names no volume"));
    }
    let name = required(body.action, "action")?;
    let is_detached = name == "detach";
    // A volume has one instance, whichever are named.
    let many = body.instance_ids.filter(|_| !is_detached);
    let instance = only_instance(body.instance_id, many);
    let action = match name.as_str() {
        "attach" => Action::Attach(required(instance?, "instance_id")?),
        "detach" => Action::Detach(instance?),
        "delete" => Action::Delete { permanently: body.is_permanent.unwrap_or(false) },
        "rename" => Action::Rename(required(body.name, "name")?),
        "resize" => Action::Resize(required(body.size, "size")?.read("size")?),
        "restore" => Action::Restore,
        // The Go SDK puts the location into `type`.
        "clone" => {
            let places = body.location_code.into_iter().chain(body.kind);
            Action::Clone { name: body.name, places: places.collect() }
        }
        "cancel" => Action::Cancel,
        "create" | "export" => {
            return Err(Failure::Refused(
                Code::Forbidden,
                format!("{name} is nothing that volumes are asked for here"),
            ));
        }
        "transfer" => {
            let why = "transfer is for who manages both projects, not for credentials of one";
            return Err(Failure::Told(Code::Forbidden, why));
        }
        _ => {
            let words = "must be attach, detach, delete, rename, resize, restore, clone, cancel, \
                create, export or transfer";
            return Err(invalid("action", words));
        }
    };
    Ok((ids, action))
}

/// Answers the id of a copy.
async fn act_on(
    app: &App,
    project: &Project,
    volume: Volume,
    action: &Action,
) -> Result<Option<String>, Failure> {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let caller = &project.caller;
    let funds = app.settings.instance_policy.funds;
    let edit = |name: Option<String>, size_gb: Option<u32>| {
        let request = EditVolume { caller: caller.clone(), id: volume.id, name, size_gb };
        Box::pin(volume::edit(store, clock, random, funds, request))
    };
    let changed = match action {
        Action::Attach(instance_id) => {
            volume::attach(store, clock, caller, volume.id, (*instance_id, None)).await
        }
        Action::Detach(instance_id) => {
            require_holder(&volume, *instance_id)?;
            volume::detach(store, clock, caller, volume.id).await
        }
        Action::Delete { permanently } => {
            remove(app, project, (volume.id, *permanently)).await?;
            return Ok(None);
        }
        Action::Rename(name) => edit(Some(name.clone()), None).await,
        Action::Resize(size_gb) => edit(None, Some(*size_gb)).await,
        Action::Restore => {
            Box::pin(volume::restore(store, clock, random, (funds, caller), volume.id)).await
        }
        Action::Clone { name, places } => {
            return copy(app, project, &volume, (name.clone(), places)).await.map(Some);
        }
        Action::Cancel if is_copying(&volume) => {
            remove(app, project, (volume.id, true)).await?;
            return Ok(None);
        }
        Action::Cancel => {
            let why = "The volume is not being cloned, so there is nothing to cancel";
            return Err(Failure::Told(Code::InvalidRequest, why));
        }
    };
    changed?;
    Ok(None)
}

fn require_holder(volume: &Volume, named: Option<InstanceId>) -> Result<(), Failure> {
    let holder = volume.attachment.as_ref().map(|attachment| attachment.instance_id);
    match (holder, named) {
        (Some(holder), Some(named)) if holder != named => {
            Err(invalid("instance_id", "is not the instance that has the volume"))
        }
        _ => Ok(()),
    }
}

/// A copy is of the same kind and where the volume is.
async fn copy(
    app: &App,
    project: &Project,
    volume: &Volume,
    (name, places): (Option<String>, &[String]),
) -> Result<String, Failure> {
    let is_same = |place: &String| *place == volume.kind || *place == volume.location.as_str();
    if !places.iter().all(is_same) {
        let advice = "a clone has the type and the location of its volume";
        return Err(Failure::Told(Code::InvalidRequest, advice));
    }
    let caller = project.caller.clone();
    let request = CloneVolume { caller, volume_id: volume.id, name, idempotency_key: None };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let sold = (policy.volume_types.as_slice(), policy.funds);
    let copy = Box::pin(volume::clone(store, clock, random, sold, request)).await?;
    Ok(copy.id.uuid().to_string())
}
