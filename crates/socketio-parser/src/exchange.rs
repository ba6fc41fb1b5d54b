//! Values and events outside of packets: the forms in which the nodes of a cluster exchange them.
//!
//! A cluster of Socket.IO servers speaks JSON and msgpack, but not the packets of the clients: an
//! event is the array of its name and its arguments inside a message of the cluster's own. What is
//! read here comes from a broker, and is bounded like anything else from a network.

use bytes::Bytes;
use serde::Serialize;

use crate::args::count::Arguments;
use crate::json::ser::Serializer;
use crate::json::text::write_string;
use crate::json::tokens::Tokens;
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::value::build::build;
use crate::{DecodeError, EncodeError, Limits, Value};

/// In which form a cluster takes the data of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a new form must be dealt with by all who read one")]
pub enum DataForm {
    /// JSON text, or msgpack if there are bytes among the arguments.
    Json,
    /// Msgpack, with bytes as values.
    Msgpack,
}

/// The data of an event, `[name, ...arguments]`, written once for a whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventData {
    /// JSON text or msgpack.
    pub bytes: Bytes,
    /// Which of the two.
    pub form: DataForm,
    /// Whether there are bytes among the arguments.
    pub has_binary: bool,
}

impl EventData {
    /// Writes an event. Numbers that JSON does not have are `null` in JSON only.
    ///
    /// # Errors
    /// What the arguments' `Serialize` says, or that they are nested too deep. Msgpack, which bytes
    /// need, takes the feature `msgpack` of this crate.
    pub fn new<T: Serialize + ?Sized>(
        form: DataForm,
        name: &str,
        args: &T,
    ) -> Result<Self, EncodeError> {
        if form == DataForm::Json {
            let mut out = vec![b'['];
            write_string(name, &mut out);
            let mut attachments = Vec::new();
            let mut serializer = Serializer::new(&mut out, &mut attachments);
            args.serialize(Arguments::new(&mut serializer, &mut 1))?;
            if attachments.is_empty() {
                out.push(b']');
                return Ok(Self { bytes: out.into(), form, has_binary: false });
            }
        }
        Self::msgpack(name, args)
    }

    #[cfg(feature = "msgpack")]
    fn msgpack<T: Serialize + ?Sized>(name: &str, args: &T) -> Result<Self, EncodeError> {
        let (out, has_binary) = msgpack::event_data(name, args)?;
        Ok(Self { bytes: out.into(), form: DataForm::Msgpack, has_binary })
    }

    #[cfg(not(feature = "msgpack"))]
    fn msgpack<T: Serialize + ?Sized>(_name: &str, _args: &T) -> Result<Self, EncodeError> {
        Err(serde::ser::Error::custom("msgpack is not compiled in"))
    }
}

/// Reads JSON text that stands alone, such as a message of a cluster. `max_depth` is at most
/// [`Limits::MAX_DEPTH`](crate::Limits::MAX_DEPTH).
///
/// # Errors
/// If it is no JSON, not UTF-8, or nested deeper than `max_depth`.
pub fn value_from_json(json: &[u8], max_depth: usize) -> Result<Value, DecodeError> {
    let text = std::str::from_utf8(json).map_err(|error| DecodeError::InvalidJson {
        at: error.valid_up_to(),
        reason: "no UTF-8",
    })?;
    let mut tokens = Tokens::new(text, max_depth.min(Limits::MAX_DEPTH));
    let value = build(&mut tokens, &[])?;
    tokens.finish()?;
    Ok(value)
}

/// Appends a value as JSON text. Bytes become what `JSON.stringify` of Node makes of a `Buffer`.
///
/// # Errors
/// If it is nested too deep.
pub fn value_to_json(value: &Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::new(out, &mut bytes).bytes_in_text())
}

/// Reads msgpack that stands alone. Dates become their text, extension types that nobody knows are
/// an error. `max_depth` is at most [`Limits::MAX_DEPTH`](crate::Limits::MAX_DEPTH).
///
/// # Errors
/// If it is no msgpack, nested deeper than `max_depth`, or holds what a [`Value`] cannot.
#[cfg(feature = "msgpack")]
pub fn value_from_msgpack(bytes: &[u8], max_depth: usize) -> Result<Value, DecodeError> {
    msgpack::value(bytes, max_depth.min(Limits::MAX_DEPTH))
}

/// Appends a value as msgpack. Whole numbers that are exact in a double are written as integers, as
/// JavaScript programs do.
///
/// # Errors
/// What the value's `Serialize` says, or that it is nested too deep.
#[cfg(feature = "msgpack")]
pub fn value_to_msgpack<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    msgpack::write_value(value, out)
}

/// Milliseconds since 1970 as JSON has a `Date`; `None` if no `Date` reaches that far.
#[must_use]
pub fn date_to_text(ms: i64) -> Option<String> {
    crate::date::to_iso(ms)
}
