//! Parsers of the user's own: the traits, and what holds them to the rules of all parsers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::args::repr::Repr;
use crate::check::{First, Payload, Shape, is_within};
use crate::{DecodeError, Encoded, Limits, PacketType, RawArgs, Revision, Value, number_to_text};

/// A format for packets, other than the protocols' own. See [`Parser::custom`].
///
/// It decides how a packet is written, not what packets mean: names, limits and the order of
/// packets are checked behind it.
///
/// # Example
/// A packet as one line of JSON, bytes as arrays of numbers:
/// ```
/// use socketio_parser::{
///     CustomDecoder, CustomParser, DecodeError, Messages, Packet, PacketType, Parser, Revision,
/// };
///
/// struct Lines;
///
/// impl CustomParser for Lines {
///     fn encode(&self, packet: Packet) -> Messages {
///         let kind = packet.kind as u8;
///         let line = serde_json::to_string(&(kind, packet.nsp, packet.id, packet.data));
///         line.expect("values have text keys and are not nested too deep").into()
///     }
///
///     fn decoder(&self, _revision: Revision) -> Box<dyn CustomDecoder> {
///         Box::new(LinesDecoder)
///     }
/// }
///
/// struct LinesDecoder;
///
/// impl CustomDecoder for LinesDecoder {
///     fn text(&mut self, line: &str) -> Result<Option<Packet>, DecodeError> {
///         let (kind, nsp, id, data) = serde_json::from_str(line).map_err(DecodeError::custom)?;
///         let kind = PacketType::from_number(kind).ok_or(DecodeError::InvalidField("type"))?;
///         Ok(Some(Packet { kind, nsp, id, data }))
///     }
/// }
///
/// let parser = Parser::custom(Lines);
/// # use socketio_parser::{Decoded, Encoded, Limits};
/// # let encoded = parser.encoder().event(0, "/", Some(7), "greet", &("world", 1)).unwrap();
/// # let Encoded::Text { buffer, .. } = encoded else { panic!() };
/// # assert_eq!(buffer, br#"[2,"/",7,["greet","world",1]]"#);
/// # let mut decoder = parser.decoder(Revision::V5, std::sync::Arc::new(Limits::default()));
/// # let line = String::from_utf8(buffer).unwrap();
/// # let Ok(Some(Decoded::Event { name, args, .. })) = decoder.text(&line) else { panic!() };
/// # assert_eq!((&*name, args.deserialize().unwrap()), ("greet", ("world".to_owned(), 1)));
/// ```
///
/// [`Parser::custom`]: crate::Parser::custom
pub trait CustomParser: Send + Sync + 'static {
    /// Writes a packet. It may go to clients of both protocols.
    fn encode(&self, packet: Packet) -> Messages;

    /// Begins to read what one connection sends.
    fn decoder(&self, revision: Revision) -> Box<dyn CustomDecoder>;
}

/// The reading half of a [`CustomParser`], for one connection.
///
/// An error ends the connection. Before a decoder returns a packet it is given no more messages
/// and bytes than [`Limits::max_attachments`], [`Limits::max_packet_bytes`] say; what it allocates
/// beyond what it was given, by a number that it read, it must bound itself.
pub trait CustomDecoder: Send {
    /// Takes a text message. `None`: more messages belong to the packet.
    ///
    /// # Errors
    /// If it is no packet.
    fn text(&mut self, text: &str) -> Result<Option<Packet>, DecodeError>;

    /// Takes a binary message, likewise. By default there is none.
    ///
    /// # Errors
    /// If it is no packet.
    fn binary(&mut self, bytes: Bytes) -> Result<Option<Packet>, DecodeError> {
        drop(bytes);
        Err(DecodeError::UnexpectedBinary)
    }
}

/// A packet as a [`CustomParser`] writes and reads it.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the protocols' fields")]
pub struct Packet {
    /// What it is. Events and acknowledgements to be written are [`PacketType::Event`] and
    /// [`PacketType::Ack`], with bytes or without; read, both kinds of types mean the same.
    pub kind: PacketType,
    /// The namespace, which begins with `/`. In a [`PacketType::Connect`] of protocol 4 a query
    /// may stand behind it (`/chat?token=x`).
    pub nsp: String,
    /// Given if an event asks for an acknowledgement, and with the answer.
    pub id: Option<u64>,
    /// An array with the name and the arguments of an event, or with the arguments of an
    /// acknowledgement; for the other types what the protocols say, or nothing.
    pub data: Option<Value>,
}

/// The messages of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what the transports can keep together")]
pub enum Messages {
    /// A text message, and binary messages that follow it.
    Text {
        /// The first message.
        text: String,
        /// The messages behind it.
        attachments: Vec<Bytes>,
    },
    /// A binary message.
    Binary(Bytes),
}

impl From<String> for Messages {
    fn from(text: String) -> Self {
        Self::Text { text, attachments: Vec::new() }
    }
}

impl From<Bytes> for Messages {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Messages {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

/// A custom parser, shared by all that the server sends.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<dyn CustomParser>);

impl Shared {
    pub(crate) fn encode(
        &self,
        headroom: usize,
        kind: PacketType,
        nsp: &str,
        id: Option<u64>,
        data: Option<Value>,
    ) -> Encoded {
        match self.0.encode(Packet { kind, nsp: nsp.to_owned(), id, data }) {
            Messages::Text { text, attachments } => {
                let mut buffer = Vec::with_capacity(headroom + text.len());
                buffer.resize(headroom, 0);
                buffer.extend_from_slice(text.as_bytes());
                Encoded::Text { buffer, start: headroom, attachments }
            }
            Messages::Binary(bytes) => Encoded::Binary(bytes),
        }
    }
}

/// A custom decoder, and what it was given since its latest packet.
pub(crate) struct Reading {
    decoder: Box<dyn CustomDecoder>,
    messages: usize,
    bytes: usize,
}

impl Reading {
    pub(crate) fn new(decoder: Box<dyn CustomDecoder>) -> Self {
        Self { decoder, messages: 0, bytes: 0 }
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        self.messages > 0
    }

    /// Bytes of the packet that has begun.
    pub(crate) const fn kept_bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn text(
        &mut self,
        text: &str,
        limits: &Limits,
    ) -> Result<Option<Packet>, DecodeError> {
        self.count(text.len(), limits)?;
        let packet = self.decoder.text(text)?;
        self.accept(packet, limits)
    }

    pub(crate) fn binary(
        &mut self,
        bytes: Bytes,
        limits: &Limits,
    ) -> Result<Option<Packet>, DecodeError> {
        self.count(bytes.len(), limits)?;
        let packet = self.decoder.binary(bytes)?;
        self.accept(packet, limits)
    }

    fn count(&mut self, bytes: usize, limits: &Limits) -> Result<(), DecodeError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits.max_packet_bytes {
            return Err(DecodeError::TooLarge { max: limits.max_packet_bytes });
        }
        // The first message is none of the attachments.
        if self.messages > limits.max_attachments {
            return Err(DecodeError::TooManyAttachments { max: limits.max_attachments });
        }
        self.messages += 1;
        Ok(())
    }

    fn accept(
        &mut self,
        packet: Option<Packet>,
        limits: &Limits,
    ) -> Result<Option<Packet>, DecodeError> {
        let Some(packet) = packet else { return Ok(None) };
        (self.messages, self.bytes) = (0, 0);
        match packet.data {
            Some(data) if !is_within(&data, limits.max_depth) => {
                dismantle(data);
                Err(DecodeError::TooDeep { max: limits.max_depth })
            }
            _ => Ok(Some(packet)),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("messages", &self.messages).finish_non_exhaustive()
    }
}

/// Drops a value of any depth: the `Drop` of a value recurses.
fn dismantle(value: Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(*items),
            Value::Object(members) => left.extend(members.into_values()),
            _ => {}
        }
    }
}

impl<'a> Payload<'a> for Value {
    fn shape(&self) -> Shape {
        match self {
            Self::Array(_) => Shape::Array,
            Self::Object(_) => Shape::Object,
            _ => Shape::Other,
        }
    }

    fn len(&self) -> usize {
        self.as_array().map_or(0, <[Self]>::len)
    }

    fn take_name(&mut self) -> Option<Cow<'a, str>> {
        let Self::Array(items) = self else { return None };
        Some(Cow::Owned(match items.first_mut()? {
            Self::String(name) => std::mem::take(&mut **name),
            other => number_to_text(other.as_f64()?),
        }))
    }

    fn elements(self, first: First) -> RawArgs<'a> {
        let Self::Array(mut items) = self else { return RawArgs::from_values(Vec::new()) };
        if first == First::BehindName && !items.is_empty() {
            items.remove(0);
        }
        RawArgs::from_values(*items)
    }

    fn whole(self) -> RawArgs<'a> {
        RawArgs(Repr::Values(vec![self]))
    }
}
