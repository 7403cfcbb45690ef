//! Bodies: JSON objects.

use super::error::Failure;
use crate::http::JsonBody;

/// A JSON body of a wire type.
pub type Json<T> = JsonBody<T, Failure>;
