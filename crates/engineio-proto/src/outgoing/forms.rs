//! The compressed wire forms that a packet keeps.

#![expect(
    clippy::disallowed_types,
    reason = "forms that are rarely needed are made once, for all who share the packet"
)]

use std::sync::OnceLock;

use crate::packet::Protocol;
use crate::websocket::deflate::WindowBits;

/// The WebSocket frames of a packet, of which one at least is compressed.
#[derive(Debug)]
pub struct Deflated {
    /// By part; one that does not get smaller, or is small, goes as it is.
    pub(super) frames: Box<[Option<Vec<u8>>]>,
    pub(super) len: usize,
}

/// The compressed forms of a packet that were asked for, in a chain: nearly always one. There are at
/// most as many as protocols times windows (14), each smaller than the packet.
#[derive(Debug, Default)]
pub(super) struct Forms(OnceLock<Box<Form>>);

#[derive(Debug)]
struct Form {
    protocol: Protocol,
    window: WindowBits,
    /// `None`: it does not get smaller.
    deflated: Option<Deflated>,
    next: OnceLock<Box<Self>>,
}

impl Forms {
    /// The form for these receivers, which the first who asks makes.
    pub(super) fn get_or_make(
        &self,
        protocol: Protocol,
        window: WindowBits,
        make: impl Fn() -> Option<Deflated>,
    ) -> Option<&Deflated> {
        let mut slot = &self.0;
        loop {
            // Who comes second for a place waits, and goes on if it became that of another form: so
            // no form is made twice.
            let form = slot.get_or_init(|| {
                Box::new(Form { protocol, window, deflated: make(), next: OnceLock::new() })
            });
            if form.protocol == protocol && form.window == window {
                return form.deflated.as_ref();
            }
            slot = &form.next;
        }
    }
}

impl Deflated {
    /// The number of bytes of all frames.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet is never empty")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The frame of a part, if it is compressed; by its place in [`Outgoing::parts`](crate::Outgoing::parts).
    #[must_use]
    pub fn frame(&self, part: usize) -> Option<&[u8]> {
        self.frames.get(part)?.as_deref()
    }

    /// The whole if it is one frame.
    #[must_use]
    pub fn ready_frame(&self) -> Option<&[u8]> {
        match &*self.frames {
            [Some(frame)] => Some(frame),
            _ => None,
        }
    }
}
