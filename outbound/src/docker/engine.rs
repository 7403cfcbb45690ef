//! One host's engine, and the questions that all calls share.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, body_full};
use domain::instance::{Driven, DriverFault, InstanceId};
use futures_util::StreamExt;

use super::answers::{Inspected, Status};
use super::fault::{CALL, Found, LONG_CALL, Trouble};
use super::fetching::Fetching;
use super::names;
use super::settings::Settings;
use super::wire::{self, Wire};

/// Bollard's own deadline covers bodies that take minutes; ours are per call.
const NEVER_SECONDS: u64 = 24 * 60 * 60;

pub struct Engine {
    pub api: bollard::Docker,
    pub wire: Wire,
    pub settings: Settings,
    pub deployment: String,
    pub fetching: Fetching,
}

/// A container of ours.
pub struct Container {
    pub name: String,
    pub found: Inspected,
}

impl Engine {
    pub fn connect(settings: Settings, deployment: &str, fetching: Fetching) -> Driven<Self> {
        let failed = |fault| DriverFault::Failed(format!("{}: {fault}", settings.endpoint));
        let wire = Wire::load(&settings.endpoint).map_err(failed)?;
        let sender = wire.clone();
        let api = bollard::Docker::connect_with_custom_transport(
            move |request| {
                let answer = sender.request(request);
                async move { answer.await.map_err(Error::from) }
            },
            Some(wire::base(&settings.endpoint)),
            NEVER_SECONDS,
            API_DEFAULT_VERSION,
        )
        .map_err(|fault| failed(fault.to_string()))?;
        Ok(Self { api, wire, settings, deployment: deployment.to_owned(), fetching })
    }

    /// Waits for the engine, not for ever; `what` was tried, for the operator.
    pub async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Trouble> {
        self.within(CALL, what, call).await
    }

    /// The same for what moves a whole disk or image.
    pub async fn long_call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Trouble> {
        self.within(LONG_CALL, what, call).await
    }

    pub async fn within<T>(
        &self,
        deadline: Duration,
        what: &str,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Trouble> {
        let tried = self.tried(what);
        // Bollard's futures and answers are large; boxed, they are not copied from caller to caller.
        match tokio::time::timeout(deadline, Box::pin(call)).await {
            Ok(answer) => answer.map_err(|error| Trouble::new(&error, &tried)),
            Err(_) => Err(Trouble::late(&tried, deadline)),
        }
    }

    /// The endpoint and what was tried there.
    pub fn tried(&self, what: &str) -> String {
        format!("{}: {what}", self.settings.endpoint)
    }

    pub fn failed(&self, what: &str) -> DriverFault {
        DriverFault::Failed(self.tried(what))
    }

    pub fn refused(&self, what: &str) -> DriverFault {
        DriverFault::Refused(self.tried(what))
    }

    /// Labels for something new: whose it is, and these.
    pub fn labels<const N: usize>(&self, more: [(&str, String); N]) -> HashMap<String, String> {
        let ours = [(names::DEPLOYMENT, self.deployment.clone())];
        ours.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A copy of our database names the same things; they are its original's nevertheless.
    pub fn is_ours(&self, labels: Option<&HashMap<String, String>>) -> bool {
        labels.and_then(|labels| labels.get(names::DEPLOYMENT)) == Some(&self.deployment)
    }

    /// The filter by which all of ours is listed.
    pub fn whose(&self) -> String {
        format!("{}={}", names::DEPLOYMENT, self.deployment)
    }

    pub async fn container(&self, id: InstanceId) -> Driven<Option<Container>> {
        let name = names::container(id);
        let inspected = self.call(&format!("inspect {name}"), self.inspect(&name)).await;
        let Some(found) = inspected.found()? else { return Ok(None) };
        let container = Container { name, found };
        if !self.is_ours(container.labels()) {
            let name = &container.name;
            return Err(self.refused(&format!("{name} belongs to another deployment of Berth")));
        }
        Ok(Some(container))
    }

    /// Whether this path is there in the container, running or not.
    pub async fn has(&self, container: &str, path: &str) -> Driven<bool> {
        Ok(self.size_of(container, path).await?.is_some())
    }

    /// How many bytes a file in the container has, if it is there.
    pub async fn size_of(&self, container: &str, path: &str) -> Driven<Option<i64>> {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let call = self.api.get_container_archive_info(container, Some(options));
        let answer = self.call(&format!("look for {path} in {container}"), call).await;
        Ok(answer.found()?.map(|found| found.size))
    }

    /// Unpacks an archive below a folder of the container.
    pub async fn put(&self, container: &str, folder: &str, archive: Vec<u8>) -> Driven<()> {
        // Without this, Podman gives to the image's user all that is put into its container.
        let options = UploadToContainerOptionsBuilder::new().path(folder).copy_uidgid("false");
        let body = body_full(archive.into());
        let call = self.api.upload_to_container(container, Some(options.build()), body);
        Ok(self.call(&format!("put files into {container}"), call).await?)
    }

    /// The archive of a small file, cut at `most` bytes.
    pub async fn get_file(
        &self,
        container: &str,
        path: &str,
        most: usize,
    ) -> Driven<Option<Vec<u8>>> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut stream = Box::pin(self.api.download_from_container(container, Some(options)));
        let read = async move {
            let mut archive = Vec::new();
            while let Some(chunk) = stream.next().await {
                archive.extend_from_slice(&chunk?);
                if archive.len() > most {
                    break;
                }
            }
            Ok(archive)
        };
        self.call(&format!("read {path} of {container}"), read).await.found()
    }
}

impl Container {
    pub fn labels(&self) -> Option<&HashMap<String, String>> {
        self.found.config.labels.as_ref()
    }

    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels()?.get(name).map(String::as_str)
    }

    pub const fn status(&self) -> Status {
        self.found.state.status
    }

    pub const fn is_running(&self) -> bool {
        self.status().is_running()
    }

    /// The command that it runs, with what it is given.
    pub fn command(&self) -> Vec<&str> {
        let config = &self.found.config;
        let words = [&config.entrypoint, &config.cmd].into_iter().flatten().flatten();
        words.map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_engine_that_takes_connections_and_is_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let settings = json!({ "endpoint": endpoint });
        let settings = Settings::parse(settings.as_object().unwrap()).unwrap();
        let engine = Engine::connect(settings, "here", Fetching::default()).unwrap();
        let soon = Duration::from_millis(50);
        let trouble = engine.within(soon, "ask", engine.api.ping()).await.unwrap_err();
        let told = format!("{endpoint}: ask: no answer within 50ms");
        assert_eq!(DriverFault::from(trouble), DriverFault::Failed(told));
    }
}
