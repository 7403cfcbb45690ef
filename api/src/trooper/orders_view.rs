//! Orders and what happened to them, on the wire.

use domain::clock::Timestamp;
use domain::event::RecordedEvent;
use domain::install::Install;
use domain::instance::{InstanceDetail, SSH_PORT, Status, Wanted};
use serde_json::{Value, json};

use super::templates_view::InstallView;
use crate::floats::amount;
use crate::instants::to_the_millisecond as instant;

/// A server with what is told beside it.
pub struct Shown {
    pub detail: InstanceDetail,
    pub number: i64,
    /// The number of its host.
    pub host: Option<i64>,
    /// The country where it is.
    pub country: Option<String>,
    pub installs: Vec<Install>,
    pub now: Timestamp,
}

/// A row of the list.
pub fn order(shown: &Shown) -> Value {
    let Shown { detail, number, host, country, installs, now } = shown;
    let instance = &detail.instance;
    let gpu = instance.terms.shape.gpu.as_ref();
    let paid = instance.paid();
    let (ip, ssh_port) = reached(detail);
    let installs = installs.iter().map(InstallView::brief);
    json!({
        "order_id": number,
        "serverId": number,
        "title": instance.name,
        "status": status(instance.status()),
        "status_user": wanted(instance.wanted, instance.restart),
        // What operators call their hosts is their own.
        "server_name": host.map(|host| format!("host-{host}")),
        "machine_name": format!("{}_{number:06}", instance.hostname),
        "ip": ip,
        "ssh_port": ssh_port,
        "price_h": amount(instance.terms.per_hour),
        "paid_until": paid.map(|paid| instant(paid.lasts_until(*now))),
        "contract_interval": paid.map(|paid| paid.interval.as_str()),
        "is_locked": instance.is_locked,
        "is_low_priority": instance.terms.is_spot,
        "blib_name": instance.terms.name(),
        "blib_gpu_type": gpu.map_or("", |gpu| &gpu.model),
        "blib_gpu_num": instance.terms.shape.gpus(),
        "country_code": country,
        "last_error": instance.last_error,
        "template_installs": installs.collect::<Vec<_>>(),
    })
}

/// Where one logs in.
pub fn reached(detail: &InstanceDetail) -> (Option<String>, Option<u16>) {
    let instance = &detail.instance;
    let address = instance.address(detail.host_address);
    let published = instance.claim.ports.iter().find(|port| port.inside == SSH_PORT);
    let own = instance.claim.address.map(|_| SSH_PORT);
    let port = published.map(|port| port.outside).or(own);
    (address.map(|address| address.to_string()), port.filter(|_| address.is_some()))
}

/// A state in this API's words.
pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Ordered | Status::Provisioning | Status::Starting => "starting",
        Status::Running => "running",
        Status::Restarting => "restarting",
        Status::Stopping => "stopping",
        Status::Stopped => "stopped",
        Status::Hibernating => "freezing",
        Status::Hibernated => "frozen",
        Status::Deleting => "deleting",
        Status::Deleted => "deleted",
        Status::Error | Status::NoCapacity => "error",
    }
}

const fn wanted(wanted: Wanted, restarts: bool) -> &'static str {
    match wanted {
        Wanted::Running if restarts => "restarted",
        Wanted::Running => "running",
        Wanted::Stopped { .. } => "stopped",
        Wanted::Hibernated => "frozen",
        Wanted::Deleted => "deleted",
    }
}

/// What an event says about a server's status; `None` where it says nothing about it.
pub fn happened(event: &RecordedEvent) -> Option<Value> {
    let (status_user, text) = match event.kind.as_str() {
        "instance.ordered" => ("running", "Server ordered"),
        "instance.start_requested" => ("running", "Server start requested by user"),
        "instance.ready" => ("running", "Server started successfully"),
        "instance.found_stopped" => ("running", "Server found stopped and started again"),
        "instance.restart_requested" => ("restarted", "Server restart requested by user"),
        "instance.stop_requested" => ("stopped", "Server stopped by user"),
        "instance.stopped" => match event.data.get("status").and_then(Value::as_str) {
            Some("hibernated") => ("frozen", "Server frozen successfully"),
            Some("starting") => ("restarted", "Server stopped to be restarted"),
            _ => ("stopped", "Server stopped successfully"),
        },
        "instance.stopped_unpaid" => ("stopped", "Server stopped: the budget is used up"),
        "instance.hibernate_requested" => ("frozen", "Server frozen by user"),
        "instance.frozen" => ("frozen", "Server frozen: its paid time is over"),
        "instance.migrating" => ("running", "Migration to another server initiated"),
        "instance.migration_failed" => ("running", "Migration failed, server as before"),
        "instance.migrated" => ("deleted", "Server migrated successfully"),
        "instance.given_up" => ("stopped", "Server could not be started"),
        "instance.failed" => ("deleted", "Server could not be made"),
        "instance.lost" => ("deleted", "Server was lost by its host"),
        "instance.delete_requested" => ("deleted", "Server deletion requested"),
        "instance.taken_down" => ("deleted", "Server taken down by the operator"),
        "instance.deleted" => ("deleted", "Server deleted"),
        _ => return None,
    };
    Some(json!({
        "id": event.id.0,
        "status_user": status_user,
        "status_txt": text,
        "status_since": instant(event.at),
    }))
}
