//! Checkpoints: once a day the heads of all chains that moved are written down under one hash. Whoever
//! keeps that hash elsewhere can tell later whether anything before it was changed.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};
use tracing::instrument;

use super::ChainHead;
use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::user::UserId;

/// The state of the whole ledger at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its place, from 1.
    pub number: i64,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What each kind of account held.
    pub totals: BTreeMap<String, Money>,
    /// The hash of the checkpoint before it.
    pub previous_hash: Vec<u8>,
    /// Its own: over everything above and the heads.
    pub hash: Vec<u8>,
}

/// Computes a checkpoint's hash, head by head.
pub(super) struct CheckpointDigest(Sha256);

impl CheckpointDigest {
    /// Begins with all but the heads.
    pub fn new(checkpoint: &Checkpoint) -> Self {
        let totals = json!(checkpoint.totals).to_string();
        let hash = Sha256::new()
            .chain_update(&checkpoint.previous_hash)
            .chain_update(checkpoint.number.to_be_bytes())
            .chain_update(checkpoint.taken_at.timestamp_micros().to_be_bytes())
            .chain_update(u64::try_from(totals.len()).unwrap_or(u64::MAX).to_be_bytes())
            .chain_update(totals);
        Self(hash)
    }

    /// Adds a head; they come by user.
    pub fn add(&mut self, user_id: UserId, head: &ChainHead) {
        self.0.update(user_id.uuid().as_bytes());
        self.0.update(head.sequence.to_be_bytes());
        self.0.update(&head.hash);
    }

    /// The hash.
    pub fn finish(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// Takes a checkpoint if there is none of this day (in UTC) yet, or `at_once`; answers it. Several
/// processes may try at once: one of them succeeds.
#[instrument(name = "ledger.take_checkpoint", skip_all)]
pub async fn take_checkpoint(
    store: &dyn Store,
    clock: &dyn Clock,
    at_once: bool,
) -> Result<Option<Checkpoint>> {
    let now = clock.now();
    // Heads and totals of one moment, whatever is written meanwhile.
    let reads = store.snapshot().await?;
    let latest = reads.latest_checkpoint().await?;
    let of_today = latest.as_ref().is_some_and(|c| c.taken_at.date_naive() >= now.date_naive());
    if of_today && !at_once {
        return Ok(None);
    }
    let heads = reads.moved_heads().await?;
    let mut checkpoint = Checkpoint {
        number: latest.as_ref().map_or(0, |latest| latest.number).saturating_add(1),
        taken_at: now,
        totals: reads.account_totals().await?.into_iter().collect(),
        previous_hash: latest.map(|latest| latest.hash).unwrap_or_default(),
        hash: Vec::new(),
    };
    drop(reads);
    let mut digest = CheckpointDigest::new(&checkpoint);
    for (user_id, head) in &heads {
        digest.add(*user_id, head);
    }
    checkpoint.hash = digest.finish();
    let is_first =
        atomically(store, async |tx: &dyn Tx| tx.add_checkpoint(&checkpoint, &heads).await);
    Ok(is_first.await?.then_some(checkpoint))
}
