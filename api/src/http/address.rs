//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;

use crate::app::App;

/// The client's address: the peer's, or the last one in `X-Forwarded-For` that no trusted proxy has,
/// if the peer is a trusted proxy. What clients write there themselves is never believed.
pub fn client_address(request: &HttpRequest, app: &App) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    if !app.trusts(peer) {
        return peer.to_canonical();
    }
    let forwarded = request.headers().get_all("x-forwarded-for");
    let hops: Vec<IpAddr> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|hop| hop.trim().parse().ok())
        .collect();
    let client = hops.iter().rev().find(|hop| !app.trusts(**hop));
    client.copied().unwrap_or(peer).to_canonical()
}
