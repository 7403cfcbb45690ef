//! Berth through its HTTP door, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking, and its name is its documentation"
)]

mod examples;
mod invitation_races;
mod invitations;
mod members;
mod pools;
mod rentals;
