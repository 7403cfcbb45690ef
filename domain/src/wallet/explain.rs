//! Explains a posting: out of what its amount was made, down to the rounding.

use super::{Basis, Downtime, EarlyEnd, Link, PaidInterval, PostingId};
use crate::error::{Error, Result, Thing};
use crate::instance::Unused;
use crate::meter::Usage;
use crate::money::Money;
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Role, UserId};

/// A posting, and how it came about.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The posting with its entries.
    pub link: Link,
    /// Sentences, each a step of the computation.
    pub steps: Vec<String>,
    /// The amount before rounding, and the rule by which it was rounded.
    pub rounding: Option<(rust_decimal::Decimal, &'static str)>,
    /// Whether the amount computed anew from the basis is the booked one; `None` without a basis.
    pub amount_holds: Option<bool>,
    /// Whether the hash computed anew is the stored one.
    pub hash_holds: bool,
}

/// Links of the caller's own chain in its order.
pub async fn ledger(
    store: &dyn Store,
    caller: &Caller,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Link>> {
    caller.may(Permission::WalletRead)?;
    let own = caller.user_id;
    let after = after.map(|sequence| (own, sequence));
    let wanted = super::Links { from: own, until: own, after, limit };
    store.reads().links(&wanted).await
}

/// How one of the caller's postings came about; operators may ask about any.
pub async fn explain(store: &dyn Store, caller: &Caller, id: PostingId) -> Result<Explanation> {
    caller.may(Permission::WalletRead)?;
    let sees_all = caller.role == Role::Operator && caller.permissions.allow(Permission::AdminRead);
    let is_own = |owner: UserId| owner == caller.user_id;
    let link = store.reads().link(id).await?;
    let link = link.filter(|link| sees_all || is_own(link.posting.user_id));
    let link = link.ok_or(Error::NotFound(Thing::Transaction))?;
    let basis = link.posting.basis;
    Ok(Explanation {
        steps: basis.map(|basis| steps(&basis)).unwrap_or_default(),
        rounding: basis.map(|basis| (basis.exact(), rule(&basis))),
        amount_holds: basis.map(|basis| basis.amount() == link.posting.amount.magnitude()),
        hash_holds: link.posting.digest(&link.entries) == link.posting.hash,
        link,
    })
}

const fn rule(basis: &Basis) -> &'static str {
    match basis {
        Basis::EarlyEnd(_) => "rounded down to the cent, at most what is left of the charge",
        Basis::Downtime(_) => "rounded up to the cent, at most what is left of the charge",
        Basis::Earning { .. } => "the commission is rounded down to 0.00000001",
        Basis::Payout { .. } => "rounded down to the cent; the rest stays payable",
        Basis::Usage(_) => "the whole use up to this reading is rounded down to 0.00000001",
        Basis::Unused { .. } => "rounded down to 0.00000001",
        Basis::Migration { .. } => "the value of what is left is rounded down to 0.00000001",
        Basis::Rent { .. } | Basis::NeverReady { .. } | Basis::Interval(_) => "none",
    }
}

fn steps(basis: &Basis) -> Vec<String> {
    match basis {
        Basis::Rent { days, price, until, quote_id, by_mandate } => {
            let source = match quote_id {
                Some(id) => format!("the price in quote {id}"),
                None => "the server's price on the day of the charge".to_owned(),
            };
            let mut steps = vec![
                format!("{source} for {days} days: {}", price.to_decimal()),
                format!("paid in advance until {}", until.to_rfc3339()),
            ];
            if *by_mandate {
                steps.push("charged automatically by the mandate to renew".to_owned());
            }
            steps
        }
        Basis::EarlyEnd(end) => early_end(end),
        Basis::NeverReady { charge_id, price, returned } => vec![
            format!("charge {charge_id} paid {}", price.to_decimal()),
            format!("the server never became ready: all of it but {}", returned.to_decimal()),
        ],
        Basis::Downtime(credited) => downtime(credited),
        Basis::Earning { from, until, rent, commission_bp } => vec![
            format!(
                "rent from {} until {}: {}",
                from.to_rfc3339(),
                until.to_rfc3339(),
                rent.to_decimal()
            ),
            format!("less a commission of {commission_bp} hundredths of a percent"),
        ],
        Basis::Payout { run_id, payable } => {
            vec![format!("run {run_id} found {} payable", payable.to_decimal())]
        }
        Basis::Usage(usage) => used(usage),
        Basis::Interval(paid) => vec![paid_in_advance(paid)],
        Basis::Migration { to, from, settled } => {
            let mut steps = vec![paid_in_advance(to)];
            steps.extend(unused(from));
            steps.push("the one less the other".to_owned());
            steps.extend(settles(*settled));
            steps
        }
        Basis::Unused { unused: left, settled } => {
            let mut steps = unused(left);
            steps.extend(settles(*settled));
            steps
        }
    }
}

fn paid_in_advance(paid: &PaidInterval) -> String {
    let PaidInterval { instance_id, payment, interval, price } = paid;
    let (interval, price) = (interval.as_str(), price.to_decimal());
    format!("payment {payment} of instance {instance_id}: the price of one {interval}, {price}")
}

fn unused(left: &Unused) -> Vec<String> {
    let Unused { instance_id, payment, price, shares, left: shares_left } = left;
    let price = price.to_decimal();
    vec![
        format!("payment {payment} of instance {instance_id} paid {price}"),
        "its time is counted in hundredths of a millisecond at the whole price".to_owned(),
        format!("{shares_left} of {shares} are left"),
        format!("{price} × {shares_left} / {shares} = {}", left.amount().to_decimal()),
    ]
}

fn settles(settled: Money) -> Option<String> {
    (settled != Money::ZERO).then(|| format!("{} of it settle what is owed", settled.to_decimal()))
}

fn early_end(end: &EarlyEnd) -> Vec<String> {
    let EarlyEnd { charge_id, price, days, unused_days, fee_bp, returned } = end;
    let price = price.to_decimal();
    vec![
        format!("charge {charge_id} paid {price} for {days} days"),
        format!("{unused_days} whole days were unused"),
        format!("fee on their value: {fee_bp} hundredths of a percent"),
        format!("given back of this charge before: {}", returned.to_decimal()),
        format!("{price} × {unused_days} / {days} × (1 − {fee_bp} / 10000)"),
    ]
}

fn used(usage: &Usage) -> Vec<String> {
    let Usage { meter_id, bill, rate, from, seconds, billed, owed, .. } = usage;
    let (price, per) = (rate.price.to_decimal(), rate.seconds);
    let mut steps = vec![
        format!("meter {meter_id} ran at {price} for {per} seconds"),
        format!("since {}: {seconds} whole seconds", from.to_rfc3339()),
        format!("{price} × {seconds} / {per} = {}", rate.of(*seconds).to_decimal()),
        format!("booking {bill} of this meter; before it {} were booked", billed.to_decimal()),
    ];
    if *owed != Money::ZERO {
        steps.push(format!("of the rest, {} are owed, not paid", owed.to_decimal()));
    }
    steps
}

fn downtime(credited: &Downtime) -> Vec<String> {
    let Downtime { outage_id, charge_id, price, days, minutes, sla, returned } = credited;
    let (price, percent) = (price.to_decimal(), sla.credit_percent);
    vec![
        format!("charge {charge_id} paid {price} for {days} days"),
        format!("outage {outage_id}: {minutes} whole minutes"),
        format!("the terms give {percent} % of the price of that time"),
        format!("given back of this charge before: {}", returned.to_decimal()),
        format!("{price} × {minutes} / ({days} × 1440) × {percent} / 100"),
    ]
}
