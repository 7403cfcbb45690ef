//! Answers that are read by hand, as bollard fails on a whole answer for a word that it does not know:
//! Podman has states of containers that Docker has not.

use std::collections::HashMap;

use bollard::BollardRequest;
use bollard::errors::Error;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::engine::Engine;
use super::wire;

/// More than any answer that is asked for.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What an engine tells of one container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Inspected {
    /// The id of the image that it stands on.
    pub image: String,
    pub state: State,
    pub config: Config,
    pub host_config: Devices,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    pub status: Status,
    pub exit_code: i64,
    /// When it was last started, as the engine spells that.
    pub started_at: String,
    pub health: Option<Health>,
}

/// Whether a container runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was made and never started.
    #[serde(alias = "configured", alias = "initialized")]
    Created,
    Running,
    Restarting,
    Stopping,
    Paused,
    /// It ended, by whatever name.
    #[default]
    #[serde(other)]
    Ended,
}

impl Status {
    /// One that restarts or is about to stop still holds its ports and writes to its disk.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Restarting | Self::Stopping)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    pub status: String,
    pub log: Option<Vec<Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub labels: Option<HashMap<String, String>>,
    pub healthcheck: Option<Healthcheck>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    pub test: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Devices {
    pub device_requests: Option<Vec<Value>>,
    pub devices: Option<Vec<Value>>,
}

/// What an engine's list tells of one container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Listed {
    pub names: Option<Vec<String>>,
    pub labels: Option<HashMap<String, String>>,
    pub state: Status,
}

impl Engine {
    /// Sends a GET; `path` may have a query.
    pub async fn get(&self, path: &str) -> Result<Response<Incoming>, Error> {
        let uri = format!("{}{path}", wire::base(&self.settings.endpoint));
        self.send(Request::get(uri).body(Either::Left(Full::default()))?).await
    }

    /// The answer to a request, if it is a good one.
    pub async fn send(&self, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let answer = self.wire.request(request).await?;
        let status_code = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer);
        }
        let answer: Value = read(answer).await.unwrap_or_default();
        let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(Error::DockerResponseServerError { status_code, message })
    }

    pub async fn inspect(&self, container: &str) -> Result<Inspected, Error> {
        read(self.get(&format!("/containers/{container}/json")).await?).await
    }

    /// Containers, running or not.
    pub async fn list(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Listed>, Error> {
        let filters = serde_json::to_string(&filters)?;
        let query = serde_urlencoded::to_string([("all", "true"), ("filters", &filters)])?;
        read(self.get(&format!("/containers/json?{query}")).await?).await
    }
}

async fn read<T: DeserializeOwned>(answer: Response<Incoming>) -> Result<T, Error> {
    Ok(serde_json::from_slice(&read_bytes(answer).await?)?)
}

pub async fn read_bytes(answer: Response<Incoming>) -> Result<Bytes, Error> {
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    Ok(body.map_err(std::io::Error::other)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_that_nobody_knows_is_an_end() {
        for (word, status) in [
            ("created", Status::Created),
            ("configured", Status::Created),
            ("running", Status::Running),
            ("paused", Status::Paused),
            ("exited", Status::Ended),
            ("stopped", Status::Ended),
            ("brand new", Status::Ended),
        ] {
            let found: Inspected =
                serde_json::from_value(json!({"State": {"Status": word, "Pid": 1}})).unwrap();
            assert_eq!(found.state.status, status, "{word}");
        }
    }
}
