//! Bodies: JSON objects, read as the framework reads them.

use std::time::Duration;

use actix_web::web::Payload;
use actix_web::{FromRequest, HttpRequest, dev};
use serde_json::{Map, Value, json};

use super::error::Failure;
use super::fields::Fault;
use crate::http::{Extracted, app, read_bytes};
use crate::json;

/// The members of the body.
pub struct Object(pub Map<String, Value>);

impl FromRequest for Object {
    type Error = Failure;
    type Future = Extracted<Self, Failure>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        let payload = Payload::from_request(&request, payload).into_inner();
        Box::pin(async move {
            let deadline = app(&request)?.settings.client_deadline;
            let payload = payload.map_err(|_| crate::http::BodyFault::Broken)?;
            read(&request, payload, deadline).await.map(Self)
        })
    }
}

async fn read(
    request: &HttpRequest,
    payload: Payload,
    deadline: Duration,
) -> Result<Map<String, Value>, Failure> {
    let bytes = read_bytes(request, payload, deadline).await?;
    let whole = [json!("body")];
    if bytes.is_empty() {
        let missing = Fault::new("missing", &whole, "Field required", &Value::Null);
        return Err(Failure::Faults(vec![missing]));
    }
    let value = if is_json(request) {
        json::read(&bytes).map_err(|fault| Failure::Faults(vec![unreadable(&bytes, &fault)]))?
    } else {
        Value::String(String::from_utf8_lossy(&bytes).into_owned())
    };
    match value {
        Value::Object(members) => Ok(members),
        other => {
            let message = "Input should be a valid dictionary or object to extract fields from";
            let fault = Fault::new("model_attributes_type", &whole, message, &other);
            Err(Failure::Faults(vec![fault]))
        }
    }
}

/// The framework takes what is not declared as anything for JSON, too.
fn is_json(request: &HttpRequest) -> bool {
    let Some(media) = request.headers().get("content-type") else { return true };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media = media.to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// What is wrong with a text that is no JSON, and at which of its characters, counted from 0.
fn unreadable(bytes: &[u8], fault: &serde_json::Error) -> Fault {
    let text = String::from_utf8_lossy(bytes);
    let before = text.split_inclusive('\n').take(fault.line().saturating_sub(1));
    let before = before.map(|line| line.chars().count()).sum::<usize>();
    let at = before.saturating_add(fault.column().saturating_sub(1));
    let said = fault.to_string();
    let why = [
        ("key must be a string", "Expecting property name enclosed in double quotes"),
        ("expected `,`", "Expecting ',' delimiter"),
        ("expected `:`", "Expecting ':' delimiter"),
        ("trailing characters", "Extra data"),
        ("is given twice", "A key is given twice"),
        ("control character", "Invalid control character at"),
    ];
    let why = why.iter().find(|(ours, _)| said.contains(ours)).map_or("Expecting value", |w| w.1);
    let place = [json!("body"), json!(at)];
    let fault = Fault::new("json_invalid", &place, "JSON decode error", &json!({}));
    fault.with(json!({ "error": why }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_json_is_told_where_and_why() {
        for (text, at, why) in [
            ("{cpu", 1, "Expecting property name enclosed in double quotes"),
            ("{\"a\" 1}", 5, "Expecting ':' delimiter"),
            ("{\"a\": 1 \"b\"}", 8, "Expecting ',' delimiter"),
            ("{\n\"a\": x}", 7, "Expecting value"),
            ("{} x", 3, "Extra data"),
        ] {
            let fault = json::read(text.as_bytes()).unwrap_err();
            let told = unreadable(text.as_bytes(), &fault).into_json();
            assert_eq!(told["loc"], json!(["body", at]), "{text}");
            assert_eq!(told["ctx"], json!({ "error": why }), "{text}");
        }
    }
}
