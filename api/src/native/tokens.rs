//! One's own API tokens.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post, put};
use domain::clock::Timestamp;
use domain::error::{Thing, Unauthenticated};
use domain::token::{self, ApiToken, ApiTokenId, ChangeToken, CreateToken, Permissions};
use domain::user::Alias;
use domain::{Error, Result};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, instant};
use super::view::Stamp;
use crate::app::App;
use crate::http::network;

#[derive(Deserialize, ToSchema)]
pub struct TokenBody {
    /// A name for it. Required when it is made.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "deploy script")]
    #[serde(default)]
    alias: Field<String>,
    /// When it stops working; null for never.
    #[schema(value_type = Option<String>, format = DateTime, example = "2030-01-01T00:00:00.000Z")]
    #[serde(default)]
    expires_at: Field<String>,
    /// Addresses and networks it may be used from; none means any.
    #[schema(value_type = Option<Vec<String>>, max_items = 100, example = json!(["203.0.113.7", "2001:db8::/32"]))]
    #[serde(default)]
    ip_whitelist: Field<Vec<String>>,
    /// A tree of paths, or `{"*": true}`. Required when it is made.
    #[schema(value_type = Object, example = json!({"rentals": {"read": true}, "marketplace": {"read": true}}))]
    #[serde(default)]
    permissions: Field<Map<String, Value>>,
}

#[derive(Serialize, ToSchema)]
pub struct TokenView {
    #[schema(example = "507f1f77bcf86cd799439401")]
    id: String,
    alias: String,
    /// The first characters of the secret, to recognise it by.
    #[schema(example = "berth_1a2b")]
    prefix: String,
    #[schema(value_type = Object)]
    permissions: Map<String, Value>,
    ip_whitelist: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Stamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Stamp>,
    last_used_ip: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            alias: token.alias.to_string(),
            prefix: token.prefix,
            permissions: token.permissions.to_tree(),
            ip_whitelist: token.ip_allow_list.iter().map(shortest).collect(),
            expires_at: token.expires_at.map(Stamp),
            created_at: Stamp(token.created_at),
            updated_at: Stamp(token.updated_at),
            last_used_at: token.last_used_at.map(Stamp),
            last_used_ip: token.last_used_ip.map(|address| address.to_string()),
        }
    }
}

/// A network of one address is shown as that address, as it was probably sent.
fn shortest(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

#[derive(Serialize, ToSchema)]
pub struct NewTokenView {
    /// The secret. It is shown this once.
    token: String,
    #[serde(flatten)]
    details: TokenView,
}

/// The fields of a body, checked alike when a token is made and when it is changed.
struct Checked {
    alias: Option<Alias>,
    expires_at: Option<Option<Timestamp>>,
    ip_allow_list: Option<Vec<IpNet>>,
    permissions: Option<Permissions>,
}

fn checked(check: &mut Check, body: TokenBody) -> Checked {
    Checked {
        alias: check.optional("/alias", body.alias, |text| Alias::parse(&text)),
        expires_at: check.change("/expires_at", body.expires_at, |text| instant(&text)),
        ip_allow_list: check.optional("/ip_whitelist", body.ip_whitelist, |texts| networks(&texts)),
        permissions: check
            .optional("/permissions", body.permissions, |tree| Permissions::parse(&tree)),
    }
}

fn networks(texts: &[String]) -> Result<Vec<IpNet>, String> {
    if texts.len() > 100 {
        return Err("has more than 100 entries".to_owned());
    }
    texts.iter().map(|text| network(text)).collect()
}

fn token_id(id: &str) -> Result<ApiTokenId> {
    ApiTokenId::parse(id).ok_or(Error::NotFound(Thing::Token))
}

/// List one's API tokens, newest first.
#[utoipa::path(tag = "tokens", responses((status = 200, body = Success<Vec<TokenView>>)))]
#[get("/auth/tokens")]
pub async fn list_tokens(app: Data<App>, signed: Authenticated) -> Answer<Vec<TokenView>> {
    let tokens = token::list(app.store.as_ref(), &signed.caller).await?;
    let views = tokens.into_iter().map(Into::into).collect();
    Ok(Success::ok("API tokens retrieved successfully", views))
}

/// Make an API token.
///
/// Its secret is in this answer and nowhere else. A token cannot grant what the credentials that
/// make it do not hold.
#[utoipa::path(tag = "tokens", request_body = TokenBody,
    responses((status = 201, body = Success<NewTokenView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_SCOPE"]))))]
#[post("/auth/tokens")]
pub async fn create_token(
    app: Data<App>,
    signed: Authenticated,
    body: Body<TokenBody>,
) -> Answer<NewTokenView> {
    let mut check = Check::default();
    if let Field::Missing | Field::Null = body.0.alias {
        check.fault("/alias", "is required");
    }
    if let Field::Missing | Field::Null = body.0.permissions {
        check.fault("/permissions", "is required");
    }
    let fields = checked(&mut check, body.0);
    let request = check.finish(|| {
        Some(CreateToken {
            caller: signed.caller,
            alias: fields.alias?,
            permissions: fields.permissions?,
            ip_allow_list: fields.ip_allow_list.unwrap_or_default(),
            expires_at: fields.expires_at.flatten(),
        })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let (token, secret) = token::create(store, clock, random, request).await?;
    let view = NewTokenView { token: secret.expose().to_owned(), details: token.into() };
    Ok(Success::created("API token created successfully", view))
}

/// Look at the token that this request came with.
#[utoipa::path(tag = "tokens", responses((status = 200, body = Success<TokenView>)))]
#[get("/auth/tokens/me")]
pub async fn own_token(signed: Authenticated) -> Answer<TokenView> {
    let unknown = Error::Unauthenticated(Unauthenticated::Credentials);
    let token = signed.api_token.ok_or(unknown)?;
    Ok(Success::ok("API token retrieved successfully", token.into()))
}

/// Look at one of one's API tokens.
#[utoipa::path(tag = "tokens", params(("id", description = "Token identifier")),
    responses((status = 200, body = Success<TokenView>)),
    extensions(("x-errors" = json!(["TOKEN_NOT_FOUND"]))))]
#[get("/auth/tokens/{id}")]
pub async fn show_token(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<TokenView> {
    let token = token::show(app.store.as_ref(), &signed.caller, token_id(&id)?).await?;
    Ok(Success::ok("API token retrieved successfully", token.into()))
}

/// Change one of one's API tokens; keys that are absent stay.
#[utoipa::path(tag = "tokens", request_body = TokenBody, params(("id", description = "Token identifier")),
    responses((status = 200, body = Success<TokenView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_SCOPE", "TOKEN_NOT_FOUND"]))))]
#[put("/auth/tokens/{id}")]
pub async fn change_token(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<TokenBody>,
) -> Answer<TokenView> {
    let id = token_id(&id)?;
    let mut check = Check::default();
    let fields = checked(&mut check, body.0);
    let request = check.finish(|| {
        Some(ChangeToken {
            caller: signed.caller,
            id,
            alias: fields.alias,
            permissions: fields.permissions,
            ip_allow_list: fields.ip_allow_list,
            expires_at: fields.expires_at,
        })
    })?;
    let token = token::change(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::ok("API token updated successfully", token.into()))
}

/// Delete one of one's API tokens; it stops working at once.
#[utoipa::path(tag = "tokens", params(("id", description = "Token identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["TOKEN_NOT_FOUND"]))))]
#[delete("/auth/tokens/{id}")]
pub async fn delete_token(app: Data<App>, signed: Authenticated, id: Path<String>) -> Answer<Done> {
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    token::delete(store, clock, &signed.caller, token_id(&id)?).await?;
    Ok(Success::done("API token deleted successfully"))
}
