//! What is done with instances, one or many.

use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};
use domain::error::{Conflict, Error, Thing};
use domain::instance::{self, Act, Action, Disposal, InstanceId, Outcome, Status};
use domain::volume::VolumeId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Json;
use super::error::{Code, Failure};
use super::input::{OneOrMany, invalid, required};
use super::instances_view::word;
use super::project::Project;
use crate::app::App;

/// The state of what is gone.
const GONE: &str = word(Status::Deleted);

#[derive(Deserialize)]
pub struct ActionBody {
    action: Option<String>,
    id: Option<OneOrMany>,
    volume_ids: Option<OneOrMany>,
    delete_permanently: Option<bool>,
    is_spot: Option<bool>,
}

/// What was asked for, in both languages.
struct Asked {
    name: String,
    act: Act,
    /// Whether one that runs must be stopped first.
    only_stopped: bool,
}

/// Does something with an instance, whose refusal is then the answer, or with several, each for itself.
pub async fn act(
    app: Data<App>,
    project: Project,
    body: Json<ActionBody>,
) -> Result<HttpResponse, Failure> {
    let (ids, asked) = read(project, body.0)?;
    let [id] = ids.as_slice() else { return act_on_all(&app, &asked, &ids).await };
    match act_on(&app, &asked, id).await? {
        Outcome::Unchanged => Ok(HttpResponse::NoContent().finish()),
        Outcome::Accepted => Ok(HttpResponse::Accepted().json([outcome(&asked, id, None)])),
    }
}

/// The same by the deprecated path, whose answer has no body.
pub async fn act_quietly(
    app: Data<App>,
    project: Project,
    body: Json<ActionBody>,
) -> Result<HttpResponse, Failure> {
    act(app, project, body).await?;
    Ok(HttpResponse::Accepted().finish())
}

async fn act_on_all(app: &App, asked: &Asked, ids: &[String]) -> Result<HttpResponse, Failure> {
    if ids.is_empty() {
        return Err(invalid("id", "names no instance"));
    }
    let mut outcomes = Vec::with_capacity(ids.len());
    let mut failed = false;
    for id in ids {
        let refusal = act_on(app, asked, id).await.err();
        failed |= refusal.is_some();
        outcomes.push(outcome(asked, id, refusal));
    }
    let mut answer = if failed { HttpResponse::MultiStatus() } else { HttpResponse::Accepted() };
    Ok(answer.json(outcomes))
}

fn outcome(asked: &Asked, id: &str, refusal: Option<Failure>) -> Value {
    let (action, id) = (&asked.name, id.to_owned());
    match refusal {
        None => json!({ "action": action, "instanceId": id, "status": "success" }),
        Some(refusal) => json!({
            "action": action, "instanceId": id, "status": "error", "error": refusal.to_string(),
            "statusCode": refusal.status_code().as_u16(),
        }),
    }
}

fn read(project: Project, body: ActionBody) -> Result<(Vec<String>, Asked), Failure> {
    let ids = required(body.id, "id")?.texts()?;
    let name = required(body.action, "action")?;
    let disposal = || {
        let no_id = || invalid("volume_ids", "must be ids of volumes");
        let chosen = body.volume_ids.map(|ids| ids.ids(VolumeId::parse_uuid)).transpose()?;
        let volume_ids = match chosen {
            Some(ids) => Some(ids.ok_or_else(no_id)?.into_iter().collect()),
            None => None,
        };
        let permanently = body.delete_permanently.unwrap_or(false);
        Ok::<_, Failure>(Disposal { volume_ids, permanently })
    };
    let action = match name.as_str() {
        // The Python SDK knows `restore`, which the document does not name.
        "boot" | "start" | "deploy" | "restore" => Action::Start { may_move: false },
        "shutdown" => Action::Shutdown { force: false },
        "force_shutdown" => Action::Shutdown { force: true },
        "delete" | "discontinue" => Action::Delete(disposal()?),
        // By the document, it lets the instance go and keeps all of its volumes.
        "hibernate" => {
            Action::Delete(Disposal { volume_ids: Some(Vec::new()), permanently: false })
        }
        "delete_stuck" => Action::DeleteStuck,
        "configure_spot" => Action::ConfigureSpot { is_spot: body.is_spot.unwrap_or(true) },
        "transfer" => {
            let why = "transfer is for who manages both projects, not for credentials of one";
            return Err(Failure::Told(Code::Forbidden, why));
        }
        _ => {
            let words = "must be boot, start, shutdown, delete, discontinue, hibernate, \
                configure_spot, force_shutdown, delete_stuck, deploy or transfer";
            return Err(invalid("action", words));
        }
    };
    let only_stopped = name == "hibernate";
    Ok((ids, Asked { name, act: Act { caller: project.caller, action }, only_stopped }))
}

async fn act_on(app: &App, asked: &Asked, id: &str) -> Result<Outcome, Failure> {
    let id = InstanceId::parse_uuid(id).ok_or(Error::NotFound(Thing::Instance))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    if asked.only_stopped && ["running", "provisioning"].contains(&status(app, asked, id).await?) {
        return Err(not_now(app, asked, id).await?);
    }
    let work = (&app.settings.instance_policy, &asked.act);
    match Box::pin(instance::act(store, clock, random, work, id)).await {
        Ok((outcome, _)) => Ok(outcome),
        // Also one whose notice is over, until the next sweep.
        Err(Error::Conflict(Conflict::InstanceDeleted)) => Err(cannot(asked, GONE)),
        Err(Error::Conflict(Conflict::InstanceBusy | Conflict::InstanceNotStopped)) => {
            Err(not_now(app, asked, id).await?)
        }
        // An action that is not allowed is an invalid request, by the document.
        Err(error @ Error::Conflict(Conflict::PartOfCluster | Conflict::NotSpot)) => {
            let refusal = Failure::Domain(error).to_string();
            Err(Failure::Refused(Code::InvalidRequest, refusal))
        }
        Err(error) => Err(error.into()),
    }
}

async fn status(app: &App, asked: &Asked, id: InstanceId) -> Result<&'static str, Failure> {
    let detail = instance::show(app.store.as_ref(), &asked.act.caller, id).await?;
    Ok(word(detail.instance.status()))
}

async fn not_now(app: &App, asked: &Asked, id: InstanceId) -> Result<Failure, Failure> {
    Ok(cannot(asked, status(app, asked, id).await?))
}

/// dstack compares texts of this kind, such as "Can't discontinue a discontinued instance".
fn cannot(asked: &Asked, status: &str) -> Failure {
    let name = if asked.name == "delete" { "discontinue" } else { &asked.name };
    let article = if status.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let told = format!("Can't {} {article} {status} instance", name.replace('_', " "));
    Failure::Refused(Code::InvalidRequest, told)
}
