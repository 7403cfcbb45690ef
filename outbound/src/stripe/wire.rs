//! Stripe's objects as the domain knows them. Unknown fields are passed over.

use domain::money::Money;
use domain::payment::{Outcome, SavedMethod, Snapshot};
use serde_json::Value;

/// A field that holds a text.
pub fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

/// A reference to another object: its id, or the object itself.
pub fn id_of<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    let value = object.get(field)?;
    value.as_str().or_else(|| text(value, "id"))
}

/// An amount as Stripe counts it: whole cents.
pub fn minor_units(amount: Money) -> i64 {
    amount.cents_floor()
}

fn money(object: &Value, field: &str) -> Money {
    let cents = object.get(field).and_then(Value::as_i64).unwrap_or(0);
    Money::from_cents(cents).unwrap_or(Money::ZERO)
}

/// A payment of which there is nothing to see yet.
pub fn nothing(currency: &str) -> Snapshot {
    Snapshot {
        outcome: Outcome::Pending,
        captured: Money::ZERO,
        currency: currency.to_owned(),
        refunded: Money::ZERO,
        disputed: Money::ZERO,
        provider_payment_id: None,
        saved: None,
    }
}

/// A charge that was declined at once: the `error` object of the answer.
pub fn declined(error: &Value, currency: &str) -> Snapshot {
    let code = text(error, "decline_code").or(text(error, "code")).unwrap_or("card_declined");
    let intent = error.get("payment_intent").unwrap_or(&Value::Null);
    Snapshot {
        outcome: Outcome::Failed(code.to_owned()),
        provider_payment_id: text(intent, "id").map(ToOwned::to_owned),
        ..nothing(currency)
    }
}

/// What a payment intent, its charge and the charge's disputes say together.
pub fn snapshot(intent: &Value, charge: &Value, disputes: &Value) -> Snapshot {
    let outcome = match text(intent, "status") {
        Some("succeeded") => Outcome::Paid,
        Some("canceled") => Outcome::Failed("canceled".to_owned()),
        _ => Outcome::Pending,
    };
    // Older answers have the charge's amount only.
    let received = money(intent, "amount_received");
    let is_captured = charge.get("captured").and_then(Value::as_bool).unwrap_or(true);
    let captured = match outcome {
        Outcome::Paid if received > Money::ZERO => received,
        Outcome::Paid if is_captured => money(charge, "amount").min(money(intent, "amount")),
        _ => Money::ZERO,
    };
    let saved = id_of(intent, "customer").zip(id_of(intent, "payment_method"));
    Snapshot {
        outcome,
        captured,
        currency: text(intent, "currency").unwrap_or_default().to_uppercase(),
        refunded: money(charge, "amount_refunded"),
        disputed: withdrawn(disputes),
        provider_payment_id: text(intent, "id").map(ToOwned::to_owned),
        saved: saved.map(|(customer, method)| SavedMethod {
            customer_id: customer.to_owned(),
            method_id: method.to_owned(),
        }),
    }
}

/// How far an unpaid intent is of which the payer knows nothing: on its way, or come to nothing.
pub fn off_session(intent: &Value) -> Outcome {
    match text(intent, "status") {
        Some("requires_action") => Outcome::Failed("authentication_required".to_owned()),
        Some("requires_payment_method") => {
            let error = intent.get("last_payment_error").unwrap_or(&Value::Null);
            Outcome::Failed(text(error, "code").unwrap_or("card_declined").to_owned())
        }
        _ => Outcome::Pending,
    }
}

/// What disputes withdraw: not those that only ask (`warning_…`), were won or were prevented.
fn withdrawn(disputes: &Value) -> Money {
    let list = disputes.get("data").and_then(Value::as_array);
    let takes = |dispute: &&Value| {
        matches!(text(dispute, "status"), Some("needs_response" | "under_review" | "lost"))
    };
    list.into_iter().flatten().filter(takes).map(|dispute| money(dispute, "amount")).sum()
}
