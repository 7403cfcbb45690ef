//! Requests to Stripe. A client on hyper itself: reqwest brings either aws-lc-rs or, without it, a
//! client that panics unless a TLS provider was installed for the whole process.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use domain::payment::ProviderError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The version of Stripe's API that the answers are read in, whatever the account's own is.
pub const VERSION: &str = "2024-06-20";
/// The longest that a whole request may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// More than any answer that is asked for.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The base URL cannot be called.
#[derive(Debug, thiserror::Error)]
#[error("the base URL of Stripe cannot be used: {0}")]
pub struct BadAddress(String);

/// Fields of a request, in their order.
#[derive(Default)]
pub struct Form(Vec<(&'static str, String)>);

impl Form {
    pub fn add(&mut self, name: &'static str, value: impl Display) {
        self.0.push((name, value.to_string()));
    }
}

/// Sends requests with the key. It follows no redirects.
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    key: SecretString,
}

impl Http {
    pub fn new(base: &str, key: SecretString) -> Result<Self, BadAddress> {
        let base = base.trim_end_matches('/').to_owned();
        base.parse::<Uri>().map_err(|fault| BadAddress(fault.to_string()))?;
        let tls = Arc::new(rustls::crypto::ring::default_provider());
        let connector = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(tls);
        let connector = connector.map_err(|fault| BadAddress(fault.to_string()))?;
        let connector = connector.https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, base, key })
    }

    /// GET; `path` may have a query.
    pub async fn get(&self, path: &str) -> Result<Value, ProviderError> {
        let (status, answer) = self.send(Method::GET, path, None).await?;
        accepted(status, answer)
    }

    /// POST, once however often it is sent with this key.
    pub async fn post(&self, path: &str, once: &str, form: Form) -> Result<Value, ProviderError> {
        let (status, answer) = self.send(Method::POST, path, Some((once, form))).await?;
        accepted(status, answer)
    }

    /// The same, where a declined card (402) is an answer: the inner error is its `error` object.
    pub async fn post_or_decline(
        &self,
        path: &str,
        once: &str,
        form: Form,
    ) -> Result<Result<Value, Value>, ProviderError> {
        let (status, answer) = self.send(Method::POST, path, Some((once, form))).await?;
        if status == StatusCode::PAYMENT_REQUIRED {
            return Ok(Err(answer.get("error").cloned().unwrap_or_default()));
        }
        accepted(status, answer).map(Ok)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: Option<(&str, Form)>,
    ) -> Result<(StatusCode, Value), ProviderError> {
        let bearer = format!("Bearer {}", self.key.expose_secret());
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header(AUTHORIZATION, bearer).header("stripe-version", VERSION);
        let request = match form {
            None => request.body(Full::default()),
            Some((once, Form(fields))) => {
                let body = serde_urlencoded::to_string(fields).map_err(refused)?;
                let request = request.header("idempotency-key", once);
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                request.body(Full::from(body))
            }
        };
        let exchange = self.exchange(request.map_err(refused)?);
        let answer = tokio::time::timeout(DEADLINE, exchange).await;
        answer.map_err(|_| ProviderError::Unreachable("it took longer than 20 s".to_owned()))?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Value), ProviderError> {
        let answer = self.client.request(request).await.map_err(unreachable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(unreachable)?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

fn refused(fault: impl Display) -> ProviderError {
    ProviderError::Refused(fault.to_string())
}

fn unreachable(fault: impl Display) -> ProviderError {
    ProviderError::Unreachable(fault.to_string())
}

/// The answer, if it is a success. Only code and type of a failure are told: its message may repeat
/// what was sent.
fn accepted(status: StatusCode, answer: Value) -> Result<Value, ProviderError> {
    if status.is_success() && answer.is_object() {
        return Ok(answer);
    }
    let word = |name| answer.pointer(name).and_then(Value::as_str).unwrap_or("-");
    let told = format!("{status}, type {}, code {}", word("/error/type"), word("/error/code"));
    // 409: another request with this key is still running. 429: too many. 2xx: no JSON.
    if status.is_client_error() && ![409, 429].contains(&status.as_u16()) {
        Err(ProviderError::Refused(told))
    } else {
        Err(ProviderError::Unreachable(told))
    }
}
