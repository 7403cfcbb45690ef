//! What is there, what it printed and what it uses.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::{ListVolumesOptionsBuilder, StatsOptionsBuilder};
use domain::instance::{Driven, InstanceId, Inventory, Load};
use domain::volume::VolumeId;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::engine::Engine;
use super::names::{self, DiskOf};

/// Of what an instance printed, the most that is passed on, and the most that is read to find its end.
const MOST_LOG_BYTES: usize = 256 * 1024;
const MOST_READ_BYTES: usize = 64 * 1024 * 1024;

/// Between two looks at the same meter.
const METER_STEP: Duration = Duration::from_millis(500);

impl Engine {
    /// A disk whose container is just being made anew is an instance, too, and so is what the removal
    /// of one left behind.
    pub async fn inventory(&self) -> Driven<Inventory> {
        let mut inventory = Inventory::default();
        let filters = names::labelled([self.whose()]);
        for container in self.call("list containers", self.list(filters.clone())).await? {
            let id = container.labels.as_ref().and_then(instance_of);
            let expected = id.map(|id| format!("/{}", names::container(id)));
            let named = container.names.unwrap_or_default();
            if let Some(id) =
                id.filter(|_| named.iter().any(|name| Some(name) == expected.as_ref()))
            {
                inventory.instances.insert(id, container.state.is_running());
            }
        }
        for image in self.disk_images(false).await? {
            match DiskOf::by_labels(&image.labels) {
                Some(DiskOf::Instance(id)) => drop(inventory.instances.entry(id).or_insert(false)),
                // Without its name it is only what another image or a container stands on.
                Some(disk @ DiskOf::Volume(id)) if image.repo_tags.contains(&disk.image()) => {
                    inventory.volumes.push(id);
                }
                Some(DiskOf::Volume(_)) | None => {}
            }
        }
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let call = self.api.list_volumes(Some(options));
        for volume in self.call("list volumes", call).await?.volumes.unwrap_or_default() {
            if let Some(id) = instance_of(&volume.labels) {
                inventory.instances.entry(id).or_insert(false);
            }
            // A part of a disk is not the disk.
            let is_part = volume.labels.contains_key(names::PATH);
            let id = volume.labels.get(names::VOLUME).filter(|_| !is_part);
            inventory.volumes.extend(id.and_then(|id| VolumeId::parse(id)));
        }
        inventory.volumes.sort();
        inventory.volumes.dedup();
        Ok(inventory)
    }

    /// Read by hand: a line may be as long as its writer likes, and bollard waits for its end.
    pub async fn logs(&self, id: InstanceId, lines: u32) -> Driven<String> {
        match self.container(id).await? {
            Some(container) => self.printed(&container.name, lines).await,
            None => Ok(String::new()),
        }
    }

    /// The newest lines that a container printed.
    pub async fn printed(&self, name: &str, lines: u32) -> Driven<String> {
        let path = format!("/containers/{name}/logs?stdout=true&stderr=true&tail={lines}");
        let read = async { newest(self.get(&path).await?.into_body()).await };
        let bytes = self.call(&format!("read what {name} printed"), read).await?;
        Ok(last_lines(&String::from_utf8_lossy(&bytes), lines))
    }

    /// Two looks at the engine's meter: only Docker, and only when asked to wait, compares by itself.
    pub async fn load(&self, id: InstanceId) -> Driven<Option<Load>> {
        let Some(first) = self.meter(id).await? else { return Ok(None) };
        let began = tokio::time::Instant::now();
        tokio::time::sleep(METER_STEP).await;
        let Some(second) = self.meter(id).await? else { return Ok(None) };
        let elapsed = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        let nanoseconds = cpu_nanoseconds(&second).saturating_sub(cpu_nanoseconds(&first));
        let mut load = Load { cpu_milli: nanoseconds / elapsed, ..memory(&second) };
        for network in second.networks.unwrap_or_default().into_values() {
            load.received_bytes += network.rx_bytes.unwrap_or_default();
            load.sent_bytes += network.tx_bytes.unwrap_or_default();
        }
        Ok(Some(load))
    }

    async fn meter(&self, id: InstanceId) -> Driven<Option<ContainerStatsResponse>> {
        let running = self.container(id).await?.filter(super::engine::Container::is_running);
        let Some(container) = running else { return Ok(None) };
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = Box::pin(self.api.stats(&container.name, Some(options)));
        let what = format!("read the meter of {}", container.name);
        let read = async move { stats.next().await.transpose() };
        Ok(self.call(&what, read).await?)
    }
}

fn instance_of(labels: &HashMap<String, String>) -> Option<InstanceId> {
    labels.get(names::INSTANCE).and_then(|id| InstanceId::parse(id))
}

/// The end of a body, however long it is.
async fn newest(mut body: Incoming) -> Result<Vec<u8>, Error> {
    let mut kept = Vec::new();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame?.into_data() else { continue };
        read += bytes.len();
        kept.extend_from_slice(&bytes);
        let surplus = kept.len().saturating_sub(MOST_LOG_BYTES);
        kept.drain(..surplus);
        if read > MOST_READ_BYTES {
            break;
        }
    }
    Ok(kept)
}

/// Terminals end lines with a carriage return as well.
fn last_lines(text: &str, lines: u32) -> String {
    let wanted = usize::try_from(lines).unwrap_or(usize::MAX);
    let text = text.replace("\r\n", "\n");
    let count = text.lines().count();
    let newest = text.lines().skip(count.saturating_sub(wanted));
    newest.flat_map(|line| [line, "\n"]).collect()
}

fn cpu_nanoseconds(stats: &ContainerStatsResponse) -> u64 {
    let usage = stats.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref());
    usage.and_then(|usage| usage.total_usage).unwrap_or_default()
}

/// Without files that are cached and would be dropped for anybody who needs the memory; the two
/// versions of control groups name them differently, and Podman leaves them out.
fn memory(stats: &ContainerStatsResponse) -> Load {
    let Some(memory) = &stats.memory_stats else { return Load::default() };
    let details = memory.stats.as_ref();
    let cached = ["inactive_file", "total_inactive_file"]
        .iter()
        .find_map(|name| details.and_then(|details| details.get(*name)));
    let used = memory.usage.unwrap_or_default();
    let ram_bytes = used.saturating_sub(cached.copied().unwrap_or_default());
    Load { ram_bytes, ..Load::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_told() {
        assert_eq!(last_lines("a\r\nb\r\nc", 2), "b\nc\n");
        assert_eq!(last_lines("a\n", 5), "a\n");
        assert_eq!(last_lines("", 5), "");
        assert_eq!(last_lines("a\nb\n", 0), "");
    }
}
