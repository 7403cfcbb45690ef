//! Suppliers: what they earn, and what operators pay them.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use domain::error::Thing;
use domain::supplier::{
    self, AppointSupplier, BankAccount, PaidOut, PayOut, Payout, PayoutRun, PayoutRunId, Supplier,
};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::early_end::percent;
use super::envelope::{Answer, Success};
use super::error::Failure;
use super::extract::{Authenticated, Body, IdempotencyHeader, page};
use super::field::{Check, Field, amount, at_most};
use super::view::Stamp;
use crate::app::App;
use crate::config::basis_points;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct SupplierBody {
    /// What the operator keeps of the rent; rentals that run keep theirs.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,3}([.][0-9]{1,2})?$", example = "15.00")]
    #[serde(default)]
    commission_percent: Field<String>,
    /// In whose name the bank account is.
    #[schema(value_type = String, required, min_length = 1, max_length = 70, example = "Iron Hosting Ltd")]
    #[serde(default)]
    account_holder: Field<String>,
    /// Where payouts go.
    #[schema(value_type = String, required, max_length = 42, example = "DE89370400440532013000")]
    #[serde(default)]
    iban: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct SupplierView {
    user_id: String,
    username: String,
    #[schema(example = "15.00")]
    commission_percent: String,
    account_holder: String,
    iban: String,
    /// All that was earned so far, the commission taken off.
    #[schema(example = "595.00")]
    earned: String,
    /// What is to be paid out; below zero after a credit for rent that was paid out before.
    #[schema(example = "95.00")]
    payable: String,
    #[schema(example = "USD")]
    currency: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

fn supplier_view(supplier: Supplier, username: String, currency: &str) -> SupplierView {
    SupplierView {
        user_id: supplier.user_id.to_string(),
        username,
        commission_percent: percent(supplier.commission_bp),
        account_holder: supplier.bank_account.holder,
        iban: supplier.bank_account.iban,
        earned: supplier.earned.to_string(),
        payable: supplier.payable.to_string(),
        currency: currency.to_owned(),
        created_at: Stamp(supplier.created_at),
        updated_at: Stamp(supplier.updated_at),
    }
}

#[derive(Serialize, ToSchema)]
pub struct PayoutView {
    /// The reference of the bank's transfer.
    id: String,
    run_id: String,
    supplier_id: String,
    #[schema(example = "500.00")]
    amount: String,
    account_holder: String,
    iban: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<Payout> for PayoutView {
    fn from(payout: Payout) -> Self {
        Self {
            id: payout.id.to_string(),
            run_id: payout.run_id.to_string(),
            supplier_id: payout.supplier_id.to_string(),
            amount: payout.amount.to_string(),
            account_holder: payout.bank_account.holder,
            iban: payout.bank_account.iban,
            created_at: Stamp(payout.at),
        }
    }
}

/// One's account as a supplier.
#[derive(Serialize, ToSchema)]
pub struct SupplierAccountView {
    #[schema(example = "15.00")]
    commission_percent: String,
    /// Rent that was paid and is not earned yet, the commission included.
    #[schema(example = "120.00")]
    escrow: String,
    /// All that was earned so far, the commission taken off.
    #[schema(example = "595.00")]
    earned: String,
    /// What is to be paid out.
    #[schema(example = "95.00")]
    payable: String,
    #[schema(example = "USD")]
    currency: String,
    /// The newest payouts, at most 100.
    payouts: Vec<PayoutView>,
}

/// Look at one's account as a supplier.
#[utoipa::path(tag = "suppliers", responses((status = 200, body = Success<SupplierAccountView>)),
    extensions(("x-errors" = json!(["SUPPLIER_NOT_FOUND"]))))]
#[get("/supplier")]
pub async fn supplier_account(
    app: Data<App>,
    signed: Authenticated,
) -> Answer<SupplierAccountView> {
    let account = supplier::account(app.store.as_ref(), &signed.caller).await?;
    let view = SupplierAccountView {
        commission_percent: percent(account.supplier.commission_bp),
        escrow: account.escrow.to_string(),
        earned: account.supplier.earned.to_string(),
        payable: account.supplier.payable.to_string(),
        currency: app.settings.currency.clone(),
        payouts: account.payouts.into_iter().map(Into::into).collect(),
    };
    Ok(Success::ok("Supplier account retrieved successfully", view))
}

/// Make a user a supplier, or change a supplier's terms.
#[utoipa::path(tag = "operators", request_body = SupplierBody, params(("username", description = "The user's name")),
    responses((status = 200, body = Success<SupplierView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "USER_NOT_FOUND"]))))]
#[put("/admin/suppliers/{username}")]
pub async fn appoint_supplier(
    app: Data<App>,
    signed: Authenticated,
    username: Path<String>,
    body: Body<SupplierBody>,
) -> Answer<SupplierView> {
    let mut check = Check::default();
    let commission_bp = check
        .required("/commission_percent", body.0.commission_percent, |text| basis_points(&text));
    let holder = check.required("/account_holder", body.0.account_holder, at_most(70));
    let iban = check.required("/iban", body.0.iban, at_most(42));
    let (commission_bp, holder, iban) = check.finish(|| Some((commission_bp?, holder?, iban?)))?;
    let username = username.into_inner();
    let request = AppointSupplier {
        operator: signed.caller.into(),
        username: username.clone(),
        commission_bp,
        bank_account: BankAccount::parse(&holder, &iban)?,
    };
    let supplier = supplier::appoint(app.store.as_ref(), app.clock.as_ref(), request).await?;
    let view = supplier_view(supplier, username, &app.settings.currency);
    Ok(Success::ok("Supplier saved successfully", view))
}

/// List suppliers, by age.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<SupplierView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/suppliers")]
pub async fn list_suppliers(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<SupplierView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, domain::user::UserId::parse);
    query.finish()?;
    let found = supplier::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|id| id.to_string());
    let currency = &app.settings.currency;
    let views = found.rows.into_iter();
    let views = views.map(|(supplier, username)| supplier_view(supplier, username, currency));
    Ok(Success::ok("Suppliers retrieved successfully", views.collect()).continued(next))
}

#[derive(Deserialize, ToSchema)]
pub struct PayOutBody {
    /// Whoever has less payable waits; the configured minimum if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,2})?$", example = "50.00")]
    #[serde(default)]
    minimum: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PayoutRunView {
    id: String,
    #[schema(example = "50.00")]
    minimum: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<PayoutRun> for PayoutRunView {
    fn from(run: PayoutRun) -> Self {
        Self { id: run.id.to_string(), minimum: run.minimum.to_string(), created_at: Stamp(run.at) }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PaidOutView {
    run: PayoutRunView,
    /// How many suppliers are paid.
    count: u32,
    /// All together.
    #[schema(example = "500.00")]
    total: String,
    #[schema(example = "USD")]
    currency: String,
}

fn paid_out_view(paid: PaidOut, currency: &str) -> PaidOutView {
    PaidOutView {
        run: paid.run.into(),
        count: paid.count,
        total: paid.total.to_string(),
        currency: currency.to_owned(),
    }
}

/// Pay suppliers what they have earned.
///
/// It books a payout for everybody who has at least the minimum payable, up to 1,000 in a run. The
/// run's list, as JSON or CSV, is for the bank.
#[utoipa::path(tag = "operators", request_body = PayOutBody,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<PaidOutView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/admin/payouts")]
pub async fn pay_out(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    body: Body<PayOutBody>,
) -> Answer<PaidOutView> {
    let mut check = Check::default();
    let minimum = check.optional("/minimum", body.0.minimum, amount);
    let minimum = check.finish(|| Some(minimum.unwrap_or(app.settings.payout_minimum)))?;
    let operator = signed.caller.into();
    let request = PayOut { operator, minimum, idempotency_key: once.0 };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let paid = supplier::pay_out(store, clock, random, request).await?;
    let view = paid_out_view(paid, &app.settings.currency);
    Ok(Success::created("Payouts booked successfully", view))
}

/// List runs of payouts, newest first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<PayoutRunView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/payouts")]
pub async fn list_payout_runs(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<PayoutRunView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, PayoutRunId::parse);
    query.finish()?;
    let found = supplier::payout_runs(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Payout runs retrieved successfully", views).continued(next))
}

async fn payouts(app: &App, signed: Authenticated, id: &str) -> Result<Vec<Payout>> {
    let id = PayoutRunId::parse(id).ok_or(Error::NotFound(Thing::PayoutRun))?;
    let found = supplier::payout_run(app.store.as_ref(), &signed.caller.into(), id).await?;
    Ok(found.1)
}

/// List the payouts of a run.
#[utoipa::path(tag = "operators", params(("id", description = "Run identifier")),
    responses((status = 200, body = Success<Vec<PayoutView>>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "PAYOUT_RUN_NOT_FOUND"]))))]
#[get("/admin/payouts/{id}")]
pub async fn show_payout_run(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Vec<PayoutView>> {
    let payouts = payouts(&app, signed, &id).await?;
    let views = payouts.into_iter().map(Into::into).collect();
    Ok(Success::ok("Payouts retrieved successfully", views))
}

/// The payouts of a run as CSV, for the bank.
///
/// Its columns: reference, `account_holder`, iban, amount, currency.
#[utoipa::path(tag = "operators", params(("id", description = "Run identifier")),
    responses((status = 200, body = String, content_type = "text/csv")),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "PAYOUT_RUN_NOT_FOUND"]))))]
#[get("/admin/payouts/{id}/csv")]
pub async fn payouts_csv(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let payouts = payouts(&app, signed, &id).await?;
    let text = csv_of(&payouts, &app.settings.currency).map_err(Error::internal)?;
    let name = format!("attachment; filename=\"payouts-{id}.csv\"");
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .body(text))
}

fn csv_of(payouts: &[Payout], currency: &str) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["reference", "account_holder", "iban", "amount", "currency"])?;
    for payout in payouts {
        // A spreadsheet takes what begins like this for a formula.
        let holder = &payout.bank_account.holder;
        let guard = if holder.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        let holder = format!("{guard}{holder}");
        let (id, amount) = (payout.id.to_string(), payout.amount.to_string());
        writer.write_record([&id, &holder, &payout.bank_account.iban, &amount, currency])?;
    }
    writer.into_inner().map_err(|fault| fault.into_error().into())
}
