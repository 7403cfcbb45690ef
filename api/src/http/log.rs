//! One line per request, and its id on every answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use domain::clock::Random;
use domain::id::hex;
use domain::user::UserId;
use tracing::{Instrument, error, info, info_span};

use super::client_address;
use crate::app::App;
use crate::auth::Decision;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers tell the request log and the answer's headers.
#[derive(Default)]
pub struct RequestFacts {
    /// Who called, once it is known.
    pub caller: Cell<Option<UserId>>,
    /// What limits said, for `RateLimit` headers.
    pub limits: RefCell<Vec<Decision>>,
}

/// Tells the request log who called.
pub fn note_caller(request: &HttpRequest, user_id: UserId) {
    if let Some(facts) = request.extensions().get::<Rc<RequestFacts>>() {
        facts.caller.set(Some(user_id));
    }
}

/// The machine code of a refusal, which a surface leaves on the answer for the log.
pub struct RefusalCode(pub &'static str);

/// Gives the request an id (the client's, if it sent a valid one), logs one line when it is answered,
/// and puts the id and rate limits on the answer.
pub async fn request_log(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let facts = Rc::new(RequestFacts::default());
    request.extensions_mut().insert(facts.clone());
    let client = request.app_data::<Data<App>>().map(|app| client_address(request.request(), app));
    let span = info_span!("request", %id);
    let work = persistence::counting_statements(next.call(request));
    let (outcome, queries) = work.instrument(span.clone()).await;
    let mut response = outcome.inspect_err(|error| {
        span.in_scope(|| error!(%method, cause = ?error, "request failed before it had an answer"));
    })?;

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    add_limits(headers, &facts.limits.borrow());
    // Answers are for the caller alone; none may stay in a shared cache unless its handler says so.
    if !headers.contains_key("cache-control") {
        headers
            .insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"));
    }

    let route = response.request().match_pattern().unwrap_or_else(|| "(no route)".to_owned());
    let caller = facts.caller.get().map(|id| id.to_string());
    let client = client.map(|address| address.to_string());
    let code = response.response().extensions().get::<RefusalCode>().map(|code| code.0);
    let status = response.status().as_u16();
    let duration_ms = started.elapsed().as_millis();
    span.in_scope(|| {
        if status >= 500 {
            let cause = response.response().error().map(|cause| format!("{cause:?}"));
            error!(%method, route, client, caller, status, code, duration_ms, queries, cause, "request failed");
        } else {
            info!(%method, route, client, caller, status, code, duration_ms, queries, "request answered");
        }
    });
    Ok(response)
}

fn request_id(request: &ServiceRequest) -> String {
    let sent = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let valid = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    sent.filter(valid).map_or_else(|| new_id(request), ToOwned::to_owned)
}

fn new_id(request: &ServiceRequest) -> String {
    let mut bytes = [0; 12];
    if let Some(app) = request.app_data::<Data<App>>() {
        let random: &dyn Random = app.random.as_ref();
        random.fill(&mut bytes);
    }
    hex(&bytes)
}

/// `RateLimit` and `RateLimit-Policy` (IETF draft of the HTTPAPI group), one item per limit.
fn add_limits(headers: &mut actix_web::http::header::HeaderMap, limits: &[Decision]) {
    if limits.is_empty() {
        return;
    }
    let join = |items: Vec<String>| HeaderValue::from_str(&items.join(", "));
    let policy = limits.iter().map(|l| format!("\"{}\";q={};w=60", l.policy, l.quota)).collect();
    let state =
        limits.iter().map(|l| format!("\"{}\";r={};t={}", l.policy, l.remaining, l.reset_seconds));
    if let (Ok(policy), Ok(state)) = (join(policy), join(state.collect())) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
        headers.insert(HeaderName::from_static("ratelimit"), state);
    }
}
