//! Refusals as `{"error"}`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use domain::Error;
use domain::error::{Conflict, Thing, Unpayable};
use serde_json::json;

use crate::http::{BodyFault, capitalized, refusal, retry_after};

const UNSIGNED: &str = "Missing or invalid Authorization header";

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The domain refused.
    Domain(Error),
    /// Server models could not be told, by a fault of ours.
    Blibs(Error),
    /// An order whose terms were not accepted.
    Terms,
    /// An order for no interval that there is.
    Interval,
    /// Too little money for a migration.
    Budget,
    /// A change of a server's status was refused, for which the document's answer says more.
    Status(Error),
    /// Nobody is signed in where something of theirs is wanted.
    Unsigned,
    /// The body could not be read.
    Body(BodyFault),
    /// There is no such path.
    Path,
    /// The path exists, for other methods.
    Method,
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
    /// The failure to tell who somebody is who has something here.
    pub fn of_owner(error: Error) -> Self {
        match error {
            Error::Unauthenticated(_) => Self::Unsigned,
            other => Self::Domain(other),
        }
    }

    /// The failure of a change of a server's status.
    pub fn of_status(error: Error) -> Self {
        Self::Status(error)
    }

    /// The failure of a list of server models, for whose faults the document has words of their own.
    pub fn of_blibs(error: Error) -> Self {
        if matches!(error, Error::Internal(_)) { Self::Blibs(error) } else { Self::Domain(error) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) | Self::Status(error) => told(error, f),
            Self::Terms => f.write_str("You must accept the terms and conditions."),
            Self::Budget => f.write_str("Insufficient budget for migration"),
            Self::Interval => f.write_str("Invalid or missing contract interval."),
            Self::Blibs(_) => f.write_str("Error fetching Blibs"),
            Self::Unsigned => f.write_str(UNSIGNED),
            Self::Body(BodyFault::TooLarge) => f.write_str("The body is larger than 1 MiB"),
            Self::Body(BodyFault::TooSlow) => f.write_str("The body did not arrive in time"),
            Self::Body(BodyFault::Broken) => f.write_str("The body broke off"),
            Self::Body(BodyFault::NotJson) => {
                f.write_str("The body is not JSON; send it with Content-Type: application/json")
            }
            Self::Body(BodyFault::Malformed(why)) => f.write_str(&capitalized(why)),
            Self::Path => f.write_str("Not found"),
            Self::Method => f.write_str("This path does not take this method"),
        }
    }
}

/// In the words of the document where it has some.
fn told(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::Unauthenticated(_) => f.write_str(UNSIGNED),
        Error::Invalid(violations) => {
            let lines = violations.iter().map(|fault| {
                let name = fault.path.trim_start_matches('/').replace('/', ".");
                format!("{name}: {}", fault.message)
            });
            f.write_str(&lines.collect::<Vec<_>>().join("; "))
        }
        Error::NotFound(Thing::Plan) => f.write_str("Blib not found"),
        Error::NotFound(Thing::Software) => f.write_str("Template not found"),
        Error::NotFound(Thing::Instance | Thing::Install) => {
            f.write_str("Access denied or server not found")
        }
        Error::Conflict(Conflict::AlreadyInstalled) => {
            f.write_str("The template is on this server already; retry or remove that")
        }
        Error::Conflict(Conflict::InstanceLocked) => {
            f.write_str("Server is locked and cannot be modified")
        }
        Error::Conflict(Conflict::InstanceDeleted) => f.write_str("The server is deleted"),
        Error::Unpayable(Unpayable::InsufficientBalance { required, available }) => {
            let (required, available) = (required.exact(), available.exact());
            write!(f, "Insufficient budget: {required} is needed and there is {available}")
        }
        Error::Conflict(Conflict::NoCapacity) => f.write_str("No host has room for this now"),
        other => f.write_str(&capitalized(&other.to_string())),
    }
}

/// The status of each refusal. Exhaustive, so that a new one cannot be forgotten.
const fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_)
        | Error::Unpayable(_)
        | Error::InvitationExpired
        | Error::QuoteExpired
        | Error::PaymentsNotConfigured
        | Error::InvalidSignature
        | Error::Conflict(Conflict::PriceChanged { .. }) => StatusCode::BAD_REQUEST,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        // Of a server that somebody else has, as of one that never was.
        Error::Forbidden(_)
        | Error::NotFound(Thing::Instance | Thing::Install)
        | Error::Conflict(Conflict::InstanceLocked) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::PaymentProvider(_)
        | Error::HostUnreachable(_)
        | Error::Busy
        | Error::Unavailable(_)
        | Error::Contention => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Domain(error) | Self::Status(error) | Self::Blibs(error) => status_of(error),
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::Body(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyFault::TooSlow | BodyFault::Broken) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyFault::NotJson) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Terms | Self::Interval | Self::Budget | Self::Body(BodyFault::Malformed(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let code = status.canonical_reason().unwrap_or("refused");
        let wait = match self {
            Self::Domain(error) | Self::Status(error) => retry_after(error),
            _ => None,
        };
        let body = match self {
            Self::Unsigned => json!({ "error": self.to_string(), "next": "login" }),
            Self::Status(_) => json!({ "success": false, "error": self.to_string() }),
            _ => json!({ "error": self.to_string() }),
        };
        refusal(status, code, &body, wait)
    }
}

/// For paths that are not.
pub async fn no_route() -> Result<HttpResponse, Failure> {
    Err(Failure::Path)
}

/// For methods that a path does not have.
pub async fn no_method() -> Result<HttpResponse, Failure> {
    Err(Failure::Method)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::RETRY_AFTER;
    use chrono::Duration;

    use super::*;

    fn answer(failure: &Failure) -> (u16, Option<String>, String) {
        let response = failure.error_response();
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), wait, failure.to_string())
    }

    #[test]
    fn who_asks_too_often_is_told_when_to_come_back() {
        let limited = Error::RateLimited { retry_after: Duration::seconds(7) };
        let text = "Too many attempts".to_owned();
        assert_eq!(answer(&limited.into()), (429, Some("7".to_owned()), text));
        let busy = answer(&Error::Busy.into());
        assert_eq!((busy.0, busy.1.as_deref()), (503, Some("1")));
    }

    #[test]
    fn a_fault_of_ours_is_told_without_its_cause() {
        let fault = || Error::internal("the secret cause");
        let text = "An internal error happened".to_owned();
        assert_eq!(answer(&fault().into()), (500, None, text));
        let text = "Error fetching Blibs".to_owned();
        assert_eq!(answer(&Failure::of_blibs(fault())), (500, None, text));
        assert_eq!(answer(&Failure::of_blibs(Error::Busy)).0, 503);
    }

    #[test]
    fn every_fault_of_a_request_is_named() {
        let faults = vec![
            domain::error::Violation::new("/name", "is missing"),
            domain::error::Violation::new("/shape/cpus", "must be 1"),
        ];
        let (status, _, text) = answer(&Error::Invalid(faults).into());
        assert_eq!((status, text.as_str()), (400, "name: is missing; shape.cpus: must be 1"));
    }
}
