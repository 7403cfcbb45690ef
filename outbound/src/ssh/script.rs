//! Scripts and the values that they are given.

use std::fmt::Write;
use std::time::Duration;

const LIMITS: &str = include_str!("scripts/limits.sh");
const COMMON: &str = include_str!("scripts/common.sh");
const ENDING: &str = include_str!("scripts/ending.sh");
const HOSTS: &str = include_str!("scripts/hosts.sh");
const SESSION: &str = include_str!("scripts/session.sh");

/// The exit status of what a host never will do; why stands on the last line.
pub const REFUSED: u32 = 77;

/// What is printed where nobody may become root.
const NOT_ROOT: &str = "log in as root, or as somebody whom sudo lets become root without a \
    password (NOPASSWD: ALL)";

/// A script with its values.
pub struct Script {
    body: &'static str,
    values: String,
}

impl Script {
    /// One without values.
    pub const fn new(body: &'static str) -> Self {
        Self { body, values: String::new() }
    }

    /// Gives it a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        push(&mut self.values, name, value);
        self
    }

    /// What the host's shell reads. It is one compound command, so that nothing at all is done
    /// where the connection breaks before its end.
    pub fn text(&self, lock: Duration) -> String {
        let mut text = "{\nexec </dev/null\nset -eu\n".to_owned();
        push(&mut text, "lock_seconds", &lock.as_secs().to_string());
        text.push_str(&self.values);
        for part in [LIMITS, COMMON, ENDING, HOSTS, self.body] {
            text.push_str(part);
            text.push('\n');
        }
        text.push_str("exit 0\n}\n");
        text
    }
}

/// What the host runs at log-ins.
pub fn session() -> String {
    format!("{LIMITS}\n{SESSION}")
}

/// What is asked for when a channel is opened: a shell of root's that ends by itself should nobody
/// end it, also where the account has another kind of shell.
pub fn command(most: Duration) -> String {
    let seconds = most.as_secs().max(1);
    let line = format!(
        "if [ \"$(id -u)\" = 0 ]; then set --; \
         elif sudo -n true >/dev/null 2>&1; then set -- sudo -n; \
         else echo {} >&2; exit {REFUSED}; fi; \
         if command -v timeout >/dev/null; then set -- \"$@\" timeout -k 5 {seconds}; fi; \
         exec \"$@\" sh -s",
        quoted(NOT_ROOT)
    );
    format!("exec sh -c {}", quoted(&line))
}

fn push(text: &mut String, name: &str, value: &str) {
    // Writing to a string does not fail.
    let _written = writeln!(text, "{name}={}", quoted(value));
}

/// A word of the shell that means these characters and nothing else. What no shell can hold is left
/// out.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn through_shell(value: &str) -> String {
        let mut line = String::new();
        push(&mut line, "value", value);
        let line = format!("{line}printf '%s' \"$value\"");
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn what_a_shell_would_do_something_with_stays_as_it_is() {
        for value in [
            "",
            "plain",
            "it's",
            "''",
            "'; touch /tmp/broken; '",
            "$(id) `id` $HOME \\ \" ! * ? ~ # & | < >",
            "two\nlines\n",
            "\\'",
            "end\\",
            "héllo",
        ] {
            assert_eq!(through_shell(value), value);
        }
        assert_eq!(through_shell("no\0thing"), "nothing");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn any_text_comes_through(value in "[^\0]{0,60}") {
            prop_assert_eq!(through_shell(&value), value);
        }
    }

    /// Seen failing without the braces: all but the last lines were done.
    #[test]
    fn a_script_that_was_cut_off_does_nothing() {
        let script = Script::new("echo done\n").with("unit", "c0");
        let text = script.text(Duration::from_secs(1));
        let run = |text: &str| Command::new("sh").args(["-c", text]).output().unwrap().stdout;
        assert_eq!(run(&text), b"done\n");
        let cuts = text.char_indices().map(|(at, _)| at).filter(|at| at % 97 == 0);
        for cut in cuts.chain([text.len() - 2, text.len() - 3]) {
            assert_eq!(run(&text[..cut]), b"", "{cut}");
        }
    }
}
