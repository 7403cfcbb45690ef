//! Berth through its HTTP door, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking, and its name is its documentation"
)]

mod databases;
mod filters;
mod house;
mod listing;
mod marketplace;
mod operators;
mod paging;
mod rentals;
mod robustness;
