use serde_json::json;
use tests::engine::site;

use super::*;

#[tokio::test]
async fn an_image_that_is_not_there_is_refused() {
    let bed = Bed::new();
    for (image, words) in [
        ("localhost/berth-nothing:1", "there is no image"),
        ("no such thing", "characters"),
        ("../../containers/json", "characters"),
    ] {
        let spec = InstanceSpec { image: image.to_owned(), ..spec() };
        for _ in 0..2 {
            let answer = bed.create(&spec).await;
            assert!(is_refused(&answer, words), "{answer:?}");
        }
        assert_eq!(bed.look(&spec).await, Sighting::Absent);
    }
    // Nobody listens there: another time somebody may.
    let image = format!("127.0.0.1:{}/berth:1", next_port());
    let answer = bed.create(&InstanceSpec { image, ..spec() }).await;
    assert!(is_failed(&answer, "connection refused"), "{answer:?}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_fails_at_once() {
    let driver = Docker::new("here".to_owned());
    // Nobody listens on port 9 any more.
    for endpoint in ["unix:///nowhere/docker.sock", "http://127.0.0.1:9"] {
        let began = Instant::now();
        let site = site(json!({ "endpoint": endpoint }));
        let answer = driver.create(&site, &spec()).await;
        assert!(is_failed(&answer, endpoint), "{answer:?}");
        assert!(is_failed(&driver.inventory(&site).await.map(drop), endpoint));
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    let missing = json!({
        "endpoint": "https://127.0.0.1:2376",
        "ca": "/nowhere/ca.pem", "certificate": "/nowhere/cert.pem", "key": "/nowhere/key.pem",
    });
    let answer = driver.create(&site(missing), &spec()).await;
    assert!(is_failed(&answer, "/nowhere/ca.pem"), "{answer:?}");
    let answer = driver.create(&site(json!({"endpoint": "unix:///s", "speed": 1})), &spec()).await;
    assert!(is_refused(&answer, "speed"), "{answer:?}");
}

#[tokio::test]
async fn a_call_during_which_the_engine_dies_is_finished_by_the_next() {
    let mut bed = Bed::new();
    let (key, line) = bed.key("mine");
    let script = Some("echo run >>/root/runs".to_owned());
    let mut spec = InstanceSpec { public_keys: vec![line], script, ..spec() };
    let steps = [0, 30, 100, 200, 400, 700, 1000];
    for (round, delay) in steps.into_iter().enumerate() {
        spec.hostname = format!("machine-{round}");
        let (driver, site, wanted) = (&bed.driver, &bed.site, &spec);
        let calls = async {
            driver.create(site, wanted).await?;
            driver.start(site, wanted).await
        };
        let cut = tokio::time::timeout(Duration::from_millis(delay), calls).await;
        bed.engine.kill();
        if cut.is_err() {
            assert!(is_failed(&bed.create(&spec).await, "socket"));
        }
        bed.engine.serve();
        bed.run(&spec).await;
        let count = bed.told(&spec, &key, "echo round >>/root/rounds; cat /root/rounds");
        assert_eq!(count.lines().count(), round + 1, "the disk was lost after {delay} ms");
        assert_eq!(bed.told(&spec, &key, "uname -n"), spec.hostname);
    }
    assert_eq!(bed.told(&spec, &key, "cat /root/runs"), "run");
    let inventory = bed.inventory().await;
    assert_eq!(inventory.instances, [(spec.id, true)].into());
    bed.driver.remove(&bed.site, spec.id, None).await.unwrap();
    let images = bed.engine.podman(&["image", "ls", "--all", "--format", "{{.Repository}}"]);
    assert_eq!(images, "localhost/berth-test");
}

#[tokio::test]
async fn two_deployments_on_one_engine_do_not_meet() {
    let bed = Bed::new();
    let other = Docker::new("there".to_owned());
    let volume = bed.volume().await;
    let spec = InstanceSpec { mounts: vec![mount(volume, "/data")], ..spec() };
    bed.run(&spec).await;
    assert_eq!(other.inventory(&bed.site).await.unwrap(), Some(Inventory::default()));

    // Even one that was set up with a copy of the other's database.
    for answer in [
        other.create(&bed.site, &spec).await,
        other.start(&bed.site, &spec).await,
        other.stop(&bed.site, spec.id, true).await,
        other.remove(&bed.site, spec.id, None).await,
        other.look(&bed.site, &spec).await.map(drop),
        other.logs(&bed.site, spec.id, 1).await.map(drop),
        other.load(&bed.site, spec.id).await.map(drop),
        other.create_volume(&bed.site, volume, 1).await,
        other.delete_volume(&bed.site, volume).await,
        other.copy_volume(&bed.site, volume, VolumeId::parse(&next_id()).unwrap()).await.map(drop),
    ] {
        assert!(is_refused(&answer, "another deployment"), "{answer:?}");
    }
    assert_eq!(bed.look(&spec).await, Sighting::Ready);
    assert_eq!(bed.inventory().await.volumes, [volume]);
}

#[tokio::test]
async fn what_the_host_cannot_give_is_refused() {
    let bed = Bed::new();
    let gpus = InstanceSpec { gpus: vec![0], ..spec() };
    let address = InstanceSpec { address: Some([198, 51, 100, 7].into()), ..spec() };
    for (spec, words) in [(gpus, "graphics processors"), (address, "needs a network")] {
        for _ in 0..2 {
            let answer = bed.create(&spec).await;
            assert!(is_refused(&answer, words), "{answer:?}");
        }
        assert_eq!(bed.look(&spec).await, Sighting::Absent);
    }
    let mut site = bed.site.clone();
    let devices = serde_json::json!([["/dev/full"], ["/dev/full", "/dev/random"]]);
    site.settings.insert("gpu_devices".to_owned(), devices);
    let gpu = |number| InstanceSpec { gpus: vec![number], ..spec() };
    let answer = bed.driver.create(&site, &gpu(2)).await;
    assert!(is_refused(&answer, "which files graphics processor 2 has"), "{answer:?}");
    let second = gpu(1);
    bed.driver.create(&site, &second).await.unwrap();
    let given = bed.inspect(&second, "{{json .HostConfig.Devices}}");
    assert!(given.contains("/dev/full") && given.contains("/dev/random"), "{given}");
    site.settings.insert("disk_limit".to_owned(), true.into());
    let bounded = spec();
    // Overlay on ext4 cannot; on xfs with quotas it could.
    if let Err(fault) = bed.driver.create(&site, &bounded).await {
        assert!(matches!(fault, DriverFault::Refused(_)), "{fault}");
    }
    // A port that another one has: another time it may be free.
    let holder = spec();
    bed.run(&holder).await;
    let spec = InstanceSpec { ports: holder.ports.clone(), ..spec() };
    bed.create(&spec).await.unwrap();
    let answer = bed.driver.start(&bed.site, &spec).await;
    assert!(is_failed(&answer, "address already in use"), "{answer:?}");
    bed.driver.remove(&bed.site, holder.id, None).await.unwrap();
    bed.run(&spec).await;
}
