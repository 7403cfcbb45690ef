//! Who calls: passwords, access tokens, and limits on guessing.

mod access_token;
mod limits;
mod passwords;

pub use access_token::{AccessTokens, Issued};
pub use limits::{Decision, Limits, LimitsConfig};
pub use passwords::Argon2Passwords;
