//! Polling payloads: many packets in one HTTP body.
//!
//! ```text
//!   body of a POST -> [jsonp::unwrap] -> Decoder -> Packet, one by one
//!   Outgoing, ..   -> encode -> [jsonp::wrap] -> body of a poll's answer
//! ```
//!
//! Sits between the polling transport and [`crate::Session`]. A payload is decoded lazily: packets
//! in front of a bad one are delivered, as the reference does, and a driver that has done enough
//! for one turn keeps the [`Decoder`] and goes on later. Nothing here knows what a packet means.
//!
//! Invariant: no length from the body sizes an allocation, and a body is read in linear time.

use bytes::Bytes;

use crate::error::DecodeError;
use crate::outgoing::{Outgoing, Part};
use crate::packet::{Packet, Protocol};

pub mod jsonp;
mod v3;
mod v4;

/// How the packets lie in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms that the two protocols define")]
pub enum Form {
    /// Protocol 4: text, packets separated by U+001E.
    V4,
    /// Protocol 3: text, each packet behind its length.
    V3Text,
    /// Protocol 3, content type exactly `application/octet-stream`: bytes, each packet behind its
    /// kind and length.
    V3Binary,
}

/// Takes the packets out of one body, in order.
///
/// It owns the body, so it can be put away between two packets. Invalid UTF-8 in the text forms
/// reads as U+FFFD; this is settled once, in the constructor.
#[derive(Debug)]
pub struct Decoder {
    body: Body,
    /// Where the next packet starts.
    offset: usize,
    /// Packets that may still come.
    packets_left: usize,
    ended: bool,
}

/// A body whose form is known; text is valid.
#[derive(Debug)]
enum Body {
    V4(String),
    V3Text(String),
    V3Binary(Bytes),
}

impl Decoder {
    /// Starts at the first packet; more than `max_packets` are an error.
    #[must_use]
    pub fn new(form: Form, body: Bytes, max_packets: usize) -> Self {
        let body = match form {
            Form::V4 => Body::V4(into_text(body)),
            Form::V3Text => Body::V3Text(into_text(body)),
            Form::V3Binary => Body::V3Binary(body),
        };
        Self { body, offset: 0, packets_left: max_packets, ended: false }
    }

    /// What was not taken yet, for another decoder; `None` behind the last packet, and behind an error.
    #[must_use]
    pub fn into_rest(self) -> Option<(Form, Bytes)> {
        let Self { body, offset, ended, .. } = self;
        let (form, body) = match body {
            Body::V4(text) => (Form::V4, text.into()),
            Body::V3Text(text) => (Form::V3Text, text.into()),
            Body::V3Binary(bytes) => (Form::V3Binary, bytes),
        };
        // an empty body is an error of the first packet
        let has_rest = !ended && (offset < body.len() || offset == 0);
        has_rest.then(|| (form, body.slice(offset..)))
    }

    /// Bytes of the body, which is kept whole up to its last packet.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        match &self.body {
            Body::V4(text) | Body::V3Text(text) => text.capacity(),
            Body::V3Binary(bytes) => bytes.len(),
        }
    }

    /// The next packet; `None` at the end of the body and after an error.
    ///
    /// # Errors
    /// The packet that stands here is none, or it is one too many.
    #[expect(clippy::should_implement_trait, reason = "packets borrow from the decoder")]
    pub fn next(&mut self) -> Option<Result<Packet<'_>, DecodeError>> {
        if self.ended {
            return None;
        }
        let step = match &self.body {
            // Node: an empty body is a parse error in all forms
            body if body.is_empty() => Err(DecodeError::EmptyPayload),
            Body::V4(body) => v4::next(body, &mut self.offset),
            Body::V3Text(body) => v3::next_text(body, &mut self.offset),
            Body::V3Binary(body) => v3::next_binary(body, &mut self.offset),
        };
        let step = step.and_then(|packet| {
            let Some(packet) = packet else { return Ok(None) };
            self.packets_left =
                self.packets_left.checked_sub(1).ok_or(DecodeError::TooManyPackets)?;
            Ok(Some(packet))
        });
        self.ended = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

impl Body {
    fn is_empty(&self) -> bool {
        match self {
            Self::V4(text) | Self::V3Text(text) => text.is_empty(),
            Self::V3Binary(bytes) => bytes.is_empty(),
        }
    }
}

/// What the `Content-Type` of an encoded payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a payload is text or bytes")]
pub enum ContentType {
    /// The text forms.
    TextPlain,
    /// The binary form of protocol 3.
    OctetStream,
}

impl ContentType {
    /// The header's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TextPlain => "text/plain; charset=UTF-8",
            Self::OctetStream => "application/octet-stream",
        }
    }
}

/// Appends the packets as one payload, in the form that protocol and content ask for.
///
/// `b64` is the session's wish for text only; protocol 4 has no other form.
// Engine.IO v3: payload, one binary packet makes the whole payload binary
pub fn encode(
    protocol: Protocol,
    b64: bool,
    packets: &[Outgoing],
    out: &mut Vec<u8>,
) -> ContentType {
    out.reserve(packets.iter().map(|packet| packet.size() + FRAMING).sum());
    let is_binary = |part| matches!(part, Part::Binary(_));
    match protocol {
        Protocol::V4 => v4::encode(packets, out),
        Protocol::V3 if !b64 && packets.iter().flat_map(Outgoing::parts).any(is_binary) => {
            v3::encode_binary(packets, out);
            return ContentType::OctetStream;
        }
        Protocol::V3 => v3::encode_text(packets, out),
    }
    ContentType::TextPlain
}

/// Bytes that a packet takes beside its contents, more or less.
const FRAMING: usize = 16;

/// The body as text; copied only if it is shared or has something to replace.
fn into_text(body: Bytes) -> String {
    String::from_utf8(body.into())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
