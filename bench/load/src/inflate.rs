//! The client's side of RFC 6455, as far as a load generator needs it: masked frames are built
//! once, frames of the server are parsed.

use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// A whole masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(0x80 | opcode);
    match payload.len() {
        length @ ..=125 => frame.push(0x80 | length as u8),
        length @ ..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame of the server: where its payload is, and where the next frame begins.
pub(crate) struct Frame {
    pub(crate) whole: bool,
    pub(crate) compressed: bool,
    pub(crate) opcode: u8,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The frame that `bytes` begin with, if all of it is there.
pub(crate) fn parse(bytes: &[u8]) -> Option<Frame> {
    let &[first, second, ..] = bytes else { return None };
    let (length, start): (usize, usize) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?) as usize, 10),
        length => (usize::from(length), 2),
    };
    let end = start.checked_add(length)?;
    (bytes.len() >= end).then_some(Frame {
        whole: first & 0x80 != 0,
        compressed: first & 0x40 != 0,
        opcode: first & 0x0f,
        start,
        end,
    })
}

/// Inflates messages of a server without context takeover. Such a server sends a message in the
/// same form to everybody, so the last one is kept.
#[derive(Default)]
pub(crate) struct Inflate {
    compressed: Vec<u8>,
    plain: Rc<[u8]>,
}

impl Inflate {
    /// Nothing when it is no deflated message.
    pub(crate) fn message(&mut self, compressed: &[u8]) -> Option<Rc<[u8]>> {
        if self.compressed != compressed {
            self.plain = inflate(compressed)?.into();
            self.compressed = compressed.to_vec();
        }
        Some(Rc::clone(&self.plain))
    }
}

fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    // RFC 7692 7.2.2
    let compressed = [compressed, &[0, 0, 0xff, 0xff]].concat();
    let mut inflater = Decompress::new(false);
    let mut plain = Vec::with_capacity(4096);
    while (inflater.total_in() as usize) < compressed.len() {
        plain.reserve(4096);
        let rest = &compressed[inflater.total_in() as usize..];
        match inflater.decompress_vec(rest, &mut plain, FlushDecompress::Sync).ok()? {
            Status::Ok => {}
            Status::BufError | Status::StreamEnd => break,
        }
    }
    Some(plain)
}

/// Any will do: it is there for proxies.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_server() {
        let frame = parse(b"\x81\x02hi\x81").expect("is whole");
        assert!(frame.whole && !frame.compressed);
        assert_eq!((frame.opcode, frame.start, frame.end), (TEXT, 2, 4));
        assert!(parse(b"\x81\x03hi").is_none());
        assert!(parse(b"\x82\x7e\x01").is_none());
    }

    #[test]
    fn frames_of_the_client() {
        assert_eq!(frame(TEXT, b"\0\0"), [0x81, 0x82, 0x5a, 0xc3, 0x17, 0x9e, 0x5a, 0xc3]);
        assert_eq!(frame(BINARY, &[0; 126])[..4], [0x82, 0xfe, 0, 126]);
        assert_eq!(frame(BINARY, &[0; 65536])[..10], [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn deflated_messages() {
        // RFC 7692 7.2.3.1
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let mut inflate = Inflate::default();
        for _ in 0..2 {
            assert_eq!(inflate.message(&hello).as_deref(), Some(&b"Hello"[..]));
        }
        assert_eq!(inflate.message(&[0xff; 8]), None);
    }
}
