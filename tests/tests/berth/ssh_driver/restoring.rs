use super::*;

/// Every file of `/etc` with its owner, mode and content. The tools for users keep a copy of each
/// of their files beside it as it was before their last change, which was ours.
const ETC: &str = "cd /etc; find . ! -name '*-' ! -type d -printf '%M %U %G %p %l\\n' | sort; \
    find . ! -name '*-' -type f -exec cksum {} + | sort";
const OURS: &str = "find /etc /var/lib /var/spool /home /opt /mnt /run /tmp /usr/local /root \
    -name '*berth*'; find /sys/fs/cgroup /sys/fs/cgroup/pids /sys/fs/cgroup/cpuset \
    /sys/fs/cgroup/memory -maxdepth 1 -name berth";

#[tokio::test]
async fn a_restored_host_is_as_it_was_before() {
    let bed = Bed::new();
    let (etc, folders) = (bed.host.told(ETC), bed.host.told("ls -A /home /opt /mnt /root"));
    let named =
        |number: u32| UnitPlan { username: format!("c{number}-{number}_2"), ..unit(number % 2) };
    let units: Vec<_> = (0..6).map(named).collect();
    for _ in 0..2 {
        bed.driver.prepare(&bed.site).await.unwrap();
    }
    for unit in &units {
        bed.make(unit).await;
    }
    assert!(bed.host.told(ETC) != etc && !bed.host.told(OURS).is_empty(), "the checks see nothing");
    let holder = bed.allocate(&units[0]).await;
    bed.told(&holder, "nohup sleep 1000 >/dev/null 2>&1 & echo data >/tmp/file");
    for _ in 0..2 {
        bed.driver.remove_unit(&bed.site, &units[1]).await.unwrap();
    }
    assert!(!is_there(&bed.host, "/home/c1-1_2") && is_there(&bed.host, "/home/c0-0_2"));
    for _ in 0..2 {
        bed.driver.restore(&bed.site).await.unwrap();
    }
    assert_eq!(bed.host.told(ETC), etc);
    assert_eq!(bed.host.told("ls -A /home /opt /mnt /root"), folders);
    assert_eq!(bed.host.told(OURS), "");
    assert_eq!(bed.host.told("ls -A /tmp; pgrep -x sleep || true"), "");
    let named =
        bed.host.told("grep -l '^c[0-9]' /etc/passwd* /etc/shadow* /etc/gr* /etc/gs* || true");
    assert_eq!(named, "", "copies name units");

    // A host that was never touched, or that a first try had begun with.
    bed.driver.remove_unit(&bed.site, &units[1]).await.unwrap();
    let answer = bed.driver.make_unit(&bed.site, &units[1]).await;
    assert_failed(&answer, "not prepared");
    assert_eq!(bed.host.told(ETC), etc);
}

#[tokio::test]
async fn a_configuration_without_a_last_line_end_comes_back_as_it_was() {
    let bed = Bed::new();
    bed.host.told(
        "printf '%s' \"$(cat /etc/pam.d/sshd)\" >/etc/pam.d/new
        mv /etc/pam.d/new /etc/pam.d/sshd",
    );
    let before = read(&bed.host, "/etc/pam.d/sshd");
    bed.driver.prepare(&bed.site).await.unwrap();
    let hooked = read(&bed.host, "/etc/pam.d/sshd");
    bed.driver.prepare(&bed.site).await.unwrap();
    assert_eq!(read(&bed.host, "/etc/pam.d/sshd"), hooked);
    assert_eq!(hooked.matches("/var/lib/berth/session").count(), 2, "{hooked}");
    bed.driver.restore(&bed.site).await.unwrap();
    assert_eq!(read(&bed.host, "/etc/pam.d/sshd"), before);
}

/// Seen failing without the look at who has the name.
#[tokio::test]
async fn somebody_elses_user_of_the_same_name_is_refused_and_untouched() {
    let bed = Bed::cut(&[]).await;
    bed.host.told(
        "useradd -m -c 'Berth compute unit' c0; echo mine >/home/c0/file; groupadd c1;
        mkdir /opt/c2; ln -s /etc /mnt/c3",
    );
    let before = bed.host.told("cat /etc/passwd /etc/shadow /etc/group; ls -lR /home /opt /mnt");
    for number in 0..4 {
        let plan = UnitPlan { username: format!("c{number}"), ..unit(0) };
        for _ in 0..2 {
            let answer = bed.driver.make_unit(&bed.site, &plan).await;
            assert_refused(&answer, "that Berth did not make");
        }
        let spec = spec(next_id(), &plan.username, bed.host.new_key(&plan.username).1);
        assert_refused(&bed.driver.create(&bed.site, &spec).await, "no unit");
        assert_refused(&bed.driver.start(&bed.site, &spec).await, "no unit");
        bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
        bed.driver.remove_unit(&bed.site, &plan).await.unwrap();
    }
    bed.driver.restore(&bed.site).await.unwrap();
    let after = bed.host.told("cat /etc/passwd /etc/shadow /etc/group; ls -lR /home /opt /mnt");
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_user_that_took_the_place_of_ours_is_not_ours() {
    let bed = Bed::cut(&[&unit(0)]).await;
    bed.host.told("userdel c0; useradd -u 4321 -m -d /home/else c0; echo mine >/home/else/file");
    assert_refused(&bed.driver.make_unit(&bed.site, &unit(0)).await, "did not make");
    assert_refused(&bed.driver.remove_unit(&bed.site, &unit(0)).await, "did not make");
    assert_refused(&bed.driver.restore(&bed.site).await, "did not make");
    assert_eq!(bed.host.told("id -u c0; cat /home/else/file"), "4321\nmine");
}
