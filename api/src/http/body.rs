//! Reads a body within bounds of size and time.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{FromRequest, HttpRequest, dev};
use domain::Error;
use serde::de::DeserializeOwned;

use crate::app::App;
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

/// What is read of a request before its handler, with a surface's own refusals.
pub type Extracted<T, F> = Pin<Box<dyn Future<Output = Result<T, F>>>>;

/// A JSON body of a wire type, read within the deadline for clients; no body at all is an empty object.
pub struct JsonBody<T, F>(pub T, PhantomData<fn() -> F>);

impl<T, F> FromRequest for JsonBody<T, F>
where
    T: DeserializeOwned + 'static,
    F: From<BodyFault> + From<Error> + Into<actix_web::Error> + 'static,
{
    type Error = F;
    type Future = Extracted<Self, F>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        extracted(request, payload, async |request, payload, deadline| {
            read_json(request, payload, deadline).await.map(|body| Self(body, PhantomData))
        })
    }
}

/// Reads a body within the deadline for clients.
pub fn extracted<T: 'static, F: From<BodyFault> + From<Error>>(
    request: &HttpRequest,
    payload: &mut dev::Payload,
    read: impl AsyncFnOnce(&HttpRequest, Payload, Duration) -> Result<T, BodyFault> + 'static,
) -> Extracted<T, F> {
    let request = request.clone();
    let payload = Payload::from_request(&request, payload).into_inner();
    Box::pin(async move {
        let deadline = app(&request)?.settings.client_deadline;
        let payload = payload.map_err(|_| BodyFault::Broken)?;
        Ok(read(&request, payload, deadline).await?)
    })
}

/// The parts of the running Berth.
pub fn app(request: &HttpRequest) -> Result<Data<App>, Error> {
    let app = request.app_data::<Data<App>>().cloned();
    app.ok_or_else(|| Error::internal("the application is not in the request"))
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
