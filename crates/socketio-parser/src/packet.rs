//! What packets of all parsers have in common, and the head of a packet of the JSON parser:
//! everything before the payload.
//!
//! ```text
//!   <type>[<attachments>-][<namespace>,][<id>][<JSON>]
//!     5         1-           /chat,       7    ["photo",{"_placeholder":true,"num":0}]
//! ```

use crate::{DecodeError, Limits};

/// What a packet is; the discriminant is its number on the wire.
// Socket.IO v5: packet types
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocols have these")]
pub enum PacketType {
    /// Joins a namespace, and the answer to it.
    Connect = 0,
    /// Leaves a namespace.
    Disconnect = 1,
    /// An event without attachments.
    Event = 2,
    /// An acknowledgement without attachments.
    Ack = 3,
    /// A refused namespace; ERROR in protocol 4.
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// An acknowledgement with attachments.
    BinaryAck = 6,
}

impl PacketType {
    /// The type of this number; `None`: there is none.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Connect,
            1 => Self::Disconnect,
            2 => Self::Event,
            3 => Self::Ack,
            4 => Self::ConnectError,
            5 => Self::BinaryEvent,
            6 => Self::BinaryAck,
            _ => return None,
        })
    }

    pub(crate) const fn digit(self) -> u8 {
        b'0' + self as u8
    }

    fn from_char(char: char) -> Option<Self> {
        char.to_digit(10).and_then(|digit| Self::from_number(digit as u8))
    }

    const fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// A revision of the Socket.IO protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "decides what is lenient; a new one must be decided")]
pub enum Revision {
    /// Protocol 4, clients 1.x and 2.x (over Engine.IO 3): what its servers ignore is ignored.
    V4,
    /// Protocol 5, clients 3.x and 4.x (over Engine.IO 4): strict.
    V5,
}

/// Names of events that have a meaning of their own; nobody may send them.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether an event of this name must not be sent.
#[must_use]
pub fn is_reserved_event(name: &str) -> bool {
    RESERVED_EVENTS.contains(&name)
}

/// The head of a packet, and its payload not yet looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) kind: PacketType,
    pub(crate) attachments: usize,
    /// The namespace, and in protocol 4 possibly a query behind it.
    pub(crate) nsp: &'a str,
    pub(crate) id: Option<u64>,
    pub(crate) payload: &'a str,
}

impl<'a> Header<'a> {
    /// Reads the head. `None`: of a type that does not exist, which protocol 4 ignores.
    pub(crate) fn parse(
        text: &'a str,
        revision: Revision,
        limits: &Limits,
    ) -> Result<Option<Self>, DecodeError> {
        let mut chars = text.chars();
        let first = chars.next().ok_or(DecodeError::Empty)?;
        let Some(kind) = PacketType::from_char(first) else {
            return match revision {
                Revision::V4 => Ok(None),
                Revision::V5 => Err(DecodeError::UnknownType(first)),
            };
        };
        let mut rest = chars.as_str();
        let mut attachments = 0;
        if kind.is_binary() {
            (attachments, rest) = parse_attachments(rest, revision, limits)?;
        }
        let (nsp, rest) = parse_namespace(rest);
        let (id, payload) = parse_id(rest)?;
        Ok(Some(Self { kind, attachments, nsp, id, payload }))
    }
}

/// Reads `<attachments>-`: ASCII digits only.
// Socket.IO v5: binary packets. Protocol 4 as 2.0.4, to which no digits mean zero.
fn parse_attachments<'a>(
    text: &'a str,
    revision: Revision,
    limits: &Limits,
) -> Result<(usize, &'a str), DecodeError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(DecodeError::IllegalAttachments)?;
    let count = match digits {
        "" => 0,
        // Too long for a number is too many as well.
        digits => digits.parse().unwrap_or(usize::MAX),
    };
    if count == 0 && revision == Revision::V5 {
        return Err(DecodeError::IllegalAttachments);
    }
    if count > limits.max_attachments {
        return Err(DecodeError::TooManyAttachments { max: limits.max_attachments });
    }
    Ok((count, rest))
}

/// Reads `<namespace>,`, which may also end with the text: the name, the rest.
// Socket.IO v5: packet encoding
fn parse_namespace(text: &str) -> (&str, &str) {
    if text.starts_with('/') { text.split_once(',').unwrap_or((text, "")) } else { ("/", text) }
}

/// Reads `<id>`. The JSON follows at once: the reference reads blanks here as the id 0.
fn parse_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let (digits, payload) = split_digits(text);
    let id = match digits {
        "" => None,
        digits => Some(digits.parse().map_err(|_| DecodeError::InvalidId)?),
    };
    if payload.starts_with([' ', '\t', '\n', '\r']) {
        return Err(DecodeError::InvalidPayload);
    }
    Ok((id, payload))
}

/// The ASCII digits that `text` begins with, and the rest.
pub(crate) fn split_digits(text: &str) -> (&str, &str) {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(len)
}
