//! Offers the graphics processors of a host, or changes how they are offered.

use serde_json::{Value, json};
use tracing::instrument;

use super::{Figures, GpuOffer, GpuOfferTerms};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing, Violation};
use crate::event::{Event, Subject};
use crate::host::HostId;
use crate::money::Money;
use crate::number::Numbered;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// Ten thousand of the currency: far below what overflows in a month of many GPUs.
const MAX_PRICE: Money = Money::from_e8(10_000 * 100_000_000);
/// Ten years.
const MOST_HOURS: u32 = 87_600;
/// Of a figure, in its unit.
const MOST: u32 = 100_000_000;

/// An offer as an operator describes it.
#[derive(Clone, Debug)]
pub struct GpuOfferDraft {
    /// Which host; it carries instances and has graphics processors.
    pub host_id: HostId,
    /// What is sold, and for how much.
    pub terms: GpuOfferTerms,
    /// What was measured.
    pub figures: Figures,
}

impl GpuOfferDraft {
    /// Every fault that shows without a look at the database.
    pub fn violations(&self) -> Vec<Violation> {
        let Self { terms, figures, .. } = self;
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        let prices = [
            ("/per_gpu", terms.per_gpu),
            ("/spot_per_gpu", terms.spot_per_gpu),
            ("/per_gb", Some(terms.per_gb)),
        ];
        for (path, price) in prices {
            if price.is_some_and(|price| !(Money::ZERO..=MAX_PRICE).contains(&price)) {
                fault(path, "must be 0 to 10000");
            }
        }
        if terms.min_hours == 0 || terms.min_hours > MOST_HOURS {
            fault("/min_hours", "must be 1 to 87600");
        }
        if terms.max_hours < terms.min_hours || terms.max_hours > MOST_HOURS {
            fault("/max_hours", "must be min_hours to 87600");
        }
        let texts = [("/cpu_model", &figures.cpu_model), ("/disk_type", &figures.disk_type)];
        for (path, text) in texts {
            if text.chars().count() > 100 || text.contains(char::is_control) {
                fault(path, "must be at most 100 characters, none of them a control character");
            }
        }
        for (path, figure) in [
            ("/disk_read_mbps", figures.disk_read_mbps),
            ("/disk_write_mbps", figures.disk_write_mbps),
            ("/download_mbps", figures.download_mbps),
            ("/upload_mbps", figures.upload_mbps),
            ("/pcie_generation", figures.pcie_generation),
            ("/pcie_width", figures.pcie_width),
            ("/pcie_gbps", figures.pcie_gbps),
            ("/tflops", figures.tflops_e2),
            ("/dlperf", figures.dlperf_e2),
        ] {
            if figure > MOST {
                fault(path, "is more than can be");
            }
        }
        violations
    }
}

/// Offers the graphics processors of a host, or changes how; instances keep the terms that they were made
/// with. An offer that is so already stays as it is.
#[instrument(name = "gpu_offer.put", skip_all, fields(host_id = %draft.host_id))]
pub async fn put(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    draft: GpuOfferDraft,
) -> Result<GpuOffer> {
    operator.may(Permission::AdminWrite)?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let capacity = tx.capacity_for_update(draft.host_id).await?;
        let capacity = capacity.ok_or(Error::NotFound(Thing::Server))?;
        if capacity.gpu.is_none() {
            return Err(Error::invalid("/gpu", "the server has no graphics processors"));
        }
        let before = tx.gpu_offer(draft.host_id).await?;
        let is_same =
            |before: &GpuOffer| before.terms == draft.terms && before.figures == draft.figures;
        if let Some(before) = before.clone().filter(is_same) {
            return Ok(before);
        }
        let number = match &before {
            Some(before) => before.number,
            None => tx.give_number(Numbered::GpuOffer, draft.host_id.uuid()).await?,
        };
        let offer = GpuOffer {
            host_id: draft.host_id,
            number,
            terms: draft.terms.clone(),
            figures: draft.figures.clone(),
            created_at: before.as_ref().map_or(now, |before| before.created_at),
            updated_at: now,
        };
        tx.save_gpu_offer(&offer).await?;
        tx.record(vec![changed(operator, before.as_ref(), &offer, now)]).await?;
        Ok(offer)
    })
    .await
}

fn changed(
    operator: &Operator,
    before: Option<&GpuOffer>,
    offer: &GpuOffer,
    now: Timestamp,
) -> Event {
    Event {
        kind: "gpu_offer.changed",
        subject: Subject::Host(offer.host_id),
        actor: operator.actor(),
        before: before.map(facts),
        data: facts(offer),
        recipient: None,
        at: now,
    }
}

fn facts(offer: &GpuOffer) -> Value {
    json!({ "number": offer.number, "terms": offer.terms, "figures": offer.figures })
}

/// What is sold of a host, for operators.
pub async fn show(store: &dyn Store, operator: &Operator, host_id: HostId) -> Result<GpuOffer> {
    operator.may(Permission::AdminRead)?;
    store.reads().gpu_offer(host_id).await?.ok_or(Error::NotFound(Thing::GpuOffer))
}
