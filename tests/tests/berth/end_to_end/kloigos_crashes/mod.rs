//! Compute units whose server is killed, or whose host goes away, in the middle of a step.

mod away;
mod killed;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tests::ssh_host::SshHost;
use tests::{Answer, Client};
use tokio::task::JoinHandle;

use super::process::Berth;
use super::with_either_database;
use crate::ssh_keys::public_key;

const API: &str = "/!kloigos/api";
const DEADLINE: Duration = Duration::from_mins(2);
const NO_UNIT: u16 = 460;

/// A step, the program's call before which the tests hold it, and what is done by then.
struct Moment {
    step: &'static str,
    call: &'static str,
}

/// It has looked at everything but the disk.
const INSPECT: Moment = Moment { step: "inspect", call: "df *" };
/// The folders of Berth are there, and the hook for sessions is not.
const PREPARE: Moment = Moment { step: "prepare", call: "readlink *" };
/// The unit's mark is there, and its user is not.
const MAKE_UNIT: Moment = Moment { step: "make_unit", call: "useradd *" };
/// The unit is being emptied, and is nobody's still.
const CREATE: Moment = Moment { step: "create", call: "find *" };
/// The key is in place, and the account is not open yet.
const START: Moment = Moment { step: "start", call: "usermod -p *" };
/// The account is closed, and its files are there.
const REMOVE: Moment = Moment { step: "remove", call: "find *" };
/// The unit's files are gone, and its user is there.
const REMOVE_UNIT: Moment = Moment { step: "remove_unit", call: "userdel *" };
/// The hook for sessions is gone, and the folders of Berth are not.
const RESTORE: Moment = Moment { step: "restore", call: "rm -rf /etc/berth" };

/// What a holder leaves in a unit.
const LEAVINGS: &str = "echo data | tee file /tmp/file; setsid -f sleep 99 >/dev/null 2>&1";
const PROGRAMS: [&str; 7] = ["df", "find", "readlink", "rm", "useradd", "userdel", "usermod"];

/// Begins a `berth` that reaches these hosts over SSH; answers its operator.
async fn begin(berth: &mut Berth, hosts: &[SshHost]) -> Client {
    berth.configure("BERTH__KLOIGOS__DRIVER", "ssh");
    berth.configure("BERTH__KLOIGOS__SSH_PORT", &hosts[0].address.port().to_string());
    berth.start(&["serve"]).await;
    let boss = berth.operator().await;
    let private_key = std::fs::read_to_string(&hosts[0].key).unwrap();
    let identity = json!({ "private_key": private_key });
    boss.put("/admin/ssh-identities/default", identity).await.data(200);
    let public_key = std::fs::read_to_string(hosts[0].key.with_extension("pub")).unwrap();
    for host in hosts {
        host.make_holdable(&PROGRAMS);
        host.told(&format!("echo '{}' >>/root/.ssh/authorized_keys", public_key.trim()));
    }
    boss
}

/// A host in a region of its own, which is cut into one unit, and the operator's client.
struct Place {
    boss: Client,
    host: SshHost,
    name: &'static str,
    /// What the host has before it is cut.
    before: String,
}

impl Place {
    fn new(boss: &Client, host: SshHost, name: &'static str) -> Self {
        let before = has(&host);
        Self { boss: boss.clone(), host, name, before }
    }

    async fn init(&self) {
        let body = json!({ "ip": self.host.address.ip(), "region": self.name, "zone": "a",
            "hostname": self.name, "cpu_ranges": ["0"] });
        let begun = self.boss.post(&format!("{API}/admin/init_server"), body).await;
        assert_eq!(begun.status, 200, "{}", begun.body);
    }

    async fn decommission(&self) {
        let path = format!("{API}/admin/decommission_server/{}", self.name);
        let begun = self.boss.delete(&path).await;
        assert_eq!(begun.status, 200, "{}", begun.body);
    }

    /// Cut, and nobody's.
    async fn cut(&self) {
        self.init().await;
        self.until("FREE").await;
    }

    /// Gets the unit for a new key of this name, which lets in.
    async fn allocate(&self, name: &str) -> PathBuf {
        let (key, line) = self.host.new_key(name);
        let answer = try_allocate(&self.boss, self.name, &line).await.unwrap();
        assert_eq!(answer.status, 200, "{}: {}", self.name, answer.body);
        assert!(self.lets_in(&key), "{}: {}", self.name, self.host.log());
        key
    }

    async fn assert_nobody_gets_it(&self) {
        let answer = try_allocate(&self.boss, self.name, &public_key("them")).await.unwrap();
        assert_eq!(answer.status, NO_UNIT, "{}: {}", self.name, answer.body);
    }

    /// Asks in the background, for a new key of this name.
    fn asks(&self, name: &str) -> (PathBuf, JoinHandle<reqwest::Result<Answer>>) {
        let (key, line) = self.host.new_key(name);
        let (boss, region) = (self.boss.clone(), self.name);
        (key, tokio::spawn(async move { try_allocate(&boss, region, &line).await }))
    }

    async fn deallocate(&self) {
        let path = format!("{API}/compute_units/deallocate/{}_c0", self.name);
        let begun = self.boss.delete(&path).await;
        assert_eq!(begun.status, 200, "{}", begun.body);
    }

    /// The only line of the list.
    async fn line(&self) -> Value {
        let path = format!("{API}/compute_units/?hostname={}", self.name);
        let list = self.boss.get(&path).await;
        assert_eq!(list.body.as_array().unwrap().len(), 1, "{}", list.body);
        list.body[0].clone()
    }

    async fn assert_is(&self, status: &str) {
        let line = self.line().await;
        assert_eq!(line["status"], status, "{line}");
    }

    async fn until(&self, status: &str) {
        let is_so = async || self.line().await["status"] == status;
        self.wait(&format!("{} is {status}", self.name), is_so).await;
    }

    async fn wait(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !is_so().await {
            let seen = self.shown().await;
            assert!(began.elapsed() < DEADLINE, "{what}: {seen}\n{:#?}", self.journal().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing has the unit that could not be allocated.
    async fn until_undone(&self) {
        let is_so = async || self.shown().await["units"][0]["instance_id"].is_null();
        self.wait("it is taken back", is_so).await;
    }

    async fn retry_host(&self) {
        let path = format!("/admin/compute-hosts/{}/retry", self.name);
        self.boss.post(&path, json!({})).await.data(200);
    }

    async fn retry_unit(&self) {
        let path = format!("/admin/compute-units/{}_c0/retry", self.name);
        self.boss.post(&path, json!({})).await.data(200);
    }

    /// What the operator sees.
    async fn shown(&self) -> Value {
        self.boss.get(&format!("/admin/compute-hosts/{}", self.name)).await.data(200)
    }

    /// What was done on the host, newest first.
    async fn journal(&self) -> Vec<Value> {
        let shown = self.shown().await;
        let id = shown["host"]["server_id"].as_str().unwrap();
        let journal = self.boss.get(&format!("/admin/servers/{id}/journal?limit=500")).await;
        journal.data(200).as_array().unwrap().clone()
    }

    /// How often a step was begun.
    async fn begun(&self, step: &str) -> usize {
        self.journal().await.iter().filter(|entry| entry["step"] == step).count()
    }

    fn lets_in(&self, key: &Path) -> bool {
        self.host.ssh("c0", key, "true").status.success()
    }

    /// Whether the unit is there, its account is closed and nothing is in it.
    fn assert_is_empty(&self) {
        let seen = self.host.told(
            "getent shadow c0 | cut -d: -f2,8; find /home/c0 /opt/c0 /mnt/c0 -mindepth 1;
            ps -o pid= -U c0; find /tmp /var/tmp /dev/shm -user c0; cat \
            /var/lib/berth/units/c0/instance /var/lib/berth/units/c0/started 2>&1 | \
            grep -v 'No such file' || true",
        );
        assert_eq!(seen, "!*:1", "{}", self.name);
    }

    /// Whether the host is as it was before it was cut.
    fn assert_is_restored(&self) {
        assert_eq!(has(&self.host), self.before, "{}", self.name);
        assert!(!self.host.path("/var/lib/berth").exists());
        assert!(!self.host.path("/etc/berth").exists());
    }

    async fn until_held(&self, moment: &Moment) {
        self.wait(moment.call, async || self.host.is_held()).await;
    }
}

async fn try_allocate(boss: &Client, region: &str, key: &str) -> reqwest::Result<Answer> {
    let wish = json!({ "cpu_count": 1, "region": region, "tags": null, "ssh_public_key": key });
    let path = format!("{API}/compute_units/allocate");
    boss.try_send(Method::POST, &path, &[], Some(&wish)).await
}

fn has(host: &SshHost) -> String {
    host.told("getent passwd; getent group; ls -A /home /opt /mnt; cat /etc/pam.d/sshd")
}
