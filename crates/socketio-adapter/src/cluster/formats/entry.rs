//! The data of an entry in a log: JSON text, or base64 of msgpack if there are bytes in it. No
//! msgpack of an object begins as JSON does once it is base64.
// Node: @socket.io/redis-streams-adapter 0.3.1

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use socketio_parser::Value;

use super::wire::parse;
use crate::cluster::log::Entry;
use crate::cluster::message::Malformed;

/// Sender, type and data of an entry.
pub(crate) fn read(entry: &Entry) -> Result<(String, i64, Value), Malformed> {
    let text = |field: &Option<Vec<u8>>, why| {
        let bytes = field.as_deref().ok_or(Malformed("a field is missing"))?;
        std::str::from_utf8(bytes).map_err(|_| Malformed(why)).map(str::to_owned)
    };
    let uid = text(&entry.uid, "the sender is no text")?;
    let kind = text(&entry.kind, "the type is no text")?;
    let is_number = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_digit());
    let kind = kind.parse().ok().filter(|_| is_number).ok_or(Malformed("the type is no number"))?;
    let data = match entry.data.as_deref() {
        None => Value::Null,
        Some(data) => self::data(data)?,
    };
    Ok((uid, kind, data))
}

fn data(data: &[u8]) -> Result<Value, Malformed> {
    if data.first() == Some(&b'{') {
        return parse(data);
    }
    parse(&from_base64(data).ok_or(Malformed("neither JSON nor base64"))?)
}

pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    STANDARD.encode(bytes).into_bytes()
}

pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
