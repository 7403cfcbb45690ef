//! Tokens for client credentials, and for the refresh tokens that came with them.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use domain::client_credential::{self, ClientCredentialId, ClientSecret};
use serde::{Deserialize, Serialize};

use super::body::JsonOrForm;
use super::error::{Code, Failure};
use crate::app::App;
use crate::auth::{SCOPE, TokenUse};
use crate::http::client_address;

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    scope: &'static str,
}

/// A pair of tokens for client credentials or a refresh token.
#[post("/oauth2/token")]
pub async fn get_access_token(
    app: Data<App>,
    request: HttpRequest,
    body: JsonOrForm<TokenRequest>,
) -> Result<HttpResponse, Failure> {
    let decision =
        app.limits.from_address(client_address(&request, &app), "verda token".to_owned());
    if !decision.allowed {
        let seconds = decision.retry_after().num_seconds().max(1);
        return Err(Failure::TooMany(u32::try_from(seconds).unwrap_or(u32::MAX)));
    }
    let id = match body.0.grant_type.as_deref() {
        Some("client_credentials") => by_credentials(&app, &request, body.0).await?,
        Some("refresh_token") => by_refresh_token(&app, &request, body.0).await?,
        Some(_) => return Err(Failure::Told(Code::InvalidRequest, "unsupported grant type")),
        None => return Err(Failure::Told(Code::InvalidRequest, "grant_type is not specified")),
    };
    let pair = app.client_tokens.issue(id, app.random.as_ref(), app.clock.now())?;
    Ok(HttpResponse::Ok().json(TokenResponse {
        access_token: pair.access,
        token_type: "Bearer",
        expires_in: pair.lifetime.num_seconds(),
        refresh_token: pair.refresh,
        scope: SCOPE,
    }))
}

async fn by_credentials(
    app: &App,
    request: &HttpRequest,
    body: TokenRequest,
) -> Result<ClientCredentialId, Failure> {
    const WRONG: Failure = Failure::Told(Code::Unauthorized, "Invalid client id or client secret");
    let (Some(id), Some(secret)) = (body.client_id, body.client_secret) else {
        let missing = "client_id and client_secret are required";
        return Err(Failure::Told(Code::InvalidRequest, missing));
    };
    let id = ClientCredentialId::parse(&id).ok_or(WRONG)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let halves = (id, &ClientSecret::presented(secret.into()));
    let checked =
        client_credential::authenticate(store, clock, halves, client_address(request, app)).await;
    recognised(checked, WRONG).map(|()| id)
}

async fn by_refresh_token(
    app: &App,
    request: &HttpRequest,
    body: TokenRequest,
) -> Result<ClientCredentialId, Failure> {
    const WRONG: Failure = Failure::Told(Code::Unauthorized, "Invalid refresh token");
    let Some(token) = body.refresh_token else {
        return Err(Failure::Told(Code::InvalidRequest, "refresh_token is required"));
    };
    let read = app.client_tokens.read(&token, TokenUse::Refresh, app.clock.now());
    let id = read.ok_or(WRONG)?;
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let checked =
        client_credential::recognise(store, clock, id, client_address(request, app)).await;
    recognised(checked, WRONG).map(|()| id)
}

/// Who is not known is told in the words of the document; a fault of ours stays one.
fn recognised<T>(checked: domain::Result<T>, wrong: Failure) -> Result<(), Failure> {
    match checked {
        Ok(_) => Ok(()),
        Err(domain::Error::Unauthenticated(_)) => Err(wrong),
        Err(error) => Err(Failure::Domain(error)),
    }
}
