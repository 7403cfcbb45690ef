//! The clock, which an operator may move in a rehearsal.

use actix_web::web::Data;
use actix_web::{get, post};
use domain::token::Permission;
use domain::user::Operator;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body};
use super::field::{Check, Field, whole};
use super::view::Stamp;
use crate::app::App;
use crate::rehearsal::{self, MOST_HOURS};

#[derive(Serialize, ToSchema)]
pub struct ClockView {
    /// Whether it can be moved.
    manual: bool,
    #[schema(value_type = String, format = DateTime)]
    now: Stamp,
}

#[derive(Deserialize, ToSchema)]
pub struct ClockBody {
    /// How many hours ahead.
    #[schema(value_type = u32, required, minimum = 1, maximum = 744, example = 24)]
    #[serde(default)]
    advance_hours: Field<i64>,
}

/// Look at the clock.
#[utoipa::path(tag = "operators", responses((status = 200, body = Success<ClockView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED"]))))]
#[get("/admin/clock")]
pub async fn show_clock(app: Data<App>, signed: Authenticated) -> Answer<ClockView> {
    Operator::from(signed.caller).may(Permission::AdminRead)?;
    let view = ClockView { manual: app.manual_clock.is_some(), now: Stamp(app.clock.now()) };
    Ok(Success::ok("Clock retrieved successfully", view))
}

/// Move the clock ahead, if the server was started with `clock = manual`.
///
/// It goes by hours, and after each does what time brings about: renewals, ends, earnings, checkpoints.
/// Access tokens grow old on the way; API tokens without an end do not.
#[utoipa::path(tag = "operators", request_body = ClockBody,
    responses((status = 200, body = Success<ClockView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED", "CLOCK_NOT_MANUAL"]))))]
#[post("/admin/clock")]
pub async fn move_clock(
    app: Data<App>,
    signed: Authenticated,
    body: Body<ClockBody>,
) -> Answer<ClockView> {
    let mut check = Check::default();
    let hours = check.required("/advance_hours", body.0.advance_hours, whole(1, MOST_HOURS));
    let hours = check.finish(|| hours)?;
    let now = rehearsal::advance(&app, &signed.caller.into(), hours).await?;
    Ok(Success::ok("Clock moved successfully", ClockView { manual: true, now: Stamp(now) }))
}
