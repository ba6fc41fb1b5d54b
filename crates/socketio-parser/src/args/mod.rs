//! The arguments of an event or acknowledgement, read when somebody asks for types.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

use crate::args::deserializer::ArgsDeserializer;
use crate::json::scan::{element_end, plain_placeholder};
use crate::json::text::repair;
use crate::json::tokens::Tokens;
use crate::json::writer::Draft;
#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::value::build::build;
use crate::{ArgsError, EncodeError, Value};

pub(crate) mod count;
pub(crate) mod deserializer;
mod weight;

/// The arguments of one packet.
///
/// As received they are a piece of the packet, known to be valid, and the attachments; nothing is
/// parsed again before it is asked for. Serialised, each one is an argument again.
#[derive(Clone, Debug, PartialEq)]
pub struct Args<'a>(pub(crate) Repr<'a>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Repr<'a> {
    /// The elements of an array without its brackets.
    Json {
        text: Cow<'a, str>,
        len: usize,
        attachments: Vec<Bytes>,
    },
    /// The elements of an array without its head.
    #[cfg(feature = "msgpack")]
    Msgpack {
        bytes: Bytes,
        len: usize,
    },
    Values(Vec<Value>),
}

impl<'a> Args<'a> {
    /// Arguments that were made or changed by the program.
    #[must_use]
    pub const fn from_values(values: Vec<Value>) -> Self {
        Self(Repr::Values(values))
    }

    /// What a client would receive if these arguments were sent to it.
    ///
    /// # Errors
    /// What the arguments' `Serialize` says, or that they are nested too deep.
    pub fn from_serialize<T: Serialize + ?Sized>(args: &T) -> Result<Self, EncodeError> {
        match Draft::ack(0, "/", args)?.into_value()? {
            Value::Array(values) => Ok(Self::from_values(*values)),
            _ => Ok(Self::from_values(Vec::new())),
        }
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
    pub fn into_owned(self) -> Args<'static> {
        Args(match self.0 {
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

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Json { len, .. } => *len,
            #[cfg(feature = "msgpack")]
            Repr::Msgpack { len, .. } => *len,
            Repr::Values(values) => values.len(),
        }
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

    /// Bytes of memory that the arguments take as [`Value`]s, as [`Args::to_values`] gives them: an
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
    /// missing ones as `null`, further ones ignored; `()` takes none; [`One`] and every other type
    /// take the first argument.
    ///
    /// # Errors
    /// Which argument does not fit, and why.
    ///
    /// # Example
    /// ```
    /// # use socketio_parser::{Args, Value};
    /// let args = Args::from_values(vec![Value::from("lobby"), Value::from(7)]);
    /// let (room, seat, note): (String, u8, Option<String>) = args.deserialize()?;
    /// assert_eq!((room.as_str(), seat, note), ("lobby", 7, None));
    /// # Ok::<(), socketio_parser::ArgsError>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        T::deserialize(ArgsDeserializer::new(self))
    }
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Values(values) => serialize_spread(values, serializer),
            _ => serialize_spread(&self.to_values(), serializer),
        }
    }
}

/// One value of validated text.
pub(crate) fn value(json: &str, attachments: &[Bytes]) -> Value {
    if let Some(bytes) = lone_attachment(json, attachments) {
        return Value::from(bytes.clone());
    }
    let value = build(&mut Tokens::of_valid(json), attachments);
    debug_assert!(value.is_ok(), "text that passed the validating pass: {value:?}");
    value.unwrap_or_default()
}

/// The attachment, if the text begins with its placeholder as all clients write it. Then no object
/// is built only to find that it is one; any other spelling is for [`build`].
pub(crate) fn lone_attachment<'b>(json: &str, attachments: &'b [Bytes]) -> Option<&'b Bytes> {
    let (num, _) = plain_placeholder(json)?;
    attachments.get(num)
}

/// The elements of validated text, one slice each.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// All that is left, which begins with the next element: enough for a reader that stops at
    /// its end, and spares the search for it.
    pub(crate) const fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let (element, after) = rest.split_at_checked(element_end(rest).ok()?)?;
        let after = after.trim_ascii_start();
        self.rest = after.strip_prefix(',').unwrap_or(after);
        Some(element)
    }
}

/// Exactly one argument, whatever the type.
///
/// Without it a fixed-size array, tuple or tuple struct is spread over several arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct One<T>(pub T);

impl<T: Serialize> Serialize for One<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(ONE, &self.0)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ONE, OneVisitor(PhantomData))
    }
}

struct OneVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneVisitor<T> {
    type Value = One<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one argument")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<One<T>, D::Error> {
        T::deserialize(inner).map(One)
    }
}

/// As many arguments as there are elements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct Spread<T>(pub Vec<T>);

impl<T: Serialize> Serialize for Spread<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_spread(&self.0, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spread<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SPREAD, SpreadVisitor(PhantomData))
    }
}

struct SpreadVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SpreadVisitor<T> {
    type Value = Spread<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Spread<T>, D::Error> {
        Vec::deserialize(inner).map(Spread)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Spread<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Spread(items))
    }
}

fn serialize_spread<T: Serialize, S: Serializer>(
    items: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(items.len())?;
    for item in items {
        tuple.serialize_element(item)?;
    }
    tuple.end()
}

/// Names of newtype structs that tell our serializer and deserializer apart what is meant; to
/// every other one they are transparent.
pub(crate) const ONE: &str = "$socketio_parser::One";
pub(crate) const SPREAD: &str = "$socketio_parser::Spread";
