//! What an instance looks like from outside.

use std::net::SocketAddr;
use std::time::Duration;

use domain::instance::{Driven, InstanceSpec, Sighting, Site};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::answers::Status;
use super::engine::{Container, Engine};

/// Where images have their SSH server.
pub const SSHD: &str = "/usr/sbin/sshd";

const SSH_PORT: u16 = 22;
/// How long an image's own check may take when it is run here.
const CHECK: Duration = Duration::from_secs(5);
/// How long a door may take to open and to greet.
const GREETING: Duration = Duration::from_secs(2);

impl Engine {
    pub async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting> {
        let Some(container) = self.container(spec.id).await? else { return Ok(Sighting::Absent) };
        if container.status() != Status::Running {
            return Ok(Sighting::Stopped);
        }
        // What a renter chose says nothing of when it is ready, as it costs from then on.
        if spec.pull.always {
            return Ok(Sighting::Ready);
        }
        if !self.is_healthy(&container).await? {
            return Ok(Sighting::Starting);
        }
        match ssh_door(site, spec) {
            Some(door) if self.has(&container.name, SSHD).await? && !greets(door).await => {
                Ok(Sighting::Starting)
            }
            _ => Ok(Sighting::Ready),
        }
    }

    /// Whether the image's own check, if it has one, was passed or has failed for good. Podman
    /// without systemd never runs it, and Docker not before half a minute: one that was not run yet
    /// is run here.
    async fn is_healthy(&self, container: &Container) -> Driven<bool> {
        let Some(health) = &container.found.state.health else { return Ok(true) };
        if health.status != "starting" {
            return Ok(true);
        }
        let was_run = health.log.as_ref().is_some_and(|log| !log.is_empty());
        let check = container.found.config.healthcheck.as_ref();
        let test = check.and_then(|check| check.test.as_deref()).unwrap_or_default();
        let words: Vec<&str> = test.iter().map(String::as_str).collect();
        let command = match words.as_slice() {
            _ if was_run => return Ok(false),
            ["CMD", command @ ..] if !command.is_empty() => command.to_vec(),
            ["CMD-SHELL", line] => vec!["/bin/sh", "-c", *line],
            _ => return Ok(true),
        };
        match tokio::time::timeout(CHECK, self.run(&container.name, &command)).await {
            Ok(ended) => Ok(ended?.status == Some(0)),
            Err(_) => Ok(false),
        }
    }
}

/// Where SSH answers, if this instance is to be reached by it.
pub fn ssh_door(site: &Site, spec: &InstanceSpec) -> Option<SocketAddr> {
    let published = spec.ports.iter().find(|port| port.inside == SSH_PORT);
    let published = published.map(|port| SocketAddr::new(site.address, port.outside));
    published.or_else(|| spec.address.map(|address| SocketAddr::new(address, SSH_PORT)))
}

/// Whether an SSH server answers there. That the port takes connections says nothing: an engine's own
/// proxy does that for a container that does not listen.
pub async fn greets(door: SocketAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(door).await?;
        let mut start = [0; 4];
        stream.read_exact(&mut start).await?;
        Ok::<_, std::io::Error>(start == *b"SSH-")
    };
    matches!(tokio::time::timeout(GREETING, greeting).await, Ok(Ok(true)))
}
