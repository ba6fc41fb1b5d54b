//! Which origins may open a session: the option `origins`, in its list and its function form.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use engineio_proto::log;

use crate::options::error::OptionsError;
use crate::options::functions::OriginCheck;
use crate::options::refused::Refused;
use crate::request::Request;

/// Which origins may open a session. Checked at each handshake, on both transports.
// Node 2.0: server.origins
#[derive(Clone, Default)]
pub struct Origins {
    rule: Rule,
    allow_missing: bool,
}

#[derive(Clone, Default)]
enum Rule {
    #[default]
    Any,
    List(Arc<[Entry]>),
    Check(Arc<dyn OriginCheck>),
}

/// `scheme://host:port`; `None` is a star, or, for the scheme, not given.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    port: Option<u16>,
}

impl Origins {
    /// Every origin (the default).
    #[must_use]
    pub fn any() -> Self {
        Self::new(Rule::Any)
    }

    /// Origins from a list of patterns separated by blanks: `host:port`, `host:*`, `*:port`,
    /// `*:*`, each optionally behind `http://` or `https://`. Without a port it is the scheme's
    /// own: 443 for `https`, else 80. Hosts are compared without case and as a whole; those of other
    /// letters than ASCII are written as browsers send them, in Punycode.
    ///
    /// A request without an origin (native clients) is `*`, and passes only with `*:*` or `*:80`
    /// in the list, or with [`Origins::allow_missing`].
    ///
    /// # Errors
    /// [`OptionsError::Origin`] with the pattern that is none, [`OptionsError::Unusable`] with one that
    /// no origin matches, as `null`, which stands for many origins at once.
    pub fn list(patterns: &str) -> Result<Self, OptionsError> {
        let entries: Vec<Entry> =
            patterns.split_ascii_whitespace().map(Entry::parse).collect::<Result<_, _>>()?;
        if entries.is_empty() {
            return Err(OptionsError::Origin(patterns.to_owned()));
        }
        Ok(Self::new(Rule::List(entries.into())))
    }

    /// Asks a function, which may take its time; see [`OriginCheck`] for its forms.
    ///
    /// ```
    /// use engineio::{Origins, Refused, Request};
    ///
    /// Origins::check(async |origin: String, _: Request| match origin.ends_with(".example.org") {
    ///     true => Ok(()),
    ///     false => Err(Refused::forbidden()),
    /// });
    /// ```
    #[must_use]
    pub fn check<M: 'static>(check: impl OriginCheck<M>) -> Self {
        Self::new(Rule::Check(check.shared()))
    }

    /// Lets requests in that name no origin at all (false): programs outside of a browser, such as
    /// mobile apps, whatever the list or the function says. Browsers always name one where it
    /// counts, if only as `null`, which this does not let in.
    #[must_use]
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    fn new(rule: Rule) -> Self {
        Self { rule, allow_missing: false }
    }

    /// Whether every origin passes.
    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(self.rule, Rule::Any)
    }

    /// Whether a handshake passes.
    pub(crate) async fn allows(&self, request: &Request) -> Result<(), Refused> {
        let named = match self.is_any() {
            true => return Ok(()),
            false => named(request)?,
        };
        if named.is_none() && self.allow_missing {
            return Ok(());
        }
        let origin = match named {
            None | Some("null" | "") => "*",
            Some(origin) => origin,
        };
        match &self.rule {
            Rule::Any => Ok(()),
            Rule::List(entries) if entries.iter().any(|entry| entry.matches(origin)) => Ok(()),
            Rule::List(_) => Err(Refused::forbidden()),
            Rule::Check(check) => check.check(origin.to_owned(), request.clone()).await,
        }
    }

    /// Says in the log whom [`allows`](Self::allows) has refused, and what lets them in: the client is
    /// told neither, as the reference's body is compared byte by byte.
    #[cold]
    pub(crate) fn log_refused(&self, request: &Request, suppressed: u64) {
        let (origin, remedy) = self.remedy(request);
        log!(warn: origin, %remedy, suppressed, "an origin is refused");
    }

    /// The origin of a request that was refused, and what lets it in.
    fn remedy<'a>(&self, request: &'a Request) -> (&'a str, Cow<'static, str>) {
        let Ok(named) = named(request) else {
            return (
                "",
                "the request names several, or one that is no ASCII: none lets it in".into(),
            );
        };
        let origin = named.map_or("", site);
        let remedy = match origin {
            _ if matches!(self.rule, Rule::Check(_)) => "the function of `Origins::check` said so",
            "" => "for programs that are no browsers: `Origins::allow_missing(true)`",
            "null" => {
                "of sandboxed pages and local files; a function of `Origins::check` may let it in"
            }
            _ if Entry::parse(origin).is_err() => "it is no origin of a page: no pattern is for it",
            _ => {
                return (origin, format!("`.origins(Origins::list(\"{origin}\")?)`, beside those that are in the list").into());
            }
        };
        (origin, remedy.into())
    }

    /// Whether the origin of any request passes, as far as can be said without asking a function.
    pub(crate) fn may_allow(&self, origin: &[u8]) -> bool {
        match &self.rule {
            Rule::Any | Rule::Check(_) => true,
            Rule::List(entries) => std::str::from_utf8(origin).is_ok_and(|origin| {
                let origin = if origin == "null" { "*" } else { origin };
                entries.iter().any(|entry| entry.matches(origin))
            }),
        }
    }
}

/// The origin that a request names. Two, or one that is no text, are not the same as none: somebody
/// behind us may see another one than we.
fn named(request: &Request) -> Result<Option<&str>, Refused> {
    for name in ["origin", "referer"] {
        let mut values = request.headers().filter(|(header, _)| *header == name);
        match (values.next(), values.next()) {
            (None, _) => {}
            (Some((_, value)), None) if value.is_ascii() => {
                return Ok(std::str::from_utf8(value).ok());
            }
            _ => return Err(Refused::forbidden()),
        }
    }
    Ok(None)
}

/// The origin alone, of a `Referer`, too; nothing of one that is longer than names can be.
fn site(named: &str) -> &str {
    let rest = named.find("://").map_or(0, |scheme| scheme + 3);
    let end = named[rest..].find(['/', '?', '#']).map_or(named.len(), |end| rest + end);
    if end > MAX_LOGGED { "(longer than any)" } else { &named[..end] }
}

/// Bytes of an origin that are logged: names of hosts have at most 253.
const MAX_LOGGED: usize = 300;

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Any => f.write_str("Any"),
            Rule::List(entries) => f.debug_tuple("List").field(entries).finish(),
            Rule::Check(_) => f.write_str("Check"),
        }
    }
}

impl Entry {
    fn parse(pattern: &str) -> Result<Self, OptionsError> {
        let wrong = || OptionsError::Origin(pattern.to_owned());
        let unusable =
            |why| Err(OptionsError::Unusable { option: "origins", value: pattern.to_owned(), why });
        if pattern == "null" {
            return unusable(
                "every sandboxed page and local file has it; a function may let it in",
            );
        }
        let (scheme, rest) = match pattern.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            Some(_) => return Err(wrong()),
            None => (None, pattern),
        };
        let is = |name: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(name));
        if is("ws") || is("wss") {
            return unusable("an origin is that of a page: http or https");
        }
        let (host, port) = split_port(rest);
        let port = match port {
            Some("*") => None,
            Some("0") => return Err(wrong()),
            Some(port) => Some(port.parse().map_err(|_| wrong())?),
            // `*` alone means everything
            None if host == "*" && scheme.is_none() => None,
            None => Some(default_port(scheme)),
        };
        if !host.is_ascii() {
            return unusable("browsers send such names in Punycode, as xn--caf-dma.example");
        }
        let host = match host {
            "*" => None,
            host if host.starts_with('[') => Some(ipv6(host).ok_or_else(wrong)?.into()),
            host if !is_name(host) => return Err(wrong()),
            host if is_other_ipv4(host) => {
                return unusable("browsers send such an address as four decimal numbers");
            }
            host => Some(host.to_ascii_lowercase().into()),
        };
        Ok(Self { scheme: scheme.map(|scheme| scheme.to_ascii_lowercase().into()), host, port })
    }

    fn matches(&self, origin: &str) -> bool {
        let (scheme, rest) = match origin.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, origin),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = split_port(authority);
        let port = match port.map(str::parse) {
            Some(Ok(port)) => port,
            Some(Err(_)) => return false,
            None => default_port(scheme),
        };
        self.scheme.as_deref().is_none_or(|s| scheme.is_some_and(|o| s.eq_ignore_ascii_case(o)))
            && self.host.as_deref().is_none_or(|h| match host.starts_with('[') {
                true => ipv6(host).is_some_and(|host| h == host),
                false => h.eq_ignore_ascii_case(host),
            })
            && self.port.is_none_or(|p| p == port)
    }
}

// RFC 3986 3.1
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_name(host: &str) -> bool {
    !host.is_empty()
        && !host.starts_with('.')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// An address in brackets, in one of its many spellings.
fn ipv6(host: &str) -> Option<String> {
    let address: Ipv6Addr = host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

/// Whether browsers read an IPv4 address from it which they then write otherwise.
// WHATWG URL, ends in a number
fn is_other_ipv4(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = match hex {
        Some(digits) => digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|digit| digit.is_ascii_digit()),
    };
    is_number && host.parse::<Ipv4Addr>().is_err()
}

/// Splits `host:port`; an IPv6 address stands in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn default_port(scheme: Option<&str>) -> u16 {
    match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => 443,
        _ => 80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, origin: &str, expected: bool) {
        let Rule::List(entries) = Origins::list(list).unwrap().rule else { panic!("a list") };
        assert_eq!(entries.iter().any(|entry| entry.matches(origin)), expected, "{list} {origin}");
    }

    #[test]
    fn whole_entries_are_compared() {
        let list = "allowed.test:* https://secure.test:443 plain.test:80 *:9090";
        for (origin, expected) in [
            ("http://allowed.test", true),
            ("https://allowed.test:444", true),
            ("http://ALLOWED.test", true),
            ("http://notallowed.test", false),
            ("http://allowed.test.evil.test", false),
            ("https://secure.test", true),
            ("http://secure.test:443", false), // the scheme is part of the entry
            ("https://secure.test:444", false),
            ("http://plain.test", true),
            ("http://plain.test:80", true),
            ("https://plain.test", false), // port 443
            ("http://ain.test", false),    // a substring of an entry
            ("http://any.test:9090", true),
            ("http://any.test:909", false),
            ("http://[::1]:9090", true),
            ("http://other.test/path", false),
            ("*", false),
            ("nonsense:x", false),
        ] {
            check(list, origin, expected);
        }
    }

    #[test]
    fn stars() {
        check("*", "*", true);
        check("*:*", "https://a.test:1", true);
        check("*:80", "*", true); // no origin counts as port 80
        check("https://*:*", "http://a.test", false);
        check("http://a.test", "http://a.test:80", true);
        check("https://a.test", "https://a.test:443", true);
        check("[::1]:80", "http://[::1]", true);
        check("[0:0::0001]", "http://[::1]", true);
        check("[::ffff:192.0.2.1]", "http://[::ffff:c000:201]", true);
        check("[::1]", "http://[::2]", false);
        check("HTTPS://A.Test", "https://a.test", true);
        check("capacitor://localhost", "capacitor://localhost", true);
        check("chrome-extension://abcdef", "chrome-extension://abcdef", true);
        check("xn--caf-dma.example:*", "https://xn--caf-dma.example", true);
        check("192.0.2.1:*", "http://192.0.2.1", true);
    }

    #[test]
    fn wrong_patterns_are_named() {
        for wrong in ["", "  ", "a.test:x", "://a", "a.test:99999", "*.a.test:80", "a/b:80", ":80"]
        {
            assert!(Origins::list(wrong).is_err(), "{wrong}");
        }
        for wrong in ["a.test:0", "a.test,b.test", "a.test:80,b.test:80", ".a.test", "::1", "[::1"]
            .into_iter()
            .chain(["1http://a", "http://", "https://a.test/", "a%20b", "[::1%eth0]"])
        {
            assert!(Origins::list(wrong).is_err(), "{wrong}");
        }
        for unusable in [
            "null",
            "café.example",
            "https://例え.test",
            "wss://a.test",
            "127.1",
            "0x7f.0.0.1",
            "1.2.3",
        ]
        .into_iter()
        .chain(["192.0.2.01", "0x7f000001"])
        {
            let error = Origins::list(unusable).unwrap_err();
            assert!(matches!(error, OptionsError::Unusable { .. }), "{unusable}: {error:?}");
        }
        let error = Origins::list("ok.test:1 bad.test:port").unwrap_err();
        assert_eq!(error, OptionsError::Origin("bad.test:port".into()));
    }
}
