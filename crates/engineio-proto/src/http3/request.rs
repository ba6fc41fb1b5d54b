//! What a header section asks for: its pseudo-header fields taken apart, and the rules for all fields.
// RFC 9114 4.2, 4.3; RFC 9220 3

use super::qpack::Field;
use super::{Code, Error};

/// A request's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// `:method`.
    pub method: String,
    /// `:protocol`, of an extended CONNECT.
    pub protocol: Option<String>,
    /// `:authority`, or what a field `host` says in its place.
    pub authority: Option<String>,
    /// `:path`, with the query.
    pub path: Option<String>,
    /// The fields, in the order of their arrival; those of `cookie` are joined.
    pub fields: Vec<Field>,
}

/// What [`Head::is_webtransport`] is asked for: the protocol by the names of its drafts.
const WEBTRANSPORT: [&str; 2] = ["webtransport", "webtransport-h3"];

const MALFORMED: Error = Error::Stream(Code::MESSAGE_ERROR);

impl Head {
    /// Takes a header section apart.
    ///
    /// # Errors
    /// [`Code::MESSAGE_ERROR`] for the stream: the request is malformed.
    pub fn parse(fields: Vec<Field>) -> Result<Self, Error> {
        let mut head = Self::default();
        let (mut method, mut scheme) = (None, None);
        let mut cookie: Option<usize> = None;
        for (name, value) in fields {
            if !value.iter().all(|byte| is_of_value(*byte)) {
                return Err(MALFORMED);
            }
            if let Some(pseudo) = name.strip_prefix(b":") {
                let place = match pseudo {
                    b"method" => &mut method,
                    b"scheme" => &mut scheme,
                    b"authority" => &mut head.authority,
                    b"path" => &mut head.path,
                    b"protocol" => &mut head.protocol,
                    _ => return Err(MALFORMED),
                };
                let value = String::from_utf8(value).map_err(|_| MALFORMED)?;
                if !head.fields.is_empty() || place.replace(value).is_some() {
                    return Err(MALFORMED);
                }
                continue;
            }
            if name.is_empty() || !name.iter().all(|byte| is_of_name(*byte)) {
                return Err(MALFORMED);
            }
            match (&name[..], cookie) {
                (
                    b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
                    | b"upgrade",
                    _,
                ) => return Err(MALFORMED),
                (b"te", _) if value != b"trailers" => return Err(MALFORMED),
                // RFC 9114 4.2.1
                (b"cookie", Some(first)) => {
                    let joined = &mut head.fields[first].1;
                    joined.extend_from_slice(b"; ");
                    joined.extend_from_slice(&value);
                    continue;
                }
                (b"cookie", None) => cookie = Some(head.fields.len()),
                _ => {}
            }
            head.fields.push((name, value));
        }
        head.method = method.ok_or(MALFORMED)?;
        head.check(scheme.as_deref())?;
        Ok(head)
    }

    /// Whether it asks for a session.
    #[must_use]
    pub fn is_webtransport(&self) -> bool {
        let protocol = self.protocol.as_deref();
        self.method == "CONNECT" && protocol.is_some_and(|name| WEBTRANSPORT.contains(&name))
    }

    /// That what belongs together is there.
    fn check(&mut self, scheme: Option<&str>) -> Result<(), Error> {
        let is_connect = self.method == "CONNECT";
        let is_complete = match self.protocol {
            // a plain CONNECT has no scheme and no path
            None if is_connect => {
                self.authority.is_some() && scheme.is_none() && self.path.is_none()
            }
            None => scheme.is_some() && self.path.is_some(),
            Some(_) => {
                is_connect && scheme.is_some() && self.path.is_some() && self.authority.is_some()
            }
        };
        let is_token = !self.method.is_empty()
            && self.method.bytes().all(|byte| is_of_name(byte.to_ascii_lowercase()));
        if !is_complete || !is_token || self.path.as_deref() == Some("") {
            return Err(MALFORMED);
        }
        let mut hosts = self.fields.iter().filter(|(name, _)| name == b"host").map(|(_, v)| v);
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(MALFORMED);
        }
        match (host, &self.authority) {
            (Some(host), Some(authority)) if host != authority.as_bytes() => Err(MALFORMED),
            (Some(host), None) => {
                self.authority = Some(String::from_utf8(host.clone()).map_err(|_| MALFORMED)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A token without capital letters.
// RFC 9110 5.6.2
const fn is_of_name(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|'
        | b'~' | b'0'..=b'9' | b'a'..=b'z')
}

/// All but controls.
// RFC 9110 5.5
const fn is_of_value(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn parse(fields: Fields<'_>) -> Result<Head, Error> {
        let owned =
            |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
        Head::parse(fields.iter().map(owned).collect())
    }

    const CONNECT: [(&str, &str); 5] = [
        (":method", "CONNECT"),
        (":protocol", "webtransport"),
        (":scheme", "https"),
        (":authority", "localhost:3000"),
        (":path", "/engine.io/?a=b"),
    ];

    fn connect_with(more: Fields<'_>) -> Result<Head, Error> {
        parse(&[&CONNECT[..], more].concat())
    }

    #[test]
    fn requests() {
        let head = connect_with(&[("origin", "https://a.example"), ("x", "")]).unwrap();
        assert!(head.is_webtransport());
        assert_eq!(head.authority.as_deref(), Some("localhost:3000"));
        assert_eq!(head.path.as_deref(), Some("/engine.io/?a=b"));
        assert_eq!(head.fields.len(), 2);

        let mut draft_15 = CONNECT;
        draft_15[1].1 = "webtransport-h3";
        assert!(parse(&draft_15).unwrap().is_webtransport());
        draft_15[1].1 = "websocket";
        assert!(!parse(&draft_15).unwrap().is_webtransport());

        let get = parse(&[(":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "h")]);
        let get = get.unwrap();
        assert!(!get.is_webtransport());
        assert_eq!(get.authority.as_deref(), Some("h"));
        let plain = parse(&[(":method", "CONNECT"), (":authority", "h:1")]).unwrap();
        assert!(!plain.is_webtransport());

        let head = connect_with(&[("cookie", "a=b"), ("x", "y"), ("cookie", "c=d")]).unwrap();
        let field = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
        assert_eq!(head.fields, [field(b"cookie", b"a=b; c=d"), field(b"x", b"y")]);
        assert!(connect_with(&[("te", "trailers"), ("host", "localhost:3000")]).is_ok());
    }

    #[test]
    fn what_is_malformed() {
        for more in [
            // names
            ("X", "y"),
            ("", "y"),
            ("a b", "y"),
            ("a:", "y"),
            ("é", "y"),
            // values
            ("x", "a\nb"),
            ("x", "a\rb"),
            ("x", "a\0b"),
            ("x", "\u{7f}"),
            // of connections
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "x"),
            ("upgrade", "x"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            // pseudo-header fields: unknown, again
            (":status", "200"),
            (":path", "/"),
            (":", "x"),
            ("host", "other"),
        ] {
            assert_eq!(connect_with(&[more]), Err(MALFORMED), "{more:?}");
        }
        assert_eq!(connect_with(&[("host", "localhost:3000"); 2]), Err(MALFORMED));
        for left_out in CONNECT {
            let mut fields = CONNECT.to_vec();
            fields.retain(|field| *field != left_out);
            assert_eq!(parse(&fields), Err(MALFORMED), "without {left_out:?}");
        }
        for wrong in [
            &[("a", "b"), (":method", "GET"), (":scheme", "https"), (":path", "/")][..],
            &[(":method", "GET"), (":scheme", "https"), (":path", "")],
            &[(":method", "GE T"), (":scheme", "https"), (":path", "/")],
            &[(":method", ""), (":scheme", "https"), (":path", "/")],
            &[(":method", "GET"), (":path", "/")],
            &[(":method", "CONNECT")],
            &[],
        ] {
            assert_eq!(parse(wrong), Err(MALFORMED), "{wrong:?}");
        }
    }
}
