use domain::instance::Disk;

use super::*;

fn on(volume_id: VolumeId, has_data: bool) -> InstanceSpec {
    InstanceSpec { disk: Some(Disk { volume_id, has_data }), ..spec() }
}

fn next_volume() -> VolumeId {
    VolumeId::parse(&next_id()).unwrap()
}

#[tokio::test]
async fn a_disk_is_kept_when_its_instance_goes_and_the_next_one_stands_on_it() {
    let bed = Bed::new();
    let disk = next_volume();
    let script = Some("echo first >>/root/runs".to_owned());
    let first = InstanceSpec { script, ..on(disk, false) };
    bed.run(&first).await;
    bed.exec(&first, "echo kept >/root/file");
    // Something else is asked for: the disk stays, and so does the instance.
    let data = bed.volume().await;
    let changed = InstanceSpec { mounts: vec![mount(data, "/data")], ..first.clone() };
    bed.run(&changed).await;
    assert_eq!(bed.exec(&changed, "cat /root/file"), "kept");
    // As long as it has a container, nobody starts from the image below that.
    assert_eq!(bed.inventory().await.volumes, [data]);
    bed.exec(&changed, "echo more >>/root/file");
    for _ in 0..2 {
        bed.driver.remove(&bed.site, first.id, Some(disk)).await.unwrap();
    }
    let left = bed.inventory().await;
    assert_eq!((left.instances.len(), left.volumes), (0, vec![disk, data]));

    let script = Some("echo second >>/root/runs".to_owned());
    let environment = [("SHAPE".to_owned(), "round".to_owned())].into();
    let second = InstanceSpec { script, environment, ..on(disk, true) };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /root/file"), "kept\nmore");
    assert_eq!(bed.exec(&second, "cat /root/runs"), "first\nsecond", "each script ran once");
    assert_eq!(bed.exec(&second, "echo $SHAPE$COLOUR"), "round", "the first one's are gone");
    // Not kept: all of it goes.
    bed.driver.remove(&bed.site, second.id, None).await.unwrap();
    for _ in 0..2 {
        bed.driver.delete_volume(&bed.site, disk).await.unwrap();
        bed.driver.delete_volume(&bed.site, data).await.unwrap();
    }
    assert_eq!(bed.inventory().await, Inventory::default());
    assert_eq!(
        bed.engine.podman(&["images", "--all", "--quiet", "--filter", "label=berth.volume"]),
        ""
    );
}

#[tokio::test]
async fn a_disk_that_is_not_there_is_not_made_from_the_image() {
    let bed = Bed::new();
    let answer = bed.create(&on(next_volume(), true)).await;
    assert!(is_failed(&answer, "is not there to start from"), "{answer:?}");
    assert_eq!(bed.inventory().await, Inventory::default());
}

#[tokio::test]
async fn a_copied_disk_lives_by_itself() {
    let bed = Bed::new();
    let (from, to) = (next_volume(), next_volume());
    let first = on(from, false);
    bed.run(&first).await;
    bed.exec(&first, "echo kept >/root/file");
    bed.driver.remove(&bed.site, first.id, Some(from)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(bed.copy_once(from, to).await.unwrap(), Copying::Done);
    }
    assert_eq!(bed.inventory().await.volumes, [from, to]);
    // The one that the copy stands on goes first.
    for _ in 0..2 {
        bed.driver.delete_volume(&bed.site, from).await.unwrap();
    }
    assert_eq!(bed.inventory().await.volumes, [to]);
    let second = on(to, true);
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /root/file"), "kept");
    bed.exec(&second, "echo more >>/root/file");
    bed.driver.remove(&bed.site, second.id, Some(to)).await.unwrap();
    let third = on(to, true);
    bed.run(&third).await;
    assert_eq!(bed.exec(&third, "cat /root/file"), "kept\nmore");
    bed.driver.remove(&bed.site, third.id, None).await.unwrap();
    bed.driver.delete_volume(&bed.site, to).await.unwrap();
    assert_eq!(bed.inventory().await, Inventory::default());
    assert!(!bed.engine.podman(&["ps", "--all"]).contains("berth-copy"));
    let images = ["images", "--all", "--quiet", "--filter", "label=berth.volume"];
    assert_eq!(bed.engine.podman(&images), "");
}

/// A path that the image declares a volume for is part of the disk.
#[tokio::test]
async fn a_kept_disk_has_the_volumes_that_its_image_declares() {
    let bed = Bed::new();
    bed.engine.build("localhost/with-volume:1", "VOLUME /var/lib/data");
    let disk = next_volume();
    let image = "localhost/with-volume:1".to_owned();
    let first = InstanceSpec { image: image.clone(), ..on(disk, false) };
    bed.run(&first).await;
    // Somebody else's goes, and takes nothing of it along. Seen failing with Podman's own filter.
    let other = InstanceSpec { image: image.clone(), ..spec() };
    bed.run(&other).await;
    bed.driver.remove(&bed.site, other.id, None).await.unwrap();
    bed.exec(&first, "echo kept >/var/lib/data/file");
    bed.driver.remove(&bed.site, first.id, Some(disk)).await.unwrap();
    assert_eq!(bed.inventory().await.volumes, [disk]);
    let second = InstanceSpec { image, ..on(disk, true) };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /var/lib/data/file"), "kept");
    bed.driver.remove(&bed.site, second.id, Some(disk)).await.unwrap();
    let answer = bed.copy_once(disk, next_volume()).await.map(drop);
    assert!(is_refused(&answer, "which are not copied"), "{answer:?}");
    bed.driver.delete_volume(&bed.site, disk).await.unwrap();
    assert_eq!(bed.inventory().await, Inventory::default());
    assert_eq!(bed.engine.podman(&["volume", "ls", "--quiet"]), "");
}
