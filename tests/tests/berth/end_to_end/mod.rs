//! The built binary, as people run it: from the terminal, killed in the middle, through clients
//! that we did not write.

mod clients;
mod commands;
mod containers;
mod crash;
mod demo;
mod full_disk;
mod import;
mod kloigos;
mod kloigos_crashes;
mod payments;
mod process;
mod rehearsal;
mod servers;
mod session;
mod simplepod;
mod trooper;
mod verda;
mod whole_servers;

/// Runs one body on a `berth` with either database: `a_fact::sqlite` and `a_fact::postgres`.
macro_rules! with_either_database {
    ($($(#[$meta:meta])* async fn $name:ident($berth:ident: &mut Berth $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every body uses all that its file imports")]
            use super::*;

            async fn body($berth: &mut Berth) $body

            #[tokio::test]
            async fn sqlite() {
                let mut berth = Berth::new(tests::Kind::Sqlite).await;
                body(&mut berth).await;
                berth.finish().await;
            }

            #[tokio::test]
            async fn postgres() {
                let mut berth = Berth::new(tests::Kind::Postgres).await;
                body(&mut berth).await;
                berth.finish().await;
            }
        }
    )*};
}
use with_either_database;
