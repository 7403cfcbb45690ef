//! Adds a template to a pool.

use tracing::instrument;

use super::{Template, TemplateDraft, TemplateId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::number::Numbered;
use crate::pool::{PoolId, home_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::vault::Vault;

const MOST: u64 = 1_000;

/// A template to be added.
#[derive(Clone, Debug)]
pub struct AddTemplate {
    /// Who asks: a member of the pool.
    pub caller: Caller,
    /// To which pool; the caller's default one if none is named.
    pub pool_id: Option<PoolId>,
    /// What it is.
    pub draft: TemplateDraft,
}

/// Adds a template to a pool, which holds at most 1,000.
#[instrument(name = "template.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    vault: &dyn Vault,
    request: AddTemplate,
) -> Result<Template> {
    let AddTemplate { caller, pool_id, draft } = request;
    caller.may(Permission::TemplatesWrite)?;
    Error::unless_empty(draft.violations_of_new())?;
    let now = clock.now();
    let id = TemplateId::generate(now, random);
    let registry = draft.registry(vault, id, None)?;
    atomically(store, async |tx: &dyn Tx| {
        let pool_id = Some(home_for_update(tx, pool_id, &caller).await?);
        if tx.template_count_of(pool_id).await? >= MOST {
            return Err(Error::Conflict(Conflict::TemplateLimit { most: MOST }));
        }
        let template = Template {
            id,
            number: tx.give_number(Numbered::Template, id.uuid()).await?,
            pool_id,
            author: Some(caller.user_id),
            recipe: draft.recipe(),
            registry: registry.clone(),
            created_at: now,
            updated_at: now,
        };
        tx.add_template(&template).await?;
        tx.record(vec![template.added(caller.actor())]).await?;
        Ok(template)
    })
    .await
}
