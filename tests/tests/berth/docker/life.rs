use super::*;

/// Adds a line each time it runs.
const SCRIPT: &str = "#!/bin/sh\necho told\necho \"$COLOUR\" >>/root/runs\n";

#[tokio::test]
async fn an_instance_is_made_reached_stopped_and_removed() {
    let bed = Bed::new();
    let (key, public_key) = bed.key("mine");
    let (stranger, _) = bed.key("strangers");
    let script = Some(SCRIPT.to_owned());
    let spec = InstanceSpec { public_keys: vec![public_key], script, ..spec() };
    assert_eq!(bed.look(&spec).await, Sighting::Absent);
    bed.create(&spec).await.unwrap();
    assert_eq!(bed.look(&spec).await, Sighting::Stopped);

    bed.run(&spec).await;
    assert_eq!(bed.told(&spec, &key, "id -u; uname -n"), "0\nmachine");
    let refused = bed.ssh(&spec, &stranger, "root", "id -u");
    assert_eq!(refused.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"));
    let variables = bed.told(&spec, &key, "tr '\\0' '\\n' </proc/1/environ");
    assert!(variables.contains("COLOUR=green and blue"), "{variables}");
    assert!(variables.contains("MADE_BY=berth"), "{variables}");
    let line = "stat -c '%U %a' /root/.ssh /root/.ssh/authorized_keys /var/lib/berth/script";
    assert_eq!(bed.told(&spec, &key, line), "root 700\nroot 600\nroot 700");
    let inventory = bed.inventory().await;
    assert_eq!(inventory.instances, [(spec.id, true)].into());

    for force in [false, true] {
        bed.driver.stop(&bed.site, spec.id, force).await.unwrap();
        assert_eq!(bed.look(&spec).await, Sighting::Stopped);
    }
    assert_eq!(bed.driver.load(&bed.site, spec.id).await.unwrap(), None);
    let inventory = bed.inventory().await;
    assert_eq!(inventory.instances, [(spec.id, false)].into());

    // Its own disk is as it was, and the script has run once.
    bed.run(&spec).await;
    let line = "cat /root/runs /var/log/berth-script.log";
    assert_eq!(bed.told(&spec, &key, line), "green and blue\ntold");

    for _ in 0..2 {
        bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
        assert_eq!(bed.look(&spec).await, Sighting::Absent);
    }
    for force in [false, true] {
        bed.driver.stop(&bed.site, spec.id, force).await.unwrap();
    }
    assert_eq!(bed.inventory().await.instances, [].into());
    assert_eq!(bed.engine.podman(&["volume", "ls", "--quiet"]), "");
}

#[tokio::test]
async fn a_user_of_the_image_logs_in_and_one_that_it_lacks_is_refused() {
    let bed = Bed::new();
    let (key, public_key) = bed.key("janes");
    let jane = InstanceSpec {
        username: "jane".to_owned(),
        public_keys: vec![public_key],
        ports: spec().ports,
        ..spec()
    };
    bed.run(&jane).await;
    let line = "id -un; stat -c '%U %a' . .ssh .ssh/authorized_keys";
    assert_eq!(bed.told(&jane, &key, line), "jane\njane 700\njane 700\njane 600");
    assert!(!bed.ssh(&jane, &key, "root", "id").status.success());

    let john = InstanceSpec { username: "john".to_owned(), ..spec() };
    for _ in 0..2 {
        let answer = bed.create(&john).await;
        assert!(is_refused(&answer, "no user john"), "{answer:?}");
    }
    bed.driver.remove(&bed.site, john.id, None).await.unwrap();
    assert_eq!(bed.look(&john).await, Sighting::Absent);
}

#[tokio::test]
async fn an_image_that_serves_ssh_itself_and_is_checked_keeps_its_own_disk() {
    let bed = Bed::new();
    let image = "localhost/berth-own-ssh:1";
    bed.engine.build(
        image,
        "VOLUME /kept\n\
         HEALTHCHECK --interval=1h CMD test -e /healthy\n\
         RUN [\"/bin/sh\", \"-c\", \"ssh-keygen -A && mkdir -p /run/sshd\"]\n\
         CMD [\"/bin/sh\", \"-c\", \"sleep 1; exec /usr/sbin/sshd -D -o X11Forwarding=no\"]",
    );
    let (key, public_key) = bed.key("mine");
    let (image, public_keys) = (image.to_owned(), vec![public_key]);
    let mut spec = InstanceSpec { image, public_keys, ..spec() };
    bed.create(&spec).await.unwrap();
    bed.driver.start(&bed.site, &spec).await.unwrap();
    assert_eq!(bed.look(&spec).await, Sighting::Starting, "its check fails");
    bed.exec(&spec, "echo 1 >/healthy; echo data >/kept/file");
    bed.wait_until_ready(&spec).await;
    let processes = bed.engine.podman(&["top", &container(&spec), "args"]);
    assert_eq!(processes.matches("sshd: ").count(), 1, "{processes}");
    assert!(processes.contains("X11Forwarding"), "the image's own: {processes}");

    spec.environment.clear();
    bed.run(&spec).await;
    assert_eq!(bed.told(&spec, &key, "cat /kept/file"), "data");
    bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
    assert_eq!(bed.engine.podman(&["volume", "ls", "--quiet"]), "");
}

#[tokio::test]
async fn limits_hold_unless_the_host_has_none() {
    let bed = Bed::new();
    let half = InstanceSpec { cpus: 2, ram_mib: 64, ..spec() };
    let pinned = InstanceSpec { pinned_cpus: vec![0], ..spec() };
    let mut free = bed.site.clone();
    free.settings.insert("limits".to_owned(), false.into());
    let unlimited = spec();
    let template = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} \
                    {{.HostConfig.PidsLimit}} [{{.HostConfig.CpusetCpus}}]";
    for (site, spec, limits) in [
        (&bed.site, &half, "67108864 67108864 2000000000 8192 []"),
        (&bed.site, &pinned, "268435456 268435456 0 8192 [0]"),
        (&free, &unlimited, "0 0 0 "),
    ] {
        bed.driver.create(site, spec).await.unwrap();
        let found = bed.inspect(spec, template);
        assert!(found.starts_with(limits), "{found}");
    }
    bed.driver.start(&bed.site, &half).await.unwrap();
    let line = "(X=$(head -c 150m /dev/zero | tr '\\0' x); echo held ${#X}) 2>&1; echo ended";
    let told = bed.exec(&half, line);
    assert!(!told.contains("held"), "it got 150 MiB of its 64: {told}");
}

#[tokio::test]
async fn what_an_instance_prints_and_uses_is_told() {
    let bed = Bed::new();
    let image = "localhost/berth-busy:1";
    bed.engine.build(
        image,
        "CMD [\"/bin/sh\", \"-c\", \"seq 1 500; head -c 300000 /dev/zero | tr '\\\\0' x; echo; \
         echo end; while :; do :; done\"]",
    );
    let spec = InstanceSpec { image: image.to_owned(), ports: Vec::new(), ..spec() };
    assert_eq!(bed.driver.logs(&bed.site, spec.id, 5).await.unwrap(), "");
    assert_eq!(bed.driver.load(&bed.site, spec.id).await.unwrap(), None);
    bed.run(&spec).await;
    let began = Instant::now();
    let load = loop {
        let load = bed.driver.load(&bed.site, spec.id).await.unwrap().unwrap();
        if load.cpu_milli > 100 {
            break load;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{load:?}");
    };
    assert!(load.cpu_milli < 1500, "it has one CPU: {load:?}");
    assert!((10_000..256 * 1024 * 1024).contains(&load.ram_bytes), "{load:?}");
    assert_eq!(bed.driver.logs(&bed.site, spec.id, 1).await.unwrap(), "end\n");
    let two = bed.driver.logs(&bed.site, spec.id, 2).await.unwrap();
    assert!(two.len() <= 256 * 1024, "a line of 300,000 bytes is cut, not {}", two.len());
    let all = bed.driver.logs(&bed.site, spec.id, 502).await.unwrap();
    // Podman ends the long line twice.
    assert!(all.starts_with("xxx") && all.ends_with("\nend\n"), "{}", all.len());
    bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    assert_eq!(bed.driver.logs(&bed.site, spec.id, 1).await.unwrap(), "end\n");
}
