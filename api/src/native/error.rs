//! Refusals in the native envelope: `{"statusCode", "error", "message", "data"?}`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use domain::Error;
use domain::error::{Conflict, Forbidden, Thing, Unauthenticated, Unpayable, Violation};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::code::Code;
use crate::http::{BodyFault, RefusalCode};

/// Why a request was not done.
#[derive(Debug)]
pub enum Failure {
    /// The domain refused.
    Domain(Error),
    /// The body could not be read.
    Body(BodyFault),
    /// Nothing is at this path.
    NoRoute,
    /// The path exists, for other methods.
    Method {
        /// Those that it has, as in the `Allow` header.
        allowed: String,
    },
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Domain(error.into())
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status, again.
    #[schema(example = 404)]
    pub status_code: u16,
    /// A stable code for programs.
    pub error: Code,
    /// A sentence that a person can act on.
    #[schema(example = "rental not found")]
    pub message: String,
    /// Facts for programs, if the code has any: a list of `{path, message}` for
    /// `VALIDATION_ERROR`, else an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub data: Option<Value>,
}

impl From<BodyFault> for Failure {
    fn from(fault: BodyFault) -> Self {
        Self::Body(fault)
    }
}

impl Failure {
    /// Its code.
    pub fn code(&self) -> Code {
        match self {
            Self::Domain(error) => code_of(error),
            Self::Body(BodyFault::TooLarge) => Code::PayloadTooLarge,
            Self::Body(BodyFault::TooSlow | BodyFault::Broken) => Code::RequestTimeout,
            Self::Body(BodyFault::NotJson) => Code::UnsupportedMediaType,
            Self::Body(BodyFault::Malformed(_)) => Code::MalformedJson,
            Self::NoRoute => Code::RouteNotFound,
            Self::Method { .. } => Code::MethodNotAllowed,
        }
    }

    fn data(&self) -> Option<Value> {
        let Self::Domain(error) = self else {
            return None;
        };
        match error {
            Error::Invalid(violations) => Some(violations.iter().map(violation).collect()),
            Error::Unpayable(Unpayable::InvalidDuration { available }) => {
                Some(json!({ "available_durations": available }))
            }
            Error::Unpayable(Unpayable::InsufficientBalance { required, available }) => {
                Some(json!({
                    "required_cents": required.cents_ceil(),
                    "available_cents": available.cents_floor(),
                }))
            }
            Error::Conflict(Conflict::ChargeExceedsMax { charge, max }) => Some(json!({
                "charge_cents": charge.cents_ceil(),
                "max_charge_cents": max.cents_floor(),
            })),
            Error::Conflict(Conflict::PriceChanged { price, expected }) => Some(json!({
                "price": price.exact(),
                "expected_price": expected.exact(),
            })),
            Error::Conflict(Conflict::RefundChanged { refund, expected }) => Some(json!({
                "refund_amount": refund.to_string(),
                "expected_refund": expected.to_string(),
            })),
            Error::Conflict(
                Conflict::SshKeyLimit { most }
                | Conflict::ScriptLimit { most }
                | Conflict::TemplateLimit { most }
                | Conflict::SoftwareLimit { most }
                | Conflict::InstallLimit { most }
                | Conflict::QuotaReached { most },
            ) => Some(json!({ "limit": most })),
            Error::Forbidden(Forbidden::Scope(permission)) => {
                Some(json!({ "permission": permission.path() }))
            }
            Error::Conflict(_)
            | Error::Forbidden(_)
            | Error::Unauthenticated(_)
            | Error::NotFound(_)
            | Error::Unpayable(Unpayable::NoPricing)
            | Error::InvitationExpired
            | Error::QuoteExpired
            | Error::PaymentsNotConfigured
            | Error::PaymentProvider(_)
            | Error::HostUnreachable(_)
            | Error::InvalidSignature
            | Error::RateLimited { .. }
            | Error::Busy
            | Error::Unavailable(_)
            | Error::Contention
            | Error::Internal(_) => None,
        }
    }
}

fn violation(violation: &Violation) -> Value {
    json!({ "path": violation.path, "message": violation.message })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(error) => error.fmt(f),
            Self::Body(BodyFault::TooLarge) => f.write_str("the body is larger than 1 MiB"),
            Self::Body(BodyFault::TooSlow) => f.write_str("the body did not arrive in time"),
            Self::Body(BodyFault::Broken) => f.write_str("the body broke off"),
            Self::Body(BodyFault::NotJson) => {
                f.write_str("send the body as JSON, with the header Content-Type: application/json")
            }
            Self::Body(BodyFault::Malformed(why)) => f.write_str(why),
            Self::NoRoute => f.write_str("there is nothing at this path; see /docs"),
            Self::Method { allowed } => write!(f, "this path only takes {allowed}"),
        }
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.code().status()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status).json(Problem {
            status_code: status.as_u16(),
            error: self.code(),
            message: self.to_string(),
            data: self.data(),
        });
        response.extensions_mut().insert(RefusalCode(self.code().as_str()));
        let headers = response.headers_mut();
        match self {
            Self::Domain(Error::Unauthenticated(_)) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Domain(Error::RateLimited { retry_after }) => {
                headers.insert(RETRY_AFTER, retry_after.num_seconds().max(1).into());
            }
            Self::Domain(Error::Busy | Error::Unavailable(_) | Error::Contention) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Method { allowed } => {
                if let Ok(allowed) = HeaderValue::from_str(allowed) {
                    headers.insert(ALLOW, allowed);
                }
            }
            Self::Domain(_) | Self::Body(_) | Self::NoRoute => {}
        }
        response
    }
}

/// The code of each refusal. Exhaustive, so that a new one cannot be forgotten.
fn code_of(error: &Error) -> Code {
    match error {
        Error::Invalid(_) => Code::ValidationError,
        Error::Unauthenticated(reason) => match reason {
            Unauthenticated::Credentials | Unauthenticated::Address => Code::Unauthorized,
            Unauthenticated::Password => Code::InvalidCredentials,
            Unauthenticated::RefreshToken => Code::InvalidRefreshToken,
            Unauthenticated::RefreshTokenReused => Code::RefreshTokenReused,
        },
        Error::Forbidden(reason) => match reason {
            Forbidden::Scope(_) | Forbidden::Escalation => Code::InsufficientScope,
            Forbidden::PoolOwnerRequired => Code::PoolOwnerRequired,
            Forbidden::PoolAdminRequired => Code::PoolAdminRequired,
            Forbidden::OperatorRequired => Code::OperatorRequired,
            Forbidden::NotYourself => Code::NotYourAccount,
        },
        Error::NotFound(thing) => code_of_thing(*thing),
        Error::Conflict(conflict) => code_of_conflict(conflict),
        Error::Unpayable(reason) => match reason {
            Unpayable::InvalidDuration { .. } => Code::InvalidDuration,
            Unpayable::NoPricing => Code::NoPricing,
            Unpayable::InsufficientBalance { .. } => Code::InsufficientBalance,
        },
        Error::InvitationExpired => Code::InvitationExpired,
        Error::QuoteExpired => Code::QuoteExpired,
        Error::PaymentsNotConfigured => Code::PaymentsNotConfigured,
        Error::PaymentProvider(_) => Code::PaymentProviderUnavailable,
        Error::InvalidSignature => Code::InvalidSignature,
        Error::HostUnreachable(_) => Code::HostUnreachable,
        Error::RateLimited { .. } => Code::RateLimited,
        Error::Busy | Error::Contention | Error::Unavailable(_) => Code::ServiceUnavailable,
        Error::Internal(_) => Code::InternalError,
    }
}

const fn code_of_thing(thing: Thing) -> Code {
    match thing {
        Thing::User => Code::UserNotFound,
        Thing::Token => Code::TokenNotFound,
        Thing::Pool => Code::PoolNotFound,
        Thing::Member => Code::MemberNotFound,
        Thing::Invitation => Code::InvitationNotFound,
        Thing::Server => Code::ServerNotFound,
        Thing::Rental => Code::RentalNotFound,
        Thing::Transaction => Code::TransactionNotFound,
        Thing::Job => Code::JobNotFound,
        Thing::Quote => Code::QuoteNotFound,
        Thing::Mandate => Code::MandateNotFound,
        Thing::Supplier => Code::SupplierNotFound,
        Thing::PayoutRun => Code::PayoutRunNotFound,
        Thing::Payment => Code::PaymentNotFound,
        Thing::AutoTopUp => Code::AutoTopUpNotFound,
        Thing::Plan => Code::PlanNotFound,
        Thing::GpuOffer => Code::GpuOfferNotFound,
        Thing::Image => Code::ImageNotFound,
        Thing::SshKey => Code::SshKeyNotFound,
        Thing::Script => Code::ScriptNotFound,
        Thing::Template => Code::TemplateNotFound,
        Thing::Software => Code::SoftwareNotFound,
        Thing::Install => Code::InstallNotFound,
        Thing::Instance => Code::InstanceNotFound,
        Thing::ComputeUnit => Code::ComputeUnitNotFound,
        Thing::Volume => Code::VolumeNotFound,
        Thing::Cluster => Code::ClusterNotFound,
        Thing::Tag => Code::TagNotFound,
        Thing::Finding => Code::FindingNotFound,
        Thing::ClientCredential => Code::ClientCredentialNotFound,
        Thing::SshIdentity => Code::SshIdentityNotFound,
    }
}

fn code_of_conflict(conflict: &Conflict) -> Code {
    match conflict {
        Conflict::UsernameTaken => Code::UsernameTaken,
        Conflict::EmailTaken => Code::EmailTaken,
        Conflict::DefaultPool => Code::DefaultPool,
        Conflict::AlreadyMember => Code::AlreadyMember,
        Conflict::AlreadyInvited => Code::AlreadyInvited,
        Conflict::OwnerRoleFixed => Code::OwnerRoleFixed,
        Conflict::InvitationAnswered => Code::InvitationAnswered,
        Conflict::ServerUnavailable => Code::ServerUnavailable,
        Conflict::ChargeExceedsMax { .. } => Code::ChargeExceedsMax,
        Conflict::PriceChanged { .. } => Code::PriceChanged,
        Conflict::InstanceLocked => Code::InstanceLocked,
        Conflict::ExtensionAlreadyApplied => Code::ExtensionAlreadyApplied,
        Conflict::RentalEnded => Code::RentalEnded,
        Conflict::RefundChanged { .. } => Code::RefundChanged,
        Conflict::QuoteUsed => Code::QuoteUsed,
        Conflict::NoSavedMethod => Code::NoSavedMethod,
        Conflict::OutageOverlaps => Code::OutageOverlaps,
        Conflict::SshKeyExists => Code::SshKeyExists,
        Conflict::SshKeyLimit { .. } => Code::SshKeyLimit,
        Conflict::ScriptExists => Code::ScriptExists,
        Conflict::ScriptLimit { .. } => Code::ScriptLimit,
        Conflict::TemplateLimit { .. } => Code::TemplateLimit,
        Conflict::SoftwareLimit { .. } => Code::SoftwareLimit,
        Conflict::InstallLimit { .. } => Code::InstallLimit,
        Conflict::AlreadyInstalled => Code::AlreadyInstalled,
        Conflict::InstallNotFailed => Code::InstallNotFailed,
        Conflict::InstallRunning => Code::InstallRunning,
        Conflict::NoCapacity => Code::NoCapacity,
        Conflict::CapacityInUse => Code::CapacityInUse,
        Conflict::CarriesInstances => Code::CarriesInstances,
        Conflict::CutIntoUnits => Code::CutIntoUnits,
        Conflict::UnitsAllocated => Code::UnitsAllocated,
        Conflict::UnitNotAllocated => Code::UnitNotAllocated,
        Conflict::HostDecommissioning => Code::HostDecommissioning,
        Conflict::NothingToRetry => Code::NothingToRetry,
        Conflict::HostAnswers => Code::ServerAnswers,
        Conflict::NotForUnits => Code::NotForUnits,
        Conflict::IdentityInUse => Code::IdentityInUse,
        Conflict::PoolInUse => Code::PoolInUse,
        Conflict::InstanceBusy => Code::InstanceBusy,
        Conflict::InstanceDeleted => Code::InstanceDeleted,
        Conflict::InstanceNotStopped => Code::InstanceNotStopped,
        Conflict::NotSpot => Code::NotSpot,
        Conflict::PartOfCluster => Code::PartOfCluster,
        Conflict::VolumeInUse => Code::VolumeInUse,
        Conflict::VolumeIsDisk => Code::VolumeIsDisk,
        Conflict::TagExists => Code::TagExists,
        Conflict::VolumeDetached => Code::VolumeDetached,
        Conflict::VolumeElsewhere => Code::VolumeElsewhere,
        Conflict::VolumeNotInTrash => Code::VolumeNotInTrash,
        Conflict::QuotaReached { .. } => Code::QuotaReached,
        Conflict::ClockNotManual => Code::ClockNotManual,
        Conflict::IdempotencyKeyReused => Code::IdempotencyKeyReused,
        Conflict::IdempotencyInProgress => Code::IdempotencyInProgress,
    }
}
