//! Long terms and what is taken off for them, as plans name them. They are told and not yet sold: an order by
//! `LONG_TERM` is refused, so that no period is enabled.

use actix_web::HttpResponse;
use actix_web::web::Data;
use domain::plan::{LongTerm, Plan};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalogue::plans;
use super::error::Failure;
use super::project::MaybeProject;
use crate::app::App;
use crate::floats::number;

/// Of instances. Anybody may look.
pub async fn of_instances(app: Data<App>, project: MaybeProject) -> Result<HttpResponse, Failure> {
    periods(&app, &project, |_| true).await
}

/// Of clusters, whose nodes have graphics processors.
pub async fn of_clusters(app: Data<App>, project: MaybeProject) -> Result<HttpResponse, Failure> {
    periods(&app, &project, |plan| plan.shape.gpu.is_some()).await
}

/// Each period once, the shortest first. Where plans take off different shares for it, the smallest is told.
async fn periods(
    app: &App,
    project: &MaybeProject,
    is_asked: fn(&Plan) -> bool,
) -> Result<HttpResponse, Failure> {
    let sold = plans(app, project.caller()).await?.into_iter().filter(is_asked);
    let mut terms: Vec<LongTerm> = sold.flat_map(|plan| plan.pricing.long_terms).collect();
    terms.sort_by(|one, other| {
        let key = |term: &LongTerm| (term.months, term.code.to_string(), term.discount_bp);
        key(one).cmp(&key(other))
    });
    terms.dedup_by(|one, other| one.code == other.code && one.months == other.months);
    Ok(HttpResponse::Ok().json(terms.iter().map(period).collect::<Vec<_>>()))
}

fn period(term: &LongTerm) -> Value {
    json!({
        "code": term.code.as_str(),
        "name": term.name,
        "is_enabled": false,
        "unit_name": "month",
        "unit_value": term.months,
        "discount_percentage": number(&Decimal::new(term.discount_bp.into(), 2).to_string()),
    })
}
