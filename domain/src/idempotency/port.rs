use async_trait::async_trait;
use serde_json::Value;

use super::IdempotencyKey;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::user::UserId;

/// What a key stands for at the moment.
#[derive(Debug)]
pub enum Claim {
    /// Nobody used it before: the effect is the caller's to make, in this transaction.
    Mine,
    /// It had its effect.
    Done {
        /// The hash of the first request.
        fingerprint: Vec<u8>,
        /// What the first request answered.
        outcome: Value,
    },
    /// Another transaction holds it and did not finish in time.
    Running,
}

/// The records of used keys.
#[async_trait]
pub trait Idempotency {
    /// Takes the key for this transaction. Where another transaction holds it, waits until that one
    /// has ended, up to the lock deadline.
    async fn claim(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        fingerprint: &[u8],
        at: Timestamp,
    ) -> Result<Claim>;

    /// Keeps the answer of a claimed key.
    async fn keep_outcome(
        &self,
        user_id: UserId,
        key: &IdempotencyKey,
        outcome: Value,
    ) -> Result<()>;
}
