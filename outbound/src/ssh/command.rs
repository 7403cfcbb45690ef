//! One command on a connection.

use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::time::{Instant, timeout, timeout_at};

use super::tail::Tail;

/// How long the last of what was printed may take after the exit status.
const REST: Duration = Duration::from_secs(2);

/// How a command ended.
pub struct Ran {
    /// Its exit status; none where a signal ended it.
    pub status: Option<u32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Why it is not known how a command ended.
pub struct Unknown {
    /// In words.
    pub why: String,
    /// What came until then.
    pub output: String,
}

#[derive(Default)]
struct Seen {
    status: Option<u32>,
    signal: Option<String>,
    is_refused: bool,
    stdout: Tail,
    stderr: Tail,
}

/// Runs a command with this input.
pub async fn run(
    mut channel: Channel<Msg>,
    command: &str,
    input: String,
    most: Duration,
) -> Result<Ran, Unknown> {
    let mut seen = Seen::default();
    let deadline = Instant::now() + most;
    let talk = async {
        channel.exec(true, command).await?;
        channel.data_bytes(input.into_bytes()).await?;
        channel.eof().await?;
        while let Some(message) = channel.wait().await {
            if seen.take(message) {
                break;
            }
        }
        Ok::<(), russh::Error>(())
    };
    let ended = timeout_at(deadline, talk).await;
    if ended.is_ok() && seen.status.is_some() {
        let rest =
            async { while channel.wait().await.is_some_and(|last| !seen.take_rest(last)) {} };
        // What still holds the output open is not waited for.
        let _in_time = timeout(REST, rest).await;
    }
    // It may be closed already.
    let _closed = channel.close().await;
    match ended {
        Err(_) => Err(seen.unknown(format!("did not end within {} s", most.as_secs_f32()))),
        Ok(Err(fault)) => Err(seen.unknown(format!("the connection broke: {fault}"))),
        Ok(Ok(())) => seen.ran(),
    }
}

impl Seen {
    /// Answers whether that was the end.
    fn take(&mut self, message: ChannelMsg) -> bool {
        match message {
            ChannelMsg::ExitStatus { exit_status } => self.status = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.signal = Some(format!("{signal_name:?}"));
            }
            ChannelMsg::Failure => self.is_refused = true,
            more => return self.take_rest(more),
        }
        true
    }

    fn take_rest(&mut self, message: ChannelMsg) -> bool {
        match message {
            ChannelMsg::Data { data } => self.stdout.push(&data),
            ChannelMsg::ExtendedData { data, .. } => self.stderr.push(&data),
            ChannelMsg::Close => return true,
            _ => {}
        }
        false
    }

    fn unknown(self, why: String) -> Unknown {
        let output = format!("{}{}", self.stdout.into_text(), self.stderr.into_text());
        Unknown { why, output }
    }

    fn ran(self) -> Result<Ran, Unknown> {
        if self.is_refused {
            return Err(self.unknown("the host runs no commands for this account".to_owned()));
        }
        if self.status.is_none() && self.signal.is_none() {
            return Err(self.unknown("the connection broke before the end".to_owned()));
        }
        let mut stderr = self.stderr.into_text();
        if let Some(signal) = self.signal {
            stderr.push_str("ended by the signal ");
            stderr.push_str(&signal);
        }
        Ok(Ran { status: self.status, stdout: self.stdout.into_text(), stderr })
    }
}
