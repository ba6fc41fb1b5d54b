//! Bytes as a value of their own, sent as attachments.
//!
//! serde hands bytes to a serializer, and to the visitor of a type, as a borrowed slice, so that an
//! attachment would have to be copied. The types of this crate leave the `Bytes` behind the slice
//! in a thread-local for the length of that one call; our serializer picks it up if it is the very
//! same memory. For every other serializer it is an ordinary call of `serialize_bytes`. Likewise
//! our deserializer leaves it for the visitors of our types, and calls `visit_bytes`.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;
use serde::de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, sent as an attachment at any depth of the arguments.
///
/// Nothing is copied, neither when it is sent nor when it is read from an attachment. `Bytes` itself
/// does the same with one copy each; `Vec<u8>` is sent as an array of numbers (serde cannot tell it
/// from other arrays) but can be read from an attachment.
///
/// It is read from bytes, and from an array of numbers, not from text; nor is text read from bytes.
/// So an untagged enum tells them apart with the bytes **first**: of such an enum serde offers bytes
/// to a `String`, too, which takes them if they are UTF-8 by chance.
///
/// ```
/// use socketio_parser::{RawArgs, Binary, Value};
///
/// #[derive(Debug, PartialEq, serde::Deserialize)]
/// #[serde(untagged)]
/// enum Message {
///     Photo(Binary),
///     Text(String),
/// }
///
/// let bytes = Binary::from(b"hello".to_vec());
/// let args = RawArgs::from_values(vec![Value::from("hello"), Value::from(bytes.clone())]);
/// let read: (Message, Message) = args.deserialize()?;
/// assert_eq!(read, (Message::Text("hello".to_owned()), Message::Photo(bytes)));
/// # Ok::<(), socketio_parser::ArgsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct Binary(pub Bytes);

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_shared(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What formats for people make of a text where bytes are wanted is theirs; asked for
        // anything, all of them say that it is a text.
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(BinaryVisitor);
        }
        deserializer.deserialize_byte_buf(BinaryVisitor)
    }
}

/// Takes what that of `Bytes` takes, but text.
struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("byte array")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(attachment(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Binary, A::Error> {
        Bytes::deserialize(SeqAccessDeserializer::new(seq)).map(Binary)
    }
}

/// Gives bytes to a visitor: our own share them, others copy them once. Whose bytes are nobody
/// else's gets them.
#[inline]
pub(crate) fn visit_shared<'de, V: Visitor<'de>, E: Error>(
    bytes: Bytes,
    visitor: V,
) -> Result<V::Value, E> {
    if bytes.is_unique() {
        return visitor.visit_byte_buf(bytes.into());
    }
    leave(&bytes);
    let result = visitor.visit_bytes(&bytes);
    _ = SHARED.try_with(Cell::take);
    result
}

pub(crate) fn serialize_shared<S: Serializer>(
    bytes: &Bytes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    leave(bytes);
    let result = serializer.serialize_bytes(bytes);
    _ = SHARED.try_with(Cell::take);
    result
}

/// Leaves the bytes behind a slice for who is called next.
fn leave(bytes: &Bytes) {
    // A thread that is being torn down has no thread-local any more: the bytes are copied then.
    _ = SHARED.try_with(|shared| shared.set(Some(bytes.clone())));
}

/// Adds an attachment. Most packets have one: its list is just as large.
pub(crate) fn push(attachments: &mut Vec<Bytes>, bytes: Bytes) {
    if attachments.capacity() == 0 {
        *attachments = vec![bytes];
    } else {
        attachments.push(bytes);
    }
}

/// The bytes behind a slice, if they were left: shared if possible, else a copy.
pub(crate) fn attachment(bytes: &[u8]) -> Bytes {
    match SHARED.try_with(Cell::take) {
        // While `shared` is alive its memory belongs to it: same place and length, same bytes.
        Ok(Some(shared)) if std::ptr::eq(&raw const *shared, bytes) => shared,
        _ => Bytes::copy_from_slice(bytes),
    }
}

thread_local! {
    static SHARED: Cell<Option<Bytes>> = const { Cell::new(None) };
}
