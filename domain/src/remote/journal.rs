//! What was done on hosts, step by step.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::id::entity_id;
use crate::page::Page;

entity_id!(
    /// Identifies an entry of the journal.
    JournalEntryId
);

/// The most bytes of what a step printed that are kept: its end.
const MOST_OUTPUT: usize = 8 * 1024;

/// Something that is done on a host by logging in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// On which host.
    pub host_id: HostId,
    /// What it is about: an instance, a rental or a unit's user; nothing where it is the host itself.
    pub subject: Option<String>,
    /// What is done, such as `inspect` or `make_unit`.
    pub name: &'static str,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status of what ran there; none where it did not come to that, or was cut off.
    pub exit_status: Option<i64>,
    /// The end of what it printed, or why it failed.
    pub output: String,
}

impl Outcome {
    /// The end of a text, at most 8 KiB of it, without what a database cannot keep.
    pub fn new(exit_status: Option<i64>, output: &str) -> Self {
        let from = output.len().saturating_sub(MOST_OUTPUT);
        let from = (from..output.len()).find(|at| output.is_char_boundary(*at));
        let end = output.get(from.unwrap_or(output.len())..).unwrap_or_default();
        Self { exit_status, output: end.replace('\0', "\u{fffd}") }
    }
}

/// A step that was begun, and how it went as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Identifies the entry; later ones are greater.
    pub id: JournalEntryId,
    /// On which host.
    pub host_id: HostId,
    /// What it was about.
    pub subject: Option<String>,
    /// What was done.
    pub step: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it ended; not yet, or cut off by a crash, where this is not known.
    pub ended_at: Option<Timestamp>,
    /// The exit status.
    pub exit_status: Option<i64>,
    /// The end of what it printed, or why it failed.
    pub output: String,
}

/// Looks at the journal.
#[async_trait]
pub trait JournalQueries {
    /// What was done on a host, newest first, all of it or what one subject is about.
    async fn journal(
        &self,
        host_id: HostId,
        subject: Option<&str>,
        page: &Page<JournalEntryId>,
    ) -> Result<Vec<JournalEntry>>;
}
