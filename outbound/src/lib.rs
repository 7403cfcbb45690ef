//! Berth's way out: what it calls. Drivers that reach hosts, and [`stripe`], which takes cards.
//!
//! *To add a driver*: a module that implements [`domain::rental::Driver`], and a name for it in the
//! configuration of `api`.

pub mod deadline;
pub mod simulated;
pub mod stripe;
