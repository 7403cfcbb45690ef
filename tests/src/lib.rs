//! What the integration tests stand on: a running Berth on a database of its own, a clock that they
//! step, and clients for its door.
//!
//! A test body is written once and runs on SQLite and on PostgreSQL ([`on_both_databases`]). After
//! each body the invariants of the ledger and of allocation are checked with SQL of the tests' own
//! ([`invariants`]), and every answer that a client sees is held against the OpenAPI document
//! ([`contract`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod app;
mod cards;
mod clock;
pub mod contract;
mod database;
mod door;
pub mod engine;
pub mod invariants;
pub mod login_book;
pub mod relay;
pub mod ssh_host;

pub use app::{Options, TestApp};
pub use cards::{FailingStore, Failure, ScriptedCards, WEBHOOK_SECRET, signature};
pub use clock::SteppedClock;
pub use database::{Kind, TestDatabase};
pub use door::{Answer, Client, PASSWORD, at_once};

/// Runs one body on both databases: `on_both_databases! { async fn a_fact(app: &TestApp) { … } }`
/// becomes the tests `a_fact::sqlite` and `a_fact::postgres`. `with EXPRESSION;` before the bodies
/// gives them other [`Options`].
#[macro_export]
macro_rules! on_both_databases {
    (
        with $options:expr;
        $($(#[$meta:meta])* async fn $name:ident($app:ident: &TestApp $(,)?) $body:block)*
    ) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every body uses all that its file imports")]
            use super::*;

            async fn body($app: &TestApp) $body

            #[tokio::test]
            async fn sqlite() {
                let app = $crate::TestApp::start_with($crate::Kind::Sqlite, $options).await;
                body(&app).await;
                app.finish().await;
            }

            #[tokio::test]
            async fn postgres() {
                let app = $crate::TestApp::start_with($crate::Kind::Postgres, $options).await;
                body(&app).await;
                app.finish().await;
            }
        }
    )*};
    ($($bodies:tt)*) => {
        $crate::on_both_databases! { with $crate::Options::default(); $($bodies)* }
    };
}
