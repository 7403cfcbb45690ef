//! One's own wallet.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get};
use chrono::NaiveDate;
use domain::clock::Timestamp;
use domain::error::Thing;
use domain::wallet::{self, Posting, PostingId, PostingKind, TransactionFilter, TransactionSort};
use domain::{Error, Result};
use serde::Serialize;
use serde_json::{Number, Value};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::Authenticated;
use super::field::instant;
use super::view::{Stamp, number};
use crate::app::App;
use crate::http::{Query, whole_number};

#[derive(Serialize, ToSchema)]
pub struct BalanceView {
    /// What can be spent, rounded down to the cent.
    #[schema(example = "125.50")]
    general_balance: String,
    #[schema(example = "USD")]
    currency: String,
}

#[derive(Serialize, ToSchema)]
pub struct TransactionView {
    #[schema(example = "507f1f77bcf86cd799439321")]
    id: String,
    user_id: String,
    /// `payment` (rent), `credit` (money paid in), `debit` (money paid in that was taken back),
    /// `refund` (also for downtime) or `adjustment`.
    #[schema(example = "payment")]
    transaction_type: &'static str,
    /// Always `completed`: what does not complete is not booked.
    #[schema(example = "completed")]
    status: &'static str,
    /// Above zero, but for an adjustment that took money away.
    #[schema(value_type = f64, example = 70)]
    amount: Number,
    #[schema(example = "USD")]
    currency: String,
    reason: String,
    #[schema(value_type = Object)]
    metadata: Value,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl TransactionView {
    /// A posting as its wallet's owner knows it.
    pub fn new(posting: Posting, currency: &str) -> Self {
        let amount = match posting.kind {
            PostingKind::Adjustment => posting.amount,
            PostingKind::Charge
            | PostingKind::Refund
            | PostingKind::Credit
            | PostingKind::Deposit
            | PostingKind::Reversal
            | PostingKind::Earning
            | PostingKind::Payout => posting.amount.magnitude(),
        };
        Self {
            id: posting.id.to_string(),
            user_id: posting.user_id.to_string(),
            transaction_type: type_name(posting.kind),
            status: "completed",
            amount: number(amount),
            currency: currency.to_owned(),
            reason: posting.reason,
            metadata: posting.metadata,
            created_at: Stamp(posting.at),
        }
    }
}

const fn type_name(kind: PostingKind) -> &'static str {
    match kind {
        PostingKind::Charge => "payment",
        PostingKind::Refund | PostingKind::Credit => "refund",
        PostingKind::Deposit | PostingKind::Earning => "credit",
        PostingKind::Reversal | PostingKind::Payout => "debit",
        PostingKind::Adjustment => "adjustment",
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaginationView {
    total: u64,
    page: u64,
    limit: u64,
    total_pages: u64,
}

#[derive(Serialize, ToSchema)]
pub struct TransactionsView {
    transactions: Vec<TransactionView>,
    pagination: PaginationView,
}

async fn own_balance(app: &App, signed: &Authenticated) -> Result<BalanceView> {
    let wallet = wallet::balance(app.store.as_ref(), &signed.caller).await?;
    let cents = wallet.balance.cents_floor();
    let general_balance = format!("{}.{:02}", cents / 100, cents % 100);
    Ok(BalanceView { general_balance, currency: app.settings.currency.clone() })
}

/// Look at one's balances.
#[utoipa::path(tag = "wallet", responses((status = 200, body = Success<BalanceView>)))]
#[get("/wallet/balances")]
pub async fn balances(app: Data<App>, signed: Authenticated) -> Answer<BalanceView> {
    Ok(Success::ok("Balances retrieved successfully", own_balance(&app, &signed).await?))
}

/// Look at one's general balance.
#[utoipa::path(tag = "wallet", responses((status = 200, body = Success<BalanceView>)))]
#[get("/wallet/balances/general")]
pub async fn show_general_balance(app: Data<App>, signed: Authenticated) -> Answer<BalanceView> {
    Ok(Success::ok("General balance retrieved successfully", own_balance(&app, &signed).await?))
}

fn kinds(text: &str) -> Result<&'static [PostingKind], &'static str> {
    match text {
        "payment" => Ok(&[PostingKind::Charge]),
        // Clients of the published API ask for rent by this word, too.
        "debit" => Ok(&[PostingKind::Charge, PostingKind::Reversal]),
        "credit" => Ok(&[PostingKind::Deposit]),
        "refund" => Ok(&[PostingKind::Refund, PostingKind::Credit]),
        "adjustment" => Ok(&[PostingKind::Adjustment]),
        _ => Err("must be payment, credit, debit, refund or adjustment"),
    }
}

fn day_or_instant(text: &str) -> Result<Timestamp, &'static str> {
    let is_day = NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    let midnight = is_day.then(|| format!("{text}T00:00:00Z"));
    instant(midnight.as_deref().unwrap_or(text)).map_err(
        |_| "must be a day such as 2025-01-21 or an instant such as 2025-01-21T22:00:00.000Z",
    )
}

fn sorting(query: &mut Query) -> TransactionSort {
    let ascending = query.value("sort_order", |text| match text {
        "asc" => Ok(true),
        "desc" => Ok(false),
        _ => Err("must be asc or desc"),
    });
    let descending = !ascending.unwrap_or(false);
    let by_amount = query.value("sort_by", |text| match text {
        "created_at" => Ok(false),
        "amount" => Ok(true),
        _ => Err("must be created_at or amount"),
    });
    if by_amount.unwrap_or(false) {
        TransactionSort::Amount { descending }
    } else {
        TransactionSort::CreatedAt { descending }
    }
}

/// List one's transactions by pages, newest first.
#[utoipa::path(tag = "wallet",
    params(("page" = Option<u32>, Query, minimum = 1, maximum = 1_000_000, description = "From 1"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Rows on a page, 20 if not given"),
           ("sort_by" = Option<String>, Query, pattern = "^(created_at|amount)$", description = "created_at or amount"),
           ("sort_order" = Option<String>, Query, pattern = "^(asc|desc)$", description = "asc or desc"),
           ("transaction_type" = Option<Vec<String>>, Query, explode = false, description = "Any of payment, credit, debit, refund, adjustment"),
           ("start_date" = Option<String>, Query, description = "Not before this day or instant", example = "2025-01-01"),
           ("end_date" = Option<String>, Query, description = "Before this day or instant", example = "2025-02-01")),
    responses((status = 200, body = Success<TransactionsView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/wallet/transactions")]
pub async fn list_transactions(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<TransactionsView> {
    let mut query = Query::parse(request.query_string());
    let part = |text: &str, most| whole_number(text, 1, most).map(u64::from);
    let page = query.value("page", |text| part(text, 1_000_000)).unwrap_or(1);
    let limit = query.value("limit", |text| part(text, 100)).unwrap_or(20);
    let filter = TransactionFilter {
        kinds: query.list("transaction_type", kinds).concat(),
        from: query.value("start_date", day_or_instant),
        until: query.value("end_date", day_or_instant),
    };
    let sort = sorting(&mut query);
    query.finish()?;
    let part = (page, limit);
    let found =
        wallet::transactions(app.store.as_ref(), &signed.caller, &filter, sort, part).await?;
    let currency = &app.settings.currency;
    let rows = found.rows.into_iter().map(|row| TransactionView::new(row, currency));
    let view = TransactionsView {
        transactions: rows.collect(),
        pagination: PaginationView {
            total: found.total,
            page: found.page,
            limit: found.limit,
            total_pages: found.total.div_ceil(found.limit),
        },
    };
    Ok(Success::ok("Transactions retrieved successfully", view))
}

/// Look at one of one's transactions.
#[utoipa::path(tag = "wallet", params(("id", description = "Transaction identifier")),
    responses((status = 200, body = Success<TransactionView>)),
    extensions(("x-errors" = json!(["TRANSACTION_NOT_FOUND"]))))]
#[get("/wallet/transactions/{id}")]
pub async fn show_transaction(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<TransactionView> {
    let id = PostingId::parse(&id).ok_or(Error::NotFound(Thing::Transaction))?;
    let posting = wallet::transaction(app.store.as_ref(), &signed.caller, id).await?;
    let view = TransactionView::new(posting, &app.settings.currency);
    Ok(Success::ok("Transaction retrieved successfully", view))
}
