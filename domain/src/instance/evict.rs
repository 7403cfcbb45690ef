//! Takes the place of spot instances back, after a notice.

use tracing::instrument;

use super::create::event;
use super::stop::remove;
use super::{Instance, InstanceId, InstancePolicy, Wanted};
use crate::capacity::Capacity;
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::location::LocationCode;
use crate::plan::{PlanCode, Shape};
use crate::store::{Store, Tx, atomically};
use crate::sweep::each_due;
use crate::token::Permission;
use crate::user::Operator;
use crate::volume::{Attachment, Volume};

/// Hosts that are looked at for room that spot instances have.
const HOSTS: u32 = 64;

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
/// was refused a moment ago: whoever asks again after the notice finds room.
pub(crate) async fn make_room(
    store: &dyn Store,
    policy: &InstancePolicy,
    (plan, location): (&PlanCode, &LocationCode),
    now: Timestamp,
) -> Result<()> {
    let reads = store.reads();
    let Some(plan) = reads.plan_coded(plan).await? else { return Ok(()) };
    let mut best: Option<Vec<InstanceId>> = None;
    for host_id in reads.hosts_with_spot(location, HOSTS).await? {
        let Some(capacity) = reads.capacity(host_id).await?.filter(Capacity::is_open) else {
            continue;
        };
        let instances = reads.live_instances_of_host(host_id).await?;
        let Some(victims) = victims(capacity, instances, &plan.shape) else { continue };
        if best.as_ref().is_none_or(|best| victims.len() < best.len()) {
            best = Some(victims);
        }
    }
    let victims = best.unwrap_or_default();
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
}

/// The spot instances to evict for a shape, those that leave anyway not among them; `None` where even
/// all of them are not enough. The youngest go first.
fn victims(capacity: Capacity, instances: Vec<Instance>, shape: &Shape) -> Option<Vec<InstanceId>> {
    let leaves =
        |instance: &Instance| instance.evict_at.is_some() || instance.wanted == Wanted::Deleted;
    let (leaving, staying): (Vec<Instance>, Vec<Instance>) =
        instances.into_iter().partition(|instance| leaves(instance));
    let mut capacity = leaving
        .iter()
        .fold(capacity, |capacity, instance| capacity.given_back(&instance.terms.shape));
    let mut victims = Vec::new();
    let mut spot: Vec<Instance> = staying.into_iter().filter(|i| i.terms.is_spot).collect();
    spot.sort_by_key(|instance| instance.id);
    while !capacity.has_room(shape) {
        let victim = spot.pop()?;
        capacity = capacity.given_back(&victim.terms.shape);
        victims.push(victim.id);
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
    let missing = || Error::NotFound(Thing::Instance);
    let seen = tx.instance(id).await?.ok_or_else(missing)?;
    let wallet = tx.wallet_for_update(seen.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
    if instance.payer_id != seen.payer_id {
        return Err(Error::Contention);
    }
    let is_due = instance.evict_at.is_some_and(|at| at <= now);
    if !is_due || instance.wanted == Wanted::Deleted || !instance.is_live() {
        return Ok(false);
    }
    for volume in tx.volumes_of_instances(&[id]).await? {
        let volume =
            tx.volume_for_update(volume.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        let Some(attachment) = volume.attachment.clone() else { continue };
        let attachment = Some(Attachment { afterwards: volume.on_eviction, ..attachment });
        tx.save_volume(&Volume { attachment, ..volume }).await?;
    }
    let instance = Instance { last_error: Some("evicted".to_owned()), ..instance };
    remove(tx, random, wallet, instance, (("instance.evicted", Actor::System), now)).await?;
    Ok(true)
}
