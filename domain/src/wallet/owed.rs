//! Money that comes from outside, and money that outside takes back.

use super::{Account, Entry, Wallet};
use crate::money::Money;

/// The entries of money paid in: first it settles what the user owes, the rest can be spent.
pub fn paid_in(wallet: &Wallet, amount: Money) -> Vec<Entry> {
    let settled = wallet.owed.min(amount);
    sides([
        (Account::Wallet(wallet.user_id), amount.saturating_sub(settled)),
        (Account::Receivable(wallet.user_id), settled),
        (Account::CashClearing, amount.negated()),
    ])
}

/// The entries of money that outside took back: the wallet gives what it has, the user owes the rest.
pub fn taken_back(wallet: &Wallet, amount: Money) -> Vec<Entry> {
    let given = wallet.balance.min(amount);
    sides([
        (Account::Wallet(wallet.user_id), given.negated()),
        (Account::Receivable(wallet.user_id), given.saturating_sub(amount)),
        (Account::CashClearing, amount),
    ])
}

fn sides(all: [(Account, Money); 3]) -> Vec<Entry> {
    let moving = all.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
    moving.map(|(account, amount)| Entry { account, amount }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::UserId;

    #[test]
    fn the_sides_sum_to_zero_whatever_is_held_and_owed() {
        for (balance, owed, amount) in [(0, 0, 5), (3, 0, 5), (9, 0, 5), (0, 3, 5), (0, 9, 5)] {
            let user_id = UserId::from_uuid(uuid::Uuid::nil());
            let wallet = Wallet {
                balance: Money::from_e8(balance),
                owed: Money::from_e8(owed),
                ..Wallet::empty(user_id)
            };
            let amount = Money::from_e8(amount);
            for entries in [paid_in(&wallet, amount), taken_back(&wallet, amount)] {
                let sum: Money = entries.iter().map(|entry| entry.amount).sum();
                assert_eq!(sum, Money::ZERO, "{wallet:?} {entries:?}");
            }
        }
    }
}
