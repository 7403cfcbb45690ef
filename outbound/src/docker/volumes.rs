//! Volumes. The engine's own driver gives them no size: a host's disk is shared by all of them.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bollard::body_try_stream;
use bollard::models::{ContainerCreateBody, HostConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions, TagImageOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use domain::instance::{Copying, Driven, DriverFault, InstanceSpec, Pull};
use domain::volume::VolumeId;
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;

use super::answers::Status;
use super::engine::Engine;
use super::fault::{CALL, Found, STREAM, Trouble};
use super::names::{self, DiskOf};
use super::plan;

/// As every `cp` says it.
const NO_SPACE: &str = "No space left on device";
/// An image without a file, for containers that are never started.
const EMPTY_IMAGE: (&str, &str) = ("localhost/berth-empty", "1");

impl Engine {
    pub async fn create_volume(&self, id: VolumeId) -> Driven<()> {
        let name = names::volume(id);
        let what = format!("create volume {name}");
        let labels = self.labels([(names::VOLUME, id.to_string())]);
        let request =
            VolumeCreateRequest { name: Some(name), labels: Some(labels), ..Default::default() };
        // One that is there is answered as it is.
        let made = self.call(&what, self.api.create_volume(request)).await?;
        self.owned(id, &made.labels)
    }

    fn owned(&self, id: VolumeId, labels: &HashMap<String, String>) -> Driven<()> {
        if self.is_ours(Some(labels)) {
            return Ok(());
        }
        let whose = "another deployment of Berth, or somebody who made it by hand";
        Err(self.refused(&format!("volume {id} has no label of ours: it belongs to {whose}")))
    }

    /// Whether it is there and ours.
    async fn has_volume(&self, id: VolumeId) -> Driven<bool> {
        let name = names::volume(id);
        let call = self.api.inspect_volume(&name);
        match self.call(&format!("inspect volume {name}"), call).await.found()? {
            Some(found) => self.owned(id, &found.labels).map(|()| true),
            None => Ok(false),
        }
    }

    async fn volume_or_refused(&self, id: VolumeId) -> Driven<()> {
        if self.has_volume(id).await? {
            return Ok(());
        }
        Err(self.refused(&format!("there is no volume {id}")))
    }

    /// An engine that is to mount a volume which it has not makes an empty one, and its owner would
    /// take the data for lost. This may pass: whoever took the volume away can bring it back.
    pub async fn require_volumes(&self, spec: &InstanceSpec) -> Driven<()> {
        for mount in &spec.mounts {
            let id = mount.volume_id;
            match self.has_volume(id).await {
                Ok(true) => {}
                Ok(false) => return Err(self.failed(&format!("volume {id} is not there to mount"))),
                Err(DriverFault::Refused(cause)) => return Err(DriverFault::Failed(cause)),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// It has no size to change.
    pub async fn resize_volume(&self, id: VolumeId) -> Driven<()> {
        self.volume_or_refused(id).await
    }

    pub async fn delete_volume(&self, id: VolumeId) -> Driven<()> {
        // A copy that was cut short holds what it was made from.
        self.remove_container(&names::copier(id)).await?;
        self.drop_disk(DiskOf::Volume(id)).await?;
        if !self.has_volume(id).await? {
            return Ok(());
        }
        let name = names::volume(id);
        self.remove_copiers(&name).await?;
        let call = self.api.remove_volume(&name, None::<RemoveVolumeOptions>);
        self.call(&format!("remove volume {name}"), call).await.found()?;
        Ok(())
    }

    /// What a copy that was cut short left behind holds its volumes.
    async fn remove_copiers(&self, volume: &str) -> Driven<()> {
        let filters = HashMap::from([("volume".to_owned(), vec![volume.to_owned()])]);
        for found in self.call("list containers", self.list(filters)).await? {
            // Labels may come with an image; names are given by us alone.
            let ours = |name: &&String| name.trim_start_matches('/').starts_with(names::COPIER);
            let named = found.names.unwrap_or_default();
            let name = named.iter().find(ours).filter(|_| self.is_ours(found.labels.as_ref()));
            if let Some(name) = name {
                self.remove_container(name.trim_start_matches('/')).await?;
            }
        }
        Ok(())
    }

    /// Copies into a volume that is made anew, so that nothing of a copy that was cut short stays. An
    /// engine does not remove a volume that an instance has: its data is safe from a late call.
    pub async fn copy_volume(&self, from: VolumeId, to: VolumeId) -> Driven<Copying> {
        if self.image(&DiskOf::Volume(from).image()).await?.is_some() {
            return self.copy_disk(from, to).await.map(|()| Copying::Done);
        }
        self.volume_or_refused(from).await?;
        match &self.settings.copy_image {
            Some(image) => self.copy_by_tool(image, from, to).await,
            None => self.copy_by_archive(from, to).await.map(|()| Copying::Done),
        }
    }

    /// Makes another image of the same disk, by a container that is never started.
    async fn copy_disk(&self, from: VolumeId, to: VolumeId) -> Driven<()> {
        let copier = names::copier(to);
        let (from, to) = (DiskOf::Volume(from), DiskOf::Volume(to));
        if !self.volumes_of(from).await?.is_empty() {
            let why = "its image declares volumes of its own, which are not copied";
            return Err(self.refused(&format!("{} is not copied: {why}", from.image())));
        }
        // A call that comes too late does not write over what has been used.
        if self.image(&to.base()).await?.is_some() {
            return Err(self.failed(&format!("{} is there, and was used", to.image())));
        }
        self.remove_container(&copier).await?;
        let body = ContainerCreateBody {
            image: Some(from.image()),
            labels: Some(self.labels([to.label()])),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&copier).build();
        let call = self.api.create_container(Some(options), body);
        self.call(&format!("create {copier}"), call).await?;
        let outcome = self.commit(to, &copier).await;
        self.remove_container(&copier).await?;
        outcome
    }

    /// By `cp` of an image that the operator trusts with it; a renter's own would see the data. The
    /// engine runs it, however long it takes, and the container tells what became of it.
    async fn copy_by_tool(&self, image: &str, from: VolumeId, to: VolumeId) -> Driven<Copying> {
        let copier = names::copier(to);
        let what = format!("inspect {copier}");
        let Some(found) = self.call(&what, self.inspect(&copier)).await.found()? else {
            self.image_or_pulled(image, &Pull::default()).await?;
            self.empty(to).await?;
            let volumes = vec![(names::volume(from), "/from"), (names::volume(to), "/to")];
            self.make_copier(&copier, image, volumes).await?;
            return self.start_copier(&copier).await;
        };
        if !self.is_ours(found.config.labels.as_ref()) {
            return Err(self.refused(&format!("{copier} belongs to another deployment of Berth")));
        }
        match (found.state.status, found.state.exit_code) {
            // What made it was cut off.
            (Status::Created, _) => self.start_copier(&copier).await,
            (Status::Ended, 0) => self.remove_container(&copier).await.map(|()| Copying::Done),
            (Status::Ended, code) => {
                // Not every engine keeps what containers print.
                let printed = self.printed(&copier, 1).await.unwrap_or_default();
                self.remove_container(&copier).await?;
                let told = format!("cp of {image} ended with status {code}: {}", reason(&printed));
                Err(if printed.contains(NO_SPACE) {
                    DriverFault::NoRoom(self.tried(&told))
                } else {
                    self.failed(&told)
                })
            }
            _ => Ok(Copying::UnderWay),
        }
    }

    /// One that cannot be started is of no use.
    async fn start_copier(&self, copier: &str) -> Driven<Copying> {
        let call = self.api.start_container(copier, None::<StartContainerOptions>);
        if let Err(trouble) = self.call(&format!("start {copier}"), call).await {
            self.remove_container(copier).await?;
            return Err(trouble.into());
        }
        Ok(Copying::UnderWay)
    }

    async fn empty(&self, volume: VolumeId) -> Driven<()> {
        self.delete_volume(volume).await?;
        self.create_volume(volume).await
    }

    /// As much as fits into the time that a job has.
    async fn copy_by_archive(&self, from: VolumeId, to: VolumeId) -> Driven<()> {
        let (source, target) = names::archives(to);
        self.remove_container(&source).await?;
        self.empty(to).await?;
        let from = (names::volume(from), "/from");
        let to = (names::volume(to), "/to");
        let outcome = self.stream((&source, from), (&target, to)).await;
        self.remove_container(&source).await?;
        self.remove_container(&target).await?;
        outcome
    }

    /// Through the archives of two containers that are never started: no tool is needed. Two, as an
    /// engine locks one as long as it is read. Podman's archives are no copies: they give every file
    /// to root and leave some out.
    async fn stream(
        &self,
        (source, from): (&str, (String, &str)),
        (target, to): (&str, (String, &str)),
    ) -> Driven<()> {
        let version = self.call("ask for the version", self.api.version()).await?;
        let mut parts = version.components.unwrap_or_default().into_iter();
        if parts.any(|part| part.name.contains("Podman")) {
            return Err(self.refused("copies on Podman need copy_image, an image that has cp"));
        }
        let image = self.empty_image().await?;
        let (whole, folder) = (format!("{}/.", from.1), to.1);
        self.make_copier(source, &image, vec![from]).await?;
        self.make_copier(target, &image, vec![to]).await?;
        let options = DownloadFromContainerOptionsBuilder::new().path(&whole).build();
        let archive = self.api.download_from_container(source, Some(options));
        let options = UploadToContainerOptionsBuilder::new().path(folder).copy_uidgid("false");
        let body = body_try_stream(unless_stuck(archive, CALL));
        let copy = self.api.upload_to_container(target, Some(options.build()), body);
        match tokio::time::timeout(STREAM, copy).await {
            Ok(outcome) => {
                let tried = self.tried(&format!("copy from {source} to {target}"));
                outcome.map_err(|error| Trouble::new(&error, &tried).into())
            }
            Err(_) => Err(self.failed(&format!(
                "the volume was not copied within {STREAM:?}; set copy_image, which has the time"
            ))),
        }
    }

    async fn make_copier(
        &self,
        copier: &str,
        image: &str,
        volumes: Vec<(String, &str)>,
    ) -> Driven<()> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mounts = volumes.into_iter().map(|(name, path)| plan::volume(name, path)).collect();
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(words(&["cp"])),
            cmd: Some(words(&["-a", "/from/.", "/to/"])),
            user: Some("0:0".to_owned()),
            labels: Some(self.labels([])),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                mounts: Some(mounts),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(copier).build();
        let call = self.api.create_container(Some(options), body);
        self.call(&format!("create {copier}"), call).await?;
        Ok(())
    }

    async fn empty_image(&self) -> Driven<String> {
        let (repository, tag) = EMPTY_IMAGE;
        let name = format!("{repository}:{tag}");
        if self.image(&name).await?.is_some() {
            return Ok(name);
        }
        // An archive without files is two blocks of zeros.
        let archive = bollard::body_full(Bytes::from_static(&[0; 1024]));
        let options = CreateImageOptionsBuilder::new().from_src("-").build();
        let mut made = self.api.create_image(Some(options), Some(archive), None);
        let import = async move {
            let mut id = None;
            while let Some(step) = made.next().await {
                // Docker tells the id as the status, Podman as both.
                id = step?.status.or(id);
            }
            Ok(id.unwrap_or_default())
        };
        let id = self.call("import an empty image", import).await?;
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        self.call("tag an empty image", self.api.tag_image(&id, Some(options))).await?;
        Ok(name)
    }
}

/// The same bytes, and a fault where none come for so long.
pub fn unless_stuck<E: std::error::Error + Send + Sync + 'static>(
    archive: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    patience: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(Box::pin(archive)), move |archive| async move {
        let mut archive = archive?;
        match tokio::time::timeout(patience, archive.next()).await {
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(archive))),
            Ok(Some(Err(fault))) => Some((Err(io::Error::other(fault)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

/// Why a tool failed, from its last line, without the names of a renter's files before that.
fn reason(line: &str) -> &str {
    line.rsplit(": ").next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failed_copy_names_no_file() {
        let line = "cp: cannot open '/from/diary' for reading: Permission denied\r\n";
        assert_eq!(reason(line), "Permission denied");
        assert_eq!(reason(""), "");
    }
}
