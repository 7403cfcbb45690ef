//! Who calls: passwords, access tokens, and limits on guessing; and what we sign and seal ourselves.

mod access_token;
mod client_token;
mod jwt;
mod limits;
mod passwords;
mod signer;
mod vault;

pub use access_token::{AccessTokens, Issued};
pub use client_token::{ClientTokens, SCOPE, TokenPair, TokenUse};
pub use limits::{Decision, Limits, LimitsConfig};
pub use passwords::Argon2Passwords;
pub use signer::HmacSigner;
pub use vault::SealingVault;
