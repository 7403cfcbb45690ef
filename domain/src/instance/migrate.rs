//! Brings an instance that is paid in advance to another plan: a new instance takes its place when that is
//! ready, and not before.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::act::locked;
use super::create::{event, require_quota};
use super::paid::WHOLE;
use super::pay::{draft, give_back, named, refund};
use super::sources::prepaid_terms;
use super::stop::{align_later, remove};
use super::{
    Instance, InstanceId, InstancePolicy, InstanceTerms, PaidTime, Phase, Stage, Term, Unused,
    Wanted,
};
use crate::capacity::{Claim, Need, place};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::host::HostId;
use crate::location::LocationCode;
use crate::money::Money;
use crate::number::Numbered;
use crate::plan::{Plan, PlanCode, PlanScope};
use crate::pool::{PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::vault::Vault;
use crate::wallet::{Account, Basis, PaidInterval, PostingKind, Wallet, moved};

/// How long what is on a disk may take to come from host to host, and the instance to start with it.
pub(super) const MOVED_WITHIN: chrono::Duration = chrono::Duration::hours(3);

/// Where what is on an instance's disk comes from, if that is not its image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Whose disk it was: its own on another host, or that of the instance that it takes the place of.
    pub from: InstanceId,
    /// On which host that was.
    pub from_host: HostId,
    /// Whether its data comes along.
    pub keeps_data: bool,
    /// Whether it is over.
    pub is_over: bool,
    /// Whether something of it may be left on that host since, so that it cannot come back yet.
    #[serde(default)]
    pub is_left: bool,
    /// What it takes the place of, if that is another instance.
    pub migration: Option<Migration>,
    /// What it was and had where it comes from, if that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Before>>,
}

/// What an instance was before it went to another host, where it is something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Where.
    pub location: LocationCode,
    /// What, and what it cost.
    pub terms: InstanceTerms,
    /// Until when.
    pub term: Option<Term>,
    /// What it had still of its host, or of another.
    pub claim: Claim,
}

/// What an instance takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// What of the other's paid time was left, and is credited.
    pub credit: Unused,
    /// What was wanted of the other.
    pub wanted: Wanted,
}

impl Instance {
    /// The move that is not over.
    pub(super) fn pending_move(&self) -> Option<Move> {
        self.moved.clone().filter(|moved| !moved.is_over)
    }

    /// Its host, and where its disk is to come from.
    pub(crate) fn hosts_it_needs(&self) -> impl Iterator<Item = HostId> {
        let pending = self.pending_move().filter(|pending| pending.keeps_data);
        [self.host_id].into_iter().chain(pending.map(|pending| pending.from_host))
    }

    /// Whether its disk, with what is installed there, is to come from another instance.
    pub(crate) fn awaits_a_disk(&self) -> bool {
        let pending = self.pending_move();
        pending.is_some_and(|pending| pending.keeps_data && pending.migration.is_some())
    }

    /// The host on which it still has its disk, while it moves to another.
    pub fn left_behind(&self) -> Option<HostId> {
        let pending = self.pending_move().filter(|pending| pending.migration.is_none());
        pending.map(|pending| pending.from_host)
    }
}

/// A wish to bring an instance to another plan.
#[derive(Clone, Debug)]
pub struct Migrate {
    /// Who asks: an owner or admin of its pool.
    pub caller: Caller,
    /// Which instance.
    pub id: InstanceId,
    /// To which plan.
    pub plan: PlanCode,
    /// Where.
    pub location: LocationCode,
    /// Whether its disk comes along; it is stopped for that. Else it runs until the new one is ready.
    pub keeps_data: bool,
}

/// What bringing an instance to another plan would cost.
#[derive(Clone, Debug)]
pub struct MigrationCost {
    /// The instance's terms now, and what an interval costs at them.
    pub current: (InstanceTerms, Money),
    /// The same at the plan.
    pub next: (InstanceTerms, Money),
    /// What the unused time of the present interval is worth.
    pub credit: Money,
    /// What is to be paid; below zero it is given back when the new instance is ready.
    pub due: Money,
    /// Until when it is paid then.
    pub paid_until: Timestamp,
}

/// What it would cost to bring one of the caller's instances to a plan at this moment.
pub async fn migration_cost(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    (id, plan): (InstanceId, &PlanCode),
) -> Result<MigrationCost> {
    let instance = super::show(store, caller, id).await?.instance;
    let plan = store.reads().plan_coded(PlanScope::All, plan).await?;
    cost(&instance, plan, clock.now())
}

fn cost(instance: &Instance, plan: Option<Plan>, now: Timestamp) -> Result<MigrationCost> {
    let plan = plan.filter(|plan| plan.is_offered_to(instance.pool_id));
    let plan = plan.ok_or(Error::NotFound(Thing::Plan))?;
    let paid = paid(instance)?;
    let (terms, price) = prepaid_terms(&plan, plan.shape.clone(), paid.interval)?;
    let credit = paid.unused(instance.id, now).amount();
    Ok(MigrationCost {
        current: (instance.terms.clone(), paid.price),
        next: (terms, price),
        credit,
        due: price.saturating_sub(credit),
        paid_until: paid.interval.after(now),
    })
}

fn paid(instance: &Instance) -> Result<PaidTime> {
    let advice = "is not paid in advance: order another one, and delete this";
    instance.paid().ok_or_else(|| Error::invalid("/id", advice))
}

/// Orders the instance that takes the place of another, which is charged for less what is left of the other's
/// paid time. Answers with the new one. Where it cannot be made the other one is as before, and what was paid
/// is given back.
#[instrument(name = "instance.migrate", skip_all, fields(id = %request.id))]
pub async fn migrate(
    store: &dyn Store,
    clock: &dyn Clock,
    (random, vault): (&dyn Random, &dyn Vault),
    (policy, request): (&InstancePolicy, &Migrate),
) -> Result<Instance> {
    request.caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (wallet, instance) = locked(tx, &request.caller, request.id, None).await?;
        require(role_of(tx, instance.pool_id, request.caller.user_id).await?, PoolRole::Admin)?;
        let plan = tx.plan_coded(PlanScope::All, &request.plan).await?;
        let plan = plan.filter(|plan| plan.locations.contains(&request.location));
        let cost = cost(&instance, plan, now)?;
        check(tx, request, &instance, &cost).await?;
        let work = Work { tx, random, policy, request, now };
        // What somebody chose is sealed for one instance.
        let own = instance.origin.own_password.is_some();
        let own = if own { instance.password_or_none(vault) } else { None };
        let successor = Box::pin(work.order(wallet, instance, cost)).await?;
        match own {
            Some(password) => successor.with_password(tx, vault, &password).await,
            None => Ok(successor),
        }
    })
    .await
}

async fn check(
    tx: &dyn Tx,
    request: &Migrate,
    instance: &Instance,
    cost: &MigrationCost,
) -> Result<()> {
    if instance.is_locked {
        return Err(Error::Conflict(Conflict::InstanceLocked));
    }
    let is_made = matches!(instance.phase, Phase::Running | Phase::Stopped | Phase::Hibernated);
    let is_settled = is_made && instance.is_settled() && instance.pending_move().is_none();
    // What another template was chosen for has the disk of the one before until it starts.
    let is_other = request.keeps_data && !instance.origin.is_made();
    let is_going = instance.wanted == Wanted::Deleted || instance.successor_id.is_some();
    if !is_settled || is_going || is_other {
        return Err(Error::Conflict(Conflict::InstanceBusy));
    }
    if !tx.volumes_of_instances(&[instance.id]).await?.is_empty() {
        return Err(Error::Conflict(Conflict::VolumeInUse));
    }
    let (before, after) = (&instance.terms.shape, &cost.next.0.shape);
    if request.keeps_data && after.disk_gb < before.disk_gb {
        let message = format!(
            "has a disk of {} GB, and the data is on one of {}: migrate without \
            the data, or to a larger plan",
            after.disk_gb, before.disk_gb
        );
        return Err(Error::invalid("/plan", message));
    }
    require_quota(tx, instance.pool_id, 1).await
}

/// One migration of a locked instance.
struct Work<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    policy: &'a InstancePolicy,
    request: &'a Migrate,
    now: Timestamp,
}

impl Work<'_> {
    async fn order(
        &self,
        wallet: Wallet,
        before: Instance,
        cost: MigrationCost,
    ) -> Result<Instance> {
        let Self { tx, random, request, now, .. } = *self;
        let id = InstanceId::generate(now, random);
        let (terms, price) = cost.next;
        let need = Need {
            location: request.location.clone(),
            storage: None,
            host_id: None,
            shape: terms.shape.clone(),
            volumes_gb: 0,
            keeps: None,
        };
        let ports = before.origin.ports.as_slice();
        let placed = place(tx, &need, self.policy.placement, (id, ports)).await?;
        let old = paid(&before)?;
        let migration = Migration { credit: old.unused(before.id, now), wanted: before.wanted };
        let renewal = before.term.map(|term| term.renewal).unwrap_or_default();
        let moved = Move {
            from: before.id,
            from_host: before.host_id,
            keeps_data: request.keeps_data,
            is_over: false,
            is_left: false,
            migration: Some(migration),
            before: None,
        };
        let mut origin = before.origin.clone();
        if request.keeps_data && !origin.is_autostart {
            // It ran on this disk.
            origin.script = None;
        }
        let instance = Instance {
            id,
            author: request.caller.user_id,
            location: request.location.clone(),
            host_id: placed.capacity.host_id,
            terms,
            term: Some(Term::paid(PaidTime::first((old.interval, price), now), renewal)),
            origin,
            claim: placed.claim,
            moved: Some(moved),
            wanted: Wanted::Running,
            phase: Phase::Ordered,
            stage_until: Some(now + MOVED_WITHIN),
            last_error: None,
            driver_fault: None,
            missing_since: None,
            created_at: now,
            ready_at: None,
            ..before.clone()
        };
        tx.add_instance(&instance).await?;
        tx.give_number(Numbered::Instance, id.uuid()).await?;
        settle(tx, random, wallet, (&instance, PostingKind::Charge), now).await?;
        align_later(tx, random, &instance, now).await?;
        self.set_aside(before, &instance).await?;
        Ok(instance)
    }

    /// What is left of its paid time stands still, and it is stopped if its disk is to come along.
    async fn set_aside(&self, before: Instance, successor: &Instance) -> Result<()> {
        let Self { tx, random, request, now, .. } = *self;
        let stops = request.keeps_data && before.wanted == Wanted::Running;
        let wanted = if stops { Wanted::Stopped { force: false } } else { before.wanted };
        let before = Instance { successor_id: Some(successor.id), wanted, ..before };
        let before = before.with_paid(|paid| paid.using(0, now));
        tx.save_instance(&before).await?;
        align_later(tx, random, &before, now).await?;
        let told = event("instance.migrating", &before, request.caller.actor(), now);
        let data = json!({ "hostname": before.hostname, "successor_id": successor.id,
            "plan": successor.terms.code(), "keeps_data": request.keeps_data });
        let ordered = event("instance.ordered", successor, request.caller.actor(), now);
        tx.record(vec![Event { data, ..told }, ordered]).await
    }
}

/// Moves the money of a migration: a charge of what is due when it is ordered, a refund of that when it is
/// undone, and a refund of what is below zero when it is over.
async fn settle(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, kind): (&Instance, PostingKind),
    now: Timestamp,
) -> Result<Wallet> {
    let (Some(to), Some((from, due))) = (instance.payment(), due(instance)) else {
        return Ok(wallet);
    };
    let reason = format!("Migration to {}", named(instance));
    if kind == PostingKind::Charge {
        if due <= Money::ZERO {
            return Ok(wallet);
        }
        let entries = moved(due, Account::Wallet(wallet.user_id), Account::Revenue);
        let basis = Basis::Migration { to, from, settled: Money::ZERO };
        let author = Some(instance.author);
        let draft = draft(instance, (kind, entries), (reason, basis), author);
        return crate::wallet::post(tx, random, wallet, now, draft).await.map(|(wallet, _)| wallet);
    }
    let settled = wallet.owed.min(due.magnitude());
    let basis = Basis::Migration { to, from, settled };
    refund(tx, random, wallet, (instance, (due.magnitude(), settled), (reason, basis)), now).await
}

/// What a migration credits, and what it costs beyond that.
fn due(instance: &Instance) -> Option<(Unused, Money)> {
    let credit = instance.moved.as_ref()?.migration?.credit;
    let PaidInterval { price, .. } = instance.payment()?;
    Some((credit, price.saturating_sub(credit.amount())))
}

/// The instance that one takes the place of, locked, if it is there still. The payer's wallet is locked, so
/// that nobody has the two in another order.
async fn predecessor(tx: &dyn Tx, instance: &Instance) -> Result<Option<Instance>> {
    let Some(pending) = instance.pending_move().filter(|pending| pending.migration.is_some())
    else {
        return Ok(None);
    };
    let before = tx.instance_for_update(pending.from).await?;
    let is_there = |before: &Instance| before.is_live() && before.wanted != Wanted::Deleted;
    Ok(before.filter(is_there))
}

/// The new one is ready: the old one goes, and its installs with its disk to the new one. The caller stores
/// the new one.
pub(super) async fn take_over(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    instance: Instance,
    now: Timestamp,
) -> Result<(Wallet, Instance)> {
    let Some(pending) = instance.pending_move().filter(|pending| pending.migration.is_some())
    else {
        return Ok((wallet, instance));
    };
    let is_below_zero = due(&instance).is_some_and(|(_, due)| due < Money::ZERO);
    let mut wallet = wallet;
    if is_below_zero {
        wallet = settle(tx, random, wallet, (&instance, PostingKind::Refund), now).await?;
    }
    let before = predecessor(tx, &instance).await?;
    if pending.keeps_data {
        tx.move_installs(pending.from, instance.id).await?;
    }
    if let Some(before) = before {
        let before = before.with_paid(|paid| PaidTime { left: 0, ..paid.using(0, now) });
        let why = ("instance.migrated", Actor::System);
        wallet = remove(tx, random, wallet, before, (why, now)).await?;
    }
    let moved = Some(Move { is_over: true, ..pending });
    Ok((wallet, Instance { moved, ..instance }))
}

/// The new one cannot be had: what was paid is given back, and the old one is as before. Where the old one is
/// gone, all of the new one's price is given back, as the other's time went into it. The caller stores the new
/// one.
pub(super) async fn undo(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    instance: Instance,
    now: Timestamp,
) -> Result<(Wallet, Instance)> {
    let Some(pending) = instance.pending_move() else {
        return give_back(tx, random, wallet, (instance, now), now).await;
    };
    let over = |instance| Instance { moved: Some(Move { is_over: true, ..pending }), ..instance };
    let (Some(migration), Some(before)) = (pending.migration, predecessor(tx, &instance).await?)
    else {
        // The other's time was worth more than this one costs: that is given back as well.
        if due(&instance).is_some_and(|(_, due)| due < Money::ZERO) {
            wallet = settle(tx, random, wallet, (&instance, PostingKind::Refund), now).await?;
        }
        let whole = (over(instance), now);
        return give_back(tx, random, wallet, whole, now).await;
    };
    if due(&instance).is_some_and(|(_, due)| due > Money::ZERO) {
        wallet = settle(tx, random, wallet, (&instance, PostingKind::Refund), now).await?;
    }
    let instance = over(instance).with_paid(|paid| PaidTime { left: 0, ..paid.using(0, now) });
    let before = as_before(before, (pending.keeps_data, migration.wanted), now);
    tx.save_instance(&before).await?;
    align_later(tx, random, &before, now).await?;
    let told = event("instance.migration_failed", &before, Actor::System, now);
    tx.record(vec![Event { recipient: Some(instance.author), ..told }]).await?;
    Ok((wallet, instance))
}

/// An instance whose successor cannot be had, as it was. What ran on all the while has used its paid time; what
/// was stopped for its disk has not.
fn as_before(before: Instance, (stopped, wanted): (bool, Wanted), now: Timestamp) -> Instance {
    let stopped_percent = before.terms.stopped_percent;
    let former = match wanted {
        _ if stopped => 0,
        Wanted::Running => WHOLE,
        Wanted::Stopped { .. } => stopped_percent,
        Wanted::Hibernated | Wanted::Deleted => 0,
    };
    let (wanted, percent) = match (&before.phase, wanted) {
        (Phase::Hibernated, _) | (_, Wanted::Hibernated) => (Wanted::Hibernated, 0),
        (Phase::Running, Wanted::Running) if before.wanted == Wanted::Running => (wanted, WHOLE),
        _ => (wanted, stopped_percent),
    };
    let is_stopping = before.wanted != Wanted::Running && wanted == Wanted::Running;
    let phase = match before.phase {
        // Whether the stop has begun is seen by starting it.
        Phase::Running if is_stopping => Phase::Starting { stage: Stage::Starting },
        phase => phase,
    };
    let stage_until = Some(now + MOVED_WITHIN);
    let before = Instance { successor_id: None, wanted, phase, stage_until, ..before };
    before.with_paid(|paid| PaidTime { percent: former, ..paid }.using(percent, now))
}

/// Refuses where an instance waits for one that takes its place.
pub(super) fn require_no_successor(instance: &Instance) -> Result<()> {
    match instance.successor_id {
        Some(_) => Err(Error::Conflict(Conflict::InstanceBusy)),
        None => Ok(()),
    }
}
