//! The packets of the protocols' own format, written back to front.
//!
//! The number of attachments stands in the head of a packet but is known only when its arguments
//! are written. So the JSON is written behind room for the longest head, and the head then in
//! front of it, right-aligned:
//!
//! ```text
//!   | headroom | unused | 51-/chat,7 | ["photo",{"_placeholder":true,"num":0}] |
//!                       ^ start      ^ JSON
//! ```

use bytes::Bytes;
use serde::Serialize;

use crate::args::count::Arguments;
use crate::json::ser::Serializer;
use crate::json::text::write_string;
use crate::value::build::read_back;
use crate::{EncodeError, Encoded, JsonArray, PacketType, RawArgs, Value};

/// A packet whose head is not written yet.
#[derive(Debug)]
pub(crate) struct PacketWriter {
    buffer: Vec<u8>,
    /// Where the JSON begins.
    json: usize,
    attachments: Vec<Bytes>,
}

impl PacketWriter {
    /// An event, with a text behind its arguments or without.
    pub(crate) fn event<T: Serialize + ?Sized>(
        headroom: usize,
        nsp: &str,
        name: &str,
        args: &T,
        offset: Option<&str>,
    ) -> Result<Self, EncodeError> {
        let mut packet = Self::new(headroom, nsp, name.len() + USUAL_ARGUMENTS);
        packet.buffer.push(b'[');
        write_string(name, &mut packet.buffer);
        packet.arguments(args, 1)?;
        if let Some(offset) = offset {
            packet.append(offset);
        }
        Ok(packet)
    }

    /// A packet whose payload is written already.
    pub(crate) fn json(headroom: usize, nsp: &str, array: &JsonArray<'_>) -> Self {
        let mut packet = Self::new(headroom, nsp, array.text().len());
        packet.buffer.extend_from_slice(array.text().as_bytes());
        packet.attachments = array.attachments().to_vec();
        packet
    }

    /// The answer to an event.
    pub(crate) fn ack<T: Serialize + ?Sized>(
        headroom: usize,
        nsp: &str,
        args: &T,
    ) -> Result<Self, EncodeError> {
        let mut packet = Self::new(headroom, nsp, USUAL_ARGUMENTS);
        packet.buffer.push(b'[');
        packet.arguments(args, 0)?;
        Ok(packet)
    }

    /// A packet without arguments. The protocol has no binary form of these: of bytes only their
    /// placeholders are left.
    pub(crate) fn control<T: Serialize + ?Sized>(
        headroom: usize,
        nsp: &str,
        content: Option<&T>,
    ) -> Self {
        let mut packet = Self::new(headroom, nsp, content.map_or(0, |_| USUAL_ARGUMENTS));
        if let Some(content) = content {
            write_value(content, &mut packet.buffer);
        }
        packet
    }

    fn new(headroom: usize, nsp: &str, json_capacity: usize) -> Self {
        let json = headroom + 1 + MAX_COUNT + nsp.len() + 1 + MAX_ID;
        let mut buffer = Vec::with_capacity(json + json_capacity);
        buffer.resize(json, 0);
        Self { buffer, json, attachments: Vec::new() }
    }

    /// The arguments, behind `count` elements, and the end of their array.
    fn arguments<T: Serialize + ?Sized>(
        &mut self,
        args: &T,
        mut count: usize,
    ) -> Result<(), EncodeError> {
        let mut serializer = Serializer::new(&mut self.buffer, &mut self.attachments);
        args.serialize(Arguments::new(&mut serializer, &mut count))?;
        self.buffer.push(b']');
        Ok(())
    }

    /// Puts a text behind the arguments of an event, one that JSON writes as it is.
    fn append(&mut self, text: &str) {
        debug_assert_eq!(quote(text).len(), text.len() + 2, "nothing is escaped");
        self.buffer.pop(); // the end of the array
        self.buffer.extend_from_slice(b",\"");
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.extend_from_slice(b"\"]");
    }

    /// Writes the head of one of two types: without and with attachments.
    pub(crate) fn finish(mut self, kinds: [PacketType; 2], nsp: &str, id: Option<u64>) -> Encoded {
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
        Encoded::Text { buffer: self.buffer, start, attachments: self.attachments }
    }

    fn put_before(&mut self, start: &mut usize, text: &str) {
        let end = *start;
        *start -= text.len();
        self.buffer[*start..end].copy_from_slice(text.as_bytes());
    }

    /// The payload as a value, for parsers that write none themselves.
    pub(crate) fn into_value(mut self) -> Result<Value, EncodeError> {
        read_back(self.buffer.split_off(self.json), &self.attachments)
    }
}

impl RawArgs<'_> {
    /// What a client would receive if these arguments were sent to it.
    ///
    /// # Errors
    /// What the arguments' `Serialize` says, or that they are nested too deep.
    pub fn from_serialize<T: Serialize + ?Sized>(args: &T) -> Result<Self, EncodeError> {
        match PacketWriter::ack(0, "/", args)?.into_value()? {
            Value::Array(values) => Ok(Self::from_values(*values)),
            _ => Ok(Self::from_values(Vec::new())),
        }
    }
}

/// The text that a packet of the protocols' own format ends with, as its JSON has it, quotes and all:
/// the last argument of an event or its name. `None`: it ends with something else.
///
/// [`quote`] gives the form in which another text equals it.
#[must_use]
pub fn trailing_text(packet: &[u8]) -> Option<&[u8]> {
    let body = packet.strip_suffix(b"\"]")?;
    let is_quote = |at: usize| {
        let escapes = body[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        body[at] == b'"' && escapes % 2 == 0
    };
    let start = (0..body.len()).rev().find(|&at| is_quote(at))?;
    Some(&packet[start..packet.len() - 1])
}

/// A text as the JSON of a packet has it.
#[must_use]
pub fn quote(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut quoted);
    quoted
}

/// Appends a value without its bytes, or `null` if it cannot be written.
pub(crate) fn write_value<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if value.serialize(&mut Serializer::new(out, &mut Vec::new())).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Digits of a `u64`, the longest id.
const MAX_ID: usize = 20;

/// Digits of a count of attachments (memory holds no more) and its dash.
const MAX_COUNT: usize = 11;

/// Bytes reserved for arguments, so that a usual event is one allocation.
pub(crate) const USUAL_ARGUMENTS: usize = 96;
