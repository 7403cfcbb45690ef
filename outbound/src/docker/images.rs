//! Images: those that instances are made from, and ours that hold a disk while its container is made
//! anew.

use bollard::models::{ContainerConfig, ImageInspect, ImageSummary};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder,
    RemoveImageOptionsBuilder,
};
use domain::instance::{Driven, InstanceId};
use futures_util::StreamExt;

use super::engine::{Container, Engine};
use super::fault::Found;
use super::names;
use super::settings::is_name;

impl Engine {
    /// The image, fetched if it is not there.
    pub async fn image_or_pulled(&self, image: &str) -> Driven<ImageInspect> {
        if !is_name(image) {
            return Err(self.refused("the image's name has characters that no name has"));
        }
        if let Some(found) = self.image(image).await? {
            return Ok(found);
        }
        if image.starts_with("localhost/") {
            return Err(self.refused(&format!("there is no image {image}")));
        }
        self.pull(image).await?;
        let found = self.image(image).await?;
        found.ok_or_else(|| self.failed(&format!("pull {image}: it is not there afterwards")))
    }

    pub async fn image(&self, image: &str) -> Driven<Option<ImageInspect>> {
        let call = self.api.inspect_image(image);
        self.call(&format!("inspect image {image}"), call).await.found()
    }

    async fn pull(&self, image: &str) -> Driven<()> {
        let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
        let mut progress = self.api.create_image(Some(options), None, None);
        let done = async move {
            while let Some(step) = progress.next().await {
                step?;
            }
            Ok(())
        };
        let pulled = self.long_call(&format!("pull {image}"), done).await;
        pulled.map_err(super::fault::Trouble::of_pull)
    }

    /// Keeps a stopped container's disk as an image.
    pub async fn keep_disk(&self, id: InstanceId, container: &Container) -> Driven<()> {
        let image = names::disk(id);
        let repository = image.trim_end_matches(names::DISK_TAG).trim_end_matches(':');
        let options = CommitContainerOptionsBuilder::new()
            .container(&container.name)
            .repo(repository)
            .tag(names::DISK_TAG)
            .pause(false);
        let call = self.api.commit_container(options.build(), ContainerConfig::default());
        self.long_call(&format!("keep the disk of {}", container.name), call).await?;
        Ok(())
    }

    /// Drops our images of an instance, but for the one named.
    pub async fn drop_disks(&self, id: InstanceId, kept: Option<&str>) -> Driven<()> {
        // Newest first: an engine does not let go of what another image stands on.
        let mut images = self.disks(id).await?;
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        for image in images.iter().filter(|image| Some(image.id.as_str()) != kept) {
            let options = RemoveImageOptionsBuilder::new().build();
            let call = self.api.remove_image(&image.id, Some(options), None);
            let dropped = self.call(&format!("remove image {}", image.id), call).await;
            match dropped {
                // What the kept one stands on goes with it later.
                Err(trouble) if kept.is_some() && trouble.status.is_some() => {}
                dropped => {
                    dropped.found()?;
                }
            }
        }
        Ok(())
    }

    async fn disks(&self, id: InstanceId) -> Driven<Vec<ImageSummary>> {
        let mut images = self.disk_images().await?;
        let id = id.to_string();
        images.retain(|image| image.labels.get(names::INSTANCE) == Some(&id));
        Ok(images)
    }

    /// All our images of instances' disks.
    pub async fn disk_images(&self) -> Driven<Vec<ImageSummary>> {
        // Podman takes one label only, and all of those that it is given for images as alternatives.
        let filters = names::labelled([self.whose()]);
        let options = ListImagesOptionsBuilder::new().all(true).filters(&filters).build();
        let mut images = self.call("list images", self.api.list_images(Some(options))).await?;
        images.retain(|image| image.labels.contains_key(names::INSTANCE));
        Ok(images)
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
