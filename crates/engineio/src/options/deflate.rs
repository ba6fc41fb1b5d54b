//! The options of compressed WebSocket messages.

use engineio_proto::websocket::deflate::Deflation;
use engineio_proto::websocket::extensions::Takeover;

use crate::options::error::OptionsError;

/// How WebSocket messages are compressed: the extension permessage-deflate (RFC 7692).
///
/// It is used with clients that offer it. By default every message is compressed by itself: an idle
/// connection then holds no memory for it, and a broadcast is compressed once for all its
/// receivers. A client that demands a smaller window of the server than the usual 32 KiB shares its
/// form with those that demand the same; one that demands 256 bytes, the smallest, gets plain
/// messages, as does one that asked for base64. A client's compressed message is
/// bounded by `max_http_buffer_size`, both as it is sent and inflated.
// Node 2.0: perMessageDeflate
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerMessageDeflate {
    /// Bytes from which on a message is compressed (1024), its type included; a text and its
    /// attachments are messages of their own.
    pub threshold: usize,
    /// How hard the server compresses: 1 (fast) to 9 (small); 2 is the default, as the time is
    /// taken from all connections of a thread. Level 1 takes half of that time for messages a
    /// third larger.
    pub level: u8,
    /// Whether the server's messages refer to earlier ones (false): similar messages get
    /// smaller, for some 370 KiB of memory per connection and a compression per receiver.
    pub server_context_takeover: bool,
    /// Whether the client's messages may refer to earlier ones (false), for some 46 KiB of memory
    /// per connection.
    pub client_context_takeover: bool,
}

impl Default for PerMessageDeflate {
    fn default() -> Self {
        Self {
            threshold: 1024,
            level: 2,
            server_context_takeover: false,
            client_context_takeover: false,
        }
    }
}

impl PerMessageDeflate {
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        match self.level {
            1..=9 => Ok(()),
            level => Err(OptionsError::DeflateLevel(level)),
        }
    }

    pub(crate) fn deflation(&self) -> Deflation {
        Deflation { threshold: self.threshold, level: self.level }
    }

    pub(crate) fn takeover(&self) -> Takeover {
        Takeover { server: self.server_context_takeover, client: self.client_context_takeover }
    }
}
