//! The rules that hold for the packets of all parsers: what each type must carry, names and
//! limits. What comes out is safe to act on.

use std::borrow::Cow;

use crate::{DecodeError, Decoded, Limits, PacketType, RESERVED_EVENTS, RawArgs, Revision, Value};

/// A packet that a parser could read.
#[derive(Debug)]
pub(crate) struct Unchecked<'a, P> {
    pub(crate) kind: PacketType,
    /// The namespace with its `/`, in a CONNECT of protocol 4 possibly with a query behind it.
    pub(crate) nsp: &'a str,
    pub(crate) id: Option<u64>,
    pub(crate) payload: Option<P>,
}

/// The data of a packet, valid, in the form of its parser.
pub(crate) trait Payload<'a> {
    fn shape(&self) -> Shape;

    /// How many elements the array has.
    fn len(&self) -> usize;

    /// The first element of the array, if it is text, or a number as JavaScript prints it. It may be
    /// taken out.
    fn take_name(&mut self) -> Option<Cow<'a, str>>;

    /// The elements of the array from the first or the second on.
    fn elements(self, first: First) -> RawArgs<'a>;

    /// All of it as one argument.
    fn whole(self) -> RawArgs<'a>;
}

/// The outermost value of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Array,
    Object,
    Other,
}

/// Where the arguments begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// In acknowledgements.
    Element,
    /// In events.
    BehindName,
}

/// The rules for the packets of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'l> {
    pub(crate) revision: Revision,
    pub(crate) limits: &'l Limits,
}

impl Rules<'_> {
    #[inline]
    pub(crate) fn check<'a, P: Payload<'a>>(
        self,
        packet: Unchecked<'a, P>,
    ) -> Result<Decoded<'a>, DecodeError> {
        let Unchecked { kind, nsp, id, payload } = packet;
        if kind == PacketType::Connect {
            return self.connect(nsp, payload);
        }
        let max = self.limits.max_namespace_len;
        if nsp.len() > max {
            return Err(DecodeError::NamespaceTooLong { max });
        }
        match (kind, payload) {
            (PacketType::Event | PacketType::BinaryEvent, Some(payload)) => {
                self.event(nsp, id, payload)
            }
            (PacketType::Ack | PacketType::BinaryAck, Some(payload)) => self.ack(nsp, id, payload),
            (PacketType::ConnectError, payload) => {
                Ok(Decoded::Error { nsp, data: payload.map(P::whole) })
            }
            (PacketType::Disconnect, None) => Ok(Decoded::Disconnect { nsp }),
            (PacketType::Disconnect, Some(payload))
                if self.revision == Revision::V4 && payload.shape() == Shape::Array =>
            {
                Ok(Decoded::Disconnect { nsp })
            }
            _ => self.invalid(DecodeError::InvalidPayload),
        }
    }

    /// What protocol 4 ignores, as 2.0.4, and protocol 5 refuses.
    pub(crate) fn invalid<'a>(self, error: DecodeError) -> Result<Decoded<'a>, DecodeError> {
        match self.revision {
            Revision::V4 => Ok(Decoded::Ignored),
            Revision::V5 => Err(error),
        }
    }

    // Socket.IO v5: connection to a namespace. Protocol 4: `?query` may stand behind the name.
    fn connect<'a, P: Payload<'a>>(
        self,
        nsp: &'a str,
        payload: Option<P>,
    ) -> Result<Decoded<'a>, DecodeError> {
        let (nsp, query) = match (self.revision, nsp.split_once('?')) {
            (Revision::V4, Some((nsp, query))) => (nsp, Some(query)),
            _ => (nsp, None),
        };
        let auth = match (self.revision, payload) {
            (_, None) => None,
            (Revision::V5, Some(payload)) if payload.shape() == Shape::Object => {
                Some(payload.whole())
            }
            (Revision::V4, Some(payload)) if payload.shape() == Shape::Array => None,
            _ => return self.invalid(DecodeError::InvalidPayload),
        };
        Ok(Decoded::Connect { nsp, query, auth })
    }

    #[inline]
    fn event<'a, P: Payload<'a>>(
        self,
        nsp: &'a str,
        id: Option<u64>,
        mut payload: P,
    ) -> Result<Decoded<'a>, DecodeError> {
        // Node: a number is a name, too; listeners know it by its text
        let Some(name) = payload.take_name() else {
            return self.invalid(DecodeError::InvalidPayload);
        };
        self.count(payload.len())?;
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
        Ok(Decoded::Event { nsp, id, name, args: payload.elements(First::BehindName) })
    }

    fn ack<'a, P: Payload<'a>>(
        self,
        nsp: &'a str,
        id: Option<u64>,
        payload: P,
    ) -> Result<Decoded<'a>, DecodeError> {
        if payload.shape() != Shape::Array {
            return self.invalid(DecodeError::InvalidPayload);
        }
        self.count(payload.len())?;
        // Node: an answer to nothing does no harm
        let Some(id) = id else { return Ok(Decoded::Ignored) };
        Ok(Decoded::Ack { nsp, id, args: payload.elements(First::Element) })
    }

    /// Whether an array has too many elements. The name of an event comes on top of its arguments,
    /// and acknowledgements are granted as much.
    pub(crate) const fn count(self, elements: usize) -> Result<(), DecodeError> {
        let max = self.limits.max_args;
        if elements > max.saturating_add(1) {
            return Err(DecodeError::TooManyArguments { max });
        }
        Ok(())
    }
}

/// Whether arrays and objects are nested at most `depth` deep.
pub(crate) fn is_within(value: &Value, depth: usize) -> bool {
    match (value, depth.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => false,
        (Value::Array(items), Some(depth)) => items.iter().all(|item| is_within(item, depth)),
        (Value::Object(members), Some(depth)) => {
            members.values().all(|member| is_within(member, depth))
        }
        _ => true,
    }
}
