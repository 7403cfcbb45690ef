//! The command line.

use tests::PASSWORD;

use super::process::{Berth, list_server};
use super::with_either_database;

#[test]
fn every_fault_of_a_configuration_is_told_at_once() {
    let mut berth = Berth::in_an_empty_folder();
    berth.configure("BERTH__HTTP__LISTEN", "nowhere");
    berth.configure("BERTH__DATABASE__URL", "mysql://localhost/berth");
    berth.configure("BERTH__HTTP__WROKERS", "2");
    berth.configure("BERTH__AUTH__SIGNING_KEY", "hunter2hunter2");
    let said = berth.fail(&["serve"]);
    for key in ["http.listen", "database.url", "http.wrokers", "auth.signing_key"] {
        assert!(said.contains(key), "{key} is not in {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!berth.folder.join("data").exists(), "it touched something");
}

#[tokio::test]
async fn a_second_server_on_the_same_port_says_what_to_do() {
    let mut berth = Berth::in_an_empty_folder();
    berth.start(&["serve"]).await;
    let said = berth.fail(&["serve"]);
    assert!(said.contains("cannot listen on") && said.contains("BERTH__HTTP__LISTEN"), "{said}");
    berth.finish().await;
}

with_either_database! {
    async fn migrate_may_run_again_and_healthcheck_asks_the_server(berth: &mut Berth) {
        for _ in 0..2 {
            assert!(berth.succeed(&["migrate"]).contains("up to date"));
        }
        assert!(berth.fail(&["healthcheck"]).contains("refused"));
        berth.start(&["serve"]).await;
        berth.succeed(&["healthcheck"]);
    }

    async fn the_console_books_money_while_the_server_runs(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        berth.stranger().sign_up("jane").await;
        let jane = berth.stranger().log_in("jane").await;
        let book = |what, amount| {
            let name = ["admin", what, "--username", "jane", "--amount", amount];
            [&name[..], &["--reason", "as agreed"]].concat()
        };
        let keyed = [&book("deposit", "100.00")[..], &["--idempotency-key", "one"]].concat();
        for _ in 0..2 {
            assert!(berth.succeed(&keyed).contains("the balance is 100.00 USD"));
        }
        assert!(berth.succeed(&book("adjust", "-30.50")).contains("the balance is 69.50 USD"));
        berth.fail(&book("adjust", "-69.51"));
        berth.fail(&book("deposit", "-1.00"));
        berth.fail(&book("deposit", "much"));
        berth.fail(&["admin", "deposit", "--username", "nobody", "--amount", "1", "--reason", "x"]);
        assert_eq!(jane.balance_cents().await, 6_950);
        let users = berth.succeed(&["admin", "users"]);
        assert!(users.contains("jane@example.org"), "{users}");
        assert_eq!(berth.succeed(&["admin", "dead-jobs"]), "");
        assert!(berth.fail(&["admin", "retry-job", &"0".repeat(24)]).contains("not found"));
    }

    async fn the_console_makes_operators(berth: &mut Berth) {
        let arguments =
            ["admin", "create-operator", "--username", "root", "--email", "root@example.org"];
        let printed = berth.succeed(&arguments);
        let password = printed.lines().find_map(|line| line.strip_prefix("Password: ")).unwrap();
        assert!(berth.create_operator("operator").contains("Made the operator operator"));
        assert!(!berth.fail(&arguments).is_empty(), "the name is taken");
        berth.start(&["serve"]).await;
        for (username, password) in [("root", password), ("operator", PASSWORD)] {
            let body = serde_json::json!({ "username": username, "password": password });
            let data = berth.stranger().post("/users/auth/login", body).await.data(200);
            assert_eq!(data["user"]["role"], "operator");
        }
    }

    async fn the_console_prices_and_retires_servers(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let server = list_server(&berth.operator().await, "node-1").await;
        assert!(berth.succeed(&["admin", "server", "list"]).contains(&server));
        let price = ["admin", "server", "price", &server, "--tier", "14=99.00:1"];
        assert!(berth.succeed(&price).contains("14d=99.00"));
        let offer = format!("/servers/available/{server}");
        let offered = berth.stranger().get(&offer).await.data(200);
        assert_eq!(offered["pricing"]["prices"], serde_json::json!({ "14": "99.00" }));
        berth.fail(&["admin", "server", "price", &server, "--tier", "a lot"]);
        assert!(berth.succeed(&["admin", "server", "retire", &server]).contains("retired"));
        berth.stranger().get(&offer).await.refused(404, "SERVER_NOT_FOUND");
        assert!(berth.fail(&["admin", "server", "retire", &"0".repeat(24)]).contains("not found"));
    }
}
