//! Instances on the wire.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Timestamp;
use domain::event::RecordedEvent;
use domain::instance::{InstanceDetail, JUPYTER_PORT, Load, Offered, Origin, SSH_PORT, Status};
use domain::money::Money;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Number, Value, json};

use super::iri;
use super::view::instant;
use crate::floats::{amount, number};

/// What only a look at one instance tells.
pub struct Live {
    /// What it uses, if it runs and its host answers.
    pub load: Option<Load>,
    /// What it printed.
    pub console: String,
    /// What happened to it, newest first.
    pub history: Vec<RecordedEvent>,
    /// The token of its Jupyter server, for who may have it.
    pub jupyter_token: Option<SecretString>,
    /// How large its disk could be, in GB.
    pub largest_disk: u32,
}

/// An instance as lists have it: what its host would have to be asked for is null.
pub fn shown(detail: &InstanceDetail, number: i64, now: Timestamp) -> Value {
    Value::Object(members(detail, number, (None, now)))
}

/// An instance with what its host says of it.
pub fn shown_whole(detail: &InstanceDetail, number: i64, (live, now): (&Live, Timestamp)) -> Value {
    let instance = &detail.instance;
    let mut members = members(detail, number, (live.jupyter_token.as_ref(), now));
    let cpus = u64::from(instance.terms.shape.cpus).max(1).saturating_mul(1_000);
    let ram = u64::from(instance.terms.shape.ram_mib).saturating_mul(1024 * 1024).max(1);
    let ready = live.history.iter().find(|event| event.kind == "instance.ready");
    let runs = instance.status() == Status::Running;
    let uptime = ready.filter(|_| runs).map(|event| (now - event.at).num_seconds().max(0));
    let system = live.history.iter().rev().map(|event| {
        let (at, kind) = (instant(event.at), event.kind.trim_start_matches("instance."));
        format!("{at} {kind}\n")
    });
    let live = [
        ("cpuUsage", json!(live.load.map(|load| percent(load.cpu_milli, cpus)))),
        ("memUsage", json!(live.load.map(|load| percent(load.ram_bytes, ram)))),
        ("diskSizeMax", json!(live.largest_disk)),
        ("processUptime", json!(uptime)),
        ("console", json!(STANDARD.encode(&live.console))),
        ("consoleSystem", json!(STANDARD.encode(system.collect::<String>()))),
    ];
    members.extend(live.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(members)
}

/// Percent with one decimal.
fn percent(part: u64, whole: u64) -> Number {
    let tenths = u128::from(part).saturating_mul(1_000).checked_div(whole.into()).unwrap_or(0);
    let tenths = u64::try_from(tenths).unwrap_or(u64::MAX);
    number(&format!("{}.{}", tenths / 10, tenths % 10))
}

fn members(
    detail: &InstanceDetail,
    number: i64,
    (token, now): (Option<&SecretString>, Timestamp),
) -> Map<String, Value> {
    let instance = &detail.instance;
    let shape = &instance.terms.shape;
    let term = instance.term;
    let renewal = term.map(|term| term.renewal);
    let at = term.and_then(|term| term.expires_at).map(instant);
    let is_on = renewal.is_some_and(|renewal| renewal.is_on);
    let disk_gb = disk_gb(detail);
    let per_gpu = match &instance.terms.offered {
        Offered::Gpus { per_gpu, .. } => *per_gpu,
        Offered::Plan { .. } | Offered::Unit { .. } => {
            instance.terms.per_hour.per(shape.gpus().max(1))
        }
    };
    let per_gb = match &instance.terms.offered {
        Offered::Gpus { per_gb, .. } => *per_gb,
        Offered::Plan { .. } | Offered::Unit { .. } => Money::ZERO,
    };
    let ran = instance.ready_at.map_or(0, |ready_at| (now - ready_at).num_seconds().max(0));
    let members = json!({
        "id": number,
        "hashId": iri::hash_id(instance.id),
        "supportId": iri::support_id(number),
        "name": instance.name.as_str(),
        "notes": instance.description,
        "gpuModel": shape.gpu.as_ref().map(|gpu| &gpu.model),
        "gpuMemorySize": shape.gpu.as_ref().map_or(0, |gpu| gpu.memory_mib),
        "gpuCount": shape.gpus(),
        "cpuCoreCount": shape.cpus,
        "systemMemory": shape.ram_mib,
        "diskSize": disk_gb,
        "diskSizeMax": disk_gb,
        "status": status(instance.status()),
        "duration": ran,
        "rentalType": if instance.terms.is_spot { "interruptible" } else { "demand" },
        "pricePerGpu": amount(per_gpu),
        "pricePerDiskSize": amount(per_gb),
        "priceAutoRenewMax": amount(renewal.and_then(|renewal| renewal.max_price).unwrap_or(Money::ZERO)),
        "createdAt": instant(instance.created_at),
        "expiresAt": at,
        "autoRenewAt": at.as_ref().filter(|_| is_on),
        "isAutoRenewOn": is_on,
        "instanceTemplate": template(&instance.origin),
        "ports": ports(detail, token),
        "cpuUsage": null,
        "memUsage": null,
        "diskUsage": null,
        "processUptime": null,
        "console": "",
        "consoleSystem": "",
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The size of its own disk, which may be a volume.
pub fn disk_gb(detail: &InstanceDetail) -> u32 {
    let volume = detail.volumes.iter().find(|volume| volume.disk.is_some());
    volume.map_or(detail.instance.terms.shape.disk_gb, |volume| volume.size_gb)
}

fn template(origin: &Origin) -> Value {
    let shown = origin.template.as_ref().map(|template| {
        json!({
            "id": template.number,
            "name": template.name,
            "imageName": template.image,
            "defaultTag": template.tag,
            "isRunSshServerOn": template.runs_ssh,
            "isRunJupyterOn": template.runs_jupyter,
        })
    });
    shown.unwrap_or(Value::Null)
}

/// This API's word for a state.
const fn status(status: Status) -> &'static str {
    match status {
        Status::Ordered | Status::Provisioning => "created",
        Status::Running => "active",
        Status::Restarting | Status::Starting => "rebooting",
        Status::Stopping | Status::Stopped | Status::Hibernating | Status::Hibernated => "paused",
        Status::Error | Status::NoCapacity => "error",
        Status::Deleting | Status::Deleted => "deleted",
    }
}

/// Where each port inside is reached. Nobody has tried what answers there.
fn ports(detail: &InstanceDetail, token: Option<&SecretString>) -> Value {
    let instance = &detail.instance;
    let direct: Vec<Value> = match instance.address(detail.host_address) {
        None => Vec::new(),
        Some(ip) if instance.claim.address.is_some() => {
            let ports = instance.origin.ports.iter();
            ports.map(|port| direct((*port, *port), ip, instance.status(), token)).collect()
        }
        Some(ip) => {
            let ports = instance.claim.ports.iter();
            ports
                .map(|port| direct((port.inside, port.outside), ip, instance.status(), token))
                .collect()
        }
    };
    json!({ "direct": direct, "proxy": [] })
}

fn direct(
    (inside, outside): (u16, u16),
    ip: IpAddr,
    status: Status,
    token: Option<&SecretString>,
) -> Value {
    let runs = status == Status::Running;
    let service = match inside {
        SSH_PORT => "SSH".to_owned(),
        JUPYTER_PORT => "JUPYTER".to_owned(),
        port => format!("PORT-{port}"),
    };
    let token = token.filter(|_| inside == JUPYTER_PORT);
    let query = token.map_or_else(String::new, |token| format!("?token={}", token.expose_secret()));
    let at = std::net::SocketAddr::new(ip, outside);
    json!({
        "srcPort": inside,
        "destPort": outside.to_string(),
        "ip": ip.to_string(),
        "service": service,
        "protocol": match status {
            Status::Running => "unknown",
            Status::Starting | Status::Restarting => "checking",
            _ => "closed",
        },
        "url": if runs && inside != SSH_PORT { format!("http://{at}/{query}") } else { String::new() },
    })
}
