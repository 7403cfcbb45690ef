//! Berth's way in: the HTTP surfaces, the worker, the command line.
//!
//! # Map
//! - [`config`]: what can be configured. [`app`]: the parts of a running Berth. [`system`]: the
//!   machine's clock and randomness. [`auth`]: passwords, access tokens, limits on guessing.
//! - [`http`]: what all surfaces share. [`native`]: the surface under `/api/v1`. [`verda`], [`simplepod`],
//!   [`trooper`]: those of the clients of these. [`health`]. [`json`]: reading what others sent;
//!   [`floats`], [`sizes`]: figures for clients who read them so.
//! - [`worker`]: jobs and sweeps. [`rehearsal`]: a clock that an operator moves. [`import`]: files of
//!   servers and of instance types. [`commands`]: `berth …`.
//!
//! *To add a surface*: a folder like [`native`] with its own error map and views, mounted in
//! `http/server.rs`; every rule it needs is already in `domain`, or is added there.

pub mod app;
pub mod auth;
pub mod commands;
pub mod config;
pub mod floats;
pub mod health;
pub mod http;
pub mod import;
pub mod instants;
pub mod json;
pub mod kloigos;
pub mod native;
pub mod rehearsal;
pub mod simplepod;
pub mod sizes;
pub mod system;
pub mod trooper;
pub mod verda;
pub mod worker;
