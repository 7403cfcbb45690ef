use super::*;

#[tokio::test]
async fn an_image_is_pulled_once_and_then_there() {
    let bed = Bed::new();
    let (registry, name) = bed.engine.registry();
    let of_registry = || InstanceSpec { image: name.clone(), ..spec() };
    let first = of_registry();
    bed.run(&first).await;
    assert_eq!(bed.exec(&first, "echo $MADE_BY"), "berth");
    // What another registry calls so is another image.
    let missing = InstanceSpec { image: name.replace("box:1", "box:2"), ..spec() };
    let answer = bed.create(&missing).await;
    assert!(is_refused(&answer, "manifest unknown"), "{answer:?}");
    drop(registry);
    bed.run(&of_registry()).await;
    // Nobody answers for the tag that is not there: another time somebody may.
    let answer = bed.create(&missing).await;
    assert!(is_failed(&answer, "connection refused"), "{answer:?}");
}

#[tokio::test]
async fn an_image_is_pulled_by_its_digest() {
    let bed = Bed::new();
    let (_registry, name) = bed.engine.registry();
    let template = "{{index .RepoDigests 0}}";
    bed.engine.podman(&["pull", &name]);
    let digest = bed.engine.podman(&["image", "inspect", "--format", template, &name]);
    let (_, digest) = digest.split_once('@').unwrap();
    bed.engine.podman(&["rmi", "--force", &name]);
    let (repository, _) = name.rsplit_once(':').unwrap();
    let image = format!("{repository}@{digest}");
    bed.run(&InstanceSpec { image, ..spec() }).await;
}
