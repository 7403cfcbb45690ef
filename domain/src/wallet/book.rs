//! Money that an operator books: a deposit, or an adjustment in either direction.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Account, Posting, PostingDraft, PostingId, PostingKind, post};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing, Violation};
use crate::event::{Event, Subject};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::text::line;
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
    book(store, clock, random, request, Booking::Deposit).await
}

/// Corrects a balance, in either direction but never below zero.
#[instrument(name = "wallet.adjust", skip_all)]
pub async fn adjust(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Book,
) -> Result<Booked> {
    book(store, clock, random, request, Booking::Adjustment).await
}

/// What an operator books.
#[derive(Clone, Copy)]
enum Booking {
    Deposit,
    Adjustment,
}

impl Booking {
    const fn operation(self) -> &'static str {
        match self {
            Self::Deposit => "wallet.deposit",
            Self::Adjustment => "wallet.adjust",
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Deposit => "wallet.deposited",
            Self::Adjustment => "wallet.adjusted",
        }
    }

    fn draft(self, amount: Money, reason: String, author: Option<UserId>) -> PostingDraft {
        let (kind, against) = match self {
            Self::Deposit => (PostingKind::Deposit, Account::CashClearing),
            Self::Adjustment => (PostingKind::Adjustment, Account::WriteOff),
        };
        PostingDraft { kind, amount, against, reason, author, period: None, metadata: json!({}) }
    }
}

async fn book(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Book,
    booking: Booking,
) -> Result<Booked> {
    let author = request.operator.may(Permission::AdminWrite)?;
    let reason = checked(&request)?;
    let at = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let user = tx.user_named(&request.username).await?.ok_or(Error::NotFound(Thing::User))?;
        let key = request.idempotency_key.as_ref();
        let of_the_console = key.map(IdempotencyKey::of_the_console);
        let (key, user_id) = match author {
            Some(author) => (key, author),
            None => (of_the_console.as_ref(), user.id),
        };
        let attempt = Attempt { key, user_id, operation: booking.operation(), at };
        let asked = (user.id, request.amount, &reason);
        once(tx, attempt, &asked, async || {
            let wallet =
                tx.wallet_for_update(user.id).await?.ok_or(Error::NotFound(Thing::User))?;
            let draft = booking.draft(request.amount, reason.clone(), author);
            let (wallet, posting) = post(tx, random, wallet, at, draft).await?;
            tx.record(vec![event(booking, author, &posting)]).await?;
            let (user_id, amount, balance) = (user.id, posting.amount, wallet.balance);
            Ok(Booked { id: posting.id, user_id, amount, balance, at })
        })
        .await
    })
    .await
}

/// The trimmed reason, or every fault of the request.
fn checked(request: &Book) -> Result<String> {
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: String| {
        violations.push(Violation { path: path.to_owned(), message });
    };
    let amount = request.amount;
    if amount == Money::ZERO || amount.magnitude() > MAX_BOOKING || !amount.is_whole_cents() {
        fault("/amount", format!("must be whole cents, not 0, at most {MAX_BOOKING}"));
    }
    let reason = line(&request.reason, 500);
    if reason.is_none() {
        fault(
            "/reason",
            "must be 1 to 500 characters, none of them a control character".to_owned(),
        );
    }
    reason.filter(|_| violations.is_empty()).map(str::to_owned).ok_or(Error::Invalid(violations))
}

fn event(booking: Booking, actor: Option<UserId>, posting: &Posting) -> Event {
    Event {
        kind: booking.event(),
        subject: Subject::Wallet(posting.user_id),
        actor,
        data: json!({
            "posting_id": posting.id,
            "amount_e8": posting.amount,
            "reason": posting.reason,
        }),
        at: posting.at,
    }
}
