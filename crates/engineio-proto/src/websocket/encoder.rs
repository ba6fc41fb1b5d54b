//! Messages -> frames, for a connection that has its messages for itself.
//!
//! The counterpart of [`super::Decoder`], for users of the codec alone. What goes to many sessions
//! is framed once for all of them, in [`crate::Outgoing`]. Pings and pongs are made by
//! [`super::frame::write_frame`], closes by [`super::close::frame`].
//!
//! Each message is one frame: a server that has all of it gains nothing from fragments.

use super::deflate::{self, Deflater, Deflation, WindowBits};
use super::extensions::Agreement;
use super::frame::{self, Opcode};

/// The encoder of one connection.
///
/// ```
/// use engineio_proto::websocket::{Decoder, Encoder, Event};
///
/// // what a client sent, from the first byte after the handshake on; its mask is zeros
/// let mut input = b"\x81\x85\0\0\0\0Hello".to_vec();
/// let mut decoder = Decoder::new(1_000_000, 100);
/// let (mut encoder, mut output) = (Encoder::new(), Vec::new());
/// let mut messages = decoder.feed(&mut input);
/// while let Some(event) = messages.next()? {
///     if let Event::Text(text) = event {
///         encoder.text(text, &mut output);
///     }
/// }
/// assert_eq!(output, b"\x81\x05Hello");
/// # Ok::<(), engineio_proto::Violation>(())
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    compression: Compression,
}

/// How messages are compressed.
#[derive(Debug, Default)]
enum Compression {
    /// No extension is agreed on.
    #[default]
    Off,
    /// Each by itself.
    Alone(Deflation, WindowBits),
    /// Each with those before it in mind; the context comes with the first.
    InContext(Deflation, WindowBits, Option<Box<Deflater>>),
}

impl Encoder {
    /// An encoder at the start of a connection, which does not compress.
    #[must_use]
    pub const fn new() -> Self {
        Self { compression: Compression::Off }
    }

    /// Compresses messages as the handshake agreed.
    ///
    /// A message that is shorter than the threshold goes as it is; so does one that does not get
    /// smaller, unless there is a context, which has seen it.
    #[must_use]
    pub fn with_deflate(mut self, agreement: &Agreement, deflation: Deflation) -> Self {
        let window = agreement.server_window();
        self.compression = match agreement.takeover.server {
            true => Compression::InContext(deflation, window, None),
            false => Compression::Alone(deflation, window),
        };
        self
    }

    /// Appends a text message, header and all. Messages must be written in this order.
    pub fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.message(Opcode::Text, text.as_bytes(), out);
    }

    /// Appends a binary message, header and all. Messages must be written in this order.
    pub fn binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.message(Opcode::Binary, bytes, out);
    }

    fn message(&mut self, opcode: Opcode, plain: &[u8], out: &mut Vec<u8>) {
        let deflated = self.compression.deflate(plain);
        let payload = deflated.as_deref().unwrap_or(plain);
        let (header, length) = frame::header(opcode, payload.len(), deflated.is_some());
        out.reserve(length + payload.len());
        out.extend_from_slice(&header[..length]);
        out.extend_from_slice(payload);
    }
}

impl Compression {
    /// The payload of a compressed message; `None`: it goes as it is.
    fn deflate(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Alone(Deflation { threshold, level }, window) if plain.len() >= *threshold => {
                deflate::deflate(&[plain], *level, *window)
            }
            // an empty message has nothing to flush
            Self::InContext(Deflation { threshold, level }, window, context)
                if plain.len() >= (*threshold).max(1) =>
            {
                let context =
                    context.get_or_insert_with(|| Box::new(Deflater::new(*level, *window)));
                let mut payload = Vec::with_capacity(plain.len() / 4 + 64);
                context.message(&[plain], usize::MAX, &mut payload).then_some(payload)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::extensions::Takeover;

    const TEXT: &str =
        "one message after the other, each like the last, and the last, and the last";
    const DEFLATION: Deflation = Deflation { threshold: 10, level: 6 };

    fn encoder(takeover: bool) -> Encoder {
        let willing = Takeover { server: takeover, client: false };
        let agreement = Agreement::choose("permessage-deflate", willing).unwrap();
        Encoder::new().with_deflate(&agreement, DEFLATION)
    }

    fn text(encoder: &mut Encoder, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.text(text, &mut out);
        out
    }

    /// The payload of a frame that must be a compressed text.
    #[track_caller]
    fn payload(frame: &[u8]) -> &[u8] {
        assert_eq!((frame[0], usize::from(frame[1])), (0xc1, frame.len() - 2));
        &frame[2..]
    }

    #[test]
    fn plain_messages() {
        let (mut encoder, mut out) = (Encoder::new(), b"x".to_vec());
        encoder.text("é", &mut out);
        encoder.binary(b"\x01\x02\x03", &mut out);
        encoder.text("", &mut out);
        encoder.binary(b"", &mut out);
        assert_eq!(out, b"x\x81\x02\xc3\xa9\x82\x03\x01\x02\x03\x81\x00\x82\x00");
        let long = text(&mut encoder, &"a".repeat(126));
        assert_eq!((long.len(), &long[..5]), (4 + 126, &b"\x81\x7e\x00\x7ea"[..]));
        assert_eq!(text(&mut encoder, TEXT)[2..], *TEXT.as_bytes());
    }

    #[test]
    fn messages_compressed_by_themselves() {
        let mut encoder = encoder(false);
        let frames = [TEXT, TEXT].map(|message| text(&mut encoder, message));
        assert_eq!(frames[0], frames[1]);
        assert_eq!(deflate::inflate(payload(&frames[0]), 100).unwrap(), TEXT.as_bytes());
        let mut binary = Vec::new();
        encoder.binary(TEXT.as_bytes(), &mut binary);
        assert_eq!((binary[0], &binary[1..]), (0xc2, &frames[0][1..]));
        // below the threshold, or larger than before
        assert_eq!(text(&mut encoder, "aaaaaaaaa"), b"\x81\x09aaaaaaaaa");
        assert_eq!(text(&mut encoder, "0123456789"), b"\x81\x0a0123456789");
        assert_eq!(text(&mut encoder, ""), b"\x81\x00");
    }

    #[test]
    fn messages_compressed_in_context() {
        let mut encoder = encoder(true);
        let mut inflater = deflate::Inflater::new();
        let mut check = |message: &str| {
            let frame = text(&mut encoder, message);
            assert_eq!(inflater.message(payload(&frame), 100).unwrap(), message.as_bytes());
            frame.len()
        };
        let first = check(TEXT);
        // the context knows them, so they are sent even if they do not get smaller
        check("0123456789");
        assert!(check(TEXT) * 2 < first);
        assert_eq!(text(&mut encoder, "aaaaaaaaa"), b"\x81\x09aaaaaaaaa");
        assert_eq!(text(&mut encoder, ""), b"\x81\x00");
    }

    #[test]
    fn an_empty_message_is_never_compressed() {
        let agreement =
            Agreement::choose("permessage-deflate", Takeover { server: true, client: true });
        let all = Deflation { threshold: 0, level: 1 };
        let mut encoder = Encoder::new().with_deflate(&agreement.unwrap(), all);
        for _ in 0..2 {
            assert_eq!(text(&mut encoder, ""), b"\x81\x00");
        }
    }
}
