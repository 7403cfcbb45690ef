//! Rows as they are stored; one module a table, nothing but columns.
#![allow(missing_docs, reason = "a column means what the domain's field of its name means")]

pub mod api_token;
pub mod auto_top_up;
pub mod checkpoint;
pub mod checkpoint_head;
pub mod entry;
pub mod event;
pub mod host;
pub mod idempotency_record;
pub mod image;
pub mod job;
pub mod location;
pub mod mandate;
pub mod outage;
pub mod payment;
pub mod payment_event;
pub mod payment_method;
pub mod payout;
pub mod payout_run;
pub mod plan;
pub mod plan_location;
pub mod plan_price;
pub mod pool;
pub mod pool_member;
pub mod posting;
pub mod quote;
pub mod refresh_token;
pub mod rental;
pub mod script;
pub mod session;
pub mod ssh_key;
pub mod supplier;
pub mod user;
pub mod wallet;
