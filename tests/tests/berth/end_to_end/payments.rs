//! The built binary against localstripe, with the messages that localstripe signs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::Client;

use super::clients::tools;
use super::process::{Berth, free_port};
use super::with_either_database;

const CHECKOUT: &str = "/wallet/payments/stripe/checkout";
const KEY: &str = "sk_test_of_the_end_to_end_tests";
const SECRET: &str = "whsec_of_the_end_to_end_tests";

/// `tests/clients/stripe_fake.py`; it ends when this is dropped.
pub struct Stripe {
    process: Child,
    /// Where it listens.
    pub address: String,
    http: reqwest::Client,
}

impl Stripe {
    /// Starts it, and configures a Berth that is not started yet.
    pub async fn start(berth: &mut Berth) -> Self {
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/stripe_fake.py");
        let mut python = Command::new(tools().join("python"));
        python.arg(script).arg(port.to_string()).stdin(Stdio::null());
        let process = python.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let address = format!("http://127.0.0.1:{port}");
        let stripe = Self { process, address, http: reqwest::Client::new() };
        berth.configure("BERTH__PAYMENTS__STRIPE__SECRET_KEY", KEY);
        berth.configure("BERTH__PAYMENTS__STRIPE__WEBHOOK_SECRET", SECRET);
        berth.configure("BERTH__PAYMENTS__STRIPE__BASE_URL", &stripe.address);
        let url = format!("{}/api/v1/wallet/payments/stripe/webhook", berth.address);
        let body = json!({ "url": url, "secret": SECRET });
        let started = Instant::now();
        while !stripe.post("/_config/webhooks/berth", &body).await {
            assert!(started.elapsed() < Duration::from_secs(30), "localstripe does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stripe
    }

    async fn post(&self, path: &str, body: &Value) -> bool {
        let request = self.http.post(format!("{}{path}", self.address)).bearer_auth(KEY).json(body);
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    /// What a payer or a bank does with the page at this address.
    async fn does(&self, page: &str, what: &str) {
        let session = page.rsplit('/').next().unwrap();
        assert!(
            self.post(&format!("/_test/sessions/{session}/{what}"), &json!({})).await,
            "{what}"
        );
    }
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

async fn open(client: &Client, save_method: bool) -> String {
    let body = json!({ "amount": "25.00", "success_url": "https://front.example/paid",
        "cancel_url": "https://front.example/", "save_method": save_method });
    let data = client.post_once(CHECKOUT, "key", body.clone()).await.data(201);
    assert_eq!(client.post_once(CHECKOUT, "key", body).await.data(201), data);
    data["checkout_url"].as_str().unwrap().to_owned()
}

/// Waits until the balance is this many cents, and looks whether it stays.
async fn comes_to(client: &Client, cents: i64) {
    let started = Instant::now();
    while client.balance_cents().await != cents {
        let balance = client.balance_cents().await;
        assert!(started.elapsed() < Duration::from_secs(90), "it is {balance}, not {cents}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(client.balance_cents().await, cents);
}

async fn jane(berth: &Berth) -> Client {
    berth.stranger().sign_up("jane").await;
    berth.stranger().log_in("jane").await
}

with_either_database! {
    async fn a_page_is_paid_refunded_disputed_and_its_card_charged_again(berth: &mut Berth) {
        let stripe = Stripe::start(berth).await;
        berth.start(&["serve"]).await;
        let jane = jane(berth).await;
        let page = open(&jane, true).await;
        stripe.does(&page, "pay").await;
        comes_to(&jane, 2_500).await;
        stripe.does(&page, "refund?amount=500").await;
        comes_to(&jane, 2_000).await;
        stripe.does(&page, "dispute/needs_response").await;
        comes_to(&jane, 0).await;
        stripe.does(&page, "dispute/won").await;
        comes_to(&jane, 2_000).await;
        let plan = json!({ "threshold": "30.00", "amount": "50.00", "monthly_max": "50.00" });
        jane.put("/wallet/auto-top-up", plan).await.data(200);
        comes_to(&jane, 7_000).await;
        let log = berth.read("log.txt");
        assert!(!log.contains(KEY) && !log.contains(SECRET), "a secret is in the log");
    }

    async fn a_payment_whose_event_met_no_server_is_credited_once_after_the_restart(
        berth: &mut Berth,
    ) {
        let stripe = Stripe::start(berth).await;
        berth.start(&["serve"]).await;
        let jane = jane(berth).await;
        let page = open(&jane, false).await;
        berth.kill();
        // Its messages find nobody.
        stripe.does(&page, "pay").await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        berth.start(&["serve"]).await;
        assert_eq!(jane.balance_cents().await, 0);
        // The sweep asks a minute after the payment was begun.
        comes_to(&jane, 2_500).await;
        stripe.does(&page, "refund?amount=1000").await;
        comes_to(&jane, 1_500).await;
    }
}
