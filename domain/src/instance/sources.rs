//! What an order names, as it is today: the plan's shape and price, and the texts of image, keys and script.

use super::{Boot, CreateInstance, InstanceTerms, Origin, SourceImage};
use crate::error::{Conflict, Error, Result, Thing, Unpayable};
use crate::host::HostId;
use crate::image::ImageCode;
use crate::money::Money;
use crate::plan::{Plan, Shape};
use crate::pool::Paying;
use crate::ssh_key::line;
use crate::store::Tx;

/// What a wish comes to: the plan's price of today and the texts of image, keys and script.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub terms: InstanceTerms,
    pub origin: Origin,
    /// The host that its disk is on already.
    pub host_id: Option<HostId>,
}

/// Resolves what a wish names; each of it must be offered now, and belong to the payer's pool.
pub(crate) async fn sources(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
) -> Result<Sources> {
    let plan = tx.plan_coded(&request.plan).await?.filter(|plan| plan.is_listed);
    let plan = plan.ok_or_else(|| Error::invalid("/plan", "is no plan that is offered"))?;
    if !plan.locations.contains(&request.location) {
        return Err(Error::invalid("/location", "the plan is not offered there"));
    }
    let (image, shape, host_id) = disk(tx, payer, request, &plan).await?;
    let keys = match request.key_ids.as_slice() {
        [] => Vec::new(),
        ids => tx.ssh_keys_of_pool(payer.pool_id, ids).await?,
    };
    if keys.len() != request.key_ids.len() {
        return Err(Error::invalid("/ssh_key_ids", "each must be a key of the pool, named once"));
    }
    let script = match request.script_id {
        Some(id) => {
            let found = tx.scripts_of_pool(payer.pool_id, &[id]).await?.into_iter().next();
            Some(found.ok_or_else(|| Error::invalid("/script_id", "is no script of the pool"))?)
        }
        None => None,
    };
    let terms = terms(&plan, request.is_spot, request.max_per_hour)?;
    let terms = InstanceTerms { shape, ..terms };
    let origin = Origin {
        image,
        ordered_as: request.ordered_as.clone(),
        key_ids: request.key_ids.clone(),
        public_keys: keys.iter().map(|key| line(&key.public_key).to_owned()).collect(),
        script_id: request.script_id,
        script: script.map(|script| script.content),
        environment: request.environment.clone(),
        ports: request.ports.clone(),
    };
    Ok(Sources { terms, origin, host_id })
}

/// What it is made from, what it takes of its host, and on which host its disk is already. A disk that is a
/// volume takes the place of the plan's.
async fn disk(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
    plan: &Plan,
) -> Result<(SourceImage, Shape, Option<HostId>)> {
    let without_disk = || Shape { disk_gb: 0, ..plan.shape.clone() };
    match &request.boot {
        Boot::OwnDisk(code) => {
            let image = image(tx, code, plan.shape.disk_gb).await?;
            Ok((image, plan.shape.clone(), None))
        }
        Boot::NewVolume { image: code, size_gb, .. } => {
            Ok((image(tx, code, *size_gb).await?, without_disk(), None))
        }
        Boot::Volume(id) => {
            let volume = tx.volume(*id).await?.filter(|volume| volume.pool_id == payer.pool_id);
            let disk = volume.ok_or(Error::NotFound(Thing::Volume))?.disk;
            let none = || Error::invalid("/os_volume", "is no volume with an operating system");
            let disk = disk.ok_or_else(none)?;
            Ok((disk.image, without_disk(), Some(disk.host_id)))
        }
    }
}

async fn image(tx: &dyn Tx, code: &ImageCode, disk_gb: u32) -> Result<SourceImage> {
    let image = tx.image_coded(code).await?.filter(|image| image.is_listed);
    let image = image.ok_or_else(|| Error::invalid("/image", "is no image that is offered"))?;
    if !image.fits(disk_gb) {
        let least = image.min_disk_gb;
        let message = format!("needs a disk of {least} GB, and this one has {disk_gb}");
        return Err(Error::invalid("/image", message));
    }
    Ok(SourceImage {
        image_id: image.id,
        image: image.code.to_string(),
        image_name: image.name,
        reference: image.reference,
        username: image.username,
    })
}

/// The plan's terms of today, refused above the most that the payer would pay.
pub(super) fn terms(plan: &Plan, is_spot: bool, max: Option<Money>) -> Result<InstanceTerms> {
    let price = if is_spot { plan.pricing.spot_per_hour } else { plan.pricing.per_hour };
    let per_hour = price.ok_or(Error::Unpayable(Unpayable::NoPricing))?;
    if let Some(max) = max.filter(|max| per_hour > *max) {
        return Err(Error::Conflict(Conflict::ChargeExceedsMax { charge: per_hour, max }));
    }
    Ok(InstanceTerms {
        plan_id: plan.id,
        plan: plan.code.clone(),
        plan_name: plan.name.clone(),
        shape: plan.shape.clone(),
        per_hour,
        is_spot,
        stopped_percent: plan.pricing.stopped_percent,
    })
}
