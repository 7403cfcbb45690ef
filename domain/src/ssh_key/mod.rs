//! SSH keys of a pool, for its instances.

mod add;
mod delete;
mod port;
mod public_key;
mod show;

use serde_json::{Value, json};

pub(crate) use add::add_to;
pub use add::{AddSshKey, add};
pub use delete::delete;
pub use port::{SshKeyQueries, SshKeys};
pub use public_key::PublicKey;
pub(crate) use public_key::line;
pub use show::{list, numbered, part, show};

use crate::clock::Timestamp;
use crate::event::{Actor, Event, Subject};
use crate::id::entity_id;
use crate::pool::PoolId;
use crate::text::digest;
use crate::user::UserId;

entity_id!(
    /// Identifies an SSH key.
    SshKeyId
);

/// A public key that may log in to instances of its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshKey {
    /// Identifies the key.
    pub id: SshKeyId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Its name.
    pub name: String,
    /// As it was sent: one line as in OpenSSH's `authorized_keys`, perhaps with its end.
    pub public_key: String,
    /// Such as `SHA256:…`, without regard to the comment.
    pub fingerprint: String,
    /// Who added it.
    pub author: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl PublicKey {
    /// The same of a key that is only a text yet.
    pub fn digest(&self) -> [u8; 32] {
        digest(line(self.as_str()))
    }
}

impl SshKey {
    /// What stands for the text where it is compared: an index cannot hold it.
    pub fn digest(&self) -> [u8; 32] {
        digest(line(&self.public_key))
    }

    fn facts(&self) -> Value {
        json!({ "pool_id": self.pool_id, "name": self.name, "fingerprint": self.fingerprint })
    }

    fn added(&self, actor: Actor) -> Event {
        Event {
            kind: "ssh_key.added",
            subject: Subject::SshKey(self.id),
            actor,
            before: None,
            data: self.facts(),
            recipient: None,
            at: self.created_at,
        }
    }

    fn deleted(&self, actor: Actor, at: Timestamp) -> Event {
        Event {
            kind: "ssh_key.deleted",
            subject: Subject::SshKey(self.id),
            actor,
            before: Some(self.facts()),
            data: json!({ "pool_id": self.pool_id }),
            recipient: None,
            at,
        }
    }
}
