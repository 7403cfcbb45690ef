//! A payment provider in memory, which can fail on purpose; a store that does, too; and signatures.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::Error;
use domain::money::Money;
use domain::payment::{
    OpenedCheckout, Outcome, Payment, PaymentProvider, ProviderError, SavedMethod, Snapshot,
};
use domain::store::{Reads, Store, Tx};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret with which the tests sign the provider's messages.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

/// The header that goes with a body signed at this second.
pub fn signature(body: &str, seconds: i64) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{seconds}.{body}")).finalize().into_bytes();
    format!("t={seconds},v1={}", domain::id::hex(&mac))
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Before it takes effect.
    Before,
    /// After it took effect: only the answer is lost.
    After,
}

/// The provider. Payments are known by Berth's id.
#[derive(Default)]
pub struct ScriptedCards {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    payments: HashMap<String, Snapshot>,
    charges: u32,
    declines: bool,
    calls: u32,
    fail: Option<(u32, Failure)>,
}

impl ScriptedCards {
    /// Lets the n-th call from now, counted from 1, fail.
    pub fn fail(&self, call: u32, failure: Failure) {
        let mut state = self.state.lock().unwrap();
        state.fail = Some((state.calls + call, failure));
    }

    /// Declines every charge of a saved card from now on.
    pub fn decline(&self) {
        self.state.lock().unwrap().declines = true;
    }

    /// How many charges of saved cards took effect.
    pub fn charges(&self) -> u32 {
        self.state.lock().unwrap().charges
    }

    /// How many payments it was asked to open or charge.
    pub fn opened(&self) -> usize {
        self.state.lock().unwrap().payments.len()
    }

    /// Changes a payment, as payers and banks do.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Snapshot)) {
        change(self.state.lock().unwrap().payments.get_mut(id).unwrap());
    }

    /// The payer pays all of it.
    pub fn pay(&self, id: &str, amount: &str) {
        self.change(id, |seen| {
            seen.outcome = Outcome::Paid;
            seen.captured = Money::parse(amount).unwrap();
            seen.provider_payment_id = Some(format!("pi_{id}"));
            let (customer_id, method_id) = (format!("cus_{id}"), format!("pm_{id}"));
            seen.saved = Some(SavedMethod { customer_id, method_id });
        });
    }

    fn call<T>(
        &self,
        effect: impl FnOnce(&mut State) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let failure = state.fail.filter(|(call, _)| *call == state.calls).map(|(_, when)| when);
        let lost = || Err(ProviderError::Unreachable("the test cut the line".to_owned()));
        if failure == Some(Failure::Before) {
            return lost();
        }
        let answer = effect(&mut state);
        if failure.is_some() { lost() } else { answer }
    }
}

fn untouched() -> Snapshot {
    Snapshot {
        outcome: Outcome::Pending,
        captured: Money::ZERO,
        currency: "USD".to_owned(),
        refunded: Money::ZERO,
        disputed: Money::ZERO,
        provider_payment_id: None,
        saved: None,
    }
}

#[async_trait]
impl PaymentProvider for ScriptedCards {
    fn currency(&self) -> &'static str {
        "USD"
    }

    async fn open_checkout(&self, payment: &Payment) -> Result<OpenedCheckout, ProviderError> {
        let id = payment.id.to_string();
        self.call(|state| {
            state.payments.entry(id.clone()).or_insert_with(untouched);
            let url = format!("https://pay.example/{id}");
            Ok(OpenedCheckout { session_id: format!("cs_{id}"), url })
        })
    }

    async fn look(&self, payment: &Payment) -> Result<Snapshot, ProviderError> {
        let id = payment.id.to_string();
        let unknown = || ProviderError::Refused("404".to_owned());
        let answer = self.call(|state| state.payments.get(&id).cloned().ok_or_else(unknown));
        // An answer is old when it arrives.
        tokio::time::sleep(Duration::from_millis(3)).await;
        answer
    }

    async fn charge(&self, payment: &Payment) -> Result<Snapshot, ProviderError> {
        let id = payment.id.to_string();
        self.call(|state| {
            if !state.payments.contains_key(&id) {
                let declined = Outcome::Failed("card_declined".to_owned());
                let outcome = if state.declines { declined } else { Outcome::Paid };
                let captured = if state.declines { Money::ZERO } else { payment.amount };
                state.charges += u32::from(!state.declines);
                let provider_payment_id = Some(format!("pi_{id}"));
                let charged = Snapshot { outcome, captured, provider_payment_id, ..untouched() };
                state.payments.insert(id.clone(), charged);
            }
            Ok(state.payments[&id].clone())
        })
    }
}

/// A database before whose n-th transaction, counted from 1, the process dies.
pub struct FailingStore<'a> {
    store: &'a dyn Store,
    left: AtomicU32,
}

impl<'a> FailingStore<'a> {
    /// Dies before this transaction.
    pub fn new(store: &'a dyn Store, transaction: u32) -> Self {
        Self { store, left: AtomicU32::new(transaction) }
    }
}

#[async_trait]
impl Store for FailingStore<'_> {
    async fn begin(&self) -> domain::Result<Box<dyn Tx>> {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left <= 1 {
            return Err(Error::Unavailable("the test killed the process".into()));
        }
        self.store.begin().await
    }

    async fn snapshot(&self) -> domain::Result<Box<dyn Reads>> {
        self.store.snapshot().await
    }

    fn reads(&self) -> &dyn Reads {
        self.store.reads()
    }

    async fn ready(&self) -> domain::Result<()> {
        self.store.ready().await
    }

    async fn close(&self) {}
}
