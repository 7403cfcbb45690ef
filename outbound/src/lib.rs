//! Berth's way out: what it calls. Drivers that reach hosts, and [`stripe`], which takes cards.
//!
//! [`docker`] makes instances on hosts with the Docker API, [`ssh`] on Linux hosts that it logs in
//! to; [`dispatch`] asks the driver that a host names.
//!
//! *To add a driver*: a kind in [`domain::instance::DriverKind`], a module here that implements
//! [`domain::instance::InstanceDriver`], and its place in [`dispatch::Drivers`].

pub mod deadline;
pub mod dispatch;
pub mod dispatch_hosts;
pub mod docker;
pub mod simulated;
pub mod simulated_instances;
pub mod ssh;
pub mod stripe;
