//! The arguments of an event or acknowledgement, read when somebody asks for types.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, Serializer};

use crate::args::deserializer::ArgsDeserializer;
use crate::args::elements::{Elements, value};
use crate::args::repr::Repr;
use crate::args::spread::serialize_spread;
use crate::json::text::repair;
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::{ArgsError, Value};

pub(crate) mod count;
mod deserializer;
pub(crate) mod elements;
pub(crate) mod repr;
pub(crate) mod spread;
mod weight;

pub use spread::{One, Spread};

/// The arguments of one packet.
///
/// As received they are a piece of the packet, known to be valid, and the attachments; nothing is
/// parsed again before it is asked for. Serialised, each one is an argument again.
#[derive(Clone, Debug, PartialEq)]
pub struct RawArgs<'a>(pub(crate) Repr<'a>);

impl<'a> RawArgs<'a> {
    /// Arguments that were made or changed by the program.
    #[must_use]
    pub const fn from_values(values: Vec<Value>) -> Self {
        Self(Repr::Values(values))
    }

    /// `len` elements in the validated text `json`, from offset `start` to `end`.
    pub(crate) fn from_json(
        json: &'a str,
        start: usize,
        end: usize,
        len: usize,
        lone_surrogate: bool,
    ) -> Self {
        let text = json.get(start..end).unwrap_or_default();
        let text = if lone_surrogate { Cow::Owned(repair(text)) } else { Cow::Borrowed(text) };
        Self(Repr::Json { text, len, attachments: Vec::new() })
    }

    /// The arguments, independent of the packet; copies the text if it is still the packet's.
    #[must_use]
    pub fn into_owned(self) -> RawArgs<'static> {
        RawArgs(match self.0 {
            Repr::Json { text, len, attachments } => {
                Repr::Json { text: Cow::Owned(text.into_owned()), len, attachments }
            }
            #[cfg(feature = "msgpack")]
            Repr::Msgpack { bytes, len } => Repr::Msgpack { bytes, len },
            Repr::Values(values) => Repr::Values(values),
        })
    }

    /// The arguments as values; `to_values` without a copy if they are values already.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        match self.0 {
            Repr::Values(values) => values,
            _ => self.to_values(),
        }
    }

    /// The text of the arguments as they were received, without the brackets of their array, and the
    /// attachments that its placeholders stand for: the client's own numbers, spaces and order of
    /// keys. `None` if they came in another form than JSON, or were changed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use socketio_parser::{Decoded, Limits, Parser, Revision};
    /// let mut decoder = Parser::json().decoder(Revision::V5, Arc::new(Limits::default()));
    /// let decoded = decoder.text(r#"2["price",1.50,{"b":1,"a":2}]"#)?;
    /// let Some(Decoded::Event { args, .. }) = decoded else { panic!("an event") };
    /// assert_eq!(args.as_json(), Some((r#"1.50,{"b":1,"a":2}"#, &[][..])));
    /// # Ok::<(), socketio_parser::DecodeError>(())
    /// ```
    #[must_use]
    pub fn as_json(&self) -> Option<(&str, &[Bytes])> {
        match &self.0 {
            Repr::Json { text, attachments, .. } => Some((text, attachments)),
            _ => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arguments as values.
    #[must_use]
    pub fn to_values(&self) -> Vec<Value> {
        match &self.0 {
            Repr::Values(values) => values.clone(),
            #[cfg(feature = "msgpack")]
            Repr::Msgpack { bytes, len } => msgpack::values(bytes, *len),
            Repr::Json { text, attachments, .. } => {
                Elements::new(text).map(|json| value(json, attachments)).collect()
            }
        }
    }

    /// The arguments as values that can be changed. As received they are read for it, and are values
    /// from then on.
    pub fn values_mut(&mut self) -> &mut Vec<Value> {
        if !matches!(self.0, Repr::Values(_)) {
            self.0 = Repr::Values(self.to_values());
        }
        match &mut self.0 {
            Repr::Values(values) => values,
            _ => unreachable!("made values above"),
        }
    }

    /// Bytes of memory that the arguments take as [`Value`]s, as [`RawArgs::to_values`] gives them: an
    /// estimate, seldom too low. Takes one pass over them, and builds nothing.
    ///
    /// Most types take less. One that takes more for an element than a `Value` does, as a struct of
    /// many optional members for `{}`, is not foreseen.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        weight::of(&self.0)
    }

    /// Bytes that the arguments keep in the form that they have.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        match &self.0 {
            Repr::Json { text, attachments, .. } => {
                text.len() + attachments.iter().map(Bytes::len).sum::<usize>()
            }
            #[cfg(feature = "msgpack")]
            Repr::Msgpack { bytes, .. } => bytes.len(),
            Repr::Values(_) => self.value_bytes(),
        }
    }

    /// Reads the arguments as `T`.
    ///
    /// A tuple, fixed-size array or tuple struct takes as many arguments as it has elements,
    /// missing ones as `null`, further ones ignored; `()` takes none; [`One`](crate::One) and every other type
    /// take the first argument.
    ///
    /// # Errors
    /// Which argument does not fit, and why.
    ///
    /// # Example
    /// ```
    /// # use socketio_parser::{RawArgs, Value};
    /// let args = RawArgs::from_values(vec![Value::from("lobby"), Value::from(7)]);
    /// let (room, seat, note): (String, u8, Option<String>) = args.deserialize()?;
    /// assert_eq!((room.as_str(), seat, note), ("lobby", 7, None));
    /// # Ok::<(), socketio_parser::ArgsError>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        T::deserialize(ArgsDeserializer::new(&self.0))
    }
}

impl Serialize for RawArgs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Values(values) => serialize_spread(values, serializer),
            _ => serialize_spread(&self.to_values(), serializer),
        }
    }
}
