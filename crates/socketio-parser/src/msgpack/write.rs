//! Packets to messages.

use serde::Serialize;
use serde::ser::Serializer as _;

use crate::args::count::Arguments;
use crate::json::text::write_string;
use crate::json::writer::{self, USUAL_ARGUMENTS};
use crate::msgpack::ser::{Kind, Serializer};
use crate::{EncodeError, Encoded, PacketType};

/// An event.
pub(crate) fn event<T: Serialize + ?Sized>(
    nsp: &str,
    id: Option<u64>,
    name: &str,
    args: &T,
) -> Result<Encoded, EncodeError> {
    let mut out = begin(PacketType::Event, nsp, 3 + usize::from(id.is_some()))?;
    arguments(&mut out, Some(name), args, None)?;
    finish(out, nsp, id)
}

/// An event that ends with a text, and where the list of its arguments begins.
pub(crate) fn event_with_offset<T: Serialize + ?Sized>(
    nsp: &str,
    name: &str,
    args: &T,
    offset: &str,
) -> Result<(Encoded, usize), EncodeError> {
    let mut out = begin(PacketType::Event, nsp, 3)?;
    let mut serializer = Serializer::new(&mut out);
    serializer.serialize_str("nsp")?;
    serializer.serialize_str(nsp)?;
    let data = out.len() + DATA_KEY;
    arguments(&mut out, Some(name), args, Some(offset))?;
    Ok((Encoded::Binary(out.into()), data))
}

/// The bytes of the name `data`.
const DATA_KEY: usize = 5;

/// The data of an event alone, with its name; and whether there are bytes in it.
pub(crate) fn event_data<T: Serialize + ?Sized>(
    name: &str,
    args: &T,
) -> Result<(Vec<u8>, bool), EncodeError> {
    let mut out = Vec::with_capacity(name.len() + USUAL_ARGUMENTS);
    let mut serializer = Serializer::new(&mut out).like_javascript();
    let mut count = 1;
    let head = serializer.begin(Kind::Array, count + 1);
    serializer.serialize_str(name)?;
    args.serialize(Arguments::new(&mut serializer, &mut count))?;
    serializer.end(&head, count);
    let has_binary = serializer.has_binary();
    Ok((out, has_binary))
}

/// A value that stands alone.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    value.serialize(&mut Serializer::new(out).like_javascript())
}

/// The answer to an event.
pub(crate) fn ack<T: Serialize + ?Sized>(
    nsp: &str,
    id: u64,
    args: &T,
) -> Result<Encoded, EncodeError> {
    let mut out = begin(PacketType::Ack, nsp, 4)?;
    arguments(&mut out, None, args, None)?;
    finish(out, nsp, Some(id))
}

/// A packet of another type as protocol 5 has it. Without content it has no `data`, which the
/// clients take for `undefined`.
pub(crate) fn control<T: Serialize + ?Sized>(
    kind: PacketType,
    nsp: &str,
    content: Option<&T>,
) -> Result<Encoded, EncodeError> {
    let mut out = begin(kind, nsp, 2 + usize::from(content.is_some()))?;
    if let Some(content) = content {
        let mut serializer = Serializer::new(&mut out);
        serializer.serialize_str("data")?;
        content.serialize(&mut serializer)?;
    }
    finish(out, nsp, None)
}

/// A packet of another type as protocol 4 has it.
pub(crate) fn text_control<T: Serialize + ?Sized>(
    headroom: usize,
    kind: PacketType,
    nsp: &str,
    content: Option<&T>,
) -> Encoded {
    let mut buffer = Vec::with_capacity(headroom + nsp.len() + USUAL_ARGUMENTS);
    buffer.resize(headroom, 0);
    buffer.extend_from_slice(br#"{"type":"#);
    buffer.push(kind.digit());
    buffer.extend_from_slice(br#","nsp":"#);
    write_string(nsp, &mut buffer);
    if let Some(content) = content {
        buffer.extend_from_slice(br#","data":"#);
        writer::write_value(content, &mut buffer);
    }
    buffer.push(b'}');
    Encoded::Text { buffer, start: headroom, attachments: Vec::new() }
}

/// A packet of so many fields, with its type.
fn begin(kind: PacketType, nsp: &str, fields: usize) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(nsp.len() + USUAL_ARGUMENTS);
    let mut serializer = Serializer::new(&mut out);
    serializer.begin(Kind::Map, fields);
    serializer.serialize_str("type")?;
    serializer.serialize_u8(kind as u8)?;
    Ok(out)
}

/// The data of an event, with its name, or of an acknowledgement.
fn arguments<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    name: Option<&str>,
    args: &T,
    offset: Option<&str>,
) -> Result<(), EncodeError> {
    let mut serializer = Serializer::new(out);
    serializer.serialize_str("data")?;
    let mut count = usize::from(name.is_some());
    // Most events have one argument.
    let head = serializer.begin(Kind::Array, count + 1);
    if let Some(name) = name {
        serializer.serialize_str(name)?;
    }
    args.serialize(Arguments::new(&mut serializer, &mut count))?;
    if let Some(offset) = offset {
        offset.serialize(Arguments::new(&mut serializer, &mut count))?;
    }
    serializer.end(&head, count);
    Ok(())
}

fn finish(mut out: Vec<u8>, nsp: &str, id: Option<u64>) -> Result<Encoded, EncodeError> {
    let mut serializer = Serializer::new(&mut out);
    serializer.serialize_str("nsp")?;
    serializer.serialize_str(nsp)?;
    if let Some(id) = id {
        serializer.serialize_str("id")?;
        serializer.serialize_u64(id)?;
    }
    Ok(Encoded::Binary(out.into()))
}
