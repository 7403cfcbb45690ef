//! Headers of answers, for the OpenAPI document.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ObjectBuilder, RefOr, Response, Type};

/// A header and what its value means.
type Described = (&'static str, Type, &'static str);

const REQUEST_ID: Described =
    ("X-Request-Id", Type::String, "The request's id, the client's own if it sent a valid one");
const RETRY_AFTER: Described = ("Retry-After", Type::Integer, "Seconds after which to try again");
const CHALLENGE: Described = ("WWW-Authenticate", Type::String, "Bearer");
const PAGING: [Described; 2] = [
    ("Link", Type::String, "The next page, as `<…>; rel=\"next\"` (RFC 8288); absent on the last"),
    ("X-Total-Count", Type::Integer, "How many rows the whole list has; with `limit` or `cursor`"),
];
const LIMITS: [Described; 2] = [
    ("RateLimit", Type::String, "What is left of each limit, and in how many seconds it is whole"),
    ("RateLimit-Policy", Type::String, "The attempts that each limit allows in 60 seconds"),
];
const TAG: Described =
    ("ETag", Type::String, "With the complete list: of its present state, for `If-None-Match`");

/// Declares the headers of every answer of an operation whose answers are complete.
pub fn declare(operation: &mut Operation, path: &str) {
    let is_paged =
        operation.parameters.iter().flatten().any(
            |parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "cursor"),
        );
    let is_limited = operation.responses.responses.contains_key("429");
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        add(response, &[REQUEST_ID]);
        match status.as_str() {
            "200" if is_paged => add(response, &PAGING),
            "401" => add(response, &[CHALLENGE]),
            "429" | "503" => add(response, &[RETRY_AFTER]),
            _ => {}
        }
        if is_limited {
            add(response, &LIMITS);
        }
        if path.ends_with("/servers/available") && ["200", "304"].contains(&status.as_str()) {
            add(response, &[TAG]);
        }
    }
}

fn add(response: &mut Response, headers: &[Described]) {
    for (name, kind, description) in headers {
        let schema = ObjectBuilder::new().schema_type(kind.clone()).build();
        let header: Header =
            HeaderBuilder::new().schema(Some(schema)).description(Some(*description)).build();
        response.headers.insert((*name).to_owned(), RefOr::T(header));
    }
}
