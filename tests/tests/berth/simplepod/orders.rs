use domain::host::HostId;
use domain::instance::{InstanceId, InstanceSpec};
use domain::number::{self, Numbered};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tests::{Answer, Client, TestApp, at_once, on_both_databases};

use super::{Program, is_refused, violates};
use crate::catalogue::image;
use crate::deals::{boss, payer};
use crate::gpu_offers::{big, offered, places, small};
use crate::instances::taken;
use crate::ssh_keys::public_key;

/// A market of one server with eight graphics processors, and somebody with money and a template.
pub struct Market {
    pub boss: Client,
    pub server: String,
    pub jane: Client,
    pub program: Program,
    /// Of a row with one graphics processor.
    pub row: i64,
    pub template: i64,
}

impl Market {
    pub async fn of(app: &TestApp, host: (Value, Value)) -> Self {
        let boss = boss(app).await;
        places(&boss).await;
        let server = offered(app, &boss, "big", host).await;
        let jane = payer(app, "jane", "100.00").await;
        let program = Program::of(&jane).await;
        let rows = program.get("/instances/market/list").await.body;
        let row = rows[0]["id"].as_i64().unwrap();
        let template = template(&program, json!({})).await;
        Self { boss, server, jane, program, row, template }
    }

    pub fn wish(&self, change: Value) -> Value {
        let mut wish = json!({
            "gpuCount": 1,
            "instanceMarket": format!("/instances/market/{}", self.row),
            "instanceTemplate": format!("/instances/templates/{}", self.template),
        });
        wish.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        wish
    }

    pub async fn rent(&self, change: Value) -> Value {
        let answer = self.program.post("/instances", self.wish(change)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    /// A plain member of her pool, and the pool.
    async fn member(&self, app: &TestApp) -> (Client, Value) {
        let john = app.user("john").await;
        let pool = self.jane.get("/pools").await.data(200)[0]["id"].clone();
        let members = format!("/pools/{}/members", pool.as_str().unwrap());
        let invited = json!({ "username": "john", "role": "user" });
        self.jane.post(&members, invited).await.data(201);
        let pending = john.get("/pools/invitations/pending").await.data(200);
        let accept = format!("/pools/{}/accept", pending[0]["id"].as_str().unwrap());
        john.post(&accept, json!({})).await.data(200);
        (john, pool)
    }

    pub fn spec(&self, app: &TestApp, instance: &Value) -> InstanceSpec {
        let id = instance["hashId"].as_str().unwrap().strip_prefix("rri_").unwrap();
        let host = HostId::parse(&self.server).unwrap();
        app.instances.spec_of(host, InstanceId::parse(id).unwrap()).unwrap()
    }
}

/// A template of somebody's own, by its number.
pub async fn template(program: &Program, change: Value) -> i64 {
    let mut body = json!({
        "name": "web", "imageName": "nginx", "defaultTag": "1.27", "diskSize": 32,
        "exposePorts": "80,443", "startScript": "echo hello >/hello",
        "envVariables": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]
    });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let made = program.post("/instances/templates", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_i64().unwrap()
}

pub async fn image_number(app: &TestApp, boss: &Client) -> i64 {
    boss.put("/admin/images/ubuntu-24.04", image()).await.data(200);
    let store = app.app.store.as_ref();
    let code = domain::image::ImageCode::parse("ubuntu-24.04").unwrap();
    let id = store.reads().image_coded(&code).await.unwrap().unwrap().id.uuid();
    number::of(store, Numbered::Image, &[id]).await.unwrap()[&id]
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

on_both_databases! {
    // Seen failing with the template's variables before those of the order: A was 1.
    async fn a_template_and_an_order_say_together_what_runs(app: &TestApp) {
        let market = Market::of(app, big()).await;
        for name in ["laptop", "desktop"] {
            let key = json!({ "name": name, "publicKey": public_key(name) });
            assert_eq!(market.program.post("/user-ssh-keys", key).await.status, 201);
        }
        let plain = market.rent(json!({})).await;
        let environment = json!("[ { \"name\": \"A\", \"value\": \"x\" } ]");
        let change = json!({ "startScript": "echo bye", "envVariables": environment });
        let changed = market.rent(change).await;
        app.do_jobs().await;
        let spec = market.spec(app, &plain);
        assert_eq!((spec.image.as_str(), spec.username.as_str()), ("nginx:1.27", "root"));
        assert_eq!(spec.script.as_deref(), Some("echo hello >/hello"));
        assert!(spec.is_autostart && spec.pull.always, "what a renter names is always fetched");
        assert_eq!(spec.ports.iter().map(|port| port.inside).collect::<Vec<_>>(), [80, 443]);
        assert_eq!(spec.public_keys.len(), 2);
        assert_eq!((spec.disk_gb, spec.environment["A"].as_str()), (32, "1"));
        let spec = market.spec(app, &changed);
        assert_eq!(spec.script.as_deref(), Some("echo bye"));
        assert_eq!((spec.environment["A"].as_str(), spec.environment["B"].as_str()), ("x", "2"));
    }

    async fn a_private_image_is_fetched_with_its_password(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let secret = json!({ "host": "registry.example", "username": "berth",
            "password": "hunter2", "isPasswordProtected": true, "imageName": "team/app" });
        let private = template(&market.program, secret).await;
        let rented = market.rent(json!({ "instanceTemplate": private })).await;
        // It is the instance's own from now on, whatever becomes of the template.
        let path = format!("/instances/templates/{private}");
        let deleted = market.program.ask(reqwest::Method::DELETE, &path, None).await;
        assert_eq!(deleted.status, 204);
        app.do_jobs().await;
        let spec = market.spec(app, &rented);
        assert_eq!(spec.image, "registry.example/team/app:1.27");
        let login = spec.pull.login.unwrap();
        assert_eq!((login.host.as_str(), login.username.as_str(), login.password.expose_secret()),
            ("registry.example", "berth", "hunter2"));
        assert!(!format!("{rented}").contains("hunter2"));
    }

    async fn the_operators_images_may_be_there_already(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let body = json!({ "name": "Jupyter", "image": "localhost/jupyter", "tag": "1",
            "disk_gb": 64, "runs_jupyter": true, "runs_ssh": true });
        let global = market.boss.post("/admin/templates", body).await.data(201);
        let template = format!("/instances/global-templates/{}", global["number"]);
        let rented = market.rent(json!({ "instanceTemplate": template })).await;
        app.do_jobs().await;
        let spec = market.spec(app, &rented);
        assert!(!spec.pull.always && spec.runs_jupyter);
        let ports: Vec<_> = spec.ports.iter().map(|port| port.inside).collect();
        assert_eq!(ports, [22, 8888]);
        let token = &spec.environment["JUPYTER_TOKEN"];
        let path = format!("/instances/{}", rented["id"]);
        let seen = market.program.get(&path).await.body;
        let url = seen["ports"]["direct"][1]["url"].as_str().unwrap();
        assert!(token.len() == 32 && url.ends_with(&format!("/?token={token}")), "{url}");
        let native = rented["hashId"].as_str().unwrap().replace("rri_", "/instances/");
        assert_eq!(market.jane.get(&native).await.data(200)["jupyter_token"], token.as_str());
        // It opens all of the instance: members who may not change that do not see it.
        let (john, _) = market.member(app).await;
        let seen = Program::of(&john).await.get(&path).await.body;
        let url = seen["ports"]["direct"][1]["url"].as_str().unwrap();
        assert!(url.ends_with('/') && !seen.to_string().contains(token), "{url}");
        assert_eq!(john.get(&native).await.data(200)["jupyter_token"], json!(null));
    }

    // Seen failing with all keys of the pool: his was the second.
    async fn only_keys_of_owners_and_admins_open_a_container(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let (john, pool) = market.member(app).await;
        for (client, name) in [(&market.jane, "hers"), (&john, "his")] {
            let key = json!({ "name": name, "public_key": public_key(name), "pool_id": pool });
            client.post("/ssh-keys", key).await.data(201);
        }
        // An empty field of a form asks for nothing.
        let rented = market.rent(json!({ "startScript": " " })).await;
        app.do_jobs().await;
        let spec = market.spec(app, &rented);
        let line = public_key("hers");
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        assert_eq!(spec.public_keys.len(), 1, "{:?}", spec.public_keys);
        assert!(spec.public_keys[0].starts_with(&words.join(" ")));
        assert_eq!(spec.script.as_deref(), Some("echo hello >/hello"));
    }

    // Seen failing with a transaction for each.
    async fn several_are_all_or_none(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let too_many = market.wish(json!({ "gpuCount": 3, "numOfInstances": 3 }));
        let refused = market.program.post("/instances", too_many).await;
        is_refused(&refused, 409, "The host is not available any more; look for another one.");
        assert_eq!(taken(&market.boss, &market.server).await, [0, 0, 0, 0, 0]);
        assert_eq!(market.program.get("/instances/list").await.body, json!([]));
        let made = market.rent(json!({ "gpuCount": 4, "numOfInstances": 2 })).await;
        assert_eq!(made.as_array().unwrap().len(), 2);
        assert_eq!(taken(&market.boss, &market.server).await[2..4], [8, 2]);
        let full = market.wish(json!({ "numOfInstances": 1, "gpuCount": null }));
        assert_eq!(market.program.post("/instances", full).await.status, 409);
    }

    async fn two_people_rent_the_last_one(app: &TestApp) {
        let market = Market::of(app, small()).await;
        let john = Program::of(&payer(app, "john", "100.00").await).await;
        let his = template(&john, json!({})).await;
        let programs = [(&market.program, market.template), (&john, his)];
        let answers = at_once(programs.map(|(program, template)| {
            let wish = market.wish(json!({ "instanceTemplate": template }));
            let (client, key) = (program.client.clone(), program.key.clone());
            let program = Program { client, key };
            async move { program.post("/instances", wish).await }
        }))
        .await;
        assert_eq!(statuses(&answers), [201, 409]);
        assert_eq!(taken(&market.boss, &market.server).await[2], 1);
    }

    async fn what_is_somebody_elses_cannot_be_ordered_with(app: &TestApp) {
        let market = Market::of(app, big()).await;
        let john = Program::of(&payer(app, "john", "100.00").await).await;
        let wish = market.wish(json!({}));
        is_refused(&john.post("/instances", wish).await, 404, "Not Found");
        let key = json!({ "name": "laptop", "publicKey": public_key("jane") });
        let key = market.program.post("/user-ssh-keys", key).await.body["id"].clone();
        let image = image_number(app, &market.boss).await;
        let mut sold = big();
        sold.1["machines"] = json!(true);
        let path = format!("/admin/servers/{}/gpu-offer", market.server);
        market.boss.put(&path, sold.1).await.data(200);
        let machine = json!({ "instanceMarket": market.row, "instanceVmImage": image,
            "userSshKey": format!("/user-ssh-keys/{key}") });
        is_refused(&john.post("/instances", machine.clone()).await, 404, "Not Found");
        assert_eq!(market.program.post("/instances", machine).await.status, 201);
    }

    async fn a_machine_has_one_key_which_is_kept_if_it_is_new(app: &TestApp) {
        let market = Market::of(app, small()).await;
        let image = image_number(app, &market.boss).await;
        let (raw, image) = (public_key("jane@laptop"), format!("/instances/images/{image}"));
        let machine = json!({ "instanceMarket": market.row, "instanceVmImage": image,
            "userSshKey": raw, "userSshKeyName": "My SSH Key" });
        let with = |change: Value| {
            let mut machine = machine.clone();
            machine.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            machine
        };
        let poor = Program::of(&app.user("poor").await).await;
        assert_eq!(poor.post("/instances", machine.clone()).await.status, 402);
        assert_eq!(poor.get("/user-ssh-keys/list").await.body, json!([]));
        for (change, member) in [
            (json!({ "userSshKey": null }), "userSshKey"),
            (json!({ "userSshKey": "ssh-ed25519 nonsense" }), "userSshKey"),
            (json!({ "userSshKeyName": "a\nb" }), "userSshKeyName"),
            (json!({ "password": "hunter2" }), "password"),
            (json!({ "userSshKey": null, "password": "" }), "userSshKey"),
            (json!({ "startScript": "date" }), "startScript"),
            (json!({ "instanceTemplate": market.template }), "instanceVmImage"),
        ] {
            violates(&market.program.post("/instances", with(change)).await, &[member]);
        }
        let unknown = market.program.post("/instances", with(json!({ "instanceVmImage": 1 })));
        is_refused(&unknown.await, 404, "Not Found");
        assert_eq!(market.program.get("/user-ssh-keys/list").await.body, json!([]));
        let made = market.program.post("/instances", machine).await;
        assert_eq!((made.status, &made.body["diskSize"]), (201, &json!(32)), "{}", made.body);
        let keys = market.program.get("/user-ssh-keys/list").await.body;
        assert_eq!((keys.as_array().unwrap().len(), &keys[0]["name"]), (1, &json!("My SSH Key")));
        app.do_jobs().await;
        let spec = market.spec(app, &made.body);
        assert!(spec.public_keys[0].starts_with("ssh-ed25519 ") && spec.public_keys.len() == 1);
        assert!(spec.script.is_none() && !spec.pull.always);
    }

    async fn what_is_wrong_with_an_order_is_named(app: &TestApp) {
        let market = Market::of(app, big()).await;
        for (change, member) in [
            (json!({ "gpuCount": 0 }), "gpuCount"),
            (json!({ "gpuCount": 9 }), "gpuCount"),
            (json!({ "gpuCount": "two" }), "gpuCount"),
            (json!({ "instanceMarket": null }), "instanceMarket"),
            (json!({ "instanceTemplate": null }), "instanceTemplate"),
            (json!({ "numOfInstances": 17 }), "numOfInstances"),
            (json!({ "envVariables": "x" }), "envVariables"),
            (json!({ "envVariables": [{ "name": "1", "value": "" }] }), "envVariables"),
            (json!({ "startScript": "x".repeat(65_537) }), "startScript"),
        ] {
            let wish = market.wish(change);
            violates(&market.program.post("/instances", wish).await, &[member]);
        }
        for change in [
            json!({ "instanceMarket": "/instances/market/999901" }),
            json!({ "instanceMarket": "/instances/9" }),
            json!({ "instanceTemplate": "/instances/templates/999999" }),
            json!({ "instanceTemplate": [1] }),
        ] {
            let refused = market.program.post("/instances", market.wish(change)).await;
            is_refused(&refused, 404, "Not Found");
        }
        let poor = Program::of(&app.user("poor").await).await;
        let his = template(&poor, json!({})).await;
        let wish = market.wish(json!({ "instanceTemplate": his }));
        let refused = poor.post("/instances", wish).await;
        assert_eq!(refused.status, 402, "{}", refused.body);
        assert_eq!(taken(&market.boss, &market.server).await, [0, 0, 0, 0, 0]);
    }
}
