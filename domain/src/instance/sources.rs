//! What an order names, as it is today: the plan's shape and price, and the texts of image, keys and script.

use super::recipe::{image_of, ports, require_disk, source, template_for};
use super::wish::MOST_KEYS;
use super::{
    Boot, CreateInstance, InstanceTerms, Keys, Offered, Offering, Origin, PaidTime, PasswordWish,
    Prepaid, Renewal, SourceImage, Term,
};
use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result, Thing, Unpayable};
use crate::gpu_offer::{GpuOffer, MOST_GPUS};
use crate::host::HostId;
use crate::image::ImageCode;
use crate::inside::{self, environment_fault};
use crate::location::LocationCode;
use crate::money::Money;
use crate::page::Page;
use crate::plan::{Interval, Plan, PlanScope, Shape};
use crate::pool::{Paying, PoolId, PoolRole, require, role_in};
use crate::ssh_key::{SshKey, line};
use crate::store::Tx;
use crate::template::Template;

/// What a wish comes to: the offer's price of today and the texts of image, keys and script.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub terms: InstanceTerms,
    /// Its term, if it has one.
    pub term: Option<NewTerm>,
    pub origin: Origin,
    pub location: LocationCode,
    /// The host that it is to be on, because it was offered so or its disk is there already.
    pub host_id: Option<HostId>,
}

/// A term that has not begun.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NewTerm {
    /// So many hours, because its offer has a longest time.
    Hours(u32, Renewal),
    /// An interval that is paid in advance.
    Paid(Interval, Money, Renewal),
}

impl NewTerm {
    /// It begins; paid time is used when the instance is ready.
    pub(super) fn begin(self, now: Timestamp) -> Term {
        match self {
            Self::Hours(hours, renewal) => Term::begin(now, hours, renewal),
            Self::Paid(interval, price, renewal) => {
                Term::paid(PaidTime::first((interval, price), now), renewal)
            }
        }
    }
}

/// What is offered today of what a wish names.
enum Sold {
    Plan { plan: Plan, location: LocationCode },
    Gpus { offer: GpuOffer, shape: Shape, location: LocationCode, is_machine: bool },
}

impl Sold {
    /// Looks for it, among what is offered to the pool.
    async fn find(
        tx: &dyn Tx,
        pool_id: PoolId,
        (offering, template): (&Offering, Option<&Template>),
    ) -> Result<Self> {
        match offering {
            Offering::Plan { code, location } => {
                let plan = tx.plan_coded(PlanScope::All, code).await?;
                let plan = plan.filter(|plan| plan.is_offered_to(pool_id));
                let plan =
                    plan.ok_or_else(|| Error::invalid("/plan", "is no plan that is offered"))?;
                if !plan.locations.contains(location) {
                    return Err(Error::invalid("/location", "the plan is not offered there"));
                }
                Ok(Self::Plan { plan, location: location.clone() })
            }
            Offering::Gpus { host_id, gpus, disk_gb, is_machine } => {
                let is_machine = *is_machine;
                let offer = tx.gpu_offer(*host_id).await?;
                let offer = offer.filter(|offer| offer.terms.sells(is_machine));
                let offer = offer.ok_or(Error::NotFound(Thing::GpuOffer))?;
                let capacity = tx.capacity(*host_id).await?;
                let capacity = capacity.ok_or(Error::NotFound(Thing::GpuOffer))?;
                let too_many = || Error::invalid("/gpus", "is not how many the server sells");
                let part = capacity.share(*gpus).filter(|_| *gpus <= MOST_GPUS);
                let part = part.ok_or_else(too_many)?;
                let of_template = template.map(|template| template.recipe.disk_gb);
                let unknown =
                    || Error::invalid("/gpu_offer/disk_gb", "is required without a template");
                let disk_gb = disk_gb.or(of_template).ok_or_else(unknown)?;
                let shape = Shape { disk_gb, ..part };
                Ok(Self::Gpus { offer, shape, location: capacity.location, is_machine })
            }
        }
    }

    const fn shape(&self) -> &Shape {
        match self {
            Self::Plan { plan, .. } => &plan.shape,
            Self::Gpus { shape, .. } => shape,
        }
    }

    const fn host_id(&self) -> Option<HostId> {
        match self {
            Self::Plan { .. } => None,
            Self::Gpus { offer, .. } => Some(offer.host_id),
        }
    }

    const fn is_machine(&self) -> bool {
        matches!(self, Self::Gpus { is_machine: true, .. })
    }
}

/// Resolves what a wish names; each of it must be offered now, and belong to the payer's pool.
pub(crate) async fn sources(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
) -> Result<Sources> {
    let template = template(tx, payer, request).await?;
    let sold = Sold::find(tx, payer.pool_id, (&request.offering, template.as_ref())).await?;
    if sold.is_machine() && template.is_some() {
        return Err(Error::invalid("/template_id", "is for containers, and this is a machine"));
    }
    let (image, shape, host_of_disk) =
        disk(tx, payer, (request, template.as_ref()), sold.shape()).await?;
    if sold.host_id().is_some() && host_of_disk.is_some() && sold.host_id() != host_of_disk {
        return Err(Error::Conflict(Conflict::VolumeElsewhere));
    }
    let host_id = sold.host_id().or(host_of_disk);
    let origin = origin(tx, payer, request, (image, template)).await?;
    let (terms, term, location) = match sold {
        Sold::Plan { plan, location } => {
            let (terms, term) = match request.prepaid {
                Some(prepaid) => in_advance((&plan, shape), (request, prepaid))?,
                None => (of_plan(&plan, shape, request.is_spot)?, None),
            };
            (terms, term, location)
        }
        Sold::Gpus { .. } if request.prepaid.is_some() => {
            return Err(Error::invalid("/interval", "is for plans; this is paid by the second"));
        }
        Sold::Gpus { offer, location, is_machine, .. } => {
            let terms = of_gpus(&offer, shape, (request.is_spot, is_machine))?;
            let term = NewTerm::Hours(offer.terms.max_hours, request.renewal);
            (terms, Some(term), location)
        }
    };
    require_at_most(&terms, request.max_per_hour)?;
    Ok(Sources { terms, term, origin, location, host_id })
}

/// The template that a wish names: of the pool that it is for, or the operator's.
async fn template(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
) -> Result<Option<Template>> {
    let Boot::Template(id) = request.boot else { return Ok(None) };
    template_for(tx, &request.caller, payer.pool_id, id).await.map(Some)
}

/// What it is made from, with what its owner and its template say of it.
async fn origin(
    tx: &dyn Tx,
    payer: &Paying,
    request: &CreateInstance,
    (image, template): (SourceImage, Option<Template>),
) -> Result<Origin> {
    let keys = keys(tx, payer, request).await?;
    let kept = match request.script_id {
        Some(id) => {
            let found = tx.scripts_of_pool(payer.pool_id, &[id]).await?.into_iter().next();
            Some(found.ok_or_else(|| Error::invalid("/script_id", "is no script of the pool"))?)
        }
        None => None,
    };
    let recipe = template.as_ref().map(|template| &template.recipe);
    let start_script = request.start_script.clone().or_else(|| {
        // One that was kept takes its place: an instance starts with one script.
        recipe.filter(|_| kept.is_none()).map(|recipe| recipe.start_script.clone())
    });
    let start_script = start_script.and_then(inside::start_script);
    let is_autostart = start_script.is_some();
    let mut environment = recipe.map(|recipe| recipe.environment.clone()).unwrap_or_default();
    environment.extend(request.environment.clone());
    if let Some(message) = environment_fault(&environment) {
        return Err(Error::invalid("/environment", message));
    }
    Ok(Origin {
        ports: ports(request.ports.clone(), recipe)?,
        edition: 0,
        made_edition: 0,
        image,
        template: template.map(source),
        ordered_as: request.ordered_as.clone(),
        key_ids: keys.iter().map(|key| key.id).collect(),
        public_keys: keys.iter().map(|key| line(&key.public_key).to_owned()).collect(),
        script_id: request.script_id,
        script: start_script.or_else(|| kept.map(|script| script.content)),
        is_autostart,
        has_password: matches!(request.password, PasswordWish::Made),
        own_password: None,
        environment,
    })
}

async fn keys(tx: &dyn Tx, payer: &Paying, request: &CreateInstance) -> Result<Vec<SshKey>> {
    let caller = &request.caller;
    match &request.keys {
        Keys::These(ids) => {
            let mut keys = match ids.as_slice() {
                [] => Vec::new(),
                ids => tx.ssh_keys_of_pool(payer.pool_id, ids).await?,
            };
            // As they were named: programs compare what they sent with what they see.
            keys.sort_by_key(|key| ids.iter().position(|id| *id == key.id));
            if keys.len() != ids.len() {
                let advice = "each must be a key of the pool, named once";
                return Err(Error::invalid("/ssh_key_ids", advice));
            }
            Ok(keys)
        }
        Keys::All => {
            let page = Page { after: None, limit: None };
            let pool_id = Some(payer.pool_id);
            let mut keys = tx.ssh_keys_visible_to(caller.viewer(), pool_id, &page).await?;
            // Every member may add a key, and only some may do what they like with an instance.
            let members = tx.members(payer.pool_id).await?;
            let is_trusted = |key: &SshKey| {
                let author = members.iter().find(|(member, _)| Some(member.user_id) == key.author);
                author.is_some_and(|(member, _)| {
                    let role = role_in(Some(member));
                    role.is_ok_and(|role| require(role, PoolRole::Admin).is_ok())
                })
            };
            keys.retain(is_trusted);
            keys.truncate(MOST_KEYS);
            Ok(keys)
        }
        // It is added before.
        Keys::Raw { public_key, .. } => {
            let found = tx.ssh_key_saying(payer.pool_id, &public_key.digest()).await?;
            Ok(vec![found.ok_or(Error::NotFound(Thing::SshKey))?])
        }
    }
}

/// What it is made from, what it takes of its host, and on which host its disk is already. A disk that is a
/// volume takes the place of the one that was offered with it.
async fn disk(
    tx: &dyn Tx,
    payer: &Paying,
    (request, template): (&CreateInstance, Option<&Template>),
    offered: &Shape,
) -> Result<(SourceImage, Shape, Option<HostId>)> {
    let without_disk = || Shape { disk_gb: 0, ..offered.clone() };
    match &request.boot {
        Boot::OwnDisk(code) => {
            let image = image(tx, code, offered.disk_gb).await?;
            Ok((image, offered.clone(), None))
        }
        Boot::Template(_) => {
            let template = template.ok_or(Error::NotFound(Thing::Template))?;
            require_disk(template, offered.disk_gb)?;
            Ok((image_of(template), offered.clone(), None))
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
        image_id: Some(image.id),
        image: image.code.to_string(),
        image_name: image.name,
        reference: image.reference,
        username: image.username,
    })
}

/// A plan's terms of today, for an instance that has this of its shape.
pub(super) fn of_plan(plan: &Plan, shape: Shape, is_spot: bool) -> Result<InstanceTerms> {
    let price = if is_spot { plan.pricing.spot_per_hour } else { plan.pricing.per_hour };
    let per_hour = price.ok_or(Error::Unpayable(Unpayable::NoPricing))?;
    Ok(InstanceTerms { is_spot, ..terms_at(plan, shape, per_hour) })
}

/// The same by the second, at a price of an hour.
fn terms_at(plan: &Plan, shape: Shape, per_hour: Money) -> InstanceTerms {
    let offered =
        Offered::Plan { plan_id: plan.id, plan: plan.code.clone(), plan_name: plan.name.clone() };
    InstanceTerms {
        offered,
        shape,
        per_hour,
        disk_per_month: Money::ZERO,
        is_spot: false,
        stopped_percent: plan.pricing.stopped_percent,
        is_prepaid: false,
    }
}

/// A plan's terms of today for time that is paid in advance, at the price that was agreed to.
fn in_advance(
    (plan, shape): (&Plan, Shape),
    (request, prepaid): (&CreateInstance, Prepaid),
) -> Result<(InstanceTerms, Option<NewTerm>)> {
    if request.is_spot {
        return Err(Error::invalid("/is_spot", "is not for time that is paid in advance"));
    }
    let Prepaid { interval, price: expected, price_of_hour } = prepaid;
    let (terms, price) = prepaid_terms(plan, shape, interval)?;
    let hour = plan.pricing.prepaid(Interval::Hour);
    for (price, expected) in [(Some(price), expected), (hour, price_of_hour)] {
        if let (Some(price), Some(expected)) = (price, expected)
            && price != expected
        {
            return Err(Error::Conflict(Conflict::PriceChanged { price, expected }));
        }
    }
    Ok((terms, Some(NewTerm::Paid(interval, price, request.renewal))))
}

/// The same for an instance that has this of its shape, and what an interval costs.
pub(super) fn prepaid_terms(
    plan: &Plan,
    shape: Shape,
    interval: Interval,
) -> Result<(InstanceTerms, Money)> {
    let none = Error::Unpayable(Unpayable::NoPricing);
    let price = plan.pricing.prepaid(interval).ok_or(none)?;
    let per_hour = price.fraction(1, interval.hours()).floor();
    let terms = InstanceTerms { is_prepaid: true, ..terms_at(plan, shape, per_hour) };
    Ok((terms, price))
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
        is_prepaid: false,
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
        Offered::Unit { .. } => return Err(Error::Conflict(Conflict::NotForUnits)),
    };
    if terms.shape != now.shape {
        let advice = "what is offered has another shape by now, and no price for this one";
        return Err(Error::invalid("/is_spot", advice));
    }
    Ok(terms)
}
