//! Pays suppliers what they have earned.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{BankAccount, PayoutId, PayoutRunId, Supplier};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Operator, UserId};
use crate::wallet::{Account, Basis, PostingDraft, PostingId, PostingKind, Wallet, moved, post};

/// Suppliers in one run, which is one transaction; the others are paid by the next.
const MAX_IN_A_RUN: u32 = 1_000;

/// A wish to pay suppliers.
#[derive(Clone, Debug)]
pub struct PayOut {
    /// Who asks.
    pub operator: Operator,
    /// Whoever has less than this payable waits; whole cents, above zero.
    pub minimum: Money,
    /// Pays once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A run of payouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRun {
    /// Identifies the run.
    pub id: PayoutRunId,
    /// Whoever had less payable was left out.
    pub minimum: Money,
    /// Who ran it; `None` for the operator's console.
    pub author: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// Money for one supplier, for the bank to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Identifies the payout; the reference of the transfer.
    pub id: PayoutId,
    /// In which run.
    pub run_id: PayoutRunId,
    /// To whom.
    pub supplier_id: UserId,
    /// How much, whole cents.
    pub amount: Money,
    /// The account as it was then.
    pub bank_account: BankAccount,
    /// What booked it.
    pub posting_id: PostingId,
    /// When.
    pub at: Timestamp,
}

/// What a run did. Kept as the answer of its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidOut {
    /// The run.
    pub run: PayoutRun,
    /// How many suppliers.
    pub count: u32,
    /// All together.
    pub total: Money,
}

/// Books a payout for everybody who has enough payable. The bank is told by the run's list.
#[instrument(name = "supplier.pay_out", skip_all)]
pub async fn pay_out(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: PayOut,
) -> Result<PaidOut> {
    let author = request.operator.may(Permission::AdminWrite)?;
    if request.minimum <= Money::ZERO || !request.minimum.is_whole_cents() {
        return Err(Error::invalid("/minimum", "must be whole cents, above 0"));
    }
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let run = || async { run(tx, random, &request, (author, now)).await };
        match author {
            Some(user_id) => {
                let key = request.idempotency_key.as_ref();
                let attempt = Attempt { key, user_id, operation: "supplier.pay_out", at: now };
                once(tx, attempt, &request.minimum, async || run().await).await
            }
            None => run().await,
        }
    })
    .await
}

async fn run(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &PayOut,
    (author, now): (Option<UserId>, Timestamp),
) -> Result<PaidOut> {
    let ids = tx.suppliers_to_pay(request.minimum, MAX_IN_A_RUN).await?;
    let mut wallets = Vec::new();
    for id in &ids {
        wallets.push(tx.wallet_for_update(*id).await?.ok_or(Error::NotFound(Thing::User))?);
    }
    let run = PayoutRun {
        id: PayoutRunId::generate(now, random),
        minimum: request.minimum,
        author,
        at: now,
    };
    let (mut payouts, mut events) = (Vec::new(), Vec::new());
    for wallet in wallets {
        let supplier = tx.supplier_for_update(wallet.user_id).await?;
        let supplier = supplier.ok_or(Error::NotFound(Thing::Supplier))?;
        // It may have been paid while the locks were taken.
        if supplier.payable >= request.minimum {
            let payout = pay(tx, random, &run, (wallet, supplier)).await?;
            events.push(paid(&payout, &request.operator));
            payouts.push(payout);
        }
    }
    tx.add_payouts(&run, &payouts).await?;
    tx.record(events).await?;
    let total = payouts.iter().map(|payout| payout.amount).sum();
    Ok(PaidOut { run, count: u32::try_from(payouts.len()).unwrap_or(u32::MAX), total })
}

async fn pay(
    tx: &dyn Tx,
    random: &dyn Random,
    run: &PayoutRun,
    (wallet, supplier): (Wallet, Supplier),
) -> Result<Payout> {
    let basis = Basis::Payout { run_id: run.id, payable: supplier.payable };
    let amount = basis.amount();
    let id = PayoutId::generate(run.at, random);
    let draft = PostingDraft {
        kind: PostingKind::Payout,
        entries: moved(amount, Account::Payable(supplier.user_id), Account::CashClearing),
        reason: "Payout to the bank account".to_owned(),
        author: run.author,
        period: None,
        metadata: json!({ "payout_id": id }),
        basis: Some(basis),
        corrects: None,
    };
    let (_, posting) = post(tx, random, wallet, run.at, draft).await?;
    let payable = supplier.payable.saturating_sub(amount);
    tx.save_supplier(&Supplier { payable, ..supplier.clone() }).await?;
    Ok(Payout {
        id,
        run_id: run.id,
        supplier_id: supplier.user_id,
        amount,
        bank_account: supplier.bank_account,
        posting_id: posting.id,
        at: run.at,
    })
}

fn paid(payout: &Payout, operator: &Operator) -> Event {
    Event {
        kind: "supplier.paid_out",
        subject: Subject::Wallet(payout.supplier_id),
        actor: operator.actor(),
        before: None,
        data: json!({ "payout_id": payout.id, "run_id": payout.run_id,
            "amount_e8": payout.amount }),
        recipient: Some(payout.supplier_id),
        at: payout.at,
    }
}
