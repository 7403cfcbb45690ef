//! Messages that Stripe sends by itself, and their signatures
//! (<https://docs.stripe.com/webhooks#verify-manually>).

use domain::clock::Timestamp;
use domain::payment::{EventReader, Hint, PaymentId};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

use super::wire::{id_of, text};

/// How old a signature may be, or how far ahead of our clock, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// Reads messages that carry a signature made with the endpoint's secret.
pub struct Events(SecretString);

impl Events {
    /// With the endpoint's secret (`whsec_…`).
    pub const fn new(secret: SecretString) -> Self {
        Self(secret)
    }

    /// Whether one of the signatures in a header `t=SECONDS,v1=HEX,…` is good. Several are sent while a
    /// secret is being replaced.
    fn is_signed(&self, header: &str, body: &[u8], now: Timestamp) -> bool {
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let mut times = parts().filter(|(name, _)| *name == "t").map(|(_, value)| value);
        let Some((sent, seconds)) = times.next().and_then(|t| Some((t, t.parse::<i64>().ok()?)))
        else {
            return false;
        };
        let age = now.timestamp().saturating_sub(seconds);
        if times.next().is_some() || age.saturating_abs() > TOLERANCE_SECONDS {
            return false;
        }
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return false;
        };
        let mac = mac.chain_update(sent).chain_update(".").chain_update(body);
        let mut signatures = parts().filter(|(name, _)| *name == "v1").take(16);
        signatures.any(|(_, hex)| {
            bytes(hex).is_some_and(|signature| mac.clone().verify_slice(&signature).is_ok())
        })
    }
}

impl EventReader for Events {
    fn read(&self, signature: &str, body: &[u8], now: Timestamp) -> Option<Hint> {
        if !self.is_signed(signature, body, now) {
            return None;
        }
        let event: Value = serde_json::from_slice(body).ok()?;
        let object = event.pointer("/data/object").unwrap_or(&Value::Null);
        let kind = text(object, "object").unwrap_or_default();
        let own = |wanted| text(object, "id").filter(|_| kind == wanted);
        let payment_id = object.pointer("/metadata/payment_id").and_then(Value::as_str);
        let payment_id = payment_id.or_else(|| text(object, "client_reference_id"));
        let payment = own("payment_intent").or_else(|| id_of(object, "payment_intent"));
        let short = |id: &str| Some(id.to_owned()).filter(|id| id.len() <= 255);
        Some(Hint {
            event_id: text(&event, "id").and_then(short)?,
            payment_id: payment_id.and_then(PaymentId::parse),
            provider_payment_id: payment.and_then(short),
            session_id: own("checkout.session").and_then(short),
        })
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}
