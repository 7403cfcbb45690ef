//! What refusals of all surfaces have in common.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use domain::Error;
use serde_json::Value;

use super::RefusalCode;

/// After how many seconds it may be tried again, if that is known.
pub fn retry_after(error: &Error) -> Option<i64> {
    match error {
        Error::RateLimited { retry_after } => Some(retry_after.num_seconds().max(1)),
        Error::Busy | Error::Unavailable(_) | Error::Contention => Some(1),
        _ => None,
    }
}

/// A refusal with its body, the code that the log tells, and when to come back.
pub fn refusal(
    status: StatusCode,
    code: &'static str,
    body: &Value,
    retry_after: Option<i64>,
) -> HttpResponse {
    let mut response = HttpResponse::build(status).json(body);
    response.extensions_mut().insert(RefusalCode(code));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// With a capital letter at its beginning.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
