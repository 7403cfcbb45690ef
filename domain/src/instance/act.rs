//! What owners do with their instances: start, stop, restart, hibernate, delete, one or many.

use std::collections::BTreeSet;

use tracing::instrument;

use super::charge::{Charge, charge, running_meter};
use super::create::{event, require_funds};
use super::migrate::require_no_successor;
use super::sources::of_today;
use super::stop::{align_later, remove};
use super::{Instance, InstanceId, InstancePolicy, Offered, Phase, Wanted};
use crate::capacity::{Claim, Part, release};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::host::HostId;
use crate::meter::{Metered, Standing, finish};
use crate::money::Money;
use crate::pool::{PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{Afterwards, VolumeId};
use crate::wallet::Wallet;

/// What becomes of an instance's volumes when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposal {
    /// Which of its volumes go with it; `None` means its disk alone, where that is a volume.
    pub volume_ids: Option<Vec<VolumeId>>,
    /// Whether those are destroyed at once, not put into the trash.
    pub permanently: bool,
}

/// What to do with an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start it, also out of hibernation.
    Start {
        /// Whether a hibernated one may come to another host, where its own has no room.
        may_move: bool,
    },
    /// Start a hibernated one that is sold by the graphics processor on this host: where it is at the price that it
    /// had, elsewhere at that of the host's offer today; its disk is brought there.
    Resume {
        /// Which host.
        host_id: HostId,
    },
    /// Stop it; what it holds stays its own.
    Shutdown {
        /// Without asking what runs in it.
        force: bool,
    },
    /// Stop it and start it.
    Restart,
    /// Stop it and give its processors and memory back.
    Hibernate,
    /// Delete it.
    Delete(Disposal),
    /// Try again to delete what did not go.
    DeleteStuck,
    /// Make it a spot instance, or an ordinary one, at the plan's price of today.
    ConfigureSpot {
        /// Whether it may be evicted.
        is_spot: bool,
    },
}

impl Action {
    /// Its name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Resume { .. } => "resume",
            Self::Shutdown { force: false } => "shutdown",
            Self::Shutdown { force: true } => "force_shutdown",
            Self::Restart => "restart",
            Self::Hibernate => "hibernate",
            Self::Delete(_) => "delete",
            Self::DeleteStuck => "delete_stuck",
            Self::ConfigureSpot { .. } => "configure_spot",
        }
    }
}

/// A wish to do something with an instance.
#[derive(Clone, Debug)]
pub struct Act {
    /// Who asks: an owner or admin of its pool.
    pub caller: Caller,
    /// What.
    pub action: Action,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It will be done.
    Accepted,
    /// It was so already.
    Unchanged,
}

/// Does something with an instance: writes down what is wanted, and leaves the doing to a job.
#[instrument(name = "instance.act", skip_all, fields(%id, action = request.action.as_str()))]
pub async fn act(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (policy, request): (&InstancePolicy, &Act),
    id: InstanceId,
) -> Result<(Outcome, Instance)> {
    request.caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let also = match request.action {
            Action::Resume { host_id } => Some(host_id),
            _ => None,
        };
        let (wallet, instance) = locked(tx, &request.caller, id, also).await?;
        let work = Work { tx, random, policy, request, now };
        let outcome = Box::pin(work.on(wallet, instance)).await?;
        let instance = tx.instance(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        Ok((outcome, instance))
    })
    .await
}

/// The same with several; each is done or refused for itself.
pub async fn act_on_all(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (policy, request): (&InstancePolicy, &Act),
    ids: &[InstanceId],
) -> Result<Vec<(InstanceId, Result<Outcome>)>> {
    request.caller.may(Permission::InstancesWrite)?;
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        let outcome = act(store, clock, random, (policy, request), *id).await;
        outcomes.push((*id, outcome.map(|(outcome, _)| outcome)));
    }
    Ok(outcomes)
}

/// The instance with its payer's wallet, locked, if the caller is an owner or admin of its pool; and a host that
/// it may come to, if that is known.
pub(super) async fn locked(
    tx: &dyn Tx,
    caller: &Caller,
    id: InstanceId,
    also: Option<HostId>,
) -> Result<(Wallet, Instance)> {
    let missing = || Error::NotFound(Thing::Instance);
    let seen = tx.instance_visible_to(caller.viewer(), id).await?.ok_or_else(missing)?;
    let wallet = tx.wallet_for_update(seen.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    tx.pool_for_update(seen.pool_id).await?.ok_or_else(missing)?;
    require(role_of(tx, seen.pool_id, caller.user_id).await?, PoolRole::Admin)?;
    // Placing and giving back lock the host before the instance.
    let hosts: BTreeSet<HostId> = also.into_iter().chain([seen.host_id]).collect();
    for host_id in hosts {
        let found = tx.capacity_for_update(host_id).await?;
        if found.is_none() && host_id == seen.host_id {
            return Err(Error::NotFound(Thing::Server));
        }
    }
    let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
    let where_it_was =
        |instance: &Instance| (instance.pool_id, instance.payer_id, instance.host_id);
    if where_it_was(&instance) != where_it_was(&seen) {
        return Err(Error::Contention);
    }
    Ok((wallet, instance))
}

/// What is charged for an instance at this moment; where no meter runs because its price is nothing, what
/// would be charged at another price.
pub(super) async fn what_runs(tx: &dyn Tx, instance: &Instance) -> Result<Charge> {
    let meter = running_meter(tx, instance.id).await?;
    if let Some(meter) = meter {
        let rate = Some(meter.rate);
        // What starts again costs what it did until it is ready: its disk, also at what that cost elsewhere.
        let is_kept = instance.wanted == Wanted::Hibernated
            || instance.left_behind().is_some()
            || rate == instance.rate(Charge::Kept);
        return Ok(match rate == instance.rate(Charge::Running) {
            true => Charge::Running,
            false if is_kept => Charge::Kept,
            false => Charge::Stopped,
        });
    }
    let costs = match (&instance.phase, instance.wanted) {
        (Phase::Running, Wanted::Running) => Charge::Running,
        (Phase::Running | Phase::Starting { .. } | Phase::Stopped, Wanted::Stopped { .. })
        | (_, Wanted::Hibernated) => Charge::idle(instance.wanted),
        _ => return Ok(Charge::Nothing),
    };
    if instance.ready_at.is_none() || instance.rate(costs).is_some() {
        return Ok(Charge::Nothing);
    }
    // Who was stopped for want of money pays again when there is some.
    let is_idle = costs != Charge::Running;
    match tx.standing(instance.payer_id).await? {
        Some(Standing::Stopped { .. }) if is_idle => Ok(Charge::Nothing),
        _ => Ok(costs),
    }
}

/// Gives back what a stopped instance has of its host, which is locked, but its disk; and its address, where it
/// is the host's offer that it has.
pub(super) async fn park(tx: &dyn Tx, instance: Instance) -> Result<Instance> {
    let held = (instance.id, &instance.terms.shape);
    release(tx, instance.host_id, held, Part::AllButDisk).await?;
    let mut claim = Claim::default();
    if matches!(instance.terms.offered, Offered::Gpus { .. }) {
        (claim.address, claim.lent_by) = (instance.claim.address, instance.claim.lent_by);
    } else {
        tx.free_addresses(instance.id, None).await?;
    }
    let (wanted, phase) = (Wanted::Hibernated, Phase::Hibernated);
    Ok(Instance { claim, wanted, phase, ..instance })
}

/// One action on one locked instance.
pub(super) struct Work<'a> {
    pub(super) tx: &'a dyn Tx,
    pub(super) random: &'a dyn Random,
    pub(super) policy: &'a InstancePolicy,
    pub(super) request: &'a Act,
    pub(super) now: Timestamp,
}

pub(super) const fn not_now<T>() -> Result<T> {
    Err(Error::Conflict(Conflict::InstanceBusy))
}

impl Work<'_> {
    async fn on(&self, wallet: Wallet, instance: Instance) -> Result<Outcome> {
        let notice_is_over = instance.evict_at.is_some_and(|at| at <= self.now);
        let is_going = instance.wanted == Wanted::Deleted || !instance.is_live();
        match &self.request.action {
            Action::Delete(_) if matches!(instance.phase, Phase::Failed { .. }) => {
                return self.forget(instance).await;
            }
            Action::Delete(_) if is_going => return Ok(Outcome::Unchanged),
            _ if instance.is_locked => return Err(Error::Conflict(Conflict::InstanceLocked)),
            Action::DeleteStuck => return self.delete_stuck(wallet, instance).await,
            _ if is_going => return Err(Error::Conflict(Conflict::InstanceDeleted)),
            // The next sweep evicts it; what it costs has ended.
            _ if notice_is_over => return Err(Error::Conflict(Conflict::InstanceDeleted)),
            Action::Delete(disposal) => {
                require_no_successor(&instance)?;
                return self.delete(wallet, instance, disposal).await;
            }
            _ => {}
        }
        require_no_successor(&instance)?;
        let is_for_units = matches!(
            self.request.action,
            Action::Start { .. } | Action::Shutdown { .. } | Action::Restart
        );
        if instance.terms.is_of_a_unit() && !is_for_units {
            return Err(Error::Conflict(Conflict::NotForUnits));
        }
        match &instance.phase {
            Phase::Ordered | Phase::Provisioning { .. } | Phase::Undoing { .. } => not_now(),
            _ => Box::pin(self.on_made(wallet, instance)).await,
        }
    }

    /// On one that was made: it runs, or did.
    async fn on_made(&self, wallet: Wallet, instance: Instance) -> Result<Outcome> {
        let runs = matches!(instance.phase, Phase::Running | Phase::Starting { .. });
        match &self.request.action {
            Action::Start { .. } if instance.wanted == Wanted::Running => Ok(Outcome::Unchanged),
            Action::Start { may_move } => self.start(wallet, instance, *may_move).await,
            Action::Resume { host_id } => Box::pin(self.resume(wallet, instance, *host_id)).await,
            Action::Shutdown { .. } if matches!(instance.wanted, Wanted::Stopped { .. }) => {
                self.hasten(instance).await
            }
            Action::Shutdown { .. } if instance.wanted == Wanted::Hibernated => {
                Ok(Outcome::Unchanged)
            }
            Action::Shutdown { force } if runs => {
                let wanted = Wanted::Stopped { force: *force };
                self.stop(wallet, instance, wanted).await
            }
            Action::Restart if instance.phase == Phase::Running => {
                let is_wanted = instance.wanted == Wanted::Running;
                if is_wanted {
                    self.save(Instance { restart: true, ..instance }).await
                } else {
                    not_now()
                }
            }
            Action::Shutdown { .. } | Action::Restart => not_now(),
            Action::Hibernate if instance.wanted == Wanted::Hibernated => Ok(Outcome::Unchanged),
            Action::Hibernate if runs => self.stop(wallet, instance, Wanted::Hibernated).await,
            Action::Hibernate => self.park(wallet, instance).await,
            Action::ConfigureSpot { .. } if instance.pending_move().is_some() => not_now(),
            Action::ConfigureSpot { is_spot } => self.price(wallet, instance, *is_spot).await,
            Action::Delete(_) | Action::DeleteStuck => Ok(Outcome::Unchanged),
        }
    }

    /// Stores what is wanted now, with its event and the job that does it.
    pub(super) async fn save(&self, instance: Instance) -> Result<Outcome> {
        self.tx.save_instance(&instance).await?;
        align_later(self.tx, self.random, &instance, self.now).await?;
        let kind = match self.request.action {
            Action::Start { .. } | Action::Resume { .. } => "instance.start_requested",
            Action::Shutdown { .. } => "instance.stop_requested",
            Action::Restart => "instance.restart_requested",
            Action::Hibernate => "instance.hibernate_requested",
            Action::ConfigureSpot { .. } => "instance.repriced",
            Action::Delete(_) | Action::DeleteStuck => "instance.delete_requested",
        };
        let actor = self.request.caller.actor();
        self.tx.record(vec![event(kind, &instance, actor, self.now)]).await?;
        Ok(Outcome::Accepted)
    }

    /// Stops it; from now on it costs what a stopped one does.
    async fn stop(&self, wallet: Wallet, instance: Instance, wanted: Wanted) -> Result<Outcome> {
        let instance = Instance { wanted, restart: false, ..instance };
        let charged = (instance, Charge::idle(wanted));
        let (_, instance) = charge(self.tx, self.random, wallet, charged, self.now).await?;
        self.save(instance).await
    }

    /// A stop that was asked for gently can be forced.
    async fn hasten(&self, instance: Instance) -> Result<Outcome> {
        let is_forced = self.request.action == Action::Shutdown { force: true };
        let can =
            instance.wanted == Wanted::Stopped { force: false } && instance.phase != Phase::Stopped;
        if !is_forced || !can {
            return Ok(Outcome::Unchanged);
        }
        self.save(Instance { wanted: Wanted::Stopped { force: true }, ..instance }).await
    }

    /// Hibernates one that is stopped already.
    async fn park(&self, wallet: Wallet, instance: Instance) -> Result<Outcome> {
        if instance.phase != Phase::Stopped || instance.wanted == Wanted::Running {
            return not_now();
        }
        let kept = (instance, Charge::Kept);
        let (_, instance) = charge(self.tx, self.random, wallet, kept, self.now).await?;
        let instance = park(self.tx, instance).await?;
        self.save(instance).await
    }

    /// Makes it a spot instance or an ordinary one, at the price of today.
    async fn price(&self, wallet: Wallet, instance: Instance, is_spot: bool) -> Result<Outcome> {
        if instance.terms.is_spot == is_spot {
            return Ok(Outcome::Unchanged);
        }
        if instance.terms.is_prepaid {
            return Err(Error::invalid("/is_spot", "is not for time that is paid in advance"));
        }
        let terms = of_today(self.tx, &instance, is_spot).await?;
        let before = running_meter(self.tx, instance.id).await?.map(|meter| meter.rate);
        let costs = what_runs(self.tx, &instance).await?;
        let evict_at = instance.evict_at.filter(|_| is_spot);
        let instance = Instance { terms, evict_at, ..instance };
        let hourly = |rate: Option<crate::meter::Rate>| rate.map_or(Money::ZERO, |r| r.hourly());
        let more = hourly(instance.rate(costs)).saturating_sub(hourly(before));
        require_funds(self.tx, &wallet, more.max(Money::ZERO), self.policy.funds).await?;
        let charged = (instance, costs);
        let (_, instance) = charge(self.tx, self.random, wallet, charged, self.now).await?;
        self.save(instance).await
    }

    async fn delete(
        &self,
        wallet: Wallet,
        instance: Instance,
        disposal: &Disposal,
    ) -> Result<Outcome> {
        if instance.cluster_id.is_some() {
            return Err(Error::Conflict(Conflict::PartOfCluster));
        }
        let volumes = self.tx.volumes_of_instances(&[instance.id]).await?;
        let disks = || volumes.iter().filter(|volume| volume.disk.is_some()).map(|disk| disk.id);
        let chosen = disposal.volume_ids.clone().unwrap_or_else(|| disks().collect());
        if let Some(id) = chosen.iter().find(|id| !volumes.iter().any(|v| v.id == **id)) {
            let message = format!("volume {id} is not attached to this instance");
            return Err(Error::invalid("/volume_ids", message));
        }
        for seen in volumes.iter().filter(|volume| chosen.contains(&volume.id)) {
            let volume = self.tx.volume_for_update(seen.id).await?;
            let volume = volume.ok_or(Error::NotFound(Thing::Volume))?;
            let afterwards = if disposal.permanently {
                Afterwards::DeletePermanently
            } else {
                Afterwards::MoveToTrash
            };
            self.tx.save_volume(&volume.afterwards(afterwards)).await?;
        }
        // However long its host takes to let go of them.
        let metered: Vec<Metered> = chosen.iter().map(|id| Metered::Volume(*id)).collect();
        let wallet = finish(self.tx, self.random, wallet, &metered, self.now).await?;
        let kind = ("instance.delete_requested", self.request.caller.actor());
        remove(self.tx, self.random, wallet, instance, (kind, self.now)).await?;
        Ok(Outcome::Accepted)
    }

    /// Takes one that could not be made off the list.
    async fn forget(&self, instance: Instance) -> Result<Outcome> {
        let phase = Phase::Deleted { at: self.now };
        self.save(Instance { wanted: Wanted::Deleted, phase, ..instance }).await
    }

    /// Works again at once on one that did not go, whatever became of its job.
    async fn delete_stuck(&self, wallet: Wallet, instance: Instance) -> Result<Outcome> {
        if !instance.is_live() {
            return Ok(Outcome::Unchanged);
        }
        let is_undone = matches!(instance.phase, Phase::Undoing { .. });
        if instance.wanted == Wanted::Deleted || is_undone {
            return self.save(instance).await;
        }
        if instance.cluster_id.is_some() {
            return Err(Error::Conflict(Conflict::PartOfCluster));
        }
        if matches!(instance.phase, Phase::Ordered | Phase::Provisioning { .. }) {
            let kind = ("instance.delete_requested", self.request.caller.actor());
            remove(self.tx, self.random, wallet, instance, (kind, self.now)).await?;
            return Ok(Outcome::Accepted);
        }
        not_now()
    }
}
