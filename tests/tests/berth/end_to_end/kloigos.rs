//! Compute units by the built binary: several processes on one database, and real log-ins.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::ssh_host::SshHost;
use tests::{Answer, Client, Kind};
use tokio::sync::Semaphore;

use super::process::Berth;
use super::with_either_database;
use crate::ssh_keys::public_key;

/// Longer than any wait for a host, on a machine that does much else.
const DEADLINE: Duration = Duration::from_mins(2);
const README: &str = include_str!("../../../../README.md");

async fn list(client: &Client, query: &str) -> Vec<Value> {
    let list = client.get(&format!("/!kloigos/api/compute_units/{query}")).await;
    assert_eq!(list.status, 200, "{}", list.body);
    list.body.as_array().unwrap().clone()
}

/// Waits until so many units are as a query says.
async fn until(client: &Client, query: &str, count: usize) {
    let began = Instant::now();
    loop {
        let rows = list(client, query).await;
        if rows.len() == count {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{query}: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Sends so many wishes for a unit, 16 at a time, to each server in turn.
async fn wishes(clients: &[Client], count: usize) -> Vec<Answer> {
    let turns = Arc::new(Semaphore::new(16));
    let ask = |client: &Client| {
        let (client, turns) = (client.clone(), turns.clone());
        tokio::spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let wish = json!({ "cpu_count": 1, "tags": null, "ssh_public_key": public_key("me") });
            client.post("/!kloigos/api/compute_units/allocate", wish).await
        })
    };
    let asked: Vec<_> = clients.iter().cycle().take(count).map(ask).collect();
    let mut answers = Vec::with_capacity(count);
    for answer in asked {
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn four_processes_hand_out_every_unit_once_and_refuse_only_what_is_not_there() {
    let mut berth = Berth::new(Kind::Postgres).await;
    berth.start(&["serve"]).await;
    let boss = berth.operator().await;
    for number in 1..=4 {
        let ranges: Vec<String> = (0..100).map(|cpu| cpu.to_string()).collect();
        let body = json!({ "ip": "192.0.2.7", "region": "eu", "zone": "a",
            "hostname": format!("h{number}"), "cpu_ranges": ranges });
        let begun = boss.post("/!kloigos/api/admin/init_server", body).await;
        assert_eq!(begun.status, 200, "{}", begun.body);
    }
    let mut others = Vec::new();
    let mut clients = vec![boss.clone()];
    for _ in 0..3 {
        let mut other = berth.beside();
        other.start(&["serve"]).await;
        clients.push(boss.through(&other.address));
        others.push(other);
    }
    until(&boss, "?status=FREE", 400).await;
    let mut given = BTreeSet::new();
    for (count, refusals) in [(100, 0), (320, 20)] {
        let answers = wishes(&clients, count).await;
        let refused = answers.iter().filter(|answer| answer.status != 200);
        assert_eq!(refused.map(|answer| answer.status).collect::<Vec<_>>(), vec![460; refusals]);
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            assert_eq!(answer.body["status"], "ALLOCATED");
            let name = answer.body["compute_id"].as_str().unwrap();
            assert!(given.insert(name.to_owned()), "{name} was given out twice");
        }
    }
    assert_eq!((given.len(), list(&boss, "?status=ALLOCATED").await.len()), (400, 400));
    for other in others {
        other.finish().await;
    }
    berth.finish().await;
}

/// The session of the README, as it stands there but for addresses and how this machine logs in.
fn session(hosts: [&SshHost; 2], address: &str) -> String {
    let section = README.split("## Clients of Kloigos").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("\n```").next().unwrap();
    let known = "-o UserKnownHostsFile=known_hosts -o IdentitiesOnly=yes -o BatchMode=yes";
    let (key, port) = (hosts[0].key.display(), hosts[0].address.port());
    let second = format!("-i {}", hosts[1].key.display());
    block
        .replace("http://127.0.0.1:8080", address)
        .replace("SSH=\"ssh ", &format!("SSH=\"ssh {known} -p {port} -i {key} {second} "))
        .replace("192.0.2.11", &hosts[0].address.ip().to_string())
        .replace("192.0.2.12", &hosts[1].address.ip().to_string())
}

with_either_database! {
    async fn the_session_of_the_readme_leaves_nothing_on_the_hosts(berth: &mut Berth) {
        let one = SshHost::start();
        let two = SshHost::start_at_port(one.address.port());
        berth.configure("BERTH__KLOIGOS__DRIVER", "ssh");
        berth.configure("BERTH__KLOIGOS__SSH_PORT", &one.address.port().to_string());
        berth.start(&["serve"]).await;
        let boss = berth.operator().await;
        let before = [&one, &two].map(|host| host.told("getent passwd; ls -A /home /opt /mnt"));
        let token = boss.authorization.clone().unwrap();
        let token = token.strip_prefix("Bearer ").unwrap();
        let mut shell = Command::new("timeout");
        shell.args(["180", "sh", "-euc", &session([&one, &two], &berth.address)]);
        shell.current_dir(&berth.folder).env("TOKEN", token).stdin(Stdio::null());
        let output = shell.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let log = berth.read("log.txt");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}{said}\n{log}");
        let allocated = printed.matches(r#""status":"ALLOCATED""#).count();
        assert_eq!(allocated, 3, "{printed}");
        let inventory = berth.read("inventory.ini");
        assert!(inventory.starts_with("[web_app_v1]\nh1_c0 ansible_host="), "{inventory}");
        assert!(inventory.contains(" ansible_user=c1 "), "{inventory}");
        assert!(printed.contains("c0 at work on 1 CPU in /home/c0"), "{printed}");
        let after = [&one, &two].map(|host| host.told("getent passwd; ls -A /home /opt /mnt"));
        assert_eq!(before, after);
        for host in [&one, &two] {
            assert!(!host.path("/var/lib/berth").exists());
        }
        // What was done stands in the journal.
        let host = boss.get("/admin/compute-hosts/h1").await.data(200);
        let id = host["host"]["server_id"].as_str().unwrap();
        let journal = boss.get(&format!("/admin/servers/{id}/journal")).await.data(200);
        let steps: BTreeSet<&str> = journal
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["step"].as_str().unwrap())
            .collect();
        for step in ["inspect", "prepare", "make_unit", "create", "start", "remove", "restore"] {
            assert!(steps.contains(step), "{step}: {steps:?}");
        }
    }
}
