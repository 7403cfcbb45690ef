//! Payments by card.

use domain::payment::PaymentPolicy;
use secrecy::{ExposeSecret, SecretString};

use super::positive_amount;
use super::read::Reader;

/// How to reach Stripe.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// `payments.stripe.secret_key`: `sk_…`.
    pub secret_key: SecretString,
    /// `payments.stripe.webhook_secret`: `whsec_…`.
    pub webhook_secret: SecretString,
    /// `payments.stripe.base_url`.
    pub base_url: String,
}

impl StripeConfig {
    /// Whether real money is paid: only keys made for tests are sure not to move any.
    pub fn is_real(&self) -> bool {
        let key = self.secret_key.expose_secret();
        !key.starts_with("sk_test_") && !key.starts_with("rk_test_")
    }
}

/// `payments.minimum`, `payments.maximum`.
pub fn policy(from: &mut Reader<'_>) -> Option<PaymentPolicy> {
    let minimum = from.checked("payments.minimum", "5.00", positive_amount);
    let maximum = from.checked("payments.maximum", "5000.00", positive_amount);
    let policy = PaymentPolicy { minimum: minimum?, maximum: maximum? };
    if policy.minimum > policy.maximum {
        from.fault("payments.maximum", "must be at least payments.minimum");
    }
    Some(policy)
}

/// `payments.stripe…`; nothing without a key.
pub fn stripe(from: &mut Reader<'_>) -> Option<StripeConfig> {
    let secret_key = from.secret("payments.stripe.secret_key", key);
    let webhook_secret = from.secret("payments.stripe.webhook_secret", key);
    let base_url = from.checked("payments.stripe.base_url", "https://api.stripe.com", base_url)?;
    let secret_key = secret_key?;
    if webhook_secret.is_none() {
        from.fault("payments.stripe.webhook_secret", "is needed with a key");
    }
    Some(StripeConfig { secret_key, webhook_secret: webhook_secret?, base_url })
}

fn key(text: &str) -> Result<SecretString, &'static str> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if (8..=255).contains(&text.len()) && visible {
        Ok(SecretString::from(text))
    } else {
        Err("must be the 8 to 255 characters that Stripe has shown")
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@".contains(&byte))
    });
    let advice = || "must be an address such as https://api.stripe.com".to_owned();
    if is_plain { Ok(text.to_owned()) } else { Err(advice()) }
}
