//! Bodies: JSON objects, and for the token endpoint forms as well.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::error::Failure;
use crate::http::{BodyFault, Extracted, JsonBody, extracted, read_bytes, read_json};

/// A JSON body of a wire type.
pub type Json<T> = JsonBody<T, Failure>;

/// The same, or a form (RFC 6749 wants one, this API's own clients send JSON).
pub struct JsonOrForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for JsonOrForm<T> {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

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
