//! The operator's templates, which everybody sees.

use tracing::instrument;

use super::{Template, TemplateDraft, TemplateId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result, Thing};
use crate::number::Numbered;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;
use crate::vault::Vault;

const MOST: u64 = 10_000;

/// A template to be added for everybody.
#[derive(Clone, Debug)]
pub struct AddGlobalTemplate {
    /// Who asks.
    pub operator: Operator,
    /// What it is.
    pub draft: TemplateDraft,
}

/// What a template for everybody is to be from now on.
#[derive(Clone, Debug)]
pub struct ReplaceGlobalTemplate {
    /// Who asks.
    pub operator: Operator,
    /// Which template.
    pub id: TemplateId,
    /// What it is. A password that is left out stays, if it is for the same registry and name.
    pub draft: TemplateDraft,
}

/// Adds a template for everybody. There are at most 10,000, and a few more where several are added at once:
/// nothing is locked for that.
#[instrument(name = "template.add_global", skip_all)]
pub async fn add_global(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    vault: &dyn Vault,
    request: AddGlobalTemplate,
) -> Result<Template> {
    let AddGlobalTemplate { operator, draft } = request;
    operator.may(Permission::AdminWrite)?;
    Error::unless_empty(draft.violations_of_new())?;
    let now = clock.now();
    let id = TemplateId::generate(now, random);
    let registry = draft.registry(vault, id, None)?;
    atomically(store, async |tx: &dyn Tx| {
        if tx.template_count_of(None).await? >= MOST {
            return Err(Error::Conflict(Conflict::TemplateLimit { most: MOST }));
        }
        let template = Template {
            id,
            number: tx.give_number(Numbered::Template, id.uuid()).await?,
            pool_id: None,
            author: None,
            recipe: draft.recipe(),
            registry: registry.clone(),
            created_at: now,
            updated_at: now,
        };
        tx.add_template(&template).await?;
        tx.record(vec![template.added(operator.actor())]).await?;
        Ok(template)
    })
    .await
}

/// Replaces a template that is for everybody. One that is so already stays as it is.
#[instrument(name = "template.replace_global", skip_all, fields(id = %request.id))]
pub async fn replace_global(
    store: &dyn Store,
    clock: &dyn Clock,
    vault: &dyn Vault,
    request: ReplaceGlobalTemplate,
) -> Result<Template> {
    let ReplaceGlobalTemplate { operator, id, draft } = request;
    operator.may(Permission::AdminWrite)?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let before = tx.global_template_for_update(id).await?;
        let before = before.ok_or(Error::NotFound(Thing::Template))?;
        let template = before.replaced(&draft, vault, now)?;
        if template != before {
            tx.save_template(&template).await?;
            tx.record(vec![template.changed(operator.actor(), &before)]).await?;
        }
        Ok(template)
    })
    .await
}

/// Deletes a template that is for everybody.
#[instrument(name = "template.delete_global", skip_all, fields(%id))]
pub async fn delete_global(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    id: TemplateId,
) -> Result<()> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let template = tx.global_template_for_update(id).await?;
        let template = template.ok_or(Error::NotFound(Thing::Template))?;
        tx.delete_template(id).await?;
        tx.record(vec![template.deleted(operator.actor(), now)]).await
    })
    .await
}
