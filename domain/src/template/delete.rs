//! Deletes a template.

use tracing::instrument;

use super::TemplateId;
use super::replace::taken_for_update;
use crate::clock::Clock;
use crate::error::Result;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Deletes a template: its author may, and admins and the owner of its pool.
#[instrument(name = "template.delete", skip_all, fields(%id))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: TemplateId,
) -> Result<()> {
    caller.may(Permission::TemplatesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let template = taken_for_update(tx, caller, id).await?;
        tx.delete_template(id).await?;
        tx.record(vec![template.deleted(caller.actor(), now)]).await
    })
    .await
}
