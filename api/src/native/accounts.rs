//! Sign-up, log-in, refresh, log-out, one's own account.

use actix_web::web::{Data, Path};
use actix_web::{get, patch, post, put};
use domain::error::Thing;
use domain::session::{self, LogIn, SignedIn};
use domain::user::{self, Alias, ChangeUser, Email, Password, Profile, SignUp, UserId, Username};
use domain::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Done, Success};
use super::extract::{Authenticated, Body, ClientAddress};
use super::field::{Check, Field, at_most};
use super::limited::{Limited, LimitedByAccount};
use super::pools_view::InvitationView;
use super::view::{Stamp, UserView};
use crate::app::App;

#[derive(Deserialize, ToSchema)]
pub struct SignUpBody {
    #[schema(value_type = String, required, min_length = 3, max_length = 50, pattern = "^[a-zA-Z0-9_-]{3,50}$", example = "new_developer")]
    #[serde(default)]
    username: Field<String>,
    #[schema(value_type = String, required, max_length = 254, example = "dev@example.org")]
    #[serde(default)]
    email: Field<String>,
    #[schema(value_type = String, required, min_length = 12, max_length = 128, example = "correct horse battery")]
    #[serde(default)]
    password: Field<String>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "New Developer")]
    #[serde(default)]
    alias: Field<String>,
}

/// Make an account.
///
/// The account comes with an empty wallet and a default pool.
#[utoipa::path(tag = "accounts", request_body = SignUpBody, security(()),
    responses((status = 201, body = Success<UserView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "USERNAME_TAKEN", "EMAIL_TAKEN", "RATE_LIMITED"]))))]
#[post("/auth/signup")]
pub async fn sign_up(
    app: Data<App>,
    _limited: Limited,
    address: ClientAddress,
    body: Body<SignUpBody>,
) -> Answer<UserView> {
    let mut check = Check::default();
    let username = check.required("/username", body.0.username, |text| Username::parse(&text));
    let email = check.required("/email", body.0.email, |text| Email::parse(&text));
    let password = check.required("/password", body.0.password, |text| Password::parse(&text));
    let alias = check.optional("/alias", body.0.alias, |text| Alias::parse(&text));
    let request = check.finish(|| {
        let from = Some(address.0);
        Some(SignUp { username: username?, email: email?, password: password?, alias, from })
    })?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let user = user::sign_up(store, clock, random, app.passwords.as_ref(), request).await?;
    Ok(Success::created("User registered successfully", user.into()))
}

#[derive(Deserialize, ToSchema)]
pub struct LogInBody {
    /// This or `email`.
    #[schema(value_type = Option<String>, max_length = 254, example = "team_lead")]
    #[serde(default)]
    username: Field<String>,
    /// This or `username`.
    #[schema(value_type = Option<String>, max_length = 254)]
    #[serde(default)]
    email: Field<String>,
    #[schema(value_type = String, required, max_length = 1024, example = "correct horse battery")]
    #[serde(default)]
    password: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct SignedInView {
    /// The access token, for `Authorization: Bearer`.
    token: String,
    #[serde(rename = "refreshToken")]
    refresh_token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Stamp,
    /// Seconds.
    expires_in: i64,
    #[schema(value_type = String, format = DateTime)]
    refresh_expires_at: Stamp,
    /// Seconds.
    refresh_expires_in: i64,
    user: UserView,
}

fn signed_in_view(app: &App, signed_in: SignedIn) -> Result<SignedInView> {
    let SignedIn { user, session, refresh_token, issued_at } = signed_in;
    let access = app.access_tokens.issue(&session, issued_at)?;
    Ok(SignedInView {
        token: access.token,
        refresh_token: refresh_token.expose_secret().to_owned(),
        expires_at: Stamp(access.expires_at),
        expires_in: (access.expires_at - issued_at).num_seconds(),
        refresh_expires_at: Stamp(session.expires_at),
        refresh_expires_in: (session.expires_at - issued_at).num_seconds(),
        user: user.into(),
    })
}

/// Log in with a password.
#[utoipa::path(tag = "accounts", request_body = LogInBody, security(()),
    responses((status = 200, body = Success<SignedInView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_CREDENTIALS", "RATE_LIMITED"]))))]
#[post("/users/auth/login")]
pub async fn log_in(
    app: Data<App>,
    limited: Limited,
    address: ClientAddress,
    body: Body<LogInBody>,
) -> Answer<SignedInView> {
    let mut check = Check::default();
    let is_named = !body.0.username.is_absent() || !body.0.email.is_absent();
    let username = check.optional("/username", body.0.username, at_most(254));
    let email = check.optional("/email", body.0.email, at_most(254));
    let login = username.or(email);
    if !is_named {
        check.fault("/username", "is required, or an email in its place");
    }
    let password = check.required("/password", body.0.password, at_most(1024));
    let lifetime = app.settings.refresh_lifetime;
    let request = check.finish(|| {
        let (password, from) = (SecretString::from(password?), Some(address.0));
        Some(LogIn { login: login?, password, from, lifetime })
    })?;
    limited.on_account(&app, &request.login)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let passwords = app.passwords.as_ref();
    let signed_in = session::log_in(store, clock, random, passwords, request).await?;
    Ok(Success::ok("Login successful", signed_in_view(&app, signed_in)?))
}

#[derive(Deserialize, ToSchema)]
pub struct RefreshBody {
    #[schema(value_type = String, required, max_length = 256)]
    #[serde(default, rename = "refreshToken")]
    refresh_token: Field<String>,
}

/// Exchange a refresh token for a new pair.
///
/// Every refresh token works once. One that comes a second time ends its whole session. An old
/// access token in `Authorization` is ignored.
#[utoipa::path(tag = "accounts", request_body = RefreshBody, security(()),
    responses((status = 200, body = Success<SignedInView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "INVALID_REFRESH_TOKEN", "REFRESH_TOKEN_REUSED", "RATE_LIMITED"]))))]
#[post("/users/auth/refresh")]
pub async fn refresh(
    app: Data<App>,
    _limited: Limited,
    body: Body<RefreshBody>,
) -> Answer<SignedInView> {
    let mut check = Check::default();
    let token = check.required("/refreshToken", body.0.refresh_token, at_most(256));
    let token = SecretString::from(check.finish(|| token)?);
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let lifetime = app.settings.refresh_lifetime;
    let signed_in = session::refresh(store, clock, random, &token, lifetime).await?;
    Ok(Success::ok("Token refreshed successfully", signed_in_view(&app, signed_in)?))
}

/// End all sessions of the account. API tokens stay.
#[utoipa::path(tag = "accounts", responses((status = 200, body = Success<Done>)))]
#[post("/users/auth/logout")]
pub async fn log_out(app: Data<App>, signed: Authenticated) -> Answer<Done> {
    session::log_out(app.store.as_ref(), app.clock.as_ref(), &signed.caller).await?;
    Ok(Success::done("Logout successful"))
}

#[derive(Serialize, ToSchema)]
pub struct ProfileView {
    #[serde(flatten)]
    user: UserView,
    pending_pool_invitations: Vec<InvitationView>,
}

async fn own_profile(app: Data<App>, signed: Authenticated) -> Answer<ProfileView> {
    let Profile { user, invitations } =
        user::profile(app.store.as_ref(), app.clock.as_ref(), &signed.caller).await?;
    let pending_pool_invitations = invitations.into_iter().map(Into::into).collect();
    let view = ProfileView { user: user.into(), pending_pool_invitations };
    Ok(Success::ok("User retrieved successfully", view))
}

/// Look at one's own account.
#[utoipa::path(tag = "accounts", responses((status = 200, body = Success<ProfileView>)))]
#[get("/users/auth/me")]
pub async fn auth_me(app: Data<App>, signed: Authenticated) -> Answer<ProfileView> {
    own_profile(app, signed).await
}

/// The same as `/users/auth/me`.
#[utoipa::path(tag = "accounts", responses((status = 200, body = Success<ProfileView>)))]
#[get("/users/me")]
pub async fn me(app: Data<App>, signed: Authenticated) -> Answer<ProfileView> {
    own_profile(app, signed).await
}

#[derive(Deserialize, ToSchema)]
pub struct ChangeUserBody {
    /// Null removes it.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "Team Lead")]
    #[serde(default)]
    alias: Field<String>,
    #[schema(value_type = Option<String>, min_length = 12, max_length = 128)]
    #[serde(default)]
    password: Field<String>,
    /// Needed for a new password.
    #[schema(value_type = Option<String>, max_length = 1024)]
    #[serde(default)]
    current_password: Field<String>,
}

async fn change(
    app: Data<App>,
    signed: Authenticated,
    limited: LimitedByAccount,
    id: Path<String>,
    body: Body<ChangeUserBody>,
) -> Answer<UserView> {
    let user_id = UserId::parse(&id).ok_or(Error::NotFound(Thing::User))?;
    let mut check = Check::default();
    let alias = check.change("/alias", body.0.alias, |text| Alias::parse(&text));
    let password = check.optional("/password", body.0.password, |text| Password::parse(&text));
    let current = check.optional("/current_password", body.0.current_password, at_most(1024));
    let request = check.finish(|| {
        Some(ChangeUser {
            caller: signed.caller,
            session_id: signed.session_id,
            user_id,
            alias,
            password,
            current_password: current.map(SecretString::from),
        })
    })?;
    if request.password.is_some() {
        limited.on_account(&app, &request.caller.user_id.to_string())?;
    }
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let user = user::change(store, clock, app.passwords.as_ref(), request).await?;
    Ok(Success::ok("User updated successfully", user.into()))
}

/// Change one's own alias or password.
///
/// A new password ends all other sessions.
#[utoipa::path(tag = "accounts", request_body = ChangeUserBody, params(("id", description = "One's own user id")),
    responses((status = 200, body = Success<UserView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "NOT_YOUR_ACCOUNT", "USER_NOT_FOUND", "RATE_LIMITED"]))))]
#[patch("/users/{id}")]
pub async fn change_user(
    app: Data<App>,
    signed: Authenticated,
    limited: LimitedByAccount,
    id: Path<String>,
    body: Body<ChangeUserBody>,
) -> Answer<UserView> {
    change(app, signed, limited, id, body).await
}

/// The same as PATCH.
#[utoipa::path(tag = "accounts", request_body = ChangeUserBody, params(("id", description = "One's own user id")),
    responses((status = 200, body = Success<UserView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "NOT_YOUR_ACCOUNT", "USER_NOT_FOUND", "RATE_LIMITED"]))))]
#[put("/users/{id}")]
pub async fn put_user(
    app: Data<App>,
    signed: Authenticated,
    limited: LimitedByAccount,
    id: Path<String>,
    body: Body<ChangeUserBody>,
) -> Answer<UserView> {
    change(app, signed, limited, id, body).await
}
