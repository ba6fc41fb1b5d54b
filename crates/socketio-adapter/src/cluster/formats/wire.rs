//! Fields of messages, read with nothing taken for granted, and written.

use socketio_parser::{
    DataForm, EventData, IndexMap, Value, is_reserved_event, number_to_text, value_from_json,
    value_from_msgpack, value_to_json, value_to_msgpack,
};

use crate::cluster::message::{Event, Malformed};
use crate::{BroadcastOptions, Room, SocketDetails, SocketId};

type Result<T> = std::result::Result<T, Malformed>;

/// Reads a payload. No msgpack that a message can be begins as JSON does.
// Node: redis-adapter 8.3, onrequest
pub(crate) fn parse(payload: &[u8]) -> Result<Value> {
    let value = match payload.first() {
        Some(b'{') => value_from_json(payload, MAX_DEPTH),
        _ => value_from_msgpack(payload, MAX_DEPTH),
    };
    value.map_err(|_| Malformed("neither JSON nor msgpack"))
}

pub(crate) fn text(value: &Value, key: &str) -> Result<Option<String>> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(Malformed("a text is none")),
    }
}

pub(crate) fn wanted<T>(value: Option<T>) -> Result<T> {
    value.ok_or(Malformed("a field is missing"))
}

pub(crate) fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// Takes a field out.
pub(crate) fn take(object: &mut Value, key: &str) -> Value {
    match object {
        Value::Object(members) => members.swap_remove(key).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// The number that says what a message is.
pub(crate) fn kind(value: &Value) -> Result<i64> {
    value.get("type").and_then(Value::as_i64).ok_or(Malformed("no type"))
}

/// Names of rooms. Numbers, which Node keeps apart from texts, are texts here.
pub(crate) fn rooms(value: Option<&Value>) -> Result<Option<Vec<Room>>> {
    let items = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Malformed("rooms are no list")),
    };
    let name = |item: &Value| match item {
        Value::String(text) => Ok(Room::from(text.as_str())),
        Value::Int(int) => Ok(Room::from(int.to_string())),
        Value::UInt(int) => Ok(Room::from(int.to_string())),
        Value::Float(float) if float.is_finite() => Ok(Room::from(number_to_text(*float))),
        _ => Err(Malformed("the name of a room is no text")),
    };
    items.iter().map(name).collect::<Result<_>>().map(Some)
}

/// Which sockets are meant: `{rooms, except, flags}`, of which older nodes leave out what they do
/// not have.
pub(crate) fn options(value: Option<&Value>) -> Result<BroadcastOptions> {
    let Some(value @ Value::Object(_)) = value else {
        return Err(Malformed("options are no object"));
    };
    let flags = value.get("flags");
    Ok(BroadcastOptions {
        rooms: rooms(value.get("rooms"))?.unwrap_or_default(),
        except: rooms(value.get("except"))?.unwrap_or_default(),
        volatile: flags.is_some_and(|flags| flag(flags, "volatile")),
        compress: flags.and_then(|flags| flags.get("compress")).and_then(Value::as_bool),
        ..BroadcastOptions::default()
    })
}

/// The time limit among the flags, in milliseconds.
pub(crate) fn timeout(options: Option<&Value>) -> Option<u64> {
    options?.get("flags")?.get("timeout")?.as_u64()
}

/// The event in `{type, data, nsp}`. Its type tells the lines of servers apart, not its contents:
/// bytes are always inline. `None`: it is for another namespace.
pub(crate) fn packet(packet: Option<Value>, namespace: &str) -> Result<Option<Event>> {
    let Some(Value::Object(mut packet)) = packet else {
        return Err(Malformed("the packet is no object"));
    };
    match packet.get("nsp") {
        None | Some(Value::Null) if namespace == "/" => {}
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(nsp)) if nsp.as_str() == namespace => {}
        Some(Value::String(_)) => return Ok(None),
        Some(_) => return Err(Malformed("the namespace is no text")),
    }
    // EVENT and BINARY_EVENT
    let (Some(2) | Some(5)) = packet.get("type").and_then(Value::as_i64) else {
        return Err(Malformed("the packet is no event"));
    };
    let event = event(packet.swap_remove("data"))?;
    // clients would leave, or take it for the end of their connection
    if is_reserved_event(&event.name) {
        return Err(Malformed("the name is one of the protocol's own"));
    }
    Ok(Some(event))
}

/// The same where the message says by itself for which namespace it is.
pub(crate) fn packet_of(packet: Option<Value>, namespace: &str) -> Result<Option<Event>> {
    let packet = match packet {
        Some(Value::Object(mut members)) => {
            members.entry("nsp".to_owned()).or_insert_with(|| namespace.into());
            Some(Value::Object(members))
        }
        other => other,
    };
    self::packet(packet, namespace)
}

/// `[name, ...args]`; a number is the name of an event, too, as it is from clients.
pub(crate) fn event(data: Option<Value>) -> Result<Event> {
    let Some(Value::Array(mut args)) = data else {
        return Err(Malformed("the data of an event is no list"));
    };
    let name = match args.first_mut() {
        Some(Value::String(name)) => std::mem::take(&mut **name),
        Some(other) => {
            number_to_text(other.as_f64().ok_or(Malformed("the name of an event is no text"))?)
        }
        None => return Err(Malformed("an event has no name")),
    };
    args.remove(0);
    Ok(Event { name, args: *args })
}

/// Sockets as a node describes them: ids, or objects with more. What is neither is skipped.
pub(crate) fn sockets(items: Vec<Value>) -> Vec<SocketDetails> {
    let socket = |item| match item {
        Value::String(id) => Some(SocketDetails::new(SocketId::from(*id))),
        Value::Object(mut members) => {
            let Some(Value::String(id)) = members.swap_remove("id") else { return None };
            let mut details = SocketDetails::new(SocketId::from(*id));
            details.rooms = rooms(members.get("rooms")).ok()?.unwrap_or_default();
            details.handshake = members.swap_remove("handshake").unwrap_or_default();
            details.data = members.swap_remove("data").unwrap_or_default();
            Some(details)
        }
        _ => None,
    };
    items.into_iter().filter_map(socket).collect()
}

/// Names of rooms in an answer. What is none is skipped.
pub(crate) fn room_names(items: Vec<Value>) -> Vec<Room> {
    let name = |item| match item {
        Value::String(text) => Some(Room::from(*text)),
        _ => None,
    };
    items.into_iter().filter_map(name).collect()
}

// ---- writing ----------------------------------------------------------------------------------

pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect()
}

pub(crate) fn push(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(key.to_owned(), value.into());
    }
}

pub(crate) fn names<'a>(rooms: impl IntoIterator<Item = &'a Room>) -> Value {
    rooms.into_iter().map(|room| Value::from(room.as_str())).collect()
}

pub(crate) fn excluded(options: &BroadcastOptions) -> Value {
    options.excluded().map(|room| Value::from(room.as_str())).collect()
}

/// The flags of a broadcast, and its time limit if it asks for acknowledgements.
pub(crate) fn flags(options: &BroadcastOptions, timeout: Option<u64>) -> IndexMap<String, Value> {
    let mut flags = IndexMap::new();
    if options.volatile {
        flags.insert("volatile".to_owned(), true.into());
    }
    if let Some(compress) = options.compress {
        flags.insert("compress".to_owned(), compress.into());
    }
    if let Some(timeout) = timeout {
        flags.insert("timeout".to_owned(), timeout.into());
    }
    flags
}

pub(crate) fn socket(details: &SocketDetails) -> Value {
    object([
        ("id", details.id.as_str().into()),
        ("handshake", details.handshake.clone()),
        ("rooms", names(&details.rooms)),
        ("data", details.data.clone()),
    ])
}

/// JSON text; `null` for what is nested too deep, which only a value of our own could be.
pub(crate) fn json(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL);
    if value_to_json(value, &mut out).is_err() {
        out.clear();
        out.extend_from_slice(b"null");
    }
    out
}

/// Msgpack, likewise.
pub(crate) fn msgpack(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL);
    write(value, &mut out);
    out
}

/// Appends msgpack.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    let start = out.len();
    if value_to_msgpack(value, out).is_err() {
        out.truncate(start);
        out.push(0xc0);
    }
}

/// Appends the data of an event as msgpack.
pub(crate) fn write_data(event: &EventData, out: &mut Vec<u8>) {
    match event.form {
        DataForm::Msgpack => out.extend_from_slice(&event.bytes),
        DataForm::Json => write(&value_from_json(&event.bytes, MAX_DEPTH).unwrap_or_default(), out),
    }
}

/// Whether there are bytes in a value.
pub(crate) fn has_binary(value: &Value) -> bool {
    match value {
        Value::Binary(_) => true,
        Value::Array(items) => items.iter().any(has_binary),
        Value::Object(members) => members.values().any(has_binary),
        _ => false,
    }
}

/// What a client may send by default (512 levels), and the levels of a message around it. It is
/// walked by recursion.
const MAX_DEPTH: usize = 528;

/// Bytes reserved for a message.
const USUAL: usize = 128;
