//! What an instance is in the engine's words.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings,
    HostConfig, Mount, MountType, NetworkingConfig, PortBinding, PortMap, RestartPolicy,
    RestartPolicyNameEnum,
};
use domain::instance::InstanceSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::names::{self, DiskOf};
use super::settings::Settings;

/// More processes than any honest instance has; enough to keep its neighbours alive.
const MOST_PROCESSES: i64 = 8192;

/// What a container stands on.
pub struct Base {
    /// The image's name.
    pub name: String,
    /// And its id.
    pub id: Option<String>,
    /// Whether it is the disk of a container before.
    pub is_kept_disk: bool,
    /// Paths that have volumes of their own beside the disk.
    pub own_volumes: Vec<String>,
    /// The environment variables that a kept disk was given before.
    pub variables: BTreeSet<String>,
}

/// SHA-256 of all that a container is made from; another one is made where this differs.
pub fn fingerprint(spec: &InstanceSpec, settings: &Settings) -> String {
    let ports: Vec<_> = spec.ports.iter().map(|port| (port.inside, port.outside)).collect();
    let mounts: Vec<_> =
        spec.mounts.iter().map(|mount| (mount.volume_id.to_string(), &mount.path)).collect();
    // A name each, so that no two of them can change places unnoticed.
    let mut all = json!({
        "hostname": spec.hostname,
        "image": spec.image,
        "username": spec.username,
        "cpus": spec.cpus,
        "pinned_cpus": spec.pinned_cpus,
        "ram_mib": spec.ram_mib,
        "disk_gb": spec.disk_gb,
        "gpus": spec.gpus,
        "address": spec.address,
        "ports": ports,
        "environment": spec.environment,
        "public_keys": spec.public_keys,
        "script": spec.script,
        "mounts": mounts,
        "network": settings.network,
        "publish_on": settings.publish_on,
        "gpu_driver": settings.gpu_driver,
        "limits": settings.limits,
        "disk_limit": settings.disk_limit,
    });
    // Only where there is one: what was made before there were any is not made anew for it.
    if let (Some(all), Some(disk)) = (all.as_object_mut(), spec.disk) {
        all.insert("disk".to_owned(), disk.volume_id.to_string().into());
    }
    if let (Some(all), true) = (all.as_object_mut(), spec.edition > 0) {
        all.insert("edition".to_owned(), spec.edition.into());
    }
    if let (Some(all), false) = (all.as_object_mut(), settings.gpu_devices.is_empty()) {
        all.insert("gpu_devices".to_owned(), json!(settings.gpu_devices));
    }
    domain::id::hex(&Sha256::digest(all.to_string().as_bytes()))
}

pub fn variable_names(spec: &InstanceSpec) -> String {
    let names: Vec<_> = spec.environment.keys().map(String::as_str).collect();
    names.join(",")
}

/// The container to be made; the error is why it cannot be on this host.
pub fn container(
    spec: &InstanceSpec,
    base: &Base,
    settings: &Settings,
    labels: HashMap<String, String>,
) -> Result<ContainerCreateBody, String> {
    let ports = spec.ports.iter().map(|port| format!("{}/tcp", port.inside)).collect();
    Ok(ContainerCreateBody {
        hostname: Some(spec.hostname.clone()),
        image: Some(base.name.clone()),
        env: Some(environment(spec, base)),
        exposed_ports: Some(ports),
        // An image whose command is a shell stays up only with a terminal that somebody could use.
        tty: Some(true),
        open_stdin: Some(true),
        labels: Some(labels),
        host_config: Some(host_config(spec, base, settings)?),
        networking_config: networking(spec, settings)?,
        ..Default::default()
    })
}

/// Engines add an image's variables to those given, also those that a kept disk was given before:
/// one that was taken away is made empty.
fn environment(spec: &InstanceSpec, base: &Base) -> Vec<String> {
    let gone = base.variables.iter().filter(|name| !spec.environment.contains_key(*name));
    let gone = gone.filter(|name| !name.is_empty()).map(|name| format!("{name}="));
    spec.environment.iter().map(|(name, value)| format!("{name}={value}")).chain(gone).collect()
}

fn host_config(
    spec: &InstanceSpec,
    base: &Base,
    settings: &Settings,
) -> Result<HostConfig, String> {
    let mut config = HostConfig {
        network_mode: settings.network.clone(),
        port_bindings: Some(port_bindings(spec, settings.publish_on)),
        mounts: Some(mounts(spec, base)),
        // The instance's wanted state decides what runs, also after the host was started anew.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        init: Some(true),
        ..Default::default()
    };
    if settings.gpu_devices.is_empty() {
        config.device_requests = device_requests(spec, settings);
    } else {
        config.devices = Some(devices(spec, settings)?);
    }
    if settings.limits {
        let bytes = i64::from(spec.ram_mib) * 1024 * 1024;
        config.memory = Some(bytes);
        // Memory and swap together: none beyond the memory.
        config.memory_swap = Some(bytes);
        config.pids_limit = Some(MOST_PROCESSES);
        if spec.pinned_cpus.is_empty() {
            config.nano_cpus = Some(i64::from(spec.cpus) * 1_000_000_000);
        } else {
            let cpus: Vec<_> = spec.pinned_cpus.iter().map(ToString::to_string).collect();
            config.cpuset_cpus = Some(cpus.join(","));
        }
    }
    if settings.disk_limit {
        let size = format!("{}G", spec.disk_gb);
        config.storage_opt = Some(HashMap::from([("size".to_owned(), size)]));
    }
    Ok(config)
}

/// The device files of the graphics processors that are its own, each once.
fn devices(spec: &InstanceSpec, settings: &Settings) -> Result<Vec<DeviceMapping>, String> {
    let mut files = BTreeSet::new();
    for gpu in &spec.gpus {
        let number = usize::try_from(*gpu).unwrap_or(usize::MAX);
        let own = settings.gpu_devices.get(number);
        files.extend(own.ok_or_else(|| {
            format!("the host's gpu_devices do not say which files graphics processor {gpu} has")
        })?);
    }
    let mapping = |file: &String| DeviceMapping {
        path_on_host: Some(file.clone()),
        path_in_container: Some(file.clone()),
        cgroup_permissions: Some("rwm".to_owned()),
    };
    Ok(files.into_iter().map(mapping).collect())
}

fn port_bindings(spec: &InstanceSpec, publish_on: IpAddr) -> PortMap {
    // Podman takes "all addresses" for an address that packets are sent to, and then none arrive.
    let host_ip = (!publish_on.is_unspecified()).then(|| publish_on.to_string());
    let bound = |outside: u16| {
        let (host_ip, host_port) = (host_ip.clone(), Some(outside.to_string()));
        Some(vec![PortBinding { host_ip, host_port }])
    };
    let ports = spec.ports.iter();
    ports.map(|port| (format!("{}/tcp", port.inside), bound(port.outside))).collect()
}

fn mounts(spec: &InstanceSpec, base: &Base) -> Vec<Mount> {
    let given = spec.mounts.iter().map(|mount| volume(names::volume(mount.volume_id), &mount.path));
    let disk = DiskOf::of(spec);
    let own = base.own_volumes.iter().map(|path| volume(disk.own_volume(path), path));
    given.chain(own).collect()
}

pub fn volume(name: String, path: &str) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name),
        target: Some(path.to_owned()),
        ..Default::default()
    }
}

fn device_requests(spec: &InstanceSpec, settings: &Settings) -> Option<Vec<DeviceRequest>> {
    if spec.gpus.is_empty() {
        return None;
    }
    // With the Container Device Interface, a device's name says whose it is.
    let name = |gpu: &u32| match settings.gpu_driver.as_str() {
        "cdi" => format!("nvidia.com/gpu={gpu}"),
        _ => gpu.to_string(),
    };
    Some(vec![DeviceRequest {
        driver: Some(settings.gpu_driver.clone()),
        device_ids: Some(spec.gpus.iter().map(name).collect()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..Default::default()
    }])
}

fn networking(
    spec: &InstanceSpec,
    settings: &Settings,
) -> Result<Option<NetworkingConfig>, String> {
    let Some(address) = spec.address else { return Ok(None) };
    let Some(network) = &settings.network else {
        return Err("an address of its own needs a network in the host's settings".to_owned());
    };
    let mut config = EndpointIpamConfig::default();
    match address {
        IpAddr::V4(address) => config.ipv4_address = Some(address.to_string()),
        IpAddr::V6(address) => config.ipv6_address = Some(address.to_string()),
    }
    let endpoint = EndpointSettings { ipam_config: Some(config), ..Default::default() };
    let endpoints = HashMap::from([(network.clone(), endpoint)]);
    Ok(Some(NetworkingConfig { endpoints_config: Some(endpoints) }))
}
