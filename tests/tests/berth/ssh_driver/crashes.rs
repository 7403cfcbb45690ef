use std::time::Duration;

use super::*;

/// The programs that change a host. Each is replaced by one that counts its calls, and kills the
/// script when the count says so: before the program has run or, every other time, after it.
const PROGRAMS: &str = "mkdir mv rm rmdir cp chmod chown useradd userdel groupdel usermod find \
    setpriv sed sleep pkill";

/// Lets the host's scripts be killed at any of their commands.
fn mine(host: &SshHost) {
    let wrapper = r#"#!/bin/sh
fuse=$(cat /run/fuse 2>/dev/null) || exec env PATH=/usr/sbin:/usr/bin:/sbin:/bin NAME "$@"
echo $((fuse - 1)) >/run/fuse
if [ "$fuse" = 0 ]; then
  /usr/bin/rm -f /run/fuse
  [ -e /run/before ] || PATH=/usr/sbin:/usr/bin:/sbin:/bin NAME "$@"
  /usr/bin/pkill -KILL -x -f 'sh -s'
  exit 1
fi
exec /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin NAME "$@"
"#;
    for name in PROGRAMS.split_whitespace() {
        let file = host.path(&format!("/usr/local/sbin/{name}"));
        std::fs::write(&file, wrapper.replace("NAME", name)).unwrap();
    }
    host.told("chmod 0755 /usr/local/sbin/*");
}

/// Kills the script at the command of this number, counted from 0.
fn arm(host: &SshHost, command: u32) {
    let before = if command.is_multiple_of(2) { "touch /run/before" } else { "rm -f /run/before" };
    host.told(&format!("{before}; echo {command} >/run/fuse"));
}

/// Whether the script was not killed, as it has fewer commands.
fn disarm(host: &SshHost) -> bool {
    let was_there = is_there(host, "/run/fuse");
    host.told("rm -f /run/fuse");
    was_there
}

/// Repeats a step, killed one command later each time, and finished each time; answers how often.
async fn kill_everywhere(
    bed: &Bed,
    name: &str,
    prepare: impl AsyncFn(),
    step: impl AsyncFn() -> Result<(), DriverFault>,
    check: impl AsyncFn(),
) -> u32 {
    for command in 0..300 {
        prepare().await;
        arm(&bed.host, command);
        let killed = step().await;
        let is_over = disarm(&bed.host);
        assert!(!is_over || killed.is_ok(), "{name} at {command}: {killed:?}");
        let repeated = step().await;
        assert_eq!(repeated, Ok(()), "{name} at {command}, {killed:?}");
        check().await;
        if is_over {
            return command;
        }
    }
    panic!("{name} does not end");
}

#[tokio::test]
async fn making_and_removing_units_can_be_killed_at_any_command() {
    let bed = Bed::new();
    mine(&bed.host);
    let (driver, site, plan) = (&bed.driver, &bed.site, unit(0));
    let accounts = "cat /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/subuid /etc/pam.d/*";
    let before = bed.host.told(accounts);
    let made = async || {
        let seen = bed.host.told(
            "id -un c0; stat -c '%U %a' /home/c0 /opt/c0 /mnt/c0;
            cat /sys/fs/cgroup/cpuset/berth/c0/cpuset.cpus; ls /etc/pam.d | grep -c berth || true",
        );
        assert_eq!(seen, "c0\nc0 750\nc0 750\nc0 750\n0\n0");
    };
    let gone = async || {
        assert_eq!(bed.host.told("ls -A /home /opt /mnt | grep c0 || true"), "");
        assert_eq!(bed.host.told("ls -A /sys/fs/cgroup/*/berth /etc/berth | grep c0 || true"), "");
        assert_eq!(bed.host.told("grep -h ^c0: /etc/passwd /etc/*shadow /etc/group || true"), "");
    };
    let restored = async || {
        gone().await;
        assert_eq!(bed.host.told(accounts), before);
        assert!(!is_there(&bed.host, "/var/lib/berth") && !is_there(&bed.host, "/etc/berth"));
    };
    let cut = async || {
        driver.prepare(site).await.unwrap();
        driver.make_unit(site, &plan).await.unwrap();
    };
    let nothing = async || driver.restore(site).await.unwrap();
    let empty = async || {
        driver.restore(site).await.unwrap();
        driver.prepare(site).await.unwrap();
    };
    let prepare = async || driver.prepare(site).await;
    let killed = kill_everywhere(&bed, "prepare", nothing, prepare, async || {}).await;
    assert!(killed > 5, "{killed}");
    let carve = async || driver.make_unit(site, &plan).await;
    let killed = kill_everywhere(&bed, "make_unit", empty, carve, made).await;
    assert!(killed > 10, "{killed}");
    let remove = async || driver.remove_unit(site, &plan).await;
    let killed = kill_everywhere(&bed, "remove_unit", cut, remove, gone).await;
    assert!(killed > 10, "{killed}");
    let restore = async || driver.restore(site).await;
    let killed = kill_everywhere(&bed, "restore", cut, restore, restored).await;
    assert!(killed > 15, "{killed}");
}

/// A unit, what is to be in it, and the checks that the tests below share.
struct Instance {
    bed: Bed,
    holder: Holder,
}

impl Instance {
    async fn new() -> Self {
        let bed = Bed::cut(&[&unit(0)]).await;
        mine(&bed.host);
        let (key, line) = bed.host.new_key("mine");
        let spec = spec(next_id(), "c0", line);
        Self { bed, holder: Holder { key, spec } }
    }

    async fn create(&self) -> Result<(), DriverFault> {
        self.bed.driver.create(&self.bed.site, &self.holder.spec).await
    }

    async fn start(&self) -> Result<(), DriverFault> {
        self.bed.driver.start(&self.bed.site, &self.holder.spec).await
    }

    async fn stop(&self) -> Result<(), DriverFault> {
        self.bed.driver.stop(&self.bed.site, self.holder.spec.id, false).await
    }

    async fn remove(&self) -> Result<(), DriverFault> {
        self.bed.driver.remove(&self.bed.site, self.holder.spec.id, None).await
    }

    /// Created, started and in use.
    async fn used(&self) {
        self.create().await.unwrap();
        self.start().await.unwrap();
        let line = "echo data >~/file; echo data >/tmp/file; setsid -f sleep 99 >/dev/null 2>&1";
        self.bed.host.told(&format!(
            "setpriv --reuid c0 --regid c0 --clear-groups env \
            HOME=/home/c0 sh -c '{line}'"
        ));
    }

    async fn assert_is(&self, sighting: Sighting) {
        assert_eq!(self.bed.look(&self.holder.spec).await, sighting);
    }
}

#[tokio::test]
async fn create_and_start_can_be_killed_at_any_command() {
    let instance = Instance::new().await;
    let clean = async || instance.remove().await.unwrap();
    let made = async || instance.create().await.unwrap();
    let create = async || instance.create().await;
    let stopped = async || instance.assert_is(Sighting::Stopped).await;
    assert!(kill_everywhere(&instance.bed, "create", clean, create, stopped).await > 10);
    let start = async || instance.start().await;
    let ready = async || {
        instance.assert_is(Sighting::Ready).await;
        assert_eq!(instance.bed.told(&instance.holder, "ls -A ~/.ssh"), "authorized_keys");
        instance.stop().await.unwrap();
    };
    assert!(kill_everywhere(&instance.bed, "start", made, start, ready).await > 5);
}

#[tokio::test]
async fn stop_can_be_killed_at_any_command() {
    let instance = Instance::new().await;
    let kept = async || {
        instance.assert_is(Sighting::Stopped).await;
        assert_eq!(instance.bed.processes("c0"), "0");
        assert_eq!(instance.bed.host.told("cat /home/c0/file"), "data");
    };
    let used = async || instance.used().await;
    let stop = async || instance.stop().await;
    assert!(kill_everywhere(&instance.bed, "stop", used, stop, kept).await > 5);
}

#[tokio::test]
async fn remove_can_be_killed_at_any_command() {
    let instance = Instance::new().await;
    let bed = &instance.bed;
    let gone = async || {
        instance.assert_is(Sighting::Absent).await;
        assert_eq!(bed.inventory().await, Inventory::default());
        assert_eq!(bed.processes("c0"), "0");
        assert_eq!(bed.host.told("ls -A /home/c0 /opt/c0 /mnt/c0 /tmp | grep -v : || true"), "");
        let pristine = "cat /sys/fs/cgroup/pids/berth/c0/pids.max; stat -c '%U %a' /home/c0";
        assert_eq!(bed.host.told(pristine), "64\nc0 750");
    };
    let used = async || instance.used().await;
    let remove = async || instance.remove().await;
    assert!(kill_everywhere(bed, "remove", used, remove, gone).await > 15);
}

/// The kernel may end a tool between two of its files.
#[tokio::test]
async fn users_that_are_there_by_halves_are_made_whole_or_removed() {
    let bed = Bed::cut(&[]).await;
    let accounts = "cat /etc/passwd /etc/shadow /etc/group /etc/gshadow";
    let before = bed.host.told(accounts);
    for file in ["passwd", "shadow", "group", "gshadow"] {
        for is_noted in [true, false] {
            bed.driver.make_unit(&bed.site, &unit(0)).await.unwrap();
            let note = if is_noted { "true" } else { "rm /var/lib/berth/units/c0/uid" };
            let lose = format!("{note}; sed -i /^c0:/d /etc/{file}");
            bed.host.told(&lose);
            if is_noted {
                bed.driver.remove_unit(&bed.site, &unit(0)).await.unwrap();
                assert_eq!(bed.host.told(accounts), before, "{file}");
            }
            bed.make(&unit(0)).await;
            let holder = bed.allocate(&unit(0)).await;
            assert_eq!(bed.told(&holder, "id -un; id -gn"), "c0\nc0", "{file}");
            bed.driver.remove_unit(&bed.site, &unit(0)).await.unwrap();
            assert_eq!(bed.host.told(accounts), before, "{file}");
        }
    }
}

/// Seen failing without the lock: the repetition did not wait.
#[tokio::test]
async fn a_step_whose_connection_is_cut_is_waited_for_by_its_repetition() {
    let bed = Bed::cut(&[]).await;
    let slow = "#!/bin/sh\necho begin >>/run/steps; sleep 1; /usr/sbin/useradd \"$@\"
        status=$?; echo end >>/run/steps; exit $status\n";
    std::fs::write(bed.host.path("/usr/local/sbin/useradd"), slow).unwrap();
    bed.host.told("chmod 0755 /usr/local/sbin/useradd");
    let (plan, driver) = (unit(0), &bed.driver);
    let cut = async {
        while !is_there(&bed.host, "/run/steps") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bed.host.told("pkill -KILL -f '[s]shd: root@notty'");
    };
    let (answer, ()) = tokio::join!(driver.make_unit(&bed.site, &plan), cut);
    assert_failed(&answer, "the connection broke");
    assert_eq!(driver.make_unit(&bed.site, &plan).await, Ok(()));
    assert_eq!(read(&bed.host, "/run/steps"), "begin\nend\n", "it was done once, and not twice");
    let holder = bed.allocate(&plan).await;
    assert_eq!(bed.told(&holder, "whoami"), "c0");
}
