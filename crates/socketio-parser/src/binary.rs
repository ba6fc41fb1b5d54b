//! Bytes as a value of their own, sent as attachments.
//!
//! serde hands bytes to a serializer as a borrowed slice, so that an attachment would have to be
//! copied. The types of this crate leave the `Bytes` behind the slice in a thread-local for the
//! length of that one call; our serializer picks it up if it is the very same memory. For every
//! other serializer it is an ordinary call of `serialize_bytes`.

use std::cell::Cell;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, sent as an attachment at any depth of the arguments.
///
/// `Bytes` itself does the same, with one copy when sent; `Vec<u8>` is sent as an array of
/// numbers (serde cannot tell it from other arrays) but can be read from an attachment.
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
        Bytes::deserialize(deserializer).map(Self)
    }
}

pub(crate) fn serialize_shared<S: Serializer>(
    bytes: &Bytes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // A thread that is being torn down has no thread-local any more: the bytes are copied then.
    _ = SHARED.try_with(|shared| shared.set(Some(bytes.clone())));
    let result = serializer.serialize_bytes(bytes);
    _ = SHARED.try_with(Cell::take);
    result
}

/// The attachment for bytes given to our serializer: shared if possible, else a copy.
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
