//! Who calls, by the header `Authorization: Bearer API_KEY`.

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use domain::error::Unauthenticated;
use domain::token::{self, ApiTokenSecret};
use domain::user::Caller;
use domain::{Error, Result};

use super::error::Failure;
use crate::app::App;
use crate::http::{Extracted, app, client_address, note_caller};

/// Whoever has the API token.
pub struct Account(pub Caller);

impl FromRequest for Account {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map(Self).map_err(Failure::from) })
    }
}

/// The same for operations on what somebody has, whose refusal says what is next.
pub struct Owner(pub Caller);

impl FromRequest for Owner {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map(Self).map_err(Failure::of_owner) })
    }
}

/// The same where nobody needs to sign in. A token that comes along must be valid.
pub struct MaybeAccount(pub Option<Caller>);

impl FromRequest for MaybeAccount {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            if !request.headers().contains_key(AUTHORIZATION) {
                return Ok(Self(None));
            }
            Ok(Self(Some(authenticate(&request).await?)))
        })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Caller> {
    let app = app(request)?;
    let secret = sent(request).ok_or(Error::Unauthenticated(Unauthenticated::Credentials))?;
    let from = client_address(request, &app);
    let caller = by_token(&app, &secret, from).await?;
    note_caller(request, caller.user_id);
    Ok(caller)
}

fn sent(request: &HttpRequest) -> Option<ApiTokenSecret> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    ApiTokenSecret::parse(key.trim())
}

async fn by_token(app: &App, secret: &ApiTokenSecret, from: std::net::IpAddr) -> Result<Caller> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let (caller, _) = token::authenticate(store, clock, secret, from).await?;
    Ok(caller)
}
