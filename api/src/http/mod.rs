//! What all surfaces share about HTTP: the caller's address, bounded bodies, the request log, and the
//! server itself.

mod address;
mod body;
mod drain;
mod kept;
mod log;
mod query;
mod refusal;
mod server;

pub use address::{client_address, network};
pub use body::{BodyFault, Extracted, JsonBody, app, extracted, read_bytes, read_json};
pub use drain::Stopper;
pub use kept::{Encoded, Kept};
pub use log::{RefusalCode, RequestFacts, note_caller, request_log};
pub use query::{Query, whole_number};
pub use refusal::{capitalized, refusal, retry_after};
pub use server::{Listening, serve};
