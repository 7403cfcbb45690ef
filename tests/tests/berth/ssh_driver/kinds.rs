//! Hosts with another kind of limits than this machine: files and programs that stand for theirs,
//! so that it is seen what they are told, though not that they obey.

use domain::compute_unit::Limits;

use super::*;

fn stand_in(host: &SshHost, program: &str) {
    let text = format!("#!/bin/sh\necho {program} \"$@\" >>/run/told\n");
    std::fs::write(host.path(&format!("/usr/local/sbin/{program}")), text).unwrap();
    host.told(&format!("chmod 0755 /usr/local/sbin/{program}"));
}

fn version_2(host: &SshHost) {
    host.told(
        "mount -t tmpfs tmpfs /sys/fs/cgroup; cd /sys/fs/cgroup
        echo cpuset cpu io memory pids >cgroup.controllers; touch cgroup.subtree_control
        echo 0 >cgroup.procs",
    );
}

#[tokio::test]
async fn control_groups_of_version_2_are_told_the_limits() {
    let bed = Bed::new();
    version_2(&bed.host);
    let inspection = bed.driver.inspect(&bed.site).await.unwrap();
    assert_eq!(inspection.limits, Limits::ControlGroups);
    bed.driver.prepare(&bed.site).await.unwrap();
    let plan = UnitPlan { cpus: vec![0, 1], ..unit(0) };
    bed.make(&plan).await;
    let group = "/sys/fs/cgroup/berth/c0";
    assert_eq!(
        bed.host.told(&format!("cd {group}; cat cpuset.cpus memory.max pids.max")),
        "0,1\n268435456\n64"
    );
    let holder = bed.allocate(&plan).await;
    let session = bed.told(&holder, "ps -o ppid= $PPID");
    assert_eq!(read(&bed.host, &format!("{group}/cgroup.procs")).trim(), session.trim());
}

#[tokio::test]
async fn systemd_is_told_the_limits_and_forgets_them() {
    let bed = Bed::new();
    version_2(&bed.host);
    bed.host.told("mkdir -p /run/systemd/system");
    for program in ["systemctl", "loginctl"] {
        stand_in(&bed.host, program);
    }
    let before = bed.host.told("find /etc/systemd /etc/pam.d | sort");
    let pam = read(&bed.host, "/etc/pam.d/sshd");
    assert_eq!(bed.driver.inspect(&bed.site).await.unwrap().limits, Limits::Systemd);
    bed.driver.prepare(&bed.site).await.unwrap();
    assert_eq!(read(&bed.host, "/etc/pam.d/sshd"), pam, "systemd has a hook of its own");
    bed.make(&unit(1)).await;
    let uid = bed.host.told("id -u c1");
    let file = format!("/etc/systemd/system/user-{uid}.slice.d/50-berth.conf");
    let expected = "[Slice]\nAllowedCPUs=1\nMemoryMax=256M\nMemorySwapMax=0\nTasksMax=64\n";
    assert_eq!(read(&bed.host, &file), expected);
    let holder = bed.allocate(&unit(1)).await;
    bed.remove(&holder.spec).await;
    let told = read(&bed.host, "/run/told");
    for line in [
        "systemctl daemon-reload",
        "loginctl enable-linger c1",
        "loginctl disable-linger c1",
        "loginctl terminate-user c1",
        &format!("systemctl kill -s KILL user-{uid}.slice"),
        &format!("systemctl stop user@{uid}.service user-runtime-dir@{uid}.service"),
        &format!("systemctl reset-failed user@{uid}.service user-runtime-dir@{uid}.service"),
    ] {
        assert!(told.lines().any(|seen| seen == line), "{line} is not in {told}");
    }
    bed.driver.restore(&bed.site).await.unwrap();
    assert_eq!(bed.host.told("find /etc/systemd /etc/pam.d | sort"), before);
    assert!(read(&bed.host, "/run/told").ends_with("systemctl daemon-reload\n"));
}

#[tokio::test]
async fn a_host_without_limits_is_refused_unless_the_operator_allows_it() {
    let bed = Bed::new();
    bed.host.told("mount -t tmpfs tmpfs /sys/fs/cgroup");
    assert_refused(&bed.driver.inspect(&bed.site).await, "neither systemd nor control groups");
    assert_refused(&bed.driver.prepare(&bed.site).await, "neither systemd nor control groups");
    let settings = SshSettings { requires_limits: false, ..SshSettings::default() };
    let bed = Bed { driver: Ssh::new(bed.book.clone(), settings), ..bed };
    assert_eq!(bed.driver.inspect(&bed.site).await.unwrap().limits, Limits::Nothing);
    bed.driver.prepare(&bed.site).await.unwrap();
    bed.make(&unit(0)).await;
    let holder = bed.allocate(&unit(0)).await;
    let respawn = "while :; do (setsid sleep 0.02 &); done";
    bed.told(&holder, &format!("setsid sh -c '{respawn}' >/dev/null 2>&1 &"));
    bed.remove(&holder.spec).await;
    assert_eq!(bed.processes("c0"), "0");
    bed.driver.restore(&bed.site).await.unwrap();
    assert!(!is_there(&bed.host, "/var/lib/berth") && !is_there(&bed.host, "/home/c0"));
}
