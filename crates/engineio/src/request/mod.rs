//! The request that opened a session, kept for the session's life with its head in one block of
//! memory.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::Extensions;
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use crate::request::proxies::TrustedProxies;

pub(crate) mod proxies;

/// Where the peer's TCP connection comes from. Our own listener puts it into the extensions of
/// each request; under another HTTP server a layer of the application does, if it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a newtype")]
pub struct RemoteAddr(pub SocketAddr);

/// That the TCP connection is encrypted. Our own HTTP server puts it into the extensions of each
/// request if its listener [says so](crate::Listener::is_secure); under another HTTP server a layer
/// of the application does, if it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a mark")]
pub struct Secure;

/// What a listener knows of a connection, for requests to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToldPeer {
    pub(crate) addr: SocketAddr,
    pub(crate) is_secure: bool,
}

impl ToldPeer {
    pub(crate) fn tell(self, extensions: &mut Extensions) {
        extensions.insert(RemoteAddr(self.addr));
        if self.is_secure {
            extensions.insert(Secure);
        }
    }
}

/// The request that opens a session: its head, and the extensions that layers put on it. A handle,
/// cheap to clone.
// Node 2.0: socket.request, client.request
#[derive(Clone)]
pub struct Request(Arc<Inner>);

struct Inner {
    /// `METHOD SP target`, then `name NUL value` for each header, each ended by a newline: neither
    /// NUL nor newline can be in any of them.
    head: Box<[u8]>,
    extensions: Extensions,
    peer_addr: Option<SocketAddr>,
    /// What a trusted proxy tells.
    forwarded: Option<Box<SocketAddr>>,
    is_secure: bool,
    issued: SystemTime,
}

/// Whom a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) peer: Option<SocketAddr>,
    /// What a trusted proxy tells.
    pub(crate) forwarded: Option<SocketAddr>,
    pub(crate) is_secure: bool,
}

impl Client {
    pub(crate) fn of(parts: &Parts, proxies: &TrustedProxies) -> Self {
        let peer = parts.extensions.get::<RemoteAddr>().map(|addr| addr.0);
        let forwarded = peer.and_then(|peer| proxies.forwarded(peer, &parts.headers));
        let is_secure = forwarded.and_then(|said| said.is_secure);
        Self {
            peer,
            forwarded: forwarded.map(|said| said.addr),
            is_secure: is_secure.unwrap_or_else(|| parts.extensions.get::<Secure>().is_some()),
        }
    }

    /// Its address, see [`Request::remote_addr`].
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.forwarded.or(self.peer)
    }
}

impl Request {
    pub(crate) fn new(parts: &mut Parts, proxies: &TrustedProxies) -> Self {
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(parts.method.as_str().as_bytes());
        head.push(b' ');
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        head.extend_from_slice(target.as_bytes());
        head.push(b'\n');
        for (name, value) in &parts.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.push(0);
            head.extend_from_slice(value.as_bytes());
            head.push(b'\n');
        }
        let Client { peer, forwarded, is_secure } = Client::of(parts, proxies);
        parts.extensions.remove::<RemoteAddr>();
        parts.extensions.remove::<Secure>();
        // the HTTP server's own, which was taken or is of no use
        parts.extensions.remove::<OnUpgrade>();
        let extensions = match std::mem::take(&mut parts.extensions) {
            extensions if extensions.is_empty() => Extensions::new(), // without its table
            extensions => extensions,
        };
        Self(Arc::new(Inner {
            head: head.into_boxed_slice(),
            extensions,
            peer_addr: peer,
            forwarded: forwarded.map(Box::new),
            is_secure,
            issued: SystemTime::now(),
        }))
    }

    /// A request that another node got: its head as [`Request::packed`] has it.
    pub(crate) fn from_packed(head: Box<[u8]>, client: Client) -> Self {
        Self(Arc::new(Inner {
            head,
            extensions: Extensions::new(),
            peer_addr: client.peer,
            forwarded: client.forwarded.map(Box::new),
            is_secure: client.is_secure,
            issued: SystemTime::now(),
        }))
    }

    /// The head, and whom it comes from, for another node.
    pub(crate) fn packed(&self) -> (&[u8], Client) {
        let client = Client {
            peer: self.0.peer_addr,
            forwarded: self.0.forwarded.as_deref().copied(),
            is_secure: self.0.is_secure,
        };
        (&self.0.head, client)
    }

    /// The method; that of a handshake over HTTP is `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.first_line().split_once(' ').map_or("", |(method, _)| method)
    }

    /// The request target: path and query as sent.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.first_line().split_once(' ').map_or("", |(_, target)| target)
    }

    /// The path as sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri().split('?').next().unwrap_or("")
    }

    /// The query as sent, without the question mark; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.uri().split_once('?').map_or("", |(_, query)| query)
    }

    /// The first value of a header, if it is text. The name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// All headers, names in lower case, in the order of arrival.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines().skip(1).filter_map(|line| {
            let at = line.iter().position(|byte| *byte == 0)?;
            Some((std::str::from_utf8(&line[..at]).ok()?, &line[at + 1..]))
        })
    }

    /// What layers of the HTTP server attached to the request, but for [`RemoteAddr`] and
    /// [`Secure`], which have methods here.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The address of the client: the one that a [trusted proxy] tells, with port 0 if it tells
    /// none, else that of the TCP peer.
    ///
    /// [trusted proxy]: crate::Options::trusted_proxies
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.forwarded.as_deref().copied().or(self.0.peer_addr)
    }

    /// The address of the TCP peer, if the HTTP server tells it, see [`RemoteAddr`].
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr
    }

    /// Whether the client's connection is encrypted: what a [trusted proxy] says, else whether the
    /// TCP connection is, see [`Secure`].
    ///
    /// [trusted proxy]: crate::Options::trusted_proxies
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.is_secure
    }

    /// When the session was opened.
    #[must_use]
    pub fn issued(&self) -> SystemTime {
        self.0.issued
    }

    /// Bytes that it keeps.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.0.head.len()
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.head.split(|byte| *byte == b'\n')
    }

    fn first_line(&self) -> &str {
        let line = self.lines().next().unwrap_or_default();
        std::str::from_utf8(line).unwrap_or_default()
    }
}

/// A request that was not made over HTTP/1.1, for [`Server::admit`](crate::Server::admit), such as the
/// CONNECT of a WebTransport session. [`RemoteAddr`] and [`Secure`] are taken from its extensions. No
/// proxy is trusted to say whom it comes from; the body is dropped.
impl<B> From<http::Request<B>> for Request {
    fn from(request: http::Request<B>) -> Self {
        Self::new(&mut request.into_parts().0, &TrustedProxies::none())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("uri", &self.uri())
            .field("remote_addr", &self.remote_addr())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_kept() {
        let request = http::Request::get("/socket.io/?EIO=4&x=%20y")
            .header("Cookie", "a=b")
            .header("X-Test", "1")
            .header("X-Test", "2")
            .header("X-Empty", "")
            .body(())
            .unwrap();
        let request =
            Request::new(&mut request.into_parts().0, &TrustedProxies::parse(&[]).unwrap());
        assert_eq!(request.method(), "GET");
        assert_eq!(request.uri(), "/socket.io/?EIO=4&x=%20y");
        assert_eq!((request.path(), request.query()), ("/socket.io/", "EIO=4&x=%20y"));
        assert_eq!(request.header("cookie"), Some("a=b"));
        assert_eq!(request.header("X-Test"), Some("1"));
        assert_eq!(request.header("x-empty"), Some(""));
        assert_eq!(request.header("x-none"), None);
        assert_eq!(request.headers().count(), 4);
    }
}
