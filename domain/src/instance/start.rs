//! Starts instances: what is needed is taken again, here or on another host, and paid for.

use super::act::{Outcome, Work, not_now};
use super::charge::running_meter;
use super::create::require_funds;
use super::migrate::{Before, MOVED_WITHIN, Move};
use super::pay::{pay_interval, price_of_interval};
use super::sources::of_gpus;
use super::{Instance, InstanceTerms, Offered, Phase, Term, Wanted};
use crate::capacity::{self, Capacity, Claim, Health, Kept, Need};
use crate::error::{Conflict, Error, Result, Thing, Unpayable};
use crate::host::HostId;
use crate::money::Money;
use crate::plan::Shape;
use crate::wallet::Wallet;

impl Work<'_> {
    pub(super) async fn start(
        &self,
        wallet: Wallet,
        instance: Instance,
        may_move: bool,
    ) -> Result<Outcome> {
        let (wallet, instance) = self.paid_again(wallet, instance).await?;
        let metered = running_meter(self.tx, instance.id).await?;
        let already = metered.map_or(Money::ZERO, |meter| meter.rate.hourly());
        let more = instance.terms.metered().saturating_sub(already).max(Money::ZERO);
        require_funds(self.tx, &wallet, more, self.policy.funds).await?;
        let mut instance = Instance { wanted: Wanted::Running, last_error: None, ..instance };
        match instance.phase {
            Phase::Hibernated => match self.placed_again(&instance).await {
                Err(Error::Conflict(Conflict::NoCapacity)) if may_move => {
                    instance = self.placed_elsewhere(instance).await?;
                }
                placed => {
                    let (claim, phase) = (placed?, Phase::Stopped);
                    instance = Instance { claim, phase, ..instance };
                }
            },
            // Whether the stop that was asked for has begun is seen by starting it.
            Phase::Running => instance.phase = Phase::Starting { stage: instance.first_stage() },
            _ => {}
        }
        let moves = instance.pending_move().is_some();
        let within = if moves { MOVED_WITHIN } else { self.policy.stage_within };
        instance.stage_until = Some(self.now + within);
        self.save(instance).await
    }

    /// Pays for another interval at the price of today, where what was paid is used up.
    async fn paid_again(&self, wallet: Wallet, instance: Instance) -> Result<(Wallet, Instance)> {
        if instance.paid().is_none_or(|paid| paid.is_left(self.now)) {
            return Ok((wallet, instance));
        }
        let found = price_of_interval(self.tx, &instance).await?;
        let (terms, price) = found.ok_or(Error::Unpayable(Unpayable::NoPricing))?;
        let renewal = instance.term.map(|term| term.renewal).unwrap_or_default();
        if let Some(max) = renewal.max_price.filter(|_| !renewal.takes_interval(price)) {
            return Err(Error::Conflict(Conflict::ChargeExceedsMax { charge: price, max }));
        }
        let author = Some(self.request.caller.user_id);
        let instance = Instance { terms, ..instance };
        let paid = (instance, price, author);
        pay_interval(self.tx, self.random, wallet, paid, (self.now, self.now)).await
    }

    /// Takes what a hibernated instance gave back again, on the same host, where its disk is.
    async fn placed_again(&self, instance: &Instance) -> Result<Claim> {
        let shape = Shape { disk_gb: 0, ..instance.terms.shape.clone() };
        let need = Need {
            location: instance.location.clone(),
            storage: None,
            host_id: Some(instance.host_id),
            shape,
            volumes_gb: 0,
            keeps: instance.kept(),
        };
        let ports = instance.origin.ports.as_slice();
        let placed =
            capacity::place(self.tx, &need, self.policy.placement, (instance.id, ports)).await?;
        Ok(placed.claim)
    }

    /// Takes a place on another host for a hibernated instance, whose disk comes after it.
    async fn placed_elsewhere(&self, instance: Instance) -> Result<Instance> {
        if matches!(instance.terms.offered, Offered::Gpus { .. }) {
            // A host's offer is for that host.
            return Err(Error::Conflict(Conflict::NoCapacity));
        }
        let need = Need {
            location: instance.location.clone(),
            storage: None,
            host_id: None,
            shape: instance.terms.shape.clone(),
            volumes_gb: 0,
            keeps: None,
        };
        self.moved(instance, need, None).await
    }

    /// Takes what is needed for an instance that is hibernated on another host. A move that is not over ends
    /// where it began, and nothing comes from a host that does not answer.
    async fn moved(
        &self,
        instance: Instance,
        need: Need,
        before: Option<Before>,
    ) -> Result<Instance> {
        let volumes = self.tx.volumes_of_instances(&[instance.id]).await?;
        let own = self.tx.capacity(instance.host_id).await?;
        let answers = own.is_some_and(|host| host.health == Health::Healthy);
        let has_disk = volumes.iter().any(|volume| volume.disk.is_some());
        if !answers || has_disk || instance.pending_move().is_some() {
            return Err(Error::Conflict(Conflict::NoCapacity));
        }
        let storage = volumes.first().map(|volume| volume.storage.clone());
        let need = Need { storage, ..need };
        let ports = instance.origin.ports.as_slice();
        let placed =
            capacity::place(self.tx, &need, self.policy.placement, (instance.id, ports)).await?;
        let moved = Some(Move {
            from: instance.id,
            from_host: instance.host_id,
            keeps_data: instance.origin.is_made(),
            is_over: false,
            is_left: false,
            migration: None,
            before: before.map(Box::new),
        });
        let (location, host_id) = (placed.capacity.location, placed.capacity.host_id);
        let left = instance.moved.as_ref().filter(|before| before.is_left);
        if left.is_some_and(|before| before.from_host == host_id) {
            // What is left there of before would be taken for its disk.
            return not_now();
        }
        let (claim, phase) = (placed.claim, Phase::Stopped);
        // A notice was of the place that it had.
        Ok(Instance { location, host_id, moved, claim, phase, evict_at: None, ..instance })
    }

    /// Starts a hibernated one where its owner wants it, at the price of that host's offer.
    pub(super) async fn resume(
        &self,
        wallet: Wallet,
        instance: Instance,
        host_id: HostId,
    ) -> Result<Outcome> {
        let comes = instance.pending_move().is_some() && instance.wanted == Wanted::Running;
        if host_id == instance.host_id && (comes || instance.pending_move().is_none()) {
            return match instance.wanted {
                Wanted::Running => Ok(Outcome::Unchanged),
                _ => self.start(wallet, instance, false).await,
            };
        }
        if instance.phase != Phase::Hibernated || instance.wanted != Wanted::Hibernated {
            return not_now();
        }
        let missing = || Error::NotFound(Thing::GpuOffer);
        let there = self.tx.capacity(host_id).await?.ok_or_else(missing)?;
        let (terms, term) = self.offered_there(&instance, &there).await?;
        require_funds(self.tx, &wallet, terms.metered(), self.policy.funds).await?;
        let need = Need {
            location: there.location.clone(),
            storage: None,
            host_id: Some(host_id),
            shape: terms.shape.clone(),
            volumes_gb: 0,
            keeps: self.kept_there(&instance, &there).await?,
        };
        let before = Before {
            location: instance.location.clone(),
            terms: instance.terms.clone(),
            term: instance.term,
            claim: instance.claim.clone(),
        };
        let instance = self.moved(instance, need, Some(before)).await?;
        let stage_until = Some(self.now + MOVED_WITHIN);
        let wanted = Wanted::Running;
        let instance = Instance { terms, term, wanted, last_error: None, stage_until, ..instance };
        self.save(instance).await
    }

    /// What so many graphics processors of a host are and cost today, with the disk that the instance has.
    async fn offered_there(
        &self,
        instance: &Instance,
        there: &Capacity,
    ) -> Result<(InstanceTerms, Option<Term>)> {
        let Offered::Gpus { is_machine, .. } = instance.terms.offered else {
            let advice = "resume is for what is sold by the graphics processor";
            return Err(Error::invalid("/action", advice));
        };
        let missing = || Error::NotFound(Thing::GpuOffer);
        let offer = self.tx.gpu_offer(there.host_id).await?;
        let offer = offer.filter(|offer| offer.terms.sells(is_machine)).ok_or_else(missing)?;
        let part = there.share(instance.terms.shape.gpus()).ok_or_else(|| {
            Error::invalid("/server_id", "does not sell as many graphics processors as it has")
        })?;
        let shape = Shape { disk_gb: instance.terms.shape.disk_gb, ..part };
        let terms = of_gpus(&offer, shape, (instance.terms.is_spot, is_machine))?;
        let renewal = instance.term.as_ref().map(|term| term.renewal).unwrap_or_default();
        let term = Term::begin(self.now, offer.terms.max_hours, renewal);
        Ok((terms, Some(term)))
    }

    /// The address with which an instance goes on at a host: its own, if that host is in the same network.
    async fn kept_there(&self, instance: &Instance, there: &Capacity) -> Result<Option<Kept>> {
        let Some(kept) = instance.kept() else { return Ok(None) };
        let of = self.tx.capacity(kept.of).await?;
        let network = of.and_then(|of| of.network);
        let is_brought = network.is_some() && network == there.network;
        Ok(Some(kept).filter(|_| is_brought || kept.of == there.host_id))
    }
}
