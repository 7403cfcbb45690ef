//! Makes volumes, empty or as copies.

use serde_json::json;
use tracing::instrument;

use super::attach::stopped;
use super::{Afterwards, Mounting, OsDisk, Volume, VolumeId, VolumeState, mount, price_per_month};
use crate::capacity::StorageName;
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::instance::{Instance, InstanceId, require_funds};
use crate::job::{Job, JobKind};
use crate::location::LocationCode;
use crate::meter::{FundsPolicy, Rate};
use crate::money::Money;
use crate::pool::PoolId;
use crate::pool::{Paying, paying};
use crate::store::{Store, Tx, atomically};
use crate::tag::Tags;
use crate::text::line;
use crate::token::Permission;
use crate::user::Caller;

/// The largest volume, in GB.
pub(super) const MOST_GB: u32 = 1_000_000;
/// The most volumes of a pool.
const MOST_PER_POOL: u64 = 10_000;

/// A kind of volume that an operator offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeType {
    /// Its name.
    pub name: String,
    /// The price of a GB for a month.
    pub price_per_gb: Money,
}

impl VolumeType {
    /// What a month of so many GB costs.
    pub fn per_month(&self, size_gb: u32) -> Money {
        price_per_month(self.price_per_gb, size_gb)
    }
}

/// A wish for a volume.
#[derive(Clone, Debug)]
pub struct CreateVolume {
    /// Who asks: an owner or admin of the pool.
    pub caller: Caller,
    /// Whose it will be; the caller's default pool if not given.
    pub pool_id: Option<PoolId>,
    /// What people call it, 1 to 100 characters.
    pub name: String,
    /// Which kind.
    pub kind: String,
    /// How large, in GB.
    pub size_gb: u32,
    /// Where.
    pub location: LocationCode,
    /// The stopped instance that has it from the beginning.
    pub instance_id: Option<InstanceId>,
    /// What becomes of it when a spot instance that it is attached to is evicted.
    pub on_eviction: Afterwards,
    /// Labels that the owner's programs keep with it.
    pub tags: Tags,
    /// Makes one however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A wish for a copy.
#[derive(Clone, Debug)]
pub struct CloneVolume {
    /// Who asks.
    pub caller: Caller,
    /// Of which volume; it is attached to nothing.
    pub volume_id: VolumeId,
    /// What people call the copy; the same with `-clone` if not given.
    pub name: Option<String>,
    /// Makes one however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a new volume is to be.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub name: String,
    pub kind: VolumeType,
    pub size_gb: u32,
    pub location: LocationCode,
    pub storage: StorageName,
    pub copy_of: Option<VolumeId>,
    pub is_shared: bool,
    pub on_eviction: Afterwards,
    pub disk: Option<OsDisk>,
    pub tags: Tags,
}

/// Orders a volume; a job makes it.
#[instrument(name = "volume.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (types, funds): (&[VolumeType], FundsPolicy),
    request: CreateVolume,
) -> Result<Volume> {
    request.caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    let kind = named(types, &request.kind)?;
    let key = request.caller.idempotency_key(request.idempotency_key.as_ref());
    let user_id = request.caller.user_id;
    let asked = json!([
        request.pool_id,
        request.name,
        request.kind,
        request.size_gb,
        request.location.as_str(),
        request.on_eviction,
        request.instance_id,
        request.tags
    ]);
    atomically(store, async |tx: &dyn Tx| {
        let key = key.as_ref();
        let attempt = Attempt { key, user_id, operation: "volume.create", at: now };
        let id = once(tx, attempt, &asked, async || {
            let payer = paying(tx, &request.caller, request.pool_id).await?;
            let instance = match request.instance_id {
                Some(id) => Some(stopped(tx, payer.pool_id, id).await?),
                None => None,
            };
            let storage = storage_for(tx, &request, instance.as_ref()).await?;
            let draft = Draft {
                name: request.name.clone(),
                kind: kind.clone(),
                size_gb: request.size_gb,
                location: request.location.clone(),
                storage,
                copy_of: None,
                is_shared: false,
                on_eviction: request.on_eviction,
                disk: None,
                tags: request.tags.clone(),
            };
            let actor = request.caller.actor();
            let id = ordered(tx, random, (&payer, actor), funds, (draft, now)).await?;
            if let Some(instance) = &instance {
                let mounting = Mounting { volume_id: id, path: None };
                mount(tx, instance, mounting, (actor, now)).await?;
            }
            Ok(id)
        })
        .await?;
        tx.volume(id).await?.ok_or(Error::NotFound(Thing::Volume))
    })
    .await
}

/// Where the instance is that is to have it, else where most is free.
async fn storage_for(
    tx: &dyn Tx,
    request: &CreateVolume,
    instance: Option<&Instance>,
) -> Result<StorageName> {
    let Some(instance) = instance else {
        let storage = tx.roomiest_storage(&request.location, request.size_gb).await?;
        return storage.ok_or(Error::Conflict(Conflict::NoCapacity));
    };
    if instance.location != request.location {
        return Err(Error::Conflict(Conflict::VolumeElsewhere));
    }
    let capacity = tx.capacity(instance.host_id).await?;
    Ok(capacity.ok_or(Error::NotFound(Thing::Server))?.storage)
}

/// Orders a copy of a volume that nothing has, nor gets before the copy is made.
#[instrument(name = "volume.clone", skip_all, fields(id = %request.volume_id))]
pub async fn clone(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (types, funds): (&[VolumeType], FundsPolicy),
    request: CloneVolume,
) -> Result<Volume> {
    request.caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    let key = request.caller.idempotency_key(request.idempotency_key.as_ref());
    let user_id = request.caller.user_id;
    let asked = json!([request.volume_id, request.name]);
    atomically(store, async |tx: &dyn Tx| {
        let key = key.as_ref();
        let attempt = Attempt { key, user_id, operation: "volume.clone", at: now };
        let id = once(tx, attempt, &asked, async || {
            let seen = tx.volume_visible_to(request.caller.viewer(), request.volume_id).await?;
            let seen = seen.ok_or(Error::NotFound(Thing::Volume))?;
            let payer = paying(tx, &request.caller, Some(seen.pool_id)).await?;
            let source = tx.volume_for_update(seen.id).await?;
            let source = source.ok_or(Error::NotFound(Thing::Volume))?;
            if source.state != VolumeState::Live || !source.is_made() || source.attachment.is_some()
            {
                return Err(Error::Conflict(Conflict::VolumeInUse));
            }
            let draft = Draft {
                name: request.name.clone().unwrap_or_else(|| format!("{}-clone", source.name)),
                kind: named(types, &source.kind)?.clone(),
                size_gb: source.size_gb,
                location: source.location.clone(),
                storage: source.storage.clone(),
                copy_of: Some(source.id),
                is_shared: false,
                on_eviction: source.on_eviction,
                disk: source.disk.clone(),
                tags: source.tags.clone(),
            };
            let actor = request.caller.actor();
            ordered(tx, random, (&payer, actor), funds, (draft, now)).await
        })
        .await?;
        tx.volume(id).await?.ok_or(Error::NotFound(Thing::Volume))
    })
    .await
}

async fn ordered(
    tx: &dyn Tx,
    random: &dyn Random,
    (payer, actor): (&Paying, Actor),
    funds: FundsPolicy,
    (draft, now): (Draft, Timestamp),
) -> Result<VolumeId> {
    let per_hour = Rate::per_month(draft.kind.per_month(draft.size_gb)).hourly();
    require_funds(tx, &payer.wallet, per_hour, funds).await?;
    add(tx, random, (payer, actor), (draft, now)).await.map(|volume| volume.id)
}

fn named<'a>(types: &'a [VolumeType], name: &str) -> Result<&'a VolumeType> {
    types.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = types.iter().map(|kind| kind.name.as_str()).collect();
        Error::invalid("/type", format!("must be one of {}", names.join(", ")))
    })
}

/// Refuses so many more volumes of a pool where that would be too many.
pub(crate) async fn require_quota(tx: &dyn Tx, pool_id: PoolId, more: usize) -> Result<()> {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    if tx.volume_count(pool_id).await?.saturating_add(more) > MOST_PER_POOL {
        return Err(Error::Conflict(Conflict::QuotaReached { most: MOST_PER_POOL }));
    }
    Ok(())
}

/// Adds a volume and the job that makes it; its disk is taken at once.
async fn add(
    tx: &dyn Tx,
    random: &dyn Random,
    who: (&Paying, Actor),
    (draft, now): (Draft, Timestamp),
) -> Result<Volume> {
    let (storage, size_gb) = (draft.storage.clone(), draft.size_gb);
    let volume = add_taken(tx, random, who, (draft, now)).await?;
    if !tx.take_disk(&storage, size_gb).await? {
        return Err(Error::Conflict(Conflict::NoCapacity));
    }
    Ok(volume)
}

/// The same where its disk was taken with the place of its instance.
pub(crate) async fn add_taken(
    tx: &dyn Tx,
    random: &dyn Random,
    (payer, actor): (&Paying, Actor),
    (draft, now): (Draft, Timestamp),
) -> Result<Volume> {
    let Some(name) = line(&draft.name, 100) else {
        return Err(Error::invalid("/name", "must be 1 to 100 characters in one line"));
    };
    if draft.size_gb == 0 || draft.size_gb > MOST_GB {
        return Err(Error::invalid("/size_gb", format!("must be 1 to {MOST_GB}")));
    }
    require_quota(tx, payer.pool_id, 1).await?;
    let volume = Volume {
        id: VolumeId::generate(now, random),
        pool_id: payer.pool_id,
        payer_id: payer.wallet.user_id,
        author: payer.caller_id,
        location: draft.location,
        storage: draft.storage,
        name: name.to_owned(),
        kind: draft.kind.name,
        size_gb: draft.size_gb,
        made_gb: 0,
        price_per_gb: draft.kind.price_per_gb,
        copy_of: draft.copy_of,
        is_shared: draft.is_shared,
        disk: draft.disk,
        tags: draft.tags,
        state: VolumeState::Live,
        attachment: None,
        on_eviction: draft.on_eviction,
        created_at: now,
    };
    tx.add_volume(&volume).await?;
    if !volume.is_settled() {
        let kind = JobKind::AlignVolume { volume_id: volume.id };
        tx.schedule(&Job::new(kind, now, random)).await?;
    }
    tx.record(vec![event("volume.ordered", &volume, actor, now)]).await?;
    Ok(volume)
}

pub(crate) fn event(kind: &'static str, volume: &Volume, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Volume(volume.id),
        actor,
        before: None,
        data: json!({ "pool_id": volume.pool_id, "name": volume.name, "size_gb": volume.size_gb,
            "status": volume.status().as_str(),
            "instance_id": volume.attachment.as_ref().map(|a| a.instance_id) }),
        recipient: None,
        at,
    }
}
