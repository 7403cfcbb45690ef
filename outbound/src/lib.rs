//! Berth's way out: what it calls. So far the drivers that reach hosts.
//!
//! *To add a driver*: a module that implements [`domain::rental::Driver`], and a name for it in the
//! configuration of `api`.

pub mod deadline;
pub mod simulated;
