//! What a template makes of an instance.

use super::driver::{JUPYTER_PORT, SSH_PORT};
use super::{Instance, Origin, SourceImage, SourceTemplate};
use crate::error::{Error, Result, Thing};
use crate::inside::{ports_fault, start_script};
use crate::pool::PoolId;
use crate::store::Tx;
use crate::template::{Recipe, Template, TemplateId, TemplateKey, TemplateScope};
use crate::token::Permission;
use crate::user::Caller;

/// The template that something of a pool is to be made from: that pool's, or the operator's.
pub(super) async fn template_for(
    tx: &dyn Tx,
    caller: &Caller,
    pool_id: PoolId,
    id: TemplateId,
) -> Result<Template> {
    caller.may(Permission::TemplatesRead)?;
    let scope = TemplateScope::Seen(caller.viewer());
    let found = tx.template(scope, TemplateKey::Id(id)).await?;
    let template = found.ok_or(Error::NotFound(Thing::Template))?;
    if template.pool_id.is_some_and(|of| of != pool_id) {
        return Err(Error::invalid("/template_id", "is of another pool than the instance"));
    }
    Ok(template)
}

/// What an instance with a disk of that many GB is made from when it gets a template, and nothing of what it was
/// made from goes on.
pub(super) async fn of_template(
    tx: &dyn Tx,
    caller: &Caller,
    (instance, disk_gb): (&Instance, u32),
    id: TemplateId,
) -> Result<Origin> {
    let template = template_for(tx, caller, instance.pool_id, id).await?;
    require_disk(&template, disk_gb)?;
    let before = instance.origin.clone();
    let recipe = &template.recipe;
    let script = start_script(recipe.start_script.clone());
    Ok(Origin {
        ports: ports(None, Some(recipe))?,
        environment: recipe.environment.clone(),
        image: image_of(&template),
        is_autostart: script.is_some(),
        script,
        script_id: None,
        ordered_as: None,
        template: Some(source(template)),
        edition: before.edition + 1,
        ..before
    })
}

/// Refuses a template that needs a larger disk.
pub(super) fn require_disk(template: &Template, disk_gb: u32) -> Result<()> {
    let least = template.recipe.disk_gb;
    if disk_gb < least {
        let message = format!("needs a disk of {least} GB, and this one has {disk_gb}");
        return Err(Error::invalid("/template_id", message));
    }
    Ok(())
}

/// The ports that a wish or its template names, and those of the servers that run in it.
pub(super) fn ports(named: Option<Vec<u16>>, recipe: Option<&Recipe>) -> Result<Vec<u16>> {
    let named = named.or_else(|| recipe.map(|recipe| recipe.ports.clone()));
    let mut ports = named.unwrap_or_else(|| vec![SSH_PORT]);
    let servers =
        recipe.map(|recipe| [(recipe.runs_ssh, SSH_PORT), (recipe.runs_jupyter, JUPYTER_PORT)]);
    for (_, port) in servers.into_iter().flatten().filter(|(runs, _)| *runs) {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    match ports_fault(&ports) {
        Some(message) => Err(Error::invalid("/ports", message)),
        None => Ok(ports),
    }
}

/// What an instance keeps of its template.
pub(super) fn source(template: Template) -> SourceTemplate {
    let Template { id: template_id, number, recipe, registry, .. } = template;
    SourceTemplate {
        template_id,
        number,
        name: recipe.name,
        image: recipe.image,
        tag: recipe.tag,
        is_global: template.pool_id.is_none(),
        runs_ssh: recipe.runs_ssh,
        runs_jupyter: recipe.runs_jupyter,
        registry,
    }
}

/// A template's image, whose containers know no other user than root.
pub(super) fn image_of(template: &Template) -> SourceImage {
    let Recipe { name, image, tag, .. } = &template.recipe;
    SourceImage {
        image_id: None,
        image: format!("{image}:{tag}"),
        image_name: name.clone(),
        reference: template.reference(),
        username: "root".to_owned(),
    }
}
