//! A packet as it goes over a WebTransport stream: each part behind its length.

use super::{Head, Outgoing, Part};
use crate::webtransport;

impl Outgoing {
    /// The whole with its length in front if it lies ready as one slice: a text without attachments.
    #[must_use]
    pub fn ready_prefixed(&self) -> Option<&[u8]> {
        match &self.0.head {
            // the header is that of the frame, without its first byte
            Head::Text { buffer, frame, .. } if self.0.attachments.is_empty() => {
                Some(&buffer[frame + 1..])
            }
            _ => None,
        }
    }

    /// The number of bytes that [`Outgoing::write_prefixed`] appends.
    #[must_use]
    pub fn prefixed_len(&self) -> usize {
        self.parts()
            .map(|part| part.prefixed())
            .map(|(_, header, bytes)| header + bytes.len())
            .sum()
    }

    /// Appends the whole, each part behind its length. WebSocket frames are left out.
    pub fn write_prefixed(&self, out: &mut Vec<u8>) {
        for part in self.parts() {
            let (header, length, bytes) = part.prefixed();
            out.extend_from_slice(&header[..length]);
            out.extend_from_slice(bytes);
        }
    }
}

impl<'a> Part<'a> {
    /// The header on a WebTransport stream, how many bytes of it count, and what follows it.
    #[must_use]
    pub fn prefixed(self) -> ([u8; webtransport::MAX_HEADER], usize, &'a [u8]) {
        let (is_binary, bytes) = match self {
            Self::Text(text) => (false, text),
            // Node: a length of zero is an error to the decoders; base64 of nothing is none
            Self::Binary([]) => (false, &b"b"[..]),
            Self::Binary(bytes) => (true, bytes),
        };
        let (header, length) = webtransport::header(is_binary, bytes.len());
        (header, length, bytes)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::{HEADROOM, Outgoing, PacketType};

    #[track_caller]
    fn check(packet: &Outgoing, is_ready: bool, expected: &[u8]) {
        let mut out = Vec::new();
        packet.write_prefixed(&mut out);
        assert_eq!((&out[..], packet.prefixed_len()), (expected, expected.len()));
        assert_eq!(packet.ready_prefixed(), is_ready.then_some(expected));
    }

    #[test]
    fn packets_behind_their_lengths() {
        let message = |text: &str, attachments| {
            let buffer = [vec![0; HEADROOM], text.as_bytes().to_vec()].concat();
            Outgoing::message(buffer, HEADROOM, attachments)
        };
        check(&message("hello", Vec::new()), true, b"\x064hello");
        check(&Outgoing::packet(PacketType::Ping, ""), true, b"\x012");
        check(
            &Outgoing::binary_message(Bytes::from_static(&[1, 2, 3])),
            false,
            b"\x83\x01\x02\x03",
        );
        check(&Outgoing::binary_message(Bytes::new()), false, b"\x01b");
        let attachments = vec![Bytes::from_static(&[7]), Bytes::new()];
        check(&message("x", attachments), false, b"\x024x\x81\x07\x01b");
        check(&Outgoing::control_frame(b"\x88\0".to_vec()), false, b"");
        for (len, header) in [(125, &b"\x7e\0\x7e"[..]), (65_535, b"\x7f\0\0\0\0\0\x01\0\0")] {
            let text = "a".repeat(len);
            let expected = [header, b"4", text.as_bytes()].concat();
            check(&message(&text, Vec::new()), true, &expected);
        }
    }
}
