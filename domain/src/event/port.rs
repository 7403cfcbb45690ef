use async_trait::async_trait;

use super::{Event, EventFilter, EventId, RecordedEvent, Subject};
use crate::error::Result;
use crate::page::Page;

/// Looks at events.
#[async_trait]
pub trait EventQueries {
    /// Events that pass the filter, newest first.
    async fn events(
        &self,
        filter: &EventFilter,
        page: &Page<EventId>,
    ) -> Result<Vec<RecordedEvent>>;

    /// The newest events about one thing, newest first.
    async fn events_of(&self, subject: Subject, limit: u32) -> Result<Vec<RecordedEvent>>;
}

/// Where events are written; nobody changes or removes them.
#[async_trait]
pub trait Events {
    /// Adds events in the order given, in this transaction.
    async fn record(&self, events: Vec<Event>) -> Result<()>;
}
