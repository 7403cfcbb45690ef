//! Things of every noun that somebody owns, for tests of who may call what.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Client, TestApp};

use crate::catalogue::stock;
use crate::furnishing::furnish;
use crate::ssh_keys::public_key;

/// Things that belong to somebody, so that somebody else can reach for them.
pub struct World {
    pub owner: Client,
    pub invitee: Client,
    pub ids: BTreeMap<&'static str, String>,
    pub specs: Value,
}

pub fn id(data: &Value) -> String {
    data["id"].as_str().unwrap().to_owned()
}

/// The catalogue, and of each noun of instances one of the pool's.
async fn made_of_instances(
    app: &TestApp,
    operator: &Client,
    owner: &Client,
    pool: &str,
) -> BTreeMap<&'static str, String> {
    stock(operator).await;
    let key = json!({ "name": "laptop", "public_key": public_key("owner"), "pool_id": pool });
    let key = id(&owner.post("/ssh-keys", key).await.data(201));
    let script = json!({ "name": "hello", "content": "#!/bin/sh", "pool_id": pool });
    let script = id(&owner.post("/scripts", script).await.data(201));
    let template = json!({ "name": "notebook", "image": "ubuntu", "disk_gb": 1, "pool_id": pool });
    let template = id(&owner.post("/templates", template).await.data(201));
    let software = json!({ "name": "tools", "install_script": "true", "pool_id": pool });
    let software = id(&owner.post("/software", software).await.data(201));
    furnish(app, operator, "metal", json!({})).await;
    let wish = json!({ "plan": "small", "image": "ubuntu-24.04", "location": "FIN-03",
        "hostname": "star", "pool_id": pool });
    let instance = id(&owner.post("/instances", wish.clone()).await.data(201));
    let install = json!({ "software_id": software });
    let install = owner.post(&format!("/instances/{instance}/installs"), install).await;
    let install = id(&install.data(202));
    let mut two = wish;
    two["nodes"] = json!(2);
    let cluster = id(&owner.post("/clusters", two).await.data(201));
    let volume = json!({ "name": "data", "type": "NVMe", "size_gb": 1, "location": "FIN-03",
        "pool_id": pool });
    let volume = id(&owner.post("/volumes", volume).await.data(201));
    BTreeMap::from([
        ("location", "FIN-03".to_owned()),
        ("plan", "small".to_owned()),
        ("image", "ubuntu-24.04".to_owned()),
        ("SSH key", key),
        ("script", script),
        ("template", template),
        ("software", software),
        ("install", install),
        ("instance", instance),
        ("volume", volume),
        ("cluster", cluster),
    ])
}

/// A host that is cut into a compute unit, and a key that logs in to hosts.
async fn cut_a_host(operator: &Client) {
    let cut = json!({ "ip": "192.0.2.7", "region": "r", "zone": "a", "hostname": "h1",
        "cpu_ranges": ["0-3"] });
    let cut = operator.post("/!kloigos/api/admin/init_server", cut).await;
    assert_eq!(cut.status, 200, "{}", cut.body);
    operator.put("/admin/ssh-identities/default", json!({})).await.data(200);
}

impl World {
    pub async fn build(app: &TestApp) -> Self {
        let server = app.server("node-1").await;
        let owner = app.renter("owner", "200.00").await;
        let (invitee, member) = (app.user("invitee").await, app.user("member").await);
        let pool = id(&owner.post("/pools", json!({ "name": "Team" })).await.data(201));
        let members = format!("/pools/{pool}/members");
        for username in ["invitee", "member"] {
            owner.post(&members, json!({ "username": username, "role": "user" })).await.data(201);
        }
        let pending = "/pools/invitations/pending";
        let invitation = id(&member.get(pending).await.data(200)[0]);
        member.post(&format!("/pools/{invitation}/accept"), json!({})).await.data(200);
        let invitation = id(&invitee.get(pending).await.data(200)[0]);
        let credentials = format!("/pools/{pool}/client-credentials");
        let made = owner.post(&credentials, json!({ "alias": "sdk" })).await.data(201);
        let client_id = made["client_id"].as_str().unwrap().to_owned();
        let wish = json!({ "rental_days": 7, "pool_id": pool });
        let asked = json!({ "server_id": server, "rental_days": 7 });
        let quote = id(&owner.post("/quotes", asked).await.data(201));
        let rented = owner.post(&format!("/servers/{server}/rent"), wish).await.data(201);
        let renew = format!("/rentals/{}/auto-renew", id(&rented["rental"]));
        owner.put(&renew, json!({ "days": 7, "max_price": "70.00" })).await.data(200);
        let wish = json!({ "alias": "script", "permissions": { "*": true } });
        let token = id(&owner.post("/auth/tokens", wish).await.data(201));
        let wish = json!({ "amount": "25.00", "success_url": "https://front.example/paid",
            "cancel_url": "https://front.example/wallet" });
        let payment = id(&owner.post("/wallet/payments/stripe/checkout", wish).await.data(201));
        app.do_jobs().await;
        let operator = app.operator("builder").await;
        let seen = operator.get(&format!("/admin/servers/{server}")).await.data(200);
        let terms = json!({ "commission_percent": "15.00", "account_holder": "Iron Hosting Ltd",
            "iban": "DE89370400440532013000" });
        operator.put("/admin/suppliers/owner", terms).await.data(200);
        let run = operator.post("/admin/payouts", json!({})).await.data(201);
        cut_a_host(&operator).await;
        let mut ids = made_of_instances(app, &operator, &owner, &pool).await;
        app.do_jobs().await;
        ids.extend([
            ("server", server),
            ("pool", pool),
            ("invitation", invitation),
            ("member", member.id),
            ("rental", id(&rented["rental"])),
            ("transaction", id(&rented["transaction"])),
            ("token", token),
            ("client credentials", client_id),
            ("payment", payment),
            ("user", owner.id.clone()),
            ("quote", quote),
            ("supplier", "owner".to_owned()),
            ("payout run", id(&run["run"])),
            ("finding", "0123456789abcdef01234567".to_owned()),
            ("compute host", "h1".to_owned()),
            ("compute unit", "h1_c0-3".to_owned()),
            ("SSH identity", "default".to_owned()),
            ("job", "0123456789abcdef01234567".to_owned()),
        ]);
        Self { owner, invitee, ids, specs: seen["specs"].clone() }
    }

    /// The template with real ids in it.
    pub fn path(&self, template: &str) -> String {
        let segments: Vec<&str> = template.split('/').collect();
        let fill = |(at, segment): (usize, &&str)| {
            if !segment.starts_with('{') {
                return (*segment).to_owned();
            }
            let noun = match (segments[at - 1], segments.get(at + 1).copied()) {
                ("pools", Some("accept" | "reject")) => "invitation",
                ("servers", None) if !template.starts_with("/admin/") => "rental",
                ("servers" | "available", _) => "server",
                ("pools", _) => "pool",
                ("members", _) => "member",
                ("client-credentials", _) => "client credentials",
                ("rentals", _) => "rental",
                ("transactions" | "entries", _) => "transaction",
                ("tokens", _) => "token",
                ("users", _) => "user",
                ("intents", _) => "payment",
                ("jobs", _) => "job",
                ("quotes", _) => "quote",
                ("suppliers", _) => "supplier",
                ("payouts", _) => "payout run",
                ("locations", _) => "location",
                ("plans", _) => "plan",
                ("images", _) => "image",
                ("ssh-keys", _) => "SSH key",
                ("scripts", _) => "script",
                ("templates", _) => "template",
                ("software", _) => "software",
                ("installs", _) => "install",
                ("instances", _) => "instance",
                ("volumes", _) => "volume",
                ("clusters", _) => "cluster",
                ("findings", _) => "finding",
                ("compute-hosts", _) => "compute host",
                ("compute-units", _) => "compute unit",
                ("ssh-identities", _) => "SSH identity",
                _ => panic!("{template}: let the World own one of these"),
            };
            self.ids[noun].clone()
        };
        segments.iter().enumerate().map(fill).collect::<Vec<_>>().join("/")
    }

    /// All that the people of this world see, and their answers' texts.
    pub async fn state(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for path in [
            "/users/me",
            "/pools",
            "/rentals",
            "/servers",
            "/wallet/balances",
            "/wallet/transactions",
            "/wallet/payments/stripe/intents",
            "/auth/tokens",
            "/pools/{id}",
            "/rentals/{id}",
            "/rentals/{id}/auto-renew",
            "/rentals/{id}/termination-preview",
            "/quotes/{id}",
            "/supplier",
            "/notifications",
            "/locations",
            "/plans",
            "/plans/{code}/prices",
            "/images",
            "/ssh-keys",
            "/ssh-keys/{id}",
            "/scripts",
            "/scripts/{id}",
            "/templates",
            "/templates/{id}",
            "/software",
            "/software/{id}",
            "/instances",
            "/instances/{id}",
            "/instances/{id}/installs",
            "/volumes",
            "/volumes/{id}",
            "/clusters",
            "/wallet/usage",
            "/billing",
        ] {
            state.push(self.owner.get(&self.path(path)).await.data(200));
        }
        state.push(self.invitee.get("/users/me").await.data(200));
        state
    }
}
