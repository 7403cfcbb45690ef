//! Refusals as `{"code", "message"}`. Clients read the body of every error as JSON, whatever its status,
//! and some compare codes and messages.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use domain::Error;
use domain::error::{Conflict, Forbidden, Thing, Unpayable};
use serde_json::json;

use crate::http::{BodyFault, capitalized, refusal, retry_after};

/// The codes of the API's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    Unauthorized,
    InsufficientFunds,
    Forbidden,
    NotFound,
    Conflict,
    RateLimit,
    ServerError,
    Unavailable,
}

impl Code {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized_request",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Forbidden => "forbidden_action",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::RateLimit => "rate_limit_exceeded",
            Self::ServerError => "server_error",
            Self::Unavailable => "service_unavailable",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::InsufficientFunds => StatusCode::PAYMENT_REQUIRED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The domain refused.
    Domain(Error),
    /// The body could not be read.
    Body(BodyFault),
    /// In the words of the API's document.
    Told(Code, &'static str),
    /// The same, with what the request named.
    Refused(Code, String),
    /// More requests than a limit allows; in how many seconds to try again.
    TooMany(u32),
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
    fn code(&self) -> Code {
        match self {
            Self::Domain(error) => code_of(error),
            Self::Body(_) | Self::Method => Code::InvalidRequest,
            Self::Told(code, _) | Self::Refused(code, _) => *code,
            Self::TooMany(_) => Code::RateLimit,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => told(error, f),
            Self::Body(BodyFault::TooLarge) => f.write_str("The body is larger than 1 MiB"),
            Self::Body(BodyFault::TooSlow) => f.write_str("The body did not arrive in time"),
            Self::Body(BodyFault::Broken) => f.write_str("The body broke off"),
            Self::Body(BodyFault::NotJson) => f.write_str(
                "The body is not valid JSON; send it with Content-Type: application/json",
            ),
            Self::Body(BodyFault::Malformed(why)) => f.write_str(why),
            Self::Told(_, message) => f.write_str(message),
            Self::Refused(_, message) => f.write_str(message),
            Self::TooMany(_) => f.write_str("Too many requests"),
            Self::Method => f.write_str("This path does not take this method"),
        }
    }
}

fn told(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        Error::Invalid(violations) => {
            let told =
                violations.iter().map(|fault| format!("{} {}", name(&fault.path), fault.message));
            f.write_str(&told.collect::<Vec<_>>().join("; "))
        }
        Error::Unauthenticated(_) => f.write_str("Access token is missing or invalid"),
        Error::Forbidden(Forbidden::Scope(_)) => f.write_str("Insufficient scope"),
        // dstack compares the first of these.
        Error::NotFound(Thing::Instance) => f.write_str("Invalid instance id"),
        Error::NotFound(Thing::Volume) => f.write_str("Invalid volume id"),
        Error::NotFound(Thing::Cluster) => f.write_str("Invalid cluster id"),
        Error::Conflict(Conflict::NoCapacity) => f.write_str("No capacity available"),
        // SkyPilot looks for these two words.
        Error::Conflict(
            Conflict::QuotaReached { most }
            | Conflict::SshKeyLimit { most }
            | Conflict::ScriptLimit { most }
            | Conflict::TemplateLimit { most }
            | Conflict::SoftwareLimit { most },
        ) => write!(f, "Limit exceeded: the project has {most} of these already; delete one first"),
        other => f.write_str(&capitalized(&other.to_string())),
    }
}

/// What a member of a request is called here.
fn name(path: &str) -> String {
    match path {
        "/plan" => "instance_type".to_owned(),
        "/location" => "location_code".to_owned(),
        "/script_id" => "startup_script_id".to_owned(),
        "/size_gb" => "size".to_owned(),
        "/volumes/type" => "type".to_owned(),
        other => other.trim_start_matches('/').replace('/', "."),
    }
}

/// The code of each refusal. Exhaustive, so that a new one cannot be forgotten.
fn code_of(error: &Error) -> Code {
    match error {
        Error::Invalid(_)
        | Error::Unpayable(Unpayable::InvalidDuration { .. } | Unpayable::NoPricing)
        | Error::InvitationExpired
        | Error::QuoteExpired
        | Error::PaymentsNotConfigured
        | Error::InvalidSignature
        | Error::Conflict(
            Conflict::VolumeElsewhere
            | Conflict::VolumeIsDisk
            | Conflict::ChargeExceedsMax { .. }
            | Conflict::QuotaReached { .. }
            | Conflict::SshKeyLimit { .. }
            | Conflict::ScriptLimit { .. }
            | Conflict::TemplateLimit { .. }
            | Conflict::SoftwareLimit { .. }
            | Conflict::InstallLimit { .. },
        ) => Code::InvalidRequest,
        Error::Unauthenticated(_) => Code::Unauthorized,
        Error::Forbidden(_) | Error::Conflict(Conflict::InstanceNotStopped) => Code::Forbidden,
        Error::NotFound(_) => Code::NotFound,
        Error::Unpayable(Unpayable::InsufficientBalance { .. }) => Code::InsufficientFunds,
        Error::RateLimited { .. } => Code::RateLimit,
        Error::Conflict(Conflict::NoCapacity)
        | Error::PaymentProvider(_)
        | Error::HostUnreachable(_)
        | Error::Busy
        | Error::Unavailable(_)
        | Error::Contention => Code::Unavailable,
        Error::Conflict(_) => Code::Conflict,
        Error::Internal(_) => Code::ServerError,
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Body(BodyFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyFault::TooSlow | BodyFault::Broken) => StatusCode::REQUEST_TIMEOUT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => self.code().status(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let code = self.code().as_str();
        let body = json!({ "code": code, "message": self.to_string() });
        let wait = match self {
            Self::TooMany(seconds) => Some(i64::from(*seconds)),
            Self::Domain(error) => retry_after(error),
            _ => None,
        };
        refusal(self.status_code(), code, &body, wait)
    }
}

/// For paths that are not.
pub async fn no_route() -> Result<HttpResponse, Failure> {
    Err(Failure::Told(Code::NotFound, "Resource not found, or invalid path"))
}

/// For methods that a path does not have.
pub async fn no_method() -> Result<HttpResponse, Failure> {
    Err(Failure::Method)
}
