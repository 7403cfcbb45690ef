//! Events: the outbox. Every change of state writes one in its own transaction, for webhooks, mail,
//! the audit log and live streams to read.

mod browse;
mod port;

use std::net::IpAddr;

use serde_json::Value;

pub use browse::{EventFilter, EventId, RecordedEvent, audit, notifications};
pub use port::{EventQueries, Events};

use crate::clock::Timestamp;
use crate::cluster::ClusterId;
use crate::host::HostId;
use crate::image::ImageId;
use crate::install::InstallId;
use crate::instance::InstanceId;
use crate::location::LocationId;
use crate::plan::PlanId;
use crate::pool::PoolId;
use crate::remote::IdentityId;
use crate::rental::RentalId;
use crate::script::ScriptId;
use crate::software::SoftwareId;
use crate::ssh_key::SshKeyId;
use crate::template::TemplateId;
use crate::token::ApiTokenId;
use crate::user::UserId;
use crate::volume::VolumeId;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What, as `noun.verb_in_the_past` (`rental.extended`).
    pub kind: &'static str,
    /// To what.
    pub subject: Subject,
    /// Who did it.
    pub actor: Actor,
    /// What `data` was before, where it changed something.
    pub before: Option<Value>,
    /// Facts for readers of the outbox. Never a secret, a password or an e-mail address.
    pub data: Value,
    /// Who is to be told: it stands in their notifications.
    pub recipient: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// Who did something, and where from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody with an account.
    User {
        /// The user.
        id: UserId,
        /// The address that they called from, where it is known.
        from: Option<IpAddr>,
    },
    /// Whoever can start programs on the server itself.
    Console,
    /// Berth itself.
    System,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user's account or sessions.
    User(UserId),
    /// An API token.
    Token(ApiTokenId),
    /// A pool and its members.
    Pool(PoolId),
    /// A server.
    Host(HostId),
    /// A rental.
    Rental(RentalId),
    /// A user's wallet.
    Wallet(UserId),
    /// A location.
    Location(LocationId),
    /// A plan.
    Plan(PlanId),
    /// An image.
    Image(ImageId),
    /// An SSH key.
    SshKey(SshKeyId),
    /// A script.
    Script(ScriptId),
    /// A template.
    Template(TemplateId),
    /// Software.
    Software(SoftwareId),
    /// What was installed on an instance.
    Install(InstallId),
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
    /// A cluster.
    Cluster(ClusterId),
    /// One of the operator's keys for hosts.
    SshIdentity(IdentityId),
}

impl Subject {
    /// The kind's name, as stored.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Pool(_) => "pool",
            Self::Host(_) => "host",
            Self::Rental(_) => "rental",
            Self::Wallet(_) => "wallet",
            Self::Location(_) => "location",
            Self::Plan(_) => "plan",
            Self::Image(_) => "image",
            Self::SshKey(_) => "ssh_key",
            Self::Script(_) => "script",
            Self::Template(_) => "template",
            Self::Software(_) => "software",
            Self::Install(_) => "install",
            Self::Instance(_) => "instance",
            Self::Volume(_) => "volume",
            Self::Cluster(_) => "cluster",
            Self::SshIdentity(_) => "ssh_identity",
        }
    }

    /// The stored identifier.
    pub const fn uuid(self) -> uuid::Uuid {
        match self {
            Self::User(id) | Self::Wallet(id) => id.uuid(),
            Self::Token(id) => id.uuid(),
            Self::Pool(id) => id.uuid(),
            Self::Host(id) => id.uuid(),
            Self::Rental(id) => id.uuid(),
            Self::Location(id) => id.uuid(),
            Self::Plan(id) => id.uuid(),
            Self::Image(id) => id.uuid(),
            Self::SshKey(id) => id.uuid(),
            Self::Script(id) => id.uuid(),
            Self::Template(id) => id.uuid(),
            Self::Software(id) => id.uuid(),
            Self::Install(id) => id.uuid(),
            Self::Instance(id) => id.uuid(),
            Self::Volume(id) => id.uuid(),
            Self::Cluster(id) => id.uuid(),
            Self::SshIdentity(id) => id.uuid(),
        }
    }
}
