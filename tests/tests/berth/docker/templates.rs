use super::*;

fn as_renter(image: &str, password: Option<&str>) -> InstanceSpec {
    let login = password.map(|password| RegistryLogin {
        host: image.split('/').next().unwrap().to_owned(),
        username: REGISTRY_USER.to_owned(),
        password: password.to_owned().into(),
    });
    InstanceSpec { image: image.to_owned(), pull: Pull { always: true, login }, ..spec() }
}

// Seen failing with what the host has taken for what the renter named: the last two were made.
#[tokio::test]
async fn a_private_image_is_for_who_has_its_password() {
    let bed = Bed::new();
    let (_registry, name) = bed.engine.private_registry();
    for password in [None, Some("guess")] {
        let answer = bed.create(&as_renter(&name, password)).await;
        let told = format!("{answer:?}");
        assert!(answer.is_err() && told.contains("unauthorized"), "{told}");
    }
    let hers = as_renter(&name, Some(REGISTRY_PASSWORD));
    bed.run(&hers).await;
    assert_eq!(bed.exec(&hers, "echo $MADE_BY"), "berth");
    let told = bed.engine.podman(&["inspect", &container(&hers)]);
    assert!(!told.contains(REGISTRY_PASSWORD), "{told}");
    // The host has the image by now, and it is not for everybody all the same.
    for password in [None, Some("guess")] {
        assert!(bed.create(&as_renter(&name, password)).await.is_err());
    }
}

#[tokio::test]
async fn what_is_on_a_host_already_is_no_renters_image() {
    let bed = Bed::new();
    let victim = spec();
    bed.run(&victim).await;
    bed.exec(&victim, "echo secret >/root/secret");
    let disk = format!("localhost/berth-{}:disk", victim.id);
    bed.engine.podman(&["commit", &container(&victim), &disk]);
    for image in [disk.as_str(), IMAGE] {
        let answer = bed.create(&as_renter(image, None)).await;
        assert!(is_refused(&answer, "there is no image"), "{answer:?}");
    }
    // By a short name the engine asks Docker's own registry, which nobody reaches here.
    for image in [disk.trim_start_matches("localhost/"), "berth-test:1"] {
        let answer = bed.create(&as_renter(image, None)).await;
        assert!(answer.is_err(), "{image} was made");
    }
}

#[tokio::test]
async fn a_registry_in_the_hosts_own_network_is_asked_only_if_it_is_named() {
    let mut bed = Bed::new();
    let (_registry, name) = bed.engine.registry();
    bed.site.settings.remove("registries");
    let answer = bed.create(&as_renter(&name, None)).await;
    assert!(is_refused(&answer, "there is no image"), "{answer:?}");
}

// Seen failing with an image's own check as the mark of being ready: nothing costs before that.
#[tokio::test]
async fn what_a_renter_made_can_neither_wait_nor_pass_for_ours() {
    let bed = Bed::new();
    let (_registry, name) = bed.engine.registry();
    let publish = |tag: &str, instructions: &str| {
        let image = name.replace("box:1", tag);
        bed.engine.build(&image, instructions);
        bed.engine.podman(&["push", &image]);
        bed.engine.podman(&["rmi", "--force", &image]);
        image
    };
    let slow = publish("slow:1", "HEALTHCHECK --start-period=24h CMD false");
    let waiting = as_renter(&slow, None);
    bed.create(&waiting).await.unwrap();
    bed.driver.start(&bed.site, &waiting).await.unwrap();
    assert_eq!(bed.look(&waiting).await, Sighting::Ready);
    let forged = format!("LABEL berth.deployment=here berth.instance={}", waiting.id);
    let forged = as_renter(&publish("forged:1", &forged), None);
    let answer = bed.create(&forged).await;
    assert!(is_refused(&answer, "labels"), "{answer:?}");
    // What was fetched goes with the last that stands on it.
    let images = || bed.engine.podman(&["images", "--noheading", "--format", "{{.Names}}"]);
    assert!(images().contains("slow") && !images().contains("forged"), "{}", images());
    for _ in 0..2 {
        bed.driver.remove(&bed.site, waiting.id, None).await.unwrap();
    }
    assert!(!images().contains("slow"), "{}", images());
}

fn starts_of(bed: &Bed, spec: &InstanceSpec) -> usize {
    bed.exec(spec, "cat /root/starts 2>/dev/null; true").lines().count()
}

#[tokio::test]
async fn a_start_script_runs_once_at_every_start() {
    let bed = Bed::new();
    let script = Some("echo start >>/root/starts".to_owned());
    let spec = InstanceSpec { script, is_autostart: true, ..spec() };
    for starts in 1..=3 {
        bed.run(&spec).await;
        let began = Instant::now();
        let lines = || starts_of(&bed, &spec);
        while lines() != starts {
            assert!(began.elapsed() < Duration::from_secs(10), "{} after {starts}", lines());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // However often the call is repeated, also after it was cut off.
        bed.driver.start(&bed.site, &spec).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(lines(), starts);
        bed.driver.stop(&bed.site, spec.id, true).await.unwrap();
    }
    // Another script takes its place with the next start, on the same disk.
    let script = Some("echo other >/root/other".to_owned());
    let changed = InstanceSpec { script, ..spec.clone() };
    bed.run(&changed).await;
    let began = Instant::now();
    while bed.exec(&changed, "cat /root/other 2>/dev/null; true") != "other" {
        assert!(began.elapsed() < Duration::from_secs(10), "the other script did not run");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(starts_of(&bed, &changed), 3);
}

#[tokio::test]
async fn a_jupyter_server_is_started_where_the_image_has_one() {
    let bed = Bed::new();
    let fake = "RUN printf '#!/bin/sh\\necho \"$@ $JUPYTER_TOKEN\" >>/root/jupyter\\n' \
        >/usr/bin/jupyter && chmod 755 /usr/bin/jupyter";
    bed.engine.build("localhost/jupyter:1", fake);
    let mut with = InstanceSpec { runs_jupyter: true, ..spec() };
    with.environment.insert("JUPYTER_TOKEN".to_owned(), "t0ken".to_owned());
    bed.run(&with).await;
    let image = "localhost/jupyter:1".to_owned();
    let fake = InstanceSpec { image, id: spec().id, ports: spec().ports, ..with };
    bed.run(&fake).await;
    let began = Instant::now();
    let said = || bed.exec(&fake, "cat /root/jupyter 2>/dev/null; true");
    while said().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "it was not started");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let expected = "notebook --allow-root --no-browser --ip=0.0.0.0 --port=8888 t0ken";
    assert_eq!(said(), expected);
}
