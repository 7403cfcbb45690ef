//! SSH keys of one's pools.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, post};
use domain::error::Thing;
use domain::pool::{Duplicates, Label, PoolId};
use domain::ssh_key::{self, AddSshKey, PublicKey, SshKey, SshKeyId};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, page};
use super::field::{Check, Field, ID, id_set};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct SshKeyBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "laptop")]
    #[serde(default)]
    name: Field<String>,
    /// One line as in OpenSSH's `authorized_keys`, without options before it.
    #[schema(value_type = String, required, max_length = 16_384, example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIISdR6vjl8nBcyzFTN2zAUpCF+U7DltE1VdvLyUntbok jane@example.org")]
    #[serde(default)]
    public_key: Field<String>,
    /// The pool that it is for; one's default pool if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{24}$")]
    #[serde(default)]
    pool_id: Field<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct SshKeysBody {
    #[schema(value_type = Vec<String>, required, min_items = 1, max_items = 1000)]
    #[serde(default)]
    ids: Field<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct SshKeyView {
    #[schema(example = "507f1f77bcf86cd799439601")]
    id: String,
    pool_id: String,
    #[schema(example = "laptop")]
    name: String,
    /// As it was sent.
    public_key: String,
    #[schema(example = "SHA256:VgS3deG2Wl/BxsL7HCYOZG47z5foxn8BdWE+eE2pBJw")]
    fingerprint: String,
    /// Who added it.
    author_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<SshKey> for SshKeyView {
    fn from(key: SshKey) -> Self {
        Self {
            id: key.id.to_string(),
            pool_id: key.pool_id.to_string(),
            name: key.name,
            public_key: key.public_key,
            fingerprint: key.fingerprint,
            author_id: key.author.map(|id| id.to_string()),
            created_at: Stamp(key.created_at),
        }
    }
}

fn key_id(id: &str) -> Result<SshKeyId> {
    SshKeyId::parse(id).ok_or(Error::NotFound(Thing::SshKey))
}

/// List the SSH keys of one's pools, newest first.
#[utoipa::path(tag = "keys",
    params(("pool_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Only of this pool"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<SshKeyView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND"]))))]
#[get("/ssh-keys")]
pub async fn list_ssh_keys(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<SshKeyView>> {
    let mut query = Query::parse(request.query_string());
    let pool_id = query.value("pool_id", |text| PoolId::parse(text).ok_or(ID));
    let page = page(&mut query, SshKeyId::parse);
    query.finish()?;
    let found = ssh_key::list(app.store.as_ref(), &signed.caller, pool_id, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("SSH keys retrieved successfully", views).continued(next))
}

/// Add an SSH key to a pool.
///
/// Every member of the pool may. A pool holds at most 1,000 keys, and each text once.
#[utoipa::path(tag = "keys", request_body = SshKeyBody,
    responses((status = 201, body = Success<SshKeyView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "POOL_NOT_FOUND", "SSH_KEY_EXISTS", "SSH_KEY_LIMIT"]))))]
#[post("/ssh-keys")]
pub async fn add_ssh_key(
    app: Data<App>,
    signed: Authenticated,
    body: Body<SshKeyBody>,
) -> Answer<SshKeyView> {
    let mut check = Check::default();
    let name = check.required("/name", body.0.name, |text| Label::parse(&text));
    let key = check.required("/public_key", body.0.public_key, |text| PublicKey::parse(&text));
    let pool_id = check.optional("/pool_id", body.0.pool_id, |text| PoolId::parse(&text).ok_or(ID));
    let request = check.finish(|| {
        let (name, public_key, duplicates) = (name?, key?, Duplicates::Refused);
        Some(AddSshKey { caller: signed.caller, pool_id, name, public_key, duplicates })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let (key, _) = ssh_key::add(store, clock, random, request).await?;
    Ok(Success::created("SSH key added successfully", key.into()))
}

/// Look at an SSH key.
#[utoipa::path(tag = "keys", params(("id", description = "SSH key identifier")),
    responses((status = 200, body = Success<SshKeyView>)),
    extensions(("x-errors" = json!(["SSH_KEY_NOT_FOUND"]))))]
#[get("/ssh-keys/{id}")]
pub async fn show_ssh_key(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<SshKeyView> {
    let key = ssh_key::show(app.store.as_ref(), &signed.caller, key_id(&id)?).await?;
    Ok(Success::ok("SSH key retrieved successfully", key.into()))
}

/// Delete an SSH key.
///
/// Whoever added it may, and the admins and the owner of its pool.
#[utoipa::path(tag = "keys", params(("id", description = "SSH key identifier")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["SSH_KEY_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/ssh-keys/{id}")]
pub async fn delete_ssh_key(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Done> {
    let ids = BTreeSet::from([key_id(&id)?]);
    ssh_key::delete(app.store.as_ref(), app.clock.as_ref(), &signed.caller, &ids).await?;
    Ok(Success::done("SSH key deleted successfully"))
}

/// Delete several SSH keys, all or none.
#[utoipa::path(tag = "keys", request_body = SshKeysBody,
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "SSH_KEY_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[delete("/ssh-keys")]
pub async fn delete_ssh_keys(
    app: Data<App>,
    signed: Authenticated,
    body: Body<SshKeysBody>,
) -> Answer<Done> {
    let ids = id_set(body.0.ids, SshKeyId::parse)?;
    ssh_key::delete(app.store.as_ref(), app.clock.as_ref(), &signed.caller, &ids).await?;
    Ok(Success::done("SSH keys deleted successfully"))
}
