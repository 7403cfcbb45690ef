//! Successes in the native envelope: `{"statusCode", "message", "data"}`.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LINK};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Failure;

/// What a handler answers.
pub type Answer<T> = Result<Success<T>, Failure>;

/// The body of every success.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Success<T> {
    /// The HTTP status, again.
    #[schema(example = 200)]
    status_code: u16,
    /// What was done.
    message: &'static str,
    /// The result.
    data: T,
    #[serde(skip)]
    paging: Option<Paging>,
}

/// Where a list goes on.
pub struct Paging {
    /// The next page's cursor, if there is a next page.
    pub next: Option<String>,
    /// How many rows the whole list has; not counted where it only grows.
    pub total: Option<u64>,
}

/// The data of an operation that has nothing to tell but that it was done.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// Always true.
    success: bool,
}

impl<T> Success<T> {
    /// 200.
    pub const fn ok(message: &'static str, data: T) -> Self {
        Self { status_code: 200, message, data, paging: None }
    }

    /// 201.
    pub const fn created(message: &'static str, data: T) -> Self {
        Self { status_code: 201, message, data, paging: None }
    }

    /// 202: it is written down and will be done.
    pub const fn accepted(message: &'static str, data: T) -> Self {
        Self { status_code: 202, message, data, paging: None }
    }

    /// 207: several outcomes, not all of them good.
    #[must_use]
    pub fn mixed(self) -> Self {
        Self { status_code: 207, ..self }
    }

    /// With `Link`, if the list goes on; its rows are not counted.
    #[must_use]
    pub fn continued(self, next: Option<String>) -> Self {
        Self { paging: Some(Paging { next, total: None }), ..self }
    }

    /// With `Link` and `X-Total-Count`, if the list is paged.
    #[must_use]
    pub fn paged(self, paging: Option<Paging>) -> Self {
        Self { paging, ..self }
    }
}

impl Success<Done> {
    /// 200, `{"success": true}`.
    pub const fn done(message: &'static str) -> Self {
        Self::ok(message, Done { success: true })
    }
}

impl<T: Serialize> Responder for Success<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status_code).unwrap_or(StatusCode::OK);
        let mut response = HttpResponse::build(status).json(&self);
        if let Some(paging) = self.paging {
            let headers = response.headers_mut();
            if let Some(total) = paging.total {
                headers.insert(HeaderName::from_static("x-total-count"), total.into());
            }
            let link = paging.next.and_then(|cursor| next_link(request, &cursor));
            if let Some(link) = link {
                headers.insert(LINK, link);
            }
        }
        response
    }
}

/// `<…>; rel="next"` (RFC 8288): the same request with the next cursor.
fn next_link(request: &HttpRequest, cursor: &str) -> Option<HeaderValue> {
    let others = request.query_string().split('&');
    let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<String> =
        others.map(ToOwned::to_owned).chain([format!("cursor={cursor}")]).collect();
    let target = format!("<{}?{}>; rel=\"next\"", request.path(), query.join("&"));
    HeaderValue::from_str(&target).ok()
}
