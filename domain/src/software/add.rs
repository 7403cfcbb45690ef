//! Adds software.

use tracing::instrument;

use super::{Keeper, Scripts, Software, SoftwareDraft, SoftwareId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::number::Numbered;
use crate::pool::PoolId;
use crate::store::{Store, Tx, atomically};

/// How much a pool has at most.
const MOST_OF_POOL: u64 = 100;
/// How much the operator has at most.
const MOST_GLOBAL: u64 = 1_000;

/// Software to be added.
#[derive(Clone, Debug)]
pub struct AddSoftware {
    /// Who asks.
    pub keeper: Keeper,
    /// To which pool, if it is somebody of one who asks; their default one if none is named.
    pub pool_id: Option<PoolId>,
    /// What it is.
    pub draft: SoftwareDraft,
}

/// Adds software: to a pool, which has at most 100, or for everybody, of which there are at most 1,000 and a
/// few more where several are added at once, as nothing is locked for that.
#[instrument(name = "software.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: AddSoftware,
) -> Result<(Software, Scripts)> {
    let AddSoftware { keeper, pool_id, draft } = request;
    keeper.permit()?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    let id = SoftwareId::generate(now, random);
    let software = atomically(store, async |tx: &dyn Tx| {
        let pool_id = keeper.home(tx, pool_id).await?;
        let most = if pool_id.is_some() { MOST_OF_POOL } else { MOST_GLOBAL };
        if tx.software_count_of(pool_id).await? >= most {
            return Err(Error::Conflict(Conflict::SoftwareLimit { most }));
        }
        let number = tx.give_number(Numbered::Software, id.uuid()).await?;
        let software = draft.software((id, number), pool_id, now);
        tx.add_software(&software, &draft.scripts).await?;
        tx.record(vec![software.event("software.added", (keeper.actor(), now))]).await?;
        Ok(software)
    })
    .await?;
    Ok((software, draft.scripts))
}
