//! Who calls, by the header `Authorization: Bearer TOKEN`.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use domain::error::Unauthenticated;
use domain::token::{self, ApiTokenSecret};
use domain::user::{Caller, service_account};
use domain::{Error, session};

use super::error::Failure;
use crate::app::{App, KloigosSettings};
use crate::config::is_private;
use crate::http::{Extracted, app, client_address, note_caller};

/// Whose calls those are that nobody needs to sign in for.
const EVERYBODY: &str = "kloigos";

/// Whoever has the token; where nobody is asked, an account that all share.
pub struct Account(pub Caller);

impl FromRequest for Account {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authenticate(&request).await.map(Self) })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Caller, Failure> {
    let app = app(request)?;
    let from = client_address(request, &app);
    let settings = app.settings.kloigos.as_ref();
    let caller = if let Some(open) = settings.filter(|kloigos| kloigos.is_open) {
        if !is_near(request, open) || !is_private(from) {
            return Err(Failure::Foreign);
        }
        let (store, clock, random) = (app.store.as_ref(), &*app.clock, &*app.random);
        let shared = service_account(store, clock, random, &*app.passwords, EVERYBODY).await?;
        Caller { from: Some(from), ..shared }
    } else {
        signed_in(&app, request, from).await?
    };
    note_caller(request, caller.user_id);
    Ok(caller)
}

/// Whether a request that says nothing of who sent it can be meant so. A page of somebody else's in an
/// operator's browser sends some as well: it says where it is from, or asks a name that leads here by now.
fn is_near(request: &HttpRequest, settings: &KloigosSettings) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = header("host").unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_ours = bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || settings.host.as_ref().is_some_and(|own| name.eq_ignore_ascii_case(own));
    let is_from_here = header("origin").is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
    });
    let is_of_one_site =
        header("sec-fetch-site").is_none_or(|site| ["same-origin", "none"].contains(&site));
    is_ours && is_from_here && is_of_one_site
}

async fn signed_in(app: &App, request: &HttpRequest, from: IpAddr) -> Result<Caller, Error> {
    let unknown = || Error::Unauthenticated(Unauthenticated::Credentials);
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, credentials) =
        header.unwrap_or_default().trim().split_once(' ').ok_or_else(unknown)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown());
    }
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    if let Some(secret) = ApiTokenSecret::parse(credentials.trim()) {
        return token::authenticate(store, clock, &secret, from).await.map(|(caller, _)| caller);
    }
    let session_id = app.access_tokens.read(credentials.trim(), clock.now()).ok_or_else(unknown)?;
    session::authenticate(store, clock, session_id, Some(from)).await
}
