use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// `tests/clients/tls_proxy.py`; it ends when this is dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is installed by ./check");
    assert!(output.status.success(), "openssl {line}: {output:?}");
}

/// An authority `NAME-ca`, and key pairs `NAME-server` and `NAME-client` that it signed.
fn authority(folder: &Path, name: &str) {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    let own = format!("{curve} -keyout {name}-ca.key -out {name}-ca.pem");
    openssl(folder, &format!("req -x509 -days 2 -subj /CN=berth-{name} {own}"));
    for role in ["server", "client"] {
        let pair = format!("{name}-{role}");
        let keys = format!("{curve} -keyout {pair}.key -out {pair}.pem");
        let signer = format!("-CA {name}-ca.pem -CAkey {name}-ca.key");
        let extensions = "-addext subjectAltName=DNS:localhost \
                          -addext basicConstraints=critical,CA:FALSE";
        let line = format!("req -x509 -days 2 -subj /CN={role} {extensions} {keys} {signer}");
        openssl(folder, &line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

#[tokio::test]
async fn an_engine_is_reached_over_tls_by_who_its_authority_knows() {
    let mut bed = Bed::new();
    let folder = bed.engine.folder().to_owned();
    authority(&folder, "mine");
    authority(&folder, "strangers");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/tls_proxy.py");
    let files = ["mine-ca.pem", "mine-server.pem", "mine-server.key", "socket"];
    let mut command = Command::new("python3");
    command.arg(script).args(files.map(|file| folder.join(file)));
    let mut proxy = Proxy(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut port).unwrap();

    // A client that the engine does not know is told so only by the end of its connection.
    for (ca, client, fault) in [
        ("mine", "mine", None),
        ("mine", "strangers", Some("connection")),
        ("strangers", "mine", Some("certificate")),
    ] {
        let settings = &mut bed.site.settings;
        let mut set = |key: &str, value: String| settings.insert(key.to_owned(), value.into());
        set("endpoint", format!("https://localhost:{}", port.trim()));
        for (key, file) in [
            ("ca", format!("{ca}-ca.pem")),
            ("certificate", format!("{client}-client.pem")),
            ("key", format!("{client}-client.key")),
        ] {
            set(key, folder.join(file).display().to_string());
        }
        let spec = spec();
        let Some(fault) = fault else {
            bed.run(&spec).await;
            continue;
        };
        let answer = bed.create(&spec).await;
        assert!(is_failed(&answer, "https://localhost"), "{answer:?}");
        assert!(is_failed(&answer, fault), "{answer:?}");
    }
}
