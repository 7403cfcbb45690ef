//! The error codes of the native surface, each with its status. Codes are stable; texts are not.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident;)*) => {
        /// A stable code for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`")] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that it comes with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    ValidationError = "VALIDATION_ERROR", BAD_REQUEST;
    MalformedJson = "MALFORMED_JSON", BAD_REQUEST;
    InvalidDuration = "INVALID_DURATION", BAD_REQUEST;
    NoPricing = "NO_PRICING", BAD_REQUEST;
    InsufficientBalance = "INSUFFICIENT_BALANCE", BAD_REQUEST;
    InvalidSignature = "INVALID_SIGNATURE", BAD_REQUEST;
    Unauthorized = "UNAUTHORIZED", UNAUTHORIZED;
    InvalidCredentials = "INVALID_CREDENTIALS", UNAUTHORIZED;
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", UNAUTHORIZED;
    RefreshTokenReused = "REFRESH_TOKEN_REUSED", UNAUTHORIZED;
    InsufficientScope = "INSUFFICIENT_SCOPE", FORBIDDEN;
    PoolOwnerRequired = "POOL_OWNER_REQUIRED", FORBIDDEN;
    PoolAdminRequired = "POOL_ADMIN_REQUIRED", FORBIDDEN;
    OperatorRequired = "OPERATOR_REQUIRED", FORBIDDEN;
    NotYourAccount = "NOT_YOUR_ACCOUNT", FORBIDDEN;
    RouteNotFound = "ROUTE_NOT_FOUND", NOT_FOUND;
    UserNotFound = "USER_NOT_FOUND", NOT_FOUND;
    TokenNotFound = "TOKEN_NOT_FOUND", NOT_FOUND;
    PoolNotFound = "POOL_NOT_FOUND", NOT_FOUND;
    MemberNotFound = "MEMBER_NOT_FOUND", NOT_FOUND;
    InvitationNotFound = "INVITATION_NOT_FOUND", NOT_FOUND;
    ServerNotFound = "SERVER_NOT_FOUND", NOT_FOUND;
    RentalNotFound = "RENTAL_NOT_FOUND", NOT_FOUND;
    TransactionNotFound = "TRANSACTION_NOT_FOUND", NOT_FOUND;
    QuoteNotFound = "QUOTE_NOT_FOUND", NOT_FOUND;
    MandateNotFound = "MANDATE_NOT_FOUND", NOT_FOUND;
    SupplierNotFound = "SUPPLIER_NOT_FOUND", NOT_FOUND;
    PayoutRunNotFound = "PAYOUT_RUN_NOT_FOUND", NOT_FOUND;
    PaymentNotFound = "PAYMENT_NOT_FOUND", NOT_FOUND;
    AutoTopUpNotFound = "AUTO_TOP_UP_NOT_FOUND", NOT_FOUND;
    PlanNotFound = "PLAN_NOT_FOUND", NOT_FOUND;
    GpuOfferNotFound = "GPU_OFFER_NOT_FOUND", NOT_FOUND;
    ImageNotFound = "IMAGE_NOT_FOUND", NOT_FOUND;
    SshKeyNotFound = "SSH_KEY_NOT_FOUND", NOT_FOUND;
    ScriptNotFound = "SCRIPT_NOT_FOUND", NOT_FOUND;
    TemplateNotFound = "TEMPLATE_NOT_FOUND", NOT_FOUND;
    SoftwareNotFound = "SOFTWARE_NOT_FOUND", NOT_FOUND;
    InstallNotFound = "INSTALL_NOT_FOUND", NOT_FOUND;
    InstanceNotFound = "INSTANCE_NOT_FOUND", NOT_FOUND;
    ComputeUnitNotFound = "COMPUTE_UNIT_NOT_FOUND", NOT_FOUND;
    VolumeNotFound = "VOLUME_NOT_FOUND", NOT_FOUND;
    ClusterNotFound = "CLUSTER_NOT_FOUND", NOT_FOUND;
    FindingNotFound = "FINDING_NOT_FOUND", NOT_FOUND;
    ClientCredentialNotFound = "CLIENT_CREDENTIAL_NOT_FOUND", NOT_FOUND;
    SshIdentityNotFound = "SSH_IDENTITY_NOT_FOUND", NOT_FOUND;
    JobNotFound = "JOB_NOT_FOUND", NOT_FOUND;
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED;
    RequestTimeout = "REQUEST_TIMEOUT", REQUEST_TIMEOUT;
    UsernameTaken = "USERNAME_TAKEN", CONFLICT;
    EmailTaken = "EMAIL_TAKEN", CONFLICT;
    DefaultPool = "DEFAULT_POOL", CONFLICT;
    AlreadyMember = "ALREADY_MEMBER", CONFLICT;
    AlreadyInvited = "ALREADY_INVITED", CONFLICT;
    OwnerRoleFixed = "OWNER_ROLE_FIXED", CONFLICT;
    InvitationAnswered = "INVITATION_ANSWERED", CONFLICT;
    ServerUnavailable = "SERVER_UNAVAILABLE", CONFLICT;
    ChargeExceedsMax = "CHARGE_EXCEEDS_MAX", CONFLICT;
    PriceChanged = "PRICE_CHANGED", CONFLICT;
    InstanceLocked = "INSTANCE_LOCKED", CONFLICT;
    ExtensionAlreadyApplied = "EXTENSION_ALREADY_APPLIED", CONFLICT;
    RentalEnded = "RENTAL_ENDED", CONFLICT;
    RefundChanged = "REFUND_CHANGED", CONFLICT;
    QuoteUsed = "QUOTE_USED", CONFLICT;
    NoSavedMethod = "NO_SAVED_METHOD", CONFLICT;
    OutageOverlaps = "OUTAGE_OVERLAPS", CONFLICT;
    SshKeyExists = "SSH_KEY_EXISTS", CONFLICT;
    SshKeyLimit = "SSH_KEY_LIMIT", CONFLICT;
    ScriptExists = "SCRIPT_EXISTS", CONFLICT;
    ScriptLimit = "SCRIPT_LIMIT", CONFLICT;
    TemplateLimit = "TEMPLATE_LIMIT", CONFLICT;
    SoftwareLimit = "SOFTWARE_LIMIT", CONFLICT;
    InstallLimit = "INSTALL_LIMIT", CONFLICT;
    AlreadyInstalled = "ALREADY_INSTALLED", CONFLICT;
    InstallNotFailed = "INSTALL_NOT_FAILED", CONFLICT;
    InstallRunning = "INSTALL_RUNNING", CONFLICT;
    NoCapacity = "NO_CAPACITY", CONFLICT;
    CapacityInUse = "CAPACITY_IN_USE", CONFLICT;
    CarriesInstances = "CARRIES_INSTANCES", CONFLICT;
    CutIntoUnits = "CUT_INTO_UNITS", CONFLICT;
    UnitsAllocated = "UNITS_ALLOCATED", CONFLICT;
    UnitNotAllocated = "UNIT_NOT_ALLOCATED", CONFLICT;
    HostDecommissioning = "HOST_DECOMMISSIONING", CONFLICT;
    NothingToRetry = "NOTHING_TO_RETRY", CONFLICT;
    ServerAnswers = "SERVER_ANSWERS", CONFLICT;
    NotForUnits = "NOT_FOR_UNITS", CONFLICT;
    IdentityInUse = "IDENTITY_IN_USE", CONFLICT;
    PoolInUse = "POOL_IN_USE", CONFLICT;
    InstanceBusy = "INSTANCE_BUSY", CONFLICT;
    InstanceDeleted = "INSTANCE_DELETED", CONFLICT;
    InstanceNotStopped = "INSTANCE_NOT_STOPPED", CONFLICT;
    NotSpot = "NOT_SPOT", CONFLICT;
    PartOfCluster = "PART_OF_CLUSTER", CONFLICT;
    VolumeInUse = "VOLUME_IN_USE", CONFLICT;
    VolumeIsDisk = "VOLUME_IS_DISK", CONFLICT;
    TagExists = "TAG_EXISTS", CONFLICT;
    TagNotFound = "TAG_NOT_FOUND", NOT_FOUND;
    VolumeDetached = "VOLUME_DETACHED", CONFLICT;
    VolumeElsewhere = "VOLUME_ELSEWHERE", CONFLICT;
    VolumeNotInTrash = "VOLUME_NOT_IN_TRASH", CONFLICT;
    QuotaReached = "QUOTA_REACHED", CONFLICT;
    ClockNotManual = "CLOCK_NOT_MANUAL", CONFLICT;
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", CONFLICT;
    InvitationExpired = "INVITATION_EXPIRED", GONE;
    QuoteExpired = "QUOTE_EXPIRED", GONE;
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE;
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE;
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY;
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS;
    InternalError = "INTERNAL_ERROR", INTERNAL_SERVER_ERROR;
    PaymentProviderUnavailable = "PAYMENT_PROVIDER_UNAVAILABLE", BAD_GATEWAY;
    HostUnreachable = "HOST_UNREACHABLE", BAD_GATEWAY;
    PaymentsNotConfigured = "PAYMENTS_NOT_CONFIGURED", SERVICE_UNAVAILABLE;
    ServiceUnavailable = "SERVICE_UNAVAILABLE", SERVICE_UNAVAILABLE;
}

// By hand, because the derive would name the variants: it cannot read a `rename` made by a macro.
impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let codes = Self::ALL.iter().map(|code| code.as_str());
        let object = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
        object.description(Some("A stable code for programs.")).into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ErrorCode")
    }
}
