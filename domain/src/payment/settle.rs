//! Brings the ledger to what the provider says.

use serde_json::{Value, json};
use tracing::{error, instrument};

use super::{
    Outcome, Payment, PaymentContext, PaymentId, PaymentState, ProviderError, Purpose, Snapshot,
};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::money::Money;
use crate::store::{Tx, atomically};
use crate::wallet::{
    Entry, PostingDraft, PostingId, PostingKind, Wallet, paid_in, post, taken_back,
};

/// How often to ask again because somebody else was faster.
const ATTEMPTS: u32 = 5;

/// Asks the provider about a payment and books the difference between what it says and what is booked.
/// Safe to run twice, at once, and after any crash: an answer is only used if nobody has changed the
/// payment, or heard of a change, since before the question.
#[instrument(name = "payment.settle", skip_all, fields(%id))]
pub async fn settle(context: PaymentContext<'_>, id: PaymentId) -> Result<Payment> {
    for _ in 0..ATTEMPTS {
        let seen = context.store.reads().payment(id).await?;
        let seen = seen.ok_or(Error::NotFound(Thing::Payment))?;
        let answer = ask(&context, &seen).await;
        let now = context.clock.now();
        let settled = atomically(context.store, async |tx: &dyn Tx| match &answer {
            Ok(snapshot) => book(tx, &context, (&seen, snapshot), now).await,
            Err(_) => postpone(tx, &seen, now).await.map(Some),
        })
        .await?;
        match (settled, answer) {
            (_, Err(error)) => return Err(super::check_out::unavailable(error)),
            (Some(payment), Ok(_)) => return Ok(payment),
            (None, Ok(_)) => {}
        }
    }
    // Hints keep coming in; the sweep finds the payment still due.
    Err(Error::Busy)
}

/// What the provider knows. Where it was never heard of an id, a charge is repeated, which is
/// idempotent, and a page that was never opened has only its time.
async fn ask(context: &PaymentContext<'_>, payment: &Payment) -> Result<Snapshot, ProviderError> {
    if payment.provider_payment_id.is_some() || payment.session_id.is_some() {
        return context.provider.look(payment).await;
    }
    let is_over = context.clock.now() >= payment.expires_at;
    let outcome = match payment.purpose {
        Purpose::TopUp if !is_over => return context.provider.charge(payment).await,
        Purpose::TopUp => Outcome::Failed("outcome_unknown".to_owned()),
        Purpose::Checkout(_) if is_over => Outcome::Expired,
        Purpose::Checkout(_) => Outcome::Pending,
    };
    Ok(Snapshot {
        outcome,
        captured: Money::ZERO,
        currency: context.provider.currency().to_owned(),
        refunded: Money::ZERO,
        disputed: Money::ZERO,
        provider_payment_id: None,
        saved: None,
    })
}

/// Books an answer, unless it is older than what is known: then `None`.
async fn book(
    tx: &dyn Tx,
    context: &PaymentContext<'_>,
    (seen, snapshot): (&Payment, &Snapshot),
    now: Timestamp,
) -> Result<Option<Payment>> {
    let wallet = tx.wallet_for_update(seen.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let before = tx.payment_for_update(seen.id).await?.ok_or(Error::NotFound(Thing::Payment))?;
    if before.revision != seen.revision {
        return Ok(None);
    }
    let mut payment = before.clone();
    if payment.provider_payment_id.is_none() {
        payment.provider_payment_id.clone_from(&snapshot.provider_payment_id);
    }
    progress(&mut payment, snapshot, context.provider.currency(), now);
    let mut ledger = Ledger { tx, random: context.random, wallet, now, events: Vec::new() };
    ledger.follow(&mut payment, snapshot).await?;
    let mut events = ledger.events;
    if let (Purpose::Checkout(pages), Some(saved)) = (&payment.purpose, &snapshot.saved)
        && pages.save_method
        && payment.posting_id.is_some()
        && before.posting_id.is_none()
    {
        tx.keep_method(payment.user_id, saved, now).await?;
    }
    if payment.state != before.state {
        match payment.state {
            PaymentState::Expired => events.push(event("payment.expired", &payment, now)),
            PaymentState::Failed => {
                events.push(event("payment.failed", &payment, now));
                events.extend(super::top_up::stop_after(tx, &payment, now).await?);
            }
            PaymentState::Pending | PaymentState::Paid => {}
        }
        payment.updated_at = now;
    }
    payment.check_at = payment.next_check(now);
    tx.save_payment(&payment).await?;
    tx.record(events).await?;
    Ok(Some(payment))
}

/// The state that follows from an answer. What was paid stays paid, and money that comes late is
/// money.
fn progress(payment: &mut Payment, snapshot: &Snapshot, currency: &str, now: Timestamp) {
    if payment.state == PaymentState::Paid {
        return;
    }
    match &snapshot.outcome {
        Outcome::Paid if snapshot.currency != currency => {
            let (theirs, id) = (&snapshot.currency, payment.id);
            error!(payment_id = %id, %theirs, "money came in a foreign currency; refund it by hand");
            payment.state = PaymentState::Failed;
            payment.failure = Some("foreign_currency".to_owned());
        }
        Outcome::Paid if snapshot.captured > Money::ZERO => {
            payment.state = PaymentState::Paid;
            payment.failure = None;
        }
        Outcome::Failed(reason) => {
            payment.state = PaymentState::Failed;
            payment.failure = Some(reason.chars().take(100).collect());
        }
        Outcome::Expired => payment.state = PaymentState::Expired,
        Outcome::Pending | Outcome::Paid => {
            let last = payment.next_check(now).is_none();
            if last && payment.state == PaymentState::Pending {
                payment.state = PaymentState::Expired;
            }
        }
    }
}

/// A locked wallet that follows a payment.
struct Ledger<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    wallet: Wallet,
    now: Timestamp,
    events: Vec<Event>,
}

impl Ledger<'_> {
    /// The deposit, once; then what was taken back since, or came back.
    async fn follow(&mut self, payment: &mut Payment, snapshot: &Snapshot) -> Result<()> {
        if payment.state != PaymentState::Paid {
            return Ok(());
        }
        if payment.posting_id.is_none() {
            let captured = snapshot.captured;
            let entries = paid_in(&self.wallet, captured);
            let words = (PostingKind::Deposit, "Card payment", "wallet.deposited");
            payment.posting_id = Some(self.book(payment, words, entries, captured).await?);
            payment.credited = captured;
        }
        let gone = snapshot.refunded.checked_add(snapshot.disputed).unwrap_or(payment.credited);
        let gone = gone.min(payment.credited).max(Money::ZERO);
        let growth = gone.saturating_sub(payment.reversed);
        if growth > Money::ZERO {
            let entries = taken_back(&self.wallet, growth);
            let words = (PostingKind::Reversal, "Card payment taken back", "wallet.reversed");
            self.book(payment, words, entries, growth).await?;
        } else if growth < Money::ZERO {
            let back = growth.magnitude();
            let entries = paid_in(&self.wallet, back);
            let words = (PostingKind::Deposit, "Card payment returned", "wallet.deposited");
            self.book(payment, words, entries, back).await?;
        }
        payment.reversed = gone;
        Ok(())
    }

    async fn book(
        &mut self,
        payment: &mut Payment,
        (kind, reason, told): (PostingKind, &'static str, &'static str),
        entries: Vec<Entry>,
        amount: Money,
    ) -> Result<PostingId> {
        let draft = PostingDraft {
            kind,
            entries,
            reason: reason.to_owned(),
            author: None,
            period: None,
            metadata: json!({ "payment_id": payment.id }),
            basis: None,
            corrects: payment.posting_id,
        };
        let before = self.wallet.clone();
        let (wallet, posting) = post(self.tx, self.random, before.clone(), self.now, draft).await?;
        let facts = json!({ "payment_id": payment.id, "posting_id": posting.id,
            "amount_e8": amount, "balance_e8": wallet.balance, "owed_e8": wallet.owed });
        let earlier = json!({ "balance_e8": before.balance, "owed_e8": before.owed });
        let event = Event { before: Some(earlier), ..with(told, payment, facts, self.now) };
        self.events.push(event);
        self.wallet = wallet;
        payment.updated_at = self.now;
        Ok(posting.id)
    }
}

/// Plans the next question after one that was not answered.
async fn postpone(tx: &dyn Tx, seen: &Payment, now: Timestamp) -> Result<Payment> {
    let found = tx.payment_for_update(seen.id).await?;
    let payment = found.ok_or(Error::NotFound(Thing::Payment))?;
    // A hint that came meanwhile stays due.
    if payment.revision != seen.revision {
        return Ok(payment);
    }
    let wait = (now - payment.created_at).clamp(RETRY_LEAST, RETRY_MOST);
    let next = payment.next_check(now).map_or(now + wait, |next| next.min(now + wait));
    let last = payment.created_at + super::REVERSIBLE;
    let payment = Payment { check_at: Some(next).filter(|next| *next <= last), ..payment };
    tx.save_payment(&payment).await?;
    Ok(payment)
}

/// How long to wait after a question that was not answered.
const RETRY_LEAST: chrono::Duration = chrono::Duration::minutes(1);
const RETRY_MOST: chrono::Duration = chrono::Duration::hours(1);

/// Changes a locked payment that nobody but us needs to know of.
pub(super) async fn change(
    tx: &dyn Tx,
    id: PaymentId,
    now: Timestamp,
    make: impl Fn(&mut Payment) + Send + Sync,
) -> Result<Payment> {
    let found = tx.payment_for_update(id).await?;
    let mut payment = found.ok_or(Error::NotFound(Thing::Payment))?;
    make(&mut payment);
    payment.updated_at = now;
    tx.save_payment(&payment).await?;
    Ok(payment)
}

/// What happened to a payment, for its payer.
pub(super) fn event(kind: &'static str, payment: &Payment, at: Timestamp) -> Event {
    let data = json!({ "payment_id": payment.id, "amount_e8": payment.amount,
        "state": payment.state, "reason": payment.failure });
    with(kind, payment, data, at)
}

fn with(kind: &'static str, payment: &Payment, data: Value, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Wallet(payment.user_id),
        actor: Actor::System,
        before: None,
        data,
        recipient: Some(payment.user_id),
        at,
    }
}
