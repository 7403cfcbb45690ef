//! Containers: made, made anew, removed.
//!
//! An instance's disk outlives its container: when something else is asked for, the disk becomes an
//! image ([`DiskOf::image`]), the container goes, and a new one stands on that image. After a crash at
//! any point the next call finds the old container, or the image, or both. A disk that is
//! a volume stays as that image when its instance goes. One that was carried from elsewhere (`carry`) is such
//! an image before its instance comes.

use std::collections::BTreeSet;

use bollard::models::{ImageInspect, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};
use domain::instance::{Driven, InstanceId, InstanceSpec};
use domain::volume::VolumeId;

use super::answers::{Devices, Status};
use super::engine::{Container, Engine};
use super::fault::Found;
use super::names::{self, DiskOf};
use super::plan::{self, Base};

impl Engine {
    pub async fn create(&self, spec: &InstanceSpec) -> Driven<()> {
        let wanted = plan::fingerprint(spec, &self.settings);
        let mut found = self.container(spec.id).await?;
        self.require_volumes(spec).await?;
        if self.is_of_before(spec, found.as_ref()).await? {
            // What cannot be had costs nobody what is there.
            self.image_or_pulled(&spec.image, &spec.pull).await?;
            self.remove(spec.id, None).await?;
            found = None;
        }
        if let Some(container) = found {
            if container.label(names::SPEC) == Some(&wanted) {
                self.retire_base(DiskOf::of(spec)).await?;
                // The call that made it may have ended before the keys were in place.
                return if container.status() == Status::Created {
                    self.put_files(spec).await
                } else {
                    Ok(())
                };
            }
            self.stop(spec.id, false).await?;
            self.commit(DiskOf::of(spec), &container.name).await?;
            self.remove_container(&container.name).await?;
        }
        let base = self.base(spec).await?;
        self.make(spec, &base, wanted).await?;
        self.retire_base(DiskOf::of(spec)).await?;
        self.put_files(spec).await?;
        if base.is_kept_disk {
            self.drop_disks(DiskOf::of(spec), base.id.as_deref()).await?;
        }
        Ok(())
    }

    /// Whether what is there of the instance, or may be after a crash, is of an earlier edition.
    async fn is_of_before(&self, spec: &InstanceSpec, found: Option<&Container>) -> Driven<bool> {
        if spec.edition == 0 {
            return Ok(false);
        }
        let edition = spec.edition.to_string();
        if let Some(container) = found {
            return Ok(container.label(names::EDITION) != Some(&edition));
        }
        if spec.is_carried {
            return Ok(false);
        }
        let disk = self.image(&DiskOf::of(spec).image()).await?;
        let labels = disk.and_then(|disk| disk.config).and_then(|config| config.labels);
        Ok(labels.and_then(|mut labels| labels.remove(names::EDITION)) != Some(edition))
    }

    /// What the container stands on: the disk that was kept, or what the instance is made from.
    async fn base(&self, spec: &InstanceSpec) -> Driven<Base> {
        let disk = DiskOf::of(spec).image();
        let (image, name, is_kept_disk) = match self.image(&disk).await? {
            Some(image) => (image, disk, true),
            // Its owner would take the data for lost; whoever took the image away can bring it back.
            None if spec.disk.is_some_and(|disk| disk.has_data) => {
                return Err(self.failed(&format!("{disk} is not there to start from")));
            }
            None if spec.is_carried && spec.disk.is_none() => {
                (self.carried(spec.id).await?, DiskOf::of(spec).carried(), true)
            }
            None => {
                (self.image_or_pulled(&spec.image, &spec.pull).await?, spec.image.clone(), false)
            }
        };
        let own_volumes = self.own_volumes(spec, &image).await?;
        let config = image.config.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let before = labels.get(names::VARIABLES).filter(|_| is_kept_disk);
        let variables = before.map(|names| names.split(',').map(ToOwned::to_owned).collect());
        Ok(Base {
            name,
            id: image.id,
            is_kept_disk,
            own_volumes,
            variables: variables.unwrap_or_default(),
        })
    }

    /// Paths that the image declares volumes for belong to the disk, but an engine does not keep them
    /// with it. So they get volumes of ours, which every container that stands on it mounts. Podman's
    /// images of disks declare none, so that those there count as well.
    async fn own_volumes(&self, spec: &InstanceSpec, image: &ImageInspect) -> Driven<Vec<String>> {
        let declared = image.config.as_ref().and_then(|config| config.volumes.as_deref());
        let declared = declared.unwrap_or_default().iter().cloned();
        let disk = DiskOf::of(spec);
        let there = self.volumes_of(disk).await?;
        let mut paths: BTreeSet<String> =
            there.into_iter().map(|(_, path)| path).chain(declared).collect();
        let is_mounted = |path: &str| {
            let same = |other: &str| other.trim_end_matches('/') == path.trim_end_matches('/');
            spec.mounts.iter().any(|mount| same(&mount.path))
        };
        paths.retain(|path| path.starts_with('/') && !is_mounted(path));
        for path in &paths {
            let labels = self.labels([disk.label(), (names::PATH, path.clone())]);
            let name = disk.own_volume(path);
            let what = format!("create volume {name}");
            let request = VolumeCreateRequest {
                name: Some(name),
                labels: Some(labels),
                ..Default::default()
            };
            self.call(&what, self.api.create_volume(request)).await?;
        }
        Ok(paths.into_iter().collect())
    }

    /// Names and paths of the volumes that are part of a disk. Podman takes several labels as
    /// alternatives, so that it is asked for one, and the others are looked at here.
    pub async fn volumes_of(&self, disk: DiskOf) -> Driven<Vec<(String, String)>> {
        let filters = names::labelled([self.whose()]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let found = self.call("list volumes", self.api.list_volumes(Some(options))).await?;
        let mut volumes = found.volumes.unwrap_or_default();
        volumes.retain(|volume| DiskOf::by_labels(&volume.labels) == Some(disk));
        let named = volumes.into_iter().filter_map(|mut volume| {
            volume.labels.remove(names::PATH).map(|path| (volume.name, path))
        });
        Ok(named.collect())
    }

    async fn make(&self, spec: &InstanceSpec, base: &Base, wanted: String) -> Driven<()> {
        let name = names::container(spec.id);
        let is_fetched = spec.pull.always && !spec.is_carried;
        // Also where it is none: the image may bring a label of its own.
        let volume = spec.disk.map_or_else(String::new, |disk| disk.volume_id.to_string());
        let labels = self.labels([
            (names::VOLUME, volume),
            (names::INSTANCE, spec.id.to_string()),
            (names::SPEC, wanted),
            (names::VARIABLES, plan::variable_names(spec)),
            (names::EDITION, spec.edition.to_string()),
            (names::FETCHED, if is_fetched { spec.image.clone() } else { String::new() }),
        ]);
        let body = plan::container(spec, base, &self.settings, labels)
            .map_err(|reason| self.refused(&reason))?;
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let call = self.api.create_container(Some(options), body);
        self.call(&format!("create {name}"), call).await?;
        if spec.gpus.is_empty() { Ok(()) } else { self.check_gpus(&name).await }
    }

    /// Podman before version 5 ignores what it does not know, and would make an instance without its
    /// graphics processors.
    async fn check_gpus(&self, container: &str) -> Driven<()> {
        let found = self.call(&format!("inspect {container}"), self.inspect(container)).await?;
        let Devices { device_requests, devices } = found.host_config;
        let has_any = [device_requests, devices].into_iter().flatten().any(|all| !all.is_empty());
        if has_any {
            return Ok(());
        }
        self.remove_container(container).await?;
        Err(self.refused("the engine gives no graphics processors to containers"))
    }

    pub async fn remove(&self, id: InstanceId, keep: Option<VolumeId>) -> Driven<()> {
        if let Some(container) = self.container(id).await? {
            let fetched = container.label(names::FETCHED).unwrap_or_default().to_owned();
            if let Some(volume_id) = keep {
                self.stop(id, false).await?;
                let disk = DiskOf::Volume(volume_id);
                self.commit(disk, &container.name).await?;
                let kept = self.kept_image(disk).await?;
                self.remove_container(&container.name).await?;
                self.drop_disks(disk, Some(&kept)).await?;
            } else {
                self.remove_container(&container.name).await?;
            }
            if !fetched.is_empty() {
                self.drop_fetched(&fetched).await?;
            }
        }
        self.drop_disk(DiskOf::Instance(id)).await
    }

    /// The id of the image that a disk is without a container.
    async fn kept_image(&self, disk: DiskOf) -> Driven<String> {
        let found = self.image(&disk.image()).await?.and_then(|image| image.id);
        found.ok_or_else(|| self.failed(&format!("{} is not there", disk.image())))
    }

    /// Removes all of a disk that no container stands on.
    pub async fn drop_disk(&self, disk: DiskOf) -> Driven<()> {
        if let DiskOf::Instance(id) = disk {
            self.drop_carrier(id).await?;
        }
        for (name, _) in self.volumes_of(disk).await? {
            let call = self.api.remove_volume(&name, None::<RemoveVolumeOptions>);
            self.call(&format!("remove volume {name}"), call).await.found()?;
        }
        self.drop_disks(disk, None).await
    }

    /// With volumes that have no name: nobody could find them any more.
    pub async fn remove_container(&self, name: &str) -> Driven<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let call = self.api.remove_container(name, Some(options));
        self.call(&format!("remove {name}"), call).await.found()?;
        Ok(())
    }
}
