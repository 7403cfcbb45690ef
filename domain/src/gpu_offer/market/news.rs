//! What the database tells of changes, and for how long it can.

use super::MarketHost;
use crate::capacity::StorageName;
use crate::error::Result;
use crate::host::HostId;
use crate::location::LocationCode;
use crate::store::{Store, Tx, atomically};

/// So many of the last changes are kept. Whoever has seen none of them reads everything, which costs no more.
pub const KEPT_CHANGES: u32 = 20_000;

/// How far the market has come, in words of the database's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketMark(pub String);

/// What has changed, each thing as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketChanges {
    /// Where the changes end.
    pub mark: MarketMark,
    /// Hosts; `None` of those that are not listed any more.
    pub hosts: Vec<(HostId, Option<MarketHost>)>,
    /// Storages, and how many GB are free there.
    pub storages: Vec<(StorageName, u32)>,
    /// Locations and their countries.
    pub locations: Vec<(LocationCode, String)>,
}

/// Forgets old changes of the market, but for so many of the last; answers how many were forgotten.
pub async fn trim_changes(store: &dyn Store, keep: u32) -> Result<u32> {
    let gone = atomically(store, async |tx: &dyn Tx| tx.trim_market_changes(keep).await).await?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}
