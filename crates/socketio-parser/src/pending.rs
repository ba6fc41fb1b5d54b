//! The reassembly of a packet of the JSON parser and the binary messages that follow it.
//!
//! Only what is needed to hand the packet out is kept. What a client announces costs nothing, what
//! it sends is bounded in number and bytes.

use std::borrow::Cow;

use bytes::Bytes;

use crate::args::Repr;
use crate::{Args, DecodeError, Decoded, Limits};

/// A packet with attachments still to come.
#[derive(Debug)]
pub(crate) struct Pending {
    target: Target,
    text: String,
    len: usize,
    attachments: Vec<Bytes>,
    expected: usize,
    /// Bytes that may still come.
    bytes_left: usize,
}

/// What the arguments are for.
#[derive(Debug)]
enum Target {
    Event { id: Option<u64>, name: Box<str> },
    Ack { id: u64 },
    Ignored,
}

impl Pending {
    /// Keeps what is needed of a packet. `None` if it is of a type that has no attachments.
    pub(crate) fn new(decoded: Decoded<'_>, expected: usize, bytes_left: usize) -> Option<Self> {
        let (target, args) = match decoded {
            Decoded::Event { id, name, args, .. } => {
                (Target::Event { id, name: name.into() }, Some(args))
            }
            Decoded::Ack { id, args, .. } => (Target::Ack { id }, Some(args)),
            Decoded::Ignored => (Target::Ignored, None),
            _ => return None,
        };
        let (text, len) = match args.map(|args| args.0) {
            Some(Repr::Json { text, len, .. }) => (text.into_owned(), len),
            _ => (String::new(), 0),
        };
        // Grows as attachments arrive: the number announced costs nothing.
        Some(Self { target, text, len, attachments: Vec::new(), expected, bytes_left })
    }

    /// Takes an attachment; true: it was the last.
    pub(crate) fn add(&mut self, bytes: Bytes, limits: &Limits) -> Result<bool, DecodeError> {
        let Some(bytes_left) = self.bytes_left.checked_sub(bytes.len()) else {
            return Err(DecodeError::TooLarge { max: limits.max_packet_bytes });
        };
        self.bytes_left = bytes_left;
        self.attachments.push(bytes);
        Ok(self.attachments.len() >= self.expected)
    }

    pub(crate) fn into_decoded(self, nsp: &str) -> Decoded<'_> {
        let Self { target, text, len, attachments, .. } = self;
        let args = Args(Repr::Json { text: Cow::Owned(text), len, attachments });
        match target {
            Target::Event { id, name } => {
                Decoded::Event { nsp, id, name: Cow::Owned(name.into_string()), args }
            }
            Target::Ack { id } => Decoded::Ack { nsp, id, args },
            Target::Ignored => Decoded::Ignored,
        }
    }
}
