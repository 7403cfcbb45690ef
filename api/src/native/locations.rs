//! Locations.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, put};
use domain::location::{self, Location, LocationCode, PutLocation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, MaybeAuthenticated, page};
use super::field::{Check, Field, as_is};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct LocationBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Helsinki")]
    #[serde(default)]
    name: Field<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(value_type = String, required, pattern = "^[A-Z]{2}$", example = "FI")]
    #[serde(default)]
    country: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LocationView {
    #[schema(example = "FIN-03")]
    code: String,
    #[schema(example = "Helsinki")]
    name: String,
    #[schema(example = "FI")]
    country: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<Location> for LocationView {
    fn from(location: Location) -> Self {
        Self {
            code: location.code.to_string(),
            name: location.name,
            country: location.country,
            created_at: Stamp(location.created_at),
            updated_at: Stamp(location.updated_at),
        }
    }
}

/// List locations by code.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])),
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<LocationView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/locations")]
pub async fn list_locations(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Answer<Vec<LocationView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, |text| LocationCode::parse(text).ok());
    query.finish()?;
    let found = location::list(app.store.as_ref(), signed.caller(), page).await?;
    let next = found.next.map(|code| code.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Locations retrieved successfully", views).continued(next))
}

/// Make a location, or change it.
#[utoipa::path(tag = "operators", request_body = LocationBody,
    params(("code" = String, Path, description = "1 to 64 letters, digits, dots, underscores, tildes and dashes")),
    responses((status = 200, body = Success<LocationView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[put("/admin/locations/{code}")]
pub async fn put_location(
    app: Data<App>,
    signed: Authenticated,
    code: Path<String>,
    body: Body<LocationBody>,
) -> Answer<LocationView> {
    let mut check = Check::default();
    let code = check.required("code", Field::Given(&*code), |text| LocationCode::parse(text));
    let name = check.required("/name", body.0.name, as_is);
    let country = check.required("/country", body.0.country, as_is);
    let request = PutLocation {
        operator: signed.caller.into(),
        code: code.unwrap_or_else(|| LocationCode::from_stored(String::new())),
        name: name.unwrap_or_default(),
        country: country.unwrap_or_default(),
    };
    check.also(request.violations());
    let request = check.finish(|| Some(request))?;
    let location = location::put(app.store.as_ref(), app.clock.as_ref(), request).await?;
    Ok(Success::ok("Location saved successfully", location.into()))
}
