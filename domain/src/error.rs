//! The one vocabulary of refusals. It knows no transport: each surface maps every kind by name.

use chrono::Duration;

use crate::instance::DriverFault;
use crate::money::Money;
use crate::token::Permission;

/// The answer of every use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused or failed. A refusal has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong; every fault at once.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// Who is calling is not known.
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// It does not exist, or not for this caller.
    #[error("{0} not found")]
    NotFound(Thing),
    /// It stands against the present state.
    #[error("{0}")]
    Conflict(Conflict),
    /// The terms asked for cannot be charged.
    #[error("{0}")]
    Unpayable(Unpayable),
    /// It existed and its time is over.
    #[error("the invitation has expired; ask to be invited again")]
    InvitationExpired,
    /// It held for a while and that is over.
    #[error("the quote has expired; ask for a new one")]
    QuoteExpired,
    /// The operator has configured no way to pay by card.
    #[error("payments by card are not configured on this server")]
    PaymentsNotConfigured,
    /// The payment provider did not answer, or refused us; the cause is for the log only.
    #[error("the payment provider cannot be reached at the moment; try again later")]
    PaymentProvider(#[source] Cause),
    /// A message that claims to come from the payment provider does not carry its signature.
    #[error("the signature is missing, wrong, or too old")]
    InvalidSignature,
    /// Too many attempts; try again after the time given.
    #[error("too many attempts")]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A lock, a queue or the database did not come free in time; nothing was changed.
    #[error("the server is busy; try again in a moment")]
    Busy,
    /// The host of an instance does not answer, or not as it should; the cause is for the log only.
    #[error("the instance's host cannot be reached at the moment; try again later")]
    HostUnreachable(#[source] DriverFault),
    /// The disk is full or the database does not answer; whether a commit took effect is unknown.
    #[error("the database cannot be written at the moment; try again later")]
    Unavailable(#[source] Cause),
    /// The database gave this transaction up for another one; it runs again by itself.
    #[error("the transaction lost a race and can be repeated")]
    Contention,
    /// A fault of ours. The cause is for the log only.
    #[error("an internal error happened")]
    Internal(#[source] Cause),
}

/// What lies below an [`Error::Internal`] or [`Error::Unavailable`]; logged, never displayed to a
/// client.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// A fault of ours, with its cause for the log.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// What happened, for the log and for whoever runs the server: with the cause, which clients
    /// never see.
    pub fn for_the_log(&self) -> String {
        match self {
            Self::Internal(cause) | Self::Unavailable(cause) | Self::PaymentProvider(cause) => {
                format!("{self}: {cause}")
            }
            Self::HostUnreachable(cause) => format!("{self}: {cause}"),
            refusal => refusal.to_string(),
        }
    }

    /// Refuses a request that has faults.
    pub fn unless_empty(violations: Vec<Violation>) -> Result<()> {
        if violations.is_empty() { Ok(()) } else { Err(Self::Invalid(violations)) }
    }

    /// One fault in a request.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(path, message)])
    }
}

/// One fault in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a JSON pointer into the body (`/rental_days`), or a parameter's name.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Violation {
    /// A fault at a place.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Why a caller is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No credentials, or ones that are not (or no longer) valid.
    #[error("sign in, or send a valid token")]
    Credentials,
    /// The name or the password is wrong; which of them is not told.
    #[error("the username, e-mail or password is wrong")]
    Password,
    /// The refresh token is unknown, expired or revoked.
    #[error("the refresh token is not valid; log in again")]
    RefreshToken,
    /// The refresh token was used before: its whole session is ended (RFC 9700 §4.14.2).
    #[error("the refresh token was used before, so its session was ended; log in again")]
    RefreshTokenReused,
    /// The token may not be used from this address.
    #[error("this token may not be used from your address")]
    Address,
}

/// Why a known caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The API token lacks this permission.
    #[error("the token lacks the permission {}", .0.path())]
    Scope(Permission),
    /// Only the pool's owner may.
    #[error("only the pool's owner may do this")]
    PoolOwnerRequired,
    /// Only the pool's owner and admins may.
    #[error("only the pool's owner and admins may do this")]
    PoolAdminRequired,
    /// Only an operator may.
    #[error("only an operator may do this")]
    OperatorRequired,
    /// Nobody grants more than they hold.
    #[error("a token cannot grant permissions, addresses or time that it does not have itself")]
    Escalation,
    /// Only the user themselves may.
    #[error("you may only change your own account")]
    NotYourself,
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A user.
    User,
    /// An API token.
    Token,
    /// A pool.
    Pool,
    /// A member of a pool.
    Member,
    /// An invitation into a pool.
    Invitation,
    /// A server (host).
    Server,
    /// A rental.
    Rental,
    /// A transaction (posting).
    Transaction,
    /// A job.
    Job,
    /// A quote.
    Quote,
    /// A mandate to renew a rental.
    Mandate,
    /// A supplier.
    Supplier,
    /// A run of payouts.
    PayoutRun,
    /// A payment by card.
    Payment,
    /// The wish to be topped up automatically.
    AutoTopUp,
    /// A plan.
    Plan,
    /// What is sold of a host by the graphics processor.
    GpuOffer,
    /// An image.
    Image,
    /// An SSH key.
    SshKey,
    /// A script.
    Script,
    /// A template.
    Template,
    /// Software.
    Software,
    /// What was installed on an instance.
    Install,
    /// An instance.
    Instance,
    /// A compute unit.
    ComputeUnit,
    /// A volume.
    Volume,
    /// A cluster.
    Cluster,
    /// A label.
    Tag,
    /// A finding of the reconciler.
    Finding,
    /// Client credentials.
    ClientCredential,
    /// One of the operator's keys for hosts.
    SshIdentity,
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Pool => "pool",
            Self::Member => "member",
            Self::Invitation => "invitation",
            Self::Server => "server",
            Self::Rental => "rental",
            Self::Transaction => "transaction",
            Self::Job => "job",
            Self::Quote => "quote",
            Self::Mandate => "mandate",
            Self::Supplier => "supplier",
            Self::PayoutRun => "payout run",
            Self::Payment => "payment",
            Self::AutoTopUp => "automatic top-up",
            Self::Plan => "plan",
            Self::GpuOffer => "GPU offer",
            Self::Image => "image",
            Self::SshKey => "SSH key",
            Self::Script => "script",
            Self::Template => "template",
            Self::Software => "software",
            Self::Install => "installation",
            Self::Instance => "instance",
            Self::ComputeUnit => "compute unit",
            Self::Volume => "volume",
            Self::Cluster => "cluster",
            Self::Tag => "tag",
            Self::Finding => "finding",
            Self::ClientCredential => "client credentials",
            Self::SshIdentity => "SSH identity",
        })
    }
}

/// What stands against a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The username belongs to somebody.
    #[error("the username is taken")]
    UsernameTaken,
    /// The e-mail address belongs to somebody.
    #[error("the e-mail address is already registered")]
    EmailTaken,
    /// The default pool cannot be deleted.
    #[error("the default pool cannot be deleted")]
    DefaultPool,
    /// The user is a member of the pool.
    #[error("the user is already a member of this pool")]
    AlreadyMember,
    /// The user has an open invitation into the pool.
    #[error("the user is already invited to this pool")]
    AlreadyInvited,
    /// The owner's role is fixed.
    #[error("the owner's role cannot be changed, and the owner cannot be removed")]
    OwnerRoleFixed,
    /// The invitation was accepted or rejected before.
    #[error("the invitation was already answered")]
    InvitationAnswered,
    /// The server is not listed, is rented, or somebody was faster.
    #[error("the server is not available")]
    ServerUnavailable,
    /// The charge is above the `max_charge` given; nothing was charged.
    #[error("the charge of {charge} is above the maximum that you gave, {max}")]
    ChargeExceedsMax {
        /// What it would cost.
        charge: Money,
        /// What the caller allowed.
        max: Money,
    },
    /// What was agreed to is not the price any more; nothing was done.
    #[error("the price is {} now, not {}; look at the offer again", price.exact(), expected.exact())]
    PriceChanged {
        /// What it costs.
        price: Money,
        /// What the caller expected.
        expected: Money,
    },
    /// The rental's end is not the one that the caller expects: an extension was applied before.
    #[error(
        "the rental's end is not the expected one; look at the rental before you extend it again"
    )]
    ExtensionAlreadyApplied,
    /// The rental has ended.
    #[error("the rental has ended")]
    RentalEnded,
    /// Ending the rental gives back something else than the caller expects; nothing was done.
    #[error("ending the rental gives back {refund}, not {expected}; look at the preview again")]
    RefundChanged {
        /// What it would give back.
        refund: Money,
        /// What the caller expected.
        expected: Money,
    },
    /// The quote was used for a rental.
    #[error("the quote was used already; ask for a new one")]
    QuoteUsed,
    /// There is no saved card to charge.
    #[error("there is no saved card; pay once with save_method")]
    NoSavedMethod,
    /// A part of the time is recorded as an outage already.
    #[error("a recorded outage of this server overlaps this time; record only what is new")]
    OutageOverlaps,
    /// The pool has an SSH key with this text.
    #[error("the pool has this SSH key already")]
    SshKeyExists,
    /// The pool holds as many SSH keys as it may.
    #[error("the pool has {most} SSH keys already; delete one first")]
    SshKeyLimit {
        /// How many a pool holds at most.
        most: u64,
    },
    /// The pool has a script with this content.
    #[error("the pool has a script with this content already")]
    ScriptExists,
    /// The pool holds as many scripts as it may.
    #[error("the pool has {most} scripts already; delete one first")]
    ScriptLimit {
        /// How many a pool holds at most.
        most: u64,
    },
    /// There are as many templates as there may be, in the pool or of the operator.
    #[error("there are {most} templates already; delete one first")]
    TemplateLimit {
        /// How many there are at most.
        most: u64,
    },
    /// There is as much software as there may be, in the pool or of the operator.
    #[error("there are {most} entries of software already; delete one first")]
    SoftwareLimit {
        /// How many there are at most.
        most: u64,
    },
    /// As much is installed on the instance as may be.
    #[error("{most} installations are on the instance already; remove one first")]
    InstallLimit {
        /// How many there are at most.
        most: u64,
    },
    /// The software is on the instance, or was tried there.
    #[error("the software is on this instance already; retry or remove that")]
    AlreadyInstalled,
    /// Only what failed is retried.
    #[error("the installation has not failed; there is nothing to retry")]
    InstallNotFailed,
    /// Its script runs.
    #[error("the installation is running; wait until it has ended")]
    InstallRunning,
    /// No host has room for it.
    #[error("there is no capacity for this at the moment; try another plan or location, or later")]
    NoCapacity,
    /// Instances hold what is to be taken away.
    #[error("instances hold what would be taken away; drain the server and delete them first")]
    CapacityInUse,
    /// The host carries instances, so that it is not rented as a whole.
    #[error("the server carries instances and cannot be offered as a whole")]
    CarriesInstances,
    /// The host is cut into compute units, so that nothing else comes to it.
    #[error("the server is cut into compute units; decommission it first")]
    CutIntoUnits,
    /// Somebody has a compute unit of the host.
    #[error("compute units of this server are allocated; deallocate them first")]
    UnitsAllocated,
    /// Nobody has the compute unit.
    #[error("the compute unit is not allocated")]
    UnitNotAllocated,
    /// The host is being put back as it was before it was cut, or that failed.
    #[error("the server is being decommissioned; wait until it is, or have that retried")]
    HostDecommissioning,
    /// Nothing failed.
    #[error("nothing has failed here; there is nothing to retry")]
    NothingToRetry,
    /// The host is to be given up, and there is no reason to.
    #[error("the server answers; decommission it instead")]
    HostAnswers,
    /// Hosts are logged in to with the key.
    #[error("servers are logged in to with this identity; give them another one first")]
    IdentityInUse,
    /// The instance is a compute unit.
    #[error("a compute unit cannot do this; it can be stopped, started, restarted and deleted")]
    NotForUnits,
    /// The pool has instances, volumes or clusters.
    #[error("the pool has instances or volumes; delete or transfer them first")]
    PoolInUse,
    /// The pool has as many as it may.
    #[error("the pool has {most} of these already; delete one first")]
    QuotaReached {
        /// How many a pool has at most.
        most: u64,
    },
    /// The instance is being made, or otherwise in between.
    #[error("the instance is in between; wait until it is running or stopped")]
    InstanceBusy,
    /// The instance is deleted, or being deleted.
    #[error("the instance is deleted")]
    InstanceDeleted,
    /// The instance must be stopped for this.
    #[error("the instance must be stopped for this; shut it down first")]
    InstanceNotStopped,
    /// Its owner has locked the instance.
    #[error("the instance is locked and cannot be modified; unlock it first")]
    InstanceLocked,
    /// The instance is no spot instance.
    #[error("the instance is no spot instance")]
    NotSpot,
    /// The instance belongs to a cluster.
    #[error("the instance is part of a cluster, which is deleted or transferred as a whole")]
    PartOfCluster,
    /// Something has the volume, or it is not made yet, or not there any more.
    #[error("the volume is attached, not ready or deleted")]
    VolumeInUse,
    /// The volume holds an operating system.
    #[error(
        "the volume is an instance's disk: order an instance on it, and delete that to free it"
    )]
    VolumeIsDisk,
    /// There is a label of this key.
    #[error("there is a tag of this key already")]
    TagExists,
    /// Nothing has the volume.
    #[error("the volume is not attached to anything")]
    VolumeDetached,
    /// The volume is where the instance is not.
    #[error("the volume is on other disks than the instance's server; clone or create it there")]
    VolumeElsewhere,
    /// The volume is not in the trash, or not any more.
    #[error("the volume is not in the trash")]
    VolumeNotInTrash,
    /// Time moves by itself here.
    #[error("the server was not started with clock = manual, so its time cannot be moved")]
    ClockNotManual,
    /// The same idempotency key came with another request.
    #[error("this idempotency key was used with another request; use a new one")]
    IdempotencyKeyReused,
    /// The same request is being worked on.
    #[error("a request with this Idempotency-Key is still running; repeat it in a moment")]
    IdempotencyInProgress,
}

/// Why terms cannot be charged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpayable {
    /// No tier for these days; there is no interpolation.
    #[error("the server is not offered for this number of days")]
    InvalidDuration {
        /// The days that are offered, ascending.
        available: Vec<u32>,
    },
    /// The server has no prices.
    #[error("the server has no prices at the moment")]
    NoPricing,
    /// The wallet does not cover the charge.
    #[error("the wallet's balance of {available} does not cover the charge of {required}")]
    InsufficientBalance {
        /// The charge.
        required: Money,
        /// What the wallet holds.
        available: Money,
    },
}
