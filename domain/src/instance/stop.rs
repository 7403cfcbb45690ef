//! What stops or removes instances without their owner's wish, and what both have in common with it.

use tracing::instrument;

use super::create::event;
use super::migrate::undo;
use super::pay::give_back;
use super::{Instance, InstanceId, Phase, Wanted};
use crate::capacity::{Part, release};
use crate::clock::{Clock, Random, Timestamp};
use crate::cluster::{self, ClusterId};
use crate::compute_unit;
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::job::{Job, JobKind};
use crate::meter::{Metered, finish_by};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Operator, UserId};
use crate::volume;
use crate::wallet::Wallet;

/// What an operator did, of which the owner is told.
const TAKEN_DOWN: &str = "instance.taken_down";

/// Its term was over and was not renewed.
pub(super) const EXPIRED: &str = "instance.expired";

/// Stops all that runs for a payer whose wallet is dry and locked; their meters are ended by the caller.
pub(crate) async fn stop_unpaid(
    tx: &dyn Tx,
    random: &dyn Random,
    payer_id: UserId,
    now: Timestamp,
) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for seen in tx.live_instances_of_payer(payer_id).await? {
        let runs = matches!(seen.phase, Phase::Running | Phase::Starting { .. });
        if !runs || seen.wanted != Wanted::Running || seen.terms.is_prepaid || seen.is_free_unit() {
            continue;
        }
        let instance = tx.instance_for_update(seen.id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        let instance = Instance {
            wanted: Wanted::Stopped { force: false },
            restart: false,
            last_error: Some("stopped: the wallet ran dry".to_owned()),
            ..instance
        };
        tx.save_instance(&instance).await?;
        align_later(tx, random, &instance, now).await?;
        let stopped = event("instance.stopped_unpaid", &instance, Actor::System, now);
        events.push(Event { recipient: Some(payer_id), ..stopped });
    }
    Ok(events)
}

/// Deletes every instance of a payer who did not pay, whose wallet is locked.
pub(crate) async fn delete_unpaid(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    now: Timestamp,
) -> Result<Wallet> {
    for seen in tx.live_instances_of_payer(wallet.user_id).await? {
        // What was paid in advance is paid.
        let is_paid = seen.paid().is_some_and(|paid| paid.is_left(now));
        if is_paid || seen.successor_id.is_some() || seen.is_free_unit() {
            continue;
        }
        let instance = tx.instance_for_update(seen.id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        let kind = ("instance.deleted_unpaid", Actor::System);
        wallet = remove(tx, random, wallet, instance, (kind, now)).await?;
    }
    Ok(wallet)
}

/// Deletes somebody's instance, or all of its cluster; done if it is going or gone.
#[instrument(name = "instance.take_down", skip_all, fields(%id))]
pub async fn take_down(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    id: InstanceId,
) -> Result<Instance> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Instance);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.instance(id).await?.ok_or_else(missing)?;
        let wallet = tx.wallet_for_update(seen.payer_id).await?;
        let wallet = wallet.ok_or(Error::NotFound(Thing::User))?;
        if let Some(cluster_id) = seen.cluster_id {
            fail_cluster(tx, random, wallet, (cluster_id, now)).await?;
        } else {
            let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
            if instance.payer_id != seen.payer_id {
                return Err(Error::Contention);
            }
            let kind = (TAKEN_DOWN, operator.actor());
            remove(tx, random, wallet, instance, (kind, now)).await?;
        }
        tx.instance(id).await?.ok_or_else(missing)
    })
    .await
}

/// Takes a whole cluster back, because one of its instances cannot be made. The payer's wallet is
/// locked.
pub(crate) async fn fail_cluster(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    (id, now): (ClusterId, Timestamp),
) -> Result<Wallet> {
    for seen in tx.instances_of_cluster(id).await? {
        if !seen.is_live() || matches!(seen.phase, Phase::Undoing { .. }) {
            continue;
        }
        let instance = tx.instance_for_update(seen.id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        let kind = ("instance.deleted_with_cluster", Actor::System);
        wallet = remove(tx, random, wallet, instance, (kind, now)).await?;
    }
    Ok(wallet)
}

/// An instance, its host and its payer's wallet, all locked: for sweeps.
pub(super) async fn with_payer_and_host(tx: &dyn Tx, id: InstanceId) -> Result<(Wallet, Instance)> {
    let missing = || Error::NotFound(Thing::Instance);
    let seen = tx.instance(id).await?.ok_or_else(missing)?;
    let wallet = tx.wallet_for_update(seen.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    tx.capacity_for_update(seen.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
    if (instance.payer_id, instance.host_id) != (seen.payer_id, seen.host_id) {
        return Err(Error::Contention);
    }
    Ok((wallet, instance))
}

/// Wants a locked instance gone, and ends what it costs at this moment, or with its notice or its term. The payer's
/// wallet is locked, and answered as it is after it.
pub(crate) async fn remove(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    instance: Instance,
    ((kind, actor), now): ((&'static str, Actor), Timestamp),
) -> Result<Wallet> {
    if instance.wanted == Wanted::Deleted || !instance.is_live() {
        return Ok(wallet);
    }
    // What failed before says nothing about how it goes.
    let (wanted, driver_fault) = (Wanted::Deleted, None);
    let instance = Instance { wanted, driver_fault, restart: false, ..instance };
    // Who ends it themselves has had what they paid for, but for what was never there.
    let (wallet, instance) = if instance.ready_at.is_none() {
        Box::pin(undo(tx, random, wallet, instance, now)).await?
    } else if kind == TAKEN_DOWN {
        Box::pin(give_back(tx, random, wallet, (instance, now), now)).await?
    } else {
        (wallet, instance.with_paid(|paid| paid.using(0, now)))
    };
    tx.save_instance(&instance).await?;
    align_later(tx, random, &instance, now).await?;
    let removed = event(kind, &instance, actor, now);
    let is_owners = matches!(actor, Actor::User { .. }) && kind != TAKEN_DOWN;
    let recipient = (!is_owners).then_some(instance.payer_id);
    tx.record(vec![Event { recipient, ..removed }]).await?;
    // Nobody pays for an end that comes late.
    let over = instance.term.filter(|_| kind == EXPIRED).and_then(|term| term.expires_at);
    let ends = instance.evict_at.into_iter().chain(over).chain([now]);
    let until = ends.min().unwrap_or(now);
    finish_by(tx, random, wallet, (&[Metered::Instance(instance.id)], until), now).await
}

/// Gives back all that an instance had which is gone, lets become of its volumes what was said, and its
/// cluster know. `before` is what it was last; its host and its payer's wallet are locked.
pub(super) async fn free_all(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, before): (&Instance, &Phase),
    now: Timestamp,
) -> Result<()> {
    let part = if *before == Phase::Hibernated { Part::Disk } else { Part::Everything };
    let held = (instance.id, &instance.terms.shape);
    release(tx, instance.host_id, held, part).await?;
    if let Some(host_id) = instance.left_behind() {
        release(tx, host_id, held, Part::Disk).await?;
    }
    tx.free_addresses(instance.id, None).await?;
    let wallet = volume::unmount(tx, random, wallet, instance.id, now).await?;
    tx.delete_installs_of(instance.id).await?;
    compute_unit::vacate(tx, random, (instance, before), now).await?;
    match instance.cluster_id {
        Some(id) => cluster::member_gone(tx, random, wallet, (id, now)).await,
        None => Ok(()),
    }
}

pub(super) async fn align_later(
    tx: &dyn Tx,
    random: &dyn Random,
    instance: &Instance,
    now: Timestamp,
) -> Result<()> {
    let kind = JobKind::AlignInstance { instance_id: instance.id };
    tx.schedule(&Job::new(kind, now, random)).await
}
