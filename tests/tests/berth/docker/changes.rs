use std::fs;

use super::*;

#[tokio::test]
async fn other_keys_volumes_and_variables_keep_the_disk() {
    let bed = Bed::new();
    let (first, first_line) = bed.key("first");
    let (second, second_line) = bed.key("second");
    let script = Some("echo run >>/root/runs".to_owned());
    let mut spec = InstanceSpec { public_keys: vec![first_line], script, ..spec() };
    bed.run(&spec).await;
    bed.told(&spec, &first, "echo kept >/root/file; mkdir /home/jane/x");

    // Twice, so that a disk is also kept from a container that stands on a kept one.
    for round in ["one", "two"] {
        let volume = bed.volume().await;
        spec.mounts.push(mount(volume, &format!("/mnt/{round}")));
        spec.public_keys = vec![second_line.clone()];
        spec.environment = [("ROUND".to_owned(), round.to_owned())].into();
        bed.run(&spec).await;
        let variables = bed.told(&spec, &second, "tr '\\0' '\\n' </proc/1/environ");
        let has = |line: &str| variables.lines().any(|found| found == line);
        assert!(has(&format!("ROUND={round}")) && has("COLOUR="), "{variables}");
        let line = format!("cat /root/file /root/runs; echo {round} >/mnt/{round}/file");
        assert_eq!(bed.told(&spec, &second, &line), "kept\nrun");
        assert!(!bed.ssh(&spec, &first, "root", "id").status.success(), "the old key is gone");
    }
    let inventory = bed.inventory().await;
    assert_eq!(inventory.instances, [(spec.id, true)].into());
    assert_eq!(inventory.volumes.len(), 2);

    // A volume that is taken out keeps its data, and so does the disk.
    let taken = spec.mounts.remove(0);
    bed.run(&spec).await;
    assert_eq!(bed.told(&spec, &second, "cat /root/file /mnt/two/file"), "kept\ntwo");
    bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
    let images = bed.engine.podman(&["image", "ls", "--all", "--format", "{{.Repository}}"]);
    assert_eq!(images, "localhost/berth-test", "the disk is gone with its instance");
    let other = InstanceSpec { mounts: vec![mount(taken.volume_id, "/data")], ..self::spec() };
    bed.run(&other).await;
    assert_eq!(bed.exec(&other, "cat /data/file"), "one");
}

/// The states that a crash can leave, made by hand.
#[tokio::test]
async fn a_change_that_was_cut_short_is_finished() {
    let bed = Bed::new();
    let mut spec = spec();
    bed.run(&spec).await;
    bed.exec(&spec, "echo kept >/root/file");
    let name = container(&spec);
    let disk = format!("localhost/{name}:disk");

    // The disk was kept, the container not removed yet, and it went on.
    spec.hostname = "second".to_owned();
    bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    bed.engine.podman(&["commit", "--quiet", &name, &disk]);
    bed.driver.start(&bed.site, &spec).await.unwrap();
    bed.exec(&spec, "echo more >>/root/file");
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "cat /root/file; uname -n"), "kept\nmore\nsecond");

    // The container was removed, the next one not made yet.
    spec.hostname = "third".to_owned();
    bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    bed.engine.podman(&["commit", "--quiet", &name, &disk]);
    bed.engine.podman(&["rm", "--force", &name]);
    assert_eq!(bed.look(&spec).await, Sighting::Absent);
    let inventory = bed.inventory().await;
    assert_eq!(inventory.instances, [(spec.id, false)].into(), "its disk is not forgotten");
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "cat /root/file; uname -n"), "kept\nmore\nthird");

    // The container was removed for good, its disk not yet.
    bed.engine.podman(&["rm", "--force", "--time", "0", &name]);
    for _ in 0..2 {
        bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
    }
    assert_eq!(bed.inventory().await.instances, [].into());
}

/// Also where a crash left the disk of before without a container.
/// Seen failing without a look at the edition.
#[tokio::test]
async fn another_edition_has_an_empty_disk() {
    let bed = Bed::new();
    let mut spec = spec();
    bed.run(&spec).await;
    bed.exec(&spec, "echo old >/root/file");
    spec.edition = 1;
    spec.environment = [("COLOUR".to_owned(), "red".to_owned())].into();
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "ls /root; echo $COLOUR"), "red");
    bed.exec(&spec, "echo new >/root/file");
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "cat /root/file"), "new", "the same edition keeps its disk");
    spec.hostname = "second".to_owned();
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "cat /root/file"), "new", "also where it is made anew");

    spec.edition = 2;
    let wrong = InstanceSpec { image: "localhost/nowhere:1".to_owned(), ..spec.clone() };
    assert!(is_refused(&bed.create(&wrong).await, "there is no image"));
    assert_eq!(bed.exec(&spec, "cat /root/file"), "new", "what cannot be had costs nothing");
    let name = container(&spec);
    bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    bed.engine.podman(&["commit", "--quiet", &name, &format!("localhost/{name}:disk")]);
    bed.engine.podman(&["rm", "--force", &name]);
    bed.run(&spec).await;
    assert_eq!(bed.exec(&spec, "ls /root"), "");
    bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
    let images = bed.engine.podman(&["image", "ls", "--all", "--format", "{{.Repository}}"]);
    assert_eq!(images, "localhost/berth-test", "nothing of it is left");
}

#[tokio::test]
async fn keys_that_a_crash_kept_back_are_put_in_place() {
    let bed = Bed::new();
    let (key, line) = bed.key("mine");
    let spec = InstanceSpec { public_keys: vec![line], ..spec() };
    bed.create(&spec).await.unwrap();
    let nothing = bed.engine.folder().join("nothing");
    fs::write(&nothing, "").unwrap();
    let file = format!("{}:/root/.ssh/authorized_keys", container(&spec));
    bed.engine.podman(&["cp", nothing.to_str().unwrap(), &file]);
    bed.run(&spec).await;
    assert_eq!(bed.told(&spec, &key, "id -u"), "0");
}

/// The mark stands and the script has not run: whether it began cannot be known.
#[tokio::test]
async fn a_script_whose_start_was_cut_short_does_not_run_again() {
    let bed = Bed::new();
    let script = Some("echo run >>/root/runs".to_owned());
    let spec = InstanceSpec { script, ..spec() };
    bed.create(&spec).await.unwrap();
    let mark = bed.engine.folder().join("script.started");
    fs::write(&mark, "").unwrap();
    let file = format!("{}:/var/lib/berth/script.started", container(&spec));
    bed.engine.podman(&["cp", mark.to_str().unwrap(), &file]);
    bed.run(&spec).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bed.exec(&spec, "ls /root"), "");
}

#[tokio::test]
async fn starts_at_once_run_the_script_once() {
    let bed = Bed::new();
    let script = Some("echo run >>/root/runs".to_owned());
    let spec = InstanceSpec { script, ..spec() };
    bed.create(&spec).await.unwrap();
    let start = || bed.driver.start(&bed.site, &spec);
    let (one, two, three, four) = tokio::join!(start(), start(), start(), start());
    for answer in [one, two, three, four] {
        answer.unwrap();
    }
    bed.wait_until_ready(&spec).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(bed.exec(&spec, "cat /root/runs"), "run");
}
