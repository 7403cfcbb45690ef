//! What was done on hosts, step by step.

use chrono::Duration;
use tracing::instrument;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::host::HostId;
use crate::id::entity_id;
use crate::page::{Page, Paged};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

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

/// How long the journal goes back.
const KEPT: Duration = Duration::days(30);

/// What was done on a host, newest first, for operators: all of it, or what one subject is about.
pub async fn journal(
    store: &dyn Store,
    operator: &Operator,
    (host_id, subject): (HostId, Option<&str>),
    page: Page<JournalEntryId>,
) -> Result<Paged<JournalEntry, JournalEntryId>> {
    operator.may(Permission::AdminRead)?;
    let reads = store.reads();
    reads.host(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.journal(host_id, subject, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |entry| entry.id))
}

/// Forgets what was done more than 30 days ago; answers how much.
#[instrument(name = "remote.forget", skip_all)]
pub async fn forget(store: &dyn Store, clock: &dyn Clock) -> Result<u64> {
    let before = clock.now() - KEPT;
    atomically(store, async |tx: &dyn Tx| tx.forget_journal(before).await).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_printed_is_kept_and_nothing_that_a_database_refuses() {
        assert_eq!(Outcome::new(Some(0), "done\0").output, "done\u{fffd}");
        let long = format!("{}ä{}", "x".repeat(9_000), "y".repeat(MOST_OUTPUT - 1));
        let kept = Outcome::new(None, &long).output;
        assert_eq!(kept, "y".repeat(MOST_OUTPUT - 1));
        assert_eq!(Outcome::new(None, "").output, "");
    }
}
