//! What a host's settings say about its engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use hyper::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The longest that a container may be given to stop by itself: a job's lease ends at 3 minutes.
const MOST_GRACE_SECONDS: u8 = 100;

/// Whether these are settings of a host with the Docker API, for whoever is about to store them; the
/// error is a sentence for the operator. Nothing is connected, no file is read.
pub fn check_settings(settings: &Map<String, Value>) -> Result<(), String> {
    Settings::parse(settings).map(|_| ())
}

/// A host's settings, read.
#[derive(Clone, Debug)]
pub struct Settings {
    pub endpoint: Endpoint,
    /// The network that containers join instead of the engine's default one.
    pub network: Option<String>,
    /// The address that ports are published on.
    pub publish_on: IpAddr,
    pub gpu_driver: String,
    /// Registries in the host's own network from which renters may have images.
    pub registries: Vec<String>,
    /// The device files of each graphics processor, for engines that cannot be asked for one; empty where
    /// they can.
    pub gpu_devices: Vec<Vec<String>>,
    /// Whether CPU, memory and processes are limited; not every engine can.
    pub limits: bool,
    /// Whether a container's own disk is limited; few file systems can.
    pub disk_limit: bool,
    pub graceful_stop_seconds: u8,
    /// An image with `cp`, trusted with the data of every volume.
    pub copy_image: Option<String>,
}

/// How the engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Unix(String),
    /// `host:port`, in the clear.
    Http(String),
    /// `host:port`, with the key pair that the engine knows us by.
    Https {
        authority: String,
        identity: Identity,
    },
}

/// Paths of PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    endpoint: String,
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    network: Option<String>,
    publish_on: Option<IpAddr>,
    gpu_driver: Option<String>,
    gpu_devices: Option<Vec<Vec<String>>>,
    registries: Option<Vec<String>>,
    limits: Option<bool>,
    disk_limit: Option<bool>,
    graceful_stop_seconds: Option<u8>,
    copy_image: Option<String>,
}

impl Settings {
    pub fn parse(settings: &Map<String, Value>) -> Result<Self, String> {
        let written: Written = serde_json::from_value(Value::Object(settings.clone()))
            .map_err(|fault| fault.to_string())?;
        let grace = written.graceful_stop_seconds.unwrap_or(30);
        if grace > MOST_GRACE_SECONDS {
            return Err(format!("graceful_stop_seconds is at most {MOST_GRACE_SECONDS}"));
        }
        for (key, name) in [
            ("network", &written.network),
            ("gpu_driver", &written.gpu_driver),
            ("copy_image", &written.copy_image),
        ] {
            if name.as_ref().is_some_and(|name| !is_name(name)) {
                return Err(format!("{key} is a name of letters, digits and _.:/@-"));
            }
        }
        let gpu_devices = written.gpu_devices.unwrap_or_default();
        if !gpu_devices.iter().all(|files| are_devices(files)) {
            return Err("gpu_devices is a list of 1 to 32 files below /dev/ for each graphics \
                 processor"
                .to_owned());
        }
        let registries = written.registries.unwrap_or_default();
        if registries.len() > 32 || !registries.iter().all(|name| is_name(name)) {
            return Err(
                "registries is a list of at most 32 registries, such as 10.0.0.5:5000".to_owned()
            );
        }
        let identity = identity(written.ca, written.certificate, written.key)?;
        Ok(Self {
            endpoint: Endpoint::parse(&written.endpoint, identity)?,
            network: written.network,
            publish_on: written.publish_on.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            gpu_driver: written.gpu_driver.unwrap_or_else(|| "nvidia".to_owned()),
            gpu_devices,
            registries,
            limits: written.limits.unwrap_or(true),
            disk_limit: written.disk_limit.unwrap_or(false),
            graceful_stop_seconds: grace,
            copy_image: written.copy_image,
        })
    }
}

fn identity(
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Identity>, String> {
    match (ca, certificate, key) {
        (None, None, None) => Ok(None),
        (Some(ca), Some(certificate), Some(key)) => {
            if [&ca, &certificate, &key].iter().any(|path| !path.is_absolute()) {
                return Err("ca, certificate and key are absolute paths".to_owned());
            }
            Ok(Some(Identity { ca, certificate, key }))
        }
        _ => Err("ca, certificate and key come together".to_owned()),
    }
}

impl Endpoint {
    fn parse(text: &str, identity: Option<Identity>) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            return match identity {
                Some(_) => Err("a unix:// endpoint has no certificates".to_owned()),
                None if path.starts_with('/') => Ok(Self::Unix(path.to_owned())),
                None => Err("endpoint: unix:// is followed by an absolute path".to_owned()),
            };
        }
        let uri: Uri = text.parse().map_err(|fault| format!("endpoint: {fault}"))?;
        let authority = uri.authority().filter(|at| at.port_u16().is_some());
        let is_bare = uri.path().trim_matches('/').is_empty() && uri.query().is_none();
        let authority = authority.filter(|at| is_bare && !at.as_str().contains('@'));
        match (uri.scheme_str(), authority, identity) {
            (Some("http"), Some(at), None) if is_near(at.host()) => {
                Ok(Self::Http(at.as_str().to_owned()))
            }
            (Some("http"), Some(_), None) => Err("endpoint: http:// is for loopback and private \
                 addresses; elsewhere use https:// with certificates"
                .to_owned()),
            (Some("https"), Some(at), Some(identity)) => {
                Ok(Self::Https { authority: at.as_str().to_owned(), identity })
            }
            (Some("https"), Some(_), None) => {
                Err("an https:// endpoint needs ca, certificate and key".to_owned())
            }
            (Some("http"), Some(_), Some(_)) => {
                Err("an http:// endpoint has no certificates".to_owned())
            }
            _ => {
                Err("endpoint is unix:///PATH, http://ADDRESS:PORT or https://HOST:PORT".to_owned())
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Http(authority) => write!(f, "http://{authority}"),
            Self::Https { authority, .. } => write!(f, "https://{authority}"),
        }
    }
}

/// Whether what is sent there in the clear stays in a network of the operator's. A name does not say.
pub fn is_near(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address == Ipv6Addr::LOCALHOST || address.is_unique_local(),
        Err(_) => false,
    }
}

fn are_devices(files: &[String]) -> bool {
    let is_device = |file: &String| {
        let name = file.strip_prefix("/dev/").filter(|name| !name.starts_with('/'));
        name.is_some_and(is_name)
    };
    (1..=32).contains(&files.len()) && files.iter().all(is_device)
}

/// Such names stand in paths of requests, where anything else would have a meaning.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/@-".contains(&byte);
    let is_plain = !text.is_empty() && text.len() <= 255 && text.bytes().all(plain);
    is_plain && !text.starts_with(['/', '.', '-']) && !text.contains("..") && !text.contains("//")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(settings: Value) -> Result<(), String> {
        check_settings(settings.as_object().unwrap())
    }

    #[test]
    fn endpoints_in_reach_are_taken() {
        for endpoint in [
            "unix:///run/docker.sock",
            "http://127.0.0.1:2375",
            "http://localhost:2375/",
            "http://10.1.2.3:2375",
            "http://[fd00::1]:2375",
        ] {
            assert_eq!(check(json!({ "endpoint": endpoint })), Ok(()), "{endpoint}");
        }
        let tls = json!({
            "endpoint": "https://host.example.org:2376", "ca": "/a", "certificate": "/b",
            "key": "/c", "network": "berth", "publish_on": "::", "limits": false,
            "gpu_devices": [["/dev/nvidia0", "/dev/nvidiactl"], ["/dev/dri/renderD129"]],
            "registries": ["10.0.0.5:5000"],
        });
        assert_eq!(check(tls), Ok(()));
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (settings, reason) in [
            (json!({}), "missing field `endpoint`"),
            (json!({"endpoint": "unix:///s", "speed": 1}), "unknown field `speed`"),
            (json!({"endpoint": "unix://s"}), "absolute path"),
            (json!({"endpoint": "ssh://host"}), "unix:///PATH"),
            (json!({"endpoint": "http://127.0.0.1"}), "unix:///PATH"),
            (json!({"endpoint": "http://me@127.0.0.1:1"}), "unix:///PATH"),
            (json!({"endpoint": "http://127.0.0.1:1/path"}), "unix:///PATH"),
            (json!({"endpoint": "http://93.184.216.34:2375"}), "private"),
            (json!({"endpoint": "http://host.example.org:2375"}), "private"),
            (json!({"endpoint": "https://host:2376"}), "needs ca"),
            (json!({"endpoint": "https://host:2376", "ca": "/a"}), "come together"),
            (json!({"endpoint": "unix:///s", "graceful_stop_seconds": 200}), "at most 100"),
            (json!({"endpoint": "unix:///s", "network": "a?b"}), "network is a name"),
            (json!({"endpoint": "unix:///s", "registries": ["a b"]}), "at most 32 registries"),
            (json!({"endpoint": "unix:///s", "gpu_devices": [[]]}), "files below /dev/"),
            (json!({"endpoint": "unix:///s", "gpu_devices": [["/dev/../etc"]]}), "below /dev/"),
            (json!({"endpoint": "unix:///s", "gpu_devices": [["/etc/passwd"]]}), "below /dev/"),
            (json!({"endpoint": "unix:///s", "publish_on": "everywhere"}), "IP address"),
        ] {
            let told = check(settings.clone()).unwrap_err();
            assert!(told.contains(reason), "{settings}: {told}");
        }
    }

    #[test]
    fn a_name_has_no_other_meaning_in_a_path() {
        for name in ["debian", "localhost/a:1", "registry:5000/a/b@sha256:00"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a?b", "a#b", "../a", "a/../b", "/a", "-a", "a%2f", "a//b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
