//! What all answers have in common.

use std::fmt::Display;

use actix_web::HttpResponse;

/// The bare id of something new: clients take the body as it is.
pub fn made(id: impl Display) -> HttpResponse {
    HttpResponse::Created().content_type("application/json").body(id.to_string())
}

/// The same of something that is still to be made.
pub fn ordered(id: impl Display) -> HttpResponse {
    HttpResponse::Accepted().content_type("application/json").body(id.to_string())
}
