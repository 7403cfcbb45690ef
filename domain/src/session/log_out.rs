//! Ends all of a user's sessions.

use serde_json::json;
use tracing::instrument;

use crate::clock::Clock;
use crate::error::Result;
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Ends every session of the caller at once; API tokens stay.
#[instrument(name = "session.log_out", skip_all)]
pub async fn log_out(store: &dyn Store, clock: &dyn Clock, caller: &Caller) -> Result<()> {
    caller.may(Permission::ProfileWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        tx.end_sessions(caller.user_id, None, now).await?;
        tx.record(vec![Event {
            kind: "session.all_ended",
            subject: Subject::User(caller.user_id),
            actor: caller.actor(),
            before: None,
            recipient: None,
            data: json!({}),
            at: now,
        }])
        .await
    })
    .await
}
