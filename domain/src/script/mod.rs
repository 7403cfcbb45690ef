//! Scripts of a pool, each to run when an instance starts for the first time.

mod add;
mod delete;
mod port;
mod show;

use serde_json::{Value, json};

pub use add::{AddScript, add};
pub use delete::delete;
pub use port::{ScriptQueries, Scripts};
pub use show::{list, part, show};

use crate::clock::Timestamp;
use crate::event::{Actor, Event, Subject};
use crate::id::entity_id;
use crate::pool::PoolId;
use crate::text::digest;
use crate::user::UserId;

const MAX_BYTES: usize = 64 * 1024;

entity_id!(
    /// Identifies a script.
    ScriptId
);

/// A script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Identifies the script.
    pub id: ScriptId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Its name.
    pub name: String,
    /// What is run.
    pub content: String,
    /// Who added it.
    pub author: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A script without its content, as lists have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSummary {
    /// Identifies the script.
    pub id: ScriptId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Its name.
    pub name: String,
    /// Who added it.
    pub author: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Script {
    /// What stands for the content where it is compared: an index cannot hold it.
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.content)
    }

    /// The script without its content.
    pub fn summary(&self) -> ScriptSummary {
        let Self { id, pool_id, author, created_at, .. } = *self;
        ScriptSummary { id, pool_id, name: self.name.clone(), author, created_at }
    }

    fn added(&self, actor: Actor) -> Event {
        Event {
            kind: "script.added",
            subject: Subject::Script(self.id),
            actor,
            before: None,
            data: self.summary().facts(),
            recipient: None,
            at: self.created_at,
        }
    }
}

impl ScriptSummary {
    /// Without the content, which may hold secrets.
    fn facts(&self) -> Value {
        json!({ "pool_id": self.pool_id, "name": self.name })
    }

    fn deleted(&self, actor: Actor, at: Timestamp) -> Event {
        Event {
            kind: "script.deleted",
            subject: Subject::Script(self.id),
            actor,
            before: Some(self.facts()),
            data: json!({ "pool_id": self.pool_id }),
            recipient: None,
            at,
        }
    }
}

/// What a script runs: 1 byte to 64 KiB without U+0000. One that does not say with `#!` what runs it is run by
/// `/bin/sh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content(String);

impl Content {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_BYTES {
            return Err("a script is at most 64 KiB");
        }
        if text.contains('\0') {
            return Err("a script cannot hold the character U+0000");
        }
        if text.trim().is_empty() {
            return Err("a script holds something to run");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_any_text_that_is_not_empty_or_too_long() {
        let most = format!("#!{}", "x".repeat(MAX_BYTES - 2));
        for text in ["#!", "#!/bin/sh\necho hello\r\n", "echo hello", &most] {
            assert_eq!(Content::parse(text).unwrap().as_str(), text);
        }
        for text in ["", " \n", "#!/bin/sh\0", &format!("{most}x")] {
            assert!(Content::parse(text).is_err(), "{text:.20}");
        }
    }
}
