//! The connection to an engine: HTTP over a socket file, TCP, or TLS with a certificate of ours.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bollard::BollardRequest;
use futures_util::Stream;
use http_body_util::{Either, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use hyperlocal::UnixConnector;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::fault::CONNECT;
use super::settings::{Endpoint, Identity};

/// The bodies that bollard sends.
pub type Body = Either<
    Full<Bytes>,
    StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, io::Error>> + Send>>>,
>;

/// Sends requests. Each has a connection of its own: an engine that was started anew in between is
/// then met like any other.
#[derive(Clone)]
pub enum Wire {
    Unix(Client<UnixConnector, Body>),
    Tcp(Client<HttpsConnector<HttpConnector>, Body>),
}

impl Wire {
    /// Reads the files that the endpoint names; connects to nothing.
    pub fn load(endpoint: &Endpoint) -> Result<Self, String> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        let tls = match endpoint {
            Endpoint::Unix(_) => return Ok(Self::Unix(builder.build(UnixConnector))),
            Endpoint::Http(_) => client_config(RootCertStore::empty(), None)?,
            Endpoint::Https { identity, .. } => {
                client_config(authorities(identity)?, Some(identity))?
            }
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls);
        let https = https.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self::Tcp(builder.build(https)))
    }

    pub fn request(&self, request: BollardRequest) -> ResponseFuture {
        match self {
            Self::Unix(client) => client.request(request),
            Self::Tcp(client) => client.request(request),
        }
    }
}

/// What stands before the path of a request; a socket's path is hex digits there.
pub fn base(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => format!("unix://{}", domain::id::hex(path.as_bytes())),
        other => other.to_string(),
    }
}

/// The engine's own authority is trusted, and no other.
fn client_config(
    roots: RootCertStore,
    identity: Option<&Identity>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|fault| fault.to_string())?.with_root_certificates(roots);
    let Some(Identity { certificate, key, .. }) = identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|fault| format!("certificate {}: {fault}", certificate.display()))?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|fault| format!("key {}: {fault}", key.display()))?;
    let config = builder.with_client_auth_cert(chain, secret);
    config.map_err(|fault| format!("certificate {}: {fault}", certificate.display()))
}

fn authorities(identity: &Identity) -> Result<RootCertStore, String> {
    let told = |fault: &dyn std::fmt::Display| format!("ca {}: {fault}", identity.ca.display());
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(&identity.ca).map_err(|fault| told(&fault))? {
        let found = found.map_err(|fault| told(&fault))?;
        roots.add(found).map_err(|fault| told(&fault))?;
    }
    if roots.is_empty() {
        return Err(told(&"no certificate in it"));
    }
    Ok(roots)
}
