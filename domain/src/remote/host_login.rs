//! How operators say that a host is logged in to.

use std::net::IpAddr;

use serde_json::json;
use tracing::instrument;

use super::{HostKey, IdentityName};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing, Violation};
use crate::event::{Actor, Event, Subject};
use crate::host::HostId;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// How a host is logged in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLogin {
    /// Which host.
    pub host_id: HostId,
    /// Where.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// As whom: root, or somebody who may become root by `sudo` without a password.
    pub username: String,
    /// With which of the operator's keys.
    pub identity: IdentityName,
    /// The key by which the host is known: given, or that of the first contact.
    pub host_key: Option<HostKey>,
    /// Another key that it showed since. Nothing is done there before an operator accepts that.
    pub shown_key: Option<HostKey>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How hosts are logged in to about which nothing else is said.
#[derive(Clone, Debug)]
pub struct LoginDefaults {
    /// At which port.
    pub port: u16,
    /// As whom.
    pub username: String,
    /// With which key.
    pub identity: IdentityName,
}

/// How a host is to be logged in to.
#[derive(Clone, Debug)]
pub struct PutLogin {
    /// Who says it.
    pub operator: Operator,
    /// Which host.
    pub host_id: HostId,
    /// Where.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// As whom.
    pub username: String,
    /// With which of the operator's keys.
    pub identity: IdentityName,
    /// The key by which it is to be known; without one, that by which it is known, or that of the first contact.
    pub host_key: Option<HostKey>,
}

impl PutLogin {
    fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        if !is_username(&self.username) {
            violations.push(Violation::new("/username", USERNAME));
        }
        if self.port == 0 {
            violations.push(Violation::new("/port", "must be 1 to 65535"));
        }
        violations
    }
}

/// What is said of a name that no Unix user has.
pub const USERNAME: &str =
    "must be the name of a Unix user: 1 to 32 of a-z 0-9 _ - ., not beginning with - or .";

/// Whether a Unix user can be called so.
pub fn is_username(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    (1..=32).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with(['-', '.'])
}

/// Says, or says anew, how a host is logged in to. A host that showed another key than before is gone on with
/// once that key is given here.
#[instrument(name = "remote.put_login", skip_all, fields(host_id = %request.host_id))]
pub async fn put_login(
    store: &dyn Store,
    clock: &dyn Clock,
    request: PutLogin,
) -> Result<HostLogin> {
    request.operator.may(Permission::AdminWrite)?;
    Error::unless_empty(request.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        tx.host(request.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        if tx.identity_for_update(&request.identity).await?.is_none() {
            let advice = "is no SSH identity; make it first";
            return Err(Error::invalid("/identity", advice));
        }
        let before = tx.login_for_update(request.host_id).await?;
        let known = before.as_ref().and_then(|before| before.host_key.clone());
        let login = HostLogin {
            host_id: request.host_id,
            address: request.address,
            port: request.port,
            username: request.username.clone(),
            identity: request.identity.clone(),
            shown_key: None,
            host_key: request.host_key.clone().or(known),
            updated_at: now,
        };
        tx.save_login(&login).await?;
        tx.record(vec![event("host.login_changed", &login, (request.operator.actor(), now))])
            .await?;
        Ok(login)
    })
    .await
}

/// How a host is logged in to, for operators.
pub async fn show_login(store: &dyn Store, operator: &Operator, id: HostId) -> Result<HostLogin> {
    operator.may(Permission::AdminRead)?;
    store.reads().login(id).await?.ok_or(Error::NotFound(Thing::Server))
}

/// The login of a host that is to be cut at this address: its own, or as is usual.
pub(crate) async fn keep_login(
    tx: &dyn Tx,
    defaults: &LoginDefaults,
    (host_id, address): (HostId, IpAddr),
    now: Timestamp,
) -> Result<()> {
    let before = tx.login_for_update(host_id).await?;
    let login = match before {
        Some(before) => HostLogin { address, ..before },
        None => HostLogin {
            host_id,
            address,
            port: defaults.port,
            username: defaults.username.clone(),
            identity: defaults.identity.clone(),
            host_key: None,
            shown_key: None,
            updated_at: now,
        },
    };
    tx.save_login(&login).await
}

pub(super) fn event(
    kind: &'static str,
    login: &HostLogin,
    (actor, at): (Actor, Timestamp),
) -> Event {
    let fingerprint = |key: &Option<HostKey>| key.as_ref().map(HostKey::fingerprint);
    Event {
        kind,
        subject: Subject::Host(login.host_id),
        actor,
        before: None,
        data: json!({ "address": login.address, "port": login.port, "username": login.username,
            "identity": login.identity, "host_key": fingerprint(&login.host_key),
            "shown_key": fingerprint(&login.shown_key) }),
        recipient: None,
        at,
    }
}
