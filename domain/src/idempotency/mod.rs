//! Idempotency: the same key and the same request have one effect and one answer.
//!
//! The record is written in the transaction of its effect, so it exists exactly when the effect
//! does. A refusal leaves no record: it changed nothing, and the same key may be tried again.
//! Records are kept for ever, because a key must never charge twice.

mod port;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

pub use port::{Claim, Idempotency};

use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::pool::PoolId;
use crate::store::Tx;
use crate::user::UserId;

/// A key that a client chose for one request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks a client's key.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > 255 || !visible {
            return Err("an idempotency key is 1 to 255 visible ASCII characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as the operator's console uses it for a user. A client's key has no blank, so the user
    /// cannot have taken it.
    #[must_use]
    pub fn of_the_console(&self) -> Self {
        Self(format!("console {}", self.0))
    }

    /// The key as credentials use it that reach one pool: who has some for two pools may choose the same key
    /// in both.
    #[must_use]
    pub fn of_pool(&self, id: PoolId) -> Self {
        Self(format!("pool {id} {}", self.0))
    }

    /// The key as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The request that a key stands for.
pub struct Attempt<'a> {
    /// The client's key; without one every request has its own effect.
    pub key: Option<&'a IdempotencyKey>,
    /// Whose key it is.
    pub user_id: UserId,
    /// Which operation, such as `rental.rent`.
    pub operation: &'static str,
    /// When it was first tried.
    pub at: Timestamp,
}

/// Runs `effect` unless the same key had its effect before; then answers as it did the first time.
/// `request` is everything that decides the effect: another one under the same key is refused.
pub async fn once<Request: Serialize, Outcome: Serialize + DeserializeOwned>(
    tx: &dyn Tx,
    attempt: Attempt<'_>,
    request: &Request,
    effect: impl AsyncFnOnce() -> Result<Outcome>,
) -> Result<Outcome> {
    let Some(key) = attempt.key else {
        return effect().await;
    };
    let fingerprint = fingerprint(attempt.operation, request)?;
    match tx.claim(attempt.user_id, key, &fingerprint, attempt.at).await? {
        Claim::Mine => {
            let outcome = effect().await?;
            let stored = serde_json::to_value(&outcome).map_err(Error::internal)?;
            tx.keep_outcome(attempt.user_id, key, stored).await?;
            Ok(outcome)
        }
        Claim::Done { fingerprint: first, outcome } if first == fingerprint => {
            serde_json::from_value(outcome).map_err(Error::internal)
        }
        Claim::Done { .. } => Err(Error::Conflict(Conflict::IdempotencyKeyReused)),
        Claim::Running => Err(Error::Conflict(Conflict::IdempotencyInProgress)),
    }
}

fn fingerprint(operation: &str, request: &impl Serialize) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(request).map_err(Error::internal)?;
    Ok(Sha256::new()
        .chain_update(operation)
        .chain_update([0])
        .chain_update(body)
        .finalize()
        .to_vec())
}
