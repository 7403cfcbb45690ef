//! Logging in to a host.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::host::HostId;
use domain::remote::{HostKey, KeyVerdict, Login, LoginBook};
use russh::Preferred;
use russh::client::{self, Config, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use tokio::net::TcpStream;

use super::identity;

/// As often as this a silent host is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Why nobody was let in.
#[derive(Debug)]
pub enum Refusal {
    /// Something between us and the host, or the host.
    Broken(String),
    /// The host shows another key.
    Changed(String),
}

impl From<russh::Error> for Refusal {
    fn from(fault: russh::Error) -> Self {
        Self::Broken(fault.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) | Self::Changed(why) => f.write_str(why),
        }
    }
}

/// Somebody to whom the host shows its key.
pub struct Guest {
    book: Arc<dyn LoginBook>,
    host_id: HostId,
    shown: Arc<Mutex<Option<HostKey>>>,
}

impl client::Handler for Guest {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        let unreadable = || Refusal::Broken("the host's key cannot be read".to_owned());
        let line = shown.public_key().to_openssh().map_err(|_| unreadable())?;
        let key = HostKey::parse(&line).map_err(|_| unreadable())?;
        let verdict = self.book.key_shown(self.host_id, &key).await;
        let told = |fault| Refusal::Broken(format!("the book of logins failed: {fault}"));
        match verdict.map_err(told)? {
            KeyVerdict::Known => {
                *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                Ok(true)
            }
            KeyVerdict::Changed { known } => Err(Refusal::Changed(format!(
                "the host shows another key than before: {} instead of {}; nothing was done there, \
                 and nothing will be until an operator has accepted it",
                key.fingerprint(),
                known.fingerprint()
            ))),
        }
    }
}

/// Logs in, and answers the key that the host has shown as well.
pub async fn connect(
    book: Arc<dyn LoginBook>,
    host_id: HostId,
    login: &Login,
) -> Result<(Handle<Guest>, HostKey), Refusal> {
    let key =
        identity::read(&login.private_key).map_err(|fault| Refusal::Broken(fault.to_owned()))?;
    let config = Config {
        keepalive_interval: Some(KEEPALIVE),
        preferred: preferred(login.host_key.as_ref()),
        nodelay: true,
        ..Config::default()
    };
    let shown = Arc::new(Mutex::new(None));
    let guest = Guest { book, host_id, shown: Arc::clone(&shown) };
    let stream = TcpStream::connect(SocketAddr::new(login.address, login.port)).await;
    let stream = stream.map_err(|fault| Refusal::Broken(fault.to_string()))?;
    // A small command is not to wait for more to be sent.
    stream.set_nodelay(true).map_err(|fault| Refusal::Broken(fault.to_string()))?;
    let mut handle = client::connect_stream(Arc::new(config), stream, guest).await?;
    let hash = if key.algorithm().is_rsa() {
        handle.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512))
    } else {
        None
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    if !handle.authenticate_publickey(&login.username, key).await?.success() {
        let why = format!("the host does not let {} in with this key", login.username);
        return Err(Refusal::Broken(why));
    }
    let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let shown = shown.ok_or_else(|| Refusal::Broken("the host has shown no key".to_owned()))?;
    Ok((handle, shown))
}

/// The kind of the known key comes first: a host with several would show another one, which would
/// look as if its key had changed. Signatures with SHA-1 are not taken.
fn preferred(known: Option<&HostKey>) -> Preferred {
    let kind = known.and_then(|key| key.as_str().split(' ').next()).unwrap_or_default();
    let is_known = |key: &Algorithm| match key {
        Algorithm::Rsa { .. } => kind == "ssh-rsa",
        other => other.as_str() == kind,
    };
    let mut keys = Preferred::DEFAULT.key.into_owned();
    keys.retain(|key| *key != Algorithm::Rsa { hash: None });
    keys.sort_by_key(|key| !is_known(key));
    Preferred { key: Cow::Owned(keys), ..Preferred::DEFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_the_known_key_is_asked_for_first() {
        let first = |line: &str| {
            let known = HostKey::from_stored(line.to_owned());
            preferred(Some(&known)).key.iter().take(2).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(first("ssh-rsa AAAA"), ["rsa-sha2-512", "rsa-sha2-256"]);
        assert_eq!(first("ecdsa-sha2-nistp384 AAAA"), ["ecdsa-sha2-nistp384", "ssh-ed25519"]);
        assert_eq!(first("ssh-ed25519 AAAA")[0], "ssh-ed25519");
        assert_eq!(preferred(None).key.len(), Preferred::DEFAULT.key.len() - 1);
    }
}
