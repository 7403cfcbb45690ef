//! Reads a body within bounds of size and time.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};
use serde::de::DeserializeOwned;

use crate::json;

/// No request of ours needs more.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Why a body could not be read.
#[derive(Debug)]
pub enum BodyFault {
    /// Larger than 1 MiB.
    TooLarge,
    /// It took longer than the deadline.
    TooSlow,
    /// It is not declared as JSON.
    NotJson,
    /// It is no JSON, or not of the expected shape; why, in words.
    Malformed(String),
    /// The connection broke.
    Broken,
}

/// The body as JSON; an empty body is `{}`.
pub async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    deadline: Duration,
) -> Result<T, BodyFault> {
    let body = read_bytes(request, payload, deadline).await?;
    if body.is_empty() {
        return parse(b"{}");
    }
    let media = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media = media.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media = media.to_ascii_lowercase();
    if media != "application/json" && !media.ends_with("+json") {
        return Err(BodyFault::NotJson);
    }
    parse(&body)
}

/// The body as it came.
pub async fn read_bytes(
    request: &HttpRequest,
    payload: Payload,
    deadline: Duration,
) -> Result<Bytes, BodyFault> {
    let declared = request.headers().get("content-length").and_then(|v| v.to_str().ok());
    if declared.and_then(|v| v.parse::<usize>().ok()).is_some_and(|size| size > MAX_BODY_BYTES) {
        return Err(BodyFault::TooLarge);
    }
    let body = tokio::time::timeout(deadline, collect(payload)).await;
    body.map_err(|_| BodyFault::TooSlow)?
}

async fn collect(payload: Payload) -> Result<Bytes, BodyFault> {
    match payload.to_bytes_limited(MAX_BODY_BYTES).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(BodyFault::Broken),
        Err(_) => Err(BodyFault::TooLarge),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyFault> {
    // serde would read an array as an object's values in order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(BodyFault::Malformed("the body must be a JSON object".to_owned()));
    }
    let value = json::read(body).map_err(|error| {
        BodyFault::Malformed(format!("the body cannot be read as JSON: {error}"))
    })?;
    serde_json::from_value(value)
        .map_err(|error| BodyFault::Malformed(format!("the body cannot be read: {error}")))
}
