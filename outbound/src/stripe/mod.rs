//! Stripe: pages to pay on, what became of payments, charges of saved cards, and signed messages.
//!
//! A plain client of the few endpoints that Berth needs, after
//! <https://docs.stripe.com/api> in the version that `http.rs` names.

mod events;
mod http;
mod wire;

use async_trait::async_trait;
use domain::payment::{
    CheckoutPages, OpenedCheckout, Outcome, Payment, PaymentProvider, ProviderError, Purpose,
    Snapshot,
};
use secrecy::SecretString;
use serde_json::Value;

pub use events::Events;
pub use http::BadAddress;

use http::{Form, Http};
use wire::{minor_units, text};

/// Currencies without hundredths, by <https://docs.stripe.com/currencies>; Berth counts in cents.
const WITHOUT_CENTS: [&str; 22] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF", "BHD", "JOD", "KWD", "OMR", "TND", "ISK",
];

/// Whether Stripe counts this currency in hundredths, as Berth does.
pub fn takes(currency: &str) -> bool {
    !WITHOUT_CENTS.contains(&currency)
}

/// The client.
pub struct Stripe {
    http: Http,
    currency: String,
}

impl Stripe {
    /// A client with a secret key; it connects when it is first asked.
    pub fn new(base_url: &str, key: SecretString, currency: &str) -> Result<Self, BadAddress> {
        Ok(Self { http: Http::new(base_url, key)?, currency: currency.to_owned() })
    }

    /// A payment intent with its charge, and its disputes where it has any.
    async fn intent(&self, id: &str, is_off_session: bool) -> Result<Snapshot, ProviderError> {
        let path = format!("/v1/payment_intents/{}?expand[]=latest_charge", segment(id)?);
        self.snapshot(&self.http.get(&path).await?, is_off_session).await
    }

    async fn snapshot(
        &self,
        intent: &Value,
        is_off_session: bool,
    ) -> Result<Snapshot, ProviderError> {
        let charge = intent.get("latest_charge").unwrap_or(&Value::Null);
        let is_disputed = charge.get("disputed").and_then(Value::as_bool).unwrap_or(false);
        let disputes = match text(charge, "id") {
            Some(id) if is_disputed => {
                let path = format!("/v1/disputes?charge={}&limit=100", segment(id)?);
                self.http.get(&path).await?
            }
            _ => Value::Null,
        };
        let mut snapshot = wire::snapshot(intent, charge, &disputes);
        // A payer may try another card on the page; off it, a declined charge is the end.
        if is_off_session && snapshot.outcome == Outcome::Pending {
            snapshot.outcome = wire::off_session(intent);
        }
        Ok(snapshot)
    }
}

/// An id within a path: Stripe's ids need no escaping, and nothing else is sent.
fn segment(id: &str) -> Result<&str, ProviderError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.is_empty() && id.len() <= 255 && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(ProviderError::Refused("an id that cannot be Stripe's".to_owned()))
}

#[async_trait]
impl PaymentProvider for Stripe {
    fn currency(&self) -> &str {
        &self.currency
    }

    async fn open_checkout(&self, payment: &Payment) -> Result<OpenedCheckout, ProviderError> {
        let Purpose::Checkout(pages) = &payment.purpose else {
            return Err(ProviderError::Refused("a top-up has no page".to_owned()));
        };
        let form = checkout_form(payment, pages, &self.currency);
        let session =
            self.http.post("/v1/checkout/sessions", &payment.id.to_string(), form).await?;
        let found = text(&session, "id").zip(text(&session, "url"));
        let (id, url) = found
            .ok_or_else(|| ProviderError::Unreachable("a session without a page".to_owned()))?;
        Ok(OpenedCheckout { session_id: id.to_owned(), url: url.to_owned() })
    }

    async fn look(&self, payment: &Payment) -> Result<Snapshot, ProviderError> {
        let mut known = payment.provider_payment_id.clone();
        let mut is_expired = false;
        if known.is_none()
            && let Some(id) = &payment.session_id
        {
            let session = self.http.get(&format!("/v1/checkout/sessions/{}", segment(id)?)).await?;
            known = wire::id_of(&session, "payment_intent").map(ToOwned::to_owned);
            is_expired = text(&session, "status") == Some("expired");
        }
        let mut snapshot = match &known {
            Some(id) => self.intent(id, payment.purpose == Purpose::TopUp).await?,
            None => wire::nothing(&self.currency),
        };
        if is_expired && snapshot.outcome != Outcome::Paid {
            snapshot.outcome = Outcome::Expired;
        }
        Ok(snapshot)
    }

    async fn charge(&self, payment: &Payment) -> Result<Snapshot, ProviderError> {
        let (Some(customer), Some(method)) = (&payment.customer_id, &payment.method_id) else {
            return Err(ProviderError::Refused("no card is saved".to_owned()));
        };
        let mut form = Form::default();
        form.add("amount", minor_units(payment.amount));
        form.add("currency", self.currency.to_lowercase());
        form.add("customer", customer);
        form.add("payment_method", method);
        form.add("confirm", "true");
        form.add("off_session", "true");
        form.add("metadata[payment_id]", payment.id);
        let intents = "/v1/payment_intents";
        let intent = match self.http.post_or_decline(intents, &payment.id.to_string(), form).await?
        {
            Ok(intent) => intent,
            Err(decline) => return Ok(wire::declined(&decline, &self.currency)),
        };
        let id = text(&intent, "id").unwrap_or_default().to_owned();
        let known = Payment { provider_payment_id: Some(id), ..payment.clone() };
        self.look(&known).await
    }
}

/// The request for a page. Every field comes from the stored payment, because Stripe refuses an
/// idempotency key that comes with other fields than before.
fn checkout_form(payment: &Payment, pages: &CheckoutPages, currency: &str) -> Form {
    let id = payment.id;
    let mut form = Form::default();
    form.add("mode", "payment");
    form.add("client_reference_id", id);
    form.add("metadata[payment_id]", id);
    form.add("payment_intent_data[metadata][payment_id]", id);
    form.add("success_url", &pages.success_url);
    form.add("cancel_url", &pages.cancel_url);
    form.add("expires_at", payment.expires_at.timestamp());
    form.add("line_items[0][quantity]", 1);
    form.add("line_items[0][price_data][currency]", currency.to_lowercase());
    form.add("line_items[0][price_data][unit_amount]", minor_units(payment.amount));
    form.add("line_items[0][price_data][product_data][name]", "Deposit");
    if pages.save_method {
        form.add("payment_intent_data[setup_future_usage]", "off_session");
    }
    match &payment.customer_id {
        Some(customer) => form.add("customer", customer),
        None if pages.save_method => form.add("customer_creation", "always"),
        None => {}
    }
    form
}
