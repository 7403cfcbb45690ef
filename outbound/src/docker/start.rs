//! Starting and stopping, and what follows a start: SSH where it is expected, and the script.

use std::time::Duration;

use bollard::query_parameters::{
    KillContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder, TopOptions,
};
use domain::instance::{Driven, InstanceId, InstanceSpec, Site};

use super::answers::Status;
use super::engine::{Container, Engine};
use super::fault::{CALL, Found};
use super::files::{begun_since, script_started};
use super::look;

const SHELL: &str = "/bin/sh";
/// How long an image's own command is waited for to start SSH, before ours does.
const OWN_SSH: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(200);

/// Keys of the host first, as most images come without; the daemon leaves for the background.
const START_SSH: &str = "mkdir -p /run/sshd && ssh-keygen -A >/dev/null && /usr/sbin/sshd";

/// A shell that is to run what does not say with `#!` how runs it by itself.
const RUN_SCRIPT: &str = "exec /var/lib/berth/script >>/var/log/berth-script.log 2>&1 </dev/null";

/// Where the image has no such program, nothing happens. The token is in its environment.
const START_JUPYTER: &str = "command -v jupyter >/dev/null || exit 0; \
     exec jupyter notebook --allow-root --no-browser --ip=0.0.0.0 --port=8888 \
     >>/var/log/berth-jupyter.log 2>&1 </dev/null";

impl Engine {
    pub async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        let found = self.container(spec.id).await?;
        let container =
            found.ok_or_else(|| self.failed(&format!("{} is not there to be started", spec.id)))?;
        let name = &container.name;
        let accepts = self.accept_password(spec, &container).await;
        if container.status() == Status::Paused {
            self.call(&format!("unpause {name}"), self.api.unpause_container(name)).await?;
        } else if !container.is_running() {
            self.require_volumes(spec).await?;
            let call = self.api.start_container(name, None::<StartContainerOptions>);
            self.call(&format!("start {name}"), call).await?;
        }
        let ssh = self.open_ssh(site, spec, &container, accepts).await;
        // A renter's own image may have a server that does not start.
        if !spec.pull.always {
            ssh?;
        }
        if !spec.is_autostart && !spec.runs_jupyter {
            return match spec.script {
                Some(_) => self.run_once(name, &script_started(spec), RUN_SCRIPT).await,
                None => Ok(()),
            };
        }
        // It was started a moment ago, perhaps by the call before this one.
        let now = self.container(spec.id).await?.map(|found| found.found.state.started_at);
        let started_at = now.unwrap_or_default();
        if spec.script.is_some() {
            let each = begun_since(&started_at, "start");
            let mark = if spec.is_autostart { each } else { script_started(spec) };
            self.run_once(name, &mark, RUN_SCRIPT).await?;
        }
        if spec.runs_jupyter {
            self.run_once(name, &begun_since(&started_at, "jupyter"), START_JUPYTER).await?;
        }
        Ok(())
    }

    /// `accepts` is what came of telling the server to take a password.
    async fn open_ssh(
        &self,
        site: &Site,
        spec: &InstanceSpec,
        container: &Container,
        accepts: Driven<bool>,
    ) -> Driven<()> {
        let is_news = accepts?;
        self.set_password(spec, container).await?;
        if is_news && container.is_running() {
            self.reload_ssh(container).await?;
        }
        self.start_ssh(site, spec, container).await
    }

    async fn start_ssh(
        &self,
        site: &Site,
        spec: &InstanceSpec,
        container: &Container,
    ) -> Driven<()> {
        let name = &container.name;
        let Some(door) = look::ssh_door(site, spec) else { return Ok(()) };
        if !self.has(name, look::SSHD).await? || look::greets(door).await {
            return Ok(());
        }
        // An image whose own command starts SSH would fail on a port that ours took before it.
        let patience = if is_shell(&container.command()) { Duration::ZERO } else { OWN_SSH };
        let began = tokio::time::Instant::now();
        loop {
            if self.runs_sshd(name).await {
                return Ok(());
            }
            if began.elapsed() >= patience {
                break;
            }
            tokio::time::sleep(STEP).await;
        }
        let ended = self.run(name, &[SHELL, "-c", START_SSH]).await?;
        // Another one came first; that is as good.
        if ended.status == Some(0) || ended.output.contains("Address already in use") {
            return Ok(());
        }
        Err(self.failed(&format!("start SSH in {name}: {}", ended.output.trim())))
    }

    /// By the host's list of processes: the image may have no tool to ask with.
    async fn runs_sshd(&self, container: &str) -> bool {
        let call = self.api.top_processes(container, None::<TopOptions>);
        let found = self.call(&format!("list processes of {container}"), call).await;
        let rows = found.ok().and_then(|found| found.processes).unwrap_or_default();
        rows.iter().flatten().any(|cell| program(cell) == "sshd")
    }

    /// Runs a line of shell, unless its mark is there. That is made before the line runs and only if it is
    /// not there, in one step of the file system: however often this is called or cut short, the line never
    /// runs twice.
    async fn run_once(&self, container: &str, mark: &str, line: &str) -> Driven<()> {
        if self.has(container, mark).await? {
            return Ok(());
        }
        if !self.has(container, SHELL).await? {
            return Err(self.refused(&format!("the image has no {SHELL} to run the script with")));
        }
        let once = format!(
            "mkdir -p /var/lib/berth /var/log; set -C; true >{mark} || exit 0; set +C; {line}"
        );
        self.run_detached(container, &[SHELL, "-c", &once]).await
    }

    pub async fn stop(&self, id: InstanceId, force: bool) -> Driven<()> {
        let Some(container) = self.container(id).await? else { return Ok(()) };
        let (name, is_paused) = (&container.name, container.status() == Status::Paused);
        if !container.is_running() && !is_paused {
            return Ok(());
        }
        let stopped = if force || is_paused {
            let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
            let call = self.api.kill_container(name, Some(options));
            self.call(&format!("kill {name}"), call).await.found()
        } else {
            let grace = self.settings.graceful_stop_seconds;
            let options = StopContainerOptionsBuilder::new().t(i32::from(grace)).build();
            let deadline = CALL + Duration::from_secs(u64::from(grace));
            let call = self.api.stop_container(name, Some(options));
            self.within(deadline, &format!("stop {name}"), call).await.found()
        };
        match stopped {
            Ok(_) => self.wait_for_end(id).await,
            // It may have ended by itself in between, which engines call a fault of several kinds.
            Err(fault) => match self.container(id).await? {
                Some(container) if container.is_running() => Err(fault),
                _ => Ok(()),
            },
        }
    }

    /// A kill answers before the container is gone.
    async fn wait_for_end(&self, id: InstanceId) -> Driven<()> {
        let began = tokio::time::Instant::now();
        loop {
            match self.container(id).await? {
                Some(container) if container.is_running() => {}
                _ => return Ok(()),
            }
            if began.elapsed() > CALL {
                return Err(self.failed(&format!("{id} was stopped and still runs")));
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

/// Whether a command is nothing but a shell.
fn is_shell(command: &[&str]) -> bool {
    let plain = |word: &&str| word.starts_with('-') || SHELLS.contains(&program(word));
    !command.is_empty() && command.iter().all(plain)
}

const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ash", "zsh"];

/// The name of the program that a command line runs; `sshd` is "sshd: /usr/sbin/sshd" to some.
fn program(line: &str) -> &str {
    let word = line.split_whitespace().next().unwrap_or_default();
    word.rsplit('/').next().unwrap_or_default().trim_end_matches(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_alone_starts_no_ssh_of_its_own() {
        for shell in [&["/bin/bash"][..], &["sh"], &["/bin/bash", "-l"]] {
            assert!(is_shell(shell), "{shell:?}");
        }
        for other in [&[][..], &["/usr/sbin/sshd", "-D"], &["/bin/sh", "-c", "run"], &["/start"]] {
            assert!(!is_shell(other), "{other:?}");
        }
    }

    #[test]
    fn sshd_is_recognised_in_a_list_of_processes() {
        for line in ["sshd: /usr/sbin/sshd [listener] 0 of 10", "/usr/sbin/sshd -D", "sshd"] {
            assert_eq!(program(line), "sshd", "{line}");
        }
        assert_eq!(program("vi /etc/ssh/sshd"), "vi");
    }
}
