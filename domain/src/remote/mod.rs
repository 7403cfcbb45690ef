//! How hosts are logged in to: where, as whom, with which of the operator's keys; the keys by which hosts
//! are known; and the journal of what was done there.

mod journal;
mod login;

pub use journal::{JournalEntry, JournalEntryId, JournalQueries, Outcome, Step};
pub use login::{HostKey, KeyVerdict, Login, LoginBook};
