//! Images that virtual machines are made from.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use domain::image::{self, Image};
use serde_json::{Value, json};

use super::account::Account;
use super::error::Failure;
use super::query::{PAGE_SIZE, part};
use crate::app::App;
use crate::http::Query;

fn shown((image, number): &(Image, i64)) -> Value {
    json!({
        "id": number,
        "name": image.name,
        "description": image.details.join(", "),
        "diskSizeMin": image.min_disk_gb,
    })
}

/// Those whose name, code or category contains the text searched for.
pub async fn list(
    app: Data<App>,
    account: Account,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let mut query = Query::parse(request.query_string());
    let search = query.text("search", 100);
    let part = part(&mut query, PAGE_SIZE);
    query.finish()?;
    let store = app.store.as_ref();
    let images = image::part(store, Some(&account.0), search.as_deref(), part).await?;
    Ok(HttpResponse::Ok().json(images.iter().map(shown).collect::<Vec<_>>()))
}
