//! Commands run inside of a container, as its root.

use std::time::Duration;

use bollard::errors::Error;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use domain::instance::Driven;
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt;

use super::engine::Engine;
use super::fault::CALL;

/// The most of a command's output that is of interest.
const MOST_OUTPUT_BYTES: usize = 2000;

/// A command that ended.
pub struct Ended {
    /// `None` where the engine does not know.
    pub status: Option<i64>,
    /// The beginning of all that it printed.
    pub output: String,
}

impl Engine {
    /// Runs a command to its end.
    pub async fn run(&self, container: &str, command: &[&str]) -> Driven<Ended> {
        self.run_within(CALL, container, command).await
    }

    /// The same of one that takes less time, or else is waited for no longer.
    pub async fn run_within(
        &self,
        deadline: Duration,
        container: &str,
        command: &[&str],
    ) -> Driven<Ended> {
        self.run_with(deadline, container, config(command, true), None).await
    }

    /// The same with what it reads, which must not wait for the end of that: not every way to an engine
    /// can tell it.
    pub async fn run_fed(
        &self,
        container: &str,
        command: &[&str],
        input: &SecretString,
    ) -> Driven<Ended> {
        let config = ExecConfig { attach_stdin: Some(true), ..config(command, true) };
        self.run_with(CALL, container, config, Some(input)).await
    }

    async fn run_with(
        &self,
        deadline: Duration,
        container: &str,
        config: ExecConfig,
        fed: Option<&SecretString>,
    ) -> Driven<Ended> {
        let read = async {
            let exec = self.api.create_exec(container, config).await?.id;
            let mut output = String::new();
            let started = self.api.start_exec(&exec, None::<StartExecOptions>).await?;
            if let StartExecResults::Attached { output: mut lines, mut input } = started {
                if let Some(fed) = fed {
                    input.write_all(fed.expose_secret().as_bytes()).await?;
                    input.flush().await?;
                }
                while let Some(line) = lines.next().await {
                    if output.len() < MOST_OUTPUT_BYTES {
                        output.push_str(&line?.to_string());
                    }
                }
            }
            Ok::<_, Error>(Ended { status: self.api.inspect_exec(&exec).await?.exit_code, output })
        };
        Ok(self.within(deadline, &format!("run a command in {container}"), read).await?)
    }

    /// Starts a command and leaves it.
    pub async fn run_detached(&self, container: &str, command: &[&str]) -> Driven<()> {
        let start = async {
            let exec = self.api.create_exec(container, config(command, false)).await?.id;
            let options = StartExecOptions { detach: true, ..Default::default() };
            self.api.start_exec(&exec, Some(options)).await
        };
        self.call(&format!("start a command in {container}"), start).await?;
        Ok(())
    }
}

fn config(command: &[&str], is_attached: bool) -> ExecConfig {
    ExecConfig {
        cmd: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        attach_stdout: Some(is_attached),
        attach_stderr: Some(is_attached),
        user: Some("0:0".to_owned()),
        ..Default::default()
    }
}
