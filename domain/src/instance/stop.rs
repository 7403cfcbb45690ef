//! What stops or removes instances without their owner's wish, and what both have in common with it.

use super::create::event;
use super::{Instance, Phase, Wanted};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::job::{Job, JobKind};
use crate::meter::{Metered, finish_by};
use crate::store::Tx;
use crate::user::UserId;
use crate::wallet::Wallet;

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
        if !runs || seen.wanted != Wanted::Running {
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
        let instance = tx.instance_for_update(seen.id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        let kind = ("instance.deleted_unpaid", Actor::System);
        wallet = remove(tx, random, wallet, instance, (kind, now)).await?;
    }
    Ok(wallet)
}

/// Wants a locked instance gone, and ends what it costs at this moment, or with its notice. The payer's wallet is locked,
/// and answered as it is after it.
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
    let instance = Instance { wanted: Wanted::Deleted, restart: false, ..instance };
    tx.save_instance(&instance).await?;
    align_later(tx, random, &instance, now).await?;
    let removed = event(kind, &instance, actor, now);
    let recipient = (actor == Actor::System).then_some(instance.payer_id);
    tx.record(vec![Event { recipient, ..removed }]).await?;
    // Nobody pays for an eviction that comes late.
    let until = instance.evict_at.map_or(now, |at| at.min(now));
    finish_by(tx, random, wallet, (&[Metered::Instance(instance.id)], until), now).await
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
