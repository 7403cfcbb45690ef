//! Clusters on the wire.

use chrono::Duration;
use domain::clock::Timestamp;
use domain::cluster::Cluster;
use domain::instance::{Instance, InstanceDetail, Status};
use serde_json::{Value, json};

use super::cluster_types::{name, together};
use super::instances_view::{tags, word};
use super::shapes::{cpu, gpu_memory, gpus, memory};
use crate::floats::amount;
use crate::instants::to_the_millisecond as instant;

/// The state of one that was let go.
pub const GONE: &str = "discontinued";
/// For so long a new cluster is `provisioning`, however fast it was made: the Python SDK looks until it sees that
/// very word, at once and after 1, 3, 7 seconds, and one that runs already makes it wait for a quarter of an hour.
const SEEN_WITHIN: Duration = Duration::seconds(10);

/// A cluster; `nodes` are its instances.
pub fn cluster(cluster: &Cluster, nodes: &[InstanceDetail], now: Timestamp) -> Value {
    let mut nodes: Vec<&InstanceDetail> = nodes.iter().collect();
    let by_number = |node: &Instance| (node.hostname.as_str().len(), node.hostname.to_string());
    nodes.sort_by_key(|node| by_number(&node.instance));
    let first = nodes.first().map(|node| &node.instance);
    let shape = first.map(|node| together(&node.terms.shape, cluster.nodes)).unwrap_or_default();
    let plan_name = first.map_or_else(String::new, |node| node.terms.name());
    let origin = first.map(|node| &node.origin);
    let image = origin.map(|of| of.ordered_as.as_ref().unwrap_or(&of.image.image));
    let keys = origin.into_iter().flat_map(|of| &of.key_ids).map(|id| id.uuid().to_string());
    let price = nodes.iter().map(|node| node.instance.terms.hourly()).sum();
    json!({
        "id": cluster.id.uuid().to_string(),
        "ip": nodes.first().and_then(|node| node.instance.address(node.host_address)),
        "status": status(cluster, &nodes, now),
        "created_at": instant(cluster.created_at),
        "cpu": cpu(shape.cpus),
        "gpu": gpus(shape.gpus(), &plan_name),
        "gpu_memory": gpu_memory(shape.gpu.as_ref()),
        "memory": memory(shape.ram_mib),
        "hostname": cluster.hostname,
        "description": cluster.description,
        "location": cluster.location.as_str(),
        "price_per_hour": amount(price),
        "cluster_type": name(cluster.nodes, &cluster.plan),
        "image": image,
        "os_name": origin.map_or("", |of| of.image.image_name.as_str()),
        "startup_script_id": origin.and_then(|of| of.script_id).map(|id| id.uuid().to_string()),
        "ssh_key_ids": keys.collect::<Vec<_>>(),
        "contract": "PAY_AS_YOU_GO",
        // Terraform waits for an answer to what it computes, and takes none for a fault.
        "auto_rental_extension": false,
        "turn_to_pay_as_you_go": false,
        "worker_nodes": nodes.iter().map(|node| worker(node)).collect::<Vec<_>>(),
        "shared_volumes": shared(cluster, &nodes),
        "tags": tags(&cluster.tags),
    })
}

fn status(cluster: &Cluster, nodes: &[&InstanceDetail], now: Timestamp) -> &'static str {
    let instances: Vec<Instance> = nodes.iter().map(|node| node.instance.clone()).collect();
    let status = cluster.status(&instances);
    let is_new = now - cluster.created_at < SEEN_WITHIN;
    word(if status == Status::Running && is_new { Status::Provisioning } else { status })
}

fn worker(node: &InstanceDetail) -> Value {
    let InstanceDetail { instance, host_address, .. } = node;
    let address = instance.address(*host_address);
    json!({
        "id": instance.id.uuid().to_string(),
        "hostname": instance.hostname.as_str(),
        "public_ip": address,
        "private_ip": address,
        "status": word(instance.status()),
    })
}

/// The volume that all mount; one of the nodes has it.
fn shared(cluster: &Cluster, nodes: &[&InstanceDetail]) -> Vec<Value> {
    let volumes = nodes.iter().flat_map(|node| &node.volumes);
    let own = volumes.filter(|volume| Some(volume.id) == cluster.volume_id);
    own.map(|volume| {
        json!({
            "id": volume.id.uuid().to_string(),
            "name": volume.name,
            "mount_point": volume.attachment.as_ref().map(|attachment| &attachment.path),
            "size_in_gigabytes": volume.size_gb,
        })
    })
    .collect()
}
