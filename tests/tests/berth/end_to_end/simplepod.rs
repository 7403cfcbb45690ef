//! What somebody does with SimplePod's API from the first look at the market to the bill, by plain
//! HTTP against the built binary, on the simulated driver and on containers of a real engine.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use domain::money::Money;
use reqwest::Method;
use serde_json::{Value, json};
use tests::engine::{Engine, REGISTRY_PASSWORD, REGISTRY_USER};
use tests::{Answer, Client};

use super::process::{Berth, list_server};
use super::with_either_database;

/// Longer than any wait for a container, on a machine that does much else.
const DEADLINE: Duration = Duration::from_mins(1);

/// Sells two graphics processors of one server.
async fn sell(operator: &Client, driver: Value) {
    let place = json!({ "name": "Oslo", "country": "NO" });
    operator.put("/admin/locations/OSL-1", place).await.data(200);
    let host = list_server(operator, "metal").await;
    let mut capacity = json!({
        "location": "OSL-1", "storage_gb": 100, "cpus": 4, "ram_mib": 1024,
        "first_port": 20000, "last_port": 20099,
        "gpu": { "model": "RTX 4090", "count": 2, "memory_mib": 24_576 }
    });
    capacity.as_object_mut().unwrap().extend(driver.as_object().unwrap().clone());
    operator.put(&format!("/admin/servers/{host}/capacity"), capacity).await.data(200);
    let offer = json!({ "per_gpu": "3.6", "per_gb": "7.3" });
    operator.put(&format!("/admin/servers/{host}/gpu-offer"), offer).await.data(200);
}

pub struct Session {
    client: Client,
    key: String,
}

impl Session {
    pub async fn of(owner: &Client) -> Self {
        let wish = json!({ "alias": "simplepod", "permissions": { "*": true } });
        let token = owner.post("/auth/tokens", wish).await.data(201);
        let mut client = owner.clone();
        client.authorization = None;
        Self { client, key: token["token"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let headers = [("x-auth-token", self.key.as_str())];
        self.client.send(method, &format!("/!simplepod{path}"), &headers, body.as_ref()).await
    }

    async fn told(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        let answer = self.ask(method, path, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        answer.body
    }

    pub async fn get(&self, path: &str) -> Value {
        self.told(Method::GET, path, None, 200).await
    }

    /// Waits until the instance is in use, and its port's address shows.
    async fn wait(&self, path: &str) -> Value {
        let began = Instant::now();
        loop {
            let seen = self.get(path).await;
            if seen["status"] == "active" && seen["ports"]["direct"][1]["url"] != "" {
                return seen;
            }
            assert!(began.elapsed() < DEADLINE, "not in use: {seen}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The typical session; `look` sees the instance each time that it runs.
    pub async fn run(&self, template: Value, look: impl Fn(&Value)) {
        let before = self.get("/instances/summary").await;
        assert_eq!(before["all"]["active"]["rriCountTotal"], 0);
        let rows = self.get("/instances/market/list?rentalStatus=active&gpuCount[gte]=2").await;
        let market = rows[0]["instanceMarket"].clone();
        let found = self.get("/instances/templates/list?search=web").await;
        assert_eq!(found, json!([]));
        let path = "/instances/templates";
        let made = self.told(Method::POST, path, Some(template), 201).await;
        let order = json!({
            "gpuCount": 2, "instanceMarket": market,
            "instanceTemplate": format!("/instances/templates/{}", made["id"]),
            "envVariables": [{ "name": "COLOUR", "value": "green" }]
        });
        let ordered = self.told(Method::POST, "/instances", Some(order), 201).await;
        let path = format!("/instances/{}", ordered["id"]);
        look(&self.wait(&path).await);
        let change = json!({ "name": "sensible_pangolin", "isAutoRenewOn": false });
        let changed = self.told(Method::PUT, &path, Some(change), 200).await;
        assert_eq!(
            (&changed["name"], &changed["isAutoRenewOn"]),
            (&json!("sensible_pangolin"), &json!(false))
        );
        let active = self.get("/instances/summary").await["all"]["active"].clone();
        assert_eq!(active, json!({ "rri": [ordered["id"]], "rriCountTotal": 1 }));
        let ids = json!({ "instanceIds": [ordered["supportId"]] });
        self.told(Method::PATCH, "/instances/reboot", Some(ids), 204).await;
        look(&self.wait(&path).await);
        // Long enough for the price of some seconds.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        self.told(Method::DELETE, &path, None, 204).await;
        self.told(Method::GET, &path, None, 404).await;
        self.bill(&ordered, &before).await;
    }

    /// Every row is its seconds at its price, and all of them are what the wallet lost.
    async fn bill(&self, ordered: &Value, before: &Value) {
        let path = format!("/instances/billing/list?instanceId={}", ordered["id"]);
        let rows = self.get(&path).await;
        let rows = rows.as_array().unwrap();
        let mut spent = Money::ZERO;
        for row in rows {
            assert!(!row["endedAt"].is_null(), "{row}");
            // 2 × 3.6 an hour, and 1 GB at 7.3 a month of 730 hours: 7.21 an hour in all.
            let seconds = row["duration"].as_u64().unwrap();
            let expected = Money::parse("7.21").unwrap().fraction(seconds, 3_600).floor();
            let amount = Money::parse(&row["amount"].to_string()).unwrap();
            assert_eq!(amount, expected, "{row}");
            spent = spent.checked_add(amount).unwrap();
        }
        assert!(spent > Money::ZERO);
        let balance = |summary: &Value| {
            let balance = &summary["rentalAvailability"]["balanceRental"];
            Money::parse(&balance.to_string()).unwrap()
        };
        let after = self.get("/instances/summary").await;
        assert_eq!(balance(before), balance(&after).checked_add(spent).unwrap());
    }
}

pub fn template(change: Value) -> Value {
    let mut template = json!({
        "name": "web", "imageName": "nginx", "defaultTag": "1.27", "diskSize": 1,
        "exposePorts": "22,8000", "startScript": "true", "isRunSshServerOn": true
    });
    template.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    template
}

with_either_database! {
    async fn a_simulated_session_ends_with_its_bill(berth: &mut Berth) {
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        sell(&operator, json!({ "driver": "simulated", "address": "203.0.113.7" })).await;
        let jane = berth.renter(&operator, "jane", "100.00").await;
        let session = Session::of(&jane).await;
        session.run(template(json!({})), |seen| {
            assert_eq!(seen["ports"]["direct"][1]["ip"], "203.0.113.7");
        }).await;
        berth.succeed(&["ledger", "verify"]);
    }

    async fn a_session_with_containers_ends_with_its_bill(berth: &mut Berth) {
        let engine = Engine::start();
        let (_registry, image) = engine.private_registry();
        berth.start(&["serve"]).await;
        let operator = berth.operator().await;
        // Files that are on every machine stand for the devices of graphics processors.
        let endpoint = format!("unix://{}", engine.socket().display());
        let devices = json!([["/dev/full"], ["/dev/full"]]);
        let (host, repository) = image.split_once('/').unwrap();
        let settings = json!({ "endpoint": endpoint, "graceful_stop_seconds": 1,
            "gpu_devices": devices, "registries": [host] });
        let address = engine.site().address;
        sell(&operator, json!({ "driver": "docker", "settings": settings, "address": address }))
            .await;
        let jane = berth.renter(&operator, "jane", "100.00").await.lasting().await;
        let session = Session::of(&jane).await;
        let (repository, tag) = repository.rsplit_once(':').unwrap();
        // Its own server, at every start, on the port that is published.
        let script = "mkdir -p /run/sshd; ssh-keygen -A; echo \"$COLOUR\" >>/root/starts; \
            exec /usr/sbin/sshd -p 8000";
        let private = template(json!({
            "imageName": repository, "defaultTag": tag, "startScript": script, "host": host,
            "username": REGISTRY_USER, "password": REGISTRY_PASSWORD, "isPasswordProtected": true
        }));
        session.run(private, |seen| assert!(answers(seen), "{seen}")).await;
        let none = engine.ask("/containers/json?all=true");
        let began = Instant::now();
        while engine.ask("/containers/json?all=true") != json!([]) {
            assert!(began.elapsed() < DEADLINE, "left: {none}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        berth.succeed(&["ledger", "verify"]);
        assert!(!berth.read("log.txt").contains(REGISTRY_PASSWORD));
    }
}

/// Whether the server that the start script starts answers on the port that was told.
fn answers(seen: &Value) -> bool {
    let port = &seen["ports"]["direct"][1];
    assert_eq!(port["srcPort"], 8000);
    let ip = port["ip"].as_str().unwrap().parse().unwrap();
    let door = SocketAddr::new(ip, port["destPort"].as_str().unwrap().parse().unwrap());
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        let greeting = TcpStream::connect(door).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            let mut start = [0; 4];
            stream.read_exact(&mut start).map(|()| start)
        });
        if greeting.is_ok_and(|start| start == *b"SSH-") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}
