//! Berth through its HTTP door, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test fails by panicking, and its name is its documentation"
)]

mod accounts;
mod attacks;
mod audit;
mod authorization;
mod belongings;
mod catalogue;
mod clusters;
mod contracts;
mod databases;
mod deals;
mod disks;
mod docker;
mod early_ends;
mod end_to_end;
mod examples;
mod extensions;
mod filters;
mod furnishing;
mod gpu_offers;
mod gpu_offers_freshness;
mod house;
mod install_faults;
mod install_queues;
mod installs;
mod instance_races;
mod instances;
mod invitation_races;
mod invitations;
mod jobs;
mod kept;
mod kloigos;
mod ledger;
mod life;
mod likeness;
mod limits;
mod listing;
mod marketplace;
mod members;
mod metering;
mod metering_histories;
mod operators;
mod outages;
mod paging;
mod payments;
mod plans;
mod pools;
mod private_plans;
mod quotes;
mod races;
mod renewals;
mod rentals;
mod robustness;
mod scripts;
mod sequences;
mod sessions;
mod settling_races;
mod silent_hosts;
mod simplepod;
mod software;
mod spot;
mod ssh_driver;
mod ssh_keys;
mod suppliers;
mod sweeps;
mod templates;
mod terms;
mod tokens;
mod trooper;
mod upgrades;
mod verda;
mod visibility;
mod volumes;
mod wallet;
mod world;
