//! What a packet's form on the way out hangs on.

use engineio_proto::PacketType;
use engineio_proto::websocket::frame::{self, Opcode};
use engineio_proto::{Outgoing, Part, Protocol};

/// How the packets of a session look on its framed transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) protocol: Protocol,
    pub(crate) framing: Framing,
}

/// What is put around each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Framing {
    /// The frames of a WebSocket.
    WebSocket,
    /// Those, with binary as base64.
    Base64,
    /// A length in front.
    Prefixed,
}

impl Framing {
    /// The one of this number.
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::WebSocket,
            1 => Self::Base64,
            _ => Self::Prefixed,
        }
    }
}

impl Wire {
    /// The whole packet if it lies ready as one slice.
    #[inline]
    pub(super) fn ready(self, packet: &Outgoing) -> Option<&[u8]> {
        match self.framing {
            Framing::WebSocket | Framing::Base64 => packet.ready_frame(),
            Framing::Prefixed => packet.ready_prefixed(),
        }
    }

    /// The length of the packet on the wire.
    #[inline]
    pub(super) fn len_of(self, packet: &Outgoing) -> usize {
        match self.framing {
            Framing::WebSocket => packet.frames_len(self.protocol, false),
            Framing::Base64 => packet.frames_len(self.protocol, true),
            Framing::Prefixed => packet.prefixed_len(),
        }
    }

    /// Appends the packet as it is on the wire.
    #[inline]
    pub(super) fn write(self, packet: &Outgoing, out: &mut Vec<u8>) {
        match self.framing {
            Framing::WebSocket => packet.write_frames(self.protocol, false, out),
            Framing::Base64 => packet.write_frames(self.protocol, true, out),
            Framing::Prefixed => packet.write_prefixed(out),
        }
    }

    /// Appends what stands in front of a part, and gives what follows it. Not for base64, where that
    /// lies nowhere.
    pub(super) fn open_part<'a>(self, part: Part<'a>, out: &mut Vec<u8>) -> &'a [u8] {
        if self.framing == Framing::Prefixed {
            let (header, length, bytes) = part.prefixed();
            out.extend_from_slice(&header[..length]);
            return bytes;
        }
        let (opcode, bytes, is_typed) = match part {
            Part::Text(bytes) => (Opcode::Text, bytes, false),
            // Engine.IO v3: a byte 4 in front of binary messages
            Part::Binary(bytes) => (Opcode::Binary, bytes, self.protocol == Protocol::V3),
        };
        let (header, length) = frame::header(opcode, usize::from(is_typed) + bytes.len(), false);
        out.extend_from_slice(&header[..length]);
        if is_typed {
            out.push(PacketType::Message as u8);
        }
        bytes
    }
}

/// One write takes about this much at most: a socket rarely takes more at a time.
pub(super) const ENOUGH: usize = 256 * 1024;
