//! Berth through its HTTP door, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking, and its name is its documentation"
)]

mod accounts;
mod authorization;
mod extensions;
mod life;
mod limits;
mod races;
mod rentals;
mod sequences;
mod sessions;
mod tokens;
mod wallet;
