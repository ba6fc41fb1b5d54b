//! How packets are compressed on their way to one client.

use std::collections::VecDeque;

use engineio_proto::Outgoing;
use engineio_proto::websocket::deflate::{Deflater, Deflation, WindowBits};

use super::wire::{ENOUGH, Wire};

/// Part of the queue, but with whoever writes while there is writing: nothing is compressed under
/// the queue's lock.
#[derive(Debug, Default)]
pub(crate) enum Encoding {
    #[default]
    Plain,
    /// Each packet by itself: once for all its receivers with this window.
    Alone(Deflation, WindowBits),
    /// Each with those before it in mind; the context comes with the first.
    InContext(Deflation, WindowBits, Option<Box<Deflater>>),
}

impl Encoding {
    /// For packets that are compressed once for all.
    pub(super) const fn alone(&self) -> Option<(Deflation, WindowBits)> {
        match self {
            Self::Alone(deflation, window) => Some((*deflation, *window)),
            Self::Plain | Self::InContext(..) => None,
        }
    }

    /// Compresses what the next write takes, if that is for this receiver alone; `offset` bytes of
    /// the first packet are written.
    ///
    /// A packet is replaced by its frames, which stay in the queue until they are written:
    /// later ones may refer to them. One that is partly written stays as it is.
    #[inline]
    pub(super) fn prepare(&mut self, batch: &mut VecDeque<Outgoing>, offset: usize, wire: Wire) {
        if let Self::InContext(deflation, window, context) = self {
            compress(*deflation, *window, context, batch, offset, wire);
        }
    }
}

/// Apart from every plain flush, which it would burden when inlined: making a compressor takes much
/// of the stack.
#[inline(never)]
fn compress(
    deflation: Deflation,
    window: WindowBits,
    context: &mut Option<Box<Deflater>>,
    batch: &mut VecDeque<Outgoing>,
    offset: usize,
    wire: Wire,
) {
    let Deflation { threshold, level } = deflation;
    let mut enough = offset.saturating_add(ENOUGH);
    for (at, packet) in batch.iter_mut().enumerate() {
        if (at > 0 || offset == 0) && packet.is_deflatable(threshold) {
            let context = context.get_or_insert_with(|| Box::new(Deflater::new(level, window)));
            *packet = packet.deflated_in(context, wire.protocol, threshold);
        }
        enough = enough.saturating_sub(wire.len_of(packet));
        if enough == 0 {
            break;
        }
    }
}
