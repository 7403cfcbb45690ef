//! Images: those that instances are made from, and ours that hold a disk while it has no container.

use bollard::auth::DockerCredentials;
use bollard::models::{ContainerConfig, ImageInspect, ImageSummary};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder,
    RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use domain::instance::{Driven, Pull, RegistryLogin};
use futures_util::StreamExt;
use secrecy::ExposeSecret;

use super::engine::Engine;
use super::fault::{Found, Trouble};
use super::fetching::registry_of;
use super::names::{self, DiskOf};
use super::settings::{is_name, is_near};

/// The status of what cannot be removed because something stands on it.
const IN_USE: u16 = 409;

impl Engine {
    /// The image, fetched if it is not there, or in any case where a renter chose its name: then it is what
    /// its registry gives to them, and never what this host has by that name, which may be somebody's disk.
    pub async fn image_or_pulled(&self, image: &str, pull: &Pull) -> Driven<ImageInspect> {
        if !is_name(image) {
            return Err(self.refused("the image's name has characters that no name has"));
        }
        if pull.always {
            return self.renters_image(image, pull.login.as_ref()).await;
        }
        if let Some(found) = self.image(image).await? {
            return Ok(found);
        }
        if image.starts_with("localhost/") {
            return Err(self.refused(&format!("there is no image {image}")));
        }
        self.pull(image, pull.login.as_ref().map(credentials)).await?;
        self.pulled(image).await
    }

    async fn pulled(&self, image: &str) -> Driven<ImageInspect> {
        let found = self.image(image).await?;
        found.ok_or_else(|| self.failed(&format!("pull {image}: it is not there afterwards")))
    }

    /// An image by a name that a renter chose: from its registry, which is none of the host's own network
    /// unless the host's settings name it.
    async fn renters_image(
        &self,
        image: &str,
        login: Option<&RegistryLogin>,
    ) -> Driven<ImageInspect> {
        let registry = registry_of(image);
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let is_named = self.settings.registries.iter().any(|named| named == registry);
        if image.starts_with("localhost/") || (is_near(host) && !is_named) {
            return Err(self.refused(&format!("there is no image {image} for renters")));
        }
        let busy = || self.failed("many images are being fetched; it is tried again");
        let _fetch = self.fetching.begin(image).ok_or_else(busy)?;
        // Said in so many words: without any, Podman would take what its user has logged in with.
        let credentials = login.map_or_else(DockerCredentials::default, credentials);
        self.pull(image, Some(credentials)).await?;
        let found = self.pulled(image).await?;
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        if labels.into_iter().flatten().any(|(name, _)| name.starts_with(names::OURS)) {
            self.drop_image(image, true).await?;
            return Err(self.refused("the image has labels that begin with berth."));
        }
        Ok(found)
    }

    /// Lets go of an image that was fetched for a renter, unless another container stands on it.
    pub async fn drop_fetched(&self, image: &str) -> Driven<()> {
        self.drop_image(image, true).await
    }

    pub async fn image(&self, image: &str) -> Driven<Option<ImageInspect>> {
        let call = self.api.inspect_image(image);
        self.call(&format!("inspect image {image}"), call).await.found()
    }

    async fn pull(&self, image: &str, credentials: Option<DockerCredentials>) -> Driven<()> {
        let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
        let mut progress = self.api.create_image(Some(options), None, credentials);
        let done = async move {
            while let Some(step) = progress.next().await {
                step?;
            }
            Ok(())
        };
        let pulled = self.long_call(&format!("pull {image}"), done).await;
        pulled.map_err(Trouble::of_pull)
    }

    /// Makes a disk of what a container that does not run holds; its labels become the image's.
    pub async fn commit(&self, disk: DiskOf, container: &str) -> Driven<()> {
        let options = CommitContainerOptionsBuilder::new()
            .container(container)
            .repo(&disk.repository())
            .tag(names::DISK_TAG)
            .pause(false);
        let call = self.api.commit_container(options.build(), ContainerConfig::default());
        self.long_call(&format!("keep the disk of {container}"), call).await?;
        Ok(())
    }

    /// Makes an image of what a container that does not run holds; answers its id. Whoever calls this has a
    /// deadline.
    pub async fn commit_nameless(&self, container: &str, changes: &str) -> Driven<String> {
        let options = CommitContainerOptionsBuilder::new()
            .container(container)
            .changes(changes)
            .pause(false)
            .build();
        let call = self.api.commit_container(options, ContainerConfig::default());
        let tried = self.tried(&format!("keep the disk of {container}"));
        let made = Box::pin(call).await;
        Ok(made.map_err(|error| Trouble::new(&error, &tried))?.id)
    }

    /// Once a container stands on the image of a volume's disk, that is not the disk any more: it gets another
    /// tag, so that nobody starts from it and takes what was written since for lost.
    pub async fn retire_base(&self, disk: DiskOf) -> Driven<()> {
        if matches!(disk, DiskOf::Instance(_)) || self.image(&disk.image()).await?.is_none() {
            return Ok(());
        }
        let (image, repository) = (disk.image(), disk.repository());
        let options = TagImageOptionsBuilder::new().repo(&repository).tag(names::BASE_TAG).build();
        let call = self.api.tag_image(&image, Some(options));
        self.call(&format!("tag {image}"), call).await?;
        self.drop_image(&image, false).await
    }

    /// Drops our images of a disk, but for the one named.
    pub async fn drop_disks(&self, disk: DiskOf, kept: Option<&str>) -> Driven<()> {
        // Newest first: an engine does not let go of what another image stands on.
        let mut images = self.disk_images(true).await?;
        images.retain(|image| DiskOf::by_labels(&image.labels) == Some(disk));
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        if kept.is_none() && !images.is_empty() {
            // Without its names it is nobody's any more, and goes with the last that stands on it.
            for name in [disk.image(), disk.base(), disk.carried()] {
                self.drop_image(&name, false).await?;
            }
        }
        for image in images.iter().filter(|image| Some(image.id.as_str()) != kept) {
            // What was copied or carried of it stands on it.
            self.drop_image(&image.id, true).await?;
        }
        Ok(())
    }

    async fn drop_image(&self, image: &str, may_be_needed: bool) -> Driven<()> {
        let options = RemoveImageOptionsBuilder::new().build();
        let call = self.api.remove_image(image, Some(options), None);
        match self.call(&format!("remove image {image}"), call).await {
            // What another one stands on goes with it later.
            Err(trouble) if may_be_needed && trouble.status == Some(IN_USE) => Ok(()),
            dropped => dropped.found().map(|_| ()),
        }
    }

    /// Our images of disks; all of them, or only those that are more than what another image stands on.
    pub async fn disk_images(&self, all: bool) -> Driven<Vec<ImageSummary>> {
        // Podman takes one label only, and all of those that it is given for images as alternatives.
        let filters = names::labelled([self.whose()]);
        let options = ListImagesOptionsBuilder::new().all(all).filters(&filters).build();
        let mut images = self.call("list images", self.api.list_images(Some(options))).await?;
        images.retain(|image| DiskOf::by_labels(&image.labels).is_some());
        Ok(images)
    }
}

/// As the engine passes them on to the registry.
fn credentials(login: &RegistryLogin) -> DockerCredentials {
    DockerCredentials {
        username: Some(login.username.clone()),
        password: Some(login.password.expose_secret().to_owned()),
        serveraddress: Some(login.host.clone()),
        ..Default::default()
    }
}

/// Without a tag, Docker would fetch every one that there is.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if image.contains('@') || last.contains(':') {
        return image.to_owned();
    }
    format!("{image}:latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        for (image, full) in [
            ("debian", "debian:latest"),
            ("debian:12", "debian:12"),
            ("registry:5000/a/b", "registry:5000/a/b:latest"),
            ("registry:5000/a/b:1", "registry:5000/a/b:1"),
            ("a@sha256:00", "a@sha256:00"),
        ] {
            assert_eq!(with_tag(image), full);
        }
    }
}
