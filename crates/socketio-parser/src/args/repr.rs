//! What arguments are kept as.

use std::borrow::Cow;

use bytes::Bytes;

use crate::Value;

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

impl Repr<'_> {
    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json { len, .. } => *len,
            #[cfg(feature = "msgpack")]
            Self::Msgpack { len, .. } => *len,
            Self::Values(values) => values.len(),
        }
    }
}
