//! Which IP addresses are public: the special-purpose registries of IANA as a table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// From where an IP address can be reached.
///
/// ```
/// use repaint_fetch::Reach;
///
/// assert_eq!(Reach::of("93.184.216.34".parse()?), Reach::Public);
/// assert_eq!(Reach::of("100.64.0.1".parse()?), Reach::Special("shared by the customers of a provider"));
/// // The same machine, written as IPv6.
/// assert_eq!(Reach::of("::ffff:10.0.0.1".parse()?), Reach::Special("private"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// From everywhere.
    Public,
    /// Not from everywhere, or by nobody: what it is for, in a few words.
    Special(&'static str),
    /// From a machine in a cloud, whose secrets are there.
    Metadata,
}

/// Where clouds tell their machines secrets. Most lie in networks that are special anyway; these are
/// refused even where such a network is allowed.
const METADATA: &[IpAddr] = &[
    // AWS, Azure, Google, DigitalOcean, Oracle, OpenStack and others.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // AWS: tasks of ECS, pods of EKS.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    // Tencent.
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    // Alibaba.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure's WireServer, at an address that looks public.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Oracle, of old.
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // AWS: metadata and pods of EKS.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(start: [u16; 3], prefix: u8) -> Ipv6Net {
    let [a, b, c] = start;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, read 2026-11-26; all else is public. What
/// is in two rows is called what the first says.
const SPECIAL_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this machine"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by the customers of a provider"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a tunnel"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, read 2026-11-26. Only 2000::/3 is given out,
/// so that all beyond is reserved, and what will be given out there is not public before this table says so.
const SPECIAL_V6: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0], 32), "a tunnel"),
    (v6([0x2001, 2, 0], 48), "for benchmarks"),
    (v6([0x2001, 0, 0], 23), "reserved"),
    (v6([0x2001, 0xdb8, 0], 32), "for documentation"),
    (v6([0x2002, 0, 0], 16), "a tunnel"),
    (v6([0x3fff, 0, 0], 20), "for documentation"),
    (v6([0xfc00, 0, 0], 7), "private"),
    (v6([0xfe80, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0], 10), "private"),
    (v6([0xff00, 0, 0], 8), "multicast"),
];
const GIVEN_OUT: Ipv6Net = v6([0x2000, 0, 0], 3);
/// Where IPv4 is reached from networks that have none, by translation (RFC 6052).
const TRANSLATED: Ipv6Net = v6([0x64, 0xff9b, 0], 96);

impl Reach {
    /// From where this address can be reached. IPv4 that is written as IPv6, mapped or translated, is what the
    /// IPv4 address is; tunnels (6to4, Teredo) are never public, since nobody needs them any more.
    pub fn of(ip: IpAddr) -> Self {
        let ip = plain(ip);
        if METADATA.contains(&ip) {
            return Self::Metadata;
        }
        match ip {
            IpAddr::V4(ip) => named(SPECIAL_V4.iter().find(|it| it.0.contains(&ip)).map(|it| it.1)),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Self::Special("loopback"),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Self::Special("this machine"),
            IpAddr::V6(ip) => match SPECIAL_V6.iter().find(|it| it.0.contains(&ip)) {
                None if !GIVEN_OUT.contains(&ip) => Self::Special("reserved"),
                row => named(row.map(|it| it.1)),
            },
        }
    }

    /// What to say of such an address.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Special(what) => what,
            Self::Metadata => "where a cloud keeps secrets of its machines",
        }
    }
}

fn named(what: Option<&'static str>) -> Reach {
    what.map_or(Reach::Public, Reach::Special)
}

/// IPv4 as IPv4, however it is written.
pub(crate) fn plain(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if TRANSLATED.contains(&ip) => {
            let [.., a, b, c, d] = ip.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        ip => ip,
    }
}

/// Whether a network has this address in it.
pub(crate) fn holds(network: &IpNet, ip: IpAddr) -> bool {
    network.contains(&plain(ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn public(ip: impl Into<IpAddr>) -> bool {
        Reach::of(ip.into()) == Reach::Public
    }

    #[test]
    fn hosts_of_the_internet_are_public() {
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
        ] {
            assert!(public(ip.parse::<Ipv4Addr>().expect(ip)), "{ip}");
        }
        for ip in
            ["172.32.0.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255"]
        {
            assert!(public(ip.parse::<Ipv4Addr>().expect(ip)), "{ip}");
        }
        for ip in [
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert!(public(ip.parse::<Ipv6Addr>().expect(ip)), "{ip}");
        }
    }

    proptest! {
        #[test]
        fn what_the_standard_library_calls_special_is_not_public(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let special = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast();
            let special = special || ip.is_documentation() || ip.is_multicast() || ip.is_unspecified();
            prop_assert!(!special || !public(ip), "{ip}");
        }

        #[test]
        fn ipv4_is_what_it_is_however_it_is_written(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let [a, b] = [bits >> 16, bits & 0xffff].map(|it| it as u16);
            for written in [ip.to_ipv6_mapped(), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b)] {
                prop_assert_eq!(Reach::of(written.into()), Reach::of(ip.into()));
            }
            for tunnel in [
                ip.to_ipv6_compatible(),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, a, b, 0, 0, !a, !b),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, a, b),
            ] {
                prop_assert!(!public(tunnel), "{}", tunnel);
            }
        }

        #[test]
        fn beyond_what_is_given_out_nothing_is_public(bits: u128) {
            let ip = Ipv6Addr::from(bits);
            let local = ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast();
            let beyond = bits >> 125 != 1 && ip.to_ipv4_mapped().is_none();
            prop_assert!(!(local || beyond) || !public(ip), "{}", ip);
        }
    }
}
