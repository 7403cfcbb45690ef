//! A mandate to renew: what a renter allows Berth to charge without being asked each time.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::extend::payer_may_extend;
use super::{Rental, RentalId};
use crate::clock::{Clock, Timestamp, days};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::event::{Event, Subject};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, UserId};

/// Renewals are tried from so long before the end on, so that access is not cut in between.
pub(super) const RENEW_AHEAD: chrono::Duration = chrono::Duration::hours(1);
/// A renewal that was refused is tried again so much later, as long as the rental is on hold.
pub(super) const TRY_AGAIN_AFTER: chrono::Duration = chrono::Duration::hours(1);
const MAX_NOTICE_DAYS: u32 = 365;
const MAX_RENEWALS: u32 = 10_000;

/// What may be charged for a rental without being asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Which rental.
    pub rental_id: RentalId,
    /// Whose wallet pays.
    pub payer_id: UserId,
    /// Each renewal's length; a tier of the host.
    pub days: u32,
    /// No renewal costs more than this.
    pub max_price: Money,
    /// How many renewals; no end where it is `None`.
    pub max_renewals: Option<u32>,
    /// How many there were.
    pub renewals: u32,
    /// How long before the end the payer is told what will happen.
    pub notice_days: u32,
    /// The end of the period that the payer has been told about.
    pub noticed_for: Option<Timestamp>,
    /// The end of the period whose renewal was refused, which the payer has been told.
    pub refused_for: Option<Timestamp>,
    /// When it has to be looked at next; never too late, sometimes too early.
    pub look_at: Option<Timestamp>,
    /// When it was given.
    pub created_at: Timestamp,
}

impl Mandate {
    /// Whether it allows another renewal.
    pub fn has_renewals_left(&self) -> bool {
        self.max_renewals.is_none_or(|most| self.renewals < most)
    }

    /// When the payer is to be told about the period that ends then.
    pub fn notice_at(&self, ends_at: Timestamp) -> Timestamp {
        ends_at - days(self.notice_days)
    }

    /// The mandate with the moment that it has to be looked at next for a rental as it stands now.
    #[must_use]
    pub fn planned(self, rental: &Rental, now: Timestamp) -> Self {
        let ends_at = rental.ends_at;
        let look_at = if !rental.is_live() {
            None
        } else if self.noticed_for != Some(ends_at) {
            Some(self.notice_at(ends_at))
        } else if self.refused_for == Some(ends_at) {
            Some(now + TRY_AGAIN_AFTER)
        } else {
            Some(ends_at - RENEW_AHEAD)
        };
        Self { look_at, ..self }
    }
}

/// A wish to have a rental renewed.
#[derive(Clone, Debug)]
pub struct GiveMandate {
    /// Who asks, and pays: the renter, or an owner or admin of the rental's pool.
    pub caller: Caller,
    /// Which rental.
    pub rental_id: RentalId,
    /// Each renewal's length; a tier of the host.
    pub days: u32,
    /// No renewal costs more than this; whole cents.
    pub max_price: Money,
    /// How many renewals; no end where it is `None`.
    pub max_renewals: Option<u32>,
    /// How long before the end the payer is told what will happen.
    pub notice_days: u32,
}

impl GiveMandate {
    fn checked(&self) -> Result<()> {
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: String| {
            violations.push(Violation { path: path.to_owned(), message });
        };
        if self.max_price <= Money::ZERO || !self.max_price.is_whole_cents() {
            fault("/max_price", "must be whole cents, above 0".to_owned());
        }
        if self.max_renewals.is_some_and(|most| !(1..=MAX_RENEWALS).contains(&most)) {
            fault("/max_renewals", format!("must be 1 to {MAX_RENEWALS}"));
        }
        if !(1..=MAX_NOTICE_DAYS).contains(&self.notice_days) {
            fault("/notice_days", format!("must be 1 to {MAX_NOTICE_DAYS}"));
        }
        if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
    }
}

/// Gives a mandate, in place of the one that there was; renewals are counted anew.
#[instrument(name = "rental.give_mandate", skip_all, fields(rental_id = %request.rental_id))]
pub async fn give_mandate(
    store: &dyn Store,
    clock: &dyn Clock,
    request: GiveMandate,
) -> Result<Mandate> {
    request.caller.may(Permission::RentalsExtend)?;
    request.checked()?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let payer_id = request.caller.user_id;
        let (host, rental) = payer_may_extend(tx, payer_id, request.rental_id).await?;
        let rental = rental.at(now);
        if !rental.is_live() {
            return Err(Error::Conflict(Conflict::RentalEnded));
        }
        host.pricing.tier(request.days)?;
        let before = tx.mandate_for_update(request.rental_id).await?;
        let mandate = Mandate {
            rental_id: request.rental_id,
            payer_id,
            days: request.days,
            max_price: request.max_price,
            max_renewals: request.max_renewals,
            renewals: 0,
            notice_days: request.notice_days,
            noticed_for: None,
            refused_for: None,
            look_at: None,
            created_at: now,
        };
        let mandate = mandate.planned(&rental, now);
        tx.save_mandate(&mandate).await?;
        tx.record(vec![Event {
            kind: "rental.mandate_given",
            subject: Subject::Rental(rental.id),
            actor: request.caller.actor(),
            before: before.map(|mandate| json!(mandate)),
            data: json!(mandate),
            recipient: None,
            at: now,
        }])
        .await?;
        Ok(mandate)
    })
    .await
}

/// Takes a mandate back.
#[instrument(name = "rental.revoke_mandate", skip_all, fields(%rental_id))]
pub async fn revoke_mandate(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    rental_id: RentalId,
) -> Result<()> {
    caller.may(Permission::RentalsExtend)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        payer_may_extend(tx, caller.user_id, rental_id).await?;
        let mandate = tx.mandate_for_update(rental_id).await?;
        let mandate = mandate.ok_or(Error::NotFound(Thing::Mandate))?;
        tx.remove_mandate(rental_id).await?;
        tx.record(vec![Event {
            kind: "rental.mandate_revoked",
            subject: Subject::Rental(rental_id),
            actor: caller.actor(),
            before: Some(json!(mandate)),
            data: json!({}),
            recipient: Some(mandate.payer_id).filter(|payer_id| *payer_id != caller.user_id),
            at: now,
        }])
        .await
    })
    .await
}

/// The mandate of a rental that the caller may see.
pub async fn show_mandate(
    store: &dyn Store,
    caller: &Caller,
    rental_id: RentalId,
) -> Result<Mandate> {
    caller.may(Permission::RentalsRead)?;
    let reads = store.reads();
    let seen = reads.rental_visible_to(caller.viewer(), rental_id).await?;
    seen.ok_or(Error::NotFound(Thing::Rental))?;
    reads.mandate(rental_id).await?.ok_or(Error::NotFound(Thing::Mandate))
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use uuid::Uuid;

    use super::*;
    use crate::rental::{EndReason, Phase};
    use crate::testing::{instant, rental};

    fn mandate() -> Mandate {
        Mandate {
            rental_id: rental().id,
            payer_id: UserId::from_uuid(Uuid::from_u128(1)),
            days: 7,
            max_price: Money::from_cents(7_000).unwrap(),
            max_renewals: None,
            renewals: 0,
            notice_days: 3,
            noticed_for: None,
            refused_for: None,
            look_at: None,
            created_at: instant(),
        }
    }

    #[test]
    fn it_is_looked_at_for_the_notice_the_renewal_and_after_a_refusal() {
        let (end, now) = (rental().ends_at, instant() + days(5));
        let old = instant() - days(7);
        let cases = [
            (None, None, instant() + days(4)),
            (Some(old), None, instant() + days(4)),
            (Some(old), Some(old), instant() + days(4)),
            (Some(end), None, end - Duration::hours(1)),
            (Some(end), Some(old), end - Duration::hours(1)),
            (Some(end), Some(end), now + Duration::hours(1)),
        ];
        for (noticed_for, refused_for, look_at) in cases {
            let planned = Mandate { noticed_for, refused_for, ..mandate() }.planned(&rental(), now);
            assert_eq!(planned.look_at, Some(look_at), "{noticed_for:?} {refused_for:?}");
        }
    }

    #[test]
    fn on_hold_it_is_tried_again_and_after_the_end_never() {
        let end = rental().ends_at;
        let refused = Mandate { noticed_for: Some(end), refused_for: Some(end), ..mandate() };
        let on_hold = instant() + days(8);
        let next = refused.planned(&rental().at(on_hold), on_hold).look_at;
        assert_eq!(next, Some(on_hold + Duration::hours(1)));
        let expired = instant() + days(9);
        assert_eq!(refused.planned(&rental().at(expired), expired).look_at, None);
        let phase = Phase::Ended { at: instant(), reason: EndReason::Terminated };
        let terminated = Rental { phase, ..rental() };
        assert_eq!(mandate().planned(&terminated, instant()).look_at, None);
    }

    #[test]
    fn it_renews_as_often_as_it_says() {
        for (most, renewals, left) in [
            (None, 10_000, true),
            (Some(2), 0, true),
            (Some(2), 1, true),
            (Some(2), 2, false),
            (Some(2), 3, false),
        ] {
            let mandate = Mandate { max_renewals: most, renewals, ..mandate() };
            assert_eq!(mandate.has_renewals_left(), left, "{renewals} of {most:?}");
        }
    }
}
