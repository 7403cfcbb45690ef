//! What is sold, as the answers need it.

use domain::image::{self, Image};
use domain::location::LocationCode;
use domain::page::Page;
use domain::plan::{self, Plan, PlanFilter};
use domain::user::Caller;
use domain::{Error, Result};

use super::project::Project;
use crate::app::App;
use crate::http::Query;

/// Every plan that is offered to the caller, or to everybody, the cheapest first.
pub async fn plans(app: &App, caller: Option<&Caller>) -> Result<Vec<Plan>> {
    let all = Page { after: None, limit: None };
    Ok(plan::list(app.store.as_ref(), caller, PlanFilter::default(), all).await?.rows)
}

/// Every image that is offered, as the project or anybody sees it.
pub async fn images(app: &App, project: Option<&Project>) -> Result<Vec<Image>> {
    let all = Page { after: None, limit: None };
    let caller = project.map(|project| &project.caller);
    Ok(image::list(app.store.as_ref(), caller, all).await?.rows)
}

/// Clients spell the parameter in one of two ways.
pub fn location(query: &mut Query) -> Option<LocationCode> {
    let code = |text: &str| LocationCode::parse(text);
    query.value("location_code", code).or(query.value("locationCode", code))
}

/// Whether volumes of a kind are for sharing, by its name.
pub fn is_shared(kind: &str) -> bool {
    kind.contains("_Shared")
}

/// The first kind of volumes that is as it is wanted, or the one that the operator sells first.
pub fn volume_kind(app: &App, is_wanted: impl Fn(&str) -> bool) -> Result<String> {
    let kinds = &app.settings.instance_policy.volume_types;
    let kind = kinds.iter().find(|kind| is_wanted(&kind.name)).or_else(|| kinds.first());
    let none = || Error::internal("no kind of volume is configured");
    Ok(kind.ok_or_else(none)?.name.clone())
}
