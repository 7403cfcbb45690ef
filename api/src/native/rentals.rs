//! Rentals: rent, list, look, extend; and their aliases under `/servers`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use domain::error::Thing;
use domain::host::HostId;
use domain::money::Money;
use domain::page::Paged;
use domain::pool::PoolId;
use domain::quote::QuoteId;
use domain::rental::{self, ExtendRental, RentServer, RentalId, RentalKey, RentalWithHost};
use domain::{Error, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Paging, Success};
use super::extract::{Authenticated, Body, IdempotencyHeader, page};
use super::field::{Check, Field, instant, whole};
use super::rental_view::{
    ExtendedView, RentalAccessView, RentalDetailView, RentalRowView, RentedView, ServerRentalView,
};
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct RentBody {
    /// Must be one of the server's durations; required without a `quote_id`.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, example = 7)]
    #[serde(default)]
    rental_days: Field<i64>,
    /// A pool that one owns or administers.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
    /// Refuse with `CHARGE_EXCEEDS_MAX` what costs more.
    #[schema(value_type = Option<i64>, minimum = 0, example = 7000)]
    #[serde(default)]
    max_charge_cents: Field<i64>,
    /// Charge exactly what this quote says, or refuse.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    quote_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct ExtendBody {
    /// Must be one of the server's durations.
    #[schema(value_type = u32, required, minimum = 1, maximum = 3650, example = 7)]
    #[serde(default)]
    additional_days: Field<i64>,
    /// Refuse with `CHARGE_EXCEEDS_MAX` what costs more.
    #[schema(value_type = Option<i64>, minimum = 0, example = 7000)]
    #[serde(default)]
    max_charge_cents: Field<i64>,
    /// Refuse with `EXTENSION_ALREADY_APPLIED` unless the rental ends then.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    expected_rental_end: Field<String>,
}

fn cents(value: i64) -> Result<Money, &'static str> {
    let amount = Money::from_cents(value).filter(|amount| *amount >= Money::ZERO);
    amount.ok_or("must be a number of cents, not below 0")
}

/// Rent a server.
///
/// Charges the wallet and gives the server to the rental, all or nothing. With an
/// `Idempotency-Key` it happens once, however often it is sent.
#[utoipa::path(tag = "rentals", request_body = RentBody,
    params(("id", description = "Server identifier"), ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 201, body = Success<RentedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_DURATION", "NO_PRICING", "INSUFFICIENT_BALANCE", "SERVER_NOT_FOUND", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "SERVER_UNAVAILABLE", "CHARGE_EXCEEDS_MAX", "QUOTE_NOT_FOUND", "QUOTE_USED", "QUOTE_EXPIRED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/servers/{id}/rent")]
pub async fn rent_server(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    id: Path<String>,
    body: Body<RentBody>,
) -> Answer<RentedView> {
    let host_id = HostId::parse(&id).ok_or(Error::NotFound(Thing::Server))?;
    let mut check = Check::default();
    let quote_id = check.optional("/quote_id", body.0.quote_id, |text| {
        QuoteId::parse(&text).ok_or("must be 24 lower-case hexadecimal characters")
    });
    let days = if body.0.rental_days.is_absent() && quote_id.is_none() {
        check.required("/rental_days", body.0.rental_days, whole(1, 3_650))
    } else {
        check.optional("/rental_days", body.0.rental_days, whole(1, 3_650))
    };
    let pool_id = check.optional("/pool_id", body.0.pool_id, |text| {
        PoolId::parse(&text).ok_or("must be 24 lower-case hexadecimal characters")
    });
    let max_charge = check.optional("/max_charge_cents", body.0.max_charge_cents, cents);
    let (caller, idempotency_key) = (signed.caller, once.0);
    let request = check.finish(|| {
        let policy = app.settings.rental_policy;
        Some(RentServer {
            caller,
            host_id,
            days,
            pool_id,
            max_charge,
            quote_id,
            policy,
            idempotency_key,
        })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let rented = rental::rent(store, clock, random, app.signer.as_ref(), request).await?;
    let view = RentedView::new(rented, &app.settings.currency);
    Ok(Success::created("Server rented successfully", view))
}

/// Extend a rental at the server's price of the day.
///
/// A rental on hold becomes active again, charged from its old end. With an `Idempotency-Key` it
/// happens once, however often it is sent.
#[utoipa::path(tag = "rentals", request_body = ExtendBody,
    params(("id", description = "Rental identifier"), ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "1 to 255 visible ASCII characters")),
    responses((status = 200, body = Success<ExtendedView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_DURATION", "NO_PRICING", "INSUFFICIENT_BALANCE", "RENTAL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "SERVER_UNAVAILABLE", "CHARGE_EXCEEDS_MAX", "EXTENSION_ALREADY_APPLIED", "RENTAL_ENDED", "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS"]))))]
#[post("/rentals/{id}/extend")]
pub async fn extend_rental(
    app: Data<App>,
    signed: Authenticated,
    once: IdempotencyHeader,
    id: Path<String>,
    body: Body<ExtendBody>,
) -> Answer<ExtendedView> {
    let rental_id = RentalId::parse(&id).ok_or(Error::NotFound(Thing::Rental))?;
    let mut check = Check::default();
    let days = check.required("/additional_days", body.0.additional_days, whole(1, 3_650));
    let max_charge = check.optional("/max_charge_cents", body.0.max_charge_cents, cents);
    let expected_end =
        check.optional("/expected_rental_end", body.0.expected_rental_end, |text| instant(&text));
    let (caller, idempotency_key) = (signed.caller, once.0);
    let request = check.finish(|| {
        let days = days?;
        Some(ExtendRental { caller, rental_id, days, max_charge, expected_end, idempotency_key })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let extended = rental::extend(store, clock, random, request).await?;
    let view = ExtendedView::new(extended, &app.settings.currency);
    Ok(Success::ok("Rental extended successfully", view))
}

async fn rentals(
    app: &App,
    signed: &Authenticated,
    request: &HttpRequest,
) -> Result<(Vec<RentalWithHost>, Option<Paging>)> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, RentalId::parse);
    query.finish()?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let Paged { rows, next, total } = rental::list(store, clock, &signed.caller, page).await?;
    let next = next.map(|id| id.to_string());
    Ok((rows, total.map(|total| Paging { next, total: Some(total) })))
}

/// List the rentals that one has made or shares in a pool, newest first.
#[utoipa::path(tag = "rentals",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<RentalRowView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/rentals")]
pub async fn list_rentals(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<RentalRowView>> {
    let now = app.clock.now();
    let (rows, paging) = rentals(&app, &signed, &request).await?;
    let views = rows.into_iter().map(|row| RentalRowView::new(row.rental, now)).collect();
    Ok(Success::ok("Rentals retrieved successfully", views).paged(paging))
}

/// The same as `/rentals`, with the whole server in each row.
#[utoipa::path(tag = "rentals",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<ServerRentalView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/servers")]
pub async fn list_servers(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<ServerRentalView>> {
    let now = app.clock.now();
    let (rows, paging) = rentals(&app, &signed, &request).await?;
    let views = rows.into_iter().map(|row| ServerRentalView::new(row, now)).collect();
    Ok(Success::ok("Rentals retrieved successfully", views).paged(paging))
}

async fn detail(app: &App, signed: &Authenticated, key: RentalKey) -> Result<RentalDetailView> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let found = rental::show(store, clock, &signed.caller, key).await?;
    Ok(RentalDetailView::new(found, &app.settings.currency, clock.now()))
}

/// Look at a rental, its server and its first transaction.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<RentalDetailView>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND"]))))]
#[get("/rentals/{id}")]
pub async fn show_rental(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<RentalDetailView> {
    let id = RentalId::parse(&id).ok_or(Error::NotFound(Thing::Rental))?;
    let view = detail(&app, &signed, RentalKey::Id(id)).await?;
    Ok(Success::ok("Rental retrieved successfully", view))
}

/// Look at how a rented server is logged in to.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<RentalAccessView>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND"]))))]
#[get("/rentals/{id}/access")]
pub async fn show_rental_access(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<RentalAccessView> {
    let id = RentalId::parse(&id).ok_or(Error::NotFound(Thing::Rental))?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let found = rental::log_in(store, clock, &signed.caller, id).await?;
    Ok(Success::ok("Access retrieved successfully", found.into()))
}

/// Let the SSH keys of today in, and no others.
///
/// Those are the keys of the rental's pool, or without one of the pools that the renter owns.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "RENTAL_ENDED"]))))]
#[post("/rentals/{id}/access")]
pub async fn renew_rental_access(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let id = RentalId::parse(&id).ok_or(Error::NotFound(Thing::Rental))?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    rental::renew_access(store, clock, random, &signed.caller, id).await?;
    Ok(Success::done("Access renewed successfully"))
}

/// The same as `/rentals/{id}`; the server's own id finds the newest rental of it that one may see.
#[utoipa::path(tag = "rentals", params(("id", description = "Rental identifier, or server identifier")),
    responses((status = 200, body = Success<RentalDetailView>)),
    extensions(("x-errors" = json!(["RENTAL_NOT_FOUND"]))))]
#[get("/servers/{id}")]
pub async fn show_server(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<RentalDetailView> {
    let ids = RentalId::parse(&id).zip(HostId::parse(&id));
    let (id, host_id) = ids.ok_or(Error::NotFound(Thing::Rental))?;
    let view = detail(&app, &signed, RentalKey::IdOrHost(id, host_id)).await?;
    Ok(Success::ok("Rental details retrieved successfully", view))
}
