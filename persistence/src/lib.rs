//! Berth's storage: every port of the domain over SeaORM, for SQLite and PostgreSQL at once.
//!
//! # Map
//! - [`schema`]: opens and migrates a database. [`store`]: the unit of work. `connection`: deadlines
//!   and counting of statements. `writer`: SQLite's one writer and its shared commits.
//! - [`entity`]: rows. One module a noun maps them to the domain's types and implements its ports;
//!   no rule lives here.
//!
//! # Recipe: a table
//! A migration, an entity, a module with `fn thing(row) -> Result<Thing>` and `impl Things for
//! Handle`. Name the columns as the domain names its fields.

mod capacity;
mod client_credential;
mod cluster;
mod compute_unit;
mod connection;
pub mod entity;
mod event;
mod failure;
mod gpu_offer;
mod host;
mod idempotency;
mod image;
mod install;
mod instance;
mod job;
mod ledger;
mod location;
mod mandate;
mod meter;
mod number;
mod outage;
mod payment;
mod plan;
mod pool;
mod quote;
mod rate_limit;
mod remote;
mod rental;
pub mod schema;
mod script;
mod session;
mod software;
mod ssh_key;
pub mod store;
mod supplier;
mod template;
mod token;
mod user;
mod volume;
mod wallet;
mod words;
mod writer;

pub use connection::counting_statements;
pub use schema::{SchemaError, connect};
pub use store::Database;
