//! The special address ranges of the internet, and which of them an address lies in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

/// A kind of address that is not an ordinary public host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Where clouds answer with credentials to whoever asks.
    CloudMetadata,
    /// The machine itself.
    Loopback,
    /// A private network.
    Private,
    /// A private network of IPv6.
    UniqueLocal,
    /// Shared by a carrier's customers.
    CarrierShared,
    /// Neighbours on one link.
    LinkLocal,
    /// Translation to an IPv4 address inside.
    Nat64,
    /// Tunnel to an IPv4 address inside.
    SixToFour,
    /// Tunnel to an IPv4 address inside.
    Teredo,
    /// Written as IPv6, is IPv4.
    EmbeddedIpv4,
    /// For examples in texts.
    Documentation,
    /// For measuring devices.
    Benchmarking,
    /// Kept for protocols.
    Protocol,
    /// No address: "this host", or nowhere.
    Unspecified,
    /// Many hosts.
    Multicast,
    /// All hosts.
    Broadcast,
    /// Not given out.
    Reserved,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloudMetadata => "cloud metadata",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique local",
            Self::CarrierShared => "carrier-shared",
            Self::LinkLocal => "link-local",
            Self::Nat64 => "NAT64",
            Self::SixToFour => "6to4",
            Self::Teredo => "Teredo",
            Self::EmbeddedIpv4 => "IPv4 inside IPv6",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Protocol => "protocol assignment",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
        })
    }
}

/// The narrowest special range that an address lies in; none for an ordinary public address.
pub fn range_of(ip: IpAddr) -> Option<Range> {
    TABLE.iter().find(|(net, _)| net.contains(&ip)).map(|(_, range)| *range).or_else(|| outside_unicast(ip))
}

/// The IPv4 address that an IPv6 address leads to, where its range is one that hides such an address.
pub fn embedded(ip: Ipv6Addr, range: Range) -> Option<Ipv4Addr> {
    let octets = ip.octets();
    let at = |from: usize| Ipv4Addr::new(octets[from], octets[from + 1], octets[from + 2], octets[from + 3]);
    match range {
        Range::Nat64 | Range::EmbeddedIpv4 => Some(at(12)),
        Range::SixToFour => Some(at(2)),
        Range::Teredo => Some(Ipv4Addr::from(!u32::from(at(12)))),
        _ => None,
    }
}

/// Only 2000::/3 is given out as public IPv6.
fn outside_unicast(ip: IpAddr) -> Option<Range> {
    match ip {
        IpAddr::V6(v6) if v6.segments()[0] & 0xe000 != 0x2000 => Some(Range::Reserved),
        _ => None,
    }
}

/// Longest prefix first.
static TABLE: LazyLock<Vec<(IpNet, Range)>> = LazyLock::new(|| {
    let mut table: Vec<(IpNet, Range)> = RANGES
        .iter()
        .map(|(text, range)| (text.parse().expect("the table holds well-formed networks, as its test proves"), *range))
        .collect();
    table.sort_by_key(|(net, _)| std::cmp::Reverse(net.prefix_len()));
    table
});

#[rustfmt::skip]
const RANGES: &[(&str, Range)] = &[
    ("169.254.169.254/32", Range::CloudMetadata),   // AWS, Azure, Google, OpenStack, Oracle, DigitalOcean
    ("169.254.169.253/32", Range::CloudMetadata),   // AWS name service
    ("169.254.169.123/32", Range::CloudMetadata),   // AWS time service
    ("169.254.170.2/32", Range::CloudMetadata),     // AWS, tasks in containers
    ("169.254.170.23/32", Range::CloudMetadata),    // AWS, pods
    ("169.254.42.42/32", Range::CloudMetadata),     // Scaleway
    ("169.254.0.23/32", Range::CloudMetadata),      // Tencent
    ("168.63.129.16/32", Range::CloudMetadata),     // Azure, host agent
    ("100.100.100.200/32", Range::CloudMetadata),   // Alibaba
    ("192.0.0.192/32", Range::CloudMetadata),       // Oracle, earlier generation
    ("fd00:ec2::254/128", Range::CloudMetadata),    // AWS
    ("fd00:ec2::253/128", Range::CloudMetadata),    // AWS name service
    ("fd00:ec2::23/128", Range::CloudMetadata),     // AWS, pods
    ("fd20:ce::254/128", Range::CloudMetadata),     // Google
    ("fd00:42::42/128", Range::CloudMetadata),      // Scaleway
    ("0.0.0.0/8", Range::Unspecified),
    ("10.0.0.0/8", Range::Private),
    ("100.64.0.0/10", Range::CarrierShared),
    ("127.0.0.0/8", Range::Loopback),
    ("169.254.0.0/16", Range::LinkLocal),
    ("172.16.0.0/12", Range::Private),
    ("192.0.0.0/24", Range::Protocol),
    ("192.0.2.0/24", Range::Documentation),
    ("192.31.196.0/24", Range::Protocol),
    ("192.52.193.0/24", Range::Protocol),
    ("192.88.99.0/24", Range::SixToFour),
    ("192.168.0.0/16", Range::Private),
    ("192.175.48.0/24", Range::Protocol),
    ("198.18.0.0/15", Range::Benchmarking),
    ("198.51.100.0/24", Range::Documentation),
    ("203.0.113.0/24", Range::Documentation),
    ("224.0.0.0/4", Range::Multicast),
    ("233.252.0.0/24", Range::Documentation),
    ("240.0.0.0/4", Range::Reserved),
    ("255.255.255.255/32", Range::Broadcast),
    ("::/128", Range::Unspecified),
    ("::1/128", Range::Loopback),
    ("::/96", Range::EmbeddedIpv4),
    ("::ffff:0:0/96", Range::EmbeddedIpv4),
    ("::ffff:0:0:0/96", Range::EmbeddedIpv4),
    ("64:ff9b::/96", Range::Nat64),
    ("64:ff9b:1::/48", Range::Nat64),
    ("100::/64", Range::Reserved),
    ("2001::/23", Range::Protocol),
    ("2001::/32", Range::Teredo),
    ("2001:2::/48", Range::Benchmarking),
    ("2001:db8::/32", Range::Documentation),
    ("2002::/16", Range::SixToFour),
    ("2620:4f:8000::/48", Range::Protocol),
    ("3fff::/20", Range::Documentation),
    ("5f00::/16", Range::Protocol),
    ("fc00::/7", Range::UniqueLocal),
    ("fe80::/10", Range::LinkLocal),
    ("fec0::/10", Range::LinkLocal),
    ("ff00::/8", Range::Multicast),
];
