//! Suppliers: users whose machines are rented out here. Their rent sits in escrow, is earned day by
//! day less the operator's commission, and is paid out to their bank account.

mod appoint;
mod pay_out;
mod port;
mod show;

pub use appoint::{AppointSupplier, appoint};
pub use pay_out::{PaidOut, PayOut, Payout, PayoutRun, pay_out};
pub use port::{SupplierQueries, Suppliers};
pub use show::{SupplierAccount, account, all, payout_run, payout_runs};

use iban::{Iban, IbanLike as _};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::entity_id;
use crate::money::Money;
use crate::text::line;
use crate::user::UserId;

entity_id!(
    /// Identifies a payout to one supplier.
    PayoutId
);

entity_id!(
    /// Identifies a run of payouts.
    PayoutRunId
);

/// A user whose machines are rented out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplier {
    /// The user.
    pub user_id: UserId,
    /// What the operator keeps of the rent of new rentals, in hundredths of a percent.
    pub commission_bp: u32,
    /// Where payouts go.
    pub bank_account: BankAccount,
    /// All that was earned so far, the commission taken off.
    pub earned: Money,
    /// What is to be paid out: the sum of the payable account's entries, cached. Never above what was
    /// earned; below zero after a credit for an outage whose rent was paid out before.
    pub payable: Money,
    /// When they became one.
    pub created_at: Timestamp,
    /// When the terms were last changed.
    pub updated_at: Timestamp,
}

/// An account at a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankAccount {
    /// In whose name.
    pub holder: String,
    /// The IBAN (ISO 13616) without blanks.
    pub iban: String,
}

impl BankAccount {
    /// Checks a holder of 1 to 70 characters (as in SEPA) and an IBAN with its check digits.
    pub fn parse(holder: &str, iban: &str) -> Result<Self> {
        let holder = line(holder, 70).ok_or_else(|| {
            Error::invalid("/account_holder", "must be 1 to 70 characters in one line")
        })?;
        let iban: Iban = iban
            .trim()
            .parse()
            .map_err(|_| Error::invalid("/iban", "is no IBAN: check its country and digits"))?;
        Ok(Self { holder: holder.to_owned(), iban: iban.electronic_str().to_owned() })
    }
}
