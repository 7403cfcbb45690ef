//! Outages: when a host was down, by what evidence, and what its renters get for it.

mod port;
mod record;
mod show;

pub use port::{OutageQueries, Outages};
pub use record::{Credit, RecordOutage, Recorded, record};
pub use show::list;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::host::HostId;
use crate::id::entity_id;
use crate::user::UserId;

entity_id!(
    /// Identifies an outage.
    OutageId
);

/// A time in which a host was down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Identifies the outage.
    pub id: OutageId,
    /// Which host.
    pub host_id: HostId,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when.
    pub ended_at: Timestamp,
    /// How that is known.
    pub evidence: String,
    /// Who recorded it; `None` for the operator's console.
    pub author: Option<UserId>,
    /// When it was recorded.
    pub created_at: Timestamp,
}
