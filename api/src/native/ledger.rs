//! The ledger, for whoever wants to check it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get};
use domain::Error;
use domain::error::Thing;
use domain::id::hex;
use domain::wallet::{self, Basis, Checkpoint, Entry, Explanation, Link, PostingId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::Authenticated;
use super::view::Stamp;
use crate::app::App;
use crate::http::{Query, whole_number};

/// One side of a movement of money.
#[derive(Serialize, ToSchema)]
pub struct EntryView {
    /// `wallet`, `receivable`, `escrow`, `payable`, `revenue`, `cash_clearing` or `write_off`.
    #[schema(example = "wallet")]
    account: &'static str,
    /// The user or rental that the account belongs to.
    owner_id: Option<String>,
    /// What the account gained, exactly.
    #[schema(example = "-70")]
    amount: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let owner = entry.account.owner();
        Self {
            account: entry.account.kind(),
            owner_id: owner.map(|id| PostingId::from_uuid(id).to_string()),
            amount: entry.amount.to_decimal().to_string(),
        }
    }
}

/// A movement of money, with its place in the chain. README.md says what the hash is made of.
#[derive(Serialize, ToSchema)]
pub struct LedgerEntryView {
    id: String,
    user_id: String,
    /// Its place in the wallet's chain, from 1.
    sequence: i64,
    /// `charge`, `refund`, `credit`, `deposit`, `reversal`, `adjustment`, `earning` or `payout`.
    #[schema(example = "charge")]
    kind: &'static str,
    /// What the wallet gained, exactly; for `earning` and `payout`, what is payable.
    #[schema(example = "-70")]
    amount: String,
    #[schema(example = "USD")]
    currency: String,
    reason: String,
    /// Who did it, if not Berth itself or a command on the server.
    author_id: Option<String>,
    rental_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    period_start: Option<Stamp>,
    /// The same in whole microseconds since 1970, as hashed.
    period_start_us: Option<i64>,
    /// The transaction that this one corrects.
    corrects: Option<String>,
    #[schema(value_type = Object)]
    metadata: Value,
    /// The numbers that the amount was made from. Amounts in it are in units of 10⁻⁸.
    #[schema(value_type = Option<Object>)]
    basis: Option<Basis>,
    /// All sides; they sum to zero.
    entries: Vec<EntryView>,
    /// SHA-256 of the movement before it in the chain, in hexadecimal digits.
    previous_hash: String,
    /// Its own.
    hash: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// The same in whole microseconds since 1970, as hashed.
    created_at_us: i64,
}

fn entry_view(link: Link, currency: &str) -> LedgerEntryView {
    let Link { posting, entries } = link;
    LedgerEntryView {
        id: posting.id.to_string(),
        user_id: posting.user_id.to_string(),
        sequence: posting.sequence,
        kind: posting.kind.as_str(),
        amount: posting.amount.to_decimal().to_string(),
        currency: currency.to_owned(),
        reason: posting.reason,
        author_id: posting.author.map(|id| id.to_string()),
        rental_id: posting.period.map(|(rental_id, _)| rental_id.to_string()),
        period_start: posting.period.map(|(_, start)| Stamp(start)),
        period_start_us: posting.period.map(|(_, start)| start.timestamp_micros()),
        corrects: posting.corrects.map(|id| id.to_string()),
        metadata: posting.metadata,
        basis: posting.basis,
        entries: entries.into_iter().map(Into::into).collect(),
        previous_hash: hex(&posting.previous_hash),
        hash: hex(&posting.hash),
        created_at: Stamp(posting.at),
        created_at_us: posting.at.timestamp_micros(),
    }
}

/// How an amount was rounded.
#[derive(Serialize, ToSchema)]
pub struct RoundingView {
    /// The amount before.
    #[schema(example = "23.333333333333")]
    exact: String,
    /// The amount after.
    #[schema(example = "23.33")]
    booked: String,
    #[schema(example = "rounded down to the cent, at most what is left of the charge")]
    rule: &'static str,
}

/// A movement of money, and how it came about.
#[derive(Serialize, ToSchema)]
pub struct ExplanationView {
    entry: LedgerEntryView,
    /// Each a step of the computation.
    steps: Vec<String>,
    /// Absent where the amount was not computed, such as of a deposit.
    rounding: Option<RoundingView>,
    /// Whether the amount computed anew from its basis is the booked one.
    amount_holds: Option<bool>,
    /// Whether the hash computed anew is the stored one.
    hash_holds: bool,
}

fn explanation_view(explanation: Explanation, currency: &str) -> ExplanationView {
    let booked = explanation.link.posting.amount.magnitude().to_decimal();
    ExplanationView {
        steps: explanation.steps,
        rounding: explanation.rounding.map(|(exact, rule)| RoundingView {
            exact: exact.to_string(),
            booked: booked.to_string(),
            rule,
        }),
        amount_holds: explanation.amount_holds,
        hash_holds: explanation.hash_holds,
        entry: entry_view(explanation.link, currency),
    }
}

/// The state of the whole ledger at a moment.
#[derive(Serialize, ToSchema)]
pub struct CheckpointView {
    number: i64,
    #[schema(value_type = String, format = DateTime)]
    taken_at: Stamp,
    /// What each kind of account held; together nothing.
    #[schema(value_type = Object)]
    totals: Value,
    previous_hash: String,
    /// Keep it elsewhere, and nobody can change what is before it without your seeing that.
    hash: String,
}

impl From<Checkpoint> for CheckpointView {
    fn from(checkpoint: Checkpoint) -> Self {
        let totals = checkpoint.totals.into_iter();
        let totals: serde_json::Map<String, Value> =
            totals.map(|(kind, sum)| (kind, json!(sum.to_decimal().to_string()))).collect();
        Self {
            number: checkpoint.number,
            taken_at: Stamp(checkpoint.taken_at),
            totals: Value::Object(totals),
            previous_hash: hex(&checkpoint.previous_hash),
            hash: hex(&checkpoint.hash),
        }
    }
}

/// `limit` (1 to 500) and the place of the last row seen.
fn part(query: &mut Query) -> (u32, Option<i64>) {
    let limit = query.value("limit", |text| whole_number(text, 1, 500)).unwrap_or(500);
    let after = query.value("cursor", |text| {
        let number = text.parse::<i64>().ok().filter(|number| *number > 0);
        number.ok_or("is not a cursor that this list has given")
    });
    (limit, after)
}

fn next<Row>(rows: &[Row], limit: u32, place: impl Fn(&Row) -> i64) -> Option<String> {
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= limit);
    rows.last().filter(|_| is_full).map(|row| place(row).to_string())
}

/// List the chain of one's wallet from its beginning, with all that its hashes cover.
#[utoipa::path(tag = "wallet",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<LedgerEntryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/wallet/ledger")]
pub async fn list_ledger(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<LedgerEntryView>> {
    let mut query = Query::parse(request.query_string());
    let (limit, after) = part(&mut query);
    query.finish()?;
    let links = wallet::ledger(app.store.as_ref(), &signed.caller, after, limit).await?;
    let next = next(&links, limit, |link| link.posting.sequence);
    let currency = &app.settings.currency;
    let views = links.into_iter().map(|link| entry_view(link, currency)).collect();
    Ok(Success::ok("Ledger retrieved successfully", views).continued(next))
}

/// Explain a movement of money: out of which price, quote and period, and by which rounding.
///
/// One's own; operators may ask about any.
#[utoipa::path(tag = "wallet", params(("id", description = "Transaction identifier")),
    responses((status = 200, body = Success<ExplanationView>)),
    extensions(("x-errors" = json!(["TRANSACTION_NOT_FOUND"]))))]
#[get("/ledger/entries/{id}/explain")]
pub async fn explain_entry(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<ExplanationView> {
    let id = PostingId::parse(&id).ok_or(Error::NotFound(Thing::Transaction))?;
    let explanation = wallet::explain(app.store.as_ref(), &signed.caller, id).await?;
    let view = explanation_view(explanation, &app.settings.currency);
    Ok(Success::ok("Entry explained successfully", view))
}

/// List the daily checkpoints of the ledger, oldest first.
#[utoipa::path(tag = "wallet",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<CheckpointView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/ledger/checkpoints")]
pub async fn list_checkpoints(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<CheckpointView>> {
    let mut query = Query::parse(request.query_string());
    let (limit, after) = part(&mut query);
    query.finish()?;
    let (store, after) = (app.store.as_ref(), after.unwrap_or(0));
    let found = wallet::checkpoints(store, &signed.caller, after, limit).await?;
    let next = next(&found, limit, |checkpoint| checkpoint.number);
    let views = found.into_iter().map(Into::into).collect();
    Ok(Success::ok("Checkpoints retrieved successfully", views).continued(next))
}
