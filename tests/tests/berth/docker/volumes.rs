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
    bed.driver.remove(&bed.site, first.id).await.unwrap();
    for _ in 0..2 {
        bed.driver.resize_volume(&bed.site, volume, 20).await.unwrap();
    }

    let second = InstanceSpec { mounts: vec![mount(volume, "/other")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, "cat /other/file"), "kept");
    bed.driver.remove(&bed.site, second.id).await.unwrap();
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
    let answer = bed.driver.copy_volume(&bed.site, from, to).await;
    assert!(is_refused(&answer, "copy_image"), "{answer:?}");

    bed.site.settings.insert("copy_image".to_owned(), IMAGE.into());
    for _ in 0..2 {
        bed.driver.copy_volume(&bed.site, from, to).await.unwrap();
    }
    let second = InstanceSpec { mounts: vec![mount(to, "/data")], ..spec() };
    bed.run(&second).await;
    assert_eq!(bed.exec(&second, SHOW), "a\nb\n1000 1000 640");
    bed.exec(&second, "echo new >/data/b");
    let late = bed.driver.copy_volume(&bed.site, from, to).await;
    assert!(is_failed(&late, "being used"), "a volume in use is not written over: {late:?}");
    assert_eq!(bed.exec(&second, "cat /data/b"), "new");
    let gone = bed.driver.copy_volume(&bed.site, VolumeId::parse(&next_id()).unwrap(), to).await;
    assert!(is_refused(&gone, "there is no volume"), "{gone:?}");
    assert!(!bed.engine.podman(&["ps", "--all"]).contains("berth-copy"));
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
        bed.driver.copy_volume(&bed.site, from, to).await.unwrap();
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
