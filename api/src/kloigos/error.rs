//! Refusals as `{"detail"}`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use domain::Error;
use domain::error::{Conflict, Thing};
use serde_json::{Map, Value, json};

use super::fields::Fault;
use crate::http::{BodyFault, capitalized, refusal, retry_after};

/// The statuses that this API has of its own.
const NO_UNIT: u16 = 460;
const NOT_READY: u16 = 470;

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The domain refused.
    Domain(Error),
    /// The request is malformed.
    Faults(Vec<Fault>),
    /// The unit could not be made ready.
    NotReady,
    /// Nobody is asked who they are, but who calls is not near.
    Foreign,
    /// The body could not be read.
    Body(BodyFault),
    /// There is no such path.
    Path,
    /// The path exists, for this method.
    Method(&'static str),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Domain(error.into())
    }
}

impl From<BodyFault> for Failure {
    fn from(fault: BodyFault) -> Self {
        Self::Body(fault)
    }
}

impl Failure {
    /// The failure of a request with this body: what the domain refuses of it is told with what was sent.
    pub fn of(error: Error, body: &Map<String, Value>) -> Self {
        let Error::Invalid(violations) = error else { return Self::Domain(error) };
        let sent = Value::Object(body.clone());
        let told = violations.iter().map(|violation| {
            let part = |name: &str| name.parse::<u64>().map_or_else(|_| json!(name), |n| json!(n));
            let path = violation.path.trim_start_matches('/').split('/').map(part);
            let at: Vec<Value> = std::iter::once(json!("body")).chain(path).collect();
            let input = sent.pointer(&violation.path).unwrap_or(&Value::Null);
            Fault::of_value(&at, &violation.message, input)
        });
        Self::Faults(told.collect())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(Error::Conflict(Conflict::NoCapacity)) => {
                f.write_str("No free Compute Unit found to match your request")
            }
            Self::Domain(Error::Unauthenticated(_)) => f.write_str("Not authenticated"),
            Self::Domain(Error::NotFound(thing)) => {
                let name = match thing {
                    Thing::ComputeUnit => "Compute Unit".to_owned(),
                    other => capitalized(&other.to_string()),
                };
                write!(f, "{name} not found")
            }
            Self::Domain(Error::Internal(_)) => f.write_str("Internal Server Error"),
            Self::Domain(other) => f.write_str(&capitalized(&other.to_string())),
            Self::Faults(_) => f.write_str("The request is malformed"),
            Self::NotReady => f.write_str("Error running allocating playbook"),
            Self::Foreign => f.write_str(
                "Without authentication only requests of this network are taken, and none of other \
                 sites' pages",
            ),
            Self::Body(BodyFault::TooLarge) => f.write_str("The body is larger than 1 MiB"),
            Self::Body(BodyFault::TooSlow) => f.write_str("The body did not arrive in time"),
            Self::Body(BodyFault::Broken) => f.write_str("There was an error parsing the body"),
            Self::Body(BodyFault::NotJson | BodyFault::Malformed(_)) => {
                f.write_str("The body is no JSON object")
            }
            Self::Path => f.write_str("Not Found"),
            Self::Method(_) => f.write_str("Method Not Allowed"),
        }
    }
}

/// The status of each refusal. Exhaustive, so that a new one cannot be forgotten.
fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Conflict(Conflict::NoCapacity) => own(NO_UNIT),
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Unpayable(_) => StatusCode::PAYMENT_REQUIRED,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::InvitationExpired
        | Error::QuoteExpired
        | Error::PaymentsNotConfigured
        | Error::InvalidSignature => StatusCode::BAD_REQUEST,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::PaymentProvider(_)
        | Error::HostUnreachable(_)
        | Error::Busy
        | Error::Unavailable(_)
        | Error::Contention => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn own(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::CONFLICT)
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Domain(error) => status_of(error),
            Self::Faults(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotReady => own(NOT_READY),
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Body(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyFault::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let code = match status.as_u16() {
            NO_UNIT => "no free unit",
            NOT_READY => "unit not ready",
            _ => status.canonical_reason().unwrap_or("refused"),
        };
        let (detail, wait) = match self {
            Self::Faults(faults) => {
                (faults.iter().map(|fault| fault.clone().into_json()).collect(), None)
            }
            Self::Domain(error) => (json!(self.to_string()), retry_after(error)),
            _ => (json!(self.to_string()), None),
        };
        let mut response = refusal(status, code, &json!({ "detail": detail }), wait);
        if let Self::Method(allowed) = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// For paths that are not.
pub async fn no_route() -> Result<HttpResponse, Failure> {
    Err(Failure::Path)
}

/// For methods that a path does not have.
pub async fn no_method(request: HttpRequest) -> Result<HttpResponse, Failure> {
    let path = request.path();
    let allowed = if path.ends_with("/allocate") || path.ends_with("/init_server") {
        "POST"
    } else if path.contains("/deallocate/") || path.contains("/decommission_server/") {
        "DELETE"
    } else {
        "GET"
    };
    Err(Failure::Method(allowed))
}
