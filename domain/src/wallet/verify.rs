//! Checks the whole ledger from its first row: every chain, every sum, every cached balance, every
//! checkpoint. It works on one snapshot, so that it can run while the marketplace does, and a bounded
//! part at a time.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use tracing::instrument;

use super::checkpoint::CheckpointDigest;
use super::{Account, ChainHead, Checkpoint, Link, Links, PostingId, PostingKind, Wallet};
use crate::error::Result;
use crate::money::Money;
use crate::rental::RentalId;
use crate::store::{Reads, Store};
use crate::user::UserId;

/// Wallets, rentals or heads looked at together.
const ROWS: u32 = 1_000;
/// Links looked at together.
const LINKS: u32 = 4_000;

/// The first row that is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which row.
    pub row: Row,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.row, self.fault)
    }
}

/// A row of the ledger, or of what is cached of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A posting, by its chain and its place there.
    Posting(PostingId, UserId, i64),
    /// A wallet.
    Wallet(UserId),
    /// A rental.
    Rental(RentalId),
    /// A supplier.
    Supplier(UserId),
    /// A checkpoint.
    Checkpoint(i64),
    /// All entries together.
    Ledger,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Posting(id, user_id, sequence) => {
                write!(f, "posting {id}, number {sequence} of the wallet of user {user_id}")
            }
            Self::Wallet(user_id) => write!(f, "the wallet of user {user_id}"),
            Self::Rental(id) => write!(f, "rental {id}"),
            Self::Supplier(user_id) => write!(f, "supplier {user_id}"),
            Self::Checkpoint(number) => write!(f, "checkpoint {number}"),
            Self::Ledger => f.write_str("the ledger"),
        }
    }
}

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many wallets, each with its chain, balance and debt.
    pub wallets: u64,
    /// How many postings, each with its hash, entries and basis.
    pub postings: u64,
    /// How many rentals, each with its rent, refunds and escrow.
    pub rentals: u64,
    /// How many suppliers, each with what is payable and earned.
    pub suppliers: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
    /// What each kind of account holds.
    pub totals: BTreeMap<&'static str, Money>,
    /// The first row that is wrong; nothing was checked beyond it.
    pub discrepancy: Option<Discrepancy>,
}

/// What a check ends with: a discrepancy, or a database that failed.
enum Stop {
    Wrong(Discrepancy),
    Failed(crate::Error),
}

impl From<crate::Error> for Stop {
    fn from(error: crate::Error) -> Self {
        Self::Failed(error)
    }
}

type Checked<T = ()> = std::result::Result<T, Stop>;

fn wrong<T>(row: Row, fault: impl Into<String>) -> Checked<T> {
    Err(Stop::Wrong(Discrepancy { row, fault: fault.into() }))
}

/// Checks everything, up to the first row that is wrong.
#[instrument(name = "ledger.verify", skip_all)]
pub async fn verify(store: &dyn Store) -> Result<Verified> {
    let reads = store.snapshot().await?;
    let mut check =
        Check { reads: reads.as_ref(), seen: Verified::default(), sums: Sums::default() };
    match check.everything().await {
        Ok(()) => {}
        Err(Stop::Wrong(discrepancy)) => check.seen.discrepancy = Some(discrepancy),
        Err(Stop::Failed(error)) => return Err(error),
    }
    check.seen.totals = check.sums.kinds;
    Ok(check.seen)
}

/// Sums over the entries seen so far.
#[derive(Default)]
struct Sums {
    kinds: BTreeMap<&'static str, Money>,
    escrow: HashMap<RentalId, Money>,
    payable: HashMap<UserId, Money>,
    earned: HashMap<UserId, Money>,
}

impl Sums {
    /// Adds a link; `None` where a sum does not fit.
    fn add(&mut self, link: &Link) -> Option<()> {
        for entry in &link.entries {
            add(self.kinds.entry(entry.account.kind()).or_default(), entry.amount)?;
            match entry.account {
                Account::Escrow(id) => add(self.escrow.entry(id).or_default(), entry.amount)?,
                Account::Payable(id) => add(self.payable.entry(id).or_default(), entry.amount)?,
                Account::Wallet(_)
                | Account::Receivable(_)
                | Account::Revenue
                | Account::CashClearing
                | Account::WriteOff => {}
            }
        }
        if link.posting.kind == PostingKind::Earning {
            let earned = self.earned.entry(link.posting.user_id).or_default();
            add(earned, link.posting.amount)?;
        }
        Some(())
    }
}

fn add(sum: &mut Money, amount: Money) -> Option<()> {
    *sum = sum.checked_add(amount)?;
    Some(())
}

struct Check<'a> {
    reads: &'a dyn Reads,
    seen: Verified,
    sums: Sums,
}

impl Check<'_> {
    async fn everything(&mut self) -> Checked {
        self.wallets().await?;
        if self.sums.kinds.values().copied().sum::<Money>() != Money::ZERO {
            return wrong(Row::Ledger, "the sum over all entries is not zero");
        }
        self.rentals().await?;
        self.suppliers().await?;
        self.checkpoints().await
    }

    async fn wallets(&mut self) -> Checked {
        let mut after = None;
        loop {
            let wallets = self.reads.wallets(after, ROWS).await?;
            let (Some(first), Some(last)) = (wallets.first(), wallets.last()) else {
                return Ok(());
            };
            let (from, until) = (first.user_id, last.user_id);
            after = Some(until);
            let mut chains: BTreeMap<UserId, Wallet> =
                wallets.iter().map(|w| (w.user_id, Wallet::empty(w.user_id))).collect();
            let mut links = Links { from, until, after: None, limit: LINKS };
            loop {
                let part = self.reads.links(&links).await?;
                let Some(last) = part.last() else { break };
                links.after = Some((last.posting.user_id, last.posting.sequence));
                for link in &part {
                    self.link(&mut chains, link)?;
                }
            }
            for wallet in &wallets {
                compare(wallet, chains.get(&wallet.user_id))?;
                self.seen.wallets += 1;
            }
        }
    }

    fn link(&mut self, chains: &mut BTreeMap<UserId, Wallet>, link: &Link) -> Checked {
        let posting = &link.posting;
        let row = Row::Posting(posting.id, posting.user_id, posting.sequence);
        let Some(chain) = chains.get_mut(&posting.user_id) else {
            return wrong(row, "it belongs to no wallet");
        };
        let next = chain.head.sequence.saturating_add(1);
        if posting.sequence != next {
            return wrong(row, format!("number {next} of the chain is missing"));
        }
        if posting.previous_hash != chain.head.hash {
            return wrong(row, "it does not carry the hash of the posting before it");
        }
        if posting.digest(&link.entries) != posting.hash {
            return wrong(row, "its hash is not that of its contents");
        }
        if let Some(fault) = imbalance(link) {
            return wrong(row, fault);
        }
        let of = |account: Account| -> Money {
            let own = link.entries.iter().filter(|entry| entry.account == account);
            own.map(|entry| entry.amount).sum()
        };
        let balance = chain.balance.checked_add(of(Account::Wallet(posting.user_id)));
        // A debt stands below zero there.
        let lent = of(Account::Receivable(posting.user_id)).negated();
        let owed = chain.owed.checked_add(lent);
        let (Some(balance), Some(owed), Some(())) = (balance, owed, self.sums.add(link)) else {
            return wrong(row, "the sums up to here do not fit");
        };
        if balance < Money::ZERO || owed < Money::ZERO {
            return wrong(row, "the balance or the debt after it is below zero");
        }
        let head = ChainHead { sequence: posting.sequence, hash: posting.hash.clone() };
        *chain = Wallet { user_id: posting.user_id, balance, owed, head };
        self.seen.postings += 1;
        Ok(())
    }

    async fn rentals(&mut self) -> Checked {
        let mut after = None;
        loop {
            let rentals = self.reads.rental_sums(after, ROWS).await?;
            let Some(last) = rentals.last() else { return Ok(()) };
            after = Some(last.id);
            for rental in &rentals {
                let row = Row::Rental(rental.id);
                let escrow = self.sums.escrow.get(&rental.id).copied().unwrap_or_default();
                same(row, "its rent", rental.amount, rental.charged)?;
                same(row, "what was given back", rental.refunded, rental.returned)?;
                same(row, "its escrow", rental.escrow, escrow)?;
                if rental.refunded > rental.amount {
                    return wrong(row, "more was given back than charged");
                }
                self.seen.rentals += 1;
            }
        }
    }

    async fn suppliers(&mut self) -> Checked {
        for supplier in self.reads.every_supplier().await? {
            let row = Row::Supplier(supplier.user_id);
            let of = |sums: &HashMap<UserId, Money>| {
                sums.get(&supplier.user_id).copied().unwrap_or_default()
            };
            same(row, "what is payable", supplier.payable, of(&self.sums.payable))?;
            same(row, "what was earned", supplier.earned, of(&self.sums.earned))?;
            if supplier.payable > supplier.earned {
                return wrong(row, "more is payable than was earned");
            }
            self.seen.suppliers += 1;
        }
        Ok(())
    }

    async fn checkpoints(&mut self) -> Checked {
        let mut before: Option<Checkpoint> = None;
        loop {
            let number = before.as_ref().map_or(0, |before| before.number);
            let part = self.reads.checkpoints(number, ROWS).await?;
            if part.is_empty() {
                return Ok(());
            }
            for checkpoint in part {
                let row = Row::Checkpoint(checkpoint.number);
                let previous = before.map(|before| before.hash).unwrap_or_default();
                if checkpoint.number != self.seen.checkpoints.cast_signed() + 1 {
                    return wrong(row, "a checkpoint before it is missing");
                }
                if checkpoint.previous_hash != previous {
                    return wrong(row, "it does not carry the hash of the checkpoint before it");
                }
                self.heads(&checkpoint).await?;
                self.seen.checkpoints += 1;
                before = Some(checkpoint);
            }
        }
    }

    async fn heads(&self, checkpoint: &Checkpoint) -> Checked {
        let row = Row::Checkpoint(checkpoint.number);
        let mut digest = CheckpointDigest::new(checkpoint);
        let mut after = None;
        loop {
            let heads = self.reads.kept_heads(checkpoint.number, after, ROWS).await?;
            let Some(last) = heads.last() else { break };
            after = Some(last.user_id);
            for kept in &heads {
                digest.add(kept.user_id, &kept.head);
                if kept.present.as_ref() != Some(&kept.head.hash) {
                    let (number, user_id) = (kept.head.sequence, kept.user_id);
                    return wrong(
                        row,
                        format!("posting {number} of user {user_id} is another now"),
                    );
                }
            }
        }
        if digest.finish() == checkpoint.hash {
            return Ok(());
        }
        wrong(row, "its hash is not that of its contents")
    }
}

/// What is wrong with a posting's entries.
fn imbalance(link: &Link) -> Option<&'static str> {
    let posting = &link.posting;
    let sum = |wanted: &dyn Fn(Account) -> bool| -> Money {
        let entries = link.entries.iter().filter(|entry| wanted(entry.account));
        entries.map(|entry| entry.amount).sum()
    };
    let foreign = |account| match account {
        Account::Wallet(id) | Account::Receivable(id) => id != posting.user_id,
        _ => false,
    };
    let own = posting.kind.account_of(posting.user_id);
    let computed = match posting.kind {
        PostingKind::Charge
        | PostingKind::Refund
        | PostingKind::Credit
        | PostingKind::Earning
        | PostingKind::Payout => posting.basis.map(|basis| basis.amount()),
        PostingKind::Deposit | PostingKind::Reversal | PostingKind::Adjustment => None,
    };
    match () {
        () if link.entries.is_empty() => Some("it has no entries"),
        () if sum(&|_| true) != Money::ZERO => Some("its entries do not sum to zero"),
        () if link.entries.iter().any(|entry| foreign(entry.account)) => {
            Some("it moves somebody else's wallet")
        }
        () if sum(&|account| account == own) != posting.amount => {
            Some("its amount is not what its entries move")
        }
        () if computed.is_some_and(|amount| amount != posting.amount.magnitude()) => {
            Some("its amount is not what its basis makes")
        }
        () => None,
    }
}

/// A wallet's row against its chain, recomputed.
fn compare(wallet: &Wallet, chain: Option<&Wallet>) -> Checked {
    let row = Row::Wallet(wallet.user_id);
    let Some(chain) = chain else {
        return wrong(row, "it has no chain");
    };
    if wallet.head != chain.head {
        let (kept, found) = (wallet.head.sequence, chain.head.sequence);
        let fault = format!("its head is posting {kept}, and the chain ends with posting {found}");
        return wrong(row, fault);
    }
    same(row, "its balance", wallet.balance, chain.balance)?;
    same(row, "its debt", wallet.owed, chain.owed)
}

fn same(row: Row, what: &str, cached: Money, computed: Money) -> Checked {
    if cached == computed {
        return Ok(());
    }
    let (cached, computed) = (cached.to_decimal(), computed.to_decimal());
    wrong(row, format!("{what} is {cached}, and its entries make {computed}"))
}
