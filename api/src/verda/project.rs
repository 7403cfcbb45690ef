//! Who calls: a project, which is a pool; and how many more requests it may make.

use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::client_credential;
use domain::error::Unauthenticated;
use domain::pool::PoolId;
use domain::rate_limit::{self, Quota, RateLimits};
use domain::user::Caller;
use domain::{Error, Result};

use super::error::Failure;
use crate::app::App;
use crate::auth::{Decision, TokenUse};
use crate::http::{Extracted, RequestFacts, app, client_address, note_caller};

const WINDOW_SECONDS: u32 = 60;
/// Lists of instances and volumes are polled, and may be so twice as often, as the API's document says.
const POLLED: [&str; 2] = ["/instances", "/volumes"];

/// The project that calls, its request counted.
pub struct Project {
    /// As whom it acts, in its pool only.
    pub caller: Caller,
    /// Its pool.
    pub pool_id: PoolId,
}

impl FromRequest for Project {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = app(&request)?;
            let caller = authenticate(&app, &request).await?;
            let unknown = Error::Unauthenticated(Unauthenticated::Credentials);
            let pool_id = caller.pool_id.ok_or(unknown)?;
            note_caller(&request, caller.user_id);
            count(&app, &request, pool_id).await?;
            Ok(Self { caller, pool_id })
        })
    }
}

/// The project where nobody needs to sign in: a token that is not good is as none. The request is not counted.
pub struct MaybeProject(Option<Caller>);

impl MaybeProject {
    /// As whom it acts, if it is one.
    pub const fn caller(&self) -> Option<&Caller> {
        self.0.as_ref()
    }
}

impl FromRequest for MaybeProject {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            if !request.headers().contains_key(AUTHORIZATION) {
                return Ok(Self(None));
            }
            match authenticate(&*app(&request)?, &request).await {
                Ok(caller) => {
                    note_caller(&request, caller.user_id);
                    Ok(Self(Some(caller)))
                }
                Err(Error::Unauthenticated(_)) => Ok(Self(None)),
                Err(fault) => Err(fault.into()),
            }
        })
    }
}

async fn authenticate(app: &App, request: &HttpRequest) -> Result<Caller> {
    let unknown = || Error::Unauthenticated(Unauthenticated::Credentials);
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) =
        header.and_then(|text| text.trim().split_once(' ')).ok_or_else(unknown)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown());
    }
    let id = app.client_tokens.read(token.trim(), TokenUse::Access, app.clock.now());
    let from = client_address(request, app);
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    client_credential::recognise(store, clock, id.ok_or_else(unknown)?, from).await
}

async fn count(app: &App, request: &HttpRequest, pool_id: PoolId) -> Result<(), Failure> {
    let Some(settings) = &app.settings.verda else { return Ok(()) };
    // As it was understood, whichever way it was spelled and wherever the surface is mounted.
    let whole = request.match_info().as_str();
    let below = |prefix| whole.strip_prefix(prefix);
    let path = below(super::PREFIX).or_else(|| below(super::OWN_PREFIX)).unwrap_or(whole);
    let is_polled = request.method() == "GET" && POLLED.contains(&path);
    let endpoint = settings.requests_per_minute_and_endpoint;
    let limits = RateLimits {
        pool: settings.requests_per_minute,
        endpoint: if is_polled { endpoint.saturating_mul(2) } else { endpoint },
        seconds: WINDOW_SECONDS,
    };
    let asked = format!("{} {path}", request.method());
    let (store, clock) = (app.store.as_ref(), app.clock.as_ref());
    let quotas = rate_limit::count(store, clock, limits, (pool_id, &asked)).await?;
    if let Some(facts) = request.extensions().get::<Rc<RequestFacts>>() {
        facts.limits.borrow_mut().extend([
            told("project", limits.pool, quotas.pool),
            told("endpoint", limits.endpoint, quotas.endpoint),
        ]);
    }
    match quotas.retry_after() {
        Some(seconds) => Err(Failure::TooMany(seconds)),
        None => Ok(()),
    }
}

/// A limit as it stands, for the headers of the answer.
fn told(policy: &'static str, most: u32, quota: Quota) -> Decision {
    Decision {
        policy,
        quota: most,
        remaining: quota.left,
        reset_seconds: quota.resets_in.into(),
        allowed: !quota.is_exceeded,
    }
}
