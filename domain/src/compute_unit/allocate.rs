//! Allocates a compute unit: an instance whose place is the unit.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::Value;
use tracing::instrument;

use super::take::take;
use super::{ComputeUnit, MOST_TAG_BYTES, MOST_TAGS, UnitState, UnitTags, UnitWish};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::instance::{
    self, Hostname, Instance, InstanceId, InstancePolicy, InstanceTerms, Offered, Order, Origin,
    Phase, SourceImage, Sources, require_funds, require_quota,
};
use crate::job::JobContext;
use crate::money::Money;
use crate::plan::Shape;
use crate::pool::{Paying, PoolId, paying};
use crate::ssh_key::{PublicKey, line};
use crate::store::{Store, Tx, atomically};
use crate::tag::Tags;
use crate::token::Permission;
use crate::user::Caller;

/// A wish for a unit.
#[derive(Clone, Debug)]
pub struct Allocate {
    /// Who asks.
    pub caller: Caller,
    /// For which pool; without one the caller's default one.
    pub pool_id: Option<PoolId>,
    /// Which unit.
    pub wish: UnitWish,
    /// Who may log in.
    pub public_key: PublicKey,
    /// Labels: texts, whole numbers or lists of texts.
    pub tags: Option<UnitTags>,
}

impl Allocate {
    fn violations(&self) -> Vec<Violation> {
        let Some(tags) = &self.tags else { return Vec::new() };
        let is_text = |value: &Value| matches!(value, Value::String(text) if !text.contains('\0'));
        let is_label = |value: &Value| match value {
            Value::Number(number) => number.is_i64(),
            Value::Array(texts) => texts.iter().all(is_text),
            value => is_text(value),
        };
        let good = tags.len() <= MOST_TAGS
            && tags.keys().all(|key| !key.contains('\0'))
            && tags.values().all(is_label)
            && serde_json::to_string(tags).is_ok_and(|text| text.len() <= MOST_TAG_BYTES);
        let message = "must be at most 64 labels and 16 KiB of JSON: texts without U+0000, whole \
                       numbers of 64 bits, or lists of texts";
        if good { Vec::new() } else { vec![Violation::new("/tags", message)] }
    }
}

/// Takes a free unit for somebody; a job makes it ready, within [`UnitPolicy::allocated_within`] or not at all.
/// Refused with [`Conflict::NoCapacity`] only where no such unit is free, however many ask at once.
///
/// [`UnitPolicy::allocated_within`]: super::UnitPolicy::allocated_within
#[instrument(name = "compute_unit.allocate", skip_all)]
pub async fn allocate(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: &Allocate,
) -> Result<InstanceId> {
    request.caller.may(Permission::InstancesWrite)?;
    Error::unless_empty(request.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let payer = paying(tx, &request.caller, request.pool_id).await?;
        require_quota(tx, payer.pool_id, 1).await?;
        let unit = take(tx, &request.wish).await?;
        let unit = unit.ok_or(Error::Conflict(Conflict::NoCapacity))?;
        let allocation = Allocating { tx, random, policy, request, now };
        allocation.of(&payer, unit).await
    })
    .await
}

struct Allocating<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    policy: &'a InstancePolicy,
    request: &'a Allocate,
    now: Timestamp,
}

impl Allocating<'_> {
    async fn of(&self, payer: &Paying, unit: ComputeUnit) -> Result<InstanceId> {
        let Self { tx, random, policy, request, now } = *self;
        let host = tx.compute_host(unit.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let capacity = tx.capacity(unit.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let terms = terms(&unit, host.per_cpu_hour);
        require_funds(tx, &payer.wallet, terms.metered(), policy.funds).await?;
        let order = Order {
            sources: Sources {
                terms,
                term: None,
                origin: origin(&unit, &request.public_key),
                location: capacity.location,
                host_id: Some(unit.host_id),
            },
            hostname: Hostname::of_words(&unit.name, "unit"),
            name: None,
            description: String::new(),
            tags: Tags::default(),
            cluster_id: None,
            storage: None,
            new_gb: 0,
            unit: Some(unit.clone()),
        };
        let who = (payer, request.caller.actor());
        let (instance, _) = instance::order(tx, random, policy, who, (order, now)).await?;
        let state = UnitState::Held { instance_id: instance.id, tags: request.tags.clone() };
        tx.save_unit(&ComputeUnit { state, changed_at: now, ..unit }).await?;
        Ok(instance.id)
    }
}

fn terms(unit: &ComputeUnit, per_cpu: Money) -> InstanceTerms {
    let cpus = unit.range.count();
    InstanceTerms {
        offered: Offered::Unit { compute_unit: unit.id, unit: unit.name.clone(), per_cpu },
        shape: Shape { cpus, ram_mib: unit.ram_mib, gpu: None, disk_gb: 0 },
        per_hour: per_cpu.fraction(cpus.into(), 1).floor(),
        disk_per_month: Money::ZERO,
        is_spot: false,
        stopped_percent: 100,
        is_prepaid: false,
    }
}

/// It is made of nothing but its host's own system, and of the key.
fn origin(unit: &ComputeUnit, key: &PublicKey) -> Origin {
    let username = unit.range.username();
    Origin {
        image: SourceImage {
            image_id: None,
            image: "compute-unit".to_owned(),
            image_name: "Compute unit".to_owned(),
            reference: String::new(),
            username,
        },
        template: None,
        ordered_as: None,
        key_ids: Vec::new(),
        public_keys: vec![line(key.as_str()).to_owned()],
        script_id: None,
        script: None,
        is_autostart: false,
        has_password: false,
        own_password: None,
        environment: BTreeMap::new(),
        ports: Vec::new(),
        edition: 0,
        made_edition: 0,
    }
}

/// How far an allocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// It is being made ready.
    Waiting,
    /// Its key is in place.
    Ready,
    /// It could not be made ready, or somebody gave it back since.
    Failed,
}

impl Allocation {
    fn of(instance: &Instance) -> Self {
        match instance.phase {
            Phase::Ordered | Phase::Provisioning { .. } => Self::Waiting,
            Phase::Undoing { .. } | Phase::Failed { .. } | Phase::Deleted { .. } => Self::Failed,
            Phase::Running | Phase::Starting { .. } | Phase::Stopped | Phase::Hibernated => {
                Self::Ready
            }
        }
    }
}

/// How far an allocation is at this moment.
pub async fn allocation(store: &dyn Store, id: InstanceId) -> Result<Allocation> {
    let instance = store.reads().instance(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
    Ok(Allocation::of(&instance))
}

/// Gives up an allocation that nobody waits for any longer, unless it is ready or has failed by now, which is
/// the answer.
#[instrument(name = "compute_unit.give_up", skip_all, fields(%id))]
pub async fn give_up(context: JobContext<'_>, id: InstanceId) -> Result<Allocation> {
    instance::give_up(context, id).await.map(|instance| Allocation::of(&instance))
}

/// The policy that applies to making a unit ready.
pub(crate) const fn within(policy: &InstancePolicy) -> Duration {
    policy.compute_units.allocated_within
}
