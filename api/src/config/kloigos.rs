//! What an operator configures about the surface of Kloigos's clients.

use std::net::{IpAddr, SocketAddr};

use domain::instance::DriverKind;
use domain::remote::{IdentityName, LoginDefaults, USERNAME, is_username};

use super::host_name;
use super::read::Reader;
use crate::app::{KloigosSettings, Settings};

/// `None` inside where the surface is switched off.
pub fn surface(from: &mut Reader<'_>) -> Option<Option<KloigosSettings>> {
    let is_enabled = from.flag("kloigos.enabled", true);
    let host = from.checked("kloigos.host", "", host_name);
    let is_open = from.checked("kloigos.auth", "token", |text| match text {
        "token" => Ok(false),
        "none" => Ok(true),
        _ => Err("must be token or none".to_owned()),
    });
    let driver = from.checked("kloigos.driver", "simulated", |text| match text {
        "simulated" => Ok(DriverKind::Simulated),
        "ssh" => Ok(DriverKind::Ssh),
        _ => Err("must be simulated or ssh".to_owned()),
    });
    let port = from.number("kloigos.ssh_port", 22, 1..=65_535);
    let username = from.checked("kloigos.ssh_user", "root", |text| {
        let good = is_username(text).then(|| text.to_owned());
        good.ok_or_else(|| USERNAME.to_owned())
    });
    let identity = from.checked("kloigos.ssh_identity", "default", |text| {
        IdentityName::parse(text).map_err(str::to_owned)
    });
    let is_lenient = from.flag("compat.lenient_unknown", false);
    let (host, is_open, driver) = (host?, is_open?, driver?);
    let port = u16::try_from(port).ok()?;
    let logins = LoginDefaults { port, username: username?, identity: identity? };
    Some(is_enabled.then_some(KloigosSettings { host, is_open, driver, logins, is_lenient }))
}

/// Refuses to ask nobody who they are where strangers reach the server.
pub fn check(from: &mut Reader<'_>, settings: Option<&Settings>, listen: Option<SocketAddr>) {
    let open = settings
        .filter(|settings| settings.kloigos.as_ref().is_some_and(|kloigos| kloigos.is_open));
    let Some(settings) = open else { return };
    if listen.is_some_and(|listen| !is_private(listen.ip())) {
        let advice = "is none only where http.listen is a loopback or private address";
        from.fault("kloigos.auth", advice);
    }
    if !settings.trusted_proxies.is_empty() {
        from.fault("kloigos.auth", "is none only without http.trusted_proxies");
    }
}

/// Whether only this machine, or a network that is not the Internet, reaches an address.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_internet_is_not_private() {
        for text in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "::1", "fd00::1"] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["0.0.0.0", "::", "8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
