//! Takes the place of spot instances back, after a notice.

use std::collections::BTreeSet;

use tracing::{instrument, warn};

use super::create::event;
use super::stop::{remove, with_payer_and_host};
use super::{Boot, CreateInstance, Instance, InstanceId, InstancePolicy, Offering, Phase, Wanted};
use crate::capacity::Capacity;
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::meter::{Metered, finish_by};
use crate::plan::{PlanScope, Shape};
use crate::store::{Reads, Store, Tx, atomically};
use crate::sweep::each_due;
use crate::template::{TemplateKey, TemplateScope};
use crate::token::Permission;
use crate::user::Operator;
use crate::volume::Afterwards;

/// Hosts that are looked at for room that spot instances have.
const HOSTS: u32 = 16;

/// Gives a spot instance notice.
#[instrument(name = "instance.evict", skip_all, fields(%id))]
pub async fn evict(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    policy: &InstancePolicy,
    id: InstanceId,
) -> Result<Instance> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let instance = tx.instance_for_update(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        if !instance.terms.is_spot {
            return Err(Error::Conflict(Conflict::NotSpot));
        }
        noticed(tx, instance, policy, (operator.actor(), now)).await
    })
    .await
}

async fn noticed(
    tx: &dyn Tx,
    instance: Instance,
    policy: &InstancePolicy,
    (actor, now): (Actor, Timestamp),
) -> Result<Instance> {
    if instance.evict_at.is_some() || instance.wanted == Wanted::Deleted || !instance.is_live() {
        return Ok(instance);
    }
    let instance = Instance { evict_at: Some(now + policy.spot_notice), ..instance };
    tx.save_instance(&instance).await?;
    let notice = event("instance.eviction_noticed", &instance, actor, now);
    let data = serde_json::json!({ "evict_at": instance.evict_at, "hostname": instance.hostname });
    tx.record(vec![Event { recipient: Some(instance.author), data, ..notice }]).await?;
    Ok(instance)
}

/// Gives notice to the fewest spot instances whose place would be enough for an ordinary instance that
/// was refused a moment ago: whoever asks again after the notice finds room. That it fails is only
/// logged, as the order has its answer.
pub(crate) async fn make_room(
    store: &dyn Store,
    policy: &InstancePolicy,
    request: &CreateInstance,
    now: Timestamp,
) {
    let noticed = async {
        let victims = fewest_victims(store.reads(), request).await?;
        if victims.is_empty() {
            return Ok(());
        }
        atomically(store, async |tx: &dyn Tx| {
            for id in &victims {
                let instance = tx.instance_for_update(*id).await?;
                let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
                if instance.terms.is_spot {
                    noticed(tx, instance, policy, (Actor::System, now)).await?;
                }
            }
            Ok(())
        })
        .await
    };
    let outcome: Result<()> = noticed.await;
    if let Err(fault) = outcome {
        warn!(cause = fault.for_the_log(), "no room was made");
    }
}

/// By id, as they are locked; none where no host would have room even then.
async fn fewest_victims(
    reads: &dyn Reads,
    request: &CreateInstance,
) -> Result<BTreeSet<InstanceId>> {
    let (shape, hosts) = match &request.offering {
        Offering::Plan { code, location } => {
            let Some(plan) = reads.plan_coded(PlanScope::All, code).await? else {
                return Ok(BTreeSet::new());
            };
            (plan.shape, reads.hosts_with_spot(location, HOSTS).await?)
        }
        Offering::Gpus { host_id, gpus, disk_gb, .. } => {
            let capacity = reads.capacity(*host_id).await?;
            let Some(share) = capacity.and_then(|capacity| capacity.share(*gpus)) else {
                return Ok(BTreeSet::new());
            };
            let disk_gb = match (disk_gb, &request.boot) {
                (Some(disk_gb), _) => *disk_gb,
                (None, Boot::Template(id)) => {
                    let scope = TemplateScope::Seen(request.caller.viewer());
                    let template = reads.template(scope, TemplateKey::Id(*id)).await?;
                    template.map_or(0, |template| template.recipe.disk_gb)
                }
                (None, _) => 0,
            };
            (Shape { disk_gb, ..share }, vec![*host_id])
        }
    };
    let mut storages = BTreeSet::new();
    let new = request.new_volumes().into_iter().map(|(_, size_gb)| u64::from(size_gb));
    let mut disk_gb: u64 = new.sum();
    if matches!(request.boot, Boot::OwnDisk(_) | Boot::Template(_)) {
        disk_gb += u64::from(shape.disk_gb);
    }
    let mut host_of_disk = None;
    for id in request.existing_volumes() {
        if let Some(volume) = reads.volume(id).await? {
            storages.insert(volume.storage);
            host_of_disk = volume.disk.map(|disk| disk.host_id).or(host_of_disk);
        }
    }
    let mut best: Option<BTreeSet<InstanceId>> = None;
    let hosts = host_of_disk.map_or(hosts, |host_id| vec![host_id]);
    for host_id in hosts {
        let capacity = reads.capacity(host_id).await?.filter(Capacity::is_open);
        let fits = |capacity: &Capacity| storages.iter().all(|name| *name == capacity.storage);
        let Some(capacity) = capacity.filter(fits) else { continue };
        let storage = reads.storage(&capacity.storage).await?;
        let storage = storage.ok_or(Error::NotFound(Thing::Server))?;
        let instances = reads.live_instances_of_host(host_id).await?;
        let free_gb = u64::from(storage.size_gb.saturating_sub(storage.used_gb));
        let Some(victims) = victims((capacity, free_gb), instances, (&shape, disk_gb)) else {
            continue;
        };
        if best.as_ref().is_none_or(|best| victims.len() < best.len()) {
            best = Some(victims);
        }
    }
    Ok(best.unwrap_or_default())
}

/// The spot instances to evict for a shape, those that leave anyway not among them; `None` where even
/// all of them are not enough. The youngest go first; what is hibernated holds nothing but disk, and
/// stays.
fn victims(
    (capacity, free_gb): (Capacity, u64),
    instances: Vec<Instance>,
    (shape, disk_gb): (&Shape, u64),
) -> Option<BTreeSet<InstanceId>> {
    let leaves =
        |instance: &Instance| instance.evict_at.is_some() || instance.wanted == Wanted::Deleted;
    let awake = instances.into_iter().filter(|instance| instance.phase != Phase::Hibernated);
    let (leaving, mut staying): (Vec<Instance>, Vec<Instance>) =
        awake.partition(|instance| leaves(instance));
    staying.retain(|instance| instance.terms.is_spot);
    staying.sort_by_key(|instance| instance.id);
    let mut victims = BTreeSet::new();
    let (mut capacity, mut free_gb) = (capacity, free_gb);
    let mut left = leaving.into_iter();
    while !capacity.has_room(shape) || free_gb < disk_gb {
        let next = left.next().or_else(|| {
            let victim = staying.pop()?;
            victims.insert(victim.id);
            Some(victim)
        })?;
        capacity = capacity.given_back(&next.terms.shape);
        free_gb += u64::from(next.terms.shape.disk_gb);
    }
    Some(victims)
}

/// Evicts spot instances whose notice is over; answers how many. Their volumes go the way that their
/// owners said.
#[instrument(name = "instance.evict_due", skip_all)]
pub async fn evict_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let now = clock.now();
    let due = async |limit| store.reads().instances_to_evict(now, limit).await;
    each_due(store, due, async |tx: &dyn Tx, id| gone(tx, random, id, now).await).await
}

async fn gone(tx: &dyn Tx, random: &dyn Random, id: InstanceId, now: Timestamp) -> Result<bool> {
    let (wallet, instance) = with_payer_and_host(tx, id).await?;
    let is_due = instance.evict_at.is_some_and(|at| at <= now);
    if !is_due || instance.wanted == Wanted::Deleted || !instance.is_live() {
        return Ok(false);
    }
    let mut leaving = Vec::new();
    for volume in tx.volumes_of_instances(&[id]).await? {
        let volume =
            tx.volume_for_update(volume.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        let on_eviction = volume.on_eviction;
        if on_eviction != Afterwards::KeepDetached {
            leaving.push(Metered::Volume(volume.id));
        }
        tx.save_volume(&volume.afterwards(on_eviction)).await?;
    }
    // However long its host takes to let go of them.
    let until = instance.evict_at.map_or(now, |at| at.min(now));
    let wallet = finish_by(tx, random, wallet, (&leaving, until), now).await?;
    let instance = Instance { last_error: Some("evicted".to_owned()), ..instance };
    remove(tx, random, wallet, instance, (("instance.evicted", Actor::System), now)).await?;
    Ok(true)
}
