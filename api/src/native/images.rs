//! Images.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, put};
use domain::error::Thing;
use domain::image::{self, Image, ImageCode, ImageDraft};
use domain::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::envelope::{Answer, Success};
use super::extract::{Authenticated, Body, MaybeAuthenticated, page};
use super::field::{Check, Field, as_is, count};
use super::view::Stamp;
use crate::app::App;
use crate::http::Query;

#[derive(Deserialize, ToSchema)]
pub struct ImageBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "Ubuntu 24.04")]
    #[serde(default)]
    name: Field<String>,
    /// What it belongs to.
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "ubuntu")]
    #[serde(default)]
    category: Field<String>,
    /// What is in it: lines of 1 to 200 characters.
    #[schema(value_type = Option<Vec<String>>, max_items = 50, example = json!(["Docker 28", "CUDA 12.8"]))]
    #[serde(default)]
    details: Field<Vec<String>>,
    /// What is started, in the words of the hosts' drivers; renters do not see it.
    #[schema(value_type = String, required, pattern = "^[!-~]{1,255}$", example = "docker.io/library/ubuntu:24.04")]
    #[serde(default)]
    reference: Field<String>,
    /// Who logs in; `root` if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[a-z_][a-z0-9_-]{0,31}$", example = "root")]
    #[serde(default)]
    username: Field<String>,
    /// The smallest disk that it fits on.
    #[schema(value_type = Option<u32>, maximum = 1_000_000_u32, example = 10)]
    #[serde(default)]
    min_disk_gb: Field<i64>,
    /// Other names that programs order it by on other surfaces, such as an id that a published client knows
    /// by heart.
    #[schema(value_type = Option<Vec<String>>, max_items = 16, example = json!(["2404f580-1300-1111-82b3-f199fb9b701b"]))]
    #[serde(default)]
    aliases: Field<Vec<String>>,
    /// Whether it is proposed to who has no wish; false if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    is_default: Field<bool>,
    /// Whether renters see it; true if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    is_listed: Field<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct ImageView {
    id: String,
    #[schema(example = "ubuntu-24.04")]
    code: String,
    #[schema(example = "Ubuntu 24.04")]
    name: String,
    #[schema(example = "ubuntu")]
    category: String,
    details: Vec<String>,
    /// Who logs in.
    #[schema(example = "root")]
    username: String,
    min_disk_gb: u32,
    is_default: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

/// An image as operators see it.
#[derive(Serialize, ToSchema)]
pub struct AdminImageView {
    #[serde(flatten)]
    image: ImageView,
    /// What is started.
    #[schema(example = "docker.io/library/ubuntu:24.04")]
    reference: String,
    /// Other names that programs order it by.
    aliases: Vec<String>,
    is_listed: bool,
}

impl From<Image> for ImageView {
    fn from(image: Image) -> Self {
        Self {
            id: image.id.to_string(),
            code: image.code.to_string(),
            name: image.name,
            category: image.category,
            details: image.details,
            username: image.username,
            min_disk_gb: image.min_disk_gb,
            is_default: image.is_default,
            created_at: Stamp(image.created_at),
            updated_at: Stamp(image.updated_at),
        }
    }
}

impl From<Image> for AdminImageView {
    fn from(image: Image) -> Self {
        let (reference, aliases) = (image.reference.clone(), image.aliases.clone());
        let is_listed = image.is_listed;
        Self { image: image.into(), reference, aliases, is_listed }
    }
}

/// An image of a path; what cannot be a code names nothing.
fn image_code(text: &str) -> Result<ImageCode> {
    ImageCode::parse(text).map_err(|_| Error::NotFound(Thing::Image))
}

/// List the images that an instance can be started from, by code.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])),
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<ImageView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR"]))))]
#[get("/images")]
pub async fn list_images(
    app: Data<App>,
    signed: MaybeAuthenticated,
    request: HttpRequest,
) -> Answer<Vec<ImageView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, |text| ImageCode::parse(text).ok());
    query.finish()?;
    let found = image::list(app.store.as_ref(), signed.caller(), page).await?;
    let next = found.next.map(|code| code.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Images retrieved successfully", views).continued(next))
}

/// Look at an image.
#[utoipa::path(tag = "catalogue", security((), ("bearer" = [])), params(("code", description = "Image code")),
    responses((status = 200, body = Success<ImageView>)),
    extensions(("x-errors" = json!(["IMAGE_NOT_FOUND"]))))]
#[get("/images/{code}")]
pub async fn show_image(
    app: Data<App>,
    signed: MaybeAuthenticated,
    code: Path<String>,
) -> Answer<ImageView> {
    let image = image::show(app.store.as_ref(), signed.caller(), &image_code(&code)?).await?;
    Ok(Success::ok("Image retrieved successfully", image.into()))
}

/// List all images, also those that renters do not see, by code.
#[utoipa::path(tag = "operators",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Turns on paging"),
           ("cursor" = Option<String>, Query, description = "From the `Link` header")),
    responses((status = 200, body = Success<Vec<AdminImageView>>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[get("/admin/images")]
pub async fn list_all_images(
    app: Data<App>,
    signed: Authenticated,
    request: HttpRequest,
) -> Answer<Vec<AdminImageView>> {
    let mut query = Query::parse(request.query_string());
    let page = page(&mut query, |text| ImageCode::parse(text).ok());
    query.finish()?;
    let found = image::all(app.store.as_ref(), &signed.caller.into(), page).await?;
    let next = found.next.map(|code| code.to_string());
    let views = found.rows.into_iter().map(Into::into).collect();
    Ok(Success::ok("Images retrieved successfully", views).continued(next))
}

/// Make an image, or replace it.
#[utoipa::path(tag = "operators", request_body = ImageBody,
    params(("code" = String, Path, description = "1 to 64 letters, digits, dots, underscores, tildes and dashes")),
    responses((status = 200, body = Success<AdminImageView>)),
    extensions(("x-errors" = json!(["VALIDATION_ERROR", "OPERATOR_REQUIRED"]))))]
#[put("/admin/images/{code}")]
pub async fn put_image(
    app: Data<App>,
    signed: Authenticated,
    code: Path<String>,
    body: Body<ImageBody>,
) -> Answer<AdminImageView> {
    let draft = draft(&code, body.0)?;
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let image = image::put(store, clock, random, &signed.caller.into(), draft).await?;
    Ok(Success::ok("Image saved successfully", image.into()))
}

fn draft(code: &str, body: ImageBody) -> Result<ImageDraft> {
    let mut check = Check::default();
    let code = check.required("code", Field::Given(code), ImageCode::parse);
    let name = check.required("/name", body.name, as_is);
    let category = check.required("/category", body.category, as_is);
    let details = check.optional("/details", body.details, as_is);
    let reference = check.required("/reference", body.reference, as_is);
    let username = check.optional("/username", body.username, as_is);
    let min_disk_gb = check.optional("/min_disk_gb", body.min_disk_gb, count);
    let aliases = check.optional("/aliases", body.aliases, as_is);
    let is_default = check.optional("/is_default", body.is_default, as_is);
    let is_listed = check.optional("/is_listed", body.is_listed, as_is);
    let draft = ImageDraft {
        code: code.unwrap_or_else(|| ImageCode::from_stored(String::new())),
        name: name.unwrap_or_default(),
        category: category.unwrap_or_default(),
        details: details.unwrap_or_default(),
        reference: reference.unwrap_or_default(),
        username: username.unwrap_or_else(|| "root".to_owned()),
        min_disk_gb: min_disk_gb.unwrap_or_default(),
        aliases: aliases.unwrap_or_default(),
        is_default: is_default.unwrap_or(false),
        is_listed: is_listed.unwrap_or(true),
    };
    check.also(draft.violations());
    check.finish(|| Some(draft))
}
