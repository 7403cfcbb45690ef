//! The password that logs in by SSH beside keys. The image's own tool gives it to the account, and the image's
//! server is told to take it; on the host it stands nowhere.

use domain::instance::{Driven, InstanceSpec};
use secrecy::{ExposeSecret, SecretString};

use super::engine::{Container, Engine};
use super::files::first_file;
use super::look;

const SERVER_CONFIG: &str = "/etc/ssh/sshd_config";
/// Comes before what others put there: of several values, the server takes the first.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-berth.conf";
/// More than any configuration that is meant.
const MOST_CONFIG_BYTES: usize = 1024 * 1024;

const BEGIN: &str = "# Berth: what follows is set at every start.";
const END: &str = "# Berth: end.";

/// The line of name and password comes in by standard input and stays in the shell, whose `printf` is its
/// own. Every image's server can check SHA-512; without a method named, some tools ask PAM, which not
/// every image has.
const SET_PASSWORD: &str = "PATH=$PATH:/usr/sbin:/sbin; IFS= read -r line; \
     printf '%s\\n' \"$line\" | chpasswd -c SHA512 || printf '%s\\n' \"$line\" | chpasswd";

/// The server reads its configuration anew, if it runs.
const RELOAD_SSH: &str = "for file in /run/sshd.pid /var/run/sshd.pid; do \
     read -r process <$file && kill -HUP $process && break; done 2>/dev/null; true";

impl Engine {
    /// Lets the image's server ask for a password, if there is one to ask for; called before the container
    /// is started, as its own command may start the server. Answers whether the server did not do so before.
    pub async fn accept_password(
        &self,
        spec: &InstanceSpec,
        container: &Container,
    ) -> Driven<bool> {
        let (name, user) = (&container.name, &spec.username);
        if spec.password.is_none() || !self.has(name, look::SSHD).await? {
            return Ok(false);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !user.bytes().all(plain) {
            return Err(self.refused("a user of that name gets no password"));
        }
        let config = self.config_file(name, SERVER_CONFIG).await?;
        let (path, text) = match &config {
            Some(config) if !reads_drop_ins(config) => (SERVER_CONFIG, with_block(config, user)),
            _ => (DROP_IN, block(user)),
        };
        if self.config_file(name, path).await?.as_ref() == Some(&text) {
            return Ok(false);
        }
        self.put_text(name, path, &text).await?;
        Ok(true)
    }

    /// Gives the password to whoever logs in; their account is not locked any more.
    pub async fn set_password(&self, spec: &InstanceSpec, container: &Container) -> Driven<()> {
        let name = &container.name;
        let Some(password) = &spec.password else { return Ok(()) };
        if !self.has(name, look::SSHD).await? {
            return Ok(());
        }
        let line = self.line(&spec.username, password)?;
        let ended = self.run_fed(name, &["/bin/sh", "-c", SET_PASSWORD], &line).await?;
        match ended.status {
            Some(0) => Ok(()),
            // Not what was printed: an image's own program may print what it was fed.
            _ => Err(self.failed(&format!("set the password in {name}: chpasswd failed"))),
        }
    }

    /// Tells a server that ran before it was told to take passwords.
    pub async fn reload_ssh(&self, container: &Container) -> Driven<()> {
        self.run(&container.name, &["/bin/sh", "-c", RELOAD_SSH]).await.map(drop)
    }

    fn line(&self, user: &str, password: &SecretString) -> Driven<SecretString> {
        let password = password.expose_secret();
        if password.is_empty() || password.chars().any(char::is_control) {
            return Err(self.refused("the password is empty or has characters that nobody types"));
        }
        Ok(format!("{user}:{password}\n").into())
    }

    /// The text of a file, unless it is none or too long to be meant.
    async fn config_file(&self, container: &str, path: &str) -> Driven<Option<String>> {
        let archive = self.get_file(container, path, MOST_CONFIG_BYTES).await?;
        let whole = archive.filter(|archive| archive.len() <= MOST_CONFIG_BYTES);
        Ok(whole.and_then(|archive| first_file(&archive)).filter(|text| !text.is_empty()))
    }
}

/// What a server's configuration says of this user. The last line ends the part that is theirs.
fn block(user: &str) -> String {
    let root = if user == "root" { "    PermitRootLogin yes\n" } else { "" };
    format!("{BEGIN}\nMatch User {user}\n    PasswordAuthentication yes\n{root}Match all\n{END}\n")
}

/// Older servers read one file alone; a part for one user stands at its end.
fn with_block(config: &str, user: &str) -> String {
    let ours = config.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&format!("{END}\n"))?;
        Some((before, after))
    });
    let (before, after) = ours.unwrap_or((config, ""));
    let line_end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    format!("{before}{line_end}{after}{}", block(user))
}

/// Whether the server reads files beside this one, from where ours is.
fn reads_drop_ins(config: &str) -> bool {
    config.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("include"))
            && words.any(|path| path.ends_with("sshd_config.d/*.conf"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_reads_other_files_is_known() {
        for config in
            ["Include /etc/ssh/sshd_config.d/*.conf\n", "a b\n  include sshd_config.d/*.conf"]
        {
            assert!(reads_drop_ins(config), "{config}");
        }
        for config in
            ["", "#Include /etc/ssh/sshd_config.d/*.conf\n", "Include /etc/crypto-policies/a.conf"]
        {
            assert!(!reads_drop_ins(config), "{config}");
        }
    }

    #[test]
    fn our_part_of_a_configuration_is_replaced() {
        let root = "# Berth: what follows is set at every start.\nMatch User root\n    \
                    PasswordAuthentication yes\n    PermitRootLogin yes\nMatch all\n# Berth: end.\n";
        let first = with_block("UsePAM no", "root");
        assert_eq!(first, format!("UsePAM no\n{root}"));
        assert_eq!(with_block(&first, "root"), first);
        let other = with_block(&format!("{first}X11Forwarding no\n"), "jane");
        let jane = root.replace("root", "jane").replace("    PermitRootLogin yes\n", "");
        assert_eq!(other, format!("UsePAM no\nX11Forwarding no\n{jane}"));
    }
}
