//! Scripts that are run in a container while it runs, each once.
//!
//! All that is known of one lies beside it in the container: the mark that it was begun, with the process
//! that runs it, its exit status once it has ended, and what it printed. So the answer is the same whoever
//! asks, also when it is asked again because an answer was lost, and when the container has stopped since.

use std::time::Duration;

use bollard::exec::StartExecOptions;
use bollard::models::ExecConfig;
use domain::instance::{Driven, DriverFault, InstanceId, Task, TaskState};

use super::answers::Status;
use super::engine::Engine;
use super::files::first_file;

/// Where they lie.
const TASKS: &str = "/var/lib/berth/tasks";
const SHELL: &str = "/bin/sh";
/// More than an exit status is.
const MOST_STATUS_BYTES: usize = 4_096;

/// What is run inside to see to a script ends at once, unless the container's owner has put something in the
/// way, such as another shell or a pipe for a file. Then it is tried again later: as long as somebody waits for
/// it, nothing else is done.
const INSIDE: Duration = Duration::from_secs(5);

/// The mark is made before the script runs and only if it is not there, in one step of the file system. It
/// names this shell by its number and when it started (the 22nd field): together no process has had them
/// since the machine started, so that a later one with this number is not taken for it. Room for the status is
/// taken beforehand, and written over in place, so that a script can tell how it ended on a disk that it has
/// filled. Builtins alone, as an image may have no tools.
const BEGIN: &str = "set -C; read -r line </proc/$$/stat || exit 1; task=$1; set -- $line
echo \"$1 ${22}\" >\"$task.begun\" || exit 0
set +C; cd /; [ -s \"$task.begun\" ] && echo - >\"$task.status\" && [ -s \"$task.status\" ] || exit 0
\"$task.script\" >\"$task.log\" 2>&1 </dev/null
echo $? 1<>\"$task.status\"";

/// Whether it runs is asked before how it ended: what does not run has written that. What could not write it had
/// no room. Only files are opened: a pipe in their place would be waited for.
const LOOK: &str = "task=$1; [ -e \"$task.begun\" ] || { echo unknown; exit 0; }
[ -f \"$task.begun\" ] || { echo lost; exit 0; }
read -r pid since <\"$task.begun\"
[ -n \"$since\" ] || { echo full; exit 0; }
if { read -r line <\"/proc/$pid/stat\"; } 2>/dev/null; then
  set -- $line
  [ \"${22}\" = \"$since\" ] && [ \"$3\" != Z ] && { echo running; exit 0; }
fi
[ -f \"$task.status\" ] || { echo lost; exit 0; }
status=; { read -r status <\"$task.status\"; } 2>/dev/null
case \"$status\" in '') echo full; exit 0;; -) echo lost; exit 0;; esac
echo \"ended $status\"; [ ! -f \"$task.log\" ] || tail -c 1500 \"$task.log\" 2>/dev/null";

/// The process and its group: a script has no other, unless it makes one.
const END: &str = "task=$1; [ -f \"$task.begun\" ] || exit 0
{ read -r pid since <\"$task.begun\"; } 2>/dev/null || exit 0
{ read -r line <\"/proc/$pid/stat\"; } 2>/dev/null || exit 0
set -- $line
[ -n \"$since\" ] && [ \"${22}\" = \"$since\" ] || exit 0
kill -9 \"-$pid\" 2>/dev/null; kill -9 \"$pid\" 2>/dev/null; exit 0";

fn path(name: &str) -> String {
    format!("{TASKS}/{name}")
}

impl Engine {
    pub async fn begin_task(&self, id: InstanceId, task: &Task) -> Driven<()> {
        let Some(container) = self.container(id).await? else {
            return Err(self.failed(&format!("{id} is not there to run a script in")));
        };
        let (container, path) = (container.name, path(&task.name));
        if self.has(&container, &format!("{path}.begun")).await? {
            return self.wait_for_mark(&container, &path).await;
        }
        if !self.has(&container, SHELL).await? {
            return Err(self.refused(&format!("the image has no {SHELL} to run the script with")));
        }
        self.put_script(&container, &format!("{path}.script"), &task.script).await?;
        let variable = |(name, value): (&String, &String)| format!("{name}={value}");
        let begin = async {
            let words = [SHELL, "-c", BEGIN, "berth", &path].map(str::to_owned);
            let config = ExecConfig {
                cmd: Some(words.into()),
                env: Some(task.environment.iter().map(variable).collect()),
                user: Some("0:0".to_owned()),
                ..Default::default()
            };
            let exec = self.api.create_exec(&container, config).await?.id;
            let options = StartExecOptions { detach: true, ..Default::default() };
            self.api.start_exec(&exec, Some(options)).await
        };
        self.call(&format!("begin a script in {container}"), begin).await?;
        self.wait_for_mark(&container, &path).await
    }

    /// What is left running may not have come so far yet, or never will: then it is begun again. A mark in which
    /// nothing stands could be made and not be written.
    async fn wait_for_mark(&self, container: &str, path: &str) -> Driven<()> {
        let began = tokio::time::Instant::now();
        let mut size = None;
        while began.elapsed() < INSIDE {
            size = self.size_of(container, &format!("{path}.begun")).await?;
            if size.is_some_and(|bytes| bytes > 0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        match size {
            Some(_) => Err(self.full(container)),
            None => Err(self.failed(&format!("a script in {container} was not begun"))),
        }
    }

    fn full(&self, container: &str) -> DriverFault {
        let what = format!("see to a script in {container}, where nothing could be written");
        DriverFault::NoRoom(self.tried(&what))
    }

    pub async fn look_at_task(&self, id: InstanceId, name: &str) -> Driven<TaskState> {
        let Some(container) = self.container(id).await? else { return Ok(TaskState::Unknown) };
        if container.status() == Status::Paused {
            return Ok(TaskState::Running);
        }
        if !container.is_running() {
            return self.look_at_ended(&container.name, &path(name)).await;
        }
        let look = [SHELL, "-c", LOOK, "berth", &path(name)];
        let output = self.run_within(INSIDE, &container.name, &look).await?.output;
        if output.trim_end() == "full" {
            return Err(self.full(&container.name));
        }
        // What stands there instead is the owner's to read, not the operator's.
        state(&output)
            .ok_or_else(|| self.failed(&format!("{} tells nothing of a script", container.name)))
    }

    /// The same of a container in which nothing can be run.
    async fn look_at_ended(&self, container: &str, path: &str) -> Driven<TaskState> {
        let status = format!("{path}.status");
        let archive = self.get_file(container, &status, MOST_STATUS_BYTES).await?;
        let status = archive.and_then(|archive| first_file(&archive));
        if let Some(status) = status.and_then(|text| text.trim().parse().ok()) {
            return Ok(TaskState::Ended { status, output: String::new() });
        }
        let is_begun = self.has(container, &format!("{path}.begun")).await?;
        Ok(if is_begun { TaskState::Lost } else { TaskState::Unknown })
    }

    pub async fn end_task(&self, id: InstanceId, name: &str) -> Driven<()> {
        let Some(container) = self.container(id).await? else { return Ok(()) };
        if container.is_running() {
            let end = [SHELL, "-c", END, "berth", &path(name)];
            self.run_within(INSIDE, &container.name, &end).await?;
        }
        Ok(())
    }
}

/// What [`LOOK`] printed.
fn state(printed: &str) -> Option<TaskState> {
    let (first, rest) = printed.split_once('\n').unwrap_or((printed, ""));
    match first.trim().split_once(' ') {
        None => match first.trim() {
            "unknown" => Some(TaskState::Unknown),
            "running" => Some(TaskState::Running),
            "lost" => Some(TaskState::Lost),
            _ => None,
        },
        Some(("ended", status)) => {
            let status = status.parse().ok()?;
            Some(TaskState::Ended { status, output: rest.to_owned() })
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_look_printed_is_read() {
        let ended = |status, output: &str| TaskState::Ended { status, output: output.to_owned() };
        for (printed, expected) in [
            ("unknown\n", Some(TaskState::Unknown)),
            ("running\n", Some(TaskState::Running)),
            ("lost\n", Some(TaskState::Lost)),
            ("ended 0\n", Some(ended(0, ""))),
            (
                "ended 127\nsh: nix: not found\nended 0\n",
                Some(ended(127, "sh: nix: not found\nended 0\n")),
            ),
            ("ended \n", None),
            ("sh: syntax error\n", None),
            ("", None),
        ] {
            assert_eq!(state(printed), expected, "{printed}");
        }
    }
}
