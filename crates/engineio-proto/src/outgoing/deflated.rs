//! How the compressed wire forms of a packet are made.
//!
//! Where messages are compressed each by itself, one form serves all receivers with the same window: it
//! is made by the first of them that is written to, and kept with the packet. Where a connection has
//! a context of its own, its form of the packet is another packet, of frames only.

use super::forms::Deflated;
use super::{Head, Outgoing, Part};
use crate::packet::{PacketType, Protocol};
use crate::websocket::deflate::{self, Deflater, Deflation, WindowBits};
use crate::websocket::frame::{self, Opcode};

impl Outgoing {
    /// Whether some of the packet is to be compressed.
    #[must_use]
    pub fn is_deflatable(&self, threshold: usize) -> bool {
        self.0.compress && self.parts().any(|part| part.len() >= threshold)
    }

    /// The compressed form, without a context, for receivers with this window; `None`: it goes as
    /// it is.
    ///
    /// The first call for a window compresses, with its parameters; it should be made without a
    /// lock.
    #[must_use]
    pub fn deflated(
        &self,
        protocol: Protocol,
        deflation: Deflation,
        window: WindowBits,
    ) -> Option<&Deflated> {
        if !self.is_deflatable(deflation.threshold) {
            return None;
        }
        let is_text = matches!(self.0.head, Head::Text { .. }) && self.0.attachments.is_empty();
        // a text alone is the same in both protocols
        let protocol = if is_text { Protocol::V4 } else { protocol };
        self.0.deflated.get_or_make(protocol, window, || self.deflate(protocol, deflation, window))
    }

    fn deflate(
        &self,
        protocol: Protocol,
        deflation: Deflation,
        window: WindowBits,
    ) -> Option<Deflated> {
        let mut len = 0;
        let frames = self.parts().map(|part| {
            let (opcode, kind, bytes) = payload(part, protocol);
            let plain_len = kind.len() + bytes.len();
            let deflated = match part.len() >= deflation.threshold {
                true => deflate::deflate(&[kind, bytes], deflation.level, window),
                false => None,
            };
            let payload_len = deflated.as_ref().map_or(plain_len, Vec::len);
            let (header, header_len) = frame::header(opcode, payload_len, deflated.is_some());
            len += header_len + payload_len;
            deflated.map(|payload| [&header[..header_len], &payload].concat())
        });
        let frames: Box<[_]> = frames.collect();
        let any = frames.iter().any(Option::is_some);
        any.then_some(Deflated { frames, len })
    }

    /// The packet in the form for one connection, which has a context: frames only, to be written
    /// whole and in this order, as later ones refer to it. It is never droppable.
    #[must_use]
    pub fn deflated_in(
        &self,
        context: &mut Deflater,
        protocol: Protocol,
        threshold: usize,
    ) -> Self {
        self.framed(protocol, threshold, |pieces, len| {
            let mut payload = Vec::with_capacity(len / 4 + 64);
            context.message(pieces, usize::MAX, &mut payload).then_some(payload)
        })
    }

    /// A packet of frames. `deflate` gets the pieces of a part that is to be compressed, and their
    /// length.
    fn framed(
        &self,
        protocol: Protocol,
        threshold: usize,
        mut deflate: impl FnMut(&[&[u8]], usize) -> Option<Vec<u8>>,
    ) -> Self {
        let mut frames = Vec::with_capacity(self.size() / 4 + 64);
        for part in self.parts() {
            let (opcode, kind, bytes) = payload(part, protocol);
            let len = kind.len() + bytes.len();
            // an empty message has nothing to flush
            let deflated = match part.len() >= threshold.max(1) {
                true => deflate(&[kind, bytes], len),
                false => None,
            };
            let (header, length) =
                frame::header(opcode, deflated.as_ref().map_or(len, Vec::len), deflated.is_some());
            frames.extend_from_slice(&header[..length]);
            match &deflated {
                Some(payload) => frames.extend_from_slice(payload),
                None => {
                    frames.extend_from_slice(kind);
                    frames.extend_from_slice(bytes);
                }
            }
        }
        Self::new(Head::Frames { frames, size: self.size() }, Vec::new())
    }
}

/// What a part is on a WebSocket: opcode, type byte if there is one, content.
fn payload(part: Part<'_>, protocol: Protocol) -> (Opcode, &[u8], &[u8]) {
    const MESSAGE: &[u8] = &[PacketType::Message as u8];
    match (part, protocol) {
        (Part::Text(bytes), _) => (Opcode::Text, &[], bytes),
        // Engine.IO v3: a byte 4 in front of binary messages
        (Part::Binary(bytes), Protocol::V3) => (Opcode::Binary, MESSAGE, bytes),
        (Part::Binary(bytes), Protocol::V4) => (Opcode::Binary, &[], bytes),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::HEADROOM;
    use super::*;
    use crate::websocket::extensions::{Agreement, Takeover};
    use crate::websocket::{Decoder, Event};

    const DEFLATION: Deflation = Deflation { threshold: 100, level: 6 };

    fn message(text: &str, attachments: &[&[u8]]) -> Outgoing {
        let mut buffer = vec![0; HEADROOM];
        buffer.extend_from_slice(text.as_bytes());
        let attachments = attachments.iter().map(|bytes| Bytes::copy_from_slice(bytes));
        Outgoing::message(buffer, HEADROOM, attachments.collect())
    }

    /// The frames in their compressed form, and which of them are compressed.
    fn frames(packet: &Outgoing, protocol: Protocol) -> (Vec<u8>, Vec<bool>) {
        frames_for(packet, protocol, WindowBits::MAX)
    }

    fn frames_for(
        packet: &Outgoing,
        protocol: Protocol,
        window: WindowBits,
    ) -> (Vec<u8>, Vec<bool>) {
        let deflated = packet.deflated(protocol, DEFLATION, window).expect("it is compressed");
        let (mut out, mut compressed) = (Vec::new(), Vec::new());
        for (at, part) in packet.parts().enumerate() {
            let (opcode, kind, bytes) = payload(part, protocol);
            compressed.push(deflated.frame(at).is_some());
            match deflated.frame(at) {
                Some(frame) => out.extend_from_slice(frame),
                None => frame::write_frame(opcode, &[kind, bytes].concat(), &mut out),
            }
        }
        assert_eq!(out.len(), deflated.len());
        (out, compressed)
    }

    fn window(bits: u8) -> WindowBits {
        WindowBits::new(bits).expect("9 to 15")
    }

    /// What a client reads, in the events' `Debug` form; `takeover`: it keeps a context.
    fn read(frames: &[u8], takeover: bool) -> Vec<String> {
        let willing = Takeover { server: false, client: takeover };
        let agreement = Agreement::choose("permessage-deflate", willing).unwrap();
        let mut decoder = Decoder::new(1_000_000, 10).with_deflate(&agreement);
        // the decoder is a server's: it wants a mask
        let (mut input, mut rest) = (Vec::new(), frames);
        while let [first, second, ..] = *rest {
            let header = match second {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            let len = match header {
                2 => usize::from(second),
                4 => usize::from(u16::from_be_bytes([rest[2], rest[3]])),
                _ => panic!("too long for this test"),
            };
            input.extend_from_slice(&[first, second | 0x80]);
            input.extend_from_slice(&rest[2..header]);
            input.extend_from_slice(&[0; 4]);
            input.extend_from_slice(&rest[header..header + len]);
            rest = &rest[header + len..];
        }
        let (mut messages, mut events) = (decoder.feed(&mut input), Vec::new());
        while let Some(event) = messages.next().unwrap() {
            events.push(match event {
                Event::Text(text) => text.to_owned(),
                Event::Binary(bytes) => format!("{} bytes, first {}", bytes.len(), bytes[0]),
                other => panic!("{other:?}"),
            });
        }
        events
    }

    #[test]
    fn a_text() {
        let text = "x".repeat(99);
        let packet = message(&text, &[]);
        let (out, compressed) = frames(&packet, Protocol::V4);
        assert_eq!(compressed, [true]);
        assert_eq!(
            packet.deflated(Protocol::V4, DEFLATION, WindowBits::MAX).unwrap().ready_frame(),
            Some(&out[..])
        );
        assert_eq!((out[0], usize::from(out[1])), (0xc1, out.len() - 2));
        assert_eq!(read(&out, false), [format!("4{text}")]);
        // one form, whoever asks
        let forms = [Protocol::V3, Protocol::V4]
            .map(|p| packet.deflated(p, DEFLATION, WindowBits::MAX).unwrap());
        assert!(std::ptr::eq(forms[0], forms[1]));
        assert_eq!(packet.size(), 100);
    }

    #[test]
    fn what_stays_plain() {
        let plain =
            |packet: &Outgoing| packet.deflated(Protocol::V4, DEFLATION, WindowBits::MAX).is_none();
        assert!(plain(&message(&"x".repeat(98), &[])));
        assert!(plain(&message(&"x".repeat(500), &[]).compress(false)));
        assert!(plain(&Outgoing::control_frame(vec![0x89; 500])));
        let noise: Vec<u8> = (0..=255).collect();
        let packet = Outgoing::binary_message(noise.into());
        assert!(plain(&packet) && packet.is_deflatable(100));
    }

    #[test]
    fn attachments_each_by_itself() {
        let noise: Vec<u8> = (0..=255).collect();
        let packet = message("51-[]", &[&[7; 500], b"short", &noise]);
        for (protocol, first) in [(Protocol::V4, 7), (Protocol::V3, 4)] {
            let (out, compressed) = frames(&packet, protocol);
            assert_eq!(compressed, [false, true, false, false]);
            let added = usize::from(protocol == Protocol::V3);
            let expected = [(500, first), (5, b's'), (256, 0)].map(|(len, byte)| {
                let byte = if added > 0 { first } else { byte };
                format!("{} bytes, first {byte}", len + added)
            });
            let mut events = read(&out, false);
            assert_eq!(events.remove(0), "451-[]");
            assert_eq!(events, expected);
            assert_eq!(
                packet.deflated(protocol, DEFLATION, WindowBits::MAX).unwrap().ready_frame(),
                None
            );
        }
    }

    #[test]
    fn a_smaller_window() {
        let noise: Vec<u8> = (0..=255).collect();
        let packet = message("51-[]", &[&[7; 500], b"short", &noise]);
        let expected = ["451-[]", "501 bytes, first 4", "6 bytes, first 4", "257 bytes, first 4"];
        for bits in [9, 12, 15] {
            let (out, compressed) = frames_for(&packet, Protocol::V3, window(bits));
            assert_eq!(compressed, [false, true, false, false]);
            assert_eq!(read(&out, false), expected, "{bits}");
        }
        // the same again beyond a small window
        let text: String = (0..1000).map(|at| format!("{:x}", at * 7919)).collect();
        let packet = message(&text.repeat(2), &[]);
        let size = |bits| {
            packet.deflated(Protocol::V4, DEFLATION, window(bits)).expect("it is compressed").len()
        };
        assert!(size(9) > size(15) + 1000);
    }

    #[test]
    fn one_form_for_each_window() {
        let packet = message(&"x".repeat(500), &[]);
        let form = |protocol, bits| {
            let form = packet.deflated(protocol, DEFLATION, window(bits));
            std::ptr::from_ref(form.expect("it is compressed"))
        };
        let asked = [15, 9, 12, 9, 15, 12].map(|bits| form(Protocol::V4, bits));
        assert_eq!(asked, [15, 9, 12, 9, 15, 12].map(|bits| form(Protocol::V3, bits)));
        assert_eq!([asked[0], asked[1], asked[2]], [asked[4], asked[3], asked[5]]);
        assert!(asked[0] != asked[1] && asked[1] != asked[2]);
        // by threads at once, too
        let packet = message(&"y".repeat(50_000), &[&[1; 500]]);
        #[expect(clippy::disallowed_methods, reason = "who is first does not matter")]
        let forms = std::thread::scope(|scope| {
            let ask = |n: u8| {
                let form = packet.deflated(Protocol::V4, DEFLATION, window(9 + n % 7));
                std::ptr::from_ref(form.expect("it is compressed")).addr()
            };
            let asking: Vec<_> = (0..28).map(|n| scope.spawn(move || ask(n))).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect::<Vec<_>>()
        });
        for (at, form) in forms.iter().enumerate() {
            assert_eq!(*form, forms[at % 7]);
        }
        assert_eq!(forms.iter().collect::<std::collections::HashSet<_>>().len(), 7);
    }

    #[test]
    fn a_context_of_the_connection() {
        let text = "one message after the other, each like the last";
        let packet = message(text, &[&[9; 50], b"short"]).droppable(true);
        let mut context = Deflater::new(6, WindowBits::MAX);
        let (mut out, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let own = packet.deflated_in(&mut context, Protocol::V4, 10);
            let frames = own.ready_frame().expect("nothing is left to be framed");
            assert_eq!(own.frames_len(Protocol::V4, false), frames.len());
            assert_eq!((own.size(), own.parts().count()), (packet.size(), 0));
            assert!(!own.is_droppable() && !own.is_control_frame());
            assert!(!own.is_deflatable(0));
            out.extend_from_slice(frames);
            sizes.push(frames.len());
        }
        assert!(sizes[1] + 30 < sizes[0], "{sizes:?}");
        let expected = [&format!("4{text}"), "50 bytes, first 9", "5 bytes, first 115"];
        assert_eq!(read(&out, true), [expected, expected].concat());
    }
}
