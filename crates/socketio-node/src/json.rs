//! Values of packets as JSON, and back.

use socketio::Value;
use socketio_parser::{Limits, value_from_json, value_to_json};

/// The value as JSON; `null` for one that is nested too deep.
pub(crate) fn text_of(value: &Value) -> String {
    let mut out = Vec::new();
    let written = value_to_json(value, &mut out).ok().and_then(|()| String::from_utf8(out).ok());
    written.unwrap_or_else(|| "null".to_owned())
}

/// The value that JSON says, if it is one.
pub(crate) fn value_of(json: &str) -> Option<Value> {
    value_from_json(json.as_bytes(), Limits::MAX_DEPTH).ok()
}
