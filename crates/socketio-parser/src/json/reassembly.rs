//! The reassembly of a packet of the JSON parser and the binary messages that follow it.
//!
//! Only what is needed to hand the packet out is kept, and what is handed out borrows from it. What
//! a client announces costs nothing, what it sends is bounded in number and bytes.

use std::borrow::Cow;
use std::mem;

use bytes::Bytes;

use crate::args::repr::Repr;
use crate::binary::push;
use crate::{DecodeError, Decoded, Limits, RawArgs};

/// A packet with attachments still to come, or that was handed out with all of them.
#[derive(Debug)]
pub(crate) struct Pending {
    target: Target,
    /// The name of an event, then the arguments.
    text: Box<str>,
    /// Number of the arguments.
    len: usize,
    attachments: Vec<Bytes>,
    /// How many belong to the packet; 0 when it was handed out.
    expected: usize,
    /// Bytes that may still come.
    bytes_left: usize,
}

/// What the arguments are for.
#[derive(Debug)]
enum Target {
    Event { id: Option<u64>, name_len: usize },
    Ack { id: u64 },
    Ignored,
}

impl Pending {
    /// Keeps what is needed of a packet. `None` if it is of a type that has no attachments.
    pub(crate) fn new(decoded: &Decoded<'_>, expected: usize, bytes_left: usize) -> Option<Self> {
        let (target, name, args) = match decoded {
            Decoded::Event { id, name, args, .. } => {
                (Target::Event { id: *id, name_len: name.len() }, &**name, Some(args))
            }
            Decoded::Ack { id, args, .. } => (Target::Ack { id: *id }, "", Some(args)),
            Decoded::Ignored => (Target::Ignored, "", None),
            _ => return None,
        };
        let (args, len) = match args.map(|args| &args.0) {
            Some(Repr::Json { text, len, .. }) => (&**text, *len),
            _ => ("", 0),
        };
        let text = [name, args].concat().into();
        // Grows as attachments arrive: the number announced costs nothing.
        Some(Self { target, text, len, attachments: Vec::new(), expected, bytes_left })
    }

    /// Takes an attachment.
    pub(crate) fn add(&mut self, bytes: Bytes, limits: &Limits) -> Result<(), DecodeError> {
        let Some(bytes_left) = self.bytes_left.checked_sub(bytes.len()) else {
            return Err(DecodeError::TooLarge { max: limits.max_packet_bytes });
        };
        self.bytes_left = bytes_left;
        push(&mut self.attachments, bytes);
        Ok(())
    }

    /// Bytes that it keeps.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether no attachment is to come.
    pub(crate) fn is_complete(&self) -> bool {
        self.attachments.len() >= self.expected
    }

    /// The packet, once.
    pub(crate) fn decoded<'a>(&'a mut self, nsp: &'a str) -> Decoded<'a> {
        let name_len = if let Target::Event { name_len, .. } = self.target { name_len } else { 0 };
        let (name, args) = self.text.split_at(name_len);
        self.expected = 0;
        let attachments = mem::take(&mut self.attachments);
        let args = RawArgs(Repr::Json { text: Cow::Borrowed(args), len: self.len, attachments });
        match self.target {
            Target::Event { id, .. } => Decoded::Event { nsp, id, name: Cow::Borrowed(name), args },
            Target::Ack { id } => Decoded::Ack { nsp, id, args },
            Target::Ignored => Decoded::Ignored,
        }
    }
}
