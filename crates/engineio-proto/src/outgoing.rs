//! A packet encoded once, on its way to any number of receivers.
//!
//! What the layer above sends is one text (or one binary) message and its attachments, which stay
//! adjacent on every connection. The text lies behind a little headroom, so that the WebSocket
//! header, the packet type and the text are one slice:
//!
//! ```text
//!   buffer  | unused | WebSocket header (2, 4 or 10) | '4' | text ...              |
//!                    ^ frame                         ^ digit                       ^ end
//! ```
//!
//! The WebSocket frame is the slice from `frame`, the packet of a polling payload the slice from
//! `digit`. Both protocols have the same text, so one `Outgoing` serves all clients. Queues hold a
//! pointer to it; nothing is copied per receiver until it is written. A compressed form is made when
//! the first receiver with the extension is written to, see [`Deflated`].

use std::sync::Arc;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};

use crate::guard;
use crate::packet::{BASE64, PacketType, Protocol};
use crate::websocket::frame::{self, Opcode};

mod backlog;
mod deflated;
mod forms;
mod prefixed;

pub use backlog::Backlog;
pub use forms::Deflated;

use backlog::Counted;
use forms::Forms;

/// Bytes that must be free in front of the text given to [`Outgoing::message`]: the longest
/// WebSocket header of a server and the packet type.
pub const HEADROOM: usize = frame::MAX_HEADER + 1;

/// One packet with its attachments, encoded, shared by pointer.
#[derive(Clone, Debug)]
pub struct Outgoing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    head: Head,
    attachments: Vec<Bytes>,
    droppable: bool,
    when_full: Option<OverflowPolicy>,
    compress: bool,
    volatile: bool,
    /// The compressed forms.
    deflated: Forms,
    backlog: Counted,
}

#[derive(Debug)]
enum Head {
    Text {
        buffer: Vec<u8>,
        frame: usize,
        digit: usize,
    },
    Binary(Bytes),
    /// A whole WebSocket control frame; no Engine.IO packet.
    Control(Vec<u8>),
    /// The whole as WebSocket frames, for one connection; `size` is that of the packet it was.
    Frames {
        frames: Vec<u8>,
        size: usize,
    },
}

/// What happens when a client's queue is full: for all that it is sent, or for one packet. Only
/// events are ever dropped, whole ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// The session ends with the reason `transport error`, detail `SlowConsumer`. A packet with
    /// this policy is never dropped.
    #[default]
    Disconnect,
    /// The new packet is dropped.
    DropNewest,
    /// The oldest packets that may be dropped make room for the new one: those whose policy is not
    /// [`OverflowPolicy::Disconnect`]. If that is not enough, the new one is dropped.
    DropOldest,
}

/// One Engine.IO packet of an [`Outgoing`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the protocols have text and binary, nothing else")]
pub enum Part<'a> {
    /// A text packet with its type digit; UTF-8.
    Text(&'a [u8]),
    /// The bytes of a binary message, without a type.
    Binary(&'a [u8]),
}

impl Inner {
    fn size(&self) -> usize {
        let head = match &self.head {
            Head::Text { buffer, digit, .. } => buffer.len() - digit,
            Head::Binary(bytes) => bytes.len(),
            Head::Control(frame) => frame.len(),
            Head::Frames { size, .. } => *size,
        };
        head + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        guard::assert_no_lock();
        self.backlog.leave(|| self.size());
        // Bytes may have an owner (`Bytes::from_owner`), whose destructor is code of the user.
        if !self.attachments.is_empty() {
            guard::let_go_each(std::mem::take(&mut self.attachments));
        }
        if let Head::Binary(bytes) = &mut self.head {
            guard::let_go(std::mem::take(bytes));
        }
    }
}

impl Outgoing {
    /// A message: the text from `start` to the end of `buffer`, then the attachments.
    ///
    /// The text must be UTF-8: the layer above writes it from strings.
    ///
    /// # Panics
    /// If fewer than [`HEADROOM`] bytes lie before `start`.
    #[must_use]
    pub fn message(buffer: Vec<u8>, start: usize, attachments: Vec<Bytes>) -> Self {
        assert!(start >= HEADROOM && start <= buffer.len(), "no room for the frame header");
        debug_assert!(std::str::from_utf8(&buffer[start..]).is_ok(), "text of a message is UTF-8");
        Self::text(PacketType::Message, buffer, start, attachments)
    }

    /// A binary message, as binary parsers send.
    #[must_use]
    pub fn binary_message(bytes: Bytes) -> Self {
        Self::new(Head::Binary(bytes), Vec::new())
    }

    /// A packet of the engine's own, such as a ping.
    #[must_use]
    pub fn packet(kind: PacketType, text: &str) -> Self {
        let mut buffer = Vec::with_capacity(HEADROOM + text.len());
        buffer.resize(HEADROOM, 0);
        buffer.extend_from_slice(text.as_bytes());
        Self::text(kind, buffer, HEADROOM, Vec::new())
    }

    /// A WebSocket control frame, header and all, to be written between two messages.
    #[must_use]
    pub fn control_frame(frame: Vec<u8>) -> Self {
        Self::new(Head::Control(frame), Vec::new())
    }

    fn text(kind: PacketType, mut buffer: Vec<u8>, start: usize, attachments: Vec<Bytes>) -> Self {
        let digit = start - 1;
        buffer[digit] = kind.digit();
        let (header, length) = frame::header(Opcode::Text, buffer.len() - digit, false);
        let frame = digit - length;
        buffer[frame..digit].copy_from_slice(&header[..length]);
        Self::new(Head::Text { buffer, frame, digit }, attachments)
    }

    fn new(head: Head, attachments: Vec<Bytes>) -> Self {
        Self(Arc::new(Inner {
            head,
            attachments,
            droppable: false,
            when_full: None,
            compress: true,
            volatile: false,
            deflated: Forms::default(),
            backlog: Counted::default(),
        }))
    }

    /// Says what a full queue may do with the packet: events may be dropped as a whole, packets
    /// that carry state (the default) never.
    #[must_use]
    pub fn droppable(self, droppable: bool) -> Self {
        self.with(|inner| inner.droppable = droppable)
    }

    /// Says what happens for this packet when the queue is full, instead of what holds for the
    /// connection. It concerns packets that may be dropped.
    #[must_use]
    pub fn when_full(self, policy: Option<OverflowPolicy>) -> Self {
        self.with(|inner| inner.when_full = policy)
    }

    /// Says whether the packet asks for compression (the default) where the transport offers it.
    #[must_use]
    pub fn compress(self, compress: bool) -> Self {
        self.with(|inner| inner.compress = compress)
    }

    /// Says whether the packet is dropped unless it can leave at once (false).
    #[must_use]
    pub fn volatile(self, volatile: bool) -> Self {
        self.with(|inner| inner.volatile = volatile)
    }

    fn with(mut self, set: impl FnOnce(&mut Inner)) -> Self {
        set(Arc::get_mut(&mut self.0).expect("flags are set before the packet is shared"));
        self
    }

    /// Overwrites the bytes of the text, or of the binary message, that end `before_end` bytes before its
    /// end: for what is known only when all before it has been sent. As many bytes as were there, so that
    /// it is UTF-8 still.
    ///
    /// # Panics
    /// If the packet is shared, has no text or one that is shorter.
    pub fn fill_in(&mut self, before_end: usize, bytes: &[u8]) {
        let inner = Arc::get_mut(&mut self.0).expect("what is filled in is not shared yet");
        match &mut inner.head {
            Head::Text { buffer, digit, .. } => {
                let end = buffer.len() - before_end;
                let start = end - bytes.len();
                assert!(start > *digit, "the text is long enough");
                buffer[start..end].copy_from_slice(bytes);
            }
            Head::Binary(message) => {
                let mut buffer = BytesMut::from(std::mem::take(message));
                let end = buffer.len() - before_end;
                buffer[end - bytes.len()..end].copy_from_slice(bytes);
                *message = buffer.freeze();
            }
            _ => panic!("only messages are filled in"),
        }
    }

    /// A binary message that is this one, changed. It is a copy.
    ///
    /// # Panics
    /// If the packet is no binary message.
    #[must_use]
    pub fn with_bytes(&self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let Head::Binary(bytes) = &self.0.head else { panic!("only binary messages are changed") };
        let mut copy = bytes.to_vec();
        change(&mut copy);
        Self::binary_message(copy.into()).like(self)
    }

    /// With the flags of another.
    fn like(self, other: &Self) -> Self {
        let other = &other.0;
        self.droppable(other.droppable)
            .when_full(other.when_full)
            .volatile(other.volatile)
            .compress(other.compress)
    }

    /// The same packet with another end: the last `cut` bytes of the text replaced. It is a copy, but
    /// for the attachments.
    ///
    /// # Panics
    /// If the packet has no text or one that is shorter.
    #[must_use]
    pub fn with_end(&self, cut: usize, end: &str) -> Self {
        let Head::Text { buffer, digit, .. } = &self.0.head else {
            panic!("only texts have an end")
        };
        let kept = &buffer[digit + 1..buffer.len() - cut];
        let mut copy = Vec::with_capacity(HEADROOM + kept.len() + end.len());
        copy.resize(HEADROOM, 0);
        copy.extend_from_slice(kept);
        copy.extend_from_slice(end.as_bytes());
        Self::message(copy, HEADROOM, self.0.attachments.clone()).like(self)
    }

    /// Whether a full queue may drop the packet.
    #[must_use]
    pub fn is_droppable(&self) -> bool {
        self.0.droppable
    }

    /// What happens for this packet when the queue is full, if it says so itself.
    #[must_use]
    pub fn policy(&self) -> Option<OverflowPolicy> {
        self.0.when_full
    }

    /// Whether the packet asks for compression.
    #[must_use]
    pub fn wants_compression(&self) -> bool {
        self.0.compress
    }

    /// Whether the packet is dropped unless it can leave at once.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.0.volatile
    }

    /// Whether this is a WebSocket control frame.
    #[must_use]
    pub fn is_control_frame(&self) -> bool {
        matches!(self.0.head, Head::Control(_))
    }

    /// Whether this is a message, or some of its frames: no packet of the engine's own.
    #[must_use]
    pub fn is_message(&self) -> bool {
        match &self.0.head {
            Head::Text { buffer, digit, .. } => buffer[*digit] == PacketType::Message.digit(),
            Head::Binary(_) | Head::Frames { .. } => true,
            Head::Control(_) => false,
        }
    }

    /// Bytes that the packet counts for in a queue: its text and attachments.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Counts the packet in a backlog, unless it is counted already. True: it was not.
    ///
    /// Packets that are written at once need not be counted; so most touch nothing shared.
    pub fn count_in(&self, backlog: &Backlog) -> bool {
        self.0.backlog.enter(backlog, || self.size())
    }

    /// The Engine.IO packets, in order: the head, then the attachments.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let head = match &self.0.head {
            Head::Text { buffer, digit, .. } => Some(Part::Text(&buffer[*digit..])),
            Head::Binary(bytes) => Some(Part::Binary(bytes)),
            Head::Control(_) | Head::Frames { .. } => None,
        };
        head.into_iter().chain(self.0.attachments.iter().map(|bytes| Part::Binary(bytes)))
    }

    /// How many Engine.IO packets it is.
    #[must_use]
    pub fn part_count(&self) -> usize {
        let head = !matches!(self.0.head, Head::Control(_) | Head::Frames { .. });
        usize::from(head) + self.0.attachments.len()
    }

    /// The first `count` Engine.IO packets, and those behind them, where both are some. Neither may
    /// be dropped, as the receiver could not tell what it got.
    ///
    /// The text is copied: it is for the rare packet that is too long for one answer.
    #[must_use]
    pub fn split(&self, count: usize) -> Option<(Self, Self)> {
        let (first, rest) = self.0.attachments.split_at_checked(count.checked_sub(1)?)?;
        let (next, rest) = rest.split_first()?;
        let head = match &self.0.head {
            Head::Text { buffer, frame, digit } => {
                Head::Text { buffer: buffer.clone(), frame: *frame, digit: *digit }
            }
            Head::Binary(bytes) => Head::Binary(bytes.clone()),
            Head::Control(_) | Head::Frames { .. } => return None,
        };
        let first = Self::new(head, first.to_vec()).compress(self.0.compress);
        let rest = Self::new(Head::Binary(next.clone()), rest.to_vec()).compress(self.0.compress);
        Some((first, rest))
    }

    /// The whole as WebSocket frames if they lie ready as one slice: a text without attachments,
    /// or frames already.
    #[must_use]
    pub fn ready_frame(&self) -> Option<&[u8]> {
        match &self.0.head {
            Head::Text { buffer, frame, .. } if self.0.attachments.is_empty() => {
                Some(&buffer[*frame..])
            }
            Head::Control(frames) | Head::Frames { frames, .. } => Some(frames),
            _ => None,
        }
    }

    /// The number of bytes that [`Outgoing::write_frames`] appends.
    #[must_use]
    pub fn frames_len(&self, protocol: Protocol, base64: bool) -> usize {
        let text = match &self.0.head {
            Head::Text { buffer, frame, .. } => buffer.len() - frame,
            Head::Control(frames) | Head::Frames { frames, .. } => frames.len(),
            Head::Binary(_) => 0,
        };
        let binary = |bytes: &[u8]| match base64 {
            true => base64_len(protocol, bytes.len()),
            false => usize::from(protocol == Protocol::V3) + bytes.len(),
        };
        self.parts().fold(text, |sum, part| match part {
            Part::Text(_) => sum,
            Part::Binary(bytes) => {
                let payload = binary(bytes);
                sum + frame::header(Opcode::Binary, payload, false).1 + payload
            }
        })
    }

    /// Appends the whole as WebSocket frames. With `base64` binary goes as text.
    // Engine.IO v3 and v4: WebSocket, b64
    pub fn write_frames(&self, protocol: Protocol, base64: bool, out: &mut Vec<u8>) {
        match &self.0.head {
            Head::Text { buffer, frame, .. } => out.extend_from_slice(&buffer[*frame..]),
            Head::Control(frames) | Head::Frames { frames, .. } => out.extend_from_slice(frames),
            Head::Binary(_) => {}
        }
        for part in self.parts() {
            let Part::Binary(bytes) = part else { continue };
            if base64 {
                let (header, length) =
                    frame::header(Opcode::Text, base64_len(protocol, bytes.len()), false);
                out.extend_from_slice(&header[..length]);
                write_base64(protocol, bytes, out);
            } else {
                let kind = usize::from(protocol == Protocol::V3);
                let (header, length) = frame::header(Opcode::Binary, kind + bytes.len(), false);
                out.extend_from_slice(&header[..length]);
                if protocol == Protocol::V3 {
                    out.push(PacketType::Message as u8);
                }
                out.extend_from_slice(bytes);
            }
        }
    }
}

impl Part<'_> {
    /// Bytes of the packet, its type digit included.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub const fn len(self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// The mark in front of base64: `b` and, in protocol 3, the type.
const fn base64_mark(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::V3 => b"b4",
        Protocol::V4 => b"b",
    }
}

/// The length of a binary message of `len` bytes in its base64 text form.
pub(crate) const fn base64_len(protocol: Protocol, len: usize) -> usize {
    base64_mark(protocol).len() + len.div_ceil(3) * 4
}

/// Appends a binary message in its base64 text form.
pub(crate) fn write_base64(protocol: Protocol, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(base64_mark(protocol));
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, attachments: &[&'static [u8]]) -> Outgoing {
        // more headroom than needed, as a caller has that writes a variable prefix
        let mut buffer = vec![0; HEADROOM + 3];
        buffer.extend_from_slice(text.as_bytes());
        Outgoing::message(
            buffer,
            HEADROOM + 3,
            attachments.iter().map(|a| Bytes::from_static(a)).collect(),
        )
    }

    #[track_caller]
    fn frames(outgoing: &Outgoing, protocol: Protocol, base64: bool, expected: &[u8]) {
        let mut out = Vec::new();
        outgoing.write_frames(protocol, base64, &mut out);
        assert_eq!(out, expected);
        assert_eq!(outgoing.frames_len(protocol, base64), expected.len());
    }

    #[test]
    fn a_text_is_one_ready_frame() {
        let out = message("2[\"a\"]", &[]);
        assert_eq!(out.ready_frame(), Some(&b"\x81\x0742[\"a\"]"[..]));
        frames(&out, Protocol::V3, false, b"\x81\x0742[\"a\"]");
        frames(&out, Protocol::V4, true, b"\x81\x0742[\"a\"]");
        assert_eq!(out.size(), 7);
    }

    #[test]
    fn longer_headers_fit_the_headroom() {
        let text = "x".repeat(125); // 126 with the type
        assert_eq!(message(&text, &[]).ready_frame().unwrap()[..5], *b"\x81\x7e\x00\x7e4");
        let text = "x".repeat(65_535);
        let out = message(&text, &[]);
        assert_eq!(out.ready_frame().unwrap()[..11], *b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x004");
    }

    #[test]
    fn attachments_follow_their_text() {
        let out = message("51-[]", &[&[1, 2]]);
        assert_eq!(out.ready_frame(), None);
        frames(&out, Protocol::V4, false, b"\x81\x06451-[]\x82\x02\x01\x02");
        frames(&out, Protocol::V3, false, b"\x81\x06451-[]\x82\x03\x04\x01\x02"); // a byte 4 in front
        frames(&out, Protocol::V4, true, b"\x81\x06451-[]\x81\x05bAQI=");
        frames(&out, Protocol::V3, true, b"\x81\x06451-[]\x81\x06b4AQI=");
        assert_eq!((out.size(), out.parts().count()), (8, 2));
    }

    #[test]
    fn a_packet_is_cut_between_its_parts() {
        let out =
            message("51-[]", &[b"a", b"b", b"c"]).droppable(true).compress(false).volatile(true);
        assert_eq!(out.part_count(), out.parts().count());
        for count in [0, 4, 5] {
            assert!(out.split(count).is_none(), "{count}");
        }
        for count in 1..4 {
            let (first, rest) = out.split(count).unwrap();
            assert_eq!((first.part_count(), rest.part_count()), (count, 4 - count));
            assert_eq!(first.size() + rest.size(), out.size());
            let (mut both, mut whole) = (Vec::new(), Vec::new());
            [&first, &rest].iter().for_each(|o| o.write_frames(Protocol::V3, false, &mut both));
            out.write_frames(Protocol::V3, false, &mut whole);
            assert_eq!(both, whole);
            assert!(
                ![&first, &rest]
                    .iter()
                    .any(|o| o.is_droppable() || o.wants_compression() || o.is_volatile())
            );
        }
        assert!(message("2", &[]).split(1).is_none());
        assert!(Outgoing::control_frame(vec![0x89, 0]).split(1).is_none());
        assert_eq!(Outgoing::control_frame(vec![0x89, 0]).part_count(), 0);
    }

    #[test]
    fn messages_are_told_from_packets_of_the_engine() {
        let binary = Outgoing::binary_message(Bytes::from_static(b"2"));
        let (first, rest) = message("2", &[b"a", b"b"]).split(2).unwrap();
        assert!([message("2", &[]), binary, first, rest].iter().all(Outgoing::is_message));
        let ping = Outgoing::packet(PacketType::Ping, "4");
        assert!(![ping, Outgoing::control_frame(vec![0x89, 0])].iter().any(Outgoing::is_message));
    }

    #[test]
    fn the_end_of_a_text_is_filled_in_and_replaced() {
        let mut out = message("51-[\"a\",\"--\"]", &[b"x"]).droppable(true).compress(false);
        out.fill_in(2, b"17");
        let text = |out: &Outgoing| match out.parts().next() {
            Some(Part::Text(text)) => String::from_utf8(text.to_vec()).unwrap(),
            _ => unreachable!("it has a text"),
        };
        assert_eq!(text(&out), "451-[\"a\",\"17\"]");
        let plain = out.with_end(6, "]");
        assert_eq!((text(&plain), plain.part_count()), ("451-[\"a\"]".to_owned(), 2));
        assert!(plain.is_droppable() && !plain.wants_compression());
        frames(&plain, Protocol::V4, false, b"\x81\x09451-[\"a\"]\x82\x01x");
    }

    #[test]
    #[should_panic(expected = "not shared yet")]
    fn what_is_shared_is_not_filled_in() {
        let mut out = message("2[\"a\"]", &[]);
        let other = out.clone();
        out.fill_in(2, b"b");
        drop(other);
    }

    #[test]
    fn packets_of_the_engine() {
        assert_eq!(Outgoing::packet(PacketType::Ping, "").ready_frame(), Some(&b"\x81\x012"[..]));
        assert_eq!(
            Outgoing::packet(PacketType::Pong, "probe").ready_frame(),
            Some(&b"\x81\x063probe"[..])
        );
    }

    #[test]
    fn control_frames_are_no_packets() {
        let out = Outgoing::control_frame(b"\x8a\x01x".to_vec());
        frames(&out, Protocol::V4, false, b"\x8a\x01x");
        assert_eq!((out.size(), out.parts().count()), (3, 0));
    }

    #[test]
    fn binary_messages() {
        let out = Outgoing::binary_message(Bytes::from_static(&[7]));
        frames(&out, Protocol::V4, false, b"\x82\x01\x07");
        frames(&out, Protocol::V3, false, b"\x82\x02\x04\x07");
    }
}
