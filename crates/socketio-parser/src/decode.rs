//! Packets out of a connection's messages.
//!
//! ```text
//!              text without attachments -> Some(packet)
//!            +--+
//!            v  |      text with attachments -> None        binary -> None
//!           idle ----------------------------------> waiting --+
//!            ^                                          ^  |   |
//!            +---- the last binary -> Some(packet) -----|--+   |
//!                                                       +------+
//!   idle + binary, waiting + text: error
//! ```
//!
//! A decoder owns memory only while it waits, but for the name of the namespace that the latest
//! packet with attachments was for. After an error the connection is expected to be closed.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::args::Repr;
use crate::packet::Header;
use crate::scan::{Scan, Shape, scan};
use crate::{Args, DecodeError, Limits, PacketType, RESERVED_EVENTS, Revision};

/// Turns the text and binary messages of one connection into packets.
#[derive(Debug)]
pub struct Decoder {
    limits: Arc<Limits>,
    revision: Revision,
    /// The packet whose attachments are awaited.
    pending: Option<Box<Pending>>,
    /// The namespace of the latest packet with attachments, empty for `/`. It lives here, so
    /// that a packet's namespace can be borrowed in all cases.
    nsp: Box<str>,
}

/// A packet of the client.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a new kind of packet must be handled")]
pub enum Decoded<'a> {
    /// The client wants to join a namespace.
    Connect {
        /// The namespace; as long as the client made it, see [`Limits::max_namespace_len`].
        nsp: &'a str,
        /// What followed `?` in protocol 4.
        query: Option<&'a str>,
        /// One argument, an object. Protocol 4 has none.
        auth: Option<Args<'a>>,
    },
    /// The client leaves a namespace.
    Disconnect {
        /// The namespace.
        nsp: &'a str,
    },
    /// An event.
    Event {
        /// The namespace.
        nsp: &'a str,
        /// Given if the client asks for an acknowledgement.
        id: Option<u64>,
        /// The event's name, none of [`RESERVED_EVENTS`] and not `error`.
        name: Cow<'a, str>,
        /// What follows the name.
        args: Args<'a>,
    },
    /// The answer to an event of the server.
    Ack {
        /// The namespace.
        nsp: &'a str,
        /// The id that the server gave.
        id: u64,
        /// The answer.
        args: Args<'a>,
    },
    /// A packet of type 4, which only servers send. The reference raises `error` on the socket
    /// for clients of protocol 4 and closes the connection of others.
    Error {
        /// The namespace.
        nsp: &'a str,
        /// One argument, any value.
        data: Option<Args<'a>>,
    },
    /// Nothing to do: what the reference ignores in protocol 4, and events named `error`.
    Ignored,
}

/// A packet with attachments still to come.
#[derive(Debug)]
struct Pending {
    target: Target,
    text: String,
    len: usize,
    attachments: Vec<Bytes>,
    expected: usize,
    /// Bytes that may still come.
    bytes_left: usize,
}

/// What the arguments are for.
#[derive(Debug)]
enum Target {
    Event { id: Option<u64>, name: Box<str> },
    Ack { id: u64 },
    Ignored,
}

impl Decoder {
    /// A decoder for one connection.
    #[must_use]
    pub fn new(revision: Revision, limits: Arc<Limits>) -> Self {
        Self { limits, revision, pending: None, nsp: Box::default() }
    }

    /// Takes a text message. `None`: it is the head of a packet whose attachments are awaited.
    ///
    /// # Errors
    /// If it is no valid packet, or attachments are awaited.
    pub fn text<'a>(&'a mut self, text: &'a str) -> Result<Option<Decoded<'a>>, DecodeError> {
        if self.pending.is_some() {
            return Err(DecodeError::UnexpectedText);
        }
        let max = self.limits.max_packet_bytes;
        let Some(bytes_left) = max.checked_sub(text.len()) else {
            return Err(DecodeError::TooLarge { max });
        };
        let Some(header) = Header::parse(text, self.revision, &self.limits)? else {
            return Ok(Some(Decoded::Ignored));
        };
        let decoded = match header.kind {
            PacketType::Connect => self.connect(&header)?,
            PacketType::Disconnect => self.disconnect(&header)?,
            PacketType::ConnectError => self.error(&header)?,
            PacketType::Event | PacketType::BinaryEvent => self.event(&header)?,
            PacketType::Ack | PacketType::BinaryAck => self.ack(&header)?,
        };
        if header.attachments == 0 {
            return Ok(Some(decoded));
        }
        let Some(pending) = Pending::new(decoded, header.attachments, bytes_left) else {
            return Ok(Some(Decoded::Ignored));
        };
        self.pending = Some(Box::new(pending));
        let nsp = if header.nsp == "/" { "" } else { header.nsp };
        if *self.nsp != *nsp {
            self.nsp = nsp.into();
        }
        Ok(None)
    }

    /// Takes a binary message. `None`: more attachments are awaited.
    ///
    /// # Errors
    /// If none is awaited, or the packet becomes too large.
    pub fn binary(&mut self, bytes: Bytes) -> Result<Option<Decoded<'_>>, DecodeError> {
        let Some(mut pending) = self.pending.take() else {
            return Err(DecodeError::UnexpectedBinary);
        };
        let Some(bytes_left) = pending.bytes_left.checked_sub(bytes.len()) else {
            return Err(DecodeError::TooLarge { max: self.limits.max_packet_bytes });
        };
        pending.bytes_left = bytes_left;
        pending.attachments.push(bytes);
        if pending.attachments.len() < pending.expected {
            self.pending = Some(pending);
            return Ok(None);
        }
        let nsp = if self.nsp.is_empty() { "/" } else { &*self.nsp };
        Ok(Some(pending.into_decoded(nsp)))
    }

    /// Whether attachments are awaited.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    // Socket.IO v5: connection to a namespace
    fn connect<'a>(&self, header: &Header<'a>) -> Result<Decoded<'a>, DecodeError> {
        let Header { nsp, query, .. } = *header;
        let mut auth = None;
        if !header.payload.is_empty() {
            let scan = self.scan(header)?;
            match (self.revision, scan.shape) {
                (Revision::V5, Shape::Object) => auth = Some(whole(header.payload, &scan)),
                (Revision::V4, Shape::Array) => {}
                _ => return self.invalid(DecodeError::InvalidPayload),
            }
        }
        Ok(Decoded::Connect { nsp, query, auth })
    }

    fn disconnect<'a>(&self, header: &Header<'a>) -> Result<Decoded<'a>, DecodeError> {
        if !header.payload.is_empty() {
            let scan = self.scan(header)?;
            if self.revision == Revision::V5 || scan.shape != Shape::Array {
                return self.invalid(DecodeError::InvalidPayload);
            }
        }
        Ok(Decoded::Disconnect { nsp: header.nsp })
    }

    fn error<'a>(&self, header: &Header<'a>) -> Result<Decoded<'a>, DecodeError> {
        let mut data = None;
        if !header.payload.is_empty() {
            let scan = self.scan(header)?;
            data = Some(whole(header.payload, &scan));
        }
        Ok(Decoded::Error { nsp: header.nsp, data })
    }

    fn event<'a>(&self, header: &Header<'a>) -> Result<Decoded<'a>, DecodeError> {
        if header.payload.is_empty() {
            return self.invalid(DecodeError::InvalidPayload);
        }
        let scan = self.scan(header)?;
        let Some(name) = scan.first_text else {
            return self.invalid(DecodeError::InvalidPayload);
        };
        let name = name.unescape();
        if name.len() > self.limits.max_event_len {
            return Err(DecodeError::EventNameTooLong { max: self.limits.max_event_len });
        }
        if let Some(name) = RESERVED_EVENTS.into_iter().find(|reserved| *reserved == name) {
            return Err(DecodeError::ReservedEvent(name));
        }
        // An `error` event is the server's own, but clients of both protocols may send one.
        if name == "error" {
            return Ok(Decoded::Ignored);
        }
        let args = arguments(header.payload, scan.second, scan.count - 1, &scan);
        Ok(Decoded::Event { nsp: header.nsp, id: header.id, name, args })
    }

    fn ack<'a>(&self, header: &Header<'a>) -> Result<Decoded<'a>, DecodeError> {
        if header.payload.is_empty() {
            return self.invalid(DecodeError::InvalidPayload);
        }
        let scan = self.scan(header)?;
        if scan.shape != Shape::Array {
            return self.invalid(DecodeError::InvalidPayload);
        }
        let Some(id) = header.id else {
            return self.invalid(DecodeError::InvalidId);
        };
        let args = arguments(header.payload, scan.first, scan.count, &scan);
        Ok(Decoded::Ack { nsp: header.nsp, id, args })
    }

    fn scan<'a>(&self, header: &Header<'a>) -> Result<Scan<'a>, DecodeError> {
        scan(header.payload, header.attachments, &self.limits)
    }

    /// A payload that is JSON but of the wrong shape: protocol 4 ignores the packet, as 2.0.4.
    const fn invalid<'a>(&self, error: DecodeError) -> Result<Decoded<'a>, DecodeError> {
        match self.revision {
            Revision::V4 => Ok(Decoded::Ignored),
            Revision::V5 => Err(error),
        }
    }
}

impl Pending {
    /// Keeps what is needed of a packet. `None` if it is of a type that has no attachments.
    fn new(decoded: Decoded<'_>, expected: usize, bytes_left: usize) -> Option<Self> {
        let (target, args) = match decoded {
            Decoded::Event { id, name, args, .. } => {
                (Target::Event { id, name: name.into() }, Some(args))
            }
            Decoded::Ack { id, args, .. } => (Target::Ack { id }, Some(args)),
            Decoded::Ignored => (Target::Ignored, None),
            _ => return None,
        };
        let (text, len) = match args.map(|args| args.0) {
            Some(Repr::Json { text, len, .. }) => (text.into_owned(), len),
            _ => (String::new(), 0),
        };
        // Grows as attachments arrive: the number announced costs nothing.
        Some(Self { target, text, len, attachments: Vec::new(), expected, bytes_left })
    }

    fn into_decoded(self, nsp: &str) -> Decoded<'_> {
        let Self { target, text, len, attachments, .. } = self;
        let args = Args(Repr::Json { text: Cow::Owned(text), len, attachments });
        match target {
            Target::Event { id, name } => {
                Decoded::Event { nsp, id, name: Cow::Owned(name.into_string()), args }
            }
            Target::Ack { id } => Decoded::Ack { nsp, id, args },
            Target::Ignored => Decoded::Ignored,
        }
    }
}

/// The payload as one argument.
fn whole<'a>(payload: &'a str, scan: &Scan<'a>) -> Args<'a> {
    Args::from_json(payload, 0, payload.len(), 1, scan.lone_surrogate)
}

/// The elements from offset `start` to the end of the array.
fn arguments<'a>(payload: &'a str, start: usize, len: usize, scan: &Scan<'a>) -> Args<'a> {
    Args::from_json(payload, start, scan.end, len, scan.lone_surrogate)
}
