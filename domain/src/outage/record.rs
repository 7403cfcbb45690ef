//! Records an outage, and credits whoever had paid for that time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Outage, OutageId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::event::{Event, Subject};
use crate::host::{HostId, Sla};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::rental::{Period, Phase, Rental, RentalId, periods};
use crate::store::{Store, Tx, atomically};
use crate::supplier::Supplier;
use crate::text::line;
use crate::token::Permission;
use crate::user::{Operator, UserId};
use crate::wallet::{
    Account, Basis, Charge, Downtime, PostingDraft, PostingKind, Wallet, entries, post,
};

/// An outage to be recorded.
#[derive(Clone, Debug)]
pub struct RecordOutage {
    /// Who records it.
    pub operator: Operator,
    /// Which host was down.
    pub host_id: HostId,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when; not in the future.
    pub ended_at: Timestamp,
    /// How that is known, 1 to 2000 characters.
    pub evidence: String,
    /// Records once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What a renter got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// For which rental.
    pub rental_id: RentalId,
    /// Whose wallet.
    pub payer_id: UserId,
    /// The posting.
    pub charge: Charge,
}

/// A recorded outage. Kept as the answer of its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The outage.
    pub outage: Outage,
    /// What was given for it.
    pub credits: Vec<Credit>,
}

/// Records an outage of a host and books what the terms of its rentals give for it, once: a time that
/// overlaps a recorded outage is refused.
#[instrument(name = "outage.record", skip_all, fields(host_id = %request.host_id))]
pub async fn record(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: RecordOutage,
) -> Result<Recorded> {
    let author = request.operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let outage = Outage {
        id: OutageId::generate(now, random),
        host_id: request.host_id,
        started_at: request.started_at,
        ended_at: request.ended_at,
        evidence: checked(&request, now)?,
        author,
        created_at: now,
    };
    atomically(store, async |tx: &dyn Tx| {
        let effect = async || credit(tx, random, &request.operator, &outage).await;
        let Some(user_id) = author else {
            return effect().await;
        };
        let key = request.idempotency_key.as_ref();
        let attempt = Attempt { key, user_id, operation: "outage.record", at: now };
        let asked = json!([outage.host_id, outage.started_at, outage.ended_at, outage.evidence]);
        once(tx, attempt, &asked, effect).await
    })
    .await
}

/// The trimmed evidence, or every fault of the request.
fn checked(request: &RecordOutage, now: Timestamp) -> Result<String> {
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: &str| {
        violations.push(Violation { path: path.to_owned(), message: message.to_owned() });
    };
    if request.ended_at <= request.started_at {
        fault("/ended_at", "must be after started_at");
    }
    if request.ended_at > now {
        fault("/ended_at", "lies in the future; record an outage when it is over");
    }
    let evidence = line(&request.evidence, 2_000);
    if evidence.is_none() {
        fault("/evidence", "must be 1 to 2000 characters, none of them a control character");
    }
    evidence.filter(|_| violations.is_empty()).map(str::to_owned).ok_or(Error::Invalid(violations))
}

/// All that credits of one outage touch, locked.
struct Locked {
    wallets: BTreeMap<UserId, Wallet>,
    suppliers: BTreeMap<UserId, Supplier>,
    rentals: Vec<(Rental, Vec<Period>)>,
}

async fn lock(tx: &dyn Tx, outage: &Outage) -> Result<Locked> {
    let (from, until) = (outage.started_at, outage.ended_at);
    let seen = tx.rentals_of_host_between(outage.host_id, from, until).await?;
    let mut payers = BTreeSet::new();
    for rental in &seen {
        let paid = periods(rental, &tx.postings_about(rental.id).await?);
        payers.extend(paid.iter().map(|period| period.payer_id));
    }
    let owners: BTreeSet<UserId> =
        seen.iter().filter_map(|rental| rental.terms.supplier).map(|s| s.supplier_id).collect();
    let (mut wallets, mut suppliers) = (BTreeMap::new(), BTreeMap::new());
    for id in payers {
        let wallet = tx.wallet_for_update(id).await?.ok_or(Error::NotFound(Thing::User))?;
        wallets.insert(id, wallet);
    }
    for id in owners {
        let supplier = tx.supplier_for_update(id).await?;
        suppliers.insert(id, supplier.ok_or(Error::NotFound(Thing::Supplier))?);
    }
    tx.host_for_update(outage.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let mut rentals = Vec::new();
    // Again, now that the host is locked and nobody can rent it.
    for seen in tx.rentals_of_host_between(outage.host_id, from, until).await? {
        let rental = tx.rental_for_update(seen.id).await?.ok_or(Error::NotFound(Thing::Rental))?;
        let periods = periods(&rental, &tx.postings_about(seen.id).await?);
        let known = |period: &Period| wallets.contains_key(&period.payer_id);
        let supplier = rental.terms.supplier;
        let owned = supplier.is_none_or(|terms| suppliers.contains_key(&terms.supplier_id));
        // Somebody else paid while the locks were taken: begin anew.
        if !owned || !periods.iter().all(known) {
            return Err(Error::Contention);
        }
        rentals.push((rental, periods));
    }
    Ok(Locked { wallets, suppliers, rentals })
}

async fn credit(
    tx: &dyn Tx,
    random: &dyn Random,
    operator: &Operator,
    outage: &Outage,
) -> Result<Recorded> {
    let Locked { mut wallets, mut suppliers, rentals } = lock(tx, outage).await?;
    let (from, until) = (outage.started_at, outage.ended_at);
    if tx.has_outage_between(outage.host_id, from, until).await? {
        return Err(Error::Conflict(Conflict::OutageOverlaps));
    }
    tx.add_outage(outage).await?;
    let mut credits = Vec::new();
    let mut events = vec![recorded(operator, outage)];
    for (mut rental, periods) in rentals {
        for (start, payer_id, basis) in due(outage, &rental, &periods) {
            let amount = basis.amount();
            let wallet = wallets.remove(&payer_id).ok_or(Error::Contention)?;
            let draft = draft(outage, &rental, (start, payer_id), basis);
            let (wallet, posting) = post(tx, random, wallet, outage.created_at, draft).await?;
            wallets.insert(payer_id, wallet);
            if let Some(terms) = rental.terms.supplier
                && let Some(supplier) = suppliers.get_mut(&terms.supplier_id)
            {
                let (share, _) = terms.split(amount);
                supplier.payable = supplier.payable.saturating_sub(share);
                tx.save_supplier(supplier).await?;
            }
            rental = rental.with_credit(amount)?;
            let charge = Charge { id: posting.id, amount, at: posting.at };
            events.push(credited(operator, outage, payer_id, &charge));
            credits.push(Credit { rental_id: rental.id, payer_id, charge });
        }
        tx.save_rental(&rental).await?;
    }
    tx.record(events).await?;
    Ok(Recorded { outage: outage.clone(), credits })
}

/// What one rental gets for the outage: by period, from when, who, and out of what it is computed. A
/// server that is not ready yet is not down: if it never becomes ready, all of its rent is given back.
fn due(outage: &Outage, rental: &Rental, periods: &[Period]) -> Vec<(Timestamp, UserId, Basis)> {
    let minutes = |from: Timestamp, until: Timestamp| {
        u32::try_from((until - from).num_minutes()).unwrap_or_default()
    };
    let whole = minutes(outage.started_at, outage.ended_at);
    let Some(sla) = rental.terms.sla.filter(|sla: &Sla| whole > sla.grace_minutes) else {
        return Vec::new();
    };
    let Some(ready_at) = rental.ready_at else {
        return Vec::new();
    };
    let ended_at = match rental.phase {
        Phase::Ended { at, .. } => at,
        Phase::Active | Phase::Hold => rental.ends_at,
    };
    let share = |period: &Period| {
        let from = outage.started_at.max(period.starts_at).max(ready_at);
        let until = outage.ended_at.min(period.ends_at).min(ended_at);
        let basis = Basis::Downtime(Downtime {
            outage_id: outage.id,
            charge_id: period.charge_id,
            price: period.price,
            days: period.days(),
            minutes: minutes(from, until),
            sla,
            returned: period.returned,
        });
        (basis.amount() > Money::ZERO).then_some((from, period.payer_id, basis))
    };
    periods.iter().filter_map(share).collect()
}

fn draft(
    outage: &Outage,
    rental: &Rental,
    (start, payer_id): (Timestamp, UserId),
    basis: Basis,
) -> PostingDraft {
    let amount = basis.amount();
    let mut sides = vec![(Account::Wallet(payer_id), amount)];
    match rental.terms.supplier {
        Some(terms) => {
            let (share, kept) = terms.split(amount);
            sides.push((Account::Payable(terms.supplier_id), share.negated()));
            sides.push((Account::Revenue, kept.negated()));
        }
        None => sides.push((Account::Revenue, amount.negated())),
    }
    PostingDraft {
        kind: PostingKind::Credit,
        entries: entries(sides),
        reason: format!("Downtime: {}", outage.evidence),
        author: outage.author,
        period: Some((rental.id, start)),
        metadata: json!({ "rental_id": rental.id, "server_id": outage.host_id,
            "outage_id": outage.id }),
        basis: Some(basis),
        corrects: None,
    }
}

fn recorded(operator: &Operator, outage: &Outage) -> Event {
    Event {
        kind: "host.outage_recorded",
        subject: Subject::Host(outage.host_id),
        actor: operator.actor(),
        before: None,
        data: json!({ "outage_id": outage.id, "started_at": outage.started_at,
            "ended_at": outage.ended_at, "evidence": outage.evidence }),
        recipient: None,
        at: outage.created_at,
    }
}

fn credited(operator: &Operator, outage: &Outage, payer_id: UserId, credit: &Charge) -> Event {
    Event {
        kind: "wallet.credited",
        subject: Subject::Wallet(payer_id),
        actor: operator.actor(),
        before: None,
        data: json!({ "posting_id": credit.id, "amount_e8": credit.amount,
            "outage_id": outage.id }),
        recipient: Some(payer_id),
        at: outage.created_at,
    }
}
