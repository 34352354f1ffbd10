//! The address of the client, from what cannot be forged, or none.
//!
//! Without options it is Envoy's `source.address`, which Envoy derives before any filter runs:
//!
//! - With `use_remote_address: true` (an edge proxy must have it) it is the peer of the connection, or, with
//!   `xff_num_trusted_hops: n`, the n-th entry from the right of the `x-forwarded-for` that arrived. Envoy has then
//!   done the counting; `trusted_hops` is not needed.
//! - With `use_remote_address: false`, Envoy's default, it is the last entry of `x-forwarded-for`, if there is one:
//!   a client that reaches this Envoy directly writes there what it likes.
//!
//! `trusted_hops: n` takes the n-th entry from the right of `x-forwarded-for` **as filters see it**. Every trusted
//! proxy appends the address that it saw, so `1` is the address that the one proxy in front of Envoy saw. Envoy
//! itself appends its peer before filters run if `use_remote_address` is true and `skip_xff_append` is not, and then
//! counts as a hop: one load balancer in front makes `2`.
//!
//! An entry that isn't an address, or isn't there, is no client. There is no fallback: whatever it fell back to, a
//! client could bring about.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::Node;
use crate::header::Lookup;

/// Where the address of the client comes from, and how many clients share one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientIp {
    /// Which entry of `x-forwarded-for` to trust, counted from the right; 0 is `source.address`.
    trusted_hops: u8,
    /// How many bits of an IPv4 address make a client.
    ipv4_prefix: u8,
    /// How many bits of an IPv6 address make a client.
    ipv6_prefix: u8,
}

impl ClientIp {
    /// Without options: `source.address`, an IPv4 address or an IPv6 /64, which is what a subscriber has, being one
    /// client.
    pub const DEFAULT: Self = Self { trusted_hops: 0, ipv4_prefix: 32, ipv6_prefix: 64 };

    /// Parses `{trusted_hops: 1, ipv4_prefix: 32, ipv6_prefix: 64}`, each field optional.
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        let defaults = Self::DEFAULT;
        let mut object = node.object()?;
        let mut number = |name, range, default| match object.optional(name) {
            Some(node) => node.integer(range).and_then(|number| u8::try_from(number).ok()),
            None => Some(default),
        };
        let trusted_hops = number("trusted_hops", 0..=20, defaults.trusted_hops);
        let ipv4_prefix = number("ipv4_prefix", 1..=32, defaults.ipv4_prefix);
        let ipv6_prefix = number("ipv6_prefix", 1..=128, defaults.ipv6_prefix);
        object.finish();
        Some(Self { trusted_hops: trusted_hops?, ipv4_prefix: ipv4_prefix?, ipv6_prefix: ipv6_prefix? })
    }

    /// Returns the client of a request, if it is known for certain.
    pub fn resolve(&self, request: &dyn Lookup) -> Option<Network> {
        let address = match usize::from(self.trusted_hops).checked_sub(1) {
            None => peer(&request.property(&["source", "address"])?)?,
            Some(skipped) => forwarded(request.header(FORWARDED_FOR).values(), skipped)?,
        };
        Some(self.network(address))
    }

    /// Returns the client that a configured address belongs to.
    ///
    /// # Errors
    ///
    /// The rest of a sentence that begins with the text.
    pub fn literal(&self, text: &str) -> Result<Network, &'static str> {
        const NO_ADDRESS: &str = "is not an address (examples: 203.0.113.7, 2001:db8::1)";
        let (bare, length) = text.split_once('/').unzip();
        let address: IpAddr = bare.unwrap_or(text).parse().or(Err(NO_ADDRESS))?;
        let network = self.network(address);
        let Some(length) = length else { return Ok(network) };
        // A network must be that of one client, so that `10.0.0.0/8` isn't taken for one.
        match length.parse::<u8>() {
            Ok(length) if length < network.prefix => Err("covers several clients: name one address"),
            Ok(length) if length == network.prefix && address == address.to_canonical() => Ok(network),
            _ => Err(NO_ADDRESS),
        }
    }

    /// Returns the header that is looked up, if it is one.
    pub fn header(&self) -> Option<&'static str> {
        (self.trusted_hops > 0).then_some(FORWARDED_FOR)
    }

    /// Folds an address.
    fn network(&self, address: IpAddr) -> Network {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask =
                    u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(self.ipv4_prefix))).unwrap_or(0);
                Network {
                    first: Ipv4Addr::from_bits(address.to_bits() & mask).into(),
                    prefix: self.ipv4_prefix,
                }
            }
            IpAddr::V6(address) => {
                let mask =
                    u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(self.ipv6_prefix))).unwrap_or(0);
                Network {
                    first: Ipv6Addr::from_bits(address.to_bits() & mask).into(),
                    prefix: self.ipv6_prefix,
                }
            }
        }
    }
}

impl fmt::Display for ClientIp {
    /// Writes where the address comes from, with every option.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client_ip(hops {}, /{}, /{})", self.trusted_hops, self.ipv4_prefix, self.ipv6_prefix)
    }
}

/// A client: an address, or a network whose addresses count as one.
///
/// Its text is canonical: `203.0.113.7`, `2001:db8:1:2::/64` (RFC 5952).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// The first address.
    first: IpAddr,
    /// How many of its bits the others share.
    prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.prefix) {
            (IpAddr::V4(address), 32) => address.fmt(f),
            (IpAddr::V6(address), 128) => address.fmt(f),
            (first, prefix) => write!(f, "{first}/{prefix}"),
        }
    }
}

/// The header to which proxies append the address they see.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Reads `1.2.3.4:5678` or `[2001:db8::1]:443`; a pipe or an internal listener has no address.
fn peer(text: &[u8]) -> Option<IpAddr> {
    let address: SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.ip())
}

/// Reads the entry before this many, counted from the right over all headers.
///
/// Entries are bare addresses: an empty one is an entry, a port, a zone, brackets or `unknown` make it none.
fn forwarded(headers: &[Vec<u8>], skipped: usize) -> Option<IpAddr> {
    let entry = headers.iter().rev().flat_map(|header| header.rsplit(|byte| *byte == b',')).nth(skipped)?;
    std::str::from_utf8(entry.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
