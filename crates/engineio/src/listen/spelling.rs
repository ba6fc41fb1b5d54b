//! The names of fields in the head of the answer that switches protocols, as RFC 6455 prints them.
//!
//! Any spelling is right by HTTP, and hyper writes lower case. But clients on small devices compare
//! the names as they are printed, and have not seen another spelling from the server in Node. With
//! one capital a word, as HTTP libraries offer it, `Sec-WebSocket-Accept` is still another text.
//!
//! The length stays the same, so the stream may write this head instead of the one that it is given. What
//! the session says first is written with it; the last byte of the head counts as written when all is.

use memchr::memrchr_iter;

use crate::http::responses::spell;

/// The head while it is being written, with what follows it.
#[derive(Debug)]
pub(crate) struct Respelled {
    bytes: Vec<u8>,
    /// Of these, what is the head.
    head: usize,
    written: usize,
    /// Of the head, what the HTTP server knows to be written.
    told: usize,
}

/// How the HTTP server begins it.
const STATUS_LINE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n";

impl Respelled {
    /// Where the head begins in what the HTTP server is about to write: there may be the end of an
    /// earlier answer in front of it, which may have anything in it. There is nothing behind.
    pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
        // by its first letter, of which a head has few
        memrchr_iter(STATUS_LINE[0], bytes).find(|at| bytes[*at..].starts_with(STATUS_LINE))
    }

    /// The head in another spelling, and what is to follow it.
    pub(crate) fn new(head: &[u8], behind: &[u8]) -> Self {
        let len = head.len();
        let mut bytes = Vec::with_capacity(len + behind.len());
        bytes.extend_from_slice(head);
        let head = &mut bytes[..];
        let mut at = STATUS_LINE.len().min(head.len());
        while let Some(length) = memchr::memchr(b'\n', &head[at..]) {
            let line = &mut head[at..at + length];
            let name = memchr::memchr(b':', line).unwrap_or_default();
            spell(&mut line[..name]);
            at += length + 1;
        }
        bytes.extend_from_slice(behind);
        Self { bytes, head: len, written: 0, told: 0 }
    }

    /// What is still to be written.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Notes what was written; how much of the head the HTTP server may now know to be.
    pub(crate) fn advance(&mut self, count: usize) -> usize {
        self.written += count;
        let known = match self.is_written() {
            true => self.head,
            false => self.written.min(self.head.saturating_sub(1)),
        };
        known - std::mem::replace(&mut self.told, known)
    }

    pub(crate) fn is_written(&self) -> bool {
        self.written == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str) {
        let respelled = Respelled::new(before.as_bytes(), b"");
        assert_eq!(String::from_utf8_lossy(respelled.rest()), after);
    }

    #[test]
    fn names_are_spelled_as_they_are_printed() {
        check(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: sec-websocket-a:b=\r\nsec-websocket-protocol: sec-websocket\r\n\
             sec-websocket-extensions: permessage-deflate\r\ndate: x\r\nx-own--name: v\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: sec-websocket-a:b=\r\nSec-WebSocket-Protocol: sec-websocket\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\nDate: x\r\nX-Own--Name: v\r\n\r\n",
        );
        check(
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        );
        check("", "");
    }

    /// However it is written, the head is done with the last byte of what follows it.
    #[test]
    fn what_follows_is_a_part_of_it() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
        for behind in ["", "a", "\u{1}\r\nname: b"] {
            for size in 1..head.len() + behind.len() + 1 {
                let mut respelled = Respelled::new(head.as_bytes(), behind.as_bytes());
                let (mut written, mut told) = (Vec::new(), 0);
                while !respelled.is_written() {
                    assert!(told < head.len(), "not before all is written");
                    let some = respelled.rest().iter().copied().take(size);
                    let count = {
                        some.clone().for_each(|byte| written.push(byte));
                        some.count()
                    };
                    told += respelled.advance(count);
                }
                assert_eq!(told, head.len());
                assert_eq!(written, [&head.replace("upg", "Upg"), behind].concat().as_bytes());
            }
        }
    }

    /// The last one counts: an earlier answer may have such a text in its body.
    #[test]
    fn the_head_is_found() {
        let line = String::from_utf8_lossy(STATUS_LINE);
        assert_eq!(Respelled::find(format!("{line}\r\n").as_bytes()), Some(0));
        assert_eq!(Respelled::find(format!("x{line}\r\n{line}a: b\r\n\r\n").as_bytes()), Some(37));
        assert_eq!(Respelled::find(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
