//! Gives instances a larger disk, or another template. What they are made from is brought to that when they are
//! started the next time.

use super::act::{not_now, what_runs};
use super::charge::charge;
use super::create::require_funds;
use super::migrate::require_no_successor;
use super::recipe::of_template;
use super::{EditInstance, Instance, InstancePolicy, Move, Offered, Phase, Step, Wanted};
use crate::capacity::republish;
use crate::clock::{Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::money::Money;
use crate::plan::Shape;
use crate::store::Tx;
use crate::template::TemplateId;
use crate::wallet::Wallet;

/// A change of one locked instance.
pub(super) struct Remaking<'a> {
    pub(super) tx: &'a dyn Tx,
    pub(super) random: &'a dyn Random,
    pub(super) policy: &'a InstancePolicy,
    pub(super) request: &'a EditInstance,
    pub(super) now: Timestamp,
}

impl Remaking<'_> {
    /// The instance as it is to be; what was asked for and is so already changes nothing.
    pub(super) async fn of(&self, wallet: Wallet, instance: Instance) -> Result<Instance> {
        let has = instance.terms.shape.disk_gb;
        let disk_gb = self.request.disk_gb.filter(|wanted| *wanted != has);
        let template = instance.origin.template.as_ref().map(|template| template.template_id);
        let template_id = self.request.template_id.filter(|wanted| Some(*wanted) != template);
        if disk_gb.is_none() && template_id.is_none() {
            return Ok(instance);
        }
        require_changeable(&instance, self.now)?;
        let instance = match disk_gb {
            Some(disk_gb) => self.enlarged(wallet, instance, disk_gb).await?,
            None => instance,
        };
        match template_id {
            Some(template_id) => self.of_template(instance, template_id).await,
            None => Ok(instance),
        }
    }

    /// With a larger disk, for the price of a GB at which it was ordered.
    async fn enlarged(&self, wallet: Wallet, instance: Instance, disk_gb: u32) -> Result<Instance> {
        let Offered::Gpus { per_gb, .. } = instance.terms.offered else {
            return Err(Error::invalid("/disk_gb", "is the plan's, and stays as it is"));
        };
        let has = instance.terms.shape.disk_gb;
        if has == 0 {
            return Err(Error::invalid("/disk_gb", "is a volume's; change the volume"));
        }
        let more = disk_gb.checked_sub(has).ok_or_else(|| {
            Error::invalid("/disk_gb", format!("must be at least the {has} GB that it has"))
        })?;
        let missing = || Error::NotFound(Thing::Server);
        let capacity = self.tx.capacity(instance.host_id).await?.ok_or_else(missing)?;
        if !self.tx.take_disk(&capacity.storage, more).await? {
            return Err(Error::Conflict(Conflict::NoCapacity));
        }
        let costs = what_runs(self.tx, &instance).await?;
        let before = instance.terms.hourly();
        let shape = Shape { disk_gb, ..instance.terms.shape.clone() };
        let mut terms = instance.terms.clone();
        terms.disk_per_month = per_gb.fraction(disk_gb.into(), 1).floor();
        terms.shape = shape;
        let more = terms.hourly().saturating_sub(before).max(Money::ZERO);
        require_funds(self.tx, &wallet, more, self.policy.funds).await?;
        let instance = Instance { terms, ..instance };
        let (_, instance) =
            charge(self.tx, self.random, wallet, (instance, costs), self.now).await?;
        Ok(instance)
    }

    /// Made from another template. The ports that it had stay its own until it is.
    async fn of_template(&self, instance: Instance, id: TemplateId) -> Result<Instance> {
        let fault = |message: &str| Err(Error::invalid("/template_id", message));
        if matches!(instance.terms.offered, Offered::Gpus { is_machine: true, .. }) {
            return fault("is for containers, and this is a machine");
        }
        let volumes = self.tx.volumes_of_instances(&[instance.id]).await?;
        if volumes.iter().any(|volume| volume.disk.is_some()) {
            return fault("is not for what has a volume as its disk");
        }
        let (caller, tx) = (&self.request.caller, self.tx);
        if !tx.installs_visible_to(caller.viewer(), &[instance.id]).await?.is_empty() {
            return fault("would take away the software that is installed; remove that first");
        }
        let disk_gb = instance.terms.shape.disk_gb;
        let origin = of_template(tx, caller, (&instance, disk_gb), id).await?;
        let claim = match instance.phase {
            Phase::Hibernated => instance.claim.clone(),
            _ => republish(tx, instance.host_id, (instance.id, &instance.claim), &origin.ports)
                .await?
                .ok_or(Error::Conflict(Conflict::NoCapacity))?,
        };
        // What was brought here goes with the disk.
        let moved = instance.moved.map(|moved| Move { keeps_data: false, ..moved });
        Ok(Instance { origin, moved, claim, ..instance })
    }
}

/// Refuses what is not made yet, or is on its way elsewhere or gone.
fn require_changeable(instance: &Instance, now: Timestamp) -> Result<()> {
    let notice_is_over = instance.evict_at.is_some_and(|at| at <= now);
    if instance.wanted == Wanted::Deleted || !instance.is_live() || notice_is_over {
        return Err(Error::Conflict(Conflict::InstanceDeleted));
    }
    if instance.is_locked {
        return Err(Error::Conflict(Conflict::InstanceLocked));
    }
    if instance.cluster_id.is_some() {
        return Err(Error::Conflict(Conflict::PartOfCluster));
    }
    require_no_successor(instance)?;
    // What is being started is made from what it was when that began.
    let starts = matches!(instance.next_step(), Some(Step::Make | Step::Start | Step::Await));
    let is_undone = matches!(instance.phase, Phase::Undoing { .. });
    if starts || is_undone || instance.pending_move().is_some() { not_now() } else { Ok(()) }
}
