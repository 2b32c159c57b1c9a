//! Which addresses are special. Pure tables: what is not plainly public is refused.
//!
//! For IPv6 only the global unicast space is open, less what is carved out of it; an address that carries an IPv4
//! address inside is judged by that one where the carrier form still routes, and refused where it does not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(head: [u16; 4], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], head[3], 0, 0, 0, 0), bits)
}

/// IPv4 nets that no webhook may reach, with what they are.
pub const REFUSED_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a provider's customers"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "a cloud's own service"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 31, 196, 0, 24), "reserved (AS112)"),
    (v4(192, 52, 193, 0, 24), "reserved (AMT)"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(192, 175, 48, 0, 24), "reserved (AS112)"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The only IPv6 space that is open at all: global unicast.
pub const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// What is refused inside [`GLOBAL_V6`].
pub const REFUSED_V6: &[(Ipv6Net, &str)] = &[
    (v6([0x2001, 0, 0, 0], 23), "reserved for protocols (Teredo among them)"),
    (v6([0x2001, 0x0db8, 0, 0], 32), "documentation"),
    (v6([0x2002, 0, 0, 0], 16), "6to4"),
    (v6([0x2620, 0x004f, 0x8000, 0], 48), "reserved (AS112)"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation"),
];

/// The prefix under which a NAT64 gateway shows the IPv4 world.
const NAT64: Ipv6Net = v6([0x0064, 0xff9b, 0, 0], 96);

/// What makes this address special; nothing when it is a plain public one.
#[must_use]
pub fn special(address: IpAddr) -> Option<&'static str> {
    match unwrap_mapped(address) {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// The address itself, or the IPv4 address that it maps (`::ffff:a.b.c.d` connects to `a.b.c.d`).
#[must_use]
pub fn unwrap_mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    REFUSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if NAT64.contains(&address) {
        // A machine that has IPv6 alone reaches every public IPv4 host this way, and through the same gateway the
        // private ones: judge the address inside.
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    if !GLOBAL_V6.contains(&address) {
        return Some(outside_global(address));
    }
    REFUSED_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, what)| *what)
}

/// A word for what lies outside of global unicast; the judgement does not depend on it.
fn outside_global(address: Ipv6Addr) -> &'static str {
    if address.is_loopback() {
        "loopback"
    } else if address.is_unspecified() {
        "unspecified"
    } else if address.is_unicast_link_local() {
        "link-local"
    } else if address.is_unique_local() {
        "private"
    } else if address.is_multicast() {
        "multicast"
    } else {
        "not global unicast"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn first_and_last_of_every_refused_net_and_its_public_neighbours() {
        for (net, what) in REFUSED_V4 {
            assert_eq!(special(net.network().into()), Some(*what), "{net}");
            assert_eq!(special(net.broadcast().into()), Some(*what), "{net}");
        }
        for (net, what) in REFUSED_V6 {
            assert_eq!(special(net.network().into()), Some(*what), "{net}");
            assert_eq!(special(net.broadcast().into()), Some(*what), "{net}");
        }
        for open in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "8.8.8.8",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2606:4700:4700::1111",
            "3ffe::",
            "3fff:1000::",
            "2620:4f:8001::",
            "2000::",
            "64:ff9b::808:808",
        ] {
            assert_eq!(special(ip(open)), None, "{open}");
        }
    }

    #[test]
    fn forms_that_carry_an_address_inside() {
        for closed in [
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "::ffff:0:7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "64:ff9b:1:ffff::808:808",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001::1",
            "::8.8.8.8",
        ] {
            assert!(special(ip(closed)).is_some(), "{closed}");
        }
        assert_eq!(special(ip("::ffff:8.8.8.8")), None);
    }

    #[test]
    fn ipv6_outside_of_global_unicast_is_closed() {
        for closed in [
            "100::",
            "100::ffff:ffff:ffff:ffff",
            "100:0:0:1::",
            "5f00::",
            "5f00:ffff::",
            "fc00::",
            "fdff:ffff::",
            "fd00:ec2::254",
            "fe80::",
            "febf:ffff::",
            "fec0::",
            "feff:ffff::",
            "ff00::",
            "ffff:ffff::",
            "1fff:ffff::",
            "4000::",
        ] {
            assert!(special(ip(closed)).is_some(), "{closed}");
        }
    }

    #[test]
    fn addresses_that_other_products_let_through() {
        for closed in ["0.1.2.3", "100.100.100.200", "168.63.129.16", "255.255.255.255", "169.254.169.254"] {
            assert!(special(ip(closed)).is_some(), "{closed}");
        }
    }
}
