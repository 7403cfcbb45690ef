//! What operators do: list hosts, change, price and retire them, import many.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tracing::instrument;

use super::{Host, HostId, Occupancy, Pricing, Sla, Specs};
use crate::capacity::{Capacity, Purpose};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::event::{Actor, Event, Subject};
use crate::page::{Page, Paged};
use crate::store::{Store, Tx, atomically};
use crate::text::line;
use crate::token::Permission;
use crate::user::{Operator, UserId};

/// A host as an operator describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct HostDraft {
    /// The operator's own identifier.
    pub external_id: Option<String>,
    /// What it is.
    pub specs: Specs,
    /// What it costs.
    pub pricing: Pricing,
}

impl HostDraft {
    /// The draft, or every fault in it.
    pub fn checked(self) -> Result<Self> {
        let mut violations = self.specs.violations();
        if self.external_id.as_ref().is_some_and(|id| line(id, 100).is_none()) {
            let message =
                "must be 1 to 100 characters, none of them a control character".to_owned();
            violations.push(Violation { path: "/external_id".to_owned(), message });
        }
        if violations.is_empty() { Ok(self) } else { Err(Error::Invalid(violations)) }
    }

    /// A host that nobody can rent.
    pub(crate) fn unlisted(self, now: Timestamp, random: &dyn Random) -> Host {
        Host { is_listed: false, ..self.into_host(now, random) }
    }

    fn into_host(self, now: Timestamp, random: &dyn Random) -> Host {
        Host {
            id: HostId::generate(now, random),
            external_id: self.external_id,
            specs: self.specs,
            pricing: self.pricing,
            supplier_id: None,
            sla: None,
            is_listed: true,
            occupancy: Occupancy::Free,
            created_at: now,
            updated_at: now,
        }
    }
}

/// What to change in a host; what is `None` stays.
#[derive(Clone, Debug)]
pub struct EditHost {
    /// Which host.
    pub id: HostId,
    /// The new description.
    pub specs: Option<Specs>,
    /// The new prices.
    pub pricing: Option<Pricing>,
    /// Whether it is offered.
    pub is_listed: Option<bool>,
    /// What is promised about downtime; `Some(None)` takes the promise back.
    pub sla: Option<Option<Sla>>,
    /// Whose machine it is, by username; `Some(None)` makes it the operator's own.
    pub supplier: Option<Option<String>>,
}

impl EditHost {
    /// No change at all.
    pub const fn nothing(id: HostId) -> Self {
        Self { id, specs: None, pricing: None, is_listed: None, sla: None, supplier: None }
    }
}

/// Lists a host.
#[instrument(name = "host.enlist", skip_all)]
pub async fn enlist(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    draft: HostDraft,
) -> Result<Host> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let host = draft.checked()?.into_host(now, random);
    atomically(store, async |tx: &dyn Tx| {
        tx.add_hosts(std::slice::from_ref(&host)).await?;
        tx.record(vec![event("host.enlisted", &host, operator.actor(), now)]).await
    })
    .await?;
    Ok(host)
}

/// Changes a host. A rental that runs keeps its terms.
#[instrument(name = "host.edit", skip_all, fields(id = %request.id))]
pub async fn edit(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    request: EditHost,
) -> Result<Host> {
    operator.may(Permission::AdminWrite)?;
    let mut violations = request.specs.as_ref().map(Specs::violations).unwrap_or_default();
    violations.extend(request.sla.flatten().iter().flat_map(Sla::violations));
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let host = tx.host_for_update(request.id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let before = facts(&host);
        let supplier_id = match &request.supplier {
            None => host.supplier_id,
            Some(None) => None,
            Some(Some(username)) => Some(supplier_named(tx, username).await?),
        };
        let host = Host {
            supplier_id,
            sla: request.sla.unwrap_or(host.sla),
            specs: request.specs.clone().unwrap_or(host.specs),
            pricing: request.pricing.clone().unwrap_or(host.pricing),
            is_listed: request.is_listed.unwrap_or(host.is_listed),
            updated_at: now,
            ..host
        };
        let is_given_on = host.is_listed || host.supplier_id.is_some();
        let cut = tx.compute_host(host.id).await?;
        if is_given_on && cut.is_some_and(|cut| cut.phase.is_cut()) {
            return Err(Error::Conflict(Conflict::CutIntoUnits));
        }
        let carries = |capacity: Capacity| capacity.purpose != Purpose::Nothing;
        if host.is_listed && tx.capacity(host.id).await?.is_some_and(carries) {
            return Err(Error::Conflict(Conflict::CarriesInstances));
        }
        tx.save_host(&host).await?;
        let edited = event("host.edited", &host, operator.actor(), now);
        tx.record(vec![Event { before: Some(before), ..edited }]).await?;
        Ok(host)
    })
    .await
}

async fn supplier_named(tx: &dyn Tx, username: &str) -> Result<UserId> {
    let user = tx.user_named(username).await?;
    let supplier = match user {
        Some(user) => tx.supplier(user.id).await?,
        None => None,
    };
    let unknown = || Error::invalid("/supplier", "is no supplier; make the user one first");
    Ok(supplier.ok_or_else(unknown)?.user_id)
}

/// Takes a host off the market. A rental that runs goes on to its end and cannot be extended.
pub async fn retire(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    id: HostId,
) -> Result<Host> {
    let request = EditHost { is_listed: Some(false), ..EditHost::nothing(id) };
    edit(store, clock, operator, request).await
}

/// A host, for operators.
pub async fn show(store: &dyn Store, operator: &Operator, id: HostId) -> Result<Host> {
    operator.may(Permission::AdminRead)?;
    store.reads().host(id).await?.ok_or(Error::NotFound(Thing::Server))
}

/// Every host, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<HostId>,
) -> Result<Paged<Host, HostId>> {
    operator.may(Permission::AdminRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.hosts(&fetch).await?;
    let total = Some(reads.host_count().await?);
    Ok(Paged::cut(rows, page.limit, total, |host| host.id))
}

/// What an import does, or would do, with one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new host.
    Add,
    /// The host with this external id changes.
    Update,
    /// It is as the row says already.
    Nothing,
}

/// What an import did, or would do: the change of each draft, in order.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The external id and the change.
    pub changes: Vec<(String, Change)>,
}

/// Imports drafts by their external id, all in one transaction: the same file twice changes
/// nothing, and a rental that runs keeps its terms. With `dry_run` it only tells what would change.
/// Only the console may call this.
#[instrument(name = "host.import", skip_all, fields(count = drafts.len()))]
pub async fn import(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    drafts: Vec<HostDraft>,
    dry_run: bool,
) -> Result<Imported> {
    let now = clock.now();
    let drafts: Vec<HostDraft> =
        drafts.into_iter().map(HostDraft::checked).collect::<Result<_>>()?;
    let ids: Vec<String> = drafts.iter().filter_map(|d| d.external_id.clone()).collect();
    atomically(store, async |tx: &dyn Tx| {
        let known = tx.hosts_by_external_id(&ids).await?;
        let mut known: HashMap<_, _> =
            known.into_iter().map(|h| (h.external_id.clone(), h)).collect();
        let (mut changes, mut added, mut updates) = (Vec::new(), Vec::new(), BTreeMap::new());
        for draft in drafts.clone() {
            let id = draft.external_id.clone().unwrap_or_default();
            let change = match known.remove(&draft.external_id) {
                None => {
                    added.push(draft.into_host(now, random));
                    Change::Add
                }
                Some(host) if host.specs == draft.specs && host.pricing == draft.pricing => {
                    Change::Nothing
                }
                Some(host) => {
                    updates.insert(host.id, draft);
                    Change::Update
                }
            };
            changes.push((id, change));
        }
        if !dry_run {
            let mut events: Vec<Event> = added
                .iter()
                .map(|host| event("host.enlisted", host, Actor::Console, now))
                .collect();
            tx.add_hosts(&added).await?;
            for (id, draft) in updates {
                events.push(update(tx, id, draft, now).await?);
            }
            tx.record(events).await?;
        }
        Ok(Imported { changes })
    })
    .await
}

async fn update(tx: &dyn Tx, id: HostId, draft: HostDraft, now: Timestamp) -> Result<Event> {
    let host = tx.host_for_update(id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let before = facts(&host);
    let host = Host { specs: draft.specs, pricing: draft.pricing, updated_at: now, ..host };
    tx.save_host(&host).await?;
    let edited = event("host.edited", &host, Actor::Console, now);
    Ok(Event { before: Some(before), ..edited })
}

fn facts(host: &Host) -> Value {
    json!({ "name": host.specs.name, "is_listed": host.is_listed, "pricing": host.pricing,
        "sla": host.sla, "supplier_id": host.supplier_id })
}

fn event(kind: &'static str, host: &Host, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Host(host.id),
        actor,
        before: None,
        recipient: None,
        data: facts(host),
        at,
    }
}
