//! What somebody does with Trooper's API from the first look at the models to a larger server, by
//! plain HTTP against the built binary, on the simulated driver and on containers; and beside
//! somebody else who speaks SimplePod's on the same fleet.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use domain::money::Money;
use reqwest::Method;
use serde_json::{Value, json};
use tests::engine::{Engine, IMAGE, ssh_by_password};
use tests::{Answer, Client};

use super::process::{Berth, list_server};
use super::with_either_database;

/// Longer than any wait for a container, on a machine that does much else.
const DEADLINE: Duration = Duration::from_mins(1);

/// Sells two models and the GPUs of two hosts, and has software for servers.
async fn sell(operator: &Client, driver: Value) -> i64 {
    let place = json!({ "name": "Oslo", "country": "NO" });
    operator.put("/admin/locations/OSL-1", place).await.data(200);
    let image = json!({ "name": "Box", "category": "linux", "reference": IMAGE });
    operator.put("/admin/images/box", image).await.data(200);
    for (code, cpus, price) in [("one", 1, "3.6"), ("two", 2, "7.2")] {
        let plan = json!({
            "name": format!("Model {code}"), "locations": ["OSL-1"],
            "shape": { "cpus": cpus, "ram_mib": 256 * cpus, "disk_gb": cpus },
            "pricing": { "per_hour": price, "stopped_percent": 35 }
        });
        operator.put(&format!("/admin/plans/{code}"), plan).await.data(200);
    }
    for name in ["metal-1", "metal-2"] {
        let host = list_server(operator, name).await;
        let mut capacity = json!({
            "location": "OSL-1", "storage_gb": 100, "cpus": 8, "ram_mib": 2048,
            "first_port": 20000, "last_port": 20099,
            "gpu": { "model": "RTX 4090", "count": 4, "memory_mib": 24_576 }
        });
        if name == "metal-2" {
            capacity["first_port"] = json!(20100);
            capacity["last_port"] = json!(20199);
        }
        capacity.as_object_mut().unwrap().extend(driver.as_object().unwrap().clone());
        operator.put(&format!("/admin/servers/{host}/capacity"), capacity).await.data(200);
        let offer = json!({ "per_gpu": "3.6", "per_gb": "7.3", "machines": true });
        operator.put(&format!("/admin/servers/{host}/gpu-offer"), offer).await.data(200);
    }
    let software = json!({
        "name": "Colour", "description": "Says a colour", "category": "Paint",
        "install_script": "#!/bin/sh\necho \"$COLOUR\" >/root/colour",
        "options": [{ "key": "colour", "name": "Colour", "type": "select",
            "default_value": "green", "possible_values": ["green", "red"] }]
    });
    operator.post("/admin/software", software).await.data(201)["number"].as_i64().unwrap()
}

struct Session {
    client: Client,
    key: String,
}

impl Session {
    async fn of(owner: &Client) -> Self {
        let wish = json!({ "alias": "trooper", "permissions": { "*": true } });
        let token = owner.post("/auth/tokens", wish).await.data(201);
        let mut client = owner.clone();
        client.authorization = None;
        Self { client, key: token["token"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let key = format!("Bearer {}", self.key);
        let headers = [("authorization", key.as_str())];
        self.client.send(method, &format!("/!trooper/api{path}"), &headers, body.as_ref()).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(
            (answer.status, &answer.body["success"]),
            (200, &json!(true)),
            "{}",
            answer.body
        );
        answer.body
    }

    /// Waits until an order is as wanted.
    async fn until(&self, number: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let orders = self.get("/orders").await;
            let found = orders.as_array().unwrap().iter().find(|it| it["order_id"] == *number);
            if let Some(order) = found.filter(|order| is_so(order)) {
                return order.clone();
            }
            assert!(began.elapsed() < DEADLINE, "not so: {orders}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The typical session; `look` sees the credentials and what is to be found on the server.
    async fn run(&self, template: i64, look: impl Fn(&Value, &str)) {
        assert_eq!(self.get("/test").await, json!({ "test": "meinstring5" }));
        let blibs = self.get("/blibs").await;
        let named = |name: &str| {
            let mut rows = blibs.as_array().unwrap().iter();
            rows.find(|blib| blib["name"] == name).unwrap()["id"].clone()
        };
        let (one, two) = (named("Model one"), named("Model two"));
        assert_eq!(self.get("/templates").await[0]["id"], template);
        let order = json!({
            "blib_id": one, "price_h": 3.6, "total_price": 3.6, "terms_accepted": true,
            "contract_interval": "HOUR", "templates": [{ "id": template }]
        });
        let number = self.post("/order", order).await["orderId"].clone();
        let has_installed =
            |order: &Value| order["template_installs"][0]["status_readable"] == "Completed";
        let running = |order: &Value| order["status"] == "running";
        self.until(&number, |order| running(order) && has_installed(order)).await;
        let server = json!({ "serverId": number });
        look(&self.post("/credentials", server.clone()).await, "green");
        let config = self.get(&format!("/template-config?order_id={number}")).await;
        assert_eq!(config["templates"][0]["config"], json!({ "colour": "green" }));
        self.post("/order-title", json!({ "serverId": number, "title": "Mine" })).await;
        self.post("/order-lock", json!({ "serverId": number, "is_locked": true })).await;
        let stop = json!({ "serverId": number, "action": "stopped" });
        assert_eq!(self.ask(Method::POST, "/order-status", Some(stop.clone())).await.status, 403);
        self.post("/order-lock", json!({ "serverId": number, "is_locked": false })).await;
        self.post("/order-status", stop).await;
        self.until(&number, |order| order["status"] == "stopped").await;
        let history = self.get(&format!("/order-status-history?order_id={number}")).await;
        assert_eq!(history["history"][0]["status_user"], "stopped");
        self.post("/order-status", json!({ "serverId": number, "action": "running" })).await;
        self.until(&number, running).await;
        let options = self.get(&format!("/migration-options?order_id={number}")).await;
        assert_eq!(options["availableBlibs"][0]["id"], two);
        let target = json!({ "order_id": number, "target_blib_id": two, "keep_data": true });
        let cost = self.post("/migration-cost", target.clone()).await;
        assert_eq!(cost["upgradeCost"], 7.2);
        let larger = self.post("/buy-migration", target).await["new_order_id"].clone();
        let order = self.until(&larger, running).await;
        assert_eq!((&order["title"], &order["blib_name"]), (&json!("Mine"), &json!("Model two")));
        look(&self.post("/credentials", json!({ "serverId": larger })).await, "green");
        self.post("/order-status", json!({ "serverId": larger, "action": "frozen" })).await;
        self.until(&larger, |order| order["status"] == "frozen").await;
        assert_eq!(self.get("/orders").await.as_array().unwrap().len(), 1);
    }
}

/// An hour of each model, less what was left of the first, and nothing else.
async fn bill(client: &Client) {
    let usage = client.get("/wallet/usage").await.data(200);
    let balance = Money::parse(usage["balance"].as_str().unwrap()).unwrap();
    let spent = Money::parse("100").unwrap().saturating_sub(balance);
    let found = client.get("/wallet/transactions?limit=100").await.data(200);
    let payments = found["transactions"].as_array().unwrap();
    assert!(payments.len() >= 3, "{payments:?}");
    let least = Money::parse("7.2").unwrap();
    assert!(spent > least && spent < Money::parse("10.8").unwrap(), "{spent}");
}

with_either_database! {
    async fn a_simulated_session_of_trooper_ends_with_its_bill(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await.lasting().await;
        let driver = json!({ "driver": "simulated", "address": "203.0.113.7" });
        let template = sell(&operator, driver).await;
        let jane = berth.renter(&operator, "jane", "100.00").await.lasting().await;
        Session::of(&jane).await.run(template, |told, _| {
            assert_eq!(told["ip"], "203.0.113.7");
            assert_eq!(told["password"].as_str().unwrap().len(), 32);
        }).await;
        bill(&jane).await;
        berth.succeed(&["ledger", "verify"]);
    }

    async fn a_session_of_trooper_on_containers_keeps_its_data(berth: &mut Berth) {
        let engine = Engine::start();
        berth.start(&["serve"]).await;
        let operator = berth.operator().await.lasting().await;
        let endpoint = format!("unix://{}", engine.socket().display());
        let settings = json!({ "endpoint": endpoint, "graceful_stop_seconds": 1,
            "gpu_devices": [["/dev/full"], ["/dev/full"], ["/dev/full"], ["/dev/full"]] });
        let address = engine.site().address;
        let driver = json!({ "driver": "docker", "settings": settings, "address": address });
        let template = sell(&operator, driver).await;
        let jane = berth.renter(&operator, "jane", "100.00").await.lasting().await;
        let session = Session::of(&jane).await;
        session.run(template, |told, colour| {
            let text = |name: &str| told[name].as_str().unwrap();
            let ip: IpAddr = text("ip").parse().unwrap();
            let port = u16::try_from(told["ssh_port"].as_u64().unwrap()).unwrap();
            let who = (text("username"), text("password"));
            let printed = ssh_by_password((ip, port), who, "cat /root/colour");
            assert_eq!(String::from_utf8_lossy(&printed.stdout).trim(), colour, "{printed:?}");
        }).await;
        bill(&jane).await;
        berth.succeed(&["ledger", "verify"]);
    }

    async fn two_surfaces_rent_on_one_fleet_and_see_no_trace_of_each_other(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await.lasting().await;
        let driver = json!({ "driver": "simulated", "address": "203.0.113.7" });
        let template = sell(&operator, driver).await;
        let jane = berth.renter(&operator, "jane", "100.00").await.lasting().await;
        let joe = berth.renter(&operator, "joe", "100.00").await.lasting().await;
        let pods = crate::end_to_end::simplepod::Session::of(&joe).await;
        let (of_jane, of_joe) = tokio::join!(Session::of(&jane), Session::of(&joe));
        let simplepod = pods.run(crate::end_to_end::simplepod::template(json!({})), |seen| {
            assert_eq!(seen["ports"]["direct"][1]["ip"], "203.0.113.7");
        });
        let ((), ()) = tokio::join!(of_jane.run(template, |_, _| ()), simplepod);
        assert_eq!(of_joe.get("/orders").await, json!([]));
        let janes = crate::end_to_end::simplepod::Session::of(&jane).await;
        assert_eq!(janes.get("/instances/billing/list").await, json!([]));
        let listed = janes.get("/instances/list").await;
        assert_eq!(listed.as_array().unwrap().len(), 1, "her own alone: {listed}");
        bill(&jane).await;
        berth.succeed(&["ledger", "verify"]);
    }
}
