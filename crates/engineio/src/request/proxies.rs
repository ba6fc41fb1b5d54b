//! Reverse proxies: whom a request comes from, where the TCP peer is a proxy whose word counts.
//!
//! Each proxy appends to a list of addresses the one that it was itself connected from. So the list
//! is read from its right end, and only as long as the one who wrote the entry is trusted; what
//! stands further left is the client's own invention, or may be. Nothing here ever fails: what
//! cannot be read ends the reading, at the last address that is certain.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

/// The proxies whose word counts.
#[derive(Debug)]
pub(crate) struct TrustedProxies(Box<[IpNet]>);

/// What is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoNetwork(pub(crate) String);

/// What the proxies say of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// The address of the client, or of the proxy that does not tell it. Port 0: it is not told.
    pub(crate) addr: SocketAddr,
    /// Whether the client's connection is encrypted, if they tell.
    pub(crate) is_secure: Option<bool>,
}

/// What one proxy says of its peer. Each field is `None` if it is not told, or cannot be read.
#[derive(Clone, Copy)]
struct Hop {
    addr: Option<SocketAddr>,
    is_secure: Option<bool>,
}

impl TrustedProxies {
    /// Nobody.
    pub(crate) fn none() -> Self {
        Self(Box::default())
    }

    pub(crate) fn parse(list: &[String]) -> Result<Self, NoNetwork> {
        let network = |text: &String| network(text).ok_or_else(|| NoNetwork(text.to_owned()));
        list.iter().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// What is said of a request from `peer`; `None` if its word does not count.
    pub(crate) fn forwarded(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Forwarded> {
        if !self.trusts(peer.ip()) {
            return None;
        }
        let hops = hops(headers);
        let mut said = Forwarded { addr: peer, is_secure: hops.protocol_of_all };
        for hop in hops.list.iter().rev() {
            said.is_secure = hop.is_secure.or(hops.protocol_of_all);
            let Some(addr) = hop.addr else { break };
            said.addr = addr;
            if !self.trusts(addr.ip()) {
                break;
            }
        }
        Some(said)
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What all proxies together say.
struct Hops {
    /// From the farthest proxy to the nearest.
    list: Vec<Hop>,
    /// Whether the client's connection is encrypted, where a hop does not say it.
    protocol_of_all: Option<bool>,
}

/// `X-Forwarded-For` with `X-Forwarded-Proto`, or without the former `Forwarded`.
fn hops(headers: &HeaderMap) -> Hops {
    let protocols: Vec<bool> =
        entries(headers, "x-forwarded-proto").into_iter().map(is_secure).collect();
    let addresses = entries(headers, "x-forwarded-for");
    let list = if addresses.is_empty() {
        entries(headers, "forwarded").into_iter().map(Hop::parse).collect()
    } else {
        // most proxies overwrite the protocol, some append to it as they do to the addresses
        let aligned = protocols.len() == addresses.len();
        let hop = |(at, text)| Hop {
            addr: address(text),
            is_secure: protocols.get(at).copied().filter(|_| aligned),
        };
        addresses.into_iter().enumerate().map(hop).collect()
    };
    Hops { list, protocol_of_all: protocols.last().copied() }
}

impl Hop {
    // RFC 7239 4
    fn parse(element: &str) -> Self {
        let mut hop = Self { addr: None, is_secure: None };
        for (name, value) in element.split(';').filter_map(|pair| pair.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("for") => hop.addr = address(value),
                name if name.eq_ignore_ascii_case("proto") => {
                    hop.is_secure = Some(is_secure(value))
                }
                _ => {}
            }
        }
        hop
    }
}

/// The entries of all headers of a name, from left to right.
///
/// Quotes are not minded: neither an address nor a protocol has a comma in it, and a quote that a
/// client opens must not swallow what a proxy appends.
fn entries<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("unreadable"));
    let entries = lines.flat_map(|line| line.split(','));
    entries.map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// An address as proxies write it, with or without a port; IPv6 with or without brackets.
fn address(text: &str) -> Option<SocketAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let without_port = || text.parse().ok().or_else(|| bracketed().map(IpAddr::V6));
    let addr: SocketAddr =
        text.parse().ok().or_else(|| without_port().map(|ip| SocketAddr::new(ip, 0)))?;
    Some(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
}

fn is_secure(protocol: &str) -> bool {
    // some name that of the WebSocket
    protocol.eq_ignore_ascii_case("https") || protocol.eq_ignore_ascii_case("wss")
}

/// A network, `10.0.0.0/8`, or one address.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical().into());
    }
    match text.parse().ok()? {
        IpNet::V6(net) => match net.addr().to_ipv4_mapped() {
            // addresses are compared in their canonical form
            Some(address) => {
                Some(Ipv4Net::new(address, net.prefix_len().checked_sub(96)?).ok()?.into())
            }
            None => Some(net.into()),
        },
        net => Some(net),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> Result<TrustedProxies, NoNetwork> {
        TrustedProxies::parse(&list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    /// A request from `peer` with these headers, and the address and protocol that are believed.
    #[track_caller]
    fn check(peer: &str, headers: &[(&'static str, &str)], expected: (&str, Option<bool>)) {
        let trusted = proxies(&["127.0.0.1", "10.0.0.0/8", "fd00::/8"]).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 4000);
        let said =
            trusted.forwarded(peer, &map).unwrap_or(Forwarded { addr: peer, is_secure: None });
        assert_eq!((said.addr.to_string().as_str(), said.is_secure), expected, "{headers:?}");
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";
    const FORWARDED: &str = "forwarded";

    #[test]
    fn whose_word_counts() {
        for (peer, expected) in [
            ("127.0.0.1", "192.0.2.1:0"),
            ("10.255.0.1", "192.0.2.1:0"),
            ("::ffff:10.1.2.3", "192.0.2.1:0"),
            ("fd12::1", "192.0.2.1:0"),
            ("127.0.0.2", "127.0.0.2:4000"),
            ("11.0.0.1", "11.0.0.1:4000"),
            ("::1", "[::1]:4000"),
            ("2001:db8::1", "[2001:db8::1]:4000"),
        ] {
            check(peer, &[(FOR, "192.0.2.1")], (expected, None));
        }
        let headers = [(FORWARDED, "for=192.0.2.1;proto=https"), (PROTO, "https")];
        check("203.0.113.9", &headers, ("203.0.113.9:4000", None));
    }

    #[test]
    fn the_rightmost_that_is_not_trusted() {
        for (list, expected) in [
            // one proxy; what stands on the left came with the client
            ("192.0.2.1", "192.0.2.1:0"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1:0"),
            ("127.0.0.1, 192.0.2.1", "192.0.2.1:0"),
            ("10.0.0.1,6.6.6.6,192.0.2.1", "192.0.2.1:0"),
            // several
            ("192.0.2.1, 10.0.0.7", "192.0.2.1:0"),
            ("6.6.6.6, 192.0.2.1, 10.0.0.7, fd00::2", "192.0.2.1:0"),
            ("10.0.0.9, 10.0.0.8", "10.0.0.9:0"), // a client of the inside
            // forms
            ("192.0.2.1:555", "192.0.2.1:555"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:555", "[2001:db8::1]:555"),
            ("::ffff:192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1, ::ffff:10.0.0.7", "192.0.2.1:0"),
            (" 192.0.2.1 ,, ", "192.0.2.1:0"),
            // not to be read: no further than what is certain
            ("", "10.0.0.1:4000"),
            ("unknown", "10.0.0.1:4000"),
            ("192.0.2.1, nonsense", "10.0.0.1:4000"),
            ("192.0.2.1, unknown, 10.0.0.7", "10.0.0.7:0"),
            ("nonsense, 192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.256", "10.0.0.1:4000"),
            ("192.0.2.1:99999", "10.0.0.1:4000"),
            ("\"192.0.2.1", "10.0.0.1:4000"),
            ("[192.0.2.1]", "10.0.0.1:4000"),
            ("fe80::1%eth0", "10.0.0.1:4000"),
        ] {
            check("10.0.0.1", &[(FOR, list)], (expected, None));
        }
        check("10.0.0.1", &[], ("10.0.0.1:4000", None));
        // each proxy may write a header of its own
        check("10.0.0.1", &[(FOR, "6.6.6.6"), (FOR, "192.0.2.1")], ("192.0.2.1:0", None));
        check("10.0.0.1", &[(FOR, "192.0.2.1"), (FOR, "10.0.0.7")], ("192.0.2.1:0", None));
        check("10.0.0.1", &[(FOR, "192.0.2.1"), (FOR, "ü")], ("10.0.0.1:4000", None));
    }

    #[test]
    fn the_protocol_of_the_client() {
        for (list, protocol, expected) in [
            ("192.0.2.1", "https", Some(true)),
            ("192.0.2.1", "HTTPS", Some(true)),
            ("192.0.2.1", "wss", Some(true)),
            ("192.0.2.1", "http", Some(false)),
            ("192.0.2.1", "nonsense", Some(false)),
            ("192.0.2.1", "", None),
            // one for all
            ("192.0.2.1, 10.0.0.7", "https", Some(true)),
            ("6.6.6.6, 192.0.2.1", "https", Some(true)),
            // one for each: that of the client counts
            ("192.0.2.1, 10.0.0.7", "https, http", Some(true)),
            ("192.0.2.1, 10.0.0.7", "http, https", Some(false)),
            ("6.6.6.6, 192.0.2.1", "https, http", Some(false)),
            // not as many: the nearest proxy's
            ("192.0.2.1", "https, http", Some(false)),
            ("", "https", Some(true)),
        ] {
            let addr = if list.is_empty() { "10.0.0.1:4000" } else { "192.0.2.1:0" };
            check("10.0.0.1", &[(FOR, list), (PROTO, protocol)], (addr, expected));
        }
    }

    #[test]
    fn the_header_of_the_standard() {
        for (header, expected) in [
            ("for=192.0.2.1", ("192.0.2.1:0", None)),
            ("For=\"192.0.2.1:47011\" ; Proto=https;by=10.0.0.1", ("192.0.2.1:47011", Some(true))),
            ("for=\"[2001:db8::1]:4711\";proto=http", ("[2001:db8::1]:4711", Some(false))),
            ("for=\"[2001:db8::1]\"", ("[2001:db8::1]:0", None)),
            ("for=6.6.6.6;proto=https, for=192.0.2.1", ("192.0.2.1:0", None)),
            ("for=192.0.2.1;proto=https, for=10.0.0.7;proto=http", ("192.0.2.1:0", Some(true))),
            // hidden on purpose, but the protocol is told
            ("for=_hidden;proto=https", ("10.0.0.1:4000", Some(true))),
            ("for=unknown, for=10.0.0.7", ("10.0.0.7:0", None)),
            ("proto=https", ("10.0.0.1:4000", Some(true))),
            ("nonsense", ("10.0.0.1:4000", None)),
            // a quote of the client swallows nothing
            ("for=\"6.6.6.6, for=192.0.2.1", ("192.0.2.1:0", None)),
        ] {
            check("10.0.0.1", &[(FORWARDED, header)], expected);
        }
        // the other header is read first
        let both = [(FORWARDED, "for=6.6.6.6;proto=https"), (FOR, "192.0.2.1")];
        check("10.0.0.1", &both, ("192.0.2.1:0", None));
        let mixed = [(FORWARDED, "for=192.0.2.1"), (PROTO, "https")];
        check("10.0.0.1", &mixed, ("192.0.2.1:0", Some(true)));
    }

    #[test]
    fn networks() {
        for (text, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1/24", "192.0.2.200", "192.0.3.1"), // bits behind the prefix do not matter
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"),
        ] {
            let trusted = proxies(&[text]).unwrap();
            assert!(trusted.trusts(inside.parse().unwrap()), "{text} {inside}");
            assert!(!trusted.trusts(outside.parse().unwrap()), "{text} {outside}");
        }
        for wrong in
            ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.0/", "::/129", "10.0.0.1:80"]
        {
            let error = proxies(&["127.0.0.1", wrong]).unwrap_err();
            assert_eq!(error, NoNetwork(wrong.to_owned()));
        }
        assert!(!proxies(&[]).unwrap().trusts(IpAddr::from([127, 0, 0, 1])));
    }
}
