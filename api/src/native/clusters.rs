//! Clusters: several instances, ordered and deleted as one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post};
use domain::cluster::{self, Cluster, ClusterId, ClusterWithInstances, CreateCluster};
use domain::error::Thing;
use domain::instance::Instance;
use domain::volume::Afterwards;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, bounded_page};
use super::field::{Check, Field, Nested, as_is, count};
use super::instance_wish::{volume_wish, wish};
use super::instances_view::{InstanceBody, VolumeWishBody};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

fn cluster_id(text: &str) -> Result<ClusterId> {
    ClusterId::parse(text).ok_or(Error::NotFound(Thing::Cluster))
}

#[derive(Deserialize, ToSchema)]
pub struct ClusterBody {
    #[schema(value_type = u32, required, minimum = 2, maximum = 256, example = 2)]
    #[serde(default)]
    nodes: Field<i64>,
    /// A new volume that all nodes mount.
    #[schema(value_type = Option<VolumeWishBody>)]
    #[serde(default)]
    shared_volume: Field<Nested<VolumeWishBody>>,
    #[serde(flatten)]
    node: InstanceBody,
}

#[derive(Serialize, ToSchema)]
pub struct NodeView {
    instance_id: String,
    hostname: String,
    #[schema(example = "running")]
    status: &'static str,
}

/// A cluster.
#[derive(Serialize, ToSchema)]
pub struct ClusterView {
    #[schema(example = "507f1f77bcf86cd799439901")]
    id: String,
    pool_id: String,
    hostname: String,
    description: String,
    plan: String,
    location: String,
    /// What is true of the node that lags behind most.
    #[schema(example = "provisioning")]
    status: &'static str,
    nodes: Vec<NodeView>,
    shared_volume_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Stamp>,
}

fn cluster_view((cluster, instances): ClusterWithInstances) -> ClusterView {
    let status = cluster.status(&instances).as_str();
    let node = |instance: Instance| NodeView {
        instance_id: instance.id.to_string(),
        hostname: instance.hostname.to_string(),
        status: instance.status().as_str(),
    };
    let mut instances = instances;
    instances.sort_by_key(|node| (node.hostname.as_str().len(), node.hostname.to_string()));
    let Cluster { id, pool_id, hostname, description, plan, location, .. } = cluster;
    ClusterView {
        id: id.to_string(),
        pool_id: pool_id.to_string(),
        hostname,
        description,
        plan: plan.to_string(),
        location: location.to_string(),
        status,
        nodes: instances.into_iter().map(node).collect(),
        shared_volume_id: cluster.volume_id.map(|id| id.to_string()),
        created_at: Stamp(cluster.created_at),
        deleted_at: cluster.deleted_at.map(Stamp),
    }
}

/// Order a cluster.
///
/// All of its instances find a place and are made, or none.
#[utoipa::path(tag = "clusters", request_body = ClusterBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<ClusterView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_BALANCE", "NO_PRICING", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "TEMPLATE_NOT_FOUND", "NO_CAPACITY", "CHARGE_EXCEEDS_MAX", "QUOTA_REACHED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/clusters")]
pub async fn create_cluster(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<ClusterBody>,
) -> Answer<ClusterView> {
    let body = body.0;
    let mut check = Check::default();
    let nodes = check.required("/nodes", body.nodes, count);
    let shared = check.optional("/shared_volume", body.shared_volume, as_is);
    let shared = shared.map(|Nested(wish)| volume_wish(wish, &mut check, "/shared_volume"));
    let instance = wish(body.node, &mut check, (signed, once));
    let request = check.finish(|| {
        let shared_volume = match shared {
            Some(wish) => Some(wish?),
            None => None,
        };
        Some(CreateCluster { instance: instance?, nodes: nodes?, shared_volume })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let policy = &app.settings.instance_policy;
    let made = Box::pin(cluster::create(store, clock, random, policy, request)).await?;
    Ok(Success::created("Cluster ordered successfully", cluster_view(made)))
}

/// List the clusters of one's pools, newest first.
#[utoipa::path(tag = "clusters",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<ClusterView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/clusters")]
pub async fn list_clusters(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<ClusterView>> {
    let mut query = Query::parse(request.query_string());
    let page = bounded_page(&mut query, ClusterId::parse);
    query.finish()?;
    let found = cluster::list(app.store.as_ref(), &signed.caller, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(cluster_view).collect();
    Ok(Success::ok("Clusters retrieved successfully", views).continued(next))
}

/// Look at a cluster.
#[utoipa::path(tag = "clusters", params(("id", description = "Cluster identifier")),
    responses((status = 200, body = Success<ClusterView>)),
    extensions(("x-errors" = json!(["CLUSTER_NOT_FOUND"]))))]
#[get("/clusters/{id}")]
pub async fn show_cluster(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ClusterView> {
    let found = cluster::show(app.store.as_ref(), &signed.caller, cluster_id(&id)?).await?;
    Ok(Success::ok("Cluster retrieved successfully", cluster_view(found)))
}

/// Delete a cluster.
///
/// Its shared volume goes to the trash when its last instance is gone.
#[utoipa::path(tag = "clusters", params(("id", description = "Cluster identifier")),
    responses((status = 200, body = Success<ClusterView>)),
    extensions(("x-errors" = json!(["CLUSTER_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/clusters/{id}")]
pub async fn delete_cluster(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ClusterView> {
    let id = cluster_id(&id)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let what = (id, Afterwards::MoveToTrash);
    let deleted = Box::pin(cluster::delete(store, clock, random, &signed.caller, what)).await?;
    Ok(Success::ok("Cluster deleted successfully", cluster_view(deleted)))
}
