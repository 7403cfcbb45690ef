//! Refusals as `{"title", "detail"}`, and where members of a request are at fault, with `violations`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use domain::Error;
use domain::error::{Conflict, Unpayable, Violation};
use serde_json::{Value, json};

use crate::http::{BodyFault, capitalized, refusal, retry_after};

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The domain refused.
    Domain(Error),
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => told(error, f),
            Self::Body(BodyFault::TooLarge) => f.write_str("The body is larger than 1 MiB."),
            Self::Body(BodyFault::TooSlow) => f.write_str("The body did not arrive in time."),
            Self::Body(BodyFault::Broken) => f.write_str("The body broke off."),
            Self::Body(BodyFault::NotJson) => {
                f.write_str("The body is not JSON; send it with Content-Type: application/json.")
            }
            Self::Body(BodyFault::Malformed(why)) => f.write_str(why),
            Self::Path => f.write_str("Not Found"),
            Self::Method => f.write_str("This path does not take this method."),
        }
    }
}

fn told(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::Unauthenticated(_) => f.write_str("Invalid credentials."),
        Error::Invalid(violations) => {
            let lines = violations.iter().map(|fault| {
                let Violation { message, .. } = fault;
                format!("{}: {message}", property(fault))
            });
            f.write_str(&lines.collect::<Vec<_>>().join("\n"))
        }
        Error::NotFound(_) => f.write_str("Not Found"),
        Error::Unpayable(Unpayable::InsufficientBalance { required, available }) => {
            let (required, available) = (required.exact(), available.exact());
            write!(f, "Insufficient balance: {required} is needed and there is {available}.")
        }
        Error::Conflict(Conflict::NoCapacity) => {
            f.write_str("The host is not available any more; look for another one.")
        }
        other => {
            write!(f, "{}.", capitalized(&other.to_string()))
        }
    }
}

/// What a member of a request is called here.
fn property(fault: &Violation) -> String {
    match fault.path.as_str() {
        "/image" => "imageName".to_owned(),
        "/tag" => "defaultTag".to_owned(),
        "/category" => "categoryName".to_owned(),
        "/disk_gb" => "diskSize".to_owned(),
        "/ports" => "exposePorts".to_owned(),
        "/start_script" => "startScript".to_owned(),
        "/build_arguments" => "argOptions".to_owned(),
        "/environment" => "envVariables".to_owned(),
        "/template_id" => "instanceTemplate".to_owned(),
        "/gpus" => "gpuCount".to_owned(),
        "/count" => "numOfInstances".to_owned(),
        "/description" => "notes".to_owned(),
        "/renewal" => "isAutoRenewOn".to_owned(),
        other => {
            let name = other.trim_start_matches('/');
            name.trim_start_matches("registry/").replace('/', ".")
        }
    }
}

/// The status of each refusal. Exhaustive, so that a new one cannot be forgotten.
const fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_)
        | Error::Unpayable(Unpayable::InvalidDuration { .. } | Unpayable::NoPricing)
        | Error::InvitationExpired
        | Error::QuoteExpired
        | Error::PaymentsNotConfigured
        | Error::InvalidSignature => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Unpayable(Unpayable::InsufficientBalance { .. }) => StatusCode::PAYMENT_REQUIRED,
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
            Self::Domain(error) => status_of(error),
            Self::Body(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyFault::TooSlow | BodyFault::Broken) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyFault::NotJson) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BodyFault::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let (title, detail) = ("An error occurred", self.to_string());
        let body = match self {
            Self::Domain(Error::Invalid(violations)) => {
                let violation = |fault: &Violation| json!({ "propertyPath": property(fault), "message": fault.message });
                let violations: Vec<Value> = violations.iter().map(violation).collect();
                json!({ "title": title, "detail": detail, "violations": violations })
            }
            _ => json!({ "title": title, "detail": detail }),
        };
        let code = status.canonical_reason().unwrap_or("refused");
        let wait = match self {
            Self::Domain(error) => retry_after(error),
            _ => None,
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
