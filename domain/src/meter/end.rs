//! How a payer stands whose wallet runs dry.

use chrono::Duration;

use super::{Meter, Rate};
use crate::clock::Timestamp;
use crate::money::Money;
use crate::wallet::Wallet;

/// A payer who is running out of money, or has run out. Nobody else has a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They were told that it will not last.
    Warned {
        /// When.
        at: Timestamp,
    },
    /// Their instances were stopped, and their volumes cost what nobody pays.
    Stopped {
        /// When.
        at: Timestamp,
        /// When all of it is deleted, unless they pay.
        delete_at: Timestamp,
    },
}

/// What all running meters cost in an hour.
pub(super) fn hourly(meters: &[Meter]) -> Money {
    let running = meters.iter().filter(|meter| meter.ended_at.is_none());
    running.map(|meter| meter.rate.hourly()).sum()
}

/// How long a balance lasts; `None` where nothing runs.
pub(super) fn lasts(balance: Money, hourly: Money) -> Option<Duration> {
    let rate = Rate::per_hour(hourly);
    if hourly <= Money::ZERO {
        return None;
    }
    let seconds = i128::from(balance.e8()) * i128::from(rate.seconds) / i128::from(hourly.e8());
    // A hundred years, where it would be longer.
    let most = 100 * 365 * 24 * 3_600;
    Some(Duration::seconds(i64::try_from(seconds).unwrap_or(most).clamp(0, most)))
}

impl Standing {
    /// How a payer stands now, by what they have and what runs.
    pub(super) fn of(
        before: Option<Self>,
        wallet: &Wallet,
        hourly: Money,
        (now, warn_ahead, retention): (Timestamp, Duration, Duration),
    ) -> Option<Self> {
        let is_dry =
            wallet.balance <= Money::ZERO && (hourly > Money::ZERO || wallet.owed > Money::ZERO);
        let is_low = lasts(wallet.balance, hourly).is_some_and(|lasts| lasts <= warn_ahead);
        match before {
            // Who holds places and has nothing stays so, whatever it costs: only money ends it.
            Some(Self::Stopped { .. }) if wallet.balance <= Money::ZERO => before,
            Some(Self::Warned { .. } | Self::Stopped { .. }) | None if is_dry => {
                Some(Self::Stopped { at: now, delete_at: now + retention })
            }
            Some(Self::Warned { .. }) if is_low => before,
            _ if is_low => Some(Self::Warned { at: now }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::instant;
    use crate::user::UserId;

    #[test]
    fn a_payer_is_warned_stopped_and_forgiven_once_each() {
        let hour = Duration::hours(1);
        let of = |before, balance: i64, hourly: i64, owed: i64| {
            let user_id = UserId::from_uuid(uuid::Uuid::nil());
            let wallet = Wallet {
                balance: Money::from_e8(balance),
                owed: Money::from_e8(owed),
                ..Wallet::empty(user_id)
            };
            let policy = (instant(), hour * 24, hour * 72);
            Standing::of(before, &wallet, Money::from_e8(hourly), policy)
        };
        let earlier = instant() - hour;
        let warned = Some(Standing::Warned { at: earlier });
        let stopped = Some(Standing::Stopped { at: earlier, delete_at: earlier + hour * 72 });
        let (at, delete_at) = (instant(), instant() + hour * 72);
        assert_eq!(of(None, 241, 10, 0), None);
        assert_eq!(of(None, 240, 10, 0), Some(Standing::Warned { at }));
        assert_eq!(of(warned, 100, 10, 0), warned);
        assert_eq!(of(warned, 1_000, 10, 0), None);
        assert_eq!(of(warned, 0, 10, 0), Some(Standing::Stopped { at, delete_at }));
        assert_eq!(of(stopped, 0, 1, 5), stopped);
        assert_eq!(of(stopped, 0, 0, 5), stopped);
        assert_eq!(of(stopped, 0, 0, 0), stopped);
        assert_eq!(of(stopped, 100, 10, 0), Some(Standing::Warned { at }));
        assert_eq!(of(stopped, 1_000, 10, 0), None);
        assert_eq!(of(None, 0, 0, 0), None);
    }
}
