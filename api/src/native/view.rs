//! What small things look like on the wire.

use domain::clock::Timestamp;
use domain::money::Money;
use domain::user::{PublicUser, Role, User};
use serde::{Serialize, Serializer};
use serde_json::Number;
use utoipa::ToSchema;

use crate::instants::to_the_millisecond;

/// RFC 3339 in UTC with milliseconds: `2025-01-21T22:00:00.000Z`.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(pub Timestamp);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_the_millisecond(self.0))
    }
}

/// An amount as a JSON number, exact to the cent: `70` or `70.5`.
pub fn number(amount: Money) -> Number {
    let cents = amount.cents_floor();
    if cents % 100 == 0 {
        return Number::from(cents / 100);
    }
    let text = amount.to_string();
    text.parse().ok().and_then(Number::from_f64).unwrap_or_else(|| Number::from(cents / 100))
}

/// A user as others see them.
#[derive(Serialize, ToSchema)]
pub struct PublicUserView {
    #[schema(example = "507f1f77bcf86cd799439012")]
    id: String,
    #[schema(example = "jane_admin")]
    username: String,
    #[schema(example = "Jane Smith")]
    alias: Option<String>,
}

impl From<PublicUser> for PublicUserView {
    fn from(user: PublicUser) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            alias: user.alias.map(|alias| alias.to_string()),
        }
    }
}

/// A user as they see themselves.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    #[schema(example = "507f1f77bcf86cd799439011")]
    id: String,
    #[schema(example = "team_lead")]
    username: String,
    #[schema(example = "lead@example.org")]
    email: String,
    #[schema(example = "Team Lead")]
    alias: Option<String>,
    /// `user` or `operator`.
    #[schema(value_type = String, example = "user")]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            email: user.email.to_string(),
            alias: user.alias.map(|alias| alias.to_string()),
            role: user.role,
            created_at: Stamp(user.created_at),
            updated_at: Stamp(user.updated_at),
        }
    }
}
