//! Replaces what software is.

use tracing::instrument;

use super::{Keeper, Scripts, Software, SoftwareDraft, SoftwareId};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::store::{Store, Tx, atomically};

/// What software is to be from now on.
#[derive(Clone, Debug)]
pub struct ReplaceSoftware {
    /// Who asks.
    pub keeper: Keeper,
    /// Which software.
    pub id: SoftwareId,
    /// What it is.
    pub draft: SoftwareDraft,
}

/// Replaces software. What is so already stays as it is, and so does what was installed of it.
#[instrument(name = "software.replace", skip_all, fields(id = %request.id))]
pub async fn replace(
    store: &dyn Store,
    clock: &dyn Clock,
    request: ReplaceSoftware,
) -> Result<(Software, Scripts)> {
    let ReplaceSoftware { keeper, id, draft } = request;
    keeper.permit()?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    let software = atomically(store, async |tx: &dyn Tx| {
        let (before, scripts) = keeper.taken_for_update(tx, id).await?;
        let wanted = draft.software((id, before.number), before.pool_id, now);
        let software = Software { created_at: before.created_at, ..wanted };
        let same = Software { updated_at: before.updated_at, ..software.clone() };
        if same == before && draft.scripts == scripts {
            return Ok(before);
        }
        tx.save_software(&software, &draft.scripts).await?;
        let event = software.event("software.changed", (keeper.actor(), now));
        tx.record(vec![Event { before: Some(before.facts()), ..event }]).await?;
        Ok(software)
    })
    .await?;
    Ok((software, draft.scripts))
}
