//! Money that comes from outside, and money that outside takes back.

use super::{Account, Entry, Wallet};
use crate::money::Money;

/// The entries of money paid in: first it settles what the user owes, the rest can be spent.
pub fn paid_in(wallet: &Wallet, amount: Money) -> Vec<Entry> {
    let settled = wallet.owed.min(amount);
    sides([
        (Account::Wallet(wallet.user_id), amount.saturating_sub(settled)),
        (Account::Receivable(wallet.user_id), settled.negated()),
        (Account::CashClearing, amount.negated()),
    ])
}

/// The entries of money that outside took back: the wallet gives what it has, the user owes the rest.
pub fn taken_back(wallet: &Wallet, amount: Money) -> Vec<Entry> {
    let given = wallet.balance.min(amount);
    sides([
        (Account::Wallet(wallet.user_id), given.negated()),
        (Account::Receivable(wallet.user_id), amount.saturating_sub(given)),
        (Account::CashClearing, amount),
    ])
}

fn sides(all: [(Account, Money); 3]) -> Vec<Entry> {
    let moving = all.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
    moving.map(|(account, amount)| Entry { account, amount }).collect()
}
