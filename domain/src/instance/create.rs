//! Orders an instance: takes its place, its volumes and its price, and leaves the making to a job.

use std::collections::BTreeMap;

use serde_json::json;
use tracing::instrument;

use super::{Hostname, Instance, InstanceId, InstanceTerms, Origin, Phase, Tags, Wanted};
use crate::capacity::{Need, Placement, StorageName, place};
use crate::clock::{Clock, Random, Timestamp};
use crate::cluster::ClusterId;
use crate::error::{Conflict, Error, Result, Thing, Unpayable, Violation};
use crate::event::{Actor, Event, Subject};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::image::ImageCode;
use crate::job::{Job, JobKind};
use crate::location::LocationCode;
use crate::meter::{FundsPolicy, Rate};
use crate::money::Money;
use crate::plan::{Plan, PlanCode};
use crate::pool::{Paying, PoolId, paying};
use crate::script::ScriptId;
use crate::ssh_key::SshKeyId;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{self, Afterwards, Draft, Mounting, VolumeId, VolumeType};
use crate::wallet::Wallet;

/// The most ports that one instance publishes.
const MOST_PORTS: usize = 32;
/// The most environment variables of one instance.
const MOST_VARIABLES: usize = 100;
/// The most keys of one instance.
const MOST_KEYS: usize = 100;
/// The most volumes of one instance.
const MOST_VOLUMES: usize = 16;
/// The most live instances of a pool.
const MOST_PER_POOL: u64 = 20_000;

/// What an operator configured about instances.
#[derive(Clone, Debug)]
pub struct InstancePolicy {
    /// How hosts are filled.
    pub placement: Placement,
    /// How long after the notice a spot instance is evicted.
    pub spot_notice: chrono::Duration,
    /// The longest that one stage of making or starting may take.
    pub stage_within: chrono::Duration,
    /// About payers who run out of money.
    pub funds: FundsPolicy,
    /// The kinds of volumes offered.
    pub volume_types: Vec<VolumeType>,
}

/// A volume that an instance is to have.
#[derive(Clone, Debug)]
pub enum VolumeWish {
    /// A new one.
    New {
        /// What people call it.
        name: String,
        /// Which kind.
        kind: String,
        /// How large, in GB.
        size_gb: u32,
        /// Where it is mounted.
        path: Option<String>,
        /// What becomes of it when the spot instance is evicted.
        on_eviction: Afterwards,
    },
    /// One that there is; the instance goes to where it is.
    Existing {
        /// Which.
        id: VolumeId,
        /// Where it is mounted.
        path: Option<String>,
    },
}

/// A wish for an instance.
#[derive(Clone, Debug)]
pub struct CreateInstance {
    /// Who asks: an owner or admin of the pool.
    pub caller: Caller,
    /// Whose it will be; the caller's default pool if not given.
    pub pool_id: Option<PoolId>,
    /// What it is.
    pub plan: PlanCode,
    /// What it is made from.
    pub image: ImageCode,
    /// Where.
    pub location: LocationCode,
    /// What it calls itself.
    pub hostname: Hostname,
    /// In the owner's words, at most 500 characters.
    pub description: String,
    /// Keys of the pool that may log in.
    pub key_ids: Vec<SshKeyId>,
    /// A script of the pool that runs at the first start.
    pub script_id: Option<ScriptId>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Ports inside to publish.
    pub ports: Vec<u16>,
    /// Volumes.
    pub volumes: Vec<VolumeWish>,
    /// Whether it may be evicted, for a lower price.
    pub is_spot: bool,
    /// Refuse if an hour costs more.
    pub max_per_hour: Option<Money>,
    /// Labels.
    pub tags: Tags,
    /// Orders one however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a wish comes to: the plan's price of today and the texts of image, keys and script.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub terms: InstanceTerms,
    pub origin: Origin,
}

/// An instance to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub sources: Sources,
    pub location: LocationCode,
    pub hostname: Hostname,
    pub description: String,
    pub tags: Tags,
    pub cluster_id: Option<ClusterId>,
    pub storage: Option<StorageName>,
}

/// Orders an instance.
#[instrument(name = "instance.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: CreateInstance,
) -> Result<Instance> {
    request.caller.may(Permission::InstancesWrite)?;
    checked(&request)?;
    let now = clock.now();
    let key = request.caller.idempotency_key(request.idempotency_key.as_ref());
    let user_id = request.caller.user_id;
    let asked = asked(&request);
    let outcome = atomically(store, async |tx: &dyn Tx| {
        let key = key.as_ref();
        let attempt = Attempt { key, user_id, operation: "instance.create", at: now };
        let mut placed = None;
        let id = once(tx, attempt, &asked, async || {
            let instance = place_with_volumes(tx, random, policy, &request, now).await?;
            Ok(placed.insert(instance).id)
        })
        .await?;
        match placed {
            Some(instance) => Ok(instance),
            None => tx.instance(id).await?.ok_or(Error::NotFound(Thing::Instance)),
        }
    })
    .await;
    if let (Err(Error::Conflict(Conflict::NoCapacity)), false) = (&outcome, request.is_spot) {
        super::make_room(store, policy, &request, now).await;
    }
    outcome
}

pub(crate) fn asked(request: &CreateInstance) -> serde_json::Value {
    let volumes: Vec<String> = request.volumes.iter().map(|wish| format!("{wish:?}")).collect();
    json!([
        request.pool_id,
        request.plan.as_str(),
        request.image.as_str(),
        request.location.as_str(),
        request.hostname.as_str(),
        request.description,
        request.key_ids,
        request.script_id,
        request.environment,
        request.ports,
        volumes,
        request.is_spot,
        request.max_per_hour,
        request.tags
    ])
}

async fn place_with_volumes(
    tx: &dyn Tx,
    random: &dyn Random,
    policy: &InstancePolicy,
    request: &CreateInstance,
    now: Timestamp,
) -> Result<Instance> {
    let payer = paying(tx, &request.caller, request.pool_id).await?;
    require_quota(tx, payer.pool_id, 1).await?;
    let sources = sources(tx, &payer, request).await?;
    let new = new_volumes(request, policy)?;
    let volumes_per_hour: Money =
        new.iter().map(|(kind, size_gb)| Rate::per_month(kind.per_month(*size_gb)).hourly()).sum();
    let too_dear = || Error::invalid("/volumes", "cost more than can be reckoned");
    let per_hour = sources.terms.per_hour.checked_add(volumes_per_hour).ok_or_else(too_dear)?;
    require_funds(tx, &payer.wallet, per_hour, policy.funds).await?;
    let order = Order {
        sources,
        location: request.location.clone(),
        hostname: request.hostname.clone(),
        description: request.description.trim().to_owned(),
        tags: request.tags.clone(),
        cluster_id: None,
        storage: storage_of_volumes(tx, request).await?,
    };
    let actor = request.caller.actor();
    let (instance, storage) =
        self::order(tx, random, policy, (&payer, actor), (order, now)).await?;
    for wish in &request.volumes {
        match wish {
            VolumeWish::Existing { id, path } => {
                let mounting = Mounting { volume_id: *id, path: path.clone() };
                volume::mount(tx, &instance, mounting, (actor, now)).await?;
            }
            VolumeWish::New { name, kind, size_gb, path, on_eviction } => {
                let kind = type_named(policy, kind)?.clone();
                let draft = Draft {
                    name: name.clone(),
                    kind,
                    size_gb: *size_gb,
                    location: request.location.clone(),
                    storage: storage.clone(),
                    copy_of: None,
                    is_shared: false,
                    on_eviction: *on_eviction,
                };
                let volume = volume::add(tx, random, (&payer, actor), (draft, now)).await?;
                let mounting = Mounting { volume_id: volume.id, path: path.clone() };
                volume::mount(tx, &instance, mounting, (actor, now)).await?;
            }
        }
    }
    Ok(instance)
}

async fn storage_of_volumes(tx: &dyn Tx, request: &CreateInstance) -> Result<Option<StorageName>> {
    let mut storage = None;
    for wish in &request.volumes {
        let VolumeWish::Existing { id, .. } = wish else { continue };
        let volume = tx.volume_visible_to(request.caller.viewer(), *id).await?;
        let volume = volume.ok_or(Error::NotFound(Thing::Volume))?;
        let is_elsewhere = volume.location != request.location
            || storage.as_ref().is_some_and(|name| *name != volume.storage);
        if is_elsewhere {
            return Err(Error::Conflict(Conflict::VolumeElsewhere));
        }
        storage = Some(volume.storage);
    }
    Ok(storage)
}

pub(crate) fn type_named<'a>(policy: &'a InstancePolicy, name: &str) -> Result<&'a VolumeType> {
    let found = policy.volume_types.iter().find(|kind| kind.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = policy.volume_types.iter().map(|kind| kind.name.as_str()).collect();
        Error::invalid("/volumes/type", format!("must be one of {}", names.join(", ")))
    })
}

fn new_volumes<'a>(
    request: &CreateInstance,
    policy: &'a InstancePolicy,
) -> Result<Vec<(&'a VolumeType, u32)>> {
    let new = request.volumes.iter().filter_map(|wish| match wish {
        VolumeWish::New { kind, size_gb, .. } => Some((kind, *size_gb)),
        VolumeWish::Existing { .. } => None,
    });
    new.map(|(kind, size_gb)| Ok((type_named(policy, kind)?, size_gb))).collect()
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
    let image = tx.image_coded(&request.image).await?.filter(|image| image.is_listed);
    let image = image.ok_or_else(|| Error::invalid("/image", "is no image that is offered"))?;
    if image.min_disk_gb > plan.shape.disk_gb {
        let message = format!("needs a disk of {} GB, and the plan has less", image.min_disk_gb);
        return Err(Error::invalid("/image", message));
    }
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
    let origin = Origin {
        image_id: image.id,
        image: image.code.to_string(),
        reference: image.reference,
        username: image.username,
        key_ids: request.key_ids.clone(),
        public_keys: keys.into_iter().map(|key| key.public_key).collect(),
        script_id: request.script_id,
        script: script.map(|script| script.content),
        environment: request.environment.clone(),
        ports: request.ports.clone(),
    };
    Ok(Sources { terms, origin })
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
        shape: plan.shape.clone(),
        per_hour,
        is_spot,
        stopped_percent: plan.pricing.stopped_percent,
    })
}

/// Refuses so many more instances of a pool where that would be too many.
pub(crate) async fn require_quota(tx: &dyn Tx, pool_id: PoolId, more: u64) -> Result<()> {
    if tx.live_instance_count(pool_id).await?.saturating_add(more) > MOST_PER_POOL {
        return Err(Error::Conflict(Conflict::QuotaReached { most: MOST_PER_POOL }));
    }
    Ok(())
}

/// Refuses something new that costs so much an hour, unless the wallet covers that and all that runs
/// or is being made for as many hours as the operator wants.
pub(crate) async fn require_funds(
    tx: &dyn Tx,
    wallet: &Wallet,
    per_hour: Money,
    funds: FundsPolicy,
) -> Result<()> {
    if per_hour <= Money::ZERO {
        return Ok(());
    }
    let rates = tx.rates_of_payer(wallet.user_id).await?;
    let all: Money = rates.iter().map(Rate::hourly).chain([per_hour]).sum();
    let required = all.fraction(u64::from(funds.hours_covered), 1).floor();
    if wallet.balance < required || wallet.balance <= Money::ZERO {
        let available = wallet.balance;
        return Err(Error::Unpayable(Unpayable::InsufficientBalance { required, available }));
    }
    Ok(())
}

/// Places an instance and adds it with the job that makes it; answers with it where its volumes are.
pub(crate) async fn order(
    tx: &dyn Tx,
    random: &dyn Random,
    policy: &InstancePolicy,
    (payer, actor): (&Paying, Actor),
    (order, now): (Order, Timestamp),
) -> Result<(Instance, StorageName)> {
    let id = InstanceId::generate(now, random);
    let Order { sources: Sources { terms, origin }, .. } = order;
    let need = Need {
        location: order.location.clone(),
        storage: order.storage,
        host_id: None,
        shape: terms.shape.clone(),
    };
    let placed = place(tx, &need, policy.placement, (id, &origin.ports)).await?;
    let instance = Instance {
        id,
        pool_id: payer.pool_id,
        payer_id: payer.wallet.user_id,
        author: payer.caller_id,
        cluster_id: order.cluster_id,
        location: order.location,
        host_id: placed.capacity.host_id,
        hostname: order.hostname,
        description: order.description,
        tags: order.tags,
        terms,
        origin,
        claim: placed.claim,
        wanted: Wanted::Running,
        restart: false,
        phase: Phase::Ordered,
        stage_until: Some(now + policy.stage_within),
        evict_at: None,
        last_error: None,
        driver_fault: None,
        missing_since: None,
        created_at: now,
        ready_at: None,
    };
    tx.add_instance(&instance).await?;
    tx.schedule(&Job::new(JobKind::AlignInstance { instance_id: id }, now, random)).await?;
    tx.record(vec![event("instance.ordered", &instance, actor, now)]).await?;
    Ok((instance, placed.capacity.storage))
}

pub(super) fn event(kind: &'static str, instance: &Instance, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Instance(instance.id),
        actor,
        before: None,
        data: json!({ "status": instance.status().as_str(), "pool_id": instance.pool_id,
            "hostname": instance.hostname, "plan": instance.terms.plan,
            "location": instance.location, "error": instance.last_error }),
        recipient: None,
        at,
    }
}

/// Every fault of a wish that needs no look at the database.
pub(crate) fn checked(request: &CreateInstance) -> Result<()> {
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: String| {
        violations.push(Violation { path: path.to_owned(), message });
    };
    if request.description.chars().count() > 500 || request.description.contains('\0') {
        fault("/description", "must be at most 500 characters".to_owned());
    }
    let mut ports = request.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    if ports.len() != request.ports.len() || ports.len() > MOST_PORTS || ports.contains(&0) {
        fault("/ports", format!("must be at most {MOST_PORTS} different ports from 1 to 65535"));
    }
    let named = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (1..=128).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let good = |(name, value): (&String, &String)| {
        named(name) && value.len() <= 4_096 && !value.contains('\0')
    };
    if request.environment.len() > MOST_VARIABLES || !request.environment.iter().all(good) {
        let message = format!(
            "must be at most {MOST_VARIABLES} variables, names of A-Z a-z 0-9 _, values of 4096 bytes"
        );
        fault("/environment", message);
    }
    if request.key_ids.len() > MOST_KEYS {
        fault("/ssh_key_ids", format!("must be at most {MOST_KEYS}"));
    }
    if request.volumes.len() > MOST_VOLUMES {
        fault("/volumes", format!("must be at most {MOST_VOLUMES}"));
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}
