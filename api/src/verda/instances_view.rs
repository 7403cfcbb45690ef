//! Instances on the wire.

use domain::instance::{InstanceDetail, Status};
use domain::tag::Tags;
use domain::volume::Volume;
use serde_json::{Value, json};

use super::shapes::{cpu, gpu_memory, gpus, memory};
use crate::floats::amount;
use crate::instants::to_the_millisecond as instant;

/// An instance's state in this API's words. `SkyPilot` knows `provisioning`, `running`, `offline`, `error` and
/// `discontinued` and fails at any other; dstack takes whatever is none of these for a failed start.
pub const fn word(status: Status) -> &'static str {
    match status {
        Status::Ordered | Status::Provisioning | Status::Starting | Status::Restarting => {
            "provisioning"
        }
        Status::Running | Status::Stopping | Status::Hibernating => "running",
        Status::Stopped | Status::Hibernated => "offline",
        // It costs nothing any more, and its owner can do nothing with it.
        Status::Deleting | Status::Deleted => "discontinued",
        Status::Error | Status::NoCapacity => "error",
    }
}

/// An instance.
pub fn instance(detail: &InstanceDetail) -> Value {
    let InstanceDetail { instance, volumes, host_address } = detail;
    let (terms, origin) = (&instance.terms, &instance.origin);
    let gpu = terms.shape.gpu.as_ref();
    let volume_ids: Vec<String> =
        volumes.iter().map(|volume| volume.id.uuid().to_string()).collect();
    let keys: Vec<String> = origin.key_ids.iter().map(|id| id.uuid().to_string()).collect();
    json!({
        "id": instance.id.uuid().to_string(),
        "ip": instance.address(*host_address),
        "status": word(instance.status()),
        "created_at": instant(instance.created_at),
        "cpu": cpu(terms.shape.cpus),
        "gpu": gpus(terms.shape.gpus(), &terms.name()),
        "gpu_memory": gpu_memory(gpu),
        "memory": memory(terms.shape.ram_mib),
        "storage": { "description": "dynamic" },
        "hostname": instance.hostname.as_str(),
        "description": instance.description,
        "location": instance.location.as_str(),
        "price_per_hour": amount(terms.hourly()),
        "is_spot": terms.is_spot,
        "instance_type": terms.code(),
        // Terraform takes another answer than what was sent for a change.
        "image": origin.ordered_as.as_ref().unwrap_or(&origin.image.image),
        "os_name": origin.image.image_name,
        "startup_script_id": origin.script_id.map(|id| id.uuid().to_string()),
        "ssh_key_ids": keys,
        "os_volume_id": os_volume_id(volumes),
        "jupyter_token": "",
        "contract": if terms.is_spot { "SPOT" } else { "PAY_AS_YOU_GO" },
        "pricing": "FIXED_PRICE",
        "volume_ids": volume_ids,
        "tags": tags(&instance.tags),
    })
}

/// The volume that is an instance's disk.
pub fn os_volume_id(volumes: &[Volume]) -> Option<String> {
    let disk = volumes.iter().find(|volume| volume.disk.is_some())?;
    Some(disk.id.uuid().to_string())
}

/// Labels; a key is also the id by which its label is deleted.
pub fn tags(tags: &Tags) -> Vec<Value> {
    let shown = tags.as_map().iter();
    shown.map(|(key, value)| json!({ "id": key, "key": key, "value": value })).collect()
}
