//! Bytes as they arrive -> messages, pings and the close.
//!
//! The transport reads into a buffer that belongs to no connection and feeds it here. What is
//! complete is unmasked and read in place: text is borrowed from the buffer, binary copied once. Only
//! what the end of the buffer cuts off is moved to a box, which lives until the rest has come:
//!
//! ```text
//!              +-> all of a frame in the buffer -------------------------> Event (borrows buffer)
//!   header ----+                                                             ^
//!     |        +-> part of it, or of a longer message -> Message ------------+ (borrows Messages)
//!     |                                                    ^  |
//!     +-- cut off: Cut.header          next frame, part ---+--+ Cut.message, Cut.frame
//! ```
//!
//! Nearly all messages are one small frame that lies whole in the buffer: these are taken at once,
//! by [`Decoder::take_whole`]; all else goes the way that is drawn here.
//!
//! So an idle connection costs the few words of [`Decoder`]. The payload is unmasked, and text
//! checked, as it arrives; a compressed message is inflated, and then checked, when all of it is
//! there. Answers to pings and closes are up to the transport.
//!
//! Invariants: sizes are checked when a header is complete, before its payload is waited for;
//! nothing is reserved for announced bytes alone; nothing is yielded after a close or a violation.
//! The limit of a compressed message holds twice: for its bytes on the wire, and inflated.

use std::borrow::Cow;
use std::mem;

use bytes::Bytes;

use super::close;
use super::deflate::{self, Inflater};
use super::extensions::Agreement;
use super::frame::{self, Opcode};
use super::message::{Complete, INVALID_TEXT, Message};
use crate::error::Violation;

/// The decoder of one connection.
#[derive(Debug)]
pub struct Decoder {
    max_message: usize,
    max_frames: usize,
    cut: Option<Box<Cut>>,
    inflation: Inflation,
    /// The context of compressed messages, from the first one on.
    context: Option<Box<Inflater>>,
    /// Messages are not kept.
    skips: bool,
    ended: bool,
}

/// How compressed messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inflation {
    /// No extension is agreed on.
    Off,
    /// Each by itself.
    Alone,
    /// Each with those before it in mind.
    InContext,
    /// Not at all: they come out empty.
    Skipped,
}

/// What is not complete at the end of a buffer.
#[derive(Debug, Default)]
struct Cut {
    /// The first `header_len` bytes of a header.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// The payload so far, if it is a control frame.
    control: Vec<u8>,
    /// The message so far; there may be control frames in between.
    message: Option<Message>,
}

/// A frame whose header was read and allowed.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    is_last: bool,
    is_deflated: bool,
    mask: [u8; 4],
    len: usize,
    received: usize,
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the RFC has these, and the extension adds none")]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(Bytes),
    /// A ping, to be answered by a pong with the same bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The client closes, with a code and a reason if it gave a code. The last event.
    Close(Option<(u16, &'a str)>),
}

/// The events in one buffer of input; see [`Decoder::feed`].
#[derive(Debug)]
pub struct Messages<'d, 'b> {
    decoder: &'d mut Decoder,
    input: &'b mut [u8],
    /// What the last event borrows from.
    current: Option<Complete<'b>>,
}

impl Decoder {
    /// A decoder at the first byte after the handshake. `max_message` bounds the bytes of a message,
    /// `max_frames` its frames.
    #[must_use]
    pub const fn new(max_message: usize, max_frames: usize) -> Self {
        Self {
            max_message,
            max_frames,
            cut: None,
            inflation: Inflation::Off,
            context: None,
            skips: false,
            ended: false,
        }
    }

    /// Takes compressed messages, too, as the handshake agreed.
    #[must_use]
    pub fn with_deflate(mut self, agreement: &Agreement) -> Self {
        self.inflation = match agreement.takeover.client {
            true => Inflation::InContext,
            false => Inflation::Alone,
        };
        self
    }

    /// Saves work and memory, where nobody looks at messages any more: compressed ones, and those that
    /// do not lie whole in a buffer, come out empty.
    pub fn skip_messages(&mut self) {
        if self.inflation != Inflation::Off {
            self.inflation = Inflation::Skipped;
            self.context = None;
        }
        self.skips = true;
        if let Some(message) = self.cut.as_mut().and_then(|cut| cut.message.as_mut()) {
            message.forget();
        }
    }

    /// Bytes that are reserved for a message that has begun.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        let Some(cut) = self.cut.as_ref().filter(|_| !self.skips) else { return 0 };
        let message = cut.message.as_ref().map_or(0, Message::capacity);
        size_of::<Cut>() + cut.control.capacity() + message
    }

    /// Takes the next bytes of the connection. The events must be drained: what is left in the
    /// buffer when [`Messages`] is dropped is lost, but for what [`Messages::rest`] gives back.
    pub fn feed<'d, 'b>(&'d mut self, input: &'b mut [u8]) -> Messages<'d, 'b> {
        Messages { decoder: self, input, current: None }
    }

    /// Whether nothing is cut off: the connection is between two messages.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.cut.is_none()
    }

    /// Takes a message of one frame that is not compressed and lies whole in the input, without its
    /// mask. Nothing is taken of a frame of another kind, of 64 KiB or more, or that breaks a rule
    /// or a limit.
    // RFC 6455 5.2
    fn take_whole<'b>(&self, input: &mut &'b mut [u8]) -> Option<(Opcode, &'b mut [u8])> {
        const TEXT: u8 = frame::FIN | Opcode::Text as u8;
        const BINARY: u8 = frame::FIN | Opcode::Binary as u8;
        let [first, second, rest @ ..] = &**input else { return None };
        let opcode = match *first {
            TEXT => Opcode::Text,
            BINARY => Opcode::Binary,
            _ => return None,
        };
        let (len, rest) = match second.checked_sub(frame::MASKED)? {
            frame::LENGTH_64 => return None,
            frame::LENGTH_16 => {
                let (len, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*len)), rest)
            }
            short => (usize::from(short), rest),
        };
        let (mask, payload) = rest.split_first_chunk()?;
        let is_allowed = self.cut.is_none() && len <= self.max_message && self.max_frames > 0;
        if !is_allowed || payload.len() < len {
            return None;
        }
        let (mask, header_len) = (*mask, input.len() - payload.len());
        take(input, header_len);
        let payload = take(input, len);
        frame::unmask(payload, mask, 0);
        Some((opcode, payload))
    }

    /// Reads frames until a message or a control frame is complete or the input is used up.
    fn advance<'b>(&mut self, input: &mut &'b mut [u8]) -> Result<Option<Complete<'b>>, Violation> {
        while !input.is_empty() {
            let frame = match self.cut.as_mut().and_then(|cut| cut.frame.take()) {
                Some(frame) => frame,
                None => match self.read_header(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            // a frame without payload is complete even if the input ends here
            if let Some(complete) = self.read_payload(frame, input)? {
                self.release();
                return Ok(Some(complete));
            }
        }
        Ok(None)
    }

    /// Reads a header, or sets aside what there is of it.
    fn read_header(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Violation> {
        // only a header that was cut off is put together outside of the input
        let mut joined = [0; MAX_HEADER];
        let (bytes, old) = match self.cut.as_ref().map_or(0, |cut| cut.header_len) {
            0 => (&**input, 0),
            old => {
                let new = input.len().min(MAX_HEADER - old);
                joined[..old].copy_from_slice(&self.cut().header[..old]);
                joined[old..old + new].copy_from_slice(&input[..new]);
                (&joined[..old + new], old)
            }
        };
        let deflates = self.inflation != Inflation::Off;
        let Some((header, len)) = Header::parse(bytes, deflates)? else {
            let cut = self.cut();
            cut.header[..bytes.len()].copy_from_slice(bytes);
            cut.header_len = bytes.len();
            *input = &mut [];
            return Ok(None);
        };
        if old > 0 {
            self.cut().header_len = 0;
        }
        take(input, len - old);
        self.begin(header).map(Some)
    }

    /// Checks a header against the message that it belongs to.
    fn begin(&mut self, header: Header) -> Result<Frame, Violation> {
        let Header { opcode, is_last, is_deflated, mask, len } = header;
        let message = self.cut.as_mut().and_then(|cut| cut.message.as_mut());
        // RFC 6455 5.4
        let (size, frames) = match (opcode, &message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => (0, 0),
            (Opcode::Continuation, Some(message)) => (message.size, message.frames),
            (Opcode::Continuation, None) => {
                return Err(Violation::protocol("continuation of no message"));
            }
            (Opcode::Text | Opcode::Binary, None) => (0, 0),
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::protocol("message inside a fragmented message"));
            }
        };
        // a control frame, at most 125 bytes, is no message and under no limit
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let size = size.saturating_add(len);
        if !opcode.is_control() {
            if size > self.max_message {
                return Err(Violation::size("message too large"));
            }
            if frames >= self.max_frames {
                return Err(Violation::policy("too many frames in a message"));
            }
        }
        if let (Opcode::Continuation, Some(message)) = (opcode, message) {
            message.size = size;
            message.frames += 1;
        }
        Ok(Frame { opcode, is_last, is_deflated, mask, len, received: 0 })
    }

    /// Reads the payload, or what there is of it.
    fn read_payload<'b>(
        &mut self,
        mut frame: Frame,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Complete<'b>>, Violation> {
        let part = take(input, frame.len - frame.received);
        frame::unmask(part, frame.mask, frame.received);
        let part: &'b [u8] = part;
        frame.received += part.len();
        let to_come = frame.len - frame.received;
        let is_last = frame.is_last;
        let is_whole = part.len() == frame.len;
        if part.is_empty() && !is_whole {
            // only the header so far: the payload may still come in one piece
            self.cut().frame = Some(frame);
            return Ok(None);
        }

        let message = match frame.opcode {
            control @ (Opcode::Close | Opcode::Ping | Opcode::Pong) => {
                if is_whole {
                    return Ok(Some(Complete::Control(control, Cow::Borrowed(part))));
                }
                let cut = self.cut();
                cut.control.extend_from_slice(part);
                if to_come > 0 {
                    cut.frame = Some(frame);
                    return Ok(None);
                }
                let payload = mem::take(&mut cut.control);
                return Ok(Some(Complete::Control(control, Cow::Owned(payload))));
            }
            opcode if frame.is_deflated => {
                let is_text = opcode == Opcode::Text;
                if is_whole && is_last {
                    return Complete::inflated(self.inflate(part)?, is_text).map(Some);
                }
                Message::deflated(is_text, frame.len)
            }
            Opcode::Text if is_whole && is_last => {
                // RFC 6455 8.1
                let text = std::str::from_utf8(part).map_err(|_| INVALID_TEXT)?;
                return Ok(Some(Complete::Text(Cow::Borrowed(text))));
            }
            Opcode::Binary if is_whole && is_last => {
                return Ok(Some(Complete::Binary(Bytes::copy_from_slice(part))));
            }
            Opcode::Text => Message::text(frame.len),
            // of a continuation there is a message already
            Opcode::Binary | Opcode::Continuation => Message::binary(frame.len),
        };

        let skips = self.skips;
        let cut = self.cut();
        let message = cut.message.get_or_insert(message);
        if !skips {
            message.push(part, is_last.then_some(to_come))?;
        }
        if to_come > 0 {
            cut.frame = Some(frame);
            return Ok(None);
        }
        if !is_last {
            return Ok(None);
        }
        let message = cut.message.take();
        message.map(|message| message.finish(|payload| self.inflate(payload))).transpose()
    }

    /// Inflates the payload of a message.
    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, Violation> {
        match self.inflation {
            Inflation::Off | Inflation::Skipped => Ok(Vec::new()),
            Inflation::Alone => deflate::inflate(payload, self.max_message),
            Inflation::InContext => {
                let context = self.context.get_or_insert_with(|| Box::new(Inflater::new()));
                context.message(payload, self.max_message)
            }
        }
    }

    /// Where to put what is cut off.
    fn cut(&mut self) -> &mut Cut {
        self.cut.get_or_insert_default()
    }

    /// Frees the box if it holds nothing: after a complete frame there is no header and no frame
    /// in it, but there may be a message.
    fn release(&mut self) {
        if self.cut.as_ref().is_some_and(|cut| cut.message.is_none()) {
            self.cut = None;
        }
    }
}

impl Messages<'_, '_> {
    /// The next event; `None` when the buffer is used up, and for ever after the end.
    ///
    /// # Errors
    /// The client broke a rule or a limit; nothing follows.
    #[expect(clippy::should_implement_trait, reason = "events borrow from the decoder")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Violation> {
        if self.decoder.ended {
            return Ok(None);
        }
        match self.decoder.take_whole(&mut self.input) {
            None => {}
            Some((Opcode::Text, payload)) => {
                let text = std::str::from_utf8(payload).map_err(|_| {
                    self.end();
                    INVALID_TEXT
                })?;
                return Ok(Some(Event::Text(text)));
            }
            Some((_, payload)) => return Ok(Some(Event::Binary(Bytes::copy_from_slice(payload)))),
        }
        self.current = match self.decoder.advance(&mut self.input) {
            Ok(complete) => complete,
            Err(violation) => {
                self.end();
                return Err(violation);
            }
        };
        // RFC 6455 5.5.1: no data follows a close frame
        if let Some(Complete::Control(Opcode::Close, _)) = self.current {
            self.end();
        }
        Ok(Some(match &mut self.current {
            None => return Ok(None),
            Some(Complete::Text(text)) => Event::Text(text),
            Some(Complete::Binary(bytes)) => Event::Binary(mem::take(bytes)),
            Some(Complete::Control(Opcode::Ping, payload)) => Event::Ping(payload),
            Some(Complete::Control(Opcode::Close, payload)) => Event::Close(close::parse(payload)?),
            Some(Complete::Control(_, _)) => Event::Pong,
        }))
    }

    /// Stops between two events: the bytes that were not looked at, to be fed again later.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.input
    }

    fn end(&mut self) {
        self.decoder.ended = true;
        self.decoder.cut = None;
        self.decoder.context = None;
    }
}

/// A header that obeys the rules for one frame.
#[derive(Clone, Copy)]
struct Header {
    opcode: Opcode,
    is_last: bool,
    is_deflated: bool,
    mask: [u8; 4],
    len: u64,
}

impl Header {
    /// The header and its length in bytes; `None` if it is cut off. What can be refused by the first
    /// two bytes is.
    // RFC 6455 5.2
    fn parse(bytes: &[u8], deflates: bool) -> Result<Option<(Self, usize)>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let is_last = first & frame::FIN != 0;
        let short = second & !frame::MASKED;
        let Some(opcode) = Opcode::from_first_byte(*first) else {
            return Err(Violation::protocol("unknown opcode"));
        };
        let is_deflated = match first & frame::RESERVED {
            0 => false,
            // RFC 7692 6.1: on the first frame of a message
            frame::RSV1 if deflates && matches!(opcode, Opcode::Text | Opcode::Binary) => true,
            frame::RSV1 if deflates => {
                return Err(Violation::protocol("reserved bit on a frame that begins no message"));
            }
            _ => return Err(Violation::protocol("reserved bit without an extension")),
        };
        // RFC 6455 5.1
        if second & frame::MASKED == 0 {
            return Err(Violation::protocol("frame without a mask"));
        }
        // RFC 6455 5.5
        if opcode.is_control() {
            if !is_last {
                return Err(Violation::protocol("fragmented control frame"));
            }
            if usize::from(short) > frame::MAX_CONTROL {
                return Err(Violation::protocol("control frame too long"));
            }
        }
        // a longer form than needed is accepted, as the reference does
        let (len, rest) = match short {
            frame::LENGTH_16 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u16::from_be_bytes(*len).into(), rest)
            }
            frame::LENGTH_64 => {
                let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*len), rest)
            }
            short => (short.into(), rest),
        };
        if len > u64::MAX / 2 {
            return Err(Violation::protocol("length with its highest bit set"));
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let header = Self { opcode, is_last, is_deflated, mask: *mask, len };
        Ok(Some((header, bytes.len() - rest.len())))
    }
}

/// Takes at most `len` bytes from the front of the input.
fn take<'b>(input: &mut &'b mut [u8], len: usize) -> &'b mut [u8] {
    let len = len.min(input.len());
    let (front, back) = mem::take(input).split_at_mut(len);
    *input = back;
    front
}

/// The longest header of a frame with a mask.
const MAX_HEADER: usize = frame::MAX_HEADER + 4;

#[cfg(test)]
mod tests;
