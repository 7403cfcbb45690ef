//! The outbox, which is the audit log, too.

use std::net::IpAddr;

use async_trait::async_trait;
use domain::event::{
    Actor, Event, EventFilter, EventId, EventQueries, Events, RecordedEvent, Subject,
};
use domain::page::Page;
use domain::user::UserId;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, NotSet, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::entity::event::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::store::Handle;

/// Rows in one INSERT: far below both databases' bound on parameters.
const ROWS_AT_ONCE: usize = 1_000;
/// The origin of what the operator's console does.
const CONSOLE: &str = "console";

fn row(event: Event) -> ActiveModel {
    let (actor_id, origin) = match event.actor {
        Actor::User { id, from } => (Some(id.uuid()), from.map(|address| address.to_string())),
        Actor::Console => (None, Some(CONSOLE.to_owned())),
        Actor::System => (None, None),
    };
    ActiveModel {
        id: NotSet,
        kind: Set(event.kind.to_owned()),
        subject_kind: Set(event.subject.kind().to_owned()),
        subject_id: Set(event.subject.uuid()),
        actor_id: Set(actor_id),
        origin: Set(origin),
        before: Set(event.before),
        data: Set(event.data),
        recipient_id: Set(event.recipient.map(UserId::uuid)),
        created_at: Set(event.at),
    }
}

fn recorded(row: Model) -> RecordedEvent {
    let origin = row.origin.as_deref();
    let actor = match row.actor_id {
        Some(id) => Actor::User {
            id: UserId::from_uuid(id),
            from: origin.and_then(|address| address.parse::<IpAddr>().ok()),
        },
        None if origin == Some(CONSOLE) => Actor::Console,
        None => Actor::System,
    };
    RecordedEvent {
        id: EventId(row.id),
        kind: row.kind,
        subject_kind: row.subject_kind,
        subject_id: UserId::from_uuid(row.subject_id).to_string(),
        actor,
        before: row.before,
        data: row.data,
        at: row.created_at,
    }
}

#[async_trait]
impl EventQueries for Handle {
    async fn events(
        &self,
        filter: &EventFilter,
        page: &Page<EventId>,
    ) -> Result<Vec<RecordedEvent>> {
        let own_kinds = [Subject::User, Subject::Wallet];
        let of = filter.of.map(|user_id| {
            let about = own_kinds.map(|subject| subject(user_id).kind());
            let about = Condition::all()
                .add(Column::SubjectId.eq(user_id.uuid()))
                .add(Column::SubjectKind.is_in(about));
            Condition::any().add(Column::ActorId.eq(user_id.uuid())).add(about)
        });
        let wanted = Condition::all()
            .add_option(of)
            .add_option(filter.actor.map(|id| Column::ActorId.eq(id.uuid())))
            .add_option(filter.subject_id.map(|id| Column::SubjectId.eq(id)))
            .add_option(filter.kind.as_ref().map(|kind| Column::Kind.eq(kind)))
            .add_option(filter.recipient.map(|id| Column::RecipientId.eq(id.uuid())))
            .add_option(filter.from.map(|from| Column::CreatedAt.gte(from)))
            .add_option(filter.until.map(|until| Column::CreatedAt.lt(until)))
            .add_option(page.after.map(|after| Column::Id.lt(after.0)));
        let find = Entity::find().filter(wanted).order_by_desc(Column::Id);
        let rows = find.limit(page.limit.map(u64::from)).all(&self.connection).await;
        Ok(rows.map_err(failed)?.into_iter().map(recorded).collect())
    }

    async fn events_of(&self, subject: Subject, limit: u32) -> Result<Vec<RecordedEvent>> {
        let find = Entity::find()
            .filter(Column::SubjectId.eq(subject.uuid()))
            .filter(Column::SubjectKind.eq(subject.kind()))
            .order_by_desc(Column::Id)
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(recorded).collect())
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
