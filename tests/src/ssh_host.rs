//! A Linux host of a test's own, reached over SSH: Debian's OpenSSH in namespaces, on files that
//! look like this machine's and are changed in memory alone. Nothing of it meets the machine's or
//! another test's: neither users nor processes nor control groups. Needs root.

use std::fs::{self, File, Permissions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use domain::remote::HostKey;

use crate::engine::ssh;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/containers/ssh-host");
const FOLDERS: &str = "berth-ssh-host.";
const GROUPS: &str = "/sys/fs/cgroup";
/// Stands before a program of the host's.
const HOLDER: &str = r#"#!/bin/sh
call="NAME $*"
is_held() {
  # Unquoted it is a pattern.
  case $call in $(cat /run/hold 2>/dev/null)) return 0 ;; esac
  return 1
}
if is_held; then
  echo "$call" >>/run/held
  while is_held; do /usr/bin/sleep 0.05; done
fi
exec /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin NAME "$@"
"#;

/// A running host; it goes with all that it has when dropped.
pub struct SshHost {
    folder: PathBuf,
    process: Child,
    /// Its first process, which has its files and namespaces.
    first: u32,
    /// Where its SSH server listens.
    pub address: SocketAddr,
    /// The private key that lets in root and `keeper`, in a file.
    pub key: PathBuf,
}

impl SshHost {
    /// Starts a host.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one whose SSH server listens at this port of its address.
    pub fn start_at_port(port: u16) -> Self {
        Self::start_as("", port)
    }

    /// Starts one with more lines in its SSH server's configuration.
    pub fn start_with(more: &str) -> Self {
        Self::start_as(more, 0)
    }

    fn start_as(more: &str, port: u16) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let name = format!("{process}.{number}");
        let folder = std::env::temp_dir().join(format!("{FOLDERS}{name}"));
        fs::create_dir_all(folder.join("files")).unwrap();
        make_groups(&group(&folder));
        let key = folder.join("operator");
        let line = make_key(&key);
        fs::write(folder.join("authorized_keys"), line).unwrap();
        let number = process.wrapping_mul(16).wrapping_add(number);
        let address = free_address(number, port);
        let (ip, port) = (address.ip(), address.port());
        let config = format!(
            "ListenAddress {ip}:{port}\nUsePAM yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nMaxStartups 100\n{more}"
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let process = launch(&folder);
        let mut host = Self { folder, process, first: 0, address, key };
        host.wait_until_ready();
        host
    }

    fn wait_until_ready(&mut self) {
        let began = Instant::now();
        loop {
            let is_ready = self.folder.join("ready").exists();
            if is_ready && TcpStream::connect(self.address).is_ok() {
                break;
            }
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let has_ended = self.process.try_wait().unwrap().is_some();
            let is_late = began.elapsed() > Duration::from_secs(20);
            assert!(!has_ended && !is_late, "the host did not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let process = self.process.id();
        let children = format!("/proc/{process}/task/{process}/children");
        self.first = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    }

    /// A file of the host as this process can open it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.first))
    }

    /// Runs a line as the host's root, without SSH.
    pub fn run(&self, line: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first.to_string(), "--mount", "--pid", "--uts", "--ipc"]);
        command.args(["--root", "--wd", "sh", "-c", line]).stdin(Stdio::null());
        // What a test puts before the host's programs is for the driver.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap()
    }

    /// What such a line printed; it must succeed.
    pub fn told(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A new key pair: the private file and the public line.
    pub fn new_key(&self, name: &str) -> (PathBuf, String) {
        let file = self.folder.join(name);
        let line = make_key(&file);
        (file, line.trim().to_owned())
    }

    /// A command over SSH, by the client that renters have.
    pub fn ssh(&self, user: &str, key: &Path, line: &str) -> Output {
        ssh((self.address.ip(), self.address.port()), (user, key), line)
    }

    /// The key that the host shows.
    pub fn host_key(&self, kind: &str) -> HostKey {
        let file = self.path(&format!("/etc/ssh/ssh_host_{kind}_key.pub"));
        HostKey::parse(&fs::read_to_string(file).unwrap()).unwrap()
    }

    /// Gives the host other keys, as a reinstallation does.
    pub fn change_host_keys(&self) {
        for kind in ["ed25519", "ecdsa"] {
            let file = format!("/etc/ssh/ssh_host_{kind}_key");
            self.told(&format!("rm {file}*; ssh-keygen -q -t {kind} -N '' -C '' -f {file}"));
        }
        self.told("pkill -HUP -o -x sshd");
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Lets [`Self::hold`] stop scripts before they run these programs.
    pub fn make_holdable(&self, programs: &[&str]) {
        for name in programs {
            let file = self.path(&format!("/usr/local/sbin/{name}"));
            fs::write(&file, HOLDER.replace("NAME", name)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// From now on no script goes on beyond a call that matches this pattern of the shell, such as
    /// `userdel *`, and no other call is held any more.
    pub fn hold(&self, pattern: &str) {
        drop(fs::remove_file(self.path("/run/held")));
        // Whole or not at all, for who reads it at this moment.
        fs::write(self.path("/run/hold.new"), pattern).unwrap();
        fs::rename(self.path("/run/hold.new"), self.path("/run/hold")).unwrap();
    }

    /// Whether a script has come to the call that is held.
    pub fn is_held(&self) -> bool {
        self.path("/run/held").exists()
    }

    /// Lets all go on that is held.
    pub fn release(&self) {
        fs::remove_file(self.path("/run/hold")).unwrap();
    }

    /// Its network is gone: connections break and no new ones are taken. What runs goes on.
    pub fn leave(&self) {
        self.told("touch /run/away; pkill -KILL sshd");
    }

    /// Undoes [`Self::leave`].
    pub fn come_back(&self) {
        fs::remove_file(self.path("/run/away")).unwrap();
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it does not listen: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nothing runs any more: connections stay, and nobody answers.
    pub fn freeze(&self) {
        self.told("kill -s STOP -- -1");
    }

    /// Undoes [`Self::freeze`].
    pub fn thaw(&self) {
        self.told("kill -s CONT -- -1");
    }

    /// What the SSH server has told.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        destroy(&self.folder);
    }
}

fn make_key(file: &Path) -> String {
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"];
    assert!(Command::new("ssh-keygen").args(words).arg(file).status().unwrap().success());
    fs::read_to_string(file.with_extension("pub")).unwrap()
}

/// Of this machine's own addresses, one for each host.
fn free_address(number: u32, port: u16) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    // All of 127.0.0.0/8 is this machine's, also what ends with 0 or 255.
    let address = Ipv4Addr::new(127, 128 | a, b, c);
    let listener = TcpListener::bind((address, port)).unwrap();
    SocketAddr::new(IpAddr::V4(address), listener.local_addr().unwrap().port())
}

fn launch(folder: &Path) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    // The kernel ends all of it should the test be killed before it can.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--uts", "--ipc"]);
    command.args(["--fork", "--kill-child=KILL", SCRIPT]).arg(folder).arg(group(folder));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    // Signals that are sent to the test's group are not for the host.
    command.process_group(0);
    command.spawn().expect("setpriv and unshare are installed by ./check")
}

fn group(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    name.replace('.', "-")
}

fn is_version_2() -> bool {
    Path::new(GROUPS).join("cgroup.controllers").exists()
}

fn group_folders(group: &str) -> Vec<PathBuf> {
    let root = Path::new(GROUPS);
    if is_version_2() {
        return vec![root.join(group)];
    }
    ["cpuset", "memory", "pids"].map(|controller| root.join(controller).join(group)).into()
}

fn make_groups(group: &str) {
    for folder in group_folders(group) {
        fs::create_dir_all(&folder).unwrap();
    }
    let root = Path::new(GROUPS);
    if is_version_2() {
        fs::write(root.join("cgroup.subtree_control"), "+cpuset +memory +pids").unwrap();
        return;
    }
    for file in ["cpuset.mems", "cpuset.cpus"] {
        let all = fs::read(root.join("cpuset").join(file)).unwrap();
        fs::write(root.join("cpuset").join(group).join(file), all).unwrap();
    }
}

/// What a killed test left behind.
fn remove_abandoned() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(host) = name.strip_prefix(FOLDERS) else { continue };
        let process = host.split('.').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            destroy(&entry.path());
        }
    }
}

fn destroy(folder: &Path) {
    let mut remains = true;
    // What was just killed may let go of its groups a moment later.
    for _ in 0..50 {
        remains = group_folders(&group(folder)).iter().any(|folder| !remove_groups(folder));
        if !remains {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(fs::remove_dir_all(folder));
    if !std::thread::panicking() {
        assert!(!remains, "control groups of {} stay", folder.display());
    }
}

/// Removes a group and those below it; whether it is gone.
fn remove_groups(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_groups(&entry.path());
        }
    }
    drop(fs::remove_dir(folder));
    !folder.exists()
}
