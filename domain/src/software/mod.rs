//! Software: what can be put onto an instance that runs, by a script and with options, kept by a pool or by
//! the operator for everybody.

mod add;
mod delete;
mod draft;
mod keeper;
mod option;
mod port;
mod replace;
mod show;

use serde_json::{Value, json};

pub use add::{AddSoftware, add};
pub use delete::delete;
pub use draft::SoftwareDraft;
pub use keeper::Keeper;
pub(crate) use option::configured;
pub use option::{MOST_OPTIONS, OptionKind, SoftwareOption, variable};
pub use port::{SoftwareKey, SoftwareQueries, SoftwareRecords, SoftwareScope};
pub use replace::{ReplaceSoftware, replace};
pub use show::{global, list, numbered, show};

use crate::clock::Timestamp;
use crate::event::{Actor, Event, Subject};
use crate::id::entity_id;
use crate::pool::PoolId;

entity_id!(
    /// Identifies software.
    SoftwareId
);

/// Something that can be put onto an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Identifies the software.
    pub id: SoftwareId,
    /// Its whole number, which no other thing ever has.
    pub number: i64,
    /// Whose it is; without a pool it is the operator's, for everybody.
    pub pool_id: Option<PoolId>,
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// What it is, at most 4000 characters.
    pub description: String,
    /// A word for what it belongs to, at most 100 characters.
    pub category: String,
    /// What whoever installs it chooses, at most 32 options.
    pub options: Vec<SoftwareOption>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What is run in an instance, as its root, with every option as an environment variable. Each is 1 byte to
/// 64 KiB; without `#!` the instance's `/bin/sh` runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    /// Puts the software there.
    pub install: String,
    /// Takes it away.
    pub remove: Option<String>,
}

impl Software {
    /// Of what may hold secrets nothing: not the scripts, not the options' values.
    fn facts(&self) -> Value {
        json!({ "number": self.number, "pool_id": self.pool_id, "name": self.name,
            "category": self.category,
            "options": self.options.iter().map(|option| &option.key).collect::<Vec<_>>() })
    }

    fn event(&self, kind: &'static str, (actor, at): (Actor, Timestamp)) -> Event {
        Event {
            kind,
            subject: Subject::Software(self.id),
            actor,
            before: None,
            data: self.facts(),
            recipient: None,
            at,
        }
    }
}
