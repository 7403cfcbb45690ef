//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use ipnet::IpNet;

use crate::app::App;

/// The client's address: the peer's, or, if the peer is a trusted proxy, the last one in
/// `X-Forwarded-For` that no trusted proxy has. What clients write there themselves is never
/// believed, so a hop that cannot be read ends the search at the proxy that reported it.
pub fn client_address(request: &HttpRequest, app: &App) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let headers: Vec<_> = request.headers().get_all("x-forwarded-for").collect();
    let mut nearest = peer;
    for header in headers.into_iter().rev() {
        // A header that is not text is one hop that cannot be read.
        for hop in header.to_str().unwrap_or_default().rsplit(',') {
            if !app.trusts(nearest) {
                return nearest.to_canonical();
            }
            let Some(address) = parse(hop.trim()) else {
                return nearest.to_canonical();
            };
            nearest = address;
        }
    }
    nearest.to_canonical()
}

/// A network, or an address as the network of one.
pub fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("`{text}` is neither an IP address nor a network"))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse().map(|address: SocketAddr| address.ip());
    hop.parse().or_else(|_| with_port()).ok()
}
