//! Imports a fleet: makes the locations that are missing, hosts for the plans, and the plans; and hosts whose
//! graphics processors are sold one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tracing::instrument;

use super::hosts::{NeededHost, needed, sold_by_gpu};
use super::{Fleet, GpuHost, addresses};
use crate::capacity::{self, FurnishHost};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Thing, Violation};
use crate::gpu_offer::{self, Figures, GpuOfferDraft, GpuOfferTerms};
use crate::host::{self, Change, HostDraft, HostId};
use crate::instance::InstanceDriver;
use crate::location::{self, LocationCode, PutLocation};
use crate::page::Page;
use crate::plan::{self, Plan, PlanCode, PlanDraft, PlanFilter, PlanPricing};
use crate::store::{Reads, Store};
use crate::user::Operator;

/// A wish to import a fleet.
#[derive(Clone, Debug)]
pub struct ImportFleet {
    /// What to import.
    pub fleet: Fleet,
    /// Whether it is only told what would change.
    pub dry_run: bool,
}

/// What an import did, or would do, with each location, host and plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetImported {
    /// Locations by code.
    pub locations: Vec<(String, Change)>,
    /// Hosts by external id.
    pub hosts: Vec<(String, Change)>,
    /// Plans by code.
    pub plans: Vec<(String, Change)>,
    /// Offers of graphics processors by their host's external id.
    pub gpu_offers: Vec<(String, Change)>,
}

/// What is to be done with each.
struct Work {
    locations: BTreeMap<LocationCode, (PutLocation, Change)>,
    hosts: Vec<(NeededHost, HostDraft, Change)>,
    plans: Vec<(PlanDraft, Change)>,
    /// By the external id of their host.
    gpu_offers: Vec<(String, GpuOfferTerms, Figures, Change)>,
    /// Addresses that some host has, or has to give.
    taken: BTreeSet<IpAddr>,
}

/// Imports a fleet, hosts before the plans that need them: the same one twice changes nothing, and one
/// that was cut off is finished by the next. Name, shape, hourly prices and locations of a plan become
/// the fleet's; what else an operator said of it stays, and so do locations and furnished hosts that
/// there are. Only the console may call this.
#[instrument(name = "fleet.import", skip_all, fields(plans = request.fleet.plans.len()))]
pub async fn import(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    driver: &dyn InstanceDriver,
    request: ImportFleet,
) -> Result<FleetImported> {
    let ImportFleet { fleet, dry_run } = request;
    Error::unless_empty(fleet.plans.iter().flat_map(PlanDraft::violations).collect())?;
    let work = compare(store.reads(), &fleet).await?;
    let imported = work.told();
    if dry_run {
        return Ok(imported);
    }
    for (location, change) in work.locations.values() {
        if *change == Change::Add {
            location::put(store, clock, location.clone()).await?;
        }
    }
    let new = work.hosts.iter().filter(|(_, _, change)| *change == Change::Add);
    let new = new.map(|(_, draft, _)| draft.clone()).collect();
    host::import(store, clock, random, new, false).await?;
    for request in furnishings(store.reads(), &work).await? {
        capacity::furnish(store, clock, driver, request).await?;
    }
    let offers = work.gpu_offers.iter().filter(|(.., change)| *change != Change::Nothing);
    let offers: Vec<_> = offers.collect();
    let names: Vec<String> = offers.iter().map(|(name, ..)| name.clone()).collect();
    let ids = ids_named(store.reads(), &names).await?;
    for (name, terms, figures, _) in offers {
        let host_id = *ids.get(name).ok_or(Error::NotFound(Thing::Server))?;
        let draft = GpuOfferDraft { host_id, terms: terms.clone(), figures: figures.clone() };
        gpu_offer::put(store, clock, &Operator::Console, draft).await?;
    }
    for (draft, change) in work.plans {
        if change != Change::Nothing {
            plan::put(store, clock, random, &Operator::Console, draft).await?;
        }
    }
    Ok(imported)
}

impl Work {
    fn told(&self) -> FleetImported {
        let locations = self.locations.iter();
        let plans = self.plans.iter();
        let hosts = self.hosts.iter();
        FleetImported {
            locations: locations.map(|(code, (_, change))| (code.to_string(), *change)).collect(),
            hosts: hosts.map(|(host, _, change)| (host.external_id(), *change)).collect(),
            plans: plans.map(|(draft, change)| (draft.code.to_string(), *change)).collect(),
            gpu_offers: self
                .gpu_offers
                .iter()
                .map(|(name, _, _, change)| (name.clone(), *change))
                .collect(),
        }
    }
}

async fn compare(reads: &dyn Reads, fleet: &Fleet) -> Result<Work> {
    let locations = compare_locations(reads, fleet).await?;
    let furnished = reads.capacities(&Page { after: None, limit: None }).await?;
    let taken = furnished.iter().flat_map(|host| [&[host.address], &host.addresses[..]].concat());
    let taken = taken.collect();
    let furnished: BTreeSet<HostId> = furnished.iter().map(|host| host.host_id).collect();
    let mut hosts = Vec::new();
    let by_gpu = sold_by_gpu(&fleet.gpu_hosts);
    let of_gpus = by_gpu.iter().map(|(host, _)| host.clone());
    for host in needed(&fleet.plans).into_iter().chain(of_gpus) {
        let Some((location, _)) = locations.get(&host.location) else {
            return Err(Error::invalid("/locations", format!("lacks {}", host.location)));
        };
        hosts.push((host.draft(location).checked()?, host));
    }
    let ids = ids_of(reads, hosts.iter().map(|(_, host)| host)).await?;
    let change = |host: &NeededHost| match ids.get(&host.external_id()) {
        None => Change::Add,
        Some(id) if furnished.contains(id) => Change::Nothing,
        Some(_) => Change::Update,
    };
    let hosts = hosts.into_iter().map(|(draft, host)| {
        let change = change(&host);
        (host, draft, change)
    });
    let hosts = hosts.collect();
    let plans = compare_plans(reads, fleet).await?;
    let gpu_offers = compare_offers(reads, &by_gpu, &ids).await?;
    Ok(Work { locations, hosts, plans, gpu_offers, taken })
}

/// The offers with the price that the fleet says; what else an operator said of one stays.
async fn compare_offers(
    reads: &dyn Reads,
    hosts: &[(NeededHost, &GpuHost)],
    ids: &BTreeMap<String, HostId>,
) -> Result<Vec<(String, GpuOfferTerms, Figures, Change)>> {
    let mut offers = Vec::new();
    for (host, wanted) in hosts {
        let name = host.external_id();
        let before = match ids.get(&name) {
            Some(id) => reads.gpu_offer(*id).await?,
            None => None,
        };
        let per_gpu = Some(wanted.per_gpu);
        offers.push(match before {
            Some(offer) if offer.terms.per_gpu == per_gpu => {
                (name, offer.terms, offer.figures, Change::Nothing)
            }
            Some(offer) => {
                let terms = GpuOfferTerms { per_gpu, ..offer.terms };
                (name, terms, offer.figures, Change::Update)
            }
            None => {
                let terms = GpuOfferTerms { per_gpu, ..GpuOfferTerms::default() };
                (name, terms, Figures::default(), Change::Add)
            }
        });
    }
    Ok(offers)
}

async fn compare_locations(
    reads: &dyn Reads,
    fleet: &Fleet,
) -> Result<BTreeMap<LocationCode, (PutLocation, Change)>> {
    let known = reads.locations(&Page { after: None, limit: None }).await?;
    let known: BTreeMap<_, _> =
        known.into_iter().map(|place| (place.code.clone(), place)).collect();
    let (mut compared, mut violations) = (BTreeMap::new(), Vec::new());
    for wanted in &fleet.locations {
        let code = wanted.code.clone();
        let (name, country, change) = match (known.get(&code), &wanted.country) {
            (Some(there), _) => (&there.name, &there.country, Change::Nothing),
            (None, Some(country)) => (&wanted.name, country, Change::Add),
            (None, None) => {
                let advice = "is in a country that is not known: make this location first";
                violations.push(Violation::new(format!("/locations/{code}"), advice));
                continue;
            }
        };
        let (name, country) = (name.clone(), country.clone());
        let put = PutLocation { operator: Operator::Console, code: code.clone(), name, country };
        violations.extend(put.violations());
        compared.insert(code, (put, change));
    }
    Error::unless_empty(violations)?;
    Ok(compared)
}

async fn compare_plans(reads: &dyn Reads, fleet: &Fleet) -> Result<Vec<(PlanDraft, Change)>> {
    let known = reads.plans(&PlanFilter::default(), &Page { after: None, limit: None }).await?;
    let known: BTreeMap<PlanCode, Plan> =
        known.into_iter().map(|plan| (plan.code.clone(), plan)).collect();
    let plans = fleet.plans.iter();
    Ok(plans.map(|draft| merged(draft, known.get(&draft.code))).collect())
}

/// The plan with what the fleet says of it and, of the rest, what is there.
fn merged(draft: &PlanDraft, before: Option<&Plan>) -> (PlanDraft, Change) {
    let Some(before) = before else {
        return (draft.clone(), Change::Add);
    };
    let PlanPricing { per_hour, spot_per_hour, .. } = draft.pricing;
    let mut locations = draft.locations.clone();
    locations.sort();
    let is_same = before.name == draft.name
        && before.shape == draft.shape
        && before.pricing.per_hour == per_hour
        && before.pricing.spot_per_hour == spot_per_hour
        && before.locations == locations;
    let draft = PlanDraft {
        description: before.description.clone(),
        pricing: PlanPricing { per_hour, spot_per_hour, ..before.pricing.clone() },
        is_listed: before.is_listed,
        pools: before.pools.clone(),
        ..draft.clone()
    };
    (draft, if is_same { Change::Nothing } else { Change::Update })
}

/// What the hosts that are not furnished yet are to have.
async fn furnishings(reads: &dyn Reads, work: &Work) -> Result<Vec<FurnishHost>> {
    let bare = work.hosts.iter().filter(|(_, _, change)| *change != Change::Nothing);
    let bare: Vec<&NeededHost> = bare.map(|(host, _, _)| host).collect();
    let ids = ids_of(reads, bare.iter().copied()).await?;
    let mut free = addresses::free(work.taken.clone());
    let furnishing = |host: &NeededHost| {
        let id = ids.get(&host.external_id()).ok_or(Error::NotFound(Thing::Server))?;
        let too_few = || Error::invalid("/addresses", "there are too few for all simulated hosts");
        host.furnishing(*id, &mut free).ok_or_else(too_few)
    };
    bare.into_iter().map(furnishing).collect()
}

async fn ids_of(
    reads: &dyn Reads,
    hosts: impl Iterator<Item = &NeededHost>,
) -> Result<BTreeMap<String, HostId>> {
    let names: Vec<String> = hosts.map(NeededHost::external_id).collect();
    ids_named(reads, &names).await
}

async fn ids_named(reads: &dyn Reads, names: &[String]) -> Result<BTreeMap<String, HostId>> {
    let known = reads.hosts_by_external_id(names).await?;
    Ok(known.into_iter().filter_map(|host| Some((host.external_id?, host.id))).collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::plan::{PlanId, Shape};
    use crate::pool::PoolId;
    use crate::testing::instant;

    #[test]
    fn an_import_leaves_a_plan_to_those_whom_it_is_for() {
        let draft = PlanDraft {
            code: PlanCode::from_stored("own".to_owned()),
            name: "Another name".to_owned(),
            description: String::new(),
            shape: Shape::default(),
            pricing: PlanPricing::default(),
            locations: Vec::new(),
            is_listed: true,
            pools: None,
        };
        let before = Plan {
            id: PlanId::from_uuid(Uuid::from_u128(1)),
            code: draft.code.clone(),
            name: "Own".to_owned(),
            description: String::new(),
            shape: Shape::default(),
            pricing: PlanPricing::default(),
            locations: Vec::new(),
            is_listed: false,
            pools: Some(vec![PoolId::from_uuid(Uuid::from_u128(2))]),
            created_at: instant(),
            updated_at: instant(),
        };
        let (merged, change) = merged(&draft, Some(&before));
        assert_eq!((merged.pools, merged.is_listed), (before.pools, false));
        assert_eq!((merged.name.as_str(), change), ("Another name", Change::Update));
    }
}
