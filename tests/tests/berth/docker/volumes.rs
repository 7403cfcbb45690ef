use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener as Listener, TcpStream, UnixStream};

use super::*;

#[tokio::test]
async fn a_volume_outlives_instances() {
    let bed = Bed::new();
    let volume = bed.volume().await;
    let first = InstanceSpec { mounts: vec![mount(volume, "/data")], ..spec() };
    bed.run(&first).await;
    bed.exec(&first, "echo kept >/data/file");
    let answer = bed.driver.delete_volume(&bed.site, volume).await;
    assert!(is_failed(&answer, "being used"), "{answer:?}");
    bed.driver.stop(&bed.site, first.id, false).await.unwrap();
    bed.run(&first).await;
    assert_eq!(bed.exec(&first, "cat /data/file"), "kept");
    bed.driver.remove(&bed.site, first.id, None).await.unwrap();
    for _ in 0..2 {
        bed.driver.resize_volume(&bed.site, volume, 20).await.unwrap();
    }

    let second = InstanceSpec { mounts: vec![mount(volume, "/other")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /other/file"), "kept");
    bed.driver.remove(&bed.site, second.id, None).await.unwrap();
    assert_eq!(bed.inventory().await.volumes, [volume]);
    for _ in 0..2 {
        bed.driver.delete_volume(&bed.site, volume).await.unwrap();
    }
    assert_eq!(bed.inventory().await.volumes, []);
    let answer = bed.driver.resize_volume(&bed.site, volume, 20).await;
    assert!(is_refused(&answer, "there is no volume"), "{answer:?}");
}

/// Files of several owners, one of them in a folder that an archive of Podman's leaves out.
const FILL: &str = "cd /data; mkdir sys; echo a >sys/a; echo b >b; chown 1000:1000 b; chmod 640 b";
const SHOW: &str = "cd /data; cat sys/a b; stat -c '%u %g %a' b";

#[tokio::test]
async fn a_copied_volume_has_its_data_with_owners() {
    let mut bed = Bed::new();
    let (from, to) = (bed.volume().await, bed.volume().await);
    let first = InstanceSpec { mounts: vec![mount(from, "/data")], ..spec() };
    bed.run(&first).await;
    bed.exec(&first, FILL);
    let answer = bed.copy(from, to).await.map(drop);
    assert!(is_refused(&answer, "copy_image"), "{answer:?}");

    bed.site.settings.insert("copy_image".to_owned(), IMAGE.into());
    for _ in 0..2 {
        bed.copy(from, to).await.unwrap();
    }
    let second = InstanceSpec { mounts: vec![mount(to, "/data")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, SHOW), "a\nb\n1000 1000 640");
    bed.exec(&second, "echo new >/data/b");
    let late = bed.copy(from, to).await.map(drop);
    assert!(is_failed(&late, "being used"), "a volume in use is not written over: {late:?}");
    assert_eq!(bed.exec(&second, "cat /data/b"), "new");
    let gone = bed.copy(VolumeId::parse(&next_id()).unwrap(), to).await.map(drop);
    assert!(is_refused(&gone, "there is no volume"), "{gone:?}");
    assert!(!bed.engine.podman(&["ps", "--all"]).contains("berth-copy"));
}

/// Gives the host an image whose `cp` does this first.
fn with_tool(bed: &mut Bed, name: &str, before: &str) {
    let script = format!("#!/bin/sh\n{before}\nexec /bin/cp \"$@\"\n");
    std::fs::write(bed.engine.folder().join("cp"), script).unwrap();
    bed.engine.build(name, "COPY --chmod=755 cp /usr/sbin/cp");
    bed.site.settings.insert("copy_image".to_owned(), name.into());
}

#[tokio::test]
async fn a_copy_that_is_asked_for_again_while_it_runs_is_made_once() {
    let mut bed = Bed::new();
    let (from, to) = (bed.volume().await, bed.volume().await);
    let first = InstanceSpec { mounts: vec![mount(from, "/data")], ..spec() };
    bed.run(&first).await;
    bed.exec(&first, FILL);
    with_tool(&mut bed, "localhost/slow:1", "echo run >>/from/runs; sleep 2");
    let began = Instant::now();
    assert_eq!(bed.copy_once(from, to).await, Ok(Copying::UnderWay));
    // Two workers, one of which lost its lease, and then a third with a driver of its own.
    let (one, other) = tokio::join!(bed.copy_once(from, to), bed.copy_once(from, to));
    assert_eq!((one, other), (Ok(Copying::UnderWay), Ok(Copying::UnderWay)));
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits for the data");
    bed.driver = Docker::new("here".to_owned());
    assert!(bed.copy(from, to).await.unwrap() > 1);
    assert!(!bed.engine.podman(&["ps", "--all"]).contains("berth-copy"));
    let second = InstanceSpec { mounts: vec![mount(to, "/data")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, SHOW), "a\nb\n1000 1000 640");
    assert_eq!(bed.exec(&second, "cat /data/runs"), "run");
}

#[tokio::test]
async fn a_copy_that_fails_says_why_and_begins_anew() {
    let mut bed = Bed::new();
    let (from, to) = (bed.volume().await, bed.volume().await);
    let first = InstanceSpec { mounts: vec![mount(from, "/data")], ..spec() };
    bed.run(&first).await;
    bed.exec(&first, FILL);
    let fail =
        |cause: &str| format!("echo half >/to/b; echo 'cp: \"/from/b\": {cause}' >&2; exit 3");
    with_tool(&mut bed, "localhost/denied:1", &fail("Input/output error"));
    for _ in 0..2 {
        let answer = bed.copy(from, to).await.map(drop);
        assert!(is_failed(&answer, "ended with status 3: Input/output error"), "{answer:?}");
    }
    with_tool(&mut bed, "localhost/full:1", &fail("No space left on device"));
    let full = bed.copy(from, to).await;
    assert!(matches!(full, Err(DriverFault::NoRoom(_))), "{full:?}");
    // Killed with the machine, say.
    with_tool(&mut bed, "localhost/slow:2", "echo half >/to/c; sleep 20");
    assert_eq!(bed.copy_once(from, to).await, Ok(Copying::UnderWay));
    bed.engine.podman(&["kill", &format!("berth-copy-{to}")]);
    let killed = bed.copy(from, to).await.map(drop);
    assert!(is_failed(&killed, "ended with status 137"), "{killed:?}");
    bed.site.settings.insert("copy_image".to_owned(), IMAGE.into());
    bed.copy(from, to).await.unwrap();
    let second = InstanceSpec { mounts: vec![mount(to, "/data")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, SHOW), "a\nb\n1000 1000 640");
    assert_eq!(bed.exec(&second, "ls /data"), "b\nsys");
}

#[tokio::test]
async fn a_volume_that_is_not_there_is_not_made_by_whoever_mounts_it() {
    let bed = Bed::new();
    let volume = bed.volume().await;
    let name = format!("berth-{volume}");
    let spec = InstanceSpec { mounts: vec![mount(volume, "/data")], ..spec() };
    let plain = InstanceSpec { mounts: Vec::new(), ..spec.clone() };
    bed.create(&plain).await.unwrap();
    bed.engine.podman(&["volume", "rm", &name]);
    for answer in [bed.driver.start(&bed.site, &spec).await, bed.create(&spec).await] {
        assert!(is_failed(&answer, "is not there to mount"), "{answer:?}");
    }
    assert_eq!(bed.engine.podman(&["volume", "ls", "--quiet"]), "");
    bed.engine.podman(&["volume", "create", &name]);
    let answer = bed.create(&spec).await;
    assert!(is_failed(&answer, "no label of ours"), "{answer:?}");
    bed.engine.podman(&["volume", "rm", &name]);
    bed.driver.create_volume(&bed.site, volume, 1).await.unwrap();
    bed.run(&spec).await;
}

/// The way for Docker, taken through a TCP port where Podman calls itself Docker. Owners are lost
/// here, which is why the driver does not go that way when it knows.
#[tokio::test]
async fn a_volume_is_copied_by_archive_without_a_tool() {
    let mut bed = Bed::new();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = bed.engine.socket();
    let proxy = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(pass_on(stream, socket.clone()));
        }
    });
    let endpoint = format!("http://127.0.0.1:{port}");
    bed.site.settings.insert("endpoint".to_owned(), endpoint.into());
    let (from, to) = (bed.volume().await, bed.volume().await);
    let first = InstanceSpec { mounts: vec![mount(from, "/data")], ..spec() };
    bed.run(&first).await;
    bed.exec(&first, "head -c 20m /dev/zero >/data/large; echo b >/data/b");
    for _ in 0..2 {
        assert_eq!(bed.copy(from, to).await, Ok(0));
    }
    let second = InstanceSpec { mounts: vec![mount(to, "/data")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /data/b; stat -c %s /data/large"), "b\n20971520");
    assert!(!bed.engine.podman(&["ps", "--all"]).contains("berth-copy"));
    proxy.abort();
}

/// One request and its answer; the question for the version is answered as Docker would.
async fn pass_on(mut client: TcpStream, socket: PathBuf) {
    let mut head = [0; 16];
    let Ok(()) = client.read_exact(&mut head).await.map(drop) else { return };
    if head.starts_with(b"GET /version ") {
        let body = r#"{"Components":[{"Name":"Engine","Version":"29.0"}]}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        client.write_all(answer.as_bytes()).await.unwrap();
        // Closing with the rest of the request unread would reset the connection.
        drop(client.shutdown().await);
        drop(client.read_to_end(&mut Vec::new()).await);
        return;
    }
    let mut engine = UnixStream::connect(socket).await.unwrap();
    engine.write_all(&head).await.unwrap();
    drop(tokio::io::copy_bidirectional(&mut client, &mut engine).await);
}
