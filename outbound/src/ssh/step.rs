//! A step: what is done on a host, and what becomes of it.

use std::time::Duration;

use domain::host::HostId;
use domain::instance::{Driven, DriverFault};
use domain::remote::{Login, Outcome, Step};
use domain::{Error, remote};
use tokio::time::timeout;

use super::client::Refusal;
use super::command::{self, Ran, Unknown};
use super::script::{self, REFUSED, Script};
use super::{Shared, Ssh};

/// Of what a failing script printed, what the operator is told.
const TOLD_LINES: usize = 5;
const TOLD_BYTES: usize = 600;

/// How a step ended: what it printed, or why it failed; and what the journal is told.
struct Ended {
    answer: Driven<String>,
    outcome: Outcome,
}

impl Ended {
    fn fault(fault: DriverFault, output: &str) -> Self {
        let outcome = Outcome::new(None, &format!("{output}\n{fault}"));
        Self { answer: Err(fault), outcome }
    }
}

impl Ssh {
    /// Runs a script on a host and answers what it printed. It is finished and noted also where
    /// nobody waits for it any more.
    pub(super) async fn step(
        &self,
        host_id: HostId,
        (name, subject): (&'static str, Option<String>),
        script: Script,
    ) -> Driven<String> {
        let shared = std::sync::Arc::clone(&self.shared);
        let step = Step { host_id, subject, name };
        let running = tokio::spawn(async move { shared.journaled(&step, &script).await });
        let broken = |fault| DriverFault::Failed(format!("{name}: {fault}"));
        running.await.map_err(|fault| broken(fault.to_string()))?
    }
}

impl Shared {
    async fn journaled(&self, step: &Step, script: &Script) -> Driven<String> {
        let failed = |fault: Error| {
            DriverFault::Failed(format!("{}: the journal failed: {fault}", step.name))
        };
        let id = self.book.begun(step).await.map_err(failed)?;
        let late = || {
            let seconds = self.settings.step.as_secs_f32();
            let why = format!("{}: it did not end within {seconds} s", step.name);
            Ended::fault(DriverFault::Failed(why), "")
        };
        let running = Box::pin(self.run(step, script));
        let ended = timeout(self.settings.step, running).await.unwrap_or_else(|_| late());
        let noted = self.book.ended(id, &ended.outcome).await;
        let printed = ended.answer?;
        noted.map_err(failed)?;
        Ok(printed)
    }

    async fn run(&self, step: &Step, script: &Script) -> Ended {
        let Ok(_turn) = self.turns.acquire().await else {
            return Ended::fault(DriverFault::Failed("the driver has ended".to_owned()), "");
        };
        let login = match self.book.login(step.host_id).await {
            Ok(login) => login,
            Err(fault) => return Ended::fault(without_login(step.name, &fault), ""),
        };
        let told = |why: String| DriverFault::Failed(format!("{}: {why}", place(step, &login)));
        let opened = self.connections.channel(&self.book, step.host_id, &login).await;
        let (channel, _user) = match opened {
            Ok(opened) => opened,
            Err(Refusal::Broken(why) | Refusal::Changed(why)) => {
                return Ended::fault(told(why), "");
            }
        };
        let most = self.settings.command;
        // What we gave up ends by itself a little later, so the next one waits a little longer.
        let lock = most.mul_f32(0.5).max(Duration::from_secs(1));
        let command = script::command(most);
        match command::run(channel, &command, script.text(lock), most).await {
            Ok(ran) => judge(step, &login, ran),
            Err(Unknown { why, output }) => Ended::fault(told(why), &output),
        }
    }
}

fn without_login(step: &str, fault: &Error) -> DriverFault {
    if let Error::NotFound(_) = fault {
        let why = format!("{step}: nobody has said how to log in to this host");
        return DriverFault::Refused(why);
    }
    let cause = fault.for_the_log();
    DriverFault::Failed(format!("{step}: the book of logins failed: {cause}"))
}

/// Where and what, for the operator.
fn place(step: &Step, login: &Login) -> String {
    let remote::Login { username, address, port, .. } = login;
    format!("{} as {username} at {address} port {port}", step.name)
}

fn judge(step: &Step, login: &Login, ran: Ran) -> Ended {
    let Ran { status, stdout, stderr } = ran;
    let outcome = Outcome::new(status.map(i64::from), &format!("{stdout}{stderr}"));
    let answer = match status {
        Some(0) => Ok(stdout),
        Some(REFUSED) => Err(DriverFault::Refused(last_lines(&stderr, 1))),
        other => {
            let status = other.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let printed = if stderr.trim().is_empty() { &stdout } else { &stderr };
            let place = place(step, login);
            let lines = last_lines(printed, TOLD_LINES);
            Err(DriverFault::Failed(format!("{place}: exit status {status}: {lines}")))
        }
    };
    Ended { answer, outcome }
}

/// The end of a text, in one line.
fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(most);
    let told = lines.get(from..).unwrap_or_default().join("; ");
    let from = told.len().saturating_sub(TOLD_BYTES);
    let from = (from..=told.len()).find(|at| told.is_char_boundary(*at)).unwrap_or(told.len());
    told.get(from..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_printed_is_told_in_one_line() {
        assert_eq!(last_lines("one\n\ntwo\nthree\n", 2), "two; three");
        assert_eq!(last_lines("only\n", 5), "only");
        assert_eq!(last_lines("", 5), "");
        let long = "ü".repeat(5_000);
        assert_eq!(last_lines(&long, 1), "ü".repeat(TOLD_BYTES / 2));
    }
}
