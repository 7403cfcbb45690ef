use async_trait::async_trait;

use super::Event;
use crate::error::Result;

/// Where events are written.
#[async_trait]
pub trait Events {
    /// Adds events in the order given, in this transaction.
    async fn record(&self, events: Vec<Event>) -> Result<()>;
}
