//! Instances as containers of a real engine: what a renter does with one from the order to the last
//! charge, and a server that is killed in every request to the engine.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::Client;
use tests::engine::{Engine, IMAGE, ssh};
use tests::relay::Relay;

use super::process::{Berth, list_server};
use super::verda::{credentials, lines_of_the_readme};
use super::with_either_database;

const SCRIPT: &str = "#!/bin/sh\necho \"made of $COLOUR\" >/root/made\n";
const WITH_KEY: &str = "localhost/berth-test:key";
/// A tenth of a cent a second.
const PER_HOUR: &str = "3.6";
/// Longer than any wait for a container, on a machine that does much else.
const DEADLINE: Duration = Duration::from_mins(1);

/// A renter, an engine for what they order, and what its host is called.
struct Scene {
    engine: Engine,
    operator: Client,
    jane: Client,
    host: String,
    key: String,
    script: String,
    key_file: std::path::PathBuf,
}

fn id(data: &Value) -> String {
    data["id"].as_str().unwrap().to_owned()
}

impl Scene {
    /// Sells instances of the test image on one host, which is reached at an endpoint.
    async fn set(berth: &Berth, engine: Engine, endpoint: &str) -> Self {
        let operator = berth.operator().await.lasting().await;
        let jane = berth.renter(&operator, "jane", "1000.00").await.lasting().await;
        let helsinki = json!({ "name": "Helsinki", "country": "FI" });
        operator.put("/admin/locations/FIN-03", helsinki).await.data(200);
        let small = json!({
            "name": "Small", "shape": { "cpus": 1, "ram_mib": 256, "disk_gb": 1 },
            "pricing": { "per_hour": PER_HOUR }, "locations": ["FIN-03"]
        });
        operator.put("/admin/plans/small", small).await.data(200);
        let image = json!({ "name": "Box", "category": "linux", "reference": IMAGE });
        operator.put("/admin/images/box", image).await.data(200);
        let host = list_server(&operator, "metal").await;
        let capacity = json!({
            "location": "FIN-03", "storage_gb": 100, "cpus": 4, "ram_mib": 2048,
            "address": engine.site().address, "first_port": 20000, "last_port": 20099,
            "driver": "docker", "settings": { "endpoint": endpoint, "graceful_stop_seconds": 1 }
        });
        operator.put(&format!("/admin/servers/{host}/capacity"), capacity).await.data(200);
        let (key_file, line) = engine.key("laptop");
        let key = json!({ "name": "laptop", "public_key": line });
        let key = id(&jane.post("/ssh-keys", key).await.data(201));
        let script = json!({ "name": "mark", "content": SCRIPT });
        let script = id(&jane.post("/scripts", script).await.data(201));
        Self { engine, operator, jane, host, key, script, key_file }
    }

    fn order(&self, hostname: &str, volumes: &Value) -> Value {
        json!({
            "plan": "small", "image": "box", "location": "FIN-03", "hostname": hostname,
            "ssh_key_ids": [self.key], "script_id": self.script, "ports": [22],
            "environment": { "COLOUR": "green" }, "volumes": volumes
        })
    }

    async fn see(&self, path: &str) -> Value {
        self.jane.get(path).await.data(200)
    }

    /// Waits for a status.
    async fn wait(&self, path: &str, status: &str) -> Value {
        let began = Instant::now();
        loop {
            let seen = self.see(path).await;
            if seen["status"] == status {
                return seen;
            }
            assert!(began.elapsed() < DEADLINE, "not {status}: {seen}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn act(&self, path: &str, action: &str, status: &str) -> Value {
        let asked = json!({ "action": action });
        self.jane.post(&format!("{path}/actions"), asked).await.data(200);
        self.wait(path, status).await
    }

    /// What a command in an instance printed, over SSH to its published port.
    fn tell(&self, instance: &Value, line: &str) -> String {
        let port = instance["ports"][0]["outside"].as_u64().unwrap();
        let address = instance["ip"].as_str().unwrap().parse().unwrap();
        let key: &Path = &self.key_file;
        let output = ssh((address, u16::try_from(port).unwrap()), ("root", key), line);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What is left: containers, volumes, images, and what is taken in the books.
    async fn left(&self) -> Value {
        let named = |list: &Value, key: &str| -> Vec<Value> {
            list.as_array().into_iter().flatten().map(|row| row[key].clone()).collect()
        };
        let containers = named(&self.engine.ask("/containers/json?all=true"), "Names");
        let volumes = named(&self.engine.ask("/volumes")["Volumes"], "Name");
        let mut images = named(&self.engine.ask("/images/json"), "RepoTags");
        images.sort_by_key(ToString::to_string);
        let seen = self.operator.get(&format!("/admin/servers/{}/capacity", self.host)).await;
        let seen = seen.data(200);
        let used = &seen["capacity"]["used"];
        let books = json!([
            used["cpus"],
            used["ram_mib"],
            seen["capacity"]["instances"],
            seen["storage_used_gb"],
            seen["slots"].as_array().unwrap().len()
        ]);
        json!([containers, volumes, images, books])
    }

    async fn assert_nothing_is_left(&self, images: &[&str], when: &str) {
        let images: Vec<_> = images.iter().map(|image| [image]).collect();
        assert_eq!(self.left().await, json!([[], [], images, [0, 0, 0, 0, 0]]), "{when}");
    }

    /// From now on, instances come with the key of a host that takes longest to make: a second.
    async fn hasten(&self) {
        let key = self.engine.folder().join("ssh_host_rsa_key");
        let command = ["-q", "-t", "rsa", "-N", "", "-f", key.to_str().unwrap()];
        assert!(Command::new("ssh-keygen").args(command).status().unwrap().success());
        self.engine.build(WITH_KEY, "COPY --chmod=600 ssh_host_rsa_key /etc/ssh/");
        let image = json!({ "name": "Box", "category": "linux", "reference": WITH_KEY });
        self.operator.put("/admin/images/box", image).await.data(200);
    }
}

with_either_database! {
    async fn a_renter_makes_uses_and_deletes_an_instance_and_sees_its_charge(berth: &mut Berth) {
        let engine = Engine::start();
        let endpoint = format!("unix://{}", engine.socket().display());
        berth.start(&["serve"]).await;
        let scene = Scene::set(berth, engine, &endpoint).await;
        let jane = &scene.jane;
        let ordered = jane.post("/instances", scene.order("box", &json!([]))).await.data(201);
        let path = format!("/instances/{}", id(&ordered));
        let running = scene.wait(&path, "running").await;
        assert_eq!(scene.tell(&running, "uname -n; cat /root/made"), "box\nmade of green");
        let load = scene.see(&format!("{path}/load")).await;
        assert!(load["ram_bytes"].as_u64().unwrap() > 0, "{load}");

        let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 1, "location": "FIN-03" });
        let volume = id(&jane.post("/volumes", volume).await.data(201));
        let volume = format!("/volumes/{volume}");
        scene.wait(&volume, "detached").await;
        scene.act(&path, "shutdown", "stopped").await;
        let attach = json!({ "instance_id": id(&ordered), "mount_path": "/data" });
        jane.post(&format!("{volume}/attach"), attach).await.data(200);
        let running = scene.act(&path, "start", "running").await;
        scene.tell(&running, "echo precious >/data/file; echo own >/root/file");
        scene.act(&path, "shutdown", "stopped").await;
        let running = scene.act(&path, "start", "running").await;
        let told = scene.tell(&running, "cat /data/file /root/file /root/made");
        assert_eq!(told, "precious\nown\nmade of green", "the data and one run of the script");

        jane.delete(&path).await.data(200);
        scene.wait(&path, "deleted").await;
        explained(&scene, &path).await;
        scene.wait(&volume, "detached").await;
        jane.delete(&format!("{volume}?permanently=true")).await.data(200);
        scene.wait(&volume, "deleted").await;
        scene.assert_nothing_is_left(&[IMAGE], "at the end").await;
    }

    async fn the_lines_of_the_readme_deploy_a_container(berth: &mut Berth) {
        let engine = Engine::start();
        let endpoint = format!("unix://{}", engine.socket().display());
        berth.start(&["serve"]).await;
        let scene = Scene::set(berth, engine, &endpoint).await;
        let (client, secret) = credentials(&scene.jane).await;
        let (key_file, _) = scene.engine.key("readme");
        let public = key_file.with_extension("pub");
        let file = public.to_str().unwrap();
        let printed =
            lines_of_the_readme(berth, [&client, &secret, file, "small", "box", "FIN-03"]);
        assert!(printed.starts_with("running "), "{printed}");
        let instance = scene.see("/instances").await[0].take();
        let scene = Scene { key_file, ..scene };
        assert_eq!(scene.tell(&instance, "uname -n; echo kept >/root/file"), "hello");
        // Its disk outlives it and is the next one's.
        let path = format!("/instances/{}", id(&instance));
        let keep = json!({ "action": "delete", "volume_ids": [] });
        scene.jane.post(&format!("{path}/actions"), keep).await.data(200);
        scene.wait(&path, "deleted").await;
        let disk = instance["os_volume_id"].as_str().unwrap();
        let mut next = scene.order("next", &json!([]));
        next.as_object_mut().unwrap().remove("image");
        next["os_volume"] = json!({ "id": disk });
        next["ssh_key_ids"] = instance["ssh_key_ids"].clone();
        let next = scene.jane.post("/instances", next).await.data(201);
        let next = format!("/instances/{}", id(&next));
        let running = scene.wait(&next, "running").await;
        assert_eq!(scene.tell(&running, "uname -n; cat /root/file /root/made"),
            "next\nkept\nmade of green");
        let gone = json!({ "action": "delete", "delete_permanently": true });
        scene.jane.post(&format!("{next}/actions"), gone).await.data(200);
        scene.wait(&format!("/volumes/{disk}"), "deleted").await;
        scene.assert_nothing_is_left(&[IMAGE], "at the end").await;
    }

    async fn a_server_killed_in_any_request_to_an_engine_goes_on_where_it_was(berth: &mut Berth) {
        let engine = Engine::start();
        let relay = Relay::start(engine.socket());
        // What a dead process was at is done again when its lease is over: an hour is moved on.
        berth.configure("BERTH__CLOCK", "manual");
        berth.configure("BERTH__INSTANCES__STAGE_MINUTES", "1440");
        berth.start(&["serve"]).await;
        let scene = Scene::set(berth, engine, &relay.endpoint).await;
        scene.hasten().await;
        for request in 1.. {
            relay.arm(berth.pid(), request);
            let instance = live(&scene, berth).await;
            if relay.disarm() {
                println!("killed in each of {} requests", request - 1);
                assert!(request > 12, "a life has more requests than {request}");
                break;
            }
            berth.kill();
            berth.start(&["serve"]).await;
            let forward = json!({ "advance_hours": 1 });
            scene.operator.post("/admin/clock", forward).await.data(200);
            // A sweep's request may come before the order is answered.
            let instance = match instance {
                Some(instance) => instance,
                None => scene.see("/instances").await.get(0).cloned().unwrap_or_default(),
            };
            if instance.is_null() {
                continue;
            }
            // In turn: it is finished and then deleted, or deleted at once.
            finish_life(&scene, &instance, request % 2 == 0).await;
            let when = format!("killed in request {request}");
            scene.assert_nothing_is_left(&[IMAGE, WITH_KEY], &when).await;
        }
    }
}

/// The second-exact charge of a deleted instance, and each booking of it explained.
async fn explained(scene: &Scene, path: &str) {
    let charges = scene.see(&format!("{path}/charges")).await;
    let meters = charges["meters"].as_array().unwrap();
    let seconds = |meter: &Value| meter["seconds"].as_i64().unwrap();
    for meter in meters {
        let at = |name: &str| {
            let text = meter[name].as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text).unwrap()
        };
        assert_eq!((at("ended_at") - at("started_at")).num_seconds(), seconds(meter), "{meter}");
        assert_eq!(meter["billed"], meter["amount"], "{meter}");
    }
    // A thousandth a second; the fourth decimal and those after it are zero.
    let total = format!("{:.3}", charges["total"].as_str().unwrap().parse::<f64>().unwrap());
    let all: i64 = meters.iter().map(seconds).sum();
    assert!(all > 0);
    assert_eq!(total, format!("{}.{:03}", all / 1000, all % 1000), "{charges}");
    for booking in charges["bookings"].as_array().unwrap() {
        let entry = booking["transaction_id"].as_str().unwrap();
        let told = scene.see(&format!("/ledger/entries/{entry}/explain")).await;
        assert_eq!(told["amount_holds"], true, "{told}");
        assert!(told["steps"].to_string().contains(&format!("{PER_HOUR} × ")), "{told}");
    }
}

/// From the order until nothing is left, or until the server is dead; answers the instance.
async fn live(scene: &Scene, berth: &mut Berth) -> Option<Value> {
    let volume = json!([{ "name": "data", "type": "NVMe", "size_gb": 1, "mount_path": "/data" }]);
    let jane = &scene.jane;
    let post = reqwest::Method::POST;
    let order = scene.order("box", &volume);
    let ordered = jane.try_send(post.clone(), "/instances", &[], Some(&order)).await.ok()?;
    let ordered = ordered.data(201);
    let path = format!("/instances/{}", id(&ordered));
    let mut is_asked = false;
    while !berth.has_ended() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Some(seen) = try_see(jane, &path).await else { continue };
        if seen["status"] == "running" && !is_asked {
            let actions = format!("{path}/actions");
            let answer = jane.try_send(post.clone(), &actions, &[], Some(&deletion(&seen))).await;
            is_asked = answer.is_ok();
        }
        if seen["status"] == "deleted" && try_see(jane, "/volumes").await == Some(json!([])) {
            break;
        }
    }
    Some(ordered)
}

/// What a server shows that may be dead.
async fn try_see(client: &Client, path: &str) -> Option<Value> {
    let answer = client.try_send(reqwest::Method::GET, path, &[], None).await;
    Some(answer.ok()?.data(200))
}

/// Of an instance and its volumes.
fn deletion(instance: &Value) -> Value {
    json!({
        "action": "delete", "volume_ids": instance["volume_ids"], "delete_permanently": true
    })
}

async fn finish_life(scene: &Scene, instance: &Value, is_used: bool) {
    let path = format!("/instances/{}", id(instance));
    let mut seen = scene.see(&path).await;
    let is_going = ["deleting", "deleted"].map(Value::from).contains(&seen["status"]);
    if is_used && !is_going {
        seen = scene.wait(&path, "running").await;
        let told = scene.tell(&seen, "cat /root/made; echo more >/data/file");
        assert_eq!(told, "made of green");
    }
    if !is_going {
        scene.jane.post(&format!("{path}/actions"), deletion(&seen)).await.data(200);
    }
    let gone = scene.wait(&path, "deleted").await;
    if gone["ready_at"].is_null() {
        assert_eq!(scene.see(&format!("{path}/charges")).await["total"], "0");
    }
    let began = Instant::now();
    while scene.see("/volumes").await != json!([]) {
        assert!(began.elapsed() < DEADLINE, "{}", scene.see("/volumes").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
