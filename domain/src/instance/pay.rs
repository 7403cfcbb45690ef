//! Pays for time of instances in advance, and gives back what could not be used.

use serde_json::json;

use super::paid::PaidTime;
use super::sources::prepaid_terms;
use super::{Instance, InstanceTerms, Offered, Term, Unused};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result};
use crate::money::Money;
use crate::plan::Interval;
use crate::store::Tx;
use crate::user::UserId;
use crate::wallet::{
    Account, Basis, PaidInterval, PostingDraft, PostingKind, Wallet, entries, moved, post,
};

impl Instance {
    /// The time that was paid for it, where it is paid in advance.
    pub fn paid(&self) -> Option<PaidTime> {
        self.term?.paid
    }

    /// With its paid time changed.
    #[must_use]
    pub(super) fn with_paid(self, change: impl FnOnce(PaidTime) -> PaidTime) -> Self {
        let change = |term: Term| match term.paid {
            Some(paid) => Term::paid(change(paid), term.renewal),
            None => term,
        };
        Self { term: self.term.map(change), ..self }
    }

    /// What of its paid time is left at an instant.
    pub(super) fn unused(&self, now: Timestamp) -> Option<Unused> {
        self.paid().map(|paid| paid.unused(self.id, now))
    }

    /// The newest payment for its time.
    pub(super) fn payment(&self) -> Option<PaidInterval> {
        let PaidTime { payments: payment, interval, price, .. } = self.paid()?;
        Some(PaidInterval { instance_id: self.id, payment, interval, price })
    }
}

/// What an interval costs today of what an instance that is paid in advance is; `None` where it is not sold
/// so any more, or not to its pool.
pub(super) async fn price_of_interval(
    tx: &dyn Tx,
    instance: &Instance,
) -> Result<Option<(InstanceTerms, Money)>> {
    let (Some(paid), Offered::Plan { plan_id, .. }) = (instance.paid(), &instance.terms.offered)
    else {
        return Ok(None);
    };
    let plan = tx.plan(*plan_id).await?;
    let Some(plan) = plan.filter(|plan| plan.is_offered_to(instance.pool_id)) else {
        return Ok(None);
    };
    // For what it has, whatever the plan has by now: nobody loses a disk for a larger plan.
    match prepaid_terms(&plan, instance.terms.shape.clone(), paid.interval) {
        Ok(found) => Ok(Some(found)),
        Err(Error::Unpayable(_)) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Pays for another interval from a locked wallet; it begins where what is left ends, which is then. The
/// caller stores the instance.
pub(super) async fn pay_interval(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, price, author): (Instance, Money, Option<UserId>),
    (from, now): (Timestamp, Timestamp),
) -> Result<(Wallet, Instance)> {
    let instance = instance.with_paid(|paid| paid.at(now).paid(price, from));
    let wallet = charge_interval(tx, random, wallet, (&instance, author), now).await?;
    Ok((wallet, instance))
}

/// Charges a locked wallet for the newest payment of an instance.
pub(super) async fn charge_interval(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, author): (&Instance, Option<UserId>),
    now: Timestamp,
) -> Result<Wallet> {
    let Some(paid) = instance.payment() else { return Ok(wallet) };
    let entries = moved(paid.price, Account::Wallet(wallet.user_id), Account::Revenue);
    let reason = format!("{} of {}", in_words(paid.interval), named(instance));
    let basis = Basis::Interval(paid);
    let draft = draft(instance, (PostingKind::Charge, entries), (reason, basis), author);
    post(tx, random, wallet, now, draft).await.map(|(wallet, _)| wallet)
}

/// Gives a locked wallet back what is left of an instance's paid time, of which nothing is left then. What
/// its payer owes is settled first. The caller stores the instance.
pub(super) async fn give_back(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, until): (Instance, Timestamp),
    now: Timestamp,
) -> Result<(Wallet, Instance)> {
    let Some(unused) = instance.unused(until) else { return Ok((wallet, instance)) };
    if instance.successor_id.is_some() {
        // It was credited to what takes its place.
        let nothing = |paid| PaidTime { left: 0, ..PaidTime::using(paid, 0, now) };
        return Ok((wallet, instance.with_paid(nothing)));
    }
    let instance = instance.with_paid(|paid| PaidTime { left: 0, ..paid.using(0, now) });
    let settled = wallet.owed.min(unused.amount());
    let basis = Basis::Unused { unused, settled };
    let reason = format!("Unused time of {}", named(&instance));
    let back = (unused.amount(), settled);
    let wallet = refund(tx, random, wallet, (&instance, back, (reason, basis)), now).await?;
    Ok((wallet, instance))
}

/// Gives an amount back, of which a part settles what is owed.
pub(super) async fn refund(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (instance, (amount, settled), why): (&Instance, (Money, Money), (String, Basis)),
    now: Timestamp,
) -> Result<Wallet> {
    if amount <= Money::ZERO {
        return Ok(wallet);
    }
    let entries = entries([
        (Account::Wallet(wallet.user_id), amount.saturating_sub(settled)),
        (Account::Receivable(wallet.user_id), settled),
        (Account::Revenue, amount.negated()),
    ]);
    let draft = draft(instance, (PostingKind::Refund, entries), why, None);
    post(tx, random, wallet, now, draft).await.map(|(wallet, _)| wallet)
}

pub(super) fn draft(
    instance: &Instance,
    (kind, entries): (PostingKind, Vec<crate::wallet::Entry>),
    (reason, basis): (String, Basis),
    author: Option<UserId>,
) -> PostingDraft {
    PostingDraft {
        kind,
        entries,
        reason,
        author,
        period: None,
        metadata: json!({ "instance_id": instance.id, "pool_id": instance.pool_id }),
        basis: Some(basis),
        corrects: None,
    }
}

/// As it is called in a wallet.
pub(super) fn named(instance: &Instance) -> String {
    format!("instance {} ({})", instance.hostname, instance.terms.code())
}

const fn in_words(interval: Interval) -> &'static str {
    match interval {
        Interval::Hour => "An hour",
        Interval::Day => "A day",
        Interval::Week => "A week",
        Interval::Month => "A month",
        Interval::Year => "A year",
    }
}
