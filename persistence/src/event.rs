//! The outbox.

use async_trait::async_trait;
use domain::event::{Event, Events};
use domain::user::UserId;
use sea_orm::{ActiveValue::Set, EntityTrait, NotSet};

use crate::entity::event::{ActiveModel, Entity};
use crate::failure::{Result, failed};
use crate::store::Handle;

/// Rows in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 1_000;

fn row(event: Event) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        kind: Set(event.kind.to_owned()),
        subject_kind: Set(event.subject.kind().to_owned()),
        subject_id: Set(event.subject.uuid()),
        actor_id: Set(event.actor.map(UserId::uuid)),
        data: Set(event.data),
        created_at: Set(event.at),
    }
}

#[async_trait]
impl Events for Handle {
    async fn record(&self, events: Vec<Event>) -> Result<()> {
        let mut rows = events.into_iter().map(row).peekable();
        while rows.peek().is_some() {
            let part: Vec<ActiveModel> = rows.by_ref().take(ROWS_AT_ONCE).collect();
            let insert = Entity::insert_many(part).exec_without_returning(&self.connection);
            insert.await.map_err(failed)?;
        }
        Ok(())
    }
}
