//! Money that an operator books: a deposit, or an adjustment in either direction.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Account, Draft, PostingId, PostingKind, post};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Operator, UserId};

/// No single booking is larger than this, which catches a slipped decimal point.
const MAX_BOOKING: Money = Money::from_e8(1_000_000 * 100_000_000);

/// An operator's booking.
#[derive(Clone, Debug)]
pub struct Book {
    /// Who books.
    pub operator: Operator,
    /// The user whose wallet it is, by name.
    pub username: String,
    /// How much: above zero for a deposit, not zero for an adjustment; whole cents.
    pub amount: Money,
    /// Why, 1 to 500 characters; the user sees it.
    pub reason: String,
    /// Books once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What was booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    /// The posting.
    pub id: PostingId,
    /// Whose wallet.
    pub user_id: UserId,
    /// How much the wallet gained or lost.
    pub amount: Money,
    /// The balance after it.
    pub balance: Money,
    /// When.
    pub at: Timestamp,
}

/// Books money that came in.
#[instrument(name = "wallet.deposit", skip_all)]
pub async fn deposit(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Book,
) -> Result<Booked> {
    if request.amount <= Money::ZERO {
        return Err(Error::invalid("/amount", "a deposit must be above 0"));
    }
    book(store, clock, random, request, PostingKind::Deposit).await
}

/// Corrects a balance, in either direction but never below zero.
#[instrument(name = "wallet.adjust", skip_all)]
pub async fn adjust(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Book,
) -> Result<Booked> {
    book(store, clock, random, request, PostingKind::Adjustment).await
}

async fn book(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Book,
    kind: PostingKind,
) -> Result<Booked> {
    let author = request.operator.may(Permission::AdminWrite)?;
    let reason = checked(&request)?;
    let at = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let user = tx.user_named(&request.username).await?.ok_or(Error::NotFound(Thing::User))?;
        let attempt = Attempt {
            key: request.idempotency_key.as_ref(),
            user_id: author.unwrap_or(user.id),
            operation: if kind == PostingKind::Deposit {
                "wallet.deposit"
            } else {
                "wallet.adjust"
            },
            at,
        };
        let asked = (user.id, request.amount, &reason);
        once(tx, attempt, &asked, async || {
            let wallet =
                tx.wallet_for_update(user.id).await?.ok_or(Error::NotFound(Thing::User))?;
            let against = match kind {
                PostingKind::Deposit => Account::CashClearing,
                PostingKind::Charge | PostingKind::Refund | PostingKind::Adjustment => {
                    Account::WriteOff
                }
            };
            let draft = Draft {
                kind,
                amount: request.amount,
                against,
                reason: reason.clone(),
                author,
                period: None,
                metadata: json!({}),
            };
            let (wallet, posting) = post(tx, random, wallet, at, draft).await?;
            tx.record(vec![event(user.id, author, &posting)]).await?;
            Ok(Booked {
                id: posting.id,
                user_id: user.id,
                amount: posting.amount,
                balance: wallet.balance,
                at,
            })
        })
        .await
    })
    .await
}

fn checked(request: &Book) -> Result<String> {
    let reason = request.reason.trim();
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: String| {
        violations.push(crate::error::Violation { path: path.to_owned(), message });
    };
    let amount = request.amount;
    if amount == Money::ZERO || amount.magnitude() > MAX_BOOKING || !amount.is_whole_cents() {
        fault("/amount", format!("must be whole cents, not 0, at most {MAX_BOOKING}"));
    }
    if reason.is_empty() || reason.chars().count() > 500 || reason.contains(char::is_control) {
        fault("/reason", "must be 1 to 500 characters".to_owned());
    }
    if violations.is_empty() { Ok(reason.to_owned()) } else { Err(Error::Invalid(violations)) }
}

fn event(user_id: UserId, actor: Option<UserId>, posting: &super::Posting) -> Event {
    Event {
        kind: match posting.kind {
            PostingKind::Deposit => "wallet.deposited",
            PostingKind::Charge | PostingKind::Refund | PostingKind::Adjustment => {
                "wallet.adjusted"
            }
        },
        subject: Subject::Wallet(user_id),
        actor,
        data: json!({
            "posting_id": posting.id,
            "amount_e8": posting.amount,
            "reason": posting.reason,
        }),
        at: posting.at,
    }
}
