use super::*;

/// Seen failing with keys that root writes where the user says.
#[tokio::test]
async fn links_lead_root_nowhere() {
    let bed = Bed::cut(&[&unit(0)]).await;
    let holder = bed.allocate(&unit(0)).await;
    bed.host.told(
        "mkdir -m 0777 /srv/treasure; echo gold >/srv/treasure/gold
        chmod 0666 /srv/treasure/gold",
    );
    let before = bed.host.told("ls -lR /root/.ssh /srv/treasure /etc/ssh; cat /root/.ssh/*");
    let trap = "cd; rm -rf .ssh; ln -s /root/.ssh .ssh; ln -s / root; ln -s /srv/treasure t
        ln -s /srv/treasure /opt/c0/t; ln -s /srv/treasure /tmp/t; ln -s /etc/passwd /var/tmp/p";
    bed.told(&holder, trap);
    assert_eq!(bed.look(&holder.spec).await, Sighting::Stopped);
    bed.stop(&holder.spec).await;
    bed.run(&holder.spec).await;
    assert_eq!(bed.told(&holder, "ls -ld ~/.ssh | cut -c-10"), "drwx------");

    // The files, not the folder.
    for (target, kind) in [("/root/.ssh/authorized_keys", "-sf"), ("/srv/treasure/gold", "-f")] {
        let names = "authorized_keys .berth authorized_keys2";
        let line = format!("for name in {names}; do ln {kind} {target} ~/.ssh/$name; done; true");
        bed.told(&holder, &line);
        bed.run(&holder.spec).await;
    }
    for odd in ["mkfifo", "mkdir", "ln -s /dev/zero"] {
        let line = format!("rm -rf ~/.ssh/authorized_keys; {odd} ~/.ssh/authorized_keys");
        bed.told(&holder, &line);
        assert_eq!(bed.look(&holder.spec).await, Sighting::Stopped, "{odd}");
        bed.run(&holder.spec).await;
    }
    bed.told(&holder, &format!("rm -f ~/root ~/t /opt/c0/t /tmp/t /var/tmp/p; {trap}"));
    bed.remove(&holder.spec).await;
    assert_eq!(bed.host.told("ls -A /home/c0 /opt/c0 /tmp /var/tmp | grep -v :").trim(), "");
    let after = bed.host.told("ls -lR /root/.ssh /srv/treasure /etc/ssh; cat /root/.ssh/*");
    assert_eq!(after, before);
}

/// Seen failing with processes that are only asked to end.
#[tokio::test]
async fn what_respawns_is_ended() {
    let bed = Bed::cut(&[&unit(0)]).await;
    for round in 0..3 {
        let holder = bed.allocate(&unit(0)).await;
        let respawn = "trap '' TERM HUP INT; while :; do (setsid sh -c 'sleep 0.0$$' &); done";
        let line = format!("for i in 1 2 3; do setsid sh -c \"{respawn}\" >/dev/null 2>&1 & done");
        bed.told(&holder, &line.replace("$$", "2"));
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_ne!(bed.processes("c0"), "0");
        if round == 1 {
            bed.driver.stop(&bed.site, holder.spec.id, false).await.unwrap();
            assert_eq!(bed.processes("c0"), "0");
        }
        bed.remove(&holder.spec).await;
        assert_eq!(bed.processes("c0"), "0");
    }
}

#[tokio::test]
async fn no_file_job_or_memory_outlives_its_owner() {
    let bed = Bed::cut(&[&unit(0), &unit(1)]).await;
    let holder = bed.allocate(&unit(0)).await;
    let neighbour = bed.allocate(&unit(1)).await;
    let fill = r#"cd; n='
'; touch -- "a${n}b" -rf ' ' '*' "$n"; mkdir -p -- "-x/$n/y"; chmod 000 -- -x
        touch "/tmp/x${n}y" /tmp/-rf; mkdir /tmp/open; chmod 1777 /tmp/open; touch /tmp/open/mine
        d=deep; for i in $(seq 300); do d=$d/deep; done; mkdir -p $d
        for i in $(seq 3000); do : >/opt/c0/$i; done; mkfifo pipe; chmod 000 ~
        ipcmk -M 4096; ipcmk -S 1; ipcmk -Q"#;
    bed.told(&holder, fill);
    bed.told(&neighbour, "echo mine >/tmp/open/neighbour; touch /tmp/own; ipcmk -M 4096");
    bed.host.told(
        "for file in /var/spool/cron/crontabs/c0 /var/spool/cron/job /var/mail/c0; do
        mkdir -p ${file%/*}; echo x >$file; chown c0 $file; done",
    );
    // What stands for a file system that the user mounted.
    bed.host.told("mkdir '/home/c0/a mount%s'; mount -t tmpfs tmpfs '/home/c0/a mount%s'");
    bed.remove(&holder.spec).await;
    let everywhere = "find / -xdev -user c0 2>/dev/null; for place in /home /opt /mnt /tmp /var/tmp
        do find $place -mindepth 2 -user c0 -o -path '/*/c0/*'; done
        ls -A /var/spool/cron/crontabs";
    assert_eq!(bed.host.told(&everywhere.replace('\n', "; ")), "");
    assert_eq!(bed.host.told("ipcs -m -s -q | grep c0 || true"), "");
    assert_eq!(bed.host.told("grep c0 /proc/self/mounts || true"), "");
    // Somebody else's file stays theirs wherever it is.
    assert_eq!(bed.told(&neighbour, "cat /tmp/open/neighbour; ls /tmp/own"), "mine\n/tmp/own");
    assert_eq!(bed.host.told("ipcs -m | grep -c c1; stat -c %U /tmp/open"), "1\nroot");
}

#[tokio::test]
async fn a_public_key_is_never_a_command() {
    let bed = Bed::cut(&[&unit(0)]).await;
    let (key, line) = bed.host.new_key("mine");
    let bare = line.rsplit_once(' ').unwrap().0;
    for comment in
        ["'; touch /root/broken; '", "$(touch /root/broken)", "`touch /root/broken`", "\\"]
    {
        let spec = spec(next_id(), "c0", format!("{bare} {comment}"));
        bed.run(&spec).await;
        assert!(is_let_in(&bed.host.ssh("c0", &key, "true")), "{comment}");
        bed.remove(&spec).await;
    }
    let spec = spec(next_id(), "c0", format!("{line}\nssh-rsa AAAA"));
    bed.driver.create(&bed.site, &spec).await.unwrap();
    assert_refused(&bed.driver.start(&bed.site, &spec).await, "not one line");
    for username in ["root", "keeper", "../c0", "c0;id", "renter", ""] {
        let named = InstanceSpec { username: username.to_owned(), ..spec.clone() };
        assert_refused(&bed.driver.create(&bed.site, &named).await, "does not name");
        assert_refused(&bed.driver.start(&bed.site, &named).await, "");
        let plan = UnitPlan { username: username.to_owned(), ..unit(0) };
        assert_refused(&bed.driver.make_unit(&bed.site, &plan).await, "does not name");
        assert_refused(&bed.driver.remove_unit(&bed.site, &plan).await, "does not name");
    }
    assert!(!is_there(&bed.host, "/root/broken"));
}

#[tokio::test]
async fn a_session_that_the_host_cannot_confine_is_refused_and_others_are_not() {
    let bed = Bed::cut(&[&unit(0)]).await;
    let holder = bed.allocate(&unit(0)).await;
    // As after a restart of the host, which forgets control groups.
    bed.stop(&holder.spec).await;
    bed.host.told("rmdir /sys/fs/cgroup/*/berth/c0 /sys/fs/cgroup/*/berth");
    bed.driver.start(&bed.site, &holder.spec).await.unwrap();
    bed.host.told("rmdir /sys/fs/cgroup/*/berth/c0 /sys/fs/cgroup/*/berth");
    assert_eq!(
        bed.told(&holder, "grep Cpus_allowed_list /proc/self/status"),
        "Cpus_allowed_list:\t0"
    );

    bed.host.told("sed -i 's/^cpus=.*/cpus=999/' /var/lib/berth/units/c0/plan");
    assert!(!is_let_in(&bed.ssh(&holder, "true")));
    assert!(is_let_in(&bed.host.ssh("root", &bed.host.key, "true")));
    bed.host.told("rm /var/lib/berth/session");
    assert!(is_let_in(&bed.host.ssh("root", &bed.host.key, "true")));
    bed.driver.prepare(&bed.site).await.unwrap();
    bed.make(&unit(0)).await;
    assert!(is_let_in(&bed.ssh(&holder, "true")));
}

#[tokio::test]
async fn jobs_that_no_limit_would_hold_are_denied() {
    let bed = Bed::cut(&[]).await;
    bed.host.told("printf 'guest\nlast' >/etc/at.deny; rm -f /etc/cron.deny");
    for unit in [unit(0), unit(1)] {
        bed.make(&unit).await;
    }
    assert_eq!(read(&bed.host, "/etc/at.deny"), "c1\nc0\nguest\nlast");
    assert_eq!(read(&bed.host, "/etc/cron.deny"), "c1\nc0\n");
    bed.driver.remove_unit(&bed.site, &unit(0)).await.unwrap();
    assert_eq!(read(&bed.host, "/etc/cron.deny"), "c1\n");
    bed.driver.restore(&bed.site).await.unwrap();
    assert_eq!(read(&bed.host, "/etc/at.deny"), "guest\nlast");
    assert!(!is_there(&bed.host, "/etc/cron.deny"));
}
