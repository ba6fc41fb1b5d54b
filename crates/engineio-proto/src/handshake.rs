//! What a request's query asks for, and the words of the answer.
//!
//! The first thing a request meets: the service parses the query here, decides with
//! [`HandshakeError`](crate::HandshakeError)'s table, and hands a new session's open packet, made
//! here too, to its first answer. Nothing here knows HTTP, sessions or which transports are
//! allowed.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use memchr::memchr2;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::packet::{Protocol, TransportKind};

/// The protocol's own parameters of a request. The application's are among [`pairs`].
///
/// Of a repeated parameter the last one counts.
// Engine.IO v4: Handshake, request parameters
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// `EIO`: exactly `4` is protocol 4, anything else and nothing is protocol 3.
    pub protocol: Protocol,
    /// `transport`, if it is one that is known.
    pub transport: Option<TransportKind>,
    /// `sid`; an empty one counts as none. Bytes that are no text read as U+FFFD, and so are an
    /// unknown id.
    pub sid: Option<String>,
    /// Whether binary must travel as base64: `b64` is neither empty nor `0`, or there is a `j`.
    pub b64: bool,
    /// The digits of `j`, if the client wants scripts for answers; possibly none.
    pub jsonp: Option<String>,
}

impl Query {
    /// Parses a raw query, without the question mark.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut parsed =
            Self { protocol: Protocol::V3, transport: None, sid: None, b64: false, jsonp: None };
        for (key, value) in pairs(query) {
            match &*key {
                // Node: anything but `4` is taken for protocol 3
                "EIO" if value == "4" => parsed.protocol = Protocol::V4,
                "EIO" => parsed.protocol = Protocol::V3,
                "transport" => parsed.transport = TransportKind::from_name(&value),
                "sid" => parsed.sid = Some(value.into_owned()),
                "b64" => parsed.b64 = !matches!(&*value, "" | "0"),
                "j" => parsed.jsonp = Some(value.chars().filter(char::is_ascii_digit).collect()),
                _ => {}
            }
        }
        parsed.sid = parsed.sid.filter(|sid| !sid.is_empty());
        // a script can only carry text
        parsed.b64 |= parsed.jsonp.is_some();
        parsed
    }
}

/// The parameters of a query (or a submitted form) in order, decoded: `+` is a space, `%xx` a byte,
/// and what is not UTF-8 reads as U+FFFD.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    // One look at all of it: most have nothing to be decoded, and there is one with each request.
    let is_plain = memchr2(b'+', b'%', query.as_bytes()).is_none();
    let (plain, encoded) = if is_plain { (query, "") } else { ("", query) };
    let plain = Plain(plain).map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value)));
    plain.chain(form_urlencoded::parse(encoded.as_bytes()))
}

/// Parameters of which nothing is to be decoded.
struct Plain<'a>(&'a str);

impl<'a> Iterator for Plain<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let (pair, rest) = cut(self.0, b'&');
            self.0 = rest;
            if !pair.is_empty() {
                return Some(cut(pair, b'='));
            }
        }
        None
    }
}

/// What is in front of a mark and behind it. Byte by byte, as parameters are short.
fn cut(text: &str, mark: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == mark) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// The data of the open packet, the first that a session sends.
// Engine.IO v4: Handshake; `maxPayload` goes to protocol 3 too, as reference 4.8.4 does
#[must_use]
pub fn open_packet(
    sid: &str,
    upgrades: &[TransportKind],
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
) -> String {
    let sid = serde_json::to_string(sid).expect("every string has a JSON form");
    let mut packet = format!("{{\"sid\":{sid},\"upgrades\":[");
    for (index, upgrade) in upgrades.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(packet, "{comma}\"{}\"", upgrade.as_str());
    }
    let _ = write!(
        packet,
        "],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{max_payload}}}",
        ping_interval.as_millis(),
        ping_timeout.as_millis(),
    );
    packet
}

/// The session that a client names in the data of its own first packet, where a stream has no query:
/// `{"sid":"..."}`. None: it is something else.
// Node: the handshake of WebTransport
#[must_use]
pub fn session_of(open: &str) -> Option<String> {
    match serde_json::from_str(open).ok()? {
        serde_json::Value::Object(mut members) => match members.remove("sid")? {
            serde_json::Value::String(sid) => Some(sid),
            _ => None,
        },
        _ => None,
    }
}

/// A session id as the value of a cookie, percent-encoded as the reference does.
// Node: Cookie; ECMAScript encodeURIComponent
#[must_use]
pub fn encode_cookie_value(value: &str) -> String {
    utf8_percent_encode(value, COOKIE_ESCAPES).to_string()
}

/// What `encodeURIComponent` escapes: all but letters, digits and these marks.
const COOKIE_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn query(
        query: &str,
        protocol: Protocol,
        transport: Option<TransportKind>,
        sid: Option<&str>,
        b64: bool,
        jsonp: Option<&str>,
    ) {
        let expected = Query {
            protocol,
            transport,
            sid: sid.map(str::to_owned),
            b64,
            jsonp: jsonp.map(str::to_owned),
        };
        assert_eq!(Query::parse(query), expected, "{query:?}");
    }

    #[test]
    fn queries() {
        use Protocol::{V3, V4};
        use TransportKind::{Polling, WebSocket};

        query("", V3, None, None, false, None);
        query("EIO=4", V4, None, None, false, None);
        query("EIO=4&transport=polling&t=abc", V4, Some(Polling), None, false, None);
        query("transport=websocket&EIO=3&sid=x-_1", V3, Some(WebSocket), Some("x-_1"), false, None);
        query("EIO=5", V3, None, None, false, None);
        query("EIO=04", V3, None, None, false, None);
        query("EIO=4+", V3, None, None, false, None);
        query("EIO=4&EIO=3", V3, None, None, false, None); // the last one counts
        query("EIO=3&EIO=4", V4, None, None, false, None);
        query("eio=4", V3, None, None, false, None);
        query("transport=__proto__", V3, None, None, false, None);
        query("transport", V3, None, None, false, None);
        query("transport=polling&transport=Polling", V3, None, None, false, None);
        query("tr%61nsport=w%65bsocket", V3, Some(WebSocket), None, false, None);
        query("sid=", V3, None, None, false, None);
        query("sid=a&sid=", V3, None, None, false, None);
        query("sid=a=b", V3, None, Some("a=b"), false, None);
        query("sid=custom%3Aid%3A1", V3, None, Some("custom:id:1"), false, None);
        query("sid=%00%00", V3, None, Some("\0\0"), false, None);
        query("sid=%zz", V3, None, Some("%zz"), false, None);
        query("sid=%", V3, None, Some("%"), false, None);
        query("sid=%ff%fe", V3, None, Some("\u{fffd}\u{fffd}"), false, None);
        query("b64=1", V3, None, None, true, None);
        query("b64=true", V3, None, None, true, None);
        query("b64=0", V3, None, None, false, None);
        query("b64=", V3, None, None, false, None);
        query("b64=1&b64=0", V3, None, None, false, None);
        query("j=12", V3, None, None, true, Some("12")); // scripts imply base64
        query("j=0&b64=0", V3, None, None, true, Some("0"));
        query("j=alert(1)3%2F%2F", V3, None, None, true, Some("13"));
        query("j=\u{661}x", V3, None, None, true, Some("")); // not an ASCII digit
        query("&&=&=x&EIO=4&", V4, None, None, false, None);
    }

    #[track_caller]
    fn parameters(query: &str, expected: &[(&str, &str)]) {
        let pairs: Vec<_> = pairs(query).collect();
        let of_forms: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        assert_eq!(pairs, of_forms, "{query:?}");
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(pairs, expected, "{query:?}");
    }

    #[test]
    fn parameters_of_the_application() {
        parameters("", &[]);
        parameters("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        parameters("a=b=c&=&d", &[("a", "b=c"), ("", ""), ("d", "")]);
        parameters("a+b=c+d%2B&e", &[("a b", "c d+"), ("e", "")]);
        parameters("&a=&=b&&", &[("a", ""), ("", "b")]);
        parameters("n%C3%A9=%F0%9F%98%80%", &[("né", "😀%")]);
    }

    #[track_caller]
    fn open(sid: &str, upgrades: &[TransportKind], expected: &str) {
        let (interval, timeout) = (Duration::from_secs(25), Duration::from_secs(60));
        assert_eq!(open_packet(sid, upgrades, interval, timeout, 1_000_000), expected);
    }

    #[test]
    fn open_packets() {
        open(
            "Lbo5JLzTotvW3g2LAAAA",
            &[TransportKind::WebSocket],
            r#"{"sid":"Lbo5JLzTotvW3g2LAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1000000}"#,
        );
        open(
            "\"\\\n",
            &[],
            r#"{"sid":"\"\\\n","upgrades":[],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1000000}"#,
        );
        open(
            "x",
            &[TransportKind::Polling, TransportKind::WebSocket],
            r#"{"sid":"x","upgrades":["polling","websocket"],"pingInterval":25000,"pingTimeout":60000,"maxPayload":1000000}"#,
        );
    }

    #[test]
    fn sessions_that_a_stream_goes_on_with() {
        let named = [
            (r#"{"sid":"Lbo5JLzTotvW3g2LAAAA"}"#, Some("Lbo5JLzTotvW3g2LAAAA")),
            (r#" { "x": [], "sid" : "\"\u00e9" } "#, Some("\"é")),
            (r#"{"sid":1}"#, None),
            (r#"{"__proto__":{"sid":"a"}}"#, None),
            (r#""sid""#, None),
            (r#"{"sid":"a"} b"#, None),
            ("", None),
        ];
        for (data, sid) in named {
            assert_eq!(session_of(data).as_deref(), sid, "{data}");
        }
    }

    #[track_caller]
    fn cookie(value: &str, expected: &str) {
        assert_eq!(encode_cookie_value(value), expected);
    }

    #[test]
    fn cookie_values() {
        cookie("abcXYZ019-_.!~*'()", "abcXYZ019-_.!~*'()");
        cookie("custom:id:1", "custom%3Aid%3A1");
        cookie("a b;c=\"é\"\r\n", "a%20b%3Bc%3D%22%C3%A9%22%0D%0A");
    }
}
