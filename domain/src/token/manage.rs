//! Makes, changes and deletes one's own API tokens.

use ipnet::IpNet;
use serde_json::json;
use tracing::instrument;

use super::{ApiToken, ApiTokenId, ApiTokenSecret, Permission, Permissions};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Forbidden, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::user::{Alias, Caller};

/// A user holds at most this many tokens, so that a list of them has a bound.
const MAX_TOKENS: usize = 100;

/// A wish for a token.
#[derive(Debug)]
pub struct CreateToken {
    /// Who asks, and will own it.
    pub caller: Caller,
    /// A name for it.
    pub alias: Alias,
    /// What it allows; at most what the caller's credentials allow.
    pub permissions: Permissions,
    /// Where it may be used from; none means anywhere.
    pub ip_allow_list: Vec<IpNet>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// What to change in a token; what is `None` stays.
#[derive(Debug)]
pub struct ChangeToken {
    /// Who asks.
    pub caller: Caller,
    /// Which token.
    pub id: ApiTokenId,
    /// The new name.
    pub alias: Option<Alias>,
    /// The new permissions.
    pub permissions: Option<Permissions>,
    /// The new addresses.
    pub ip_allow_list: Option<Vec<IpNet>>,
    /// The new end; `Some(None)` removes it.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Makes a token; its secret is in the answer and nowhere else.
#[instrument(name = "token.create", skip_all)]
pub async fn create(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: CreateToken,
) -> Result<(ApiToken, ApiTokenSecret)> {
    request.caller.may(Permission::TokensWrite)?;
    let now = clock.now();
    ends_later(request.expires_at, now)?;
    let secret = ApiTokenSecret::generate(random);
    let token = ApiToken {
        id: ApiTokenId::generate(now, random),
        user_id: request.caller.user_id,
        alias: request.alias,
        prefix: secret.shown_prefix(),
        permissions: request.permissions,
        ip_allow_list: request.ip_allow_list,
        expires_at: request.expires_at,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        last_used_ip: None,
    };
    not_more_than_held(&request.caller, &token)?;
    atomically(store, async |tx: &dyn Tx| {
        tx.user_for_update(token.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        if tx.api_tokens_of(token.user_id).await?.len() >= MAX_TOKENS {
            let message = format!("you have {MAX_TOKENS} tokens already; delete one first");
            return Err(Error::invalid("/alias", message));
        }
        tx.add_api_token(&token, &secret.hash()).await?;
        tx.record(vec![event("token.created", &token, request.caller.actor(), now)]).await
    })
    .await?;
    Ok((token, secret))
}

/// Changes one of the caller's tokens.
#[instrument(name = "token.change", skip_all)]
pub async fn change(
    store: &dyn Store,
    clock: &dyn Clock,
    request: ChangeToken,
) -> Result<ApiToken> {
    request.caller.may(Permission::TokensWrite)?;
    let now = clock.now();
    ends_later(request.expires_at.flatten(), now)?;
    let user_id = request.caller.user_id;
    atomically(store, async |tx: &dyn Tx| {
        tx.user_for_update(user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        let found = tx.api_token_of(user_id, request.id).await?;
        let token = found.ok_or(Error::NotFound(Thing::Token))?;
        not_more_than_held(&request.caller, &token)?;
        let token = ApiToken {
            alias: request.alias.clone().unwrap_or(token.alias),
            permissions: request.permissions.clone().unwrap_or(token.permissions),
            ip_allow_list: request.ip_allow_list.clone().unwrap_or(token.ip_allow_list),
            expires_at: request.expires_at.unwrap_or(token.expires_at),
            updated_at: now,
            ..token
        };
        not_more_than_held(&request.caller, &token)?;
        tx.save_api_token(&token).await?;
        tx.record(vec![event("token.changed", &token, request.caller.actor(), now)]).await?;
        Ok(token)
    })
    .await
}

/// Deletes one of the caller's tokens; it stops working at once.
#[instrument(name = "token.delete", skip_all)]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: ApiTokenId,
) -> Result<()> {
    caller.may(Permission::TokensWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        tx.user_for_update(caller.user_id).await?.ok_or(Error::NotFound(Thing::User))?;
        let found = tx.api_token_of(caller.user_id, id).await?;
        let token = found.ok_or(Error::NotFound(Thing::Token))?;
        tx.delete_api_token(token.id).await?;
        tx.record(vec![event("token.deleted", &token, caller.actor(), now)]).await
    })
    .await
}

/// The caller's tokens, newest first.
pub async fn list(store: &dyn Store, caller: &Caller) -> Result<Vec<ApiToken>> {
    caller.may(Permission::TokensRead)?;
    store.reads().api_tokens_of(caller.user_id).await
}

/// One of the caller's tokens.
pub async fn show(store: &dyn Store, caller: &Caller, id: ApiTokenId) -> Result<ApiToken> {
    caller.may(Permission::TokensRead)?;
    let found = store.reads().api_token_of(caller.user_id, id).await?;
    found.ok_or(Error::NotFound(Thing::Token))
}

/// Programs make, change and touch only tokens that can do no more than they themselves.
fn not_more_than_held(caller: &Caller, token: &ApiToken) -> Result<()> {
    if token.is_within(caller) { Ok(()) } else { Err(Error::Forbidden(Forbidden::Escalation)) }
}

fn ends_later(expires_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("/expires_at", "the end of a token must be in the future"));
    }
    Ok(())
}

fn event(kind: &'static str, token: &ApiToken, actor: Actor, at: Timestamp) -> Event {
    Event {
        kind,
        subject: Subject::Token(token.id),
        actor,
        before: None,
        recipient: None,
        data: json!({ "prefix": token.prefix, "permissions": token.permissions.to_tree() }),
        at,
    }
}
