//! A clock for rehearsals: an operator moves it, and sees in a minute what a month brings.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::Data;
use chrono::Duration;
use domain::clock::{Clock, Timestamp};
use domain::error::Conflict;
use domain::event::{Event, Subject};
use domain::job::{self, Taking};
use domain::store::{Tx, atomically};
use domain::token::Permission;
use domain::user::Operator;
use domain::wallet::take_checkpoint;
use domain::{Error, Result};
use serde_json::json;

use crate::app::App;
use crate::worker;

/// Time moves on in steps of this, so that nothing happens much later than it would.
const STEP: Duration = Duration::hours(1);
/// The furthest that one call goes.
pub const MOST_HOURS: u32 = 31 * 24;

/// Another clock, ahead of it by as much as an operator moved it.
pub struct ManualClock {
    clock: Arc<dyn Clock>,
    ahead: Mutex<Duration>,
}

impl ManualClock {
    /// Goes on from the latest moment that the database knows of, so that a restart turns nothing back.
    pub fn after(clock: Arc<dyn Clock>, latest: Option<Timestamp>) -> Self {
        let ahead = latest.map_or(Duration::zero(), |latest| latest - clock.now());
        Self { clock, ahead: Mutex::new(ahead.max(Duration::zero())) }
    }

    /// The time of the world outside, which nobody moves.
    pub fn outside(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.clock.now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the clock ahead by some hours, and does on the way all that time brings about. Answers the
/// time then.
pub async fn advance(app: &Data<App>, operator: &Operator, hours: u32) -> Result<Timestamp> {
    operator.may(Permission::AdminWrite)?;
    let clock = app.manual_clock.as_ref().ok_or(Error::Conflict(Conflict::ClockNotManual))?;
    let before = clock.now();
    for _ in 0..hours {
        clock.advance(STEP);
        while job::run_next(app.job_context(), Taking::All).await? {}
        worker::move_on(app).await?;
        while job::run_next(app.job_context(), Taking::All).await? {}
        take_checkpoint(app.store.as_ref(), app.clock.as_ref(), false).await?;
    }
    let now = clock.now();
    if let Operator::Account(caller) = operator {
        let moved = Event {
            kind: "clock.moved",
            subject: Subject::User(caller.user_id),
            actor: operator.actor(),
            before: Some(json!({ "now": before })),
            data: json!({ "now": now }),
            recipient: None,
            at: now,
        };
        atomically(app.store.as_ref(), async |tx: &dyn Tx| tx.record(vec![moved.clone()]).await)
            .await?;
    }
    Ok(now)
}
