//! A message whose frames have not all arrived.
//!
//! Holds what the decoder had to take out of the caller's buffer. Text is checked as it arrives, so
//! that bad bytes end the connection at once and a complete message needs no second look.

use std::borrow::Cow;

use bytes::Bytes;

use super::frame::Opcode;
use crate::error::Violation;

/// A message or a control frame, all of it; borrowed if it was never cut off.
#[derive(Debug)]
pub(super) enum Complete<'b> {
    Text(Cow<'b, str>),
    Binary(Bytes),
    Control(Opcode, Cow<'b, [u8]>),
}

impl Complete<'_> {
    pub(super) fn inflated(mut message: Vec<u8>, is_text: bool) -> Result<Self, Violation> {
        if is_text {
            // RFC 6455 8.1
            let text = String::from_utf8(message).map_err(|_| INVALID_TEXT)?;
            return Ok(Self::Text(Cow::Owned(text)));
        }
        // it may be kept for long, unlike a text
        message.shrink_to_fit();
        Ok(Self::Binary(message.into()))
    }
}

/// The frames of one message so far.
#[derive(Debug)]
pub(super) struct Message {
    content: Content,
    /// Bytes that the headers announced; not more than the limit.
    pub(super) size: usize,
    pub(super) frames: usize,
}

#[derive(Debug)]
enum Content {
    Text(Text),
    Binary(Vec<u8>),
    /// Still compressed, as it takes a context to inflate it: once, when all is there.
    Deflated {
        bytes: Vec<u8>,
        is_text: bool,
    },
}

/// Text whose last character may be cut off.
#[derive(Debug, Default)]
struct Text {
    whole: String,
    /// The first `cut_len` bytes are the beginning of a character.
    cut: [u8; 4],
    cut_len: usize,
}

impl Message {
    pub(super) const fn text(size: usize) -> Self {
        let text = Text { whole: String::new(), cut: [0; 4], cut_len: 0 };
        Self { content: Content::Text(text), size, frames: 1 }
    }

    pub(super) const fn binary(size: usize) -> Self {
        Self { content: Content::Binary(Vec::new()), size, frames: 1 }
    }

    /// A compressed message; `size` counts its bytes on the wire.
    pub(super) const fn deflated(is_text: bool, size: usize) -> Self {
        Self { content: Content::Deflated { bytes: Vec::new(), is_text }, size, frames: 1 }
    }

    /// Appends payload, without its mask. `to_come` bytes follow at most, as far as it is known.
    pub(super) fn push(&mut self, part: &[u8], to_come: Option<usize>) -> Result<(), Violation> {
        match &mut self.content {
            Content::Text(text) => text.push(part, to_come),
            Content::Binary(bytes) | Content::Deflated { bytes, .. } => {
                let spare = bytes.capacity() - bytes.len();
                bytes.reserve_exact(growth(bytes.len(), spare, part.len(), to_come));
                bytes.extend_from_slice(part);
                Ok(())
            }
        }
    }

    /// The message, after its last part.
    pub(super) fn finish(
        self,
        inflate: impl FnOnce(&[u8]) -> Result<Vec<u8>, Violation>,
    ) -> Result<Complete<'static>, Violation> {
        match self.content {
            Content::Deflated { bytes, is_text } => Complete::inflated(inflate(&bytes)?, is_text),
            Content::Text(Text { cut_len: 1.., .. }) => Err(INVALID_TEXT),
            Content::Text(text) => Ok(Complete::Text(Cow::Owned(text.whole))),
            Content::Binary(bytes) => Ok(Complete::Binary(bytes.into())),
        }
    }

    /// Frees the payload so far: the message will not be looked at.
    pub(super) fn forget(&mut self) {
        self.content = match self.content {
            Content::Text(_) => Content::Text(Text::default()),
            Content::Binary(_) => Content::Binary(Vec::new()),
            Content::Deflated { is_text, .. } => Content::Deflated { bytes: Vec::new(), is_text },
        };
    }

    /// Bytes that are reserved.
    pub(super) fn capacity(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.whole.capacity(),
            Content::Binary(bytes) | Content::Deflated { bytes, .. } => bytes.capacity(),
        }
    }
}

impl Text {
    // RFC 6455 8.1, failing as early as the bytes cannot become UTF-8 any more
    fn push(&mut self, mut part: &[u8], to_come: Option<usize>) -> Result<(), Violation> {
        let spare = self.whole.capacity() - self.whole.len();
        let needed = self.cut_len + part.len();
        self.whole.reserve_exact(growth(self.whole.len(), spare, needed, to_come));
        while self.cut_len > 0 {
            let Some((&byte, rest)) = part.split_first() else { return Ok(()) };
            part = rest;
            self.cut[self.cut_len] = byte;
            self.cut_len += 1;
            // four bytes are a character or an error, never a beginning
            match std::str::from_utf8(&self.cut[..self.cut_len]) {
                Ok(character) => {
                    self.whole.push_str(character);
                    self.cut_len = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(INVALID_TEXT),
            }
        }
        let whole = match std::str::from_utf8(part) {
            Ok(whole) => whole,
            Err(error) if error.error_len().is_none() => {
                let (whole, cut) = part.split_at(error.valid_up_to());
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len();
                std::str::from_utf8(whole).expect("valid up to there")
            }
            Err(_) => return Err(INVALID_TEXT),
        };
        self.whole.push_str(whole);
        Ok(())
    }
}

/// How much to reserve for `part` more bytes, none if the `spare` room will do.
///
/// What arrived may be doubled, what was only announced is never taken at its word; but if the rest
/// is known and smaller than that, the buffer gets its final, exact size.
fn growth(len: usize, spare: usize, part: usize, to_come: Option<usize>) -> usize {
    if part <= spare {
        return 0;
    }
    part + to_come.unwrap_or(usize::MAX).min(len.max(STEP))
}

/// Bytes that a peer can make us reserve with a header alone.
const STEP: usize = 1024;

pub(super) const INVALID_TEXT: Violation = Violation::data("text is not UTF-8");
