//! What handlers take: the caller, a checked body, ids, an idempotency key, a page.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use domain::Error;
use domain::error::Unauthenticated;
use domain::idempotency::IdempotencyKey;
use domain::page::Page;
use domain::session::{self, SessionId};
use domain::token::{self, ApiToken, ApiTokenSecret};
use domain::user::Caller;

use super::error::Failure;
use crate::app::App;
use crate::http::{Extracted, JsonBody, Query, app, client_address, note_caller};

/// Who calls.
pub struct Authenticated {
    /// The user and what their credentials allow.
    pub caller: Caller,
    /// The session, if they came with an access token.
    pub session_id: Option<SessionId>,
    /// The API token, if they came with one.
    pub api_token: Option<ApiToken>,
}

impl FromRequest for Authenticated {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let signed = authenticate(&request).await?;
            signed.ok_or_else(|| Error::Unauthenticated(Unauthenticated::Credentials).into())
        })
    }
}

/// Who calls, where nobody needs to sign in. Credentials that come along must be valid.
pub struct MaybeAuthenticated(pub Option<Authenticated>);

impl MaybeAuthenticated {
    /// The caller, if there is one.
    pub fn caller(&self) -> Option<&Caller> {
        self.0.as_ref().map(|signed| &signed.caller)
    }
}

impl FromRequest for MaybeAuthenticated {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map(Self) })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Option<Authenticated>, Failure> {
    let app = app(request)?;
    let Some(header) = request.headers().get("authorization") else {
        return Ok(None);
    };
    let unknown = || Error::Unauthenticated(Unauthenticated::Credentials);
    let header = header.to_str().map_err(|_| unknown())?.trim();
    let bearer = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    // API tokens are also accepted bare.
    let credentials = bearer.map_or(header, |(_, credentials)| credentials.trim());
    let signed = match ApiTokenSecret::parse(credentials) {
        Some(secret) => by_api_token(&app, request, &secret).await?,
        None => by_access_token(&app, request, credentials).await?,
    };
    note_caller(request, signed.caller.user_id);
    Ok(Some(signed))
}

async fn by_api_token(
    app: &App,
    request: &HttpRequest,
    secret: &ApiTokenSecret,
) -> Result<Authenticated, Error> {
    let from = client_address(request, app);
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let (caller, api_token) = token::authenticate(store, clock, secret, from).await?;
    Ok(Authenticated { caller, session_id: None, api_token: Some(api_token) })
}

async fn by_access_token(
    app: &App,
    request: &HttpRequest,
    credentials: &str,
) -> Result<Authenticated, Error> {
    let from = client_address(request, app);
    let session_id = app.access_tokens.read(credentials, app.clock.now());
    let session_id = session_id.ok_or(Error::Unauthenticated(Unauthenticated::Credentials))?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let caller = session::authenticate(store, clock, session_id, Some(from)).await?;
    Ok(Authenticated { caller, session_id: Some(session_id), api_token: None })
}

/// Where the request comes from.
pub struct ClientAddress(pub IpAddr);

impl FromRequest for ClientAddress {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = app(request).map_err(Failure::from);
        std::future::ready(app.map(|app| Self(client_address(request, &app))))
    }
}

/// A JSON body of a wire type.
pub type Body<T> = JsonBody<T, Failure>;

/// The `Idempotency-Key` header, if it was sent.
pub struct IdempotencyHeader(pub Option<IdempotencyKey>);

impl FromRequest for IdempotencyHeader {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sent = request.headers().get("idempotency-key");
        let key = sent.map(|value| IdempotencyKey::parse(value.to_str().unwrap_or_default()));
        let key = key.transpose().map_err(|fault| Error::invalid("Idempotency-Key", fault));
        std::future::ready(key.map(Self).map_err(Failure::from))
    }
}

/// `limit` (1 to 500) and `cursor`; without a limit the whole list.
pub fn page<Key>(query: &mut Query, parse: impl Fn(&str) -> Option<Key>) -> Page<Key> {
    let after =
        query.value("cursor", |text| parse(text).ok_or("is not a cursor that this list has given"));
    let limit = query.number("limit", 1, 500);
    // A cursor alone still asks for a page.
    Page { limit: limit.or(after.is_some().then_some(500)), after }
}

/// The same for lists that may be long: without a limit, 500.
pub fn bounded_page<Key>(query: &mut Query, parse: impl Fn(&str) -> Option<Key>) -> Page<Key> {
    let Page { after, limit } = page(query, parse);
    Page { after, limit: limit.or(Some(500)) }
}
