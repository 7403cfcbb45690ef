//! Containers: made, made anew, removed.
//!
//! An instance's disk outlives its container: when something else is asked for, the disk becomes an
//! image ([`names::disk`]), the container goes, and a new one stands on that image. After a crash at
//! any point the next call finds either the old container, or the image and no container.

use std::collections::BTreeSet;

use bollard::models::{ImageInspect, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};
use domain::instance::{Driven, InstanceId, InstanceSpec};

use super::answers::{Devices, Status};
use super::engine::Engine;
use super::fault::Found;
use super::names;
use super::plan::{self, Base};

impl Engine {
    pub async fn create(&self, spec: &InstanceSpec) -> Driven<()> {
        let wanted = plan::fingerprint(spec, &self.settings);
        let found = self.container(spec.id).await?;
        self.require_volumes(spec).await?;
        if let Some(container) = found {
            if container.label(names::SPEC) == Some(&wanted) {
                // The call that made it may have ended before the keys were in place.
                return if container.status() == Status::Created {
                    self.put_files(spec).await
                } else {
                    Ok(())
                };
            }
            self.stop(spec.id, false).await?;
            self.keep_disk(spec.id, &container).await?;
            self.remove_container(&container.name).await?;
        }
        let base = self.base(spec).await?;
        self.make(spec, &base, wanted).await?;
        self.put_files(spec).await?;
        if base.is_kept_disk {
            self.drop_disks(spec.id, base.id.as_deref()).await?;
        }
        Ok(())
    }

    /// What the container stands on: the disk that was kept, or what the instance is made from.
    async fn base(&self, spec: &InstanceSpec) -> Driven<Base> {
        let disk = names::disk(spec.id);
        let (image, name, is_kept_disk) = match self.image(&disk).await? {
            Some(image) => (image, disk, true),
            None => (self.image_or_pulled(&spec.image).await?, spec.image.clone(), false),
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

    /// Paths that the image declares volumes for belong to the instance's own disk, but an engine
    /// does not keep them with it. So they get volumes of ours, which every container of the
    /// instance mounts. Podman's images of disks declare none, so that those there count as well.
    async fn own_volumes(&self, spec: &InstanceSpec, image: &ImageInspect) -> Driven<Vec<String>> {
        let declared = image.config.as_ref().and_then(|config| config.volumes.as_deref());
        let declared = declared.unwrap_or_default().iter().cloned();
        let there = self.volumes_of(spec.id).await?;
        let mut paths: BTreeSet<String> =
            there.into_iter().map(|(_, path)| path).chain(declared).collect();
        let is_mounted = |path: &str| {
            let same = |other: &str| other.trim_end_matches('/') == path.trim_end_matches('/');
            spec.mounts.iter().any(|mount| same(&mount.path))
        };
        paths.retain(|path| path.starts_with('/') && !is_mounted(path));
        for path in &paths {
            let labels =
                self.labels([(names::INSTANCE, spec.id.to_string()), (names::PATH, path.clone())]);
            let name = names::own_volume(spec.id, path);
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

    /// Names and paths of the volumes that are part of an instance's own disk.
    async fn volumes_of(&self, id: InstanceId) -> Driven<Vec<(String, String)>> {
        let filters = names::labelled([self.whose(), format!("{}={id}", names::INSTANCE)]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let found = self.call("list volumes", self.api.list_volumes(Some(options))).await?;
        let named = found.volumes.unwrap_or_default().into_iter().filter_map(|mut volume| {
            volume.labels.remove(names::PATH).map(|path| (volume.name, path))
        });
        Ok(named.collect())
    }

    async fn make(&self, spec: &InstanceSpec, base: &Base, wanted: String) -> Driven<()> {
        let name = names::container(spec.id);
        let labels = self.labels([
            (names::INSTANCE, spec.id.to_string()),
            (names::SPEC, wanted),
            (names::VARIABLES, plan::variable_names(spec)),
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

    pub async fn remove(&self, id: InstanceId) -> Driven<()> {
        if let Some(container) = self.container(id).await? {
            self.remove_container(&container.name).await?;
        }
        for (name, _) in self.volumes_of(id).await? {
            let call = self.api.remove_volume(&name, None::<RemoveVolumeOptions>);
            self.call(&format!("remove volume {name}"), call).await.found()?;
        }
        self.drop_disks(id, None).await
    }

    /// With volumes that have no name: nobody could find them any more.
    pub async fn remove_container(&self, name: &str) -> Driven<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let call = self.api.remove_container(name, Some(options));
        self.call(&format!("remove {name}"), call).await.found()?;
        Ok(())
    }
}
