//! What differed between hosts and the books.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use domain::Error;
use domain::error::Thing;
use domain::instance::{self, Finding, FindingId};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, page};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

/// A difference between a host and the books.
#[derive(Serialize, ToSchema)]
pub struct FindingView {
    id: String,
    server_id: String,
    /// `orphan_instance`, `orphan_volume`, `unknown_instance`, `unknown_volume`, `lost_instance`,
    /// `stopped_instance` or `unreachable_host`.
    #[schema(example = "orphan_instance")]
    kind: &'static str,
    /// What it is about.
    subject: String,
    /// What it takes of the server in an hour, at its own price.
    #[schema(example = "2.29")]
    per_hour: String,
    is_repaired: bool,
    #[schema(value_type = String, format = DateTime)]
    found_at: Stamp,
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        Self {
            id: finding.id.to_string(),
            server_id: finding.host_id.to_string(),
            kind: finding.kind.as_str(),
            subject: finding.subject,
            per_hour: finding.per_hour.to_decimal().to_string(),
            is_repaired: finding.is_repaired,
            found_at: Stamp(finding.found_at),
        }
    }
}

/// List what differed between servers and the books, newest first.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<FindingView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/findings")]
pub async fn list_findings(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<FindingView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, FindingId::parse);
    query.finish()?;
    let found = instance::findings(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|id| id.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Findings retrieved successfully", views).continued(next))
}

/// Remove from its server what the books have never known, or what came back after it was given up.
#[utoipa::path(tag = "operators", params(("id", description = "Finding identifier")),
    responses((status = 200, body = Success<FindingView>)),
    extensions(("x-errors" = json!(["OPERATOR_REQUIRED", "FINDING_NOT_FOUND", "SERVER_NOT_FOUND", "HOST_UNREACHABLE"]))))]
#[post("/admin/findings/{id}/remove")]
pub async fn remove_finding(
    app: Data<App>,
    signed: Authenticated,
    id: Path<String>,
) -> Answer<FindingView> {
    let id = FindingId::parse(&id).ok_or(Error::NotFound(Thing::Finding))?;
    let operator = signed.caller.into();
    let removed = Box::pin(instance::remove_orphan(app.job_context(), &operator, id)).await?;
    Ok(Success::ok("Removed successfully", removed.into()))
}
