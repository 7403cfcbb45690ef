//! What operators do with hosts.

use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use domain::Error;
use domain::compute_unit::{self, CpuRange, InitHost, MOST_UNITS, ServerName};
use domain::error::{Thing, Violation};
use domain::token::Permission;
use domain::user::Operator;

use super::Answer;
use super::account::Account;
use super::body::Object;
use super::error::Failure;
use super::fields::Members;
use crate::app::App;

/// Has a host cut into units, in the background.
pub async fn init(app: Data<App>, account: Account, body: Object) -> Answer {
    let operator = Operator::Account(account.0);
    operator.may(Permission::AdminWrite)?;
    let mut members = Members::new(&body.0);
    let ip = members.text("ip");
    let (region, zone) = (members.text("region"), members.text("zone"));
    let hostname = members.text("hostname");
    let ranges = members.texts("cpu_ranges", MOST_UNITS);
    members.finish().map_err(Failure::Faults)?;
    let (address, hostname, ranges) =
        checked(&ip.unwrap_or_default(), &hostname.unwrap_or_default(), &ranges)
            .map_err(|faults| Failure::of(Error::Invalid(faults), &body.0))?;
    let settings = app.settings.kloigos.as_ref().ok_or(Error::NotFound(Thing::Server))?;
    let request = InitHost {
        operator,
        hostname,
        address,
        region: region.unwrap_or_default(),
        zone: zone.unwrap_or_default(),
        ranges,
        driver: settings.driver,
        logins: settings.logins.clone(),
    };
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let begun = compute_unit::init(store, clock, random, request).await;
    begun.map_err(|error| Failure::of(error, &body.0))?;
    Ok(HttpResponse::Ok().finish())
}

fn checked(
    ip: &str,
    hostname: &str,
    ranges: &[String],
) -> Result<(IpAddr, ServerName, Vec<CpuRange>), Vec<Violation>> {
    let mut faults = Vec::new();
    let address = ip.parse::<IpAddr>().map_err(|_| {
        faults.push(Violation::new("/ip", "must be an IPv4 or IPv6 address"));
    });
    let hostname = ServerName::parse(hostname).map_err(|advice| {
        faults.push(Violation::new("/hostname", advice));
    });
    let mut read = Vec::new();
    for (number, range) in ranges.iter().enumerate() {
        match CpuRange::parse(range) {
            Ok(range) => read.push(range),
            Err(advice) => {
                faults.push(Violation::new(format!("/cpu_ranges/{number}"), advice));
            }
        }
    }
    match (address, hostname) {
        (Ok(address), Ok(hostname)) if faults.is_empty() => Ok((address, hostname, read)),
        _ => Err(faults),
    }
}

/// Has all that was made on a host removed, in the background.
pub async fn decommission(app: Data<App>, account: Account, hostname: Path<String>) -> Answer {
    let (store, clock, random) = (app.store.as_ref(), app.clock.as_ref(), app.random.as_ref());
    let operator = Operator::Account(account.0);
    let done = match ServerName::parse(&hostname) {
        Ok(name) => compute_unit::decommission(store, clock, random, &operator, &name).await,
        // A server cannot be called so; who asks is still to be one who may.
        Err(_) => operator.may(Permission::AdminWrite).and(Err(Error::NotFound(Thing::Server))),
    };
    let is_lenient = app.settings.kloigos.as_ref().is_some_and(|kloigos| kloigos.is_lenient);
    match done {
        Err(Error::NotFound(Thing::Server)) if is_lenient => {}
        done => {
            done?;
        }
    }
    Ok(HttpResponse::Ok().finish())
}
