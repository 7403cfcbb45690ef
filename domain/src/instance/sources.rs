//! What an order names, as it is today: the plan's shape and price, and the texts of image, keys and script.

use super::{Boot, CreateInstance, InstanceTerms, Offered, Offering, Origin, SourceImage};
use crate::error::{Conflict, Error, Result, Thing, Unpayable};
use crate::gpu_offer::{GpuOffer, MOST_GPUS};
use crate::host::HostId;
use crate::image::ImageCode;
use crate::location::LocationCode;
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
    pub location: LocationCode,
    /// The host that it is to be on, because it was offered so or its disk is there already.
    pub host_id: Option<HostId>,
}

/// What is offered today of what a wish names.
enum Sold {
    Plan(Plan, LocationCode),
    Gpus(GpuOffer, Shape, LocationCode),
}

impl Sold {
    /// Looks for it.
    async fn find(tx: &dyn Tx, offering: &Offering) -> Result<Self> {
        match offering {
            Offering::Plan { code, location } => {
                let plan = tx.plan_coded(code).await?.filter(|plan| plan.is_listed);
                let plan =
                    plan.ok_or_else(|| Error::invalid("/plan", "is no plan that is offered"))?;
                if !plan.locations.contains(location) {
                    return Err(Error::invalid("/location", "the plan is not offered there"));
                }
                Ok(Self::Plan(plan, location.clone()))
            }
            Offering::Gpus { host_id, gpus, disk_gb, is_machine } => {
                let is_sold = |offer: &GpuOffer| {
                    let terms = &offer.terms;
                    let so =
                        if *is_machine { terms.sells_machines } else { terms.sells_containers };
                    terms.is_listed && so
                };
                let offer = tx.gpu_offer(*host_id).await?.filter(is_sold);
                let offer = offer.ok_or(Error::NotFound(Thing::GpuOffer))?;
                let capacity = tx.capacity(*host_id).await?;
                let capacity = capacity.ok_or(Error::NotFound(Thing::GpuOffer))?;
                let too_many = || Error::invalid("/gpus", "is not how many the server sells");
                let shape = capacity.share(*gpus).filter(|_| *gpus <= MOST_GPUS);
                let shape = shape.ok_or_else(too_many)?;
                let shape = Shape { disk_gb: *disk_gb, ..shape };
                Ok(Self::Gpus(offer, shape, capacity.location))
            }
        }
    }

    const fn shape(&self) -> &Shape {
        match self {
            Self::Plan(plan, _) => &plan.shape,
            Self::Gpus(_, shape, _) => shape,
        }
    }

    const fn host_id(&self) -> Option<HostId> {
        match self {
            Self::Plan(..) => None,
            Self::Gpus(offer, ..) => Some(offer.host_id),
        }
    }
}

/// Resolves what a wish names; each of it must be offered now, and belong to the payer's pool.
pub(crate) async fn sources(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
) -> Result<Sources> {
    let sold = Sold::find(tx, &request.offering).await?;
    let (image, shape, host_of_disk) = disk(tx, payer, request, sold.shape()).await?;
    if sold.host_id().is_some() && host_of_disk.is_some() && sold.host_id() != host_of_disk {
        return Err(Error::Conflict(Conflict::VolumeElsewhere));
    }
    let host_id = sold.host_id().or(host_of_disk);
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
    let (terms, location) = match (sold, &request.offering) {
        (Sold::Plan(plan, location), _) => (of_plan(&plan, shape, request.is_spot)?, location),
        (Sold::Gpus(offer, _, location), offering) => {
            let is_machine = matches!(offering, Offering::Gpus { is_machine: true, .. });
            (of_gpus(&offer, shape, (request.is_spot, is_machine))?, location)
        }
    };
    require_at_most(&terms, request.max_per_hour)?;
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
    Ok(Sources { terms, origin, location, host_id })
}

/// What it is made from, what it takes of its host, and on which host its disk is already. A disk that is a
/// volume takes the place of the one that was offered with it.
async fn disk(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
    offered: &Shape,
) -> Result<(SourceImage, Shape, Option<HostId>)> {
    let without_disk = || Shape { disk_gb: 0, ..offered.clone() };
    match &request.boot {
        Boot::OwnDisk(code) => {
            let image = image(tx, code, offered.disk_gb).await?;
            Ok((image, offered.clone(), None))
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

/// A plan's terms of today, for an instance that has this of its shape.
pub(super) fn of_plan(plan: &Plan, shape: Shape, is_spot: bool) -> Result<InstanceTerms> {
    let price = if is_spot { plan.pricing.spot_per_hour } else { plan.pricing.per_hour };
    let offered =
        Offered::Plan { plan_id: plan.id, plan: plan.code.clone(), plan_name: plan.name.clone() };
    Ok(InstanceTerms {
        offered,
        shape,
        per_hour: price.ok_or(Error::Unpayable(Unpayable::NoPricing))?,
        disk_per_month: Money::ZERO,
        is_spot,
        stopped_percent: plan.pricing.stopped_percent,
    })
}

/// The same of graphics processors. They stay with who has them, and cost the same while they are stopped.
pub(super) fn of_gpus(
    offer: &GpuOffer,
    shape: Shape,
    (is_spot, is_machine): (bool, bool),
) -> Result<InstanceTerms> {
    let price = if is_spot { offer.terms.spot_per_gpu } else { offer.terms.per_gpu };
    let per_gpu = price.ok_or(Error::Unpayable(Unpayable::NoPricing))?;
    let per_gb = offer.terms.per_gb;
    Ok(InstanceTerms {
        offered: Offered::Gpus { gpu_offer: offer.host_id, per_gpu, per_gb, is_machine },
        per_hour: per_gpu.fraction(shape.gpus().into(), 1).floor(),
        disk_per_month: per_gb.fraction(shape.disk_gb.into(), 1).floor(),
        shape,
        is_spot,
        stopped_percent: 100,
    })
}

/// Refuses what costs more an hour than the payer would pay.
fn require_at_most(terms: &InstanceTerms, max: Option<Money>) -> Result<()> {
    let charge = terms.hourly();
    match max.filter(|max| charge > *max) {
        Some(max) => Err(Error::Conflict(Conflict::ChargeExceedsMax { charge, max })),
        None => Ok(()),
    }
}

/// What an instance that there is costs by the offers of today; refused where they have no price for what it
/// is.
pub(super) async fn of_today(
    tx: &dyn Tx,
    instance: &super::Instance,
    is_spot: bool,
) -> Result<InstanceTerms> {
    let now = &instance.terms;
    // The disk of one that has a volume for it is not the offer's.
    let with_disk = |shape: Shape| match now.shape.disk_gb {
        0 => Shape { disk_gb: 0, ..shape },
        _ => shape,
    };
    let terms = match &now.offered {
        Offered::Plan { plan_id, .. } => {
            let plan = tx.plan(*plan_id).await?.ok_or(Error::NotFound(Thing::Plan))?;
            of_plan(&plan, with_disk(plan.shape.clone()), is_spot)?
        }
        Offered::Gpus { gpu_offer, is_machine, .. } => {
            let offer = tx.gpu_offer(*gpu_offer).await?;
            let offer = offer.ok_or(Error::NotFound(Thing::GpuOffer))?;
            let capacity = tx.capacity(*gpu_offer).await?;
            let part = capacity.and_then(|capacity| capacity.share(now.shape.gpus()));
            let part = part.ok_or(Error::NotFound(Thing::GpuOffer))?;
            let shape = Shape { disk_gb: now.shape.disk_gb, ..part };
            of_gpus(&offer, shape, (is_spot, *is_machine))?
        }
    };
    if terms.shape != now.shape {
        let advice = "what is offered has another shape by now, and no price for this one";
        return Err(Error::invalid("/is_spot", advice));
    }
    Ok(terms)
}
