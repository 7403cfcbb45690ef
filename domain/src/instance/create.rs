//! Orders an instance: takes its place, its volumes and its price, and leaves the making to a job.

use std::collections::BTreeMap;

use serde_json::json;
use tracing::instrument;

use super::pay::charge_interval;
use super::sources::{Sources, sources};
use super::wish::{asked, checked};
use super::{
    Boot, CreateInstance, Hostname, Instance, InstanceId, InstanceTerms, Keys, PasswordWish, Phase,
    VolumeWish, Wanted,
};
use crate::capacity::{Need, Placed, Placement, StorageName, place, place_on_unit};
use crate::clock::{Clock, Random, Timestamp};
use crate::cluster::ClusterId;
use crate::compute_unit::{self, ComputeUnit, UnitPolicy};
use crate::error::{Conflict, Error, Result, Thing, Unpayable};
use crate::event::{Actor, Event, Subject};
use crate::gpu_offer::MOST_GPUS;
use crate::idempotency::{Attempt, once};
use crate::install::{self, AddInstall};
use crate::job::{Job, JobKind};
use crate::location::LocationCode;
use crate::meter::{FundsPolicy, Rate};
use crate::money::Money;
use crate::number::Numbered;
use crate::pool::{Label, Paying, PoolId, paying};
use crate::ssh_key::{self, SshKeyId};
use crate::store::{Store, Tx, atomically};
use crate::tag::Tags;
use crate::token::Permission;
use crate::vault::Vault;
use crate::volume::{self, Afterwards, Draft, Mounting, OsDisk, VolumeId, VolumeType};
use crate::wallet::Wallet;

/// The most that are ordered at once.
const MOST_AT_ONCE: u32 = MOST_GPUS;
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
    /// About compute units.
    pub compute_units: UnitPolicy,
}

/// An instance to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub sources: Sources,
    pub hostname: Hostname,
    pub name: Option<Label>,
    pub description: String,
    pub tags: Tags,
    pub cluster_id: Option<ClusterId>,
    pub storage: Option<StorageName>,
    /// The size in GB of new volumes that are to be where it is.
    pub new_gb: u32,
    /// The compute unit that it is to have, locked; else a place is found for it.
    pub unit: Option<ComputeUnit>,
}

/// Orders an instance.
#[instrument(name = "instance.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    means: (&dyn Random, &dyn Vault),
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
            let instance = placed_with_volumes(tx, means, policy, &request, now).await?;
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

/// Orders several that are alike, all of them or none, at most 16. A key of idempotency is for one.
#[instrument(name = "instance.create_several", skip_all, fields(count))]
pub async fn create_several(
    store: &dyn Store,
    clock: &dyn Clock,
    means: (&dyn Random, &dyn Vault),
    policy: &InstancePolicy,
    (request, count): (CreateInstance, u32),
) -> Result<Vec<Instance>> {
    request.caller.may(Permission::InstancesWrite)?;
    checked(&request)?;
    if !(1..=MOST_AT_ONCE).contains(&count) {
        return Err(Error::invalid("/count", format!("must be 1 to {MOST_AT_ONCE}")));
    }
    let now = clock.now();
    let outcome = atomically(store, async |tx: &dyn Tx| {
        let mut instances = Vec::new();
        for _ in 0..count {
            instances.push(placed_with_volumes(tx, means, policy, &request, now).await?);
        }
        Ok(instances)
    })
    .await;
    if let (Err(Error::Conflict(Conflict::NoCapacity)), false) = (&outcome, request.is_spot) {
        super::make_room(store, policy, &request, now).await;
    }
    outcome
}

async fn placed_with_volumes(
    tx: &dyn Tx,
    (random, vault): (&dyn Random, &dyn Vault),
    policy: &InstancePolicy,
    request: &CreateInstance,
    now: Timestamp,
) -> Result<Instance> {
    let instance = place_with_volumes(tx, random, policy, request, now).await?;
    match &request.password {
        PasswordWish::Own(password) => instance.with_password(tx, vault, password).await,
        PasswordWish::None | PasswordWish::Made => Ok(instance),
    }
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
    keep_key(tx, random, (&payer, request), now).await?;
    let sources = sources(tx, &payer, request).await?;
    let mut per_hour = sources.terms.metered();
    let mut new_gb = 0_u32;
    for (kind, size_gb) in request.new_volumes() {
        let of_volume = Rate::per_month(type_named(policy, kind)?.per_month(size_gb)).hourly();
        let too_dear = || Error::invalid("/volumes", "cost more than can be reckoned");
        per_hour = per_hour.checked_add(of_volume).ok_or_else(too_dear)?;
        new_gb = new_gb.saturating_add(size_gb);
    }
    require_funds(tx, &payer.wallet, per_hour, policy.funds).await?;
    let storage = storage_of_volumes(tx, request, &sources.location).await?;
    let order = Order {
        sources,
        hostname: request.hostname.clone(),
        name: request.name.clone(),
        description: request.description.clone(),
        tags: request.tags.clone(),
        cluster_id: None,
        storage,
        new_gb,
        unit: None,
    };
    let actor = request.caller.actor();
    let (instance, storage) =
        self::order(tx, random, policy, (&payer, actor), (order, now)).await?;
    if request.is_numbered {
        tx.give_number(Numbered::Instance, instance.id.uuid()).await?;
    }
    for software in &request.software {
        let wanted = AddInstall {
            caller: request.caller.clone(),
            instance_id: instance.id,
            software: *software,
            config: BTreeMap::new(),
            idempotency_key: None,
        };
        install::added(tx, random, &wanted, now).await?;
    }
    let making = Making { tx, random, policy, payer: &payer, actor, now, storage };
    making.disk(&instance, request).await?;
    for wish in &request.volumes {
        making.volume(&instance, wish).await?;
    }
    Ok(instance)
}

/// Adds the key that a wish brings to the pool, unless it has that.
async fn keep_key(
    tx: &dyn Tx,
    random: &dyn Random,
    (payer, request): (&Paying, &CreateInstance),
    now: Timestamp,
) -> Result<()> {
    let Keys::Raw { name, public_key } = &request.keys else { return Ok(()) };
    if tx.ssh_key_saying(payer.pool_id, &public_key.digest()).await?.is_some() {
        return Ok(());
    }
    request.caller.may(Permission::KeysWrite)?;
    let id = SshKeyId::generate(now, random);
    let added = (payer.pool_id, (name, public_key));
    ssh_key::add_to(tx, &request.caller, added, (id, now)).await.map(|_| ())
}

/// The volumes of an instance that has its place, where the disk for new ones is taken already.
struct Making<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    policy: &'a InstancePolicy,
    payer: &'a Paying,
    actor: Actor,
    now: Timestamp,
    storage: StorageName,
}

impl Making<'_> {
    /// The volume that is the instance's own disk.
    async fn disk(&self, instance: &Instance, request: &CreateInstance) -> Result<()> {
        let volume_id = match &request.boot {
            Boot::OwnDisk(_) | Boot::Template(_) => return Ok(()),
            Boot::Volume(id) => *id,
            Boot::NewVolume { name, kind, size_gb, on_eviction, .. } => {
                let image = instance.origin.image.clone();
                let disk = Some(OsDisk { image, host_id: instance.host_id });
                self.add(instance, (name, kind, *size_gb), (*on_eviction, disk)).await?
            }
        };
        volume::mount_disk(self.tx, instance, volume_id, (self.actor, self.now)).await.map(|_| ())
    }

    async fn volume(&self, instance: &Instance, wish: &VolumeWish) -> Result<()> {
        let (volume_id, path) = match wish {
            VolumeWish::Existing { id, path } => (*id, path),
            VolumeWish::New { name, kind, size_gb, path, on_eviction } => {
                let what = (name.as_str(), kind.as_str(), *size_gb);
                (self.add(instance, what, (*on_eviction, None)).await?, path)
            }
        };
        let mounting = Mounting { volume_id, path: path.clone() };
        volume::mount(self.tx, instance, mounting, (self.actor, self.now)).await.map(|_| ())
    }

    async fn add(
        &self,
        instance: &Instance,
        (name, kind, size_gb): (&str, &str, u32),
        (on_eviction, disk): (Afterwards, Option<OsDisk>),
    ) -> Result<VolumeId> {
        let draft = Draft {
            name: name.to_owned(),
            kind: type_named(self.policy, kind)?.clone(),
            size_gb,
            location: instance.location.clone(),
            storage: self.storage.clone(),
            copy_of: None,
            is_shared: false,
            on_eviction,
            disk,
            tags: Tags::default(),
        };
        let who = (self.payer, self.actor);
        Ok(volume::add_taken(self.tx, self.random, who, (draft, self.now)).await?.id)
    }
}

/// Where the volumes are that it is to have, which is where it goes.
async fn storage_of_volumes(
    tx: &dyn Tx,
    request: &CreateInstance,
    location: &LocationCode,
) -> Result<Option<StorageName>> {
    let mut storage = None;
    for id in request.existing_volumes() {
        let volume = tx.volume_visible_to(request.caller.viewer(), id).await?;
        let volume = volume.ok_or(Error::NotFound(Thing::Volume))?;
        let is_elsewhere = volume.location != *location
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

/// Places an instance, takes the disk for its new volumes, and adds it with the job that makes it; answers with
/// it where its volumes are.
pub(crate) async fn order(
    tx: &dyn Tx,
    random: &dyn Random,
    policy: &InstancePolicy,
    (payer, actor): (&Paying, Actor),
    (order, now): (Order, Timestamp),
) -> Result<(Instance, StorageName)> {
    let id = InstanceId::generate(now, random);
    let Order { sources: Sources { terms, term, origin, location, host_id }, .. } = order;
    let is_prepaid = terms.is_prepaid;
    let need = Need {
        location: location.clone(),
        storage: order.storage,
        host_id,
        shape: terms.shape.clone(),
        volumes_gb: order.new_gb,
        keeps: None,
    };
    let (placed, within) = match &order.unit {
        None => {
            let placed = place(tx, &need, policy.placement, (id, &origin.ports)).await?;
            (placed, policy.stage_within)
        }
        Some(unit) => (on_unit(tx, unit, (id, &terms)).await?, compute_unit::within(policy)),
    };
    let instance = Instance {
        id,
        pool_id: payer.pool_id,
        payer_id: payer.wallet.user_id,
        author: payer.caller_id,
        cluster_id: order.cluster_id,
        location,
        host_id: placed.capacity.host_id,
        name: order.name.unwrap_or_else(|| Label::from_stored(order.hostname.to_string())),
        hostname: order.hostname,
        description: order.description,
        tags: order.tags,
        terms,
        term: term.map(|term| term.begin(now)),
        origin,
        moved: None,
        successor_id: None,
        claim: placed.claim,
        wanted: Wanted::Running,
        is_locked: false,
        restart: false,
        phase: Phase::Ordered,
        stage_until: Some(now + within),
        evict_at: None,
        last_error: None,
        driver_fault: None,
        missing_since: None,
        created_at: now,
        ready_at: None,
    };
    tx.add_instance(&instance).await?;
    if is_prepaid {
        let wallet = tx.wallet(payer.wallet.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        charge_interval(tx, random, wallet, (&instance, Some(payer.caller_id)), now).await?;
    }
    tx.schedule(&Job::new(JobKind::AlignInstance { instance_id: id }, now, random)).await?;
    tx.record(vec![event("instance.ordered", &instance, actor, now)]).await?;
    Ok((instance, placed.capacity.storage))
}

/// Its place in the unit that was taken for it.
async fn on_unit(
    tx: &dyn Tx,
    unit: &ComputeUnit,
    (id, terms): (InstanceId, &InstanceTerms),
) -> Result<Placed> {
    let held = (id, &terms.shape);
    let placed = place_on_unit(tx, unit.host_id, held, unit.range.cpus()).await?;
    // Its host was closed since the unit was looked for.
    placed.ok_or(Error::Contention)
}

pub(crate) fn event(kind: &'static str, instance: &Instance, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Instance(instance.id),
        actor,
        before: None,
        data: json!({ "status": instance.status().as_str(), "pool_id": instance.pool_id,
            "hostname": instance.hostname, "plan": instance.terms.code(),
            "location": instance.location, "error": instance.last_error }),
        recipient: None,
        at,
    }
}
