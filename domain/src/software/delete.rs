//! Deletes software.

use serde_json::json;
use tracing::instrument;

use super::{Keeper, SoftwareId};
use crate::clock::Clock;
use crate::error::Result;
use crate::event::Event;
use crate::store::{Store, Tx, atomically};

/// Deletes software. What was installed of it stays, and can still be retried and removed.
#[instrument(name = "software.delete", skip_all, fields(%id))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    keeper: &Keeper,
    id: SoftwareId,
) -> Result<()> {
    keeper.permit()?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (software, _) = keeper.taken_for_update(tx, id).await?;
        tx.delete_software(id).await?;
        let event = software.event("software.deleted", (keeper.actor(), now));
        let data = json!({ "pool_id": software.pool_id });
        tx.record(vec![Event { before: Some(event.data), data, ..event }]).await
    })
    .await
}
