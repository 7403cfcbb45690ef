//! Bodies: JSON objects, and for the token endpoint forms as well.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::error::Failure;
use super::project::app;
use crate::http::{BodyFault, read_bytes, read_json};

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Failure>>>>;

/// A JSON body of a wire type; no body at all is an empty object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Failure;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        extracted(request, payload, async |request, payload, deadline| {
            read_json(request, payload, deadline).await.map(Self)
        })
    }
}

/// The same, or a form (RFC 6749 wants one, this API's own clients send JSON).
pub struct JsonOrForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonOrForm<T> {
    type Error = Failure;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        extracted(request, payload, async |request, payload, deadline| {
            let media = request.headers().get("content-type").and_then(|v| v.to_str().ok());
            let is_form = |media: &str| media.starts_with("application/x-www-form-urlencoded");
            if !media.is_some_and(is_form) {
                return read_json(request, payload, deadline).await.map(Self);
            }
            let body = read_bytes(request, payload, deadline).await?;
            let form = web::Query::<T>::from_query(std::str::from_utf8(&body).unwrap_or_default());
            form.map(|form| Self(form.into_inner()))
                .map_err(|fault| BodyFault::Malformed(fault.to_string()))
        })
    }
}

/// Reads a body within the deadline for clients.
fn extracted<T: 'static>(
    request: &HttpRequest,
    payload: &mut Payload,
    read: impl AsyncFnOnce(&HttpRequest, web::Payload, Duration) -> Result<T, BodyFault> + 'static,
) -> Extracted<T> {
    let request = request.clone();
    let payload = web::Payload::from_request(&request, payload).into_inner();
    Box::pin(async move {
        let deadline = app(&request)?.settings.client_deadline;
        let payload = payload.map_err(|_| Failure::Body(BodyFault::Broken))?;
        read(&request, payload, deadline).await.map_err(Failure::Body)
    })
}
