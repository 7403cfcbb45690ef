//! Makes a location, or changes it.

use serde_json::{Value, json};
use tracing::instrument;

use super::{Location, LocationCode, LocationId, NOWHERE};
use crate::clock::Clock;
use crate::error::{Error, Result, Violation};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::text::{ONE_LINE_OF_100, is_country, line};
use crate::token::Permission;
use crate::user::Operator;

/// A location as an operator describes it.
#[derive(Clone, Debug)]
pub struct PutLocation {
    /// Who asks.
    pub operator: Operator,
    /// Names the location.
    pub code: LocationCode,
    /// Its name for people, 1 to 100 characters.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
}

impl PutLocation {
    /// Every fault in it.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        if line(&self.name, 100).is_none() {
            violations.push(Violation::new("/name", ONE_LINE_OF_100));
        }
        if !is_country(&self.country) || self.country == NOWHERE {
            let message = "must be the two upper-case letters of a country (ISO 3166-1)";
            violations.push(Violation::new("/country", message));
        }
        violations
    }
}

/// Makes a location, or changes it. One that is so already stays as it is.
#[instrument(name = "location.put", skip_all, fields(code = %request.code))]
pub async fn put(store: &dyn Store, clock: &dyn Clock, request: PutLocation) -> Result<Location> {
    request.operator.may(Permission::AdminWrite)?;
    Error::unless_empty(request.violations())?;
    let now = clock.now();
    let wanted = Location {
        code: request.code.clone(),
        name: request.name.trim().to_owned(),
        country: request.country.clone(),
        created_at: now,
        updated_at: now,
    };
    atomically(store, async |tx: &dyn Tx| {
        let before = tx.location_for_update(&wanted.code).await?;
        let created_at = before.as_ref().map_or(now, |before| before.created_at);
        let location = Location { created_at, ..wanted.clone() };
        match &before {
            Some(before) if facts(before) == facts(&location) => return Ok(before.clone()),
            Some(_) => tx.save_location(&location).await?,
            None => tx.add_location(&location).await?,
        }
        tx.record(vec![Event {
            kind: "location.changed",
            subject: Subject::Location(LocationId::of(&location.code)),
            actor: request.operator.actor(),
            before: before.as_ref().map(facts),
            data: facts(&location),
            recipient: None,
            at: now,
        }])
        .await?;
        Ok(location)
    })
    .await
}

fn facts(location: &Location) -> Value {
    json!({ "code": location.code, "name": location.name, "country": location.country })
}
