//! permessage-deflate (RFC 7692), as far as a load generator needs it. It is here and not with the
//! protocols in `socketio_testkit`, whose other clients ask for no compression.

use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};

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

#[cfg(test)]
mod tests {
    use super::*;

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
