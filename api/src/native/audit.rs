//! What happened: the audit log, and one's notifications.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use domain::event::{self, Actor, EventFilter, EventId, RecordedEvent};
use domain::page::Paged;
use domain::user::UserId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, page};
use super::field::instant;
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

/// Who did something.
#[derive(Serialize, ToSchema)]
pub struct ActorView {
    /// `user`, `console` (a command on the server itself) or `system`.
    #[schema(example = "user")]
    kind: &'static str,
    /// The user.
    id: Option<String>,
    /// The address that they called from.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
}

impl From<Actor> for ActorView {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::User { id, from } => Self {
                kind: "user",
                id: Some(id.to_string()),
                address: from.map(|address| address.to_string()),
            },
            Actor::Console => Self { kind: "console", id: None, address: None },
            Actor::System => Self { kind: "system", id: None, address: None },
        }
    }
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the log.
    #[schema(example = "4711")]
    id: String,
    #[schema(example = "rental.extended")]
    kind: String,
    /// What kind of thing it happened to.
    #[schema(example = "rental")]
    subject_kind: String,
    subject_id: String,
    actor: ActorView,
    /// The facts before, where it changed something. Keys in `_e8` are units of 10⁻⁸.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// The facts.
    #[schema(value_type = Object)]
    after: Value,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
}

impl From<RecordedEvent> for EventView {
    fn from(event: RecordedEvent) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.kind,
            subject_kind: event.subject_kind,
            subject_id: event.subject_id,
            actor: event.actor.into(),
            before: event.before,
            after: event.data,
            created_at: Stamp(event.at),
        }
    }
}

fn views(found: Paged<RecordedEvent, EventId>) -> (Vec<EventView>, Option<String>) {
    let next = found.next.map(|id| id.to_string());
    (found.rows.into_iter().map(Into::into).collect(), next)
}

/// List what happened, newest first: operators everything, others what they did and what was done to
/// their account and wallet.
#[utoipa::path(tag = "audit",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header"),
           ("actor_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "Done by this user"),
           ("subject_id" = Option<String>, Query, pattern = "^[0-9a-f]{24}$", description = "About this thing"),
           ("kind" = Option<String>, Query, description = "Of this kind, such as rental.extended"),
           ("start_date" = Option<String>, Query, description = "Not before this instant", example = "2025-01-01T00:00:00.000Z"),
           ("end_date" = Option<String>, Query, description = "Before this instant", example = "2025-02-01T00:00:00.000Z")),
    responses((status = 200, body = Success<Vec<EventView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/audit")]
pub async fn list_audit(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<EventView>> {
    let mut query = Query::parse(request.query_string());
    let id = |text: &str| UserId::parse(text).ok_or("must be 24 lower-case hexadecimal characters");
    let kind = |text: &str| {
        let fits = text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("is no kind of event") }
    };
    let filter = EventFilter {
        of: None,
        actor: query.value("actor_id", id),
        subject_id: query.value("subject_id", id).map(UserId::uuid),
        kind: query.value("kind", kind),
        recipient: None,
        from: query.value("start_date", instant),
        until: query.value("end_date", instant),
    };
    let page = page(&mut query, EventId::parse);
    query.finish()?;
    let found = event::audit(app.store.as_ref(), &signed.caller, filter, page).await?;
    let (views, next) = views(found);
    Ok(Success::ok("Audit log retrieved successfully", views).continued(next))
}

/// List what one was told, newest first: renewals to come or refused, refunds, ends.
#[utoipa::path(tag = "accounts",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "500 if not given"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<EventView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/notifications")]
pub async fn list_notifications(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<EventView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, EventId::parse);
    query.finish()?;
    let found = event::notifications(app.store.as_ref(), &signed.caller, page).await?;
    let (views, next) = views(found);
    Ok(Success::ok("Notifications retrieved successfully", views).continued(next))
}
