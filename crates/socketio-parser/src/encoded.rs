//! What a client is sent, as [`crate::Encoder`] hands it out.

use bytes::Bytes;

/// An encoded packet: one message, or a text message and its attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "plain parts, taken apart by the caller")]
pub enum Encoded {
    /// A text message, and binary messages that follow it.
    Text {
        /// Holds the text.
        buffer: Vec<u8>,
        /// Where the text begins, which is UTF-8 and goes to the end of the buffer. At least the
        /// headroom asked for lies before it.
        start: usize,
        /// The binary messages that follow the text.
        attachments: Vec<Bytes>,
    },
    /// A binary message.
    Binary(Bytes),
}
