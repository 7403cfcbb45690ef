//! Berth's domain: what a server-rental marketplace is, without any I/O.
//!
//! # Map
//! - [`store`]: the unit of work. [`error`]: the one vocabulary of refusals. [`money`], [`clock`],
//!   [`id`], [`number`], [`page`]: small words that everything uses.
//! - [`user`], [`session`], [`token`], [`client_credential`]: who calls and what they may do;
//!   [`rate_limit`]: how often programs may.
//! - [`pool`]: teams. [`host`]: machines, their prices, and browsing them. [`rental`]: who has which
//!   host until when. [`wallet`]: every cent. [`quote`]: prices that hold for a while. [`supplier`]:
//!   whose machines they are, and what they earn. [`outage`]: downtime and what it gives.
//! - [`capacity`]: what hosts have for instances. [`instance`], [`volume`], [`cluster`]: what runs there
//!   for somebody. [`meter`]: what that costs, by the second. [`tag`]: their owners' labels.
//! - [`location`], [`plan`], [`image`]: what instances are made of and cost; [`gpu_offer`]: the same of one
//!   host, by the graphics processor. [`ssh_key`], [`script`], [`template`]: what a pool keeps for them;
//!   [`software`], [`install`]: what is put onto those that run. [`fleet`]: plans and simulated hosts
//!   for them, all at once.
//! - [`payment`]: deposits by card.
//! - [`job`], [`event`], [`idempotency`]: work after the commit, what happened, and once only.
//!   [`vault`]: secrets that must be given on.
//!
//! Each noun's `mod.rs` holds the type and its transitions, `port.rs` the storage traits, and each
//! verb has a file with its use case.
//!
//! # Recipes
//! - *A use case*: a file `noun/verb.rs` with a request struct and one function that takes the
//!   [`store::Store`], the clock and randomness it needs, and the request. Check permissions first
//!   ([`user::Caller::may`]), then work within [`store::atomically`], locking in the order that
//!   [`store::Tx`] documents, and record an event.
//! - *A table*: a migration in `migration`, an entity and the `impl` of the noun's ports in
//!   `persistence`, the ports added to [`store::Reads`] or [`store::Tx`].

pub mod capacity;
pub mod client_credential;
pub mod clock;
pub mod cluster;
pub mod compute_unit;
pub mod error;
pub mod event;
pub mod fleet;
pub mod gpu_offer;
pub mod host;
pub mod id;
pub mod idempotency;
pub mod image;
mod inside;
pub mod install;
pub mod instance;
pub mod job;
pub mod location;
pub mod meter;
pub mod money;
pub mod number;
pub mod outage;
pub mod page;
pub mod payment;
pub mod plan;
pub mod pool;
pub mod quote;
pub mod rate_limit;
pub mod remote;
pub mod rental;
pub mod script;
pub mod session;
pub mod software;
pub mod ssh_key;
pub mod store;
pub mod supplier;
mod sweep;
pub mod tag;
pub mod template;
#[cfg(test)]
mod testing;
mod text;
pub mod token;
pub mod user;
pub mod vault;
pub mod volume;
pub mod wallet;

pub use error::{Error, Result};
