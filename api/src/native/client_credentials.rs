//! The client credentials of a pool, for programs that speak one of the other surfaces.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post};
use domain::client_credential::{self, ClientCredential, ClientCredentialId};
use domain::error::Thing;
use domain::user::Alias;
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field};
use super::pools::pool_id;
use super::view::Stamp;
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct ClientCredentialBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "terraform")]
    #[serde(default)]
    alias: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct ClientCredentialView {
    /// The public half.
    #[schema(example = "507f1f77bcf86cd799439801")]
    client_id: String,
    pool_id: String,
    alias: String,
    /// As whom programs act that have them: who made them.
    author_id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Stamp>,
    last_used_ip: Option<String>,
}

impl From<ClientCredential> for ClientCredentialView {
    fn from(credential: ClientCredential) -> Self {
        Self {
            client_id: credential.id.to_string(),
            pool_id: credential.pool_id.to_string(),
            alias: credential.alias.to_string(),
            author_id: credential.author.to_string(),
            created_at: Stamp(credential.created_at),
            last_used_at: credential.last_used_at.map(Stamp),
            last_used_ip: credential.last_used_ip.map(|address| address.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct NewClientCredentialView {
    /// The secret half. It is shown this once.
    client_secret: String,
    #[serde(flatten)]
    details: ClientCredentialView,
}

fn client_id(id: &str) -> Result<ClientCredentialId> {
    ClientCredentialId::parse(id).ok_or(Error::NotFound(Thing::ClientCredential))
}

/// List the client credentials of a pool, newest first.
#[utoipa::path(tag = "pools", params(("id", description = "Pool identifier")),
    responses((status = 200, body = Success<Vec<ClientCredentialView>>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[get("/pools/{id}/client-credentials")]
pub async fn list_client_credentials(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<Vec<ClientCredentialView>> {
    let found = client_credential::list(app.store.as_ref(), &signed.caller, pool_id(&id)?).await?;
    let views = found.into_iter().map(Into::into).collect();
    Ok(Success::ok("Client credentials retrieved successfully", views))
}

/// Make client credentials for a pool.
///
/// A program that has both halves acts as who made them, in this pool only, and only as long as they
/// belong to it. The secret is in this answer and nowhere else.
#[utoipa::path(tag = "pools", request_body = ClientCredentialBody,
    params(("id", description = "Pool identifier")),
    responses((status = 201, body = Success<NewClientCredentialView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INSUFFICIENT_SCOPE", "POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED"]))))]
#[post("/pools/{id}/client-credentials")]
pub async fn create_client_credential(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<ClientCredentialBody>,
) -> Answer<NewClientCredentialView> {
    let pool_id = pool_id(&id)?;
    let mut check = Check::default();
    let alias = check.required("/alias", body.0.alias, |text| Alias::parse(&text));
    let alias = check.finish(|| alias)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let named = (pool_id, alias);
    let (credential, secret) =
        client_credential::create(store, clock, random, &signed.caller, named).await?;
    let view = NewClientCredentialView {
        client_secret: secret.expose().to_owned(),
        details: credential.into(),
    };
    Ok(Success::created("Client credentials created successfully", view))
}

/// Revoke client credentials of a pool; they, and the tokens got with them, stop working at once.
#[utoipa::path(tag = "pools",
    params(("id", description = "Pool identifier"), ("client_id", description = "The public half")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["POOL_NOT_FOUND", "POOL_ADMIN_REQUIRED", "CLIENT_CREDENTIAL_NOT_FOUND"]))))]
#[delete("/pools/{id}/client-credentials/{client_id}")]
pub async fn revoke_client_credential(
    app: Data<App>,
    signed: Authenticated,
    path: Path<(String, String)>,
) -> Answer<Done> {
    let (pool, id) = path.into_inner();
    let named = (pool_id(&pool)?, client_id(&id)?);
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    client_credential::revoke(store, clock, &signed.caller, named).await?;
    Ok(Success::done("Client credentials revoked successfully"))
}
