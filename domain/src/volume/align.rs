//! Brings volumes on their hosts to what is wanted.

use chrono::Duration;
use tracing::{instrument, warn};

use super::create::event;
use super::{Volume, VolumeId, VolumeState, VolumeStep};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::instance::{Copying, DriverFault, InstanceDriver, Site};
use crate::job::{Job, JobContext, JobKind, Progress};
use crate::meter::{MeterId, Metered, begin, finish};
use crate::store::{Store, Tx, atomically};
use crate::wallet::Wallet;

/// How soon to ask again how far a copy is.
const ASK_AGAIN: Duration = Duration::seconds(1);

/// Does on its host what is to be done about a volume. Safe to repeat after a crash at any point.
#[instrument(name = "volume.align", skip_all, fields(%id))]
pub async fn align(context: JobContext<'_>, id: VolumeId) -> Result<Progress> {
    let reads = context.store.reads();
    loop {
        let volume = reads.volume(id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        let Some(step) = volume.next_step() else { return Ok(Progress::Finished) };
        if step == VolumeStep::Delete && reads.has_unfinished_copies(id).await? {
            return Ok(Progress::Again(context.clock.now() + ASK_AGAIN));
        }
        let host_id = match &volume.disk {
            Some(disk) => Some(disk.host_id),
            None => reads.hosts_at(&volume.storage).await?.into_iter().next(),
        };
        let Some(host_id) = host_id else {
            return Err(Error::internal("no host of the volume's storage can be reached"));
        };
        let capacity = reads.capacity(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let done = perform(context.instances, &capacity.site(), &volume, step).await;
        let now = context.clock.now();
        let failure = match done {
            Ok(Copying::Done) => None,
            Ok(Copying::UnderWay) => return Ok(Progress::Again(now + ASK_AGAIN)),
            Err(DriverFault::Failed(cause)) => return Err(Error::internal(cause)),
            Err(DriverFault::Refused(cause) | DriverFault::NoRoom(cause)) => Some(cause),
        };
        let work = async |tx: &dyn Tx| {
            settle(tx, context.random, (&volume, step), failure.as_deref(), now).await
        };
        atomically(context.store, work).await?;
    }
}

async fn perform(
    driver: &dyn InstanceDriver,
    site: &Site,
    volume: &Volume,
    step: VolumeStep,
) -> Result<Copying, DriverFault> {
    match step {
        // A disk has its data with its copy, and its size from its instance's next start on.
        VolumeStep::Create | VolumeStep::Resize if volume.disk.is_some() => {}
        VolumeStep::Create => driver.create_volume(site, volume.id, volume.size_gb).await?,
        VolumeStep::Copy(source) => return driver.copy_volume(site, source, volume.id).await,
        VolumeStep::Resize => driver.resize_volume(site, volume.id, volume.size_gb).await?,
        VolumeStep::Delete => driver.delete_volume(site, volume.id).await?,
    }
    Ok(Copying::Done)
}

async fn settle(
    tx: &dyn Tx,
    random: &dyn Random,
    (seen, step): (&Volume, VolumeStep),
    failure: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let wallet = tx.wallet_for_update(seen.payer_id).await?;
    let wallet = wallet.ok_or(Error::NotFound(Thing::User))?;
    let volume = tx.volume_for_update(seen.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
    if volume.payer_id != seen.payer_id {
        return Err(Error::Contention);
    }
    if volume.next_step() != Some(step) {
        // What is wanted changed while the driver worked; the loop looks again.
        return Ok(());
    }
    if let Some(cause) = failure {
        return refused(tx, random, wallet, volume, (step, cause, now)).await;
    }
    let was_made = volume.is_made();
    let volume = match step {
        VolumeStep::Create | VolumeStep::Resize => Volume { made_gb: seen.size_gb, ..volume },
        VolumeStep::Copy(_) => Volume { copy_of: None, ..volume },
        VolumeStep::Delete => {
            tx.give_disk_back(&volume.storage, volume.size_gb).await?;
            Volume { state: VolumeState::Deleted { at: now }, ..volume }
        }
    };
    tx.save_volume(&volume).await?;
    if !was_made && volume.is_made() {
        begin(tx, volume.meter(MeterId::generate(now, random), now)).await?;
        tx.record(vec![event("volume.ready", &volume, Actor::System, now)]).await?;
    }
    Ok(())
}

/// A volume that cannot be made costs nothing and holds nothing; one that cannot grow is as it was.
async fn refused(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    volume: Volume,
    (step, cause, now): (VolumeStep, &str, Timestamp),
) -> Result<()> {
    warn!(volume_id = %volume.id, ?step, cause, "a host refused what was to be done about a volume");
    if step == VolumeStep::Delete {
        return Err(Error::internal(cause.to_owned()));
    }
    if volume.is_made() {
        let surplus = volume.size_gb.saturating_sub(volume.made_gb);
        tx.give_disk_back(&volume.storage, surplus).await?;
        let volume = Volume { size_gb: volume.made_gb, ..volume };
        tx.save_volume(&volume).await?;
        finish(tx, random, wallet, &[Metered::Volume(volume.id)], now).await?;
        begin(tx, volume.meter(MeterId::generate(now, random), now)).await?;
        let told = event("volume.resize_refused", &volume, Actor::System, now);
        return tx.record(vec![Event { recipient: Some(volume.author), ..told }]).await;
    }
    let state = if volume.made_gb == 0 {
        tx.give_disk_back(&volume.storage, volume.size_gb).await?;
        VolumeState::Failed { message: "its host refused to make it".to_owned(), at: now }
    } else {
        // An empty volume whose data could not be copied.
        VolumeState::Deleting
    };
    // What was to mount it sees that, and is given up as well.
    let volume = Volume { state, ..volume };
    tx.save_volume(&volume).await?;
    tx.record(vec![event("volume.failed", &volume, Actor::System, now)]).await
}

/// Schedules a job for every volume with something to be done that nobody works on; answers how many.
#[instrument(name = "volume.realign", skip_all)]
pub async fn realign(store: &dyn Store, random: &dyn Random, now: Timestamp) -> Result<usize> {
    let lost = store.reads().misaligned_volumes(1_000).await?;
    if lost.is_empty() {
        return Ok(0);
    }
    let jobs: Vec<Job> = lost
        .iter()
        .map(|id| Job::new(JobKind::AlignVolume { volume_id: *id }, now, random))
        .collect();
    atomically(store, async |tx: &dyn Tx| tx.schedule_all(&jobs).await).await?;
    Ok(lost.len())
}
