//! Replaces what a template is.

use tracing::instrument;

use super::{Template, TemplateDraft, TemplateId, TemplateKey, TemplateScope};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::pool::{may_take, roles_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::vault::Vault;

/// What a template is to be from now on.
#[derive(Clone, Debug)]
pub struct ReplaceTemplate {
    /// Who asks: its author, or an admin or the owner of its pool.
    pub caller: Caller,
    /// Which template.
    pub id: TemplateId,
    /// What it is. A password that is left out stays, if it is for the same registry and name.
    pub draft: TemplateDraft,
}

/// Replaces a template of a pool. One that is so already stays as it is.
#[instrument(name = "template.replace", skip_all, fields(id = %request.id))]
pub async fn replace(
    store: &dyn Store,
    clock: &dyn Clock,
    vault: &dyn Vault,
    request: ReplaceTemplate,
) -> Result<Template> {
    let ReplaceTemplate { caller, id, draft } = request;
    caller.may(Permission::TemplatesWrite)?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let before = taken_for_update(tx, &caller, id).await?;
        let template = before.replaced(&draft, vault, now)?;
        if template != before {
            tx.save_template(&template).await?;
            tx.record(vec![template.changed(caller.actor(), &before)]).await?;
        }
        Ok(template)
    })
    .await
}

/// A template that the caller may change or delete, its pool locked.
pub(super) async fn taken_for_update(
    tx: &dyn Tx,
    caller: &Caller,
    id: TemplateId,
) -> Result<Template> {
    let missing = || Error::NotFound(Thing::Template);
    let (scope, key) = (TemplateScope::Own(caller.viewer(), None), TemplateKey::Id(id));
    let seen = tx.template(scope, key).await?.ok_or_else(missing)?;
    let roles = roles_for_update(tx, seen.pool_id.into_iter().collect(), caller.user_id).await?;
    // Again, now that nobody else changes what this pool has.
    let template = tx.template(scope, key).await?.ok_or_else(missing)?;
    let role = template.pool_id.and_then(|pool_id| roles.get(&pool_id)).ok_or_else(missing)?;
    may_take(*role, caller.user_id, template.author)?;
    Ok(template)
}

impl Template {
    /// The template as a draft has it; itself where that changes nothing.
    pub(super) fn replaced(
        &self,
        draft: &TemplateDraft,
        vault: &dyn Vault,
        now: Timestamp,
    ) -> Result<Self> {
        let recipe = draft.recipe();
        let registry = draft.registry(vault, self.id, Some(self))?;
        if recipe == self.recipe && registry == self.registry {
            return Ok(self.clone());
        }
        Ok(Self { recipe, registry, updated_at: now, ..self.clone() })
    }
}
