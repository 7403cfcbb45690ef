//! What is put into a container: who may log in, and scripts.

use std::io::{Cursor, Read as _};
use std::path::{Component, Path};

use domain::instance::{Driven, InstanceSpec};
use tar::{Archive, Builder, EntryType, Header};

use super::engine::Engine;
use super::names::{self, DiskOf};

/// Where the script lies.
pub const SCRIPT: &str = "/var/lib/berth/script";

/// The mark that an instance's script was begun. A disk that outlives its instance meets the next one's script.
pub fn script_started(spec: &InstanceSpec) -> String {
    match DiskOf::of(spec) {
        DiskOf::Instance(_) => format!("{SCRIPT}.started"),
        DiskOf::Volume(_) => format!("{SCRIPT}.{}.started", spec.id),
    }
}

/// The mark that something was begun which belongs to every start, of this start of the container.
pub fn begun_since(started_at: &str, what: &str) -> String {
    let plain = started_at.chars().filter(char::is_ascii_alphanumeric);
    format!("{SCRIPT}.{what}.{}", plain.collect::<String>())
}

/// More than any list of users that is meant.
const MOST_PASSWD_BYTES: usize = 1024 * 1024;

/// A user of the image.
#[derive(Debug, PartialEq, Eq)]
struct User {
    uid: u64,
    gid: u64,
    home: String,
}

impl Engine {
    /// Puts keys and script in place; the keys that were there go.
    pub async fn put_files(&self, spec: &InstanceSpec) -> Driven<()> {
        let container = names::container(spec.id);
        let user = self.user(&container, &spec.username).await?;
        let broken = |fault: std::io::Error| self.failed(&format!("make an archive: {fault}"));
        // A home that is there keeps its mode; a volume on it is reached only by its own path.
        let (folder, prefix) = if self.has(&container, &user.home).await? {
            (user.home.as_str(), String::new())
        } else {
            ("/", format!("{}/", user.home.trim_matches('/')))
        };
        let archive = keys(&user, &prefix, &spec.public_keys).map_err(broken)?;
        self.put(&container, folder, archive).await?;
        if let Some(script) = &spec.script {
            let archive = packed(SCRIPT, script).map_err(broken)?;
            self.put(&container, "/", archive).await?;
        }
        Ok(())
    }

    /// Puts a script at this path, for root alone, and makes the folders above it that are ours.
    pub async fn put_script(&self, container: &str, path: &str, script: &str) -> Driven<()> {
        let broken = |fault: std::io::Error| self.failed(&format!("make an archive: {fault}"));
        self.put(container, "/", packed(path, script).map_err(broken)?).await
    }

    /// Puts a text at this path, for root to write and all to read.
    pub async fn put_text(&self, container: &str, path: &str, text: &str) -> Driven<()> {
        let broken = |fault: std::io::Error| self.failed(&format!("make an archive: {fault}"));
        let root = User { uid: 0, gid: 0, home: String::new() };
        let mut archive = Builder::new(Vec::new());
        add(&mut archive, path.trim_start_matches('/'), 0o644, &root, Some(text))
            .map_err(broken)?;
        self.put(container, "/", archive.into_inner().map_err(broken)?).await
    }

    async fn user(&self, container: &str, name: &str) -> Driven<User> {
        let archive = self.get_file(container, "/etc/passwd", MOST_PASSWD_BYTES).await?;
        let passwd = archive.and_then(|archive| first_file(&archive)).unwrap_or_default();
        let known = passwd.lines().find_map(|line| user_of_line(line, name));
        let root = || User { uid: 0, gid: 0, home: "/root".to_owned() };
        known
            .or_else(|| (name == "root").then(root))
            .filter(|user| is_plain(&user.home))
            .ok_or_else(|| self.refused(&format!("the image has no user {name} with a home")))
    }
}

fn user_of_line(line: &str, name: &str) -> Option<User> {
    let mut fields = line.split(':');
    fields.next().filter(|found| *found == name)?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1)?.trim_end_matches('/');
    Some(User { uid, gid, home: home.to_owned() })
}

/// The image decides what stands there: an absolute path without steps up, and not the root itself.
fn is_plain(home: &str) -> bool {
    let path = Path::new(home);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.parent().is_some() && path.components().all(plain)
}

/// The text of the first file in an archive, which may be cut off.
pub fn first_file(archive: &[u8]) -> Option<String> {
    let mut archive = Archive::new(Cursor::new(archive));
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut bytes = Vec::new();
    // What a cut archive lacks is at its end; the lines before are whole.
    let _cut = entry.read_to_end(&mut bytes);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `.ssh` with the keys, `prefix` before it. The prefix itself is a home that is not there yet.
fn keys(user: &User, prefix: &str, public_keys: &[String]) -> std::io::Result<Vec<u8>> {
    let mut text = String::new();
    for key in public_keys {
        text.push_str(key.trim());
        text.push('\n');
    }
    let mut archive = Builder::new(Vec::new());
    if !prefix.is_empty() {
        add(&mut archive, prefix, 0o700, user, None)?;
    }
    add(&mut archive, &format!("{prefix}.ssh/"), 0o700, user, None)?;
    add(&mut archive, &format!("{prefix}.ssh/authorized_keys"), 0o600, user, Some(&text))?;
    archive.into_inner()
}

/// A script with the folders above it that are ours.
fn packed(path: &str, script: &str) -> std::io::Result<Vec<u8>> {
    let root = User { uid: 0, gid: 0, home: String::new() };
    let mut archive = Builder::new(Vec::new());
    let path = path.trim_start_matches('/');
    let ours = path.match_indices('/').map(|(at, _)| path.split_at(at + 1).0);
    for folder in ours.filter(|folder| folder.contains("/berth/")) {
        add(&mut archive, folder, 0o700, &root, None)?;
    }
    add(&mut archive, path, 0o700, &root, Some(script))?;
    archive.into_inner()
}

/// Adds a folder, or a file with a text.
fn add(
    archive: &mut Builder<Vec<u8>>,
    path: &str,
    mode: u32,
    owner: &User,
    text: Option<&str>,
) -> std::io::Result<()> {
    let bytes = text.unwrap_or_default().as_bytes();
    let mut header = Header::new_gnu();
    header.set_entry_type(if text.is_some() { EntryType::Regular } else { EntryType::Directory });
    header.set_size(u64::try_from(bytes.len()).map_err(std::io::Error::other)?);
    header.set_mode(mode);
    header.set_uid(owner.uid);
    header.set_gid(owner.gid);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_the_image() {
        let line = "jane:x:1000:1001:Jane,,,:/home/jane/:/bin/bash";
        let jane = User { uid: 1000, gid: 1001, home: "/home/jane".to_owned() };
        assert_eq!(user_of_line(line, "jane"), Some(jane));
        for other in ["jan", "janet", ""] {
            assert_eq!(user_of_line(line, other), None, "{other}");
        }
        assert_eq!(user_of_line("jane:x:many:1:::", "jane"), None);
        assert_eq!(user_of_line("jane", "jane"), None);
    }

    #[test]
    fn a_home_that_leads_elsewhere_is_none() {
        for home in ["/root", "/home/a.b", "/var/lib/x"] {
            assert!(is_plain(home), "{home}");
        }
        for home in ["", "/", "home", "/home/../etc", ".."] {
            assert!(!is_plain(home), "{home}");
        }
    }

    #[test]
    fn keys_belong_to_their_user_alone() {
        let user = User { uid: 1000, gid: 1001, home: "/home/jane".to_owned() };
        let archive = keys(&user, "home/jane/", &["ssh-ed25519 AAAA jane\n".to_owned()]).unwrap();
        let mut archive = Archive::new(Cursor::new(archive));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                let (path, header) = (entry.path().unwrap().into_owned(), entry.header());
                let owner = (header.uid().unwrap(), header.gid().unwrap());
                (path.display().to_string(), header.mode().unwrap(), owner, text)
            })
            .collect();
        let file = "home/jane/.ssh/authorized_keys".to_owned();
        let line = "ssh-ed25519 AAAA jane\n".to_owned();
        assert_eq!(found[2], (file, 0o600, (1000, 1001), line));
        assert_eq!(found[1].1, 0o700);
        assert_eq!(found.len(), 3);
    }
}
