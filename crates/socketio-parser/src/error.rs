//! What can go wrong, by who can act on it: the peer, the handler's types, the sender's types.

use std::fmt;

/// Why a message of the peer is no packet. The connection cannot go on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message has no byte.
    Empty,
    /// The first character is no packet type.
    UnknownType(char),
    /// The number of attachments is missing, not a number, or zero where it must not be.
    IllegalAttachments,
    /// More attachments announced than allowed.
    TooManyAttachments {
        /// The limit.
        max: usize,
    },
    /// The acknowledgement id is no number, or does not fit 64 bits.
    InvalidId,
    /// The payload is not JSON.
    InvalidJson {
        /// Offset in the payload, in bytes.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The message is not msgpack, or holds what no argument can be.
    InvalidMsgpack {
        /// Offset in the message, in bytes.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The field of a packet is missing or cannot have such a value.
    InvalidField(&'static str),
    /// The payload can be read, but is not of the shape that the packet type has.
    InvalidPayload,
    /// Arrays and objects are nested too deep.
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// More arguments than allowed.
    TooManyArguments {
        /// The limit.
        max: usize,
    },
    /// The name of a namespace is too long (CONNECT packets excepted).
    NamespaceTooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// The name of an event is too long.
    EventNameTooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// The event has a name that only the server itself may raise.
    ReservedEvent(&'static str),
    /// A placeholder does not point to an attachment of its packet.
    InvalidPlaceholder,
    /// Two placeholders point to one attachment.
    RepeatedPlaceholder,
    /// A binary message while no packet awaits one.
    UnexpectedBinary,
    /// A text message while a packet awaits attachments.
    UnexpectedText,
    /// Text and attachments are longer than allowed.
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// What a custom parser says, see [`DecodeError::custom`].
    Custom(Box<str>),
}

impl DecodeError {
    /// An error of a custom parser's own; long texts are cut.
    #[must_use]
    pub fn custom(message: impl fmt::Display) -> Self {
        Self::Custom(shortened(message.to_string()))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty packet"),
            Self::UnknownType(kind) => write!(f, "unknown packet type {kind:?}"),
            // The words of the reference, which users may match on.
            Self::IllegalAttachments => f.write_str("Illegal attachments"),
            Self::TooManyAttachments { max } => write!(f, "too many attachments (limit {max})"),
            Self::InvalidId => f.write_str("invalid acknowledgement id"),
            Self::InvalidJson { at, reason } => {
                write!(f, "invalid payload: {reason} at byte {at}")
            }
            Self::InvalidMsgpack { at, reason } => {
                write!(f, "invalid packet: {reason} at byte {at}")
            }
            Self::InvalidField(name) => write!(f, "invalid packet: {name} missing or wrong"),
            Self::InvalidPayload => f.write_str("invalid payload"),
            Self::TooDeep { max } => write!(f, "nesting too deep (limit {max})"),
            Self::TooManyArguments { max } => write!(f, "too many arguments (limit {max})"),
            Self::NamespaceTooLong { max } => write!(f, "namespace too long (limit {max} bytes)"),
            Self::EventNameTooLong { max } => write!(f, "event name too long (limit {max} bytes)"),
            Self::ReservedEvent(name) => write!(f, "reserved event name {name:?}"),
            Self::InvalidPlaceholder => f.write_str("placeholder without attachment"),
            Self::RepeatedPlaceholder => f.write_str("attachment with two placeholders"),
            Self::UnexpectedBinary => f.write_str("binary message without packet"),
            Self::UnexpectedText => f.write_str("text message while attachments are awaited"),
            Self::TooLarge { max } => write!(f, "packet too large (limit {max} bytes)"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why arguments cannot be read as the types a handler asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgsError {
    index: Option<usize>,
    message: Box<str>,
}

impl ArgsError {
    /// The argument it is about, from 0, if it is about one.
    #[must_use]
    pub const fn index(&self) -> Option<usize> {
        self.index
    }

    pub(crate) fn new(message: &dyn fmt::Display) -> Self {
        Self { index: None, message: shortened(message.to_string()) }
    }

    pub(crate) fn missing(index: usize) -> Self {
        Self { index: Some(index), message: "missing".into() }
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.index = self.index.or(Some(index));
        self
    }
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "argument {index}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ArgsError {}

impl serde::de::Error for ArgsError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message)
    }
}

/// Why a value cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Nested deeper than a recursive `Serialize` may safely go.
    TooDeep,
    /// The key of a map is neither text, integer, `char`, `bool` nor a unit variant.
    Key,
    /// Text or bytes of 4 GiB or more, which msgpack does not have.
    TooLarge,
    /// What the `Serialize` of the value said.
    Message(Box<str>),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => f.write_str("value nested too deep"),
            Self::Key => f.write_str("key of a map is not text"),
            Self::TooLarge => f.write_str("value too large"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for EncodeError {}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Message(shortened(message.to_string()))
    }
}

/// Cuts what may quote a whole argument.
fn shortened(mut message: String) -> Box<str> {
    if message.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str("...");
    }
    message.into_boxed_str()
}

/// Bytes of a message: room for serde's sentence and the beginning of the value it quotes.
const MAX_MESSAGE: usize = 200;
