//! One message of permessage-deflate: plain bytes -> deflated ones, and back under a limit.
//!
//! ```text
//!   message ──▶ Compress, sync flush ──▶ blocks ... | 00 00 ff ff |  the tail is cut off
//!   payload ──▶ ... and put on again ──▶ Decompress ──▶ at most `max_message` bytes
//! ```
//!
//! Without context takeover a message refers to nothing before it, so a context is needed only
//! while a message is worked on: the thread's own is used, and reset behind each message. With it a
//! connection owns an `Inflater` or a [`Deflater`] from its first compressed message on.
//!
//! Invariants: what is inflated never exceeds the limit by more than a byte, and nothing is reserved
//! for more than twice of what came out so far; a thread's context holds no bytes of a message that
//! is over.
// RFC 7692 7.2

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::Violation;

/// How a connection's messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the caller, from its options")]
pub struct Deflation {
    /// Bytes from which on a message is compressed.
    pub threshold: usize,
    /// How hard: 1 (fast) to 9 (small).
    pub level: u8,
}

/// How far back a compressed message may refer, as a power of two: 9 (512 bytes) to 15 (32 KiB).
///
/// The RFC knows 8, too, but the compressor does not.
// RFC 7692 7.1.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The largest window, for whoever demands nothing else.
    pub const MAX: Self = Self(15);

    /// A window; `None` for a number that is not 9 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            9..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The power of two.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

/// A compressor that remembers the messages before, for one connection. About 370 KiB, with the
/// smallest window 245.
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    level: u8,
    window: WindowBits,
}

/// A decompressor that may remember the messages before, for one connection. About 46 KiB.
#[derive(Debug)]
pub(super) struct Inflater(Decompress);

impl Deflater {
    /// A compressor at the start of a connection. A `level` beyond 1 to 9 is the nearest of them.
    #[must_use]
    pub fn new(level: u8, window: WindowBits) -> Self {
        let compression = Compression::new(level.clamp(1, 9).into());
        let compress = Compress::new_with_window_bits(compression, false, window.get());
        Self { compress, level, window }
    }

    /// Appends the pieces of one message, deflated. False: it takes more than `room` bytes, or the
    /// compressor failed; then nothing is appended, and the context starts anew.
    ///
    /// A context that starts anew refers to no earlier message, so it suits the peer as well.
    pub(crate) fn message(&mut self, pieces: &[&[u8]], room: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        if self.try_message(pieces, start.saturating_add(room), out) {
            return true;
        }
        out.truncate(start);
        // not reset: with output held back zlib-rs 0.6.8 does not forget all of it
        *self = Self::new(self.level, self.window);
        false
    }

    /// As [`Self::message`], but for the failure; `out` grows up to `end` bytes.
    fn try_message(&mut self, pieces: &[&[u8]], end: usize, out: &mut Vec<u8>) -> bool {
        for (at, mut piece) in pieces.iter().copied().enumerate() {
            let is_last = at + 1 == pieces.len();
            // RFC 7692 7.2.1
            let flush = if is_last { FlushCompress::Sync } else { FlushCompress::None };
            loop {
                if out.len() == out.capacity() {
                    if out.len() >= end {
                        return false;
                    }
                    out.reserve_exact(STEP.max(out.len()).min(end - out.len()));
                }
                let (consumed, produced) = (self.compress.total_in(), out.len());
                let status = self.compress.compress_vec(piece, out, flush);
                let consumed = (self.compress.total_in() - consumed) as usize;
                piece = &piece[consumed..];
                if status.is_err() {
                    return false;
                }
                // Room that is left should show that nothing is held back. The message is only
                // whole with the end of the flush, though, and what follows relies on it.
                let has_room = out.len() < out.capacity();
                if piece.is_empty() && has_room && (!is_last || out.ends_with(&TAIL)) {
                    break;
                }
                if consumed == 0 && out.len() == produced && has_room {
                    return false;
                }
            }
        }
        if out.len() > end {
            return false;
        }
        out.truncate(out.len() - TAIL.len());
        true
    }

    fn reset(&mut self) {
        self.compress.reset();
    }
}

/// Deflates one message without a context; `None` if it would not get smaller.
pub(crate) fn deflate(pieces: &[&[u8]], level: u8, window: WindowBits) -> Option<Vec<u8>> {
    let size = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    if size == 0 {
        return None;
    }
    let deflater = DEFLATER.take();
    let deflater = deflater.filter(|deflater| (deflater.level, deflater.window) == (level, window));
    let mut deflater = deflater.unwrap_or_else(|| Box::new(Deflater::new(level, window)));
    // the tail needs room, too; a vector of that size suffices for most
    let mut out = Vec::with_capacity(size / 4 + 64);
    // Whatever its size: to give up would cost the context, and a new one is 370 KiB each time.
    let is_done = deflater.message(pieces, most(size), &mut out);
    deflater.reset();
    DEFLATER.set(Some(deflater));
    (is_done && out.len() < size).then_some(out)
}

/// The most bytes that a message takes deflated, with the tail: a literal is 9 bits at the most, and a
/// block has a header.
fn most(size: usize) -> usize {
    size.saturating_add(size / 8 + size / 64 + 64)
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(false))
    }

    /// Inflates the next message of a connection whose messages refer to earlier ones.
    ///
    /// That it ends within a block shows only in the next one: to look for it would change the
    /// context.
    // RFC 7692 7.2.2
    pub(super) fn message(&mut self, payload: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
        let mut out = Vec::new();
        self.payload(payload, limit, &mut out)?;
        Ok(out)
    }

    /// Inflates a payload with the tail that it lacks. True: the end of a stream was behind it
    /// instead.
    fn payload(
        &mut self,
        mut payload: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, Violation> {
        // RFC 7692 7.2.3.6: an empty message has one byte
        if payload.is_empty() {
            return Err(INVALID);
        }
        for _ in 0..MAX_STREAMS {
            if !self.run(&mut payload, limit, out)? {
                // Its block is not the last of a stream: else the payload has ended within one,
                // and the tail was read as something else.
                return match self.run(&mut &TAIL[..], limit, out)? {
                    false => Ok(false),
                    true => Err(INVALID),
                };
            }
            // RFC 7692 7.2.3.4: a block may be the last of its stream; another stream follows
            self.reset();
            if payload.is_empty() {
                return Ok(true);
            }
        }
        Err(INVALID)
    }

    /// Inflates until the input is used up, or to the end of a stream: true.
    fn run(
        &mut self,
        input: &mut &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, Violation> {
        loop {
            if out.len() > limit {
                return Err(TOO_LARGE);
            }
            if out.len() == out.capacity() {
                // a byte beyond the limit tells a message that ends there from one that goes on
                let most = (limit - out.len()).saturating_add(1);
                out.reserve_exact(out.len().max(STEP).min(most));
            }
            let (consumed, produced) = (self.0.total_in(), out.len());
            let status = self.0.decompress_vec(input, out, FlushDecompress::None);
            let consumed = (self.0.total_in() - consumed) as usize;
            *input = &input[consumed..];
            match status {
                Err(_) => return Err(INVALID),
                Ok(Status::StreamEnd) if out.len() > limit => return Err(TOO_LARGE),
                Ok(Status::StreamEnd) => return Ok(true),
                // There may be output that the input did not show any more: until nothing moves.
                Ok(_) if consumed > 0 || out.len() > produced => {}
                Ok(_) if input.is_empty() => return Ok(false),
                Ok(_) => return Err(INVALID),
            }
        }
    }

    fn reset(&mut self) {
        self.0.reset(false);
    }
}

/// Inflates one message that refers to no earlier one.
pub(super) fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
    let mut inflater = INFLATER.take().unwrap_or_else(|| Box::new(Inflater::new()));
    let mut out = Vec::new();
    let result = inflater.payload(payload, limit, &mut out).and_then(|ended| {
        // Behind a whole message stands another block: here one that ends the stream. In the middle
        // of a block it would be read as something else.
        let size = out.len();
        let is_whole = ended || inflater.run(&mut &LAST_BLOCK[..], limit, &mut out)?;
        if is_whole && out.len() == size { Ok(()) } else { Err(INVALID) }
    });
    inflater.reset();
    INFLATER.set(Some(inflater));
    result.map(|()| out)
}

thread_local! {
    static DEFLATER: Cell<Option<Box<Deflater>>> = const { Cell::new(None) };
    static INFLATER: Cell<Option<Box<Inflater>>> = const { Cell::new(None) };
}

/// What is cut off a message: the end of an empty block without compression.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty block with fixed codes, the last of its stream.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Streams in one message. Each costs a new context, and two bytes are a whole one. Nobody needs
/// more than one and what a few flushes add.
const MAX_STREAMS: usize = 64;

/// The least that a buffer grows by.
const STEP: usize = 1024;

const TOO_LARGE: Violation = Violation::size("message too large when inflated");
const INVALID: Violation = Violation::data("invalid deflate data");

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;
    const MAX: WindowBits = WindowBits::MAX;

    /// Expects what a payload inflates to, both alone and at the start of a connection.
    #[track_caller]
    fn check(payload: &[u8], expected: Result<&[u8], u16>) {
        let code = |violation: Violation| violation.code();
        assert_eq!(inflate(payload, LIMIT).map_err(code).as_deref(), expected.as_ref().copied());
        let first = Inflater::new().message(payload, LIMIT);
        assert_eq!(first.map_err(code).as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn the_examples_of_the_rfc() {
        check(b"\xf2\x48\xcd\xc9\xc9\x07\x00", Ok(b"Hello")); // 7.2.3.1: fixed codes
        check(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", Ok(b"Hello")); // 7.2.3.3: stored
        check(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", Ok(b"Hello")); // 7.2.3.4: the last of a stream
        check(
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            Ok(b"Hello"), // 7.2.3.5: two blocks
        );
        check(b"\x00", Ok(b"")); // 7.2.3.6: nothing

        // 7.2.3.2: the second message refers to the first
        let mut inflater = Inflater::new();
        assert_eq!(inflater.message(b"\xf2\x48\xcd\xc9\xc9\x07\x00", LIMIT).unwrap(), b"Hello");
        assert_eq!(inflater.message(b"\xf2\x00\x11\x00\x00", LIMIT).unwrap(), b"Hello");
    }

    #[test]
    fn streams_that_end() {
        check(b"\xf3\x48\xcd\xc9\xc9\x07\x00", Ok(b"Hello")); // without a block behind it
        check(b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", Ok(b"HelloHello"));
        check(&b"\x03\x00".repeat(63), Ok(b""));
        check(&b"\x03\x00".repeat(65), Err(1007)); // each is a new context
        // the next message starts a new stream
        let mut inflater = Inflater::new();
        for _ in 0..2 {
            let payload = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
            assert_eq!(inflater.message(payload, LIMIT).unwrap(), b"Hello");
        }
    }

    #[test]
    fn invalid_data() {
        check(b"", Err(1007));
        check(b"\xff\xff\xff\xff", Err(1007)); // a block of no known type
        check(b"\x00\x05\x00\xfb\xff\x48", Err(1007)); // a length and no complement of it
        // a last block that only ends in the tail: stored, without its length; and cut off
        check(b"\x01", Err(1007));
        check(b"\xf3\x48\xcd", Err(1007));
        let ends_early = |payload| inflate(payload, LIMIT).map_err(|violation| violation.code());
        assert_eq!(ends_early(b"\xf2\x48\xcd"), Err(1007));
        assert_eq!(ends_early(b"\xf2\x48\xcd\xc9\xc9\x07\x00\xff"), Err(1007)); // stored, 255 bytes
        assert_eq!(ends_early(b"\x00\x05\x00\xfa\xff\x48\x65"), Err(1007));
    }

    #[test]
    fn the_limit_counts_what_comes_out() {
        for (size, expected) in [(999, Ok(999)), (1000, Ok(1000)), (1001, Err(1009))] {
            let payload = deflate(&[&vec![b'a'; size]], 6, MAX).unwrap();
            let inflated = inflate(&payload, LIMIT).map(|message| message.len());
            assert_eq!(inflated.map_err(|violation| violation.code()), expected);
        }
        assert_eq!(inflate(b"\x00", 0), Ok(Vec::new()));
        assert_eq!(inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", usize::MAX).unwrap(), b"Hello");
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = deflate(&[&vec![b'a'; 20_000_000]], 9, MAX).unwrap();
        assert!(bomb.len() < 100_000);
        for limit in [LIMIT, 3 * LIMIT, 100 * LIMIT] {
            let mut inflater = Inflater::new();
            let mut out = Vec::new();
            assert_eq!(inflater.payload(&bomb, limit, &mut out), Err(TOO_LARGE));
            assert!(out.capacity() <= limit + 1);
            assert!(inflater.0.total_out() <= limit as u64 + 1);
        }
    }

    #[test]
    fn what_is_deflated_can_be_inflated() {
        let text = "socket.io ".repeat(50);
        for level in 0..=9 {
            for size in [1, 2, 100, 500] {
                let Some(payload) = deflate(&[&text.as_bytes()[..size]], level, MAX) else {
                    assert!(size < 100);
                    continue;
                };
                assert!(payload.len() < size);
                assert_eq!(inflate(&payload, LIMIT).unwrap(), &text.as_bytes()[..size]);
            }
        }
        let payload = deflate(&[b"x", text.as_bytes()], 1, MAX).unwrap();
        assert_eq!(inflate(&payload, LIMIT).unwrap(), [b"x", text.as_bytes()].concat());
    }

    #[test]
    fn what_does_not_get_smaller_is_left_alone() {
        // a generator of pseudo-random numbers, its upper bits
        let noise: Vec<u8> = std::iter::successors(Some(1u32), |seed| {
            Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        })
        .map(|seed| (seed >> 24) as u8)
        .take(100_000)
        .collect();
        assert_eq!(deflate(&[&noise], 6, MAX), None);
        assert_eq!(deflate(&[b"a"], 6, MAX), None);
        assert_eq!(deflate(&[], 6, MAX), None);
        assert_eq!(deflate(&[b""], 6, MAX), None);
        // whatever came before, the next message has a clean context
        let text = "socket.io ".repeat(50);
        let expected = deflate(&[text.as_bytes()], 6, MAX);
        let _ = deflate(&[&noise, text.as_bytes()], 6, MAX);
        let _ = inflate(b"\xff", LIMIT);
        assert_eq!(deflate(&[text.as_bytes()], 6, MAX), expected);
    }

    /// A context is kept from message to message, then, and not made anew.
    #[test]
    fn there_is_room_for_whatever_does_not_get_smaller() {
        for level in 1..=9 {
            for (seed, len) in
                [1, 2, 3, 10, 100, 1_000, 4_096, 70_000, 131_072].into_iter().enumerate()
            {
                let noise = half_noise(len, 4 * seed as u32);
                for message in [&noise[..], &letters(len, 3), &vec![0xff; len]] {
                    let mut out = Vec::new();
                    let mut deflater = Deflater::new(level, MAX);
                    assert!(
                        deflater.message(&[message], most(len), &mut out),
                        "{len}, level {level}"
                    );
                }
            }
        }
    }

    /// Bytes that get a little smaller, or not at all if the seed is a multiple of 4.
    fn half_noise(len: usize, mut seed: u32) -> Vec<u8> {
        let is_noise = seed % 4 == 0;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let mut bytes = Vec::with_capacity(len + 300);
        while bytes.len() < len {
            let mask = if is_noise { 0xff } else { next() | 0x3f };
            match next() % 4 {
                0 if bytes.len() > 300 && !is_noise => {
                    bytes.extend_from_within(bytes.len() - 300..)
                }
                _ => bytes.extend((0..next()).map(|_| next() & mask)),
            }
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn a_message_that_does_not_fit_leaves_nothing_behind() {
        for level in 1..=9 {
            let mut left_alone = 0;
            for (seed, len) in (0..40).zip([4_096, 65_536, 131_072].into_iter().cycle()) {
                let message = half_noise(len, seed);
                match deflate(&[&message], level, MAX) {
                    Some(payload) => assert_eq!(inflate(&payload, len).unwrap(), message),
                    None => left_alone += 1,
                }
            }
            assert!((10..40).contains(&left_alone), "{left_alone}, level {level}");
        }
    }

    #[test]
    fn large_messages_with_and_without_room() {
        let mut plain = 0;
        for level in 1..=9 {
            for (seed, len) in [1_000, 4_096, 5_000, 16_384, 65_536, 100_000, 131_072]
                .into_iter()
                .cycle()
                .take(40)
                .enumerate()
            {
                let message = half_noise(len, seed as u32);
                // one that gets smaller, one that does not fit, and the first once more
                let payload = deflate(&[&message], level, MAX);
                let mut deflater = Deflater::new(level, MAX);
                let mut out = b"x".to_vec();
                assert!(!deflater.message(&[&message], len / 20, &mut out));
                assert_eq!(out, b"x");
                assert!(deflater.message(&[&message[..10], &message[10..]], len * 2, &mut out));
                assert_eq!(Inflater::new().message(&out[1..], len).unwrap(), message);
                match payload {
                    Some(payload) => assert_eq!(inflate(&payload, len).unwrap(), message),
                    None => plain += 1,
                }
            }
        }
        assert!((10..300).contains(&plain), "{plain}");
    }

    #[test]
    fn windows() {
        let numbers = [(8, None), (9, Some(9)), (15, Some(15)), (16, None), (0, None)];
        for (bits, expected) in numbers {
            assert_eq!(WindowBits::new(bits).map(WindowBits::get), expected);
        }
        // What comes again is found within a window, and not beyond. Inflaters are no proof: ours
        // takes references beyond its window.
        for bits in 9..=15 {
            let window = WindowBits::new(bits).unwrap();
            let size = |distance: usize, last: &[u8], level| {
                let text = [&letters(distance, 1)[..], last].concat();
                let mut payload = Vec::new();
                assert!(Deflater::new(level, window).message(&[&text], usize::MAX, &mut payload));
                assert_eq!(inflate(&payload, text.len()).unwrap(), text);
                payload.len()
            };
            let reach = 1 << bits;
            for level in 1..=9 {
                for (distance, is_found) in [(reach - 300, true), (reach + 1, false)] {
                    let again = size(distance, &letters(distance, 1)[..200], level);
                    let other = size(distance, &letters(200, 2), level);
                    assert_eq!(again + 100 < other, is_found, "{distance}, level {level}");
                }
            }
        }
    }

    /// Pseudo-random bytes of 64 values.
    fn letters(len: usize, seed: u32) -> Vec<u8> {
        let next = |seed: &u32| Some(seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        std::iter::successors(next(&seed), next).map(|seed| (seed >> 26) as u8).take(len).collect()
    }

    #[test]
    fn a_connection_with_context() {
        let (mut deflater, mut inflater) = (Deflater::new(6, MAX), Inflater::new());
        let text = "one message after the other, each like the last";
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let mut payload = Vec::new();
            assert!(deflater.message(&[text.as_bytes()], usize::MAX, &mut payload));
            sizes.push(payload.len());
            assert_eq!(inflater.message(&payload, LIMIT).unwrap(), text.as_bytes());
        }
        assert!(sizes[1] * 3 < sizes[0], "{sizes:?}");
    }
}
