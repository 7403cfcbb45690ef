//! Looks at what happened: the audit log, and one's notifications.

use std::fmt;

use serde_json::Value;

use super::Actor;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Role, UserId};

/// The place of an event in the log, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(pub i64);

impl EventId {
    /// Reads a whole number above zero.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0).map(Self)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    /// Its place.
    pub id: EventId,
    /// What happened.
    pub kind: String,
    /// The kind of thing that it happened to.
    pub subject_kind: String,
    /// The thing, in the 24 hexadecimal characters of its id.
    pub subject_id: String,
    /// Who did it.
    pub actor: Actor,
    /// What the facts were before.
    pub before: Option<Value>,
    /// The facts.
    pub data: Value,
    /// When.
    pub at: Timestamp,
}

/// Which events; everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Done by this user, or about their account or wallet.
    pub of: Option<UserId>,
    /// Done by this user.
    pub actor: Option<UserId>,
    /// About the thing with this id.
    pub subject_id: Option<uuid::Uuid>,
    /// Of this kind.
    pub kind: Option<String>,
    /// For this user's notifications.
    pub recipient: Option<UserId>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

/// The audit log, newest first. Operators see all of it, with credentials that carry
/// [`Permission::AdminRead`]; everybody else what they did, and what was done to their account and
/// wallet.
pub async fn audit(
    store: &dyn Store,
    caller: &Caller,
    filter: EventFilter,
    page: Page<EventId>,
) -> Result<Paged<RecordedEvent, EventId>> {
    caller.may(Permission::ProfileRead)?;
    let sees_all = caller.role == Role::Operator && caller.permissions.allow(Permission::AdminRead);
    let of = if sees_all { None } else { Some(caller.user_id) };
    find(store, EventFilter { of, recipient: None, ..filter }, page).await
}

/// What the caller was told, newest first.
pub async fn notifications(
    store: &dyn Store,
    caller: &Caller,
    page: Page<EventId>,
) -> Result<Paged<RecordedEvent, EventId>> {
    caller.may(Permission::ProfileRead)?;
    let filter = EventFilter { recipient: Some(caller.user_id), ..EventFilter::default() };
    find(store, filter, page).await
}

/// The log only grows, so it is never listed whole.
const MOST: u32 = 500;

async fn find(
    store: &dyn Store,
    filter: EventFilter,
    page: Page<EventId>,
) -> Result<Paged<RecordedEvent, EventId>> {
    let page = Page { limit: page.limit.or(Some(MOST)), ..page };
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().events(&filter, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |event| event.id))
}
