//! Shows volumes to whom they belong.

use super::{Volume, VolumeFilter, VolumeId, VolumeType};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::meter::{self, MeterLine, Metered};
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::Posting;

/// The kinds of volumes that are offered.
pub fn types<'a>(caller: &Caller, offered: &'a [VolumeType]) -> Result<&'a [VolumeType]> {
    caller.may(Permission::VolumesRead)?;
    Ok(offered)
}

/// Volumes of the caller's pools, newest first.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    filter: &VolumeFilter,
    page: Page<VolumeId>,
) -> Result<Paged<Volume, VolumeId>> {
    caller.may(Permission::VolumesRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().volumes_visible_to(caller.viewer(), filter, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |volume| volume.id))
}

/// A volume of one of the caller's pools, also when it is gone.
pub async fn show(store: &dyn Store, caller: &Caller, id: VolumeId) -> Result<Volume> {
    caller.may(Permission::VolumesRead)?;
    let seen = store.reads().volume_visible_to(caller.viewer(), id).await?;
    seen.ok_or(Error::NotFound(Thing::Volume))
}

/// What a volume has cost so far.
pub async fn charges(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: VolumeId,
) -> Result<(Vec<MeterLine>, Vec<Posting>)> {
    show(store, caller, id).await?;
    meter::charges_of(store.reads(), Metered::Volume(id), clock.now()).await
}
