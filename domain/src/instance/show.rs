//! Shows instances to whom they belong.

use super::{Instance, InstanceDriver, InstanceFilter, InstanceId, Load, Site};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::event::{RecordedEvent, Subject};
use crate::meter::{self, MeterLine, Metered};
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::Volume;
use crate::wallet::Posting;

/// Instances of the caller's pools with their volumes, newest first.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    filter: &InstanceFilter,
    page: Page<InstanceId>,
) -> Result<Paged<Instance, InstanceId>> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.instances_visible_to(caller.user_id, filter, &fetch).await?;
    let total = Some(reads.instance_count(caller.user_id, filter).await?);
    Ok(Paged::cut(rows, page.limit, total, |instance| instance.id))
}

/// An instance of one of the caller's pools with its volumes, also when it is gone.
pub async fn show(
    store: &dyn Store,
    caller: &Caller,
    id: InstanceId,
) -> Result<(Instance, Vec<Volume>)> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let seen = reads.instance_visible_to(caller.user_id, id).await?;
    let instance = seen.ok_or(Error::NotFound(Thing::Instance))?;
    let volumes = reads.volumes_of_instances(&[id]).await?;
    Ok((instance, volumes))
}

/// What an instance has cost so far.
pub async fn charges(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: InstanceId,
) -> Result<(Vec<MeterLine>, Vec<Posting>)> {
    show(store, caller, id).await?;
    meter::charges_of(store.reads(), Metered::Instance(id), clock.now()).await
}

/// What happened to an instance, the newest 500 events, newest first.
pub async fn history(
    store: &dyn Store,
    caller: &Caller,
    id: InstanceId,
) -> Result<Vec<RecordedEvent>> {
    show(store, caller, id).await?;
    store.reads().events_of(Subject::Instance(id), 500).await
}

async fn site(store: &dyn Store, caller: &Caller, id: InstanceId) -> Result<Option<Site>> {
    let (instance, _) = show(store, caller, id).await?;
    let capacity = store.reads().capacity(instance.host_id).await?;
    Ok(capacity.filter(|_| instance.is_live()).map(|capacity| capacity.site()))
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
