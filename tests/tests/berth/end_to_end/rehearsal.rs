//! A rehearsed month: everything that moves money, by another program through the API, on the
//! manual clock. `BERTH_REHEARSAL` says how many renters and days; the whole month is `200 30`.

use std::path::Path;
use std::process::Command;

use tests::PASSWORD;

use super::clients::{succeed, tools};
use super::payments::Stripe;
use super::process::Berth;
use super::with_either_database;

#[expect(clippy::disallowed_methods, reason = "whoever has time for a whole month says so there")]
fn extent() -> (String, String) {
    let extent = std::env::var("BERTH_REHEARSAL").unwrap_or_else(|_| "30 16".to_owned());
    let (renters, days) = extent.split_once(' ').expect("BERTH_REHEARSAL is RENTERS DAYS");
    (renters.to_owned(), days.to_owned())
}

with_either_database! {
    async fn a_month_of_a_marketplace_ends_with_a_whole_ledger(berth: &mut Berth) {
        berth.configure("BERTH__CLOCK", "manual");
        let stripe = Stripe::start(berth).await;
        berth.start(&["serve"]).await;
        berth.create_operator("operator");
        let (renters, days) = extent();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/month.py");
        let mut python = Command::new(tools().join("python"));
        python.arg(script).args([&berth.address, "operator", PASSWORD]);
        python.args([&stripe.address, &renters, &days]);
        println!("{}", succeed(&mut python));
        // While it serves, and after it has stopped.
        let whole = berth.succeed(&["ledger", "verify"]);
        assert!(whole.contains("The ledger is whole."), "{whole}");
        assert!(berth.stop().success());
        println!("{}", berth.succeed(&["ledger", "verify"]));
        let refused = berth.fail_with("BERTH__CLOCK", "system", &["ledger", "verify"]);
        assert!(refused.contains("begun with clock = manual"), "{refused}");
    }
}
