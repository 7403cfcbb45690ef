//! Clusters: ordered, listed, shown, let go.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use domain::cluster::{self, ClusterId, ClusterWithInstances, CreateCluster};
use domain::error::{Error, Thing};
use domain::instance::{
    self, Boot, CreateInstance, Hostname, InstanceDetail, Keys, Offering, PasswordWish, Renewal,
    VolumeWish,
};
use domain::location::LocationCode;
use domain::page::Page;
use domain::volume::Afterwards;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Json;
use super::catalogue::{is_shared, volume_kind};
use super::clusters_view::{GONE, cluster as shown};
use super::error::Failure;
use super::input::{NewTag, OneOrMany, invalid, parsed, required, tags};
use super::instances::{NewVolume, image_named, key_ids, script_id};
use super::project::Project;
use super::{cluster_types, reading, resource};
use crate::app::App;
use crate::http::Query;

/// Where the shared volume is mounted, by the document.
const HOME: &str = "/home";
/// Clusters of a project that are listed, the newest first; the Python SDK knows no pages.
const MOST_LISTED: u32 = 1_000;

#[derive(Deserialize)]
struct NewCluster {
    cluster_type: Option<String>,
    image: Option<String>,
    hostname: Option<String>,
    description: Option<String>,
    location_code: Option<String>,
    ssh_key_ids: Option<OneOrMany>,
    startup_script_id: Option<String>,
    contract: Option<String>,
    shared_volume: Option<NewVolume>,
    existing_volumes: Option<Vec<Value>>,
    tags: Option<Vec<NewTag>>,
}

#[derive(Deserialize)]
struct Action {
    action: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct Actions {
    actions: Option<Vec<Action>>,
    #[serde(flatten)]
    one: Action,
}

/// The collection and its members.
pub fn operations(config: &mut ServiceConfig) {
    let collection = resource("/clusters")
        .route(web::get().to(list))
        .route(web::post().to(create))
        .route(web::put().to(act));
    let member = reading("/clusters/{id}", show);
    config.service(collection).service(member);
}

async fn list(
    app: Data<App>,
    project: Project,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let status = query.text("status", 30);
    query.finish()?;
    let page = Page { after: None, limit: Some(MOST_LISTED) };
    let found = cluster::list(app.store.as_ref(), &project.caller, page).await?.rows;
    let rows = all_shown(&app, found).await?;
    let is_wanted = |row: &Value| match &status {
        Some(status) => row["status"] == *status,
        None => row["status"] != GONE,
    };
    Ok(HttpResponse::Ok().json(rows.into_iter().filter(is_wanted).collect::<Vec<_>>()))
}

/// By a fixed number of statements.
async fn all_shown(app: &App, found: Vec<ClusterWithInstances>) -> Result<Vec<Value>, Failure> {
    let (clusters, nodes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let nodes = nodes.into_iter().flatten().collect();
    let mut details = instance::details(app.store.as_ref(), nodes).await?;
    let now = app.clock.now();
    let view = |cluster: cluster::Cluster| {
        let is_own = |node: &mut InstanceDetail| node.instance.cluster_id == Some(cluster.id);
        let nodes: Vec<InstanceDetail> = details.extract_if(.., is_own).collect();
        shown(&cluster, &nodes, now)
    };
    Ok(clusters.into_iter().map(view).collect())
}

/// One, also when it is gone.
async fn show(app: Data<App>, project: Project, id: Path<String>) -> Result<HttpResponse, Failure> {
    let id = ClusterId::parse_uuid(&id).ok_or(Error::NotFound(Thing::Cluster))?;
    let found = cluster::show(app.store.as_ref(), &project.caller, id).await?;
    let rows = all_shown(&app, vec![found]).await?;
    Ok(HttpResponse::Ok().json(rows.into_iter().next()))
}

/// Unlike instances and volumes, it is answered by an object.
async fn create(
    app: Data<App>,
    project: Project,
    body: Json<NewCluster>,
) -> Result<HttpResponse, Failure> {
    let request = wish(&app, project, body.0).await?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let (made, _) = Box::pin(cluster::create(store, clock, random, policy, request)).await?;
    Ok(HttpResponse::Accepted().json(json!({ "id": made.id.uuid().to_string() })))
}

async fn wish(app: &App, project: Project, body: NewCluster) -> Result<CreateCluster, Failure> {
    if body.contract.is_some_and(|contract| contract != "PAY_AS_YOU_GO") {
        return Err(invalid("contract", "must be PAY_AS_YOU_GO"));
    }
    if body.existing_volumes.is_some_and(|volumes| !volumes.is_empty()) {
        return Err(invalid(
            "existing_volumes",
            "is not for clusters: each gets a volume of its own",
        ));
    }
    let kind = required(body.cluster_type, "cluster_type")?;
    let (nodes, plan) = cluster_types::parse(app, &kind).ok_or(cluster_types::UNKNOWN)?;
    let image = required(body.image, "image")?;
    let unknown = || invalid("image", "is no image that is offered");
    let found = image_named(app, &project, &image).await?.ok_or_else(unknown)?;
    let location = required(body.location_code, "location_code")?;
    let hostname = required(body.hostname, "hostname")?;
    let instance = CreateInstance {
        pool_id: Some(project.pool_id),
        caller: project.caller,
        offering: Offering::Plan {
            code: plan,
            location: parsed(&location, "location_code", LocationCode::parse)?,
        },
        boot: Boot::OwnDisk(found.code),
        ordered_as: Some(image),
        hostname: parsed(&hostname, "hostname", Hostname::parse)?,
        name: None,
        description: body.description.unwrap_or_default(),
        keys: Keys::These(key_ids(body.ssh_key_ids)?),
        script_id: script_id(body.startup_script_id)?,
        start_script: None,
        environment: std::collections::BTreeMap::new(),
        ports: None,
        volumes: Vec::new(),
        is_spot: false,
        max_per_hour: None,
        prepaid: None,
        renewal: Renewal::default(),
        password: PasswordWish::None,
        software: Vec::new(),
        tags: tags(body.tags)?,
        is_numbered: false,
        idempotency_key: None,
    };
    let shared = required(body.shared_volume, "shared_volume")?;
    let shared_volume = Some(VolumeWish::New {
        name: required(shared.name, "shared_volume.name")?,
        kind: volume_kind(app, is_shared)?,
        size_gb: required(shared.size, "shared_volume.size")?.read("shared_volume.size")?,
        path: Some(HOME.to_owned()),
        on_eviction: Afterwards::default(),
    });
    Ok(CreateCluster { instance, nodes, shared_volume })
}

/// Lets clusters go; done for those that are gone already.
async fn act(
    app: Data<App>,
    project: Project,
    body: Json<Actions>,
) -> Result<HttpResponse, Failure> {
    let Actions { actions, one } = body.0;
    let actions = actions.unwrap_or_else(|| vec![one]);
    if actions.is_empty() || actions.len() > 100 {
        return Err(invalid("actions", "must be 1 to 100"));
    }
    let mut ids = Vec::with_capacity(actions.len());
    for wanted in actions {
        if required(wanted.action, "action")? != "discontinue" {
            return Err(invalid("action", "must be discontinue"));
        }
        let id = required(wanted.id, "id")?;
        ids.push(ClusterId::parse_uuid(&id).ok_or(Error::NotFound(Thing::Cluster))?);
    }
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    for id in ids {
        let caller = &project.caller;
        // By the Go SDK, shared volumes are left, and deleted by hand.
        let what = (id, Afterwards::KeepDetached);
        Box::pin(cluster::delete(store, clock, random, caller, what)).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}
