//! How servers are logged in to, and what was done there.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, put};
use domain::Error;
use domain::error::Thing;
use domain::host::HostId;
use domain::remote::{
    self, HostKey, HostLogin, Identity, IdentityName, JournalEntry, JournalEntryId, PutLogin,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::capacities::host_id;
use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, page};
use super::field::{Check, Field, as_is};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

/// One of the operator's keys, with which servers are logged in to.
#[derive(Serialize, ToSchema)]
pub struct IdentityView {
    #[schema(example = "default")]
    name: String,
    /// For `authorized_keys` on the servers.
    #[schema(example = "ssh-ed25519 AAAA…")]
    public_key: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<Identity> for IdentityView {
    fn from(identity: Identity) -> Self {
        let Identity { name, public_key, created_at, .. } = identity;
        Self { name: name.to_string(), public_key, created_at: Stamp(created_at) }
    }
}

#[derive(Deserialize, ToSchema)]
pub struct IdentityBody {
    /// A private key in OpenSSH's format, without a passphrase; without one, a new key is made.
    #[schema(value_type = Option<String>, write_only)]
    #[serde(default)]
    private_key: Field<String>,
}

fn identity_name(text: &str) -> Result<IdentityName, Error> {
    IdentityName::parse(text).map_err(|_| Error::NotFound(Thing::SshIdentity))
}

/// List the keys with which servers are logged in to, by name.
#[utoipa::path(tag = "operators", responses((status = 200, body = Success<Vec<IdentityView>>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED"]))))]
#[get("/admin/ssh-identities")]
pub async fn list_identities(app: Data<App>, signed: Authenticated) -> Answer<Vec<IdentityView>> {
    let found = remote::identities(app.store.as_ref(), &signed.caller.into()).await?;
    let views = found.into_iter().map(Into::into).collect();
    Ok(Success::ok("SSH identities retrieved successfully", views))
}

/// Make a key with which servers are logged in to, or put another one in its place.
///
/// The private half is kept encrypted and never shown. Bring the public half to the servers first.
#[utoipa::path(tag = "operators", request_body = IdentityBody,
    params(("name", description = "Its name, 1 to 64 of A-Z a-z 0-9 . _ ~ -")),
    responses((status = 200, body = Success<IdentityView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[put("/admin/ssh-identities/{name}")]
pub async fn put_identity(
    app: Data<App>,
    signed: Authenticated,
    name: Path<String>,
    body: Body<IdentityBody>,
) -> Answer<IdentityView> {
    let name = IdentityName::parse(&name).map_err(|advice| Error::invalid("/name", advice))?;
    let mut check = Check::default();
    let brought = check.optional("/private_key", body.0.private_key, as_is);
    let brought: Option<SecretString> = check.finish(|| Some(brought.map(SecretString::from)))?;
    let (store, clock, operator) = (app.store.as_ref(), app.clock.as_ref(), signed.caller.into());
    let put = remote::put_identity(store, clock, &app.keys, &operator, (&name, brought.as_ref()));
    Ok(Success::ok("SSH identity saved successfully", put.await?.into()))
}

/// Forget a key with which no server is logged in to.
#[utoipa::path(tag = "operators", params(("name", description = "Its name")),
    responses((status = 200, body = Success<Done>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SSH_IDENTITY_NOT_FOUND", "IDENTITY_IN_USE"]))))]
#[delete("/admin/ssh-identities/{name}")]
pub async fn delete_identity(
    app: Data<App>,
    signed: Authenticated,
    name: Path<String>,
) -> Answer<Done> {
    let (store, clock, operator) = (app.store.as_ref(), app.clock.as_ref(), signed.caller.into());
    remote::delete_identity(store, clock, &operator, &identity_name(&name)?).await?;
    Ok(Success::done("SSH identity deleted successfully"))
}

/// How a server is logged in to.
#[derive(Serialize, ToSchema)]
pub struct LoginView {
    server_id: String,
    #[schema(example = "192.0.2.7")]
    address: String,
    #[schema(example = 22)]
    port: u16,
    #[schema(example = "root")]
    username: String,
    /// The key that logs in.
    #[schema(example = "default")]
    identity: String,
    /// The key by which the server is known: given, or that of the first contact.
    host_key: Option<String>,
    #[schema(example = "SHA256:…")]
    host_key_fingerprint: Option<String>,
    /// Another key that the server showed since. Nothing is done there before that is saved as `host_key`.
    shown_key: Option<String>,
    shown_key_fingerprint: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<HostLogin> for LoginView {
    fn from(login: HostLogin) -> Self {
        let text = |key: &Option<HostKey>| key.as_ref().map(ToString::to_string);
        let fingerprint = |key: &Option<HostKey>| key.as_ref().map(HostKey::fingerprint);
        Self {
            host_key: text(&login.host_key),
            host_key_fingerprint: fingerprint(&login.host_key),
            shown_key: text(&login.shown_key),
            shown_key_fingerprint: fingerprint(&login.shown_key),
            server_id: login.host_id.to_string(),
            address: login.address.to_string(),
            port: login.port,
            username: login.username,
            identity: login.identity.to_string(),
            updated_at: Stamp(login.updated_at),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub struct LoginBody {
    #[schema(value_type = String, required, example = "192.0.2.7")]
    #[serde(default)]
    address: Field<String>,
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535, default = 22)]
    #[serde(default)]
    port: Field<i64>,
    /// Root, or somebody who may become root by `sudo` without a password.
    #[schema(value_type = Option<String>, default = "root")]
    #[serde(default)]
    username: Field<String>,
    #[schema(value_type = Option<String>, default = "default")]
    #[serde(default)]
    identity: Field<String>,
    /// The key by which the server is to be known, such as `ssh-ed25519 AAAA…`; without one, that by which it
    /// is known already, or that of the first contact.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    host_key: Field<String>,
}

fn login(id: HostId, body: LoginBody, signed: Authenticated) -> Result<PutLogin, Error> {
    let mut check = Check::default();
    let address = check.required("/address", body.address, |text| {
        text.parse().map_err(|_| "must be an IPv4 or IPv6 address")
    });
    let port = check
        .optional("/port", body.port, |port| u16::try_from(port).map_err(|_| "must be 1 to 65535"));
    let username = check.optional("/username", body.username, as_is);
    let identity = check.optional("/identity", body.identity, |text| IdentityName::parse(&text));
    let host_key = check.optional("/host_key", body.host_key, |text| HostKey::parse(&text));
    check.finish(|| {
        Some(PutLogin {
            operator: signed.caller.into(),
            host_id: id,
            address: address?,
            port: port.unwrap_or(22),
            username: username.unwrap_or_else(|| "root".to_owned()),
            identity: identity.unwrap_or_else(|| IdentityName::from_stored("default".to_owned())),
            host_key,
        })
    })
}

/// Say how a server is logged in to.
///
/// One that is rented as a whole is then handed over and taken back over SSH.
#[utoipa::path(tag = "operators", request_body = LoginBody,
    params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<LoginView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[put("/admin/servers/{id}/login")]
pub async fn put_login(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    body: Body<LoginBody>,
) -> Answer<LoginView> {
    let request = login(host_id(&id)?, body.0, signed)?;
    let login = remote::put_login(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::ok("Login saved successfully", login.into()))
}

/// Look at how a server is logged in to.
#[utoipa::path(tag = "operators", params(("id", description = "Server identifier")),
    responses((status = 200, body = Success<LoginView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[get("/admin/servers/{id}/login")]
pub async fn show_login(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<LoginView> {
    let operator = signed.caller.into();
    let login = remote::show_login(app.store.as_ref(), &operator, host_id(&id)?).await?;
    Ok(Success::ok("Login retrieved successfully", login.into()))
}

/// A step that was done on a server by logging in.
#[derive(Serialize, ToSchema)]
pub struct JournalEntryView {
    id: String,
    /// What it was about: an instance, a rental or a unit's user; nothing where it was the server itself.
    subject: Option<String>,
    #[schema(example = "make_unit")]
    step: String,
    #[schema(value_type = String, format = DateTime)]
    begun_at: Stamp,
    /// Not there while it is being done, or where a crash cut it off.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Stamp>,
    exit_status: Option<i64>,
    /// The end of what it printed, at most 8 KiB, or why it failed.
    output: String,
}

impl From<JournalEntry> for JournalEntryView {
    fn from(entry: JournalEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            subject: entry.subject,
            step: entry.step,
            begun_at: Stamp(entry.begun_at),
            ended_at: entry.ended_at.map(Stamp),
            exit_status: entry.exit_status,
            output: entry.output,
        }
    }
}

/// List what was done on a server by logging in, newest first; of the last 30 days.
#[utoipa::path(tag = "operators",
    params(("id", description = "Server identifier"),
           ("subject" = Option<String>, Query, description = "Only what is about this instance, rental or user"),
           ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<JournalEntryView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "SERVER_NOT_FOUND"]))))]
#[get("/admin/servers/{id}/journal")]
pub async fn show_journal(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
    request: HttpRequest,
) -> Answer<Vec<JournalEntryView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, JournalEntryId::parse);
    let subject = query.text("subject", 64);
    query.finish()?;
    let of = (host_id(&id)?, subject.as_deref());
    let found = remote::journal(app.store.as_ref(), &signed.caller.into(), of, page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Journal retrieved successfully", views).continued(next))
}
