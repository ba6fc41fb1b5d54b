//! The extension permessage-deflate: a request's offers in, the answer out.
//!
//! Knows the value of `Sec-WebSocket-Extensions` only; what the agreed parameters mean for the
//! bytes of a message is in [`super::deflate`]. A list that is malformed anywhere offers nothing, an
//! offer that cannot be kept is passed over for the next one, and without an answer the
//! connection goes on uncompressed: a client that offers something is never refused for it.
//!
//! A client may demand a smaller window of the server than 32 KiB, down to 512 bytes; an offer with
//! 256, which the compressor cannot keep to, is declined. What a client says about its own window
//! may be ignored, and nothing is demanded of it: every smaller one fits ours, whose memory does
//! not depend on its size.

use super::deflate::WindowBits;
use super::handshake::is_token;

/// What the server is willing to agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the RFC has these parameters")]
pub struct Takeover {
    /// Whether the server's messages refer to earlier ones, which takes a compressor per
    /// connection.
    pub server: bool,
    /// Whether the client's messages may refer to earlier ones, which takes a window per
    /// connection.
    pub client: bool,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// Which side keeps its context from message to message.
    pub takeover: Takeover,
    /// What the client demanded of the server's window, which must be confirmed.
    server_max_window: Option<WindowBits>,
}

impl Agreement {
    /// The first acceptable offer of permessage-deflate; `None` if there is none.
    // RFC 7692 5.1, 7.1
    #[must_use]
    pub fn choose(offers: &str, willing: Takeover) -> Option<Self> {
        let mut chosen = None;
        let mut rest = offers;
        loop {
            let name = token(&mut rest)?;
            let mut offer = Some(Offer::default());
            loop {
                skip_space(&mut rest);
                if !eat(&mut rest, ';') {
                    break;
                }
                let (name, value) = parameter(&mut rest)?;
                offer = offer.and_then(|offer| offer.with(name, value));
            }
            if name.eq_ignore_ascii_case(NAME) && chosen.is_none() {
                chosen = offer.map(|offer| offer.accept(willing));
            }
            if rest.is_empty() {
                return chosen;
            }
            if !eat(&mut rest, ',') {
                return None;
            }
        }
    }

    /// The window of the server's compressor.
    #[must_use]
    pub fn server_window(&self) -> WindowBits {
        self.server_max_window.unwrap_or_default()
    }

    /// The value of the answer's `Sec-WebSocket-Extensions`.
    // RFC 7692 7.1: the server may name both takeovers whether or not the client did
    #[must_use]
    pub fn answer(&self) -> String {
        let mut answer = NAME.to_owned();
        for (is_named, parameter) in [
            (!self.takeover.server, "; server_no_context_takeover"),
            (!self.takeover.client, "; client_no_context_takeover"),
        ] {
            if is_named {
                answer.push_str(parameter);
            }
        }
        if let Some(window) = self.server_max_window {
            answer.push_str("; server_max_window_bits=");
            answer.push_str(&window.get().to_string());
        }
        answer
    }
}

/// The parameters of one offer.
#[derive(Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window: Option<WindowBits>,
    client_max_window_bits: bool,
}

impl Offer {
    /// Adds a parameter; `None` if it is unknown, invalid, there already, or cannot be kept.
    fn with(mut self, name: &str, value: Option<&str>) -> Option<Self> {
        let seen = match (name, value) {
            // RFC 7692 7.1.1
            ("server_no_context_takeover", None) => &mut self.server_no_context_takeover,
            ("client_no_context_takeover", None) => &mut self.client_no_context_takeover,
            // RFC 7692 7.1.2.1: a promise, so only what the compressor does
            ("server_max_window_bits", Some(bits)) if WINDOW_BITS.contains(&bits) => {
                let window = WindowBits::new(bits.parse().ok()?)?;
                return self.server_max_window.replace(window).is_none().then_some(self);
            }
            // RFC 7692 7.1.2.2: a hint, with a value or without
            ("client_max_window_bits", None) => &mut self.client_max_window_bits,
            ("client_max_window_bits", Some(bits)) if WINDOW_BITS.contains(&bits) => {
                &mut self.client_max_window_bits
            }
            _ => return None,
        };
        (!std::mem::replace(seen, true)).then_some(self)
    }

    fn accept(self, willing: Takeover) -> Agreement {
        Agreement {
            takeover: Takeover {
                server: willing.server && !self.server_no_context_takeover,
                client: willing.client && !self.client_no_context_takeover,
            },
            server_max_window: self.server_max_window,
        }
    }
}

/// Reads `name` or `name=value`, where the value may be quoted. `None`: malformed.
// RFC 6455 9.1
fn parameter<'a>(rest: &mut &'a str) -> Option<(&'a str, Option<&'a str>)> {
    let name = token(rest)?;
    skip_space(rest);
    if !eat(rest, '=') {
        return Some((name, None));
    }
    skip_space(rest);
    if !eat(rest, '"') {
        return token(rest).map(|value| (name, Some(value)));
    }
    // what is between the quotes must be a token, so there is nothing to escape
    let (value, after) = rest.split_once('"')?;
    *rest = after;
    is_token(value).then_some((name, Some(value)))
}

/// Reads a token and the white space before it. `None`: there is none.
// RFC 9110 5.6.2
fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    skip_space(rest);
    let end = rest.find([',', ';', '=', '"', ' ', '\t']).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    *rest = after;
    is_token(token).then_some(token)
}

fn skip_space(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', '\t']);
}

fn eat(rest: &mut &str, expected: char) -> bool {
    let after = rest.strip_prefix(expected);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

const NAME: &str = "permessage-deflate";

// RFC 7692 7.1.2: decimal, without leading zeros
const WINDOW_BITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];

#[cfg(test)]
mod tests {
    use super::*;

    const NO_STATE: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[track_caller]
    fn check(offers: &str, willing: Takeover, expected: Option<&str>) {
        let answer = Agreement::choose(offers, willing).map(|agreement| agreement.answer());
        assert_eq!(answer.as_deref(), expected, "{offers:?}");
    }

    #[track_caller]
    fn accepted(offers: &str) {
        check(offers, Takeover::default(), Some(NO_STATE));
    }

    #[track_caller]
    fn declined(offers: &str) {
        check(offers, Takeover::default(), None);
        check(offers, Takeover { server: true, client: true }, None);
    }

    #[test]
    fn offers() {
        accepted("permessage-deflate");
        accepted("PerMessage-Deflate");
        accepted("permessage-deflate; client_max_window_bits"); // browsers
        accepted("permessage-deflate; client_max_window_bits=8");
        accepted("permessage-deflate; client_max_window_bits=\"15\"");
        accepted("permessage-deflate;server_no_context_takeover ; client_no_context_takeover");
        accepted(" permessage-deflate ;\tclient_max_window_bits = 10 ");
        accepted("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits");
        accepted("permessage-bzip2; level=9, permessage-deflate, permessage-deflate");
    }

    #[test]
    fn windows_of_the_server() {
        let window = |offers: &str| {
            let agreement = Agreement::choose(offers, Takeover::default());
            agreement.map(|agreement| agreement.server_window().get())
        };
        assert_eq!(window("permessage-deflate"), Some(15));
        for bits in 9..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let answer = format!("{NO_STATE}; server_max_window_bits={bits}");
            check(&offer, Takeover::default(), Some(&answer));
            assert_eq!(window(&offer), Some(bits));
        }
        assert_eq!(window("permessage-deflate; server_max_window_bits=\"9\""), Some(9));
        // the client's window is its own affair
        assert_eq!(window("permessage-deflate; client_max_window_bits=9"), Some(15));
        check(
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
            Takeover { server: true, client: true },
            Some("permessage-deflate; server_max_window_bits=12"),
        );
    }

    #[test]
    fn what_cannot_be_kept_is_declined() {
        declined("x-webkit-deflate-frame");
        declined("permessage-deflate; server_max_window_bits=7");
        declined("permessage-deflate; server_max_window_bits=8");
        declined("permessage-deflate; server_max_window_bits=09");
        declined("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9"); // twice
        declined("permessage-deflate; server_max_window_bits=16");
        declined("permessage-deflate; server_max_window_bits=015");
        declined("permessage-deflate; server_max_window_bits");
        declined("permessage-deflate; client_max_window_bits=7");
        declined("permessage-deflate; client_max_window_bits=16");
        declined("permessage-deflate; client_max_window_bits=+9");
        declined("permessage-deflate; server_no_context_takeover=1");
        declined("permessage-deflate; client_no_context_takeover=true");
        declined("permessage-deflate; client_max_window_bits; client_max_window_bits=9"); // twice
        declined("permessage-deflate; server_no_context_takeover; server_no_context_takeover");
        declined("permessage-deflate; constructor");
        declined("permessage-deflate; Server_No_Context_Takeover");
        // RFC 7692 7.1.3: the next offer is the client's second choice
        accepted(
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; \
             client_max_window_bits",
        );
    }

    #[test]
    fn malformed_lists_offer_nothing() {
        declined("");
        declined(" ");
        declined(",");
        declined(",;constructor");
        declined(";permessage-deflate");
        declined("permessage-deflate;");
        declined("permessage-deflate,");
        declined("permessage-deflate, ,x");
        declined("permessage-deflate; =15");
        declined("permessage-deflate; server_max_window_bits=");
        declined("permessage-deflate; server_max_window_bits=\"15");
        declined("permessage-deflate; server_max_window_bits=\"1\\5\"");
        declined("permessage-deflate; a=\"\"");
        declined("permessage-deflate x");
        declined("permessage-deflate; a b");
        declined("permessage-deflate=1");
        declined("permessage-deflate, b@d");
        declined("permessage-deflate, é");
        declined("\u{fffd}");
        declined("\"permessage-deflate\"");
    }

    #[test]
    fn contexts_are_kept_if_both_sides_want_it() {
        let both = Takeover { server: true, client: true };
        check("permessage-deflate", both, Some("permessage-deflate"));
        check(
            "permessage-deflate; server_no_context_takeover",
            both,
            Some("permessage-deflate; server_no_context_takeover"),
        );
        check(
            "permessage-deflate; client_no_context_takeover",
            both,
            Some("permessage-deflate; client_no_context_takeover"),
        );
        check(
            "permessage-deflate; client_max_window_bits",
            Takeover { server: true, client: false },
            Some("permessage-deflate; client_no_context_takeover"),
        );
        check(
            "permessage-deflate; server_max_window_bits=15",
            both,
            Some("permessage-deflate; server_max_window_bits=15"),
        );
    }
}
