//! Money that an operator books: a deposit, or an adjustment in either direction.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Account, Posting, PostingDraft, PostingId, PostingKind, Wallet, moved, paid_in, post};
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
    /// The posting in the same wallet that an adjustment corrects.
    pub corrects: Option<PostingId>,
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

    fn draft(self, wallet: &Wallet, request: &Book, author: Option<UserId>) -> PostingDraft {
        let (kind, entries) = match self {
            Self::Deposit => (PostingKind::Deposit, paid_in(wallet, request.amount)),
            Self::Adjustment => {
                let own = Account::Wallet(wallet.user_id);
                (PostingKind::Adjustment, moved(request.amount, Account::WriteOff, own))
            }
        };
        PostingDraft {
            kind,
            entries,
            reason: request.reason.trim().to_owned(),
            author,
            period: None,
            metadata: request.corrects.map_or(json!({}), |id| json!({ "corrects": id })),
            basis: None,
            corrects: request.corrects,
        }
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
        let asked = json!([user.id, request.amount, reason]);
        let asked = request.corrects.map_or(asked.clone(), |id| json!([asked, id]));
        once(tx, attempt, &asked, async || {
            let wallet =
                tx.wallet_for_update(user.id).await?.ok_or(Error::NotFound(Thing::User))?;
            if let Some(id) = request.corrects {
                let corrected = tx.posting_of(user.id, id).await?;
                let advice = "is no transaction of this user";
                corrected.ok_or_else(|| Error::invalid("/corrects", advice))?;
            }
            let before = wallet.balance;
            let draft = booking.draft(&wallet, &request, author);
            let (wallet, posting) = post(tx, random, wallet, at, draft).await?;
            let event = event(booking, &request.operator, &posting, (before, wallet.balance));
            tx.record(vec![event]).await?;
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

fn event(
    booking: Booking,
    operator: &Operator,
    posting: &Posting,
    (before, after): (Money, Money),
) -> Event {
    Event {
        kind: booking.event(),
        subject: Subject::Wallet(posting.user_id),
        actor: operator.actor(),
        before: Some(json!({ "balance_e8": before })),
        data: json!({
            "posting_id": posting.id,
            "amount_e8": posting.amount,
            "reason": posting.reason,
            "corrects": posting.corrects,
            "balance_e8": after,
        }),
        recipient: Some(posting.user_id),
        at: posting.at,
    }
}
