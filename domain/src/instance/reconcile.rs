//! Compares what hosts say with what the books say, tells the operator, and repairs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use futures_util::stream::{self, StreamExt};
use tracing::{error, instrument, warn};

use super::carry::cleared;
use super::create::event;
use super::pay::give_back;
use super::stop::{align_later, free_all};
use super::{
    Failure, FailureKind, Finding, FindingId, FindingKind, Instance, InstanceId, Inventory, Phase,
    Site, Wanted,
};
use crate::capacity::{Capacity, Claim, Purpose};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::host::HostId;
use crate::job::JobContext;
use crate::meter::{Metered, Rate, finish_by};
use crate::money::Money;
use crate::page::Page;
use crate::store::{Tx, atomically};
use crate::volume::{self, VolumeId, VolumeState};

/// How long an instance must have been missing before it is given up, where others are on its host.
const LOST_AFTER: Duration = Duration::minutes(10);
/// The same where its host has none of those that it should have: a disk that was not mounted, or an
/// address of another host, is likelier than that all of them are gone.
const ALL_LOST_AFTER: Duration = Duration::hours(24);
/// Hosts looked up at a time.
const BATCH: u32 = 200;
/// Hosts asked at once.
const AT_ONCE: usize = 8;

/// Looks at every host, several at once, and puts right what can be; answers how many findings were
/// new. Safe at any moment and after any crash: it takes no input but what is.
#[instrument(name = "instance.reconcile", skip_all)]
pub async fn reconcile(context: JobContext<'_>) -> Result<u32> {
    let mut found = 0;
    let mut page = Page { after: None, limit: Some(BATCH) };
    loop {
        let hosts = context.store.reads().capacities(&page).await?;
        let Some(last) = hosts.last() else { return Ok(found) };
        page.after = Some(last.host_id);
        // A host that does not answer takes minutes to say so.
        let mut news =
            stream::iter(hosts.into_iter().filter(|capacity| capacity.purpose != Purpose::Nothing))
                .map(|capacity| Box::pin(reconcile_host(context, capacity)))
                .buffer_unordered(AT_ONCE);
        while let Some(new) = news.next().await {
            found += new;
        }
    }
}

/// Asks a host at once whether it answers, and notes what is new about that, so that nothing more comes to one
/// that is away.
pub(super) async fn answers(context: JobContext<'_>, host_id: HostId) -> Result<bool> {
    let capacity = context.store.reads().capacity(host_id).await?;
    let capacity = capacity.ok_or(Error::NotFound(Thing::Server))?;
    let site = capacity.site();
    let answers = context.instances.inventory(&site).await.is_ok();
    Host { context, site, capacity, found: 0 }.reached(answers).await?;
    Ok(answers)
}

/// A host that fails must not keep all the others from being looked at.
async fn reconcile_host(context: JobContext<'_>, capacity: Capacity) -> u32 {
    let host_id = capacity.host_id;
    let host = Host { context, site: capacity.site(), capacity, found: 0 };
    host.compare().await.unwrap_or_else(|fault| {
        error!(%host_id, cause = fault.for_the_log(), "a host was not reconciled");
        0
    })
}

/// One host that is being looked at.
struct Host<'a> {
    context: JobContext<'a>,
    site: Site,
    capacity: Capacity,
    found: u32,
}

impl Host<'_> {
    async fn compare(mut self) -> Result<u32> {
        let reads = self.context.store.reads();
        // Before the host is asked: what is made meanwhile is not missed.
        let expected = reads.live_instances_of_host(self.site.host_id).await?;
        let inventory = match self.context.instances.inventory(&self.site).await {
            Ok(inventory) => inventory,
            Err(fault) => {
                warn!(host_id = %self.site.host_id, cause = %fault, "a host does not answer");
                self.reached(false).await?;
                return Ok(self.found);
            }
        };
        self.reached(true).await?;
        let Some(inventory) = inventory else { return Ok(self.found) };
        let expected: BTreeMap<InstanceId, Instance> =
            expected.into_iter().map(|instance| (instance.id, instance)).collect();
        let kept = self.kept_disks(&expected, &inventory).await?;
        let is_missed = |instance: &&Instance| was_made(instance) && !kept.contains(&instance.id);
        let made = || expected.values().filter(is_missed);
        let has_any = made().any(|instance| inventory.instances.contains_key(&instance.id));
        let patience = if has_any { LOST_AFTER } else { ALL_LOST_AFTER };
        for instance in made() {
            match inventory.instances.get(&instance.id) {
                None => self.missing(instance, patience).await?,
                Some(runs) => self.there(instance, *runs).await?,
            }
        }
        self.surplus(&expected, &inventory).await?;
        self.volumes(&inventory).await?;
        Ok(self.found)
    }

    /// Instances whose disk is there without them, as between two makings: nothing of them is lost.
    async fn kept_disks(
        &self,
        expected: &BTreeMap<InstanceId, Instance>,
        inventory: &Inventory,
    ) -> Result<BTreeSet<InstanceId>> {
        let is_absent = |id: &&InstanceId| !inventory.instances.contains_key(id);
        let absent: Vec<InstanceId> = expected.keys().filter(is_absent).copied().collect();
        let volumes = self.context.store.reads().volumes_of_instances(&absent).await?;
        let disks = volumes.iter().filter(|volume| volume.disk.is_some());
        let kept = disks.filter(|disk| inventory.volumes.contains(&disk.id));
        Ok(kept.filter_map(|disk| Some(disk.attachment.as_ref()?.instance_id)).collect())
    }

    /// Notes when a host falls silent, and when it answers again: then the finding is closed, and the
    /// next outage is a new one.
    async fn reached(&mut self, answers: bool) -> Result<()> {
        let now = self.context.clock.now();
        if self.capacity.after_asking(answers, now).is_none() {
            return Ok(());
        }
        let host_id = self.site.host_id;
        let outcome = (Money::ZERO, answers);
        let finding = self.finding(FindingKind::UnreachableHost, host_id.to_string(), outcome);
        let is_new = atomically(self.context.store, async |tx: &dyn Tx| {
            let capacity = tx.capacity_for_update(host_id).await?;
            let capacity = capacity.ok_or(Error::NotFound(Thing::Server))?;
            // Another worker may have found out at the same time.
            let Some(capacity) = capacity.after_asking(answers, now) else { return Ok(false) };
            tx.save_health(&capacity, now).await?;
            tx.save_finding(&finding).await
        })
        .await?;
        self.count(&finding, is_new);
        Ok(())
    }

    /// An instance that should be there and is not: given up once it has been missing for long enough.
    async fn missing(&mut self, instance: &Instance, patience: Duration) -> Result<()> {
        let context = self.context;
        let now = context.clock.now();
        let Some(since) = instance.missing_since else {
            let missing_since = Some(now);
            return self.note_missing(instance, missing_since).await;
        };
        if now - since < patience {
            return Ok(());
        }
        let work = async |tx: &dyn Tx| lost(tx, context.random, instance, (since, now)).await;
        if atomically(context.store, work).await? {
            let subject = instance.id.to_string();
            let outcome = (instance.terms.hourly(), true);
            self.note(FindingKind::LostInstance, subject, outcome).await?;
        }
        Ok(())
    }

    /// An instance that is there: started again if it should run and does not.
    async fn there(&mut self, instance: &Instance, runs: bool) -> Result<()> {
        if instance.missing_since.is_some() {
            self.note_missing(instance, None).await?;
        }
        let should_run = instance.phase == Phase::Running && instance.is_settled();
        if runs || !should_run {
            return Ok(());
        }
        let context = self.context;
        let now = context.clock.now();
        let work = async |tx: &dyn Tx| start_again(tx, context, instance, now).await;
        if atomically(context.store, work).await? {
            let subject = instance.id.to_string();
            let outcome = (instance.terms.hourly(), true);
            self.note(FindingKind::StoppedInstance, subject, outcome).await?;
        }
        Ok(())
    }

    async fn note_missing(&self, seen: &Instance, since: Option<Timestamp>) -> Result<()> {
        if since.is_some() {
            warn!(instance_id = %seen.id, host_id = %seen.host_id, "an instance is missing");
        }
        atomically(self.context.store, async |tx: &dyn Tx| {
            let instance = tx.instance_for_update(seen.id).await?;
            let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
            tx.save_instance(&Instance { missing_since: since, ..instance }).await
        })
        .await
    }

    /// Instances that should not be there.
    async fn surplus(
        &mut self,
        expected: &BTreeMap<InstanceId, Instance>,
        inventory: &Inventory,
    ) -> Result<()> {
        let ids: Vec<InstanceId> =
            inventory.instances.keys().filter(|id| !expected.contains_key(id)).copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let known = self.context.store.reads().instances_among(&ids).await?;
        let known: BTreeMap<InstanceId, Instance> =
            known.into_iter().map(|instance| (instance.id, instance)).collect();
        for id in ids {
            match known.get(&id) {
                // Ordered since the host was asked.
                Some(instance) if instance.is_live() && instance.host_id == self.site.host_id => {}
                // It is on its way to another host, and has its disk here.
                Some(instance)
                    if instance.is_live() && instance.left_behind() == Some(self.site.host_id) => {}
                Some(instance) if was_lost(instance) => {
                    let outcome = (instance.terms.hourly(), false);
                    self.note(FindingKind::OrphanInstance, id.to_string(), outcome).await?;
                }
                Some(instance) => {
                    let removed = self.context.instances.remove(&self.site, id, None).await;
                    let is_repaired = removed.is_ok();
                    if is_repaired {
                        cleared(self.context.store, id, self.site.host_id).await?;
                    }
                    let per_hour = instance.terms.hourly();
                    let kind = FindingKind::OrphanInstance;
                    self.note(kind, id.to_string(), (per_hour, is_repaired)).await?;
                }
                None => {
                    let kind = FindingKind::UnknownInstance;
                    self.note(kind, id.to_string(), (Money::ZERO, false)).await?;
                }
            }
        }
        Ok(())
    }

    async fn volumes(&mut self, inventory: &Inventory) -> Result<()> {
        let reads = self.context.store.reads();
        let there = reads.volumes_at(&self.capacity.storage).await?;
        let is_there = |id: &VolumeId| {
            there.iter().any(|v| v.id == *id && (v.is_live() || v.state == VolumeState::Deleting))
        };
        for id in inventory.volumes.iter().filter(|id| !is_there(id)) {
            match reads.volume(*id).await? {
                Some(volume) if volume.is_live() || volume.state == VolumeState::Deleting => {}
                // It may be the only copy of what its owner was told is lost.
                Some(volume) if volume.is_lost_disk() => {
                    let per_hour = Rate::per_month(volume.price_per_month()).hourly();
                    let kind = FindingKind::OrphanVolume;
                    self.note(kind, id.to_string(), (per_hour, false)).await?;
                }
                Some(volume) => {
                    let deleted = self.context.instances.delete_volume(&self.site, *id).await;
                    let per_hour = Rate::per_month(volume.price_per_month()).hourly();
                    let outcome = (per_hour, deleted.is_ok());
                    self.note(FindingKind::OrphanVolume, id.to_string(), outcome).await?;
                }
                None => {
                    let kind = FindingKind::UnknownVolume;
                    self.note(kind, id.to_string(), (Money::ZERO, false)).await?;
                }
            }
        }
        Ok(())
    }

    async fn note(
        &mut self,
        kind: FindingKind,
        subject: String,
        outcome: (Money, bool),
    ) -> Result<()> {
        let finding = self.finding(kind, subject, outcome);
        let work = async |tx: &dyn Tx| tx.save_finding(&finding).await;
        let is_new = atomically(self.context.store, work).await?;
        self.count(&finding, is_new);
        Ok(())
    }

    fn finding(
        &self,
        kind: FindingKind,
        subject: String,
        (per_hour, is_repaired): (Money, bool),
    ) -> Finding {
        let JobContext { clock, random, .. } = self.context;
        let found_at = clock.now();
        let id = FindingId::generate(found_at, random);
        let host_id = self.site.host_id;
        Finding { id, host_id, kind, subject, per_hour, is_repaired, found_at }
    }

    fn count(&mut self, finding: &Finding, is_new: bool) {
        if is_new {
            let Finding { host_id, subject, is_repaired, .. } = finding;
            let kind = finding.kind.as_str();
            warn!(%host_id, kind, subject, is_repaired, "reconciled");
            self.found += 1;
        }
    }
}

/// Whether its host should have it: it was made, and is not being deleted.
fn was_made(instance: &Instance) -> bool {
    let never = matches!(
        instance.phase,
        Phase::Ordered | Phase::Provisioning { .. } | Phase::Undoing { .. }
    );
    !never && instance.wanted != Wanted::Deleted && instance.left_behind().is_none()
}

fn was_lost(instance: &Instance) -> bool {
    matches!(&instance.phase, Phase::Failed { failure, .. } if failure.kind == FailureKind::Lost)
}

/// Gives up an instance that its host does not have: it has cost nothing since it was missed, and its
/// volumes are free. Whether it was as it was seen.
pub(crate) async fn lost(
    tx: &dyn Tx,
    random: &dyn Random,
    seen: &Instance,
    (since, now): (Timestamp, Timestamp),
) -> Result<bool> {
    let wallet = tx.wallet_for_update(seen.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    if seen.terms.is_of_a_unit() {
        tx.unit_of_for_update(seen.id).await?;
    }
    tx.capacity_for_update(seen.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let instance = tx.instance_for_update(seen.id).await?;
    let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
    if instance.phase != seen.phase || instance.wanted != seen.wanted {
        return Ok(false);
    }
    let message = "its host does not have it any more".to_owned();
    let failure = Failure { kind: FailureKind::Lost, message: message.clone() };
    let (phase, claim) = (Phase::Failed { failure, at: now }, Claim::default());
    let instance = Instance { phase, claim, last_error: Some(message), ..instance };
    let (wallet, instance) =
        Box::pin(give_back(tx, random, wallet, (instance, since), now)).await?;
    tx.save_instance(&instance).await?;
    let metered = [Metered::Instance(seen.id)];
    let wallet = finish_by(tx, random, wallet, (&metered, since), now).await?;
    let wallet = volume::lose_disk(tx, random, wallet, (seen.id, since, now)).await?;
    let told = event("instance.lost", &instance, Actor::System, now);
    tx.record(vec![Event { recipient: Some(instance.author), ..told }]).await?;
    free_all(tx, random, wallet, (&instance, &seen.phase), now).await?;
    Ok(true)
}

/// Starts an instance that stopped by itself, or with its host.
async fn start_again(
    tx: &dyn Tx,
    context: JobContext<'_>,
    seen: &Instance,
    now: Timestamp,
) -> Result<bool> {
    let instance = tx.instance_for_update(seen.id).await?;
    let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
    if instance.phase != Phase::Running || instance.next_step().is_some() {
        return Ok(false);
    }
    let instance = Instance {
        phase: Phase::Starting { stage: instance.first_stage() },
        stage_until: Some(now + context.policy.stage_within),
        ..instance
    };
    tx.save_instance(&instance).await?;
    align_later(tx, context.random, &instance, now).await?;
    tx.record(vec![event("instance.found_stopped", &instance, Actor::System, now)]).await?;
    Ok(true)
}
