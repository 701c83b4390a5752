//! The address guard: whether an address may be connected to. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

pub use super::range::Range;
use super::range::{embedded, range_of};

/// What the guard says of one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be connected to.
    Open,
    /// May not, for the range that it lies in.
    Refused(Range),
}

/// The networks that are opened beside public addresses.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    platform: Vec<IpNet>,
    resource: Vec<IpNet>,
}

impl Guard {
    /// A guard for one resource. `platform`: what the platform's settings open; `resource`: what the resource asks for.
    ///
    /// A special range is open where both name it. Loopback and cloud metadata addresses need the platform alone,
    /// metadata addresses as single addresses: a wide private network does not open them by accident.
    pub fn new(platform: Vec<IpNet>, resource: Vec<IpNet>) -> Self {
        Self { platform, resource }
    }

    /// Judges one address. An address that leads to an IPv4 address inside it is judged by both.
    pub fn judge(&self, ip: IpAddr) -> Verdict {
        let Some(range) = range_of(ip) else { return Verdict::Open };
        if let IpAddr::V6(v6) = ip
            && let Some(inner) = embedded(v6, range)
            && let Verdict::Refused(inner) = self.judge(IpAddr::V4(inner))
        {
            return Verdict::Refused(inner);
        }
        if self.opens(ip, range) { Verdict::Open } else { Verdict::Refused(range) }
    }

    /// Judges the host of a URL where it is an address, in whatever way it is written; a name is judged when it is
    /// resolved.
    pub fn judge_url(&self, url: &Url) -> Option<Verdict> {
        match url.host()? {
            Host::Ipv4(ip) => Some(self.judge(IpAddr::V4(ip))),
            Host::Ipv6(ip) => Some(self.judge(IpAddr::V6(ip))),
            Host::Domain(_) => None,
        }
    }

    fn opens(&self, ip: IpAddr, range: Range) -> bool {
        let named = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&ip));
        match range {
            Range::Unspecified | Range::Multicast | Range::Broadcast | Range::Reserved => false,
            Range::Loopback => named(&self.platform),
            Range::CloudMetadata => self.platform.contains(&IpNet::from(ip)),
            _ => named(&self.platform) && named(&self.resource),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().unwrap()).collect()
    }

    fn judge(guard: &Guard, ip: &str) -> Verdict {
        guard.judge(ip.parse().unwrap())
    }

    #[test]
    fn every_special_range_is_refused_and_ordinary_addresses_are_open() {
        let table = [
            (Range::CloudMetadata, "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192"),
            (Range::CloudMetadata, "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 169.254.170.23"),
            (Range::Loopback, "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1"),
            (Range::Private, "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1"),
            (Range::Private, "::ffff:10.1.2.3 2002:c0a8:101:: 64:ff9b::a00:1 2001:0:1:1:1:1:f5ff:fffe"),
            (Range::UniqueLocal, "fc00::1 fdff:ffff::1"),
            (Range::CarrierShared, "100.64.0.1 100.127.255.255"),
            (Range::LinkLocal, "169.254.1.1 fe80::1 fec0::1"),
            (Range::Nat64, "64:ff9b::5db8:d822 64:ff9b:1::5db8:d822"),
            (Range::SixToFour, "2002:5db8:d822::1 192.88.99.1"),
            (Range::Teredo, "2001:0:1:1:1:1:a247:27dd"),
            (Range::EmbeddedIpv4, "::ffff:93.184.216.34 ::93.184.216.34"),
            (Range::Documentation, "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1 233.252.0.1"),
            (Range::Benchmarking, "198.18.0.1 198.19.255.255 2001:2::1"),
            (Range::Protocol, "192.0.0.1 2001:20::1 192.175.48.1 2620:4f:8000::1 5f00::1"),
            (Range::Unspecified, "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0"),
            (Range::Multicast, "224.0.0.1 239.255.255.255 ff02::1"),
            (Range::Broadcast, "255.255.255.255"),
            (Range::Reserved, "240.0.0.1 254.1.1.1 100::1 4000::1 1::1"),
        ];
        let guard = Guard::default();
        for (range, addresses) in table {
            for ip in addresses.split(' ') {
                assert_eq!(judge(&guard, ip), Verdict::Refused(range), "{ip}");
            }
        }
        for ip in ["93.184.216.34", "172.32.0.1", "11.0.0.1", "100.128.0.1", "2a00:1450::1", "2606:4700::1111"] {
            assert_eq!(judge(&guard, ip), Verdict::Open, "{ip}");
        }
    }

    #[test]
    fn a_private_range_opens_only_where_platform_and_resource_agree() {
        let both = Guard::new(nets(&["10.0.0.0/8", "fd00::/8"]), nets(&["10.20.0.0/16", "fd00:1::/32"]));
        assert_eq!(judge(&both, "10.20.0.1"), Verdict::Open);
        assert_eq!(judge(&both, "fd00:1::1"), Verdict::Open);
        assert_eq!(judge(&both, "10.21.0.1"), Verdict::Refused(Range::Private));
        let platform = Guard::new(nets(&["10.0.0.0/8"]), vec![]);
        assert_eq!(judge(&platform, "10.20.0.1"), Verdict::Refused(Range::Private));
        let resource = Guard::new(vec![], nets(&["0.0.0.0/0", "::/0"]));
        for ip in ["10.20.0.1", "127.0.0.1", "169.254.169.254", "fd00::1", "::1"] {
            assert!(matches!(judge(&resource, ip), Verdict::Refused(_)), "{ip}");
        }
    }

    #[test]
    fn loopback_and_metadata_need_the_platform_alone_and_metadata_by_its_single_address() {
        let guard = Guard::new(nets(&["127.0.0.0/8", "169.254.169.254/32", "100.64.0.0/10"]), vec![]);
        assert_eq!(judge(&guard, "127.0.0.1"), Verdict::Open);
        assert_eq!(judge(&guard, "169.254.169.254"), Verdict::Open);
        assert_eq!(judge(&guard, "100.100.100.200"), Verdict::Refused(Range::CloudMetadata));
    }

    #[test]
    fn what_is_no_host_is_never_opened() {
        let all = Guard::new(nets(&["0.0.0.0/0", "::/0"]), nets(&["0.0.0.0/0", "::/0"]));
        for ip in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "::", "169.254.169.254"] {
            assert!(matches!(judge(&all, ip), Verdict::Refused(_)), "{ip}");
        }
        assert_eq!(judge(&all, "64:ff9b::5db8:d822"), Verdict::Open);
        assert_eq!(judge(&all, "64:ff9b::a9fe:a9fe"), Verdict::Refused(Range::CloudMetadata));
    }

    #[test]
    fn literals_in_odd_forms_are_judged() {
        let guard = Guard::default();
        for url in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://[::ffff:7f00:1]/",
            "http://①②⑦.0.0.1/",
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(guard.judge_url(&url), Some(Verdict::Refused(Range::Loopback)), "{url}");
        }
        assert_eq!(guard.judge_url(&Url::parse("https://example.org/").unwrap()), None);
    }
}
