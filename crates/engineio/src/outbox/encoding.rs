//! How packets are compressed on their way to one WebSocket.

use std::collections::VecDeque;

use engineio_proto::Outgoing;
use engineio_proto::websocket::deflate::{Deflater, Deflation};

use super::Wire;
use super::write::ENOUGH;

/// Part of the queue, but with whoever writes while there is writing: nothing is compressed under
/// the queue's lock.
#[derive(Debug, Default)]
pub(crate) enum Encoding {
    #[default]
    Plain,
    /// Each packet by itself: once for all its receivers.
    Alone(Deflation),
    /// Each with those before it in mind; the context comes with the first.
    InContext(Deflation, Option<Box<Deflater>>),
}

impl Encoding {
    /// For packets that are compressed by themselves.
    pub(super) const fn alone(&self) -> Option<Deflation> {
        match self {
            Self::Alone(deflation) => Some(*deflation),
            Self::Plain | Self::InContext(..) => None,
        }
    }

    /// Compresses what the next write takes, if there is a context; `offset` bytes of the first
    /// packet are written.
    ///
    /// A packet is replaced by its frames, which stay in the queue until they are written:
    /// later ones refer to them. One that is partly written stays as it is.
    #[inline]
    pub(super) fn prepare(&mut self, batch: &mut VecDeque<Outgoing>, offset: usize, wire: Wire) {
        if let Self::InContext(deflation, context) = self {
            compress(*deflation, context, batch, offset, wire);
        }
    }
}

/// Apart, because a compressor passes over the stack when it is made: that room is touched by
/// each call of what this is inlined into.
#[inline(never)]
fn compress(
    Deflation { threshold, level }: Deflation,
    context: &mut Option<Box<Deflater>>,
    batch: &mut VecDeque<Outgoing>,
    offset: usize,
    wire: Wire,
) {
    let mut enough = offset.saturating_add(ENOUGH);
    for (at, packet) in batch.iter_mut().enumerate() {
        if (at > 0 || offset == 0) && packet.is_deflatable(threshold) {
            let context = context.get_or_insert_with(|| Box::new(Deflater::new(level)));
            *packet = packet.deflated_in(context, wire.protocol, threshold);
        }
        enough = enough.saturating_sub(packet.frames_len(wire.protocol, wire.base64));
        if enough == 0 {
            break;
        }
    }
}
