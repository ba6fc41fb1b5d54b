//! The opening handshake: a request's headers in, the accept key out.
//!
//! Knows header values only, so that it needs no HTTP crate; method, HTTP version and the rest of
//! the checks are the service's. Which of the [`subprotocols`] that a client offers is selected is
//! for the caller to say. Extensions are in [`super::extensions`].

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The header values of a request that count here. A header that came in several lines is one
/// value, joined by commas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the caller, from these headers")]
pub struct Headers<'a> {
    /// `Upgrade`.
    pub upgrade: Option<&'a str>,
    /// `Connection`.
    pub connection: Option<&'a str>,
    /// `Sec-WebSocket-Version`.
    pub version: Option<&'a str>,
    /// `Sec-WebSocket-Key`.
    pub key: Option<&'a str>,
    /// `Sec-WebSocket-Protocol`.
    pub protocol: Option<&'a str>,
}

/// Why a request does not open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It does not ask for one.
    NotAnUpgrade,
    /// It asks for another version; the answer should name [`VERSION`].
    Version,
    /// The key is missing or not 16 bytes in base64.
    Key,
    /// The list of subprotocols is malformed, or names one twice.
    Protocol,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnUpgrade => "no upgrade to websocket",
            Self::Version => "unsupported websocket version",
            Self::Key => "missing or invalid websocket key",
            Self::Protocol => "malformed list of websocket subprotocols",
        })
    }
}

impl std::error::Error for Error {}

/// Checks the request; the value for `Sec-WebSocket-Accept`.
///
/// # Errors
/// The first check that fails, in the order of [`Error`].
// RFC 6455 4.2.1
pub fn accept(headers: &Headers<'_>) -> Result<String, Error> {
    if !has_token(headers.upgrade, "websocket") || !has_token(headers.connection, "upgrade") {
        return Err(Error::NotAnUpgrade);
    }
    if headers.version != Some(VERSION) {
        return Err(Error::Version);
    }
    let accept = headers.key.and_then(accept_key).ok_or(Error::Key)?;
    if headers.protocol.is_some_and(|list| !are_subprotocols(list)) {
        return Err(Error::Protocol);
    }
    Ok(accept)
}

/// The subprotocols that a request offers, in the client's order: the elements of its
/// `Sec-WebSocket-Protocol`, which [`accept`] has checked.
pub fn subprotocols(list: &str) -> impl Iterator<Item = &str> {
    elements(list)
}

/// Tokens, each of them once.
// RFC 6455 4.1, 10
fn are_subprotocols(list: &str) -> bool {
    let mut seen = HashSet::new();
    elements(list).all(|element| is_token(element) && seen.insert(element))
}

/// The answer to a key; `None` unless the key is 16 bytes in base64.
///
/// The last digit before the padding carries four bits more than 16 bytes have; what they hold is
/// not looked at, as the key is only ever hashed as text.
// RFC 6455 4.2.2
#[must_use]
pub fn accept_key(key: &str) -> Option<String> {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = key.strip_suffix("==")?;
    if digits.len() != 22 || !digits.bytes().all(is_digit) {
        return None;
    }
    Some(STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize()))
}

fn has_token(list: Option<&str>, token: &str) -> bool {
    list.is_some_and(|list| elements(list).any(|element| element.eq_ignore_ascii_case(token)))
}

/// The elements of a comma-separated list, without the white space around them.
// RFC 9110 5.6.1
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|element| element.trim_matches([' ', '\t']))
}

/// Whether a text is a token, as the names of subprotocols and extensions are.
// RFC 9110 5.6.2
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The version of the protocol, also for the answer to a request for another one.
pub const VERSION: &str = "13";

// RFC 6455 1.3
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const GOOD: Headers<'_> = Headers {
        upgrade: Some("websocket"),
        connection: Some("Upgrade"),
        version: Some("13"),
        key: Some(KEY),
        protocol: None,
    };

    #[track_caller]
    fn check(headers: Headers<'_>, expected: Result<(), Error>) {
        assert_eq!(accept(&headers), expected.map(|()| ACCEPT.to_owned()), "{headers:?}");
    }

    #[test]
    fn requests() {
        check(GOOD, Ok(()));
        check(Headers { upgrade: Some("WebSocket"), ..GOOD }, Ok(()));
        check(Headers { upgrade: Some("h2c, websocket"), ..GOOD }, Ok(()));
        check(Headers { upgrade: Some("h2c"), ..GOOD }, Err(Error::NotAnUpgrade));
        check(Headers { upgrade: None, ..GOOD }, Err(Error::NotAnUpgrade));
        check(Headers { connection: Some("keep-alive, \tUPGRADE "), ..GOOD }, Ok(()));
        check(Headers { connection: Some("keep-alive"), ..GOOD }, Err(Error::NotAnUpgrade));
        check(Headers { connection: Some("xupgrade"), ..GOOD }, Err(Error::NotAnUpgrade));
        check(Headers { connection: None, ..GOOD }, Err(Error::NotAnUpgrade));
        check(Headers { version: Some("12"), ..GOOD }, Err(Error::Version));
        check(Headers { version: Some("13, 13"), ..GOOD }, Err(Error::Version));
        check(Headers { version: None, ..GOOD }, Err(Error::Version));
        check(Headers { key: Some("abc"), ..GOOD }, Err(Error::Key));
        check(Headers { key: None, ..GOOD }, Err(Error::Key));
    }

    #[test]
    fn subprotocols() {
        let list = |list, expected| check(Headers { protocol: Some(list), ..GOOD }, expected);
        list("chat", Ok(()));
        list("chat, super.chat-2 ,x", Ok(()));
        list("", Err(Error::Protocol));
        list("a,,b", Err(Error::Protocol));
        list("a b", Err(Error::Protocol));
        list("a,\"b\"", Err(Error::Protocol));
        list("é", Err(Error::Protocol));
        list("a,b,a", Err(Error::Protocol));
        list("a, a", Err(Error::Protocol));
        list("a,A", Ok(())); // compared with case
        list("a,", Err(Error::Protocol));
        list(",a", Err(Error::Protocol));
        let long = format!("a{}x", " ".repeat(12_000));
        check(Headers { protocol: Some(&long), ..GOOD }, Err(Error::Protocol));
    }

    #[track_caller]
    fn key(key: &str, expected: Option<&str>) {
        assert_eq!(accept_key(key).as_deref(), expected);
    }

    #[test]
    fn keys() {
        key(KEY, Some(ACCEPT)); // the example of RFC 6455 1.3
        key("", None);
        key("dGhlIHNhbXBsZSBub25jZQ", None); // no padding
        key("dGhlIHNhbXBsZSBub25jZQ=", None);
        key("dGhlIHNhbXBsZSBub25jZQA=", None); // 17 bytes
        key("dGhlIHNhbXBsZSBub25j", None); // 15 bytes
        key("dGhlIHNhbXBsZSBub25j-Q==", None); // another alphabet
        key("dGhlIHNhbXBsZSBub25jéé==", None);
    }
}
