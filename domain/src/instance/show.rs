//! Shows instances to whom they belong.

use std::collections::BTreeSet;
use std::net::IpAddr;

use secrecy::SecretString;

use super::{
    HostedFilter, Instance, InstanceDriver, InstanceFilter, InstanceId, JUPYTER_TOKEN, Load, Site,
};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, RecordedEvent, Subject};
use crate::host::HostId;
use crate::meter::{self, MeterLine, Metered};
use crate::number::Numbered;
use crate::page::{Page, Paged};
use crate::pool::{self, PoolRole};
use crate::store::{Reads, Store};
use crate::token::Permission;
use crate::user::{Caller, Operator};
use crate::vault::Vault;
use crate::volume::Volume;
use crate::wallet::Posting;

/// An instance with what its owner sees beside it.
#[derive(Clone, Debug)]
pub struct InstanceDetail {
    /// The instance.
    pub instance: Instance,
    /// What it has.
    pub volumes: Vec<Volume>,
    /// Where its host is reached.
    pub host_address: Option<IpAddr>,
}

/// The same instances with their volumes and addresses, by a fixed number of statements.
async fn detailed(reads: &dyn Reads, instances: Vec<Instance>) -> Result<Vec<InstanceDetail>> {
    let ids: Vec<InstanceId> = instances.iter().map(|instance| instance.id).collect();
    let mut volumes = reads.volumes_of_instances(&ids).await?;
    let hosts: BTreeSet<HostId> = instances.iter().map(|instance| instance.host_id).collect();
    let addresses = reads.addresses_of_hosts(&hosts).await?;
    let detail = |instance: Instance| {
        let is_own = |volume: &mut Volume| {
            volume.attachment.as_ref().is_some_and(|to| to.instance_id == instance.id)
        };
        InstanceDetail {
            volumes: volumes.extract_if(.., is_own).collect(),
            host_address: addresses.get(&instance.host_id).copied(),
            instance,
        }
    };
    Ok(instances.into_iter().map(detail).collect())
}

/// Instances of the caller's pools, newest first.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    filter: &InstanceFilter,
    page: Page<InstanceId>,
) -> Result<Paged<InstanceDetail, InstanceId>> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.instances_visible_to(caller.viewer(), filter, &fetch).await?;
    let total = match page.whole(&rows) {
        Some(total) => total,
        None => reads.instance_count(caller.viewer(), filter).await?,
    };
    let cut = Paged::cut(rows, page.limit, Some(total), |instance| instance.id);
    let rows = detailed(reads, cut.rows).await?;
    Ok(Paged { rows, next: cut.next, total: cut.total })
}

/// An instance of one of the caller's pools, also when it is gone.
pub async fn show(store: &dyn Store, caller: &Caller, id: InstanceId) -> Result<InstanceDetail> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let seen = reads.instance_visible_to(caller.viewer(), id).await?;
    detail(store, seen.ok_or(Error::NotFound(Thing::Instance))?).await
}

/// The instance of one of the caller's pools that has this whole number.
pub async fn numbered(store: &dyn Store, caller: &Caller, number: i64) -> Result<InstanceDetail> {
    caller.may(Permission::InstancesRead)?;
    let id = store.reads().numbered(Numbered::Instance, number).await?;
    show(store, caller, InstanceId::from_uuid(id.ok_or(Error::NotFound(Thing::Instance))?)).await
}

/// Instances of the caller's pools, newest first: up to so many (the second number) after the first few (the
/// first one).
pub async fn part(
    store: &dyn Store,
    caller: &Caller,
    filter: &InstanceFilter,
    part: (u32, u32),
) -> Result<Vec<InstanceDetail>> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    detailed(reads, reads.instances_part(caller.viewer(), filter, part).await?).await
}

/// The token of an instance's Jupyter server, for who may change the instance: it opens all of it. None
/// where no server is started, or where its owner chose the token.
pub async fn jupyter_token(
    store: &dyn Store,
    vault: &dyn Vault,
    caller: &Caller,
    instance: &Instance,
) -> Result<Option<SecretString>> {
    let origin = &instance.origin;
    let runs = origin.template.as_ref().is_some_and(|template| template.runs_jupyter);
    if !runs || origin.environment.contains_key(JUPYTER_TOKEN) {
        return Ok(None);
    }
    let may = may_open(store, caller, instance).await?;
    may.then(|| instance.jupyter_token(vault)).transpose()
}

/// The password with which one can log in to an instance, for who may change the instance. None where it
/// has none, or where it was sealed with another key.
pub async fn password(
    store: &dyn Store,
    vault: &dyn Vault,
    caller: &Caller,
    instance: &Instance,
) -> Result<Option<SecretString>> {
    let may = may_open(store, caller, instance).await?;
    Ok(if may { instance.password_or_none(vault) } else { None })
}

/// Whether what opens an instance is told to the caller.
async fn may_open(store: &dyn Store, caller: &Caller, instance: &Instance) -> Result<bool> {
    let membership = store.reads().membership_of(instance.pool_id, caller.user_id).await?;
    Ok(caller.may(Permission::InstancesWrite).is_ok()
        && pool::role_in(membership.as_ref())
            .is_ok_and(|role| pool::require(role, PoolRole::Admin).is_ok()))
}

/// An instance with what its owner sees beside it.
pub async fn detail(store: &dyn Store, instance: Instance) -> Result<InstanceDetail> {
    let details = detailed(store.reads(), vec![instance]).await?;
    details.into_iter().next().ok_or(Error::NotFound(Thing::Instance))
}

/// Instances that were found for the caller, with what their owner sees beside them.
pub async fn details(store: &dyn Store, instances: Vec<Instance>) -> Result<Vec<InstanceDetail>> {
    detailed(store.reads(), instances).await
}

/// The instances that have these volumes of the caller's pools, by a fixed number of statements.
pub async fn having(
    store: &dyn Store,
    caller: &Caller,
    volumes: &[Volume],
) -> Result<Vec<InstanceDetail>> {
    caller.may(Permission::InstancesRead)?;
    let attached = volumes.iter().filter_map(|volume| volume.attachment.as_ref());
    let ids: BTreeSet<InstanceId> = attached.map(|attachment| attachment.instance_id).collect();
    let ids: Vec<InstanceId> = ids.into_iter().collect();
    let mut instances = store.reads().instances_among(&ids).await?;
    // One that went to another pool between the two looks took its volumes along.
    instances.retain(|instance| volumes.iter().any(|volume| volume.pool_id == instance.pool_id));
    detailed(store.reads(), instances).await
}

/// Everybody's instances, newest first, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    filter: &HostedFilter,
    page: Page<InstanceId>,
) -> Result<Paged<InstanceDetail, InstanceId>> {
    operator.may(Permission::AdminRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.hosted_instances(filter, &fetch).await?;
    let cut = Paged::cut(rows, page.limit, None, |instance| instance.id);
    Ok(Paged { rows: detailed(reads, cut.rows).await?, next: cut.next, total: cut.total })
}

/// What an instance has cost.
#[derive(Clone, Debug)]
pub struct Charges {
    /// By the second.
    pub lines: Vec<MeterLine>,
    /// What was booked of that.
    pub bookings: Vec<Posting>,
    /// What was paid in advance, and given back of that.
    pub payments: Vec<Posting>,
}

/// What an instance has cost so far.
pub async fn charges(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: InstanceId,
) -> Result<Charges> {
    show(store, caller, id).await?;
    let reads = store.reads();
    let (lines, bookings) = meter::charges_of(reads, Metered::Instance(id), clock.now()).await?;
    Ok(Charges { lines, bookings, payments: reads.postings_of_paid(id).await? })
}

/// What happened to an instance, the newest 500 events, newest first; from which addresses is only for
/// operators.
pub async fn history(
    store: &dyn Store,
    caller: &Caller,
    id: InstanceId,
) -> Result<Vec<RecordedEvent>> {
    show(store, caller, id).await?;
    let events = store.reads().events_of(Subject::Instance(id), 500).await?;
    let without_address = |event: RecordedEvent| {
        let actor = match event.actor {
            Actor::User { id, .. } => Actor::User { id, from: None },
            other => other,
        };
        RecordedEvent { actor, ..event }
    };
    Ok(events.into_iter().map(without_address).collect())
}

async fn site(store: &dyn Store, caller: &Caller, id: InstanceId) -> Result<Option<Site>> {
    let instance = show(store, caller, id).await?.instance;
    let capacity = store.reads().capacity(instance.host_id).await?;
    Ok(capacity.filter(|_| instance.is_live()).map(|capacity| capacity.site()))
}

/// How large the disk of an instance that was shown could be in GB: what it has and what its storage has left.
pub async fn largest_disk(store: &dyn Store, instance: &Instance) -> Result<u32> {
    let (reads, has) = (store.reads(), instance.terms.shape.disk_gb);
    let Some(capacity) = reads.capacity(instance.host_id).await? else { return Ok(has) };
    let storage = reads.storage(&capacity.storage).await?;
    let left = storage.map_or(0, |storage| storage.size_gb.saturating_sub(storage.used_gb));
    Ok(has.saturating_add(left))
}

/// The newest lines that an instance printed.
pub async fn logs(
    store: &dyn Store,
    driver: &dyn InstanceDriver,
    caller: &Caller,
    (id, lines): (InstanceId, u32),
) -> Result<String> {
    match site(store, caller, id).await? {
        Some(site) => driver.logs(&site, id, lines).await.map_err(Error::HostUnreachable),
        None => Ok(String::new()),
    }
}

/// What an instance uses now; `None` if it does not run.
pub async fn load(
    store: &dyn Store,
    driver: &dyn InstanceDriver,
    caller: &Caller,
    id: InstanceId,
) -> Result<Option<Load>> {
    match site(store, caller, id).await? {
        Some(site) => driver.load(&site, id).await.map_err(Error::HostUnreachable),
        None => Ok(None),
    }
}
