//! Brings what is on an instance's disk to another host.

use super::migrate::Before;
use super::{Copying, DriverFault, Instance, InstanceId, Move, Phase, Site, Term, Wanted};
use crate::capacity::{Claim, Part, release};
use crate::error::{Error, Result, Thing};
use crate::host::HostId;
use crate::job::JobContext;
use crate::store::{Reads, Store, Tx, atomically};

/// Whether what is on a disk is where it is to be.
pub(super) enum Brought {
    /// It is, or nothing is to come.
    Here,
    /// Not yet.
    Later,
    /// It is nowhere any more.
    Never,
}

/// Brings the disk of what an instance takes the place of to its host, or its own after it.
pub(super) async fn brought(
    context: JobContext<'_>,
    site: &Site,
    instance: &Instance,
) -> Result<Brought, DriverFault> {
    let Some(pending) = instance.pending_move().filter(|pending| pending.keeps_data) else {
        return Ok(Brought::Here);
    };
    let (from, is_gone) = match source(context.store.reads(), &pending).await.map_err(unread)? {
        Source::Busy => return Ok(Brought::Later),
        Source::Gone(None) => return Ok(Brought::Never),
        Source::Gone(Some(from)) => (from, true),
        Source::Ready(from) => (from, false),
    };
    let carried = context.instances.carry((&from, pending.from), (site, instance.id)).await;
    Ok(match carried {
        // It may have come before the other was gone.
        Ok(Copying::Done) => Brought::Here,
        _ if is_gone => Brought::Never,
        Ok(Copying::UnderWay) => Brought::Later,
        Err(fault) => return Err(fault),
    })
}

/// Removes what a move that is over may have left where the instance is not, once that is written down. If it
/// fails, the next call does it, or the reconciler.
pub(super) async fn clear(context: JobContext<'_>, id: InstanceId) -> Result<()> {
    let reads = context.store.reads();
    let Some(now) = reads.instance(id).await?.filter(Instance::is_live) else { return Ok(()) };
    let left = now.moved.as_ref().filter(|moved| moved.is_over && moved.is_left);
    let Some(host_id) = left.map(|moved| moved.from_host) else { return Ok(()) };
    if host_id == now.host_id {
        return Ok(());
    }
    let Some(capacity) = reads.capacity(host_id).await? else { return Ok(()) };
    let removed = context.instances.remove(&capacity.site(), id, None).await;
    if removed.is_ok() { cleared(context.store, id, host_id).await } else { Ok(()) }
}

/// Notes that nothing is left of an instance on a host where it was before.
pub(super) async fn cleared(store: &dyn Store, id: InstanceId, host_id: HostId) -> Result<()> {
    atomically(store, async |tx: &dyn Tx| {
        let instance = tx.instance_for_update(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        let moved = instance.moved.clone();
        let Some(moved) = moved.filter(|moved| moved.is_left && moved.from_host == host_id) else {
            return Ok(());
        };
        let moved = Some(Move { is_left: false, ..moved });
        tx.save_instance(&Instance { moved, ..instance }).await
    })
    .await
}

enum Source {
    /// It is being stopped.
    Busy,
    /// It does not run, and is here.
    Ready(Site),
    /// It is gone; this is where it was, if that is known.
    Gone(Option<Site>),
}

async fn source(reads: &dyn Reads, pending: &Move) -> Result<Source> {
    let before = reads.instance(pending.from).await?;
    let before = before.filter(|it| it.is_live() && it.wanted != Wanted::Deleted);
    let capacity = reads.capacity(pending.from_host).await?;
    let site = capacity.map(|capacity| capacity.site());
    let (Some(before), Some(site)) = (before, &site) else { return Ok(Source::Gone(site)) };
    let is_stopped = matches!(before.phase, Phase::Stopped | Phase::Hibernated);
    // What moves itself was hibernated.
    let is_ready = pending.migration.is_none() || is_stopped;
    Ok(if is_ready { Source::Ready(site.clone()) } else { Source::Busy })
}

/// The host where an instance still has its disk, while it moves to another.
pub(super) async fn left_behind(
    context: JobContext<'_>,
    instance: &Instance,
) -> Result<Option<Site>, DriverFault> {
    let Some(host_id) = instance.left_behind() else { return Ok(None) };
    let capacity = context.store.reads().capacity(host_id).await.map_err(unread)?;
    Ok(capacity.map(|capacity| capacity.site()))
}

fn unread(fault: Error) -> DriverFault {
    DriverFault::Failed(fault.for_the_log())
}

/// One that could not come to another host, which is locked, is hibernated where it was, with its disk.
pub(super) async fn sent_back(
    tx: &dyn Tx,
    instance: Instance,
    host_id: HostId,
) -> Result<Instance> {
    let held = (instance.id, &instance.terms.shape);
    release(tx, instance.host_id, held, Part::Everything).await?;
    let mut back = match instance.moved.clone().and_then(|moved| moved.before) {
        Some(before) => {
            let Before { location, terms, term, claim } = *before;
            // How it is renewed may have been changed meanwhile.
            let renewal = instance.term.map(|term| term.renewal);
            let term = term.map(|term| Term { renewal: renewal.unwrap_or(term.renewal), ..term });
            Instance { location, terms, term, claim, ..instance }
        }
        None => Instance { claim: Claim::default(), ..instance },
    };
    back.moved = Some(Move {
        from: back.id,
        from_host: back.host_id,
        keeps_data: false,
        is_over: true,
        is_left: true,
        migration: None,
        before: None,
    });
    back.host_id = host_id;
    tx.free_addresses(back.id, back.kept().map(|kept| kept.of)).await?;
    let (wanted, phase) = (Wanted::Hibernated, Phase::Hibernated);
    Ok(Instance { wanted, phase, evict_at: None, ..back })
}
