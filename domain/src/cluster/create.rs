//! Orders a cluster: every instance has its place and the shared volume its disk, or nothing is done.

use serde_json::json;
use tracing::instrument;

use super::{Cluster, ClusterId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::idempotency::{Attempt, once};
use crate::instance::{
    self, Boot, CreateInstance, Hostname, Instance, InstancePolicy, Offering, Order, VolumeWish,
    order, require_funds, sources,
};
use crate::location::LocationCode;
use crate::meter::Rate;
use crate::money::Money;
use crate::plan::PlanCode;
use crate::pool::{Paying, paying};
use crate::store::{Store, Tx, atomically};
use crate::tag::Tags;
use crate::token::Permission;
use crate::volume::{self, Afterwards, Draft, Mounting, Volume, VolumeType};

/// The most instances of a cluster.
pub const MOST_NODES: u32 = 256;

/// A wish for a cluster.
#[derive(Clone, Debug)]
pub struct CreateCluster {
    /// What each instance is to be; the hostname is what their names begin with.
    pub instance: CreateInstance,
    /// How many.
    pub nodes: u32,
    /// The volume that all mount.
    pub shared_volume: Option<VolumeWish>,
}

/// Orders a cluster.
#[instrument(name = "cluster.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: CreateCluster,
) -> Result<(Cluster, Vec<Instance>)> {
    let wish = &request.instance;
    wish.caller.may(Permission::InstancesWrite)?;
    if !(2..=MOST_NODES).contains(&request.nodes) {
        return Err(Error::invalid("/nodes", format!("must be 2 to {MOST_NODES}")));
    }
    if !wish.volumes.is_empty() {
        return Err(Error::invalid(
            "/volumes",
            "a cluster has one volume that all its nodes share",
        ));
    }
    if !matches!(wish.boot, Boot::OwnDisk(_) | Boot::Template(_)) {
        return Err(Error::invalid("/os_volume", "the nodes of a cluster have the plan's disk"));
    }
    if wish.is_spot {
        return Err(Error::invalid("/is_spot", "a cluster is one unit and is not evicted in part"));
    }
    instance::checked(wish)?;
    let now = clock.now();
    let key = wish.caller.idempotency_key(wish.idempotency_key.as_ref());
    let user_id = wish.caller.user_id;
    let volume = format!("{:?}", request.shared_volume);
    let asked = json!([instance::asked(wish), request.nodes, volume]);
    atomically(store, async |tx: &dyn Tx| {
        let key = key.as_ref();
        let attempt = Attempt { key, user_id, operation: "cluster.create", at: now };
        let id =
            once(tx, attempt, &asked, async || placed(tx, random, policy, &request, now).await)
                .await?;
        let cluster = tx.cluster(id).await?.ok_or(Error::NotFound(Thing::Cluster))?;
        Ok((cluster, tx.instances_of_cluster(id).await?))
    })
    .await
}

/// What its nodes are, and where.
fn of_plan(wish: &CreateInstance) -> Result<(&PlanCode, &LocationCode)> {
    match &wish.offering {
        Offering::Plan { code, location } => Ok((code, location)),
        Offering::Gpus { .. } => Err(Error::invalid("/gpu_offer", "a cluster is made of a plan")),
    }
}

async fn placed(
    tx: &dyn Tx,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: &CreateCluster,
    now: Timestamp,
) -> Result<ClusterId> {
    let wish = &request.instance;
    let (plan, location) = of_plan(wish)?;
    let payer = paying(tx, &wish.caller, wish.pool_id).await?;
    instance::require_quota(tx, payer.pool_id, u64::from(request.nodes)).await?;
    let sources = sources(tx, &payer, wish).await?;
    let shared = shared(policy, request)?;
    let shared_gb = shared.map_or(0, |(_, size_gb)| size_gb);
    let of_volume = shared
        .map_or(Money::ZERO, |(kind, size_gb)| Rate::per_month(kind.per_month(size_gb)).hourly());
    let of_nodes = sources.terms.hourly().fraction(u64::from(request.nodes), 1).floor();
    let per_hour = of_nodes.checked_add(of_volume).ok_or_else(too_dear)?;
    require_funds(tx, &payer.wallet, per_hour, policy.funds).await?;
    let mut cluster = Cluster {
        id: ClusterId::generate(now, random),
        pool_id: payer.pool_id,
        payer_id: payer.wallet.user_id,
        author: payer.caller_id,
        hostname: wish.hostname.to_string(),
        description: wish.description.clone(),
        plan: plan.clone(),
        location: location.clone(),
        nodes: request.nodes,
        volume_id: None,
        tags: wish.tags.clone(),
        created_at: now,
        deleted_at: None,
    };
    tx.save_cluster(&cluster).await?;
    let actor = wish.caller.actor();
    let mut storage = None;
    for number in 1..=request.nodes {
        let hostname = Hostname::parse(&format!("{}-{number}", wish.hostname))
            .map_err(|_| Error::invalid("/hostname", "is too long for its nodes' numbers"))?;
        let order = Order {
            sources: sources.clone(),
            hostname,
            name: None,
            description: cluster.description.clone(),
            tags: wish.tags.clone(),
            cluster_id: Some(cluster.id),
            storage: storage.clone(),
            // Taken with the first node's place, so that it is where both fit.
            new_gb: if number == 1 { shared_gb } else { 0 },
            unit: None,
        };
        let (node, _) = self::order(tx, random, policy, (&payer, actor), (order, now)).await?;
        if number == 1 && request.shared_volume.is_some() {
            let who = (&payer, actor);
            let volume = volume(tx, random, policy, who, (request, &node, now)).await?;
            cluster.volume_id = Some(volume.id);
            storage = Some(volume.storage);
            tx.save_cluster(&cluster).await?;
        }
    }
    tx.record(vec![event("cluster.ordered", &cluster, actor, now)]).await?;
    Ok(cluster.id)
}

fn too_dear() -> Error {
    Error::invalid("/nodes", "is more than can be reckoned")
}

fn shared<'a>(
    policy: &'a InstancePolicy,
    request: &CreateCluster,
) -> Result<Option<(&'a VolumeType, u32)>> {
    match &request.shared_volume {
        None => Ok(None),
        Some(VolumeWish::New { kind, size_gb, .. }) => {
            Ok(Some((instance::type_named(policy, kind)?, *size_gb)))
        }
        Some(VolumeWish::Existing { .. }) => {
            Err(Error::invalid("/shared_volume", "must be a new one: name, type and size_gb"))
        }
    }
}

/// The shared volume, where the first instance is; the others follow it.
async fn volume(
    tx: &dyn Tx,
    random: &dyn Random,
    policy: &InstancePolicy,
    (payer, actor): (&Paying, Actor),
    (request, node, now): (&CreateCluster, &Instance, Timestamp),
) -> Result<Volume> {
    let Some(VolumeWish::New { name, kind, size_gb, path, .. }) = &request.shared_volume else {
        return Err(Error::internal("a cluster's volume is a new one"));
    };
    let capacity = tx.capacity(node.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let draft = Draft {
        name: name.clone(),
        kind: instance::type_named(policy, kind)?.clone(),
        size_gb: *size_gb,
        location: node.location.clone(),
        storage: capacity.storage,
        copy_of: None,
        is_shared: true,
        on_eviction: Afterwards::KeepDetached,
        disk: None,
        tags: Tags::default(),
    };
    let volume = volume::add_taken(tx, random, (payer, actor), (draft, now)).await?;
    let mounting = Mounting { volume_id: volume.id, path: path.clone() };
    let volume = volume::mount(tx, node, mounting, (actor, now)).await?;
    let volume = volume.afterwards(Afterwards::MoveToTrash);
    tx.save_volume(&volume).await?;
    Ok(volume)
}

pub(crate) fn event(kind: &'static str, cluster: &Cluster, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Cluster(cluster.id),
        actor,
        before: None,
        data: json!({ "pool_id": cluster.pool_id, "hostname": cluster.hostname,
            "plan": cluster.plan, "nodes": cluster.nodes }),
        recipient: None,
        at,
    }
}
