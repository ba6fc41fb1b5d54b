//! The control stream of a client: settings first, then hardly anything.
// RFC 9114 6.2.1

use super::frame::{self, Frames, Part};
use super::{Code, Error, settings};

/// Bytes of a client's control stream, behind its type.
#[derive(Debug, Default)]
pub struct Control {
    frames: Frames,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing came yet.
    #[default]
    Before,
    /// The payload of the settings so far.
    Settings(Vec<u8>),
    Behind,
}

impl Control {
    /// Takes what was read.
    ///
    /// # Errors
    /// What ends the connection: other frames than settings first, settings that are wrong or come
    /// again, and frames of other streams.
    pub fn feed(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(part) = self.frames.next(&mut input) {
            match (part, &mut self.state) {
                (Part::Begin(frame::SETTINGS, length), State::Before) => {
                    if length > settings::MAX_BYTES as u64 {
                        return Err(Error::Connection(Code::EXCESSIVE_LOAD));
                    }
                    self.state = State::Settings(Vec::new());
                }
                (Part::Begin(..), State::Before) => {
                    return Err(Error::Connection(Code::MISSING_SETTINGS));
                }
                (Part::Begin(kind, _), _) if frame::is_of_control(kind) => {}
                (Part::Begin(kind, _), _) => frame::refuse_misplaced(kind)?,
                (Part::Payload(bytes), State::Settings(all)) => all.extend_from_slice(bytes),
                (Part::End, State::Settings(all)) => {
                    settings::check(all)?;
                    self.state = State::Behind;
                }
                (Part::Payload(_) | Part::End, _) => {}
            }
        }
        Ok(())
    }

    /// Whether the settings are there.
    #[must_use]
    pub const fn has_settings(&self) -> bool {
        matches!(self.state, State::Behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: Result<bool, Code>) {
        let expected = expected.map_err(Error::Connection);
        let mut control = Control::default();
        let whole = control.feed(input).map(|()| control.has_settings());
        assert_eq!(whole, expected);
        let mut control = Control::default();
        let fed = input.chunks(1).try_for_each(|byte| control.feed(byte));
        assert_eq!(fed.map(|()| control.has_settings()), expected, "byte by byte");
    }

    #[test]
    fn settings_come_first_and_once() {
        check(b"", Ok(false));
        check(b"\x04\x02\x33", Ok(false));
        check(b"\x04\x02\x33\x01", Ok(true));
        check(b"\x04\x00", Ok(true));
        // MAX_PUSH_ID, GOAWAY, CANCEL_PUSH, and one that nobody knows
        check(b"\x04\x00\x0d\x01\x08\x07\x01\x00\x03\x01\x01\x21\x02ab", Ok(true));
        check(b"\x21\x00\x04\x00", Err(Code::MISSING_SETTINGS));
        check(b"\x00\x00", Err(Code::MISSING_SETTINGS));
        check(b"\x04\x00\x04\x00", Err(Code::FRAME_UNEXPECTED));
        check(b"\x04\x00\x00\x01a", Err(Code::FRAME_UNEXPECTED));
        check(b"\x04\x00\x01\x00", Err(Code::FRAME_UNEXPECTED));
        check(b"\x04\x00\x08\x00", Err(Code::FRAME_UNEXPECTED));
        check(b"\x04\x02\x08\x02", Err(Code::SETTINGS_ERROR));
        check(b"\x04\x50\x01", Err(Code::EXCESSIVE_LOAD));
    }
}
