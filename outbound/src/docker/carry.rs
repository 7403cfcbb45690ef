//! The disk of a container that does not run, brought to where another container is to be made of it.
//!
//! On the same engine it is kept as an image of the other's. Another engine gets the archive of all its
//! files, which is streamed through this process: what comes from one host is nothing but files on the
//! next, and moves none of the names there. Only what is whole gets the name of a carried disk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::BollardRequest;
use bollard::body_try_stream;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, CreateImageInfo, ImageConfig, ImageInspect};
use bollard::query_parameters::{CreateContainerOptionsBuilder, TagImageOptionsBuilder};
use domain::instance::{Driven, InstanceId};
use futures_util::Stream;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;

use super::answers::{Status, read_bytes};
use super::engine::{Container, Engine};
use super::fault::Found;
use super::names::{self, DiskOf};
use super::volumes::unless_stuck;
use super::wire;

/// How long an engine may be silent while it packs or unpacks a whole disk.
const PATIENCE: Duration = Duration::from_mins(30);

/// What is carried, and for whom.
pub struct Way {
    pub from: Arc<Engine>,
    pub source: InstanceId,
    pub to: Arc<Engine>,
    pub target: InstanceId,
}

impl Way {
    /// Whether the target has a disk, be it already in use.
    pub async fn is_done(&self) -> Driven<bool> {
        let disk = DiskOf::Instance(self.target);
        Ok(self.to.image(&disk.carried()).await?.is_some()
            || self.to.container(self.target).await?.is_some()
            || self.to.image(&disk.image()).await?.is_some())
    }

    /// The container whose disk it is, which must be one that can be carried.
    pub async fn container(&self) -> Driven<Container> {
        let (engine, id) = (&self.from, self.source);
        let found = engine.container(id).await?;
        let container =
            found.ok_or_else(|| engine.failed(&format!("{id} is not there to be carried")))?;
        if container.is_running() || container.status() == Status::Paused {
            return Err(engine.failed(&format!("{id} runs, and its disk is not carried meanwhile")));
        }
        if container.label(names::VOLUME).is_some_and(|volume| !volume.is_empty()) {
            return Err(engine.refused(&format!("the disk of {id} is a volume")));
        }
        if !engine.volumes_of(DiskOf::Instance(id)).await?.is_empty() {
            let why = "its image declares volumes of its own, which are not carried";
            return Err(engine.refused(&format!("the disk of {id} is not carried: {why}")));
        }
        Ok(container)
    }

    pub async fn bring(&self) -> Driven<()> {
        // It may have waited for its turn.
        if self.is_done().await? {
            return Ok(());
        }
        let container = self.container().await?;
        let disk = DiskOf::Instance(self.target);
        self.to.drop_disk(disk).await?;
        let image = if self.from.settings.endpoint == self.to.settings.endpoint {
            self.to.commit_for(self.target, &container).await?
        } else {
            self.across(&container).await?
        };
        if self.container().await?.found.state.started_at != container.found.state.started_at {
            return Err(self.from.failed(&format!("{} was started meanwhile", self.source)));
        }
        // Another process may have been faster.
        if !self.is_done().await? {
            let (repository, tag) = (disk.repository(), names::CARRIED_TAG);
            let options = TagImageOptionsBuilder::new().repo(&repository).tag(tag).build();
            let call = self.to.api.tag_image(&image, Some(options));
            self.to.call(&format!("tag {}", disk.carried()), call).await?;
        }
        Ok(())
    }

    /// An image of all the files, with what the container's own image says of how they are run.
    async fn across(&self, container: &Container) -> Driven<String> {
        let image = self.from.image(&container.found.image).await?;
        let missing = || self.from.failed(&format!("the image of {} is gone", container.name));
        let config = run_config(image.ok_or_else(missing)?);
        let archive = self.from.api.export_container(&container.name);
        let files = self.to.import(self.target, unless_stuck(archive, PATIENCE)).await?;
        self.to.dress(self.target, &files, config).await
    }
}

impl Engine {
    /// What was carried for an instance; nobody makes it from its image instead.
    pub async fn carried(&self, id: InstanceId) -> Driven<ImageInspect> {
        let name = DiskOf::Instance(id).carried();
        let found = self.image(&name).await?;
        found.ok_or_else(|| self.failed(&format!("{name} is not there to start from")))
    }

    /// Keeps a container's disk as another instance's, without what only its own variables held.
    async fn commit_for(&self, target: InstanceId, container: &Container) -> Driven<String> {
        let variables = container.label(names::VARIABLES).unwrap_or_default().split(',');
        let emptied = variables.filter(|name| !name.is_empty()).map(|name| format!("ENV {name}="));
        let label = format!("LABEL {}={target}", names::INSTANCE);
        let changes: Vec<_> = [label].into_iter().chain(emptied).collect();
        self.commit_nameless(&container.name, &changes.join("\n")).await
    }

    /// Makes an image of an archive of files; it has labels and no name.
    async fn import(
        &self,
        target: InstanceId,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Driven<String> {
        let labels = self.labels([(names::INSTANCE, target.to_string())]);
        let changes =
            labels.iter().map(|(name, value)| ("changes", format!("LABEL {name}={value}")));
        let query: Vec<_> = [("fromSrc", "-".to_owned())].into_iter().chain(changes).collect();
        // By hand, as bollard writes all changes as one, which Podman takes for one.
        let read = async {
            let query = serde_urlencoded::to_string(query).map_err(io::Error::other)?;
            let uri = format!("{}/images/create?{query}", wire::base(&self.settings.endpoint));
            let request: BollardRequest = Request::post(uri)
                .header(CONTENT_TYPE, "application/x-tar")
                .body(body_try_stream(archive))?;
            id_of_import(&read_bytes(self.send(request).await?).await?)
        };
        // Its caller has a deadline for all of it.
        let tried = self.tried(&format!("import the disk of {target}"));
        let imported = Box::pin(read).await;
        imported.map_err(|error| super::fault::Trouble::new(&error, &tried).into())
    }

    /// The image that an image of files becomes by a container that is never started: an import could say
    /// how it is run as well, but engines read such lines differently.
    async fn dress(
        &self,
        target: InstanceId,
        files: &str,
        config: ContainerCreateBody,
    ) -> Driven<String> {
        let carrier = names::carrier(target);
        let labels = self.labels([(names::INSTANCE, target.to_string())]);
        let image = Some(files.to_owned());
        let body = ContainerCreateBody { image, labels: Some(labels), ..config };
        let options = CreateContainerOptionsBuilder::new().name(&carrier).build();
        let call = self.api.create_container(Some(options), body);
        self.call(&format!("create {carrier}"), call).await?;
        let outcome = self.commit_nameless(&carrier, "").await;
        self.remove_container(&carrier).await?;
        outcome
    }

    /// Removes what a carrying that was cut short left behind.
    pub async fn drop_carrier(&self, target: InstanceId) -> Driven<()> {
        let carrier = names::carrier(target);
        let call = self.inspect(&carrier);
        let found = self.call(&format!("inspect {carrier}"), call).await.found()?;
        if found.is_some_and(|found| self.is_ours(found.config.labels.as_ref())) {
            self.remove_container(&carrier).await?;
        }
        Ok(())
    }
}

/// How an image is run, without the variables that the instance was given which it is a disk of.
fn run_config(image: ImageInspect) -> ContainerCreateBody {
    let config: ImageConfig = image.config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let given = labels.get(names::VARIABLES).map(String::as_str).unwrap_or_default();
    let is_given = |line: &String| {
        line.split_once('=').is_some_and(|(name, _)| given.split(',').any(|given| given == name))
    };
    let env = config.env.map(|lines| lines.into_iter().filter(|line| !is_given(line)).collect());
    ContainerCreateBody {
        user: config.user,
        env,
        cmd: config.cmd,
        entrypoint: config.entrypoint,
        working_dir: config.working_dir,
        healthcheck: config.healthcheck,
        stop_signal: config.stop_signal,
        exposed_ports: config.exposed_ports,
        shell: config.shell,
        ..Default::default()
    }
}

/// Docker tells the id as the status, Podman as both; Docker tells faults here as well.
fn id_of_import(answer: &[u8]) -> Result<String, Error> {
    let mut id = None;
    for step in serde_json::Deserializer::from_slice(answer).into_iter::<CreateImageInfo>() {
        let step = step?;
        if let Some(error) = step.error_detail.and_then(|detail| detail.message) {
            return Err(Error::DockerStreamError { error });
        }
        id = step.status.or(id);
    }
    let is_id = |id: &String| id.starts_with("sha256:");
    let error = || Error::DockerStreamError { error: "no id of an image was told".to_owned() };
    id.filter(is_id).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_import_is_told_by_both_engines() {
        for answer in [
            &br#"{"status":"sha256:00"}"#[..],
            br#"{"status":"sha256:00","progress":"","progressDetail":{},"id":"sha256:00"}"#,
            b"{\"status\":\"Importing\"}\r\n{\"status\":\"sha256:00\"}\r\n",
        ] {
            assert_eq!(id_of_import(answer).unwrap(), "sha256:00");
        }
        let full = br#"{"errorDetail":{"message":"no space left on device"},"error":"full"}"#;
        let told = id_of_import(full).unwrap_err().to_string();
        assert!(told.contains("no space left"), "{told}");
        assert!(id_of_import(b"").is_err());
    }

    #[test]
    fn what_an_instance_was_given_stays_behind() {
        let env = ["PATH=/bin", "TOKEN=secret", "TOKENS=kept"].map(str::to_owned).to_vec();
        let given = (names::VARIABLES.to_owned(), "COLOUR,TOKEN".to_owned());
        let labels = Some([given].into());
        let config = ImageConfig { env: Some(env), labels, ..Default::default() };
        let image = ImageInspect { config: Some(config), ..Default::default() };
        assert_eq!(run_config(image).env.unwrap(), ["PATH=/bin", "TOKENS=kept"]);
    }
}
