//! Addresses for hosts that are not there.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

/// What nobody's machine has: the ranges for documentation (RFC 5737), and when they are used up, the one
/// for benchmarks (RFC 2544).
const RANGES: [RangeInclusive<Ipv4Addr>; 4] = [
    Ipv4Addr::new(192, 0, 2, 1)..=Ipv4Addr::new(192, 0, 2, 254),
    Ipv4Addr::new(198, 51, 100, 1)..=Ipv4Addr::new(198, 51, 100, 254),
    Ipv4Addr::new(203, 0, 113, 1)..=Ipv4Addr::new(203, 0, 113, 254),
    Ipv4Addr::new(198, 18, 0, 1)..=Ipv4Addr::new(198, 19, 255, 254),
];

/// Those that are not taken, each once.
pub(super) fn free(taken: BTreeSet<IpAddr>) -> impl Iterator<Item = IpAddr> {
    let numbers =
        |range: RangeInclusive<Ipv4Addr>| u32::from(*range.start())..=u32::from(*range.end());
    let all = RANGES.into_iter().flat_map(numbers);
    let all = all.map(|number| IpAddr::V4(Ipv4Addr::from(number)));
    all.filter(move |address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_not_given_again_and_there_is_more_than_documentation_needs() {
        let taken: BTreeSet<IpAddr> = ["192.0.2.1", "192.0.2.3"].map(|a| a.parse().unwrap()).into();
        let some: Vec<String> =
            free(taken.clone()).take(761).map(|address| address.to_string()).collect();
        assert_eq!(some[..3], ["192.0.2.2", "192.0.2.4", "192.0.2.5"]);
        assert_eq!(some[759..], ["203.0.113.254", "198.18.0.1"]);
        let all: BTreeSet<IpAddr> = free(taken.clone()).collect();
        assert_eq!(all.len(), free(taken.clone()).count());
        assert!(all.is_disjoint(&taken));
    }
}
