//! Packets to messages, by whichever parser the server has.

use serde::Serialize;

use crate::check::is_within;
use crate::form::Form;
use crate::json::writer::PacketWriter;
use crate::limits::MAX_SENT_DEPTH;
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::{EncodeError, Encoded, JsonArray, PacketType, Revision, Value};

/// Turns packets into messages. Made by
/// [`Parser::encoder`](crate::Parser::encoder).
///
/// Every method takes the headroom: how many bytes must be free in front of a text message.
#[derive(Clone, Debug)]
pub struct Encoder(pub(crate) Form);

impl Encoder {
    /// An event; with an id it asks for an acknowledgement. It may go to clients of both
    /// protocols.
    ///
    /// The name is not checked against the reserved ones.
    ///
    /// # Errors
    /// What the arguments' `Serialize` says, or that they are nested too deep.
    pub fn event<T: Serialize + ?Sized>(
        &self,
        headroom: usize,
        nsp: &str,
        id: Option<u64>,
        name: &str,
        args: &T,
    ) -> Result<Encoded, EncodeError> {
        self.write_event(headroom, nsp, id, name, args)
    }

    #[inline]
    fn write_event<T: Serialize + ?Sized>(
        &self,
        headroom: usize,
        nsp: &str,
        id: Option<u64>,
        name: &str,
        args: &T,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Form::Json => {
                let packet = PacketWriter::event(headroom, nsp, name, args, None)?;
                Ok(packet.finish([PacketType::Event, PacketType::BinaryEvent], nsp, id))
            }
            #[cfg(feature = "msgpack")]
            Form::Msgpack => msgpack::event(nsp, id, name, args),
            Form::Custom(custom) => {
                let data = PacketWriter::event(0, nsp, name, args, None)?.into_value()?;
                Ok(custom.encode(headroom, PacketType::Event, nsp, id, Some(data)))
            }
        }
    }

    /// An event with a text behind its arguments, by which a client tells how far it got. What the text
    /// is may be filled in later, where [`Encoder::has_offsets`]: it is written as it is, in JSON two bytes
    /// before the end of the message, and in msgpack at its end. Of msgpack it is also said where the list
    /// of arguments begins, with their number.
    ///
    /// # Errors
    /// Those of [`Encoder::event`].
    pub fn event_with_offset<T: Serialize + ?Sized>(
        &self,
        headroom: usize,
        nsp: &str,
        name: &str,
        args: &T,
        offset: &str,
    ) -> Result<(Encoded, Option<usize>), EncodeError> {
        match &self.0 {
            Form::Json => {
                let packet = PacketWriter::event(headroom, nsp, name, args, Some(offset))?;
                let kinds = [PacketType::Event, PacketType::BinaryEvent];
                Ok((packet.finish(kinds, nsp, None), None))
            }
            #[cfg(feature = "msgpack")]
            Form::Msgpack => {
                let (packet, at) = msgpack::event_with_offset(nsp, name, args, offset)?;
                Ok((packet, Some(at)))
            }
            Form::Custom(custom) => {
                let data = PacketWriter::event(0, nsp, name, args, Some(offset))?.into_value()?;
                Ok((custom.encode(headroom, PacketType::Event, nsp, None, Some(data)), None))
            }
        }
    }

    /// Whether a text at the end of an event can be filled in: not in a form of one's own.
    #[must_use]
    pub const fn has_offsets(&self) -> bool {
        !matches!(self.0, Form::Custom(_))
    }

    /// Whether it writes the protocols' own format.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        matches!(self.0, Form::Json)
    }

    /// The answer to an event.
    ///
    /// # Errors
    /// What the arguments' `Serialize` says, or that they are nested too deep.
    pub fn ack<T: Serialize + ?Sized>(
        &self,
        headroom: usize,
        nsp: &str,
        id: u64,
        args: &T,
    ) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Form::Json => {
                let packet = PacketWriter::ack(headroom, nsp, args)?;
                Ok(packet.finish([PacketType::Ack, PacketType::BinaryAck], nsp, Some(id)))
            }
            #[cfg(feature = "msgpack")]
            Form::Msgpack => msgpack::ack(nsp, id, args),
            Form::Custom(custom) => {
                let data = PacketWriter::ack(0, nsp, args)?.into_value()?;
                Ok(custom.encode(headroom, PacketType::Ack, nsp, Some(id), Some(data)))
            }
        }
    }

    /// An event whose name and arguments are JSON already. With an id it asks for an acknowledgement.
    /// `None`: this encoder writes another form, see [`JsonArray::read`].
    ///
    /// ```
    /// # use socketio_parser::{Encoded, JsonArray, Parser};
    /// let event = JsonArray::new(r#"["hello",{"n":1.0}]"#, Vec::new());
    /// let encoded = Parser::json().encoder().event_json(8, "/chat", Some(7), &event);
    /// let Some(Encoded::Text { buffer, start, .. }) = encoded else { panic!("text") };
    /// assert_eq!(&buffer[start..], br#"2/chat,7["hello",{"n":1.0}]"#);
    /// ```
    #[must_use]
    pub fn event_json(
        &self,
        headroom: usize,
        nsp: &str,
        id: Option<u64>,
        event: &JsonArray<'_>,
    ) -> Option<Encoded> {
        let kinds = [PacketType::Event, PacketType::BinaryEvent];
        self.is_json().then(|| PacketWriter::json(headroom, nsp, event).finish(kinds, nsp, id))
    }

    /// The answer to an event, whose values are JSON already. `None`: this encoder writes another form.
    #[must_use]
    pub fn ack_json(
        &self,
        headroom: usize,
        nsp: &str,
        id: u64,
        values: &JsonArray<'_>,
    ) -> Option<Encoded> {
        let kinds = [PacketType::Ack, PacketType::BinaryAck];
        let id = Some(id);
        self.is_json().then(|| PacketWriter::json(headroom, nsp, values).finish(kinds, nsp, id))
    }

    /// Tells a client that it has joined a namespace. Protocol 5 says with which socket id, and by
    /// which private id (`pid`) it may come back to its session, if it may.
    // Socket.IO v5: connection to a namespace; Node: connection state recovery
    #[must_use]
    pub fn connect(
        &self,
        headroom: usize,
        nsp: &str,
        revision: Revision,
        sid: Option<&str>,
        pid: Option<&str>,
    ) -> Encoded {
        let sid = sid.filter(|_| revision == Revision::V5);
        let content = sid.map(|sid| Content::Joined { sid, pid });
        self.control(headroom, PacketType::Connect, nsp, revision, content)
    }

    /// Tells a client that it has left a namespace.
    #[must_use]
    pub fn disconnect(&self, headroom: usize, nsp: &str, revision: Revision) -> Encoded {
        self.control(headroom, PacketType::Disconnect, nsp, revision, None)
    }

    /// Tells a client that it may not join a namespace: in protocol 4 `data`, or without data the
    /// message as text; in protocol 5 an object with both. Data that is nested too deep is left
    /// out.
    #[must_use]
    pub fn error(
        &self,
        headroom: usize,
        nsp: &str,
        revision: Revision,
        message: &str,
        data: Option<&Value>,
    ) -> Encoded {
        let data = data.filter(|data| is_within(data, MAX_SENT_DEPTH - 1));
        let content = match (revision, data) {
            (Revision::V4, None) => Content::Text(message),
            (Revision::V4, Some(data)) => Content::Value(data),
            (Revision::V5, data) => Content::Refusal { message, data },
        };
        self.control(headroom, PacketType::ConnectError, nsp, revision, Some(content))
    }

    /// A packet that is no event and no acknowledgement.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables, reason = "JSON has one form"))]
    fn control(
        &self,
        headroom: usize,
        kind: PacketType,
        nsp: &str,
        revision: Revision,
        content: Option<Content<'_>>,
    ) -> Encoded {
        match &self.0 {
            Form::Json => {
                PacketWriter::control(headroom, nsp, content.as_ref()).finish([kind; 2], nsp, None)
            }
            #[cfg(feature = "msgpack")]
            Form::Msgpack => match revision {
                Revision::V4 => msgpack::text_control(headroom, kind, nsp, content.as_ref()),
                Revision::V5 => msgpack::control(kind, nsp, content.as_ref())
                    .expect("texts are shorter than 4 GiB, and the depth of data was checked"),
            },
            Form::Custom(custom) => {
                let data = content.and_then(|content| crate::to_value(&content).ok());
                custom.encode(headroom, kind, nsp, None, data)
            }
        }
    }
}

/// The payload of a packet without arguments.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Joined {
        sid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<&'a str>,
    },
    Text(&'a str),
    Value(&'a Value),
    Refusal {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a Value>,
    },
}
