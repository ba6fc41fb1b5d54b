//! Packets to text and attachments.
//!
//! The number of attachments stands in the head of a packet but is known only when its arguments
//! are written. So the JSON is written behind room for the longest head, and the head then in
//! front of it, right-aligned:
//!
//! ```text
//!   | headroom | unused | 51-/chat,7 | ["photo",{"_placeholder":true,"num":0}] |
//!                       ^ start      ^ JSON
//! ```

use std::fmt::Display;

use bytes::Bytes;
use serde::ser::{self, Serialize};

use crate::args::ONE;
use crate::ser::{Compound, Serializer};
use crate::text::write_string;
use crate::{EncodeError, PacketType, Revision, Value};

/// An encoded packet: the text is `buffer[start..]`, UTF-8, with at least the headroom asked for
/// before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain parts, taken apart by the caller")]
pub struct Encoded {
    /// Holds the text.
    pub buffer: Vec<u8>,
    /// Where the text begins.
    pub start: usize,
    /// The binary messages that follow the text.
    pub attachments: Vec<Bytes>,
}

impl Encoded {
    /// The text message.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

/// Turns packets into messages.
#[derive(Clone, Debug)]
pub struct Encoder(());

impl Encoder {
    /// The encoder of the protocols' own format.
    #[must_use]
    pub const fn json() -> Self {
        Self(())
    }

    /// An event; with an id it asks for an acknowledgement.
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
        let mut draft = Draft::new(headroom, nsp, name.len() + USUAL_ARGUMENTS);
        draft.buffer.push(b'[');
        write_string(name, &mut draft.buffer);
        draft.arguments(args, false)?;
        Ok(draft.finish([PacketType::Event, PacketType::BinaryEvent], nsp, id))
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
        let mut draft = Draft::new(headroom, nsp, USUAL_ARGUMENTS);
        draft.buffer.push(b'[');
        draft.arguments(args, true)?;
        Ok(draft.finish([PacketType::Ack, PacketType::BinaryAck], nsp, Some(id)))
    }

    /// Tells a client that it has joined a namespace. Protocol 5 says with which socket id.
    // Socket.IO v5: connection to a namespace
    #[must_use]
    pub fn connect(
        &self,
        headroom: usize,
        nsp: &str,
        revision: Revision,
        sid: Option<&str>,
    ) -> Encoded {
        let sid = sid.filter(|_| revision == Revision::V5);
        let mut draft = Draft::new(headroom, nsp, sid.map_or(0, |sid| sid.len() + 10));
        if let Some(sid) = sid {
            draft.buffer.extend_from_slice(br#"{"sid":"#);
            write_string(sid, &mut draft.buffer);
            draft.buffer.push(b'}');
        }
        draft.finish_plain(PacketType::Connect, nsp)
    }

    /// Tells a client that it has left a namespace.
    #[must_use]
    pub fn disconnect(&self, headroom: usize, nsp: &str) -> Encoded {
        Draft::new(headroom, nsp, 0).finish_plain(PacketType::Disconnect, nsp)
    }

    /// Tells a client that it may not join a namespace: in protocol 4 `data`, or without data the
    /// message as text; in protocol 5 an object with both.
    #[must_use]
    pub fn error(
        &self,
        headroom: usize,
        nsp: &str,
        revision: Revision,
        message: &str,
        data: Option<&Value>,
    ) -> Encoded {
        let mut draft = Draft::new(headroom, nsp, message.len() + USUAL_ARGUMENTS);
        match (revision, data) {
            (Revision::V4, None) => write_string(message, &mut draft.buffer),
            (Revision::V4, Some(data)) => draft.value(data),
            (Revision::V5, data) => {
                draft.buffer.extend_from_slice(br#"{"message":"#);
                write_string(message, &mut draft.buffer);
                if let Some(data) = data {
                    draft.buffer.extend_from_slice(br#","data":"#);
                    draft.value(data);
                }
                draft.buffer.push(b'}');
            }
        }
        draft.finish_plain(PacketType::ConnectError, nsp)
    }
}

/// A packet whose head is not written yet.
#[derive(Debug)]
struct Draft {
    buffer: Vec<u8>,
    /// Where the JSON begins.
    json: usize,
    attachments: Vec<Bytes>,
}

impl Draft {
    fn new(headroom: usize, nsp: &str, json_capacity: usize) -> Self {
        let json = headroom + 1 + MAX_COUNT + nsp.len() + 1 + MAX_ID;
        let mut buffer = Vec::with_capacity(json + json_capacity);
        buffer.resize(json, 0);
        Self { buffer, json, attachments: Vec::new() }
    }

    /// The arguments and the end of their array.
    fn arguments<T: Serialize + ?Sized>(
        &mut self,
        args: &T,
        empty: bool,
    ) -> Result<(), EncodeError> {
        let mut serializer = Serializer::new(&mut self.buffer, &mut self.attachments);
        args.serialize(Arguments { serializer: &mut serializer, empty })?;
        self.buffer.push(b']');
        Ok(())
    }

    /// A value in a packet that cannot have attachments, or `null` if it cannot be written.
    fn value(&mut self, value: &Value) {
        let start = self.buffer.len();
        let mut serializer = Serializer::new(&mut self.buffer, &mut self.attachments);
        if value.serialize(&mut serializer).is_err() {
            self.buffer.truncate(start);
            self.buffer.extend_from_slice(b"null");
        }
    }

    /// Writes the head of one of two types: without and with attachments.
    fn finish(mut self, kinds: [PacketType; 2], nsp: &str, id: Option<u64>) -> Encoded {
        let [plain, binary] = kinds;
        let kind = if self.attachments.is_empty() { plain } else { binary };
        let mut start = self.json;
        if let Some(id) = id {
            self.put_before(&mut start, itoa::Buffer::new().format(id));
        }
        if nsp != "/" {
            self.put_before(&mut start, ",");
            self.put_before(&mut start, nsp);
        }
        if !self.attachments.is_empty() {
            self.put_before(&mut start, "-");
            let count = self.attachments.len();
            self.put_before(&mut start, itoa::Buffer::new().format(count));
        }
        start -= 1;
        self.buffer[start] = kind.digit();
        Encoded { buffer: self.buffer, start, attachments: self.attachments }
    }

    /// Writes the head of a packet that has neither attachments nor id.
    fn finish_plain(mut self, kind: PacketType, nsp: &str) -> Encoded {
        // Only an error's data can hold bytes. The protocol has no binary form of the packet, so
        // they are lost; their placeholder stays.
        self.attachments.clear();
        self.finish([kind; 2], nsp, None)
    }

    fn put_before(&mut self, start: &mut usize, text: &str) {
        let end = *start;
        *start -= text.len();
        self.buffer[*start..end].copy_from_slice(text.as_bytes());
    }
}

/// Decides how many arguments a value is: the outermost layer of serialising.
#[derive(Debug)]
struct Arguments<'a, 'b> {
    serializer: &'a mut Serializer<'b>,
    /// Nothing stands before the next argument.
    empty: bool,
}

impl<'a, 'b> Arguments<'a, 'b> {
    /// Begins an argument.
    fn next(&mut self) -> &mut Serializer<'b> {
        if !self.empty {
            self.serializer.push(b',');
        }
        self.empty = false;
        self.serializer
    }

    /// Begins the only argument.
    fn only(mut self) -> &'a mut Serializer<'b> {
        self.next();
        self.serializer
    }
}

/// Methods whose value is one argument.
macro_rules! one {
    ($($method:ident($($name:ident: $type:ty),*) -> $ok:ty;)+) => {$(
        fn $method(self, $($name: $type),*) -> Result<$ok, EncodeError> {
            self.only().$method($($name),*)
        }
    )+};
}

impl<'a, 'b> ser::Serializer for Arguments<'a, 'b> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Compound<'a, 'b>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Compound<'a, 'b>;
    type SerializeMap = Compound<'a, 'b>;
    type SerializeStruct = Compound<'a, 'b>;
    type SerializeStructVariant = Compound<'a, 'b>;

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if name == ONE { value.serialize(self.only()) } else { value.serialize(self) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.only())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.only().serialize_newtype_variant(name, index, variant, value)
    }

    fn collect_str<T: Display + ?Sized>(self, text: &T) -> Result<(), EncodeError> {
        self.only().collect_str(text)
    }

    one! {
        serialize_bool(bool: bool) -> ();
        serialize_i8(int: i8) -> ();
        serialize_i16(int: i16) -> ();
        serialize_i32(int: i32) -> ();
        serialize_i64(int: i64) -> ();
        serialize_i128(int: i128) -> ();
        serialize_u8(int: u8) -> ();
        serialize_u16(int: u16) -> ();
        serialize_u32(int: u32) -> ();
        serialize_u64(int: u64) -> ();
        serialize_u128(int: u128) -> ();
        serialize_f32(float: f32) -> ();
        serialize_f64(float: f64) -> ();
        serialize_char(char: char) -> ();
        serialize_str(text: &str) -> ();
        serialize_bytes(bytes: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Compound<'a, 'b>;
        serialize_map(len: Option<usize>) -> Compound<'a, 'b>;
        serialize_struct(name: &'static str, len: usize) -> Compound<'a, 'b>;
        serialize_tuple_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Compound<'a, 'b>;
        serialize_struct_variant(
            name: &'static str,
            index: u32,
            variant: &'static str,
            len: usize
        ) -> Compound<'a, 'b>;
    }
}

impl ser::SerializeTuple for Arguments<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Arguments<'_, '_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self.next())
    }

    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Digits of a `u64`, the longest id.
const MAX_ID: usize = 20;

/// Digits of a count of attachments (memory holds no more) and its dash.
const MAX_COUNT: usize = 11;

/// Bytes reserved for arguments, so that a usual event is one allocation.
const USUAL_ARGUMENTS: usize = 96;
