//! Packets to as few writes as possible: one that lies ready from where it is, small ones flattened
//! into the thread's scratch buffer, large ones as slices of their own.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use engineio_proto::websocket::deflate::{Deflation, WindowBits};
use engineio_proto::{Deflated, Outgoing};

use super::encoding::Encoding;
use super::wire::{ENOUGH, Framing, Wire};
use crate::scratch;

/// What a write took off a batch.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) packets: usize,
    pub(super) control_frames: u32,
}

impl Written {
    /// Takes the first packet, which is written, off a batch.
    fn take(&mut self, batch: &mut VecDeque<Outgoing>) {
        let Some(first) = batch.pop_front() else { return };
        self.bytes += first.size();
        self.packets += 1;
        self.control_frames += u32::from(first.is_control_frame());
    }
}

/// Writes packets off the front of `batch` until it is empty or `write` fails; `offset` counts the
/// bytes of the first packet that are written. `WouldBlock` is an error here.
pub(super) fn write_packets(
    batch: &mut VecDeque<Outgoing>,
    offset: &mut usize,
    (wire, encoding): (Wire, &mut Encoding),
    written: &mut Written,
    mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<()> {
    let form = Form { wire, deflation: encoding.alone() };
    loop {
        encoding.prepare(batch, *offset, wire);
        let Some(first) = batch.front() else { break };
        let count = match form.ready_frame(first) {
            Some(frame) if batch.len() == 1 => {
                let rest = &frame[*offset..];
                let count = write(&[IoSlice::new(rest)])?;
                if count == rest.len() && count > 0 {
                    // as nearly always: whoever is written to waits for one packet, and takes it
                    *offset = 0;
                    written.take(batch);
                    break;
                }
                count
            }
            _ => write_some(batch, *offset, form, &mut write)?,
        };
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *offset += count;
        while let Some(first) = batch.front() {
            let length = form.frames_len(first);
            if *offset < length {
                break;
            }
            *offset -= length;
            written.take(batch);
        }
    }
    Ok(())
}

/// The form of packets that need no context: it is the same whenever it is asked for.
#[derive(Clone, Copy)]
struct Form {
    wire: Wire,
    deflation: Option<(Deflation, WindowBits)>,
}

impl Form {
    fn deflated(self, packet: &Outgoing) -> Option<&Deflated> {
        let (deflation, window) = self.deflation?;
        packet.deflated(self.wire.protocol, deflation, window)
    }

    /// The whole packet if it is one slice.
    fn ready_frame(self, packet: &Outgoing) -> Option<&[u8]> {
        match self.deflated(packet) {
            Some(deflated) => deflated.ready_frame(),
            None => self.wire.ready(packet),
        }
    }

    /// Whether it is quicker to copy all packets than to gather slices.
    fn fit_a_copy(self, packets: &VecDeque<Outgoing>) -> bool {
        let mut room = LARGE;
        self.deflation.is_none()
            && packets.iter().all(|packet| {
                let rest = room.checked_sub(self.frames_len(packet));
                room = rest.unwrap_or_default();
                rest.is_some()
            })
    }

    fn frames_len(self, packet: &Outgoing) -> usize {
        match self.deflated(packet) {
            Some(deflated) => deflated.len(),
            None => self.wire.len_of(packet),
        }
    }
}

/// One write of as many packets as fit.
fn write_some(
    batch: &VecDeque<Outgoing>,
    offset: usize,
    form: Form,
    write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
) -> io::Result<usize> {
    scratch::with_write_buffer(|flat| {
        if form.fit_a_copy(batch) {
            batch.iter().for_each(|packet| form.wire.write(packet, flat));
            return write(&[IoSlice::new(&flat[offset..])]);
        }
        let mut gather =
            Gather { flat, pieces: [const { None }; PIECES], used: 0, total: 0, skip: offset };
        for packet in batch {
            gather.packet(packet, form);
            if gather.is_full() {
                break;
            }
        }
        let Gather { flat, pieces, used, .. } = gather;
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut start = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces.iter().flatten()) {
            match piece {
                Piece::Flat(end) => {
                    *slice = IoSlice::new(&flat[start..*end]);
                    start = *end;
                }
                Piece::Slice(bytes) => *slice = IoSlice::new(bytes),
            }
        }
        write(&slices[..used])
    })
}

/// A vectored write in the making.
struct Gather<'f, 'p> {
    flat: &'f mut Vec<u8>,
    pieces: [Option<Piece<'p>>; PIECES],
    used: usize,
    total: usize,
    /// Bytes that are written already and so left out.
    skip: usize,
}

enum Piece<'p> {
    /// The next bytes of the scratch buffer, up to this one.
    Flat(usize),
    /// Bytes that are written from where they are.
    Slice(&'p [u8]),
}

impl<'p> Gather<'_, 'p> {
    /// Adds a packet. The end of one that does not fit is left out: the next write has it.
    fn packet(&mut self, packet: &'p Outgoing, form: Form) {
        let wire = form.wire;
        if let Some(frame) = form.ready_frame(packet) {
            return self.bytes(frame);
        }
        if wire.framing == Framing::Base64 {
            let start = self.flat.len();
            wire.write(packet, self.flat);
            return self.flattened(start);
        }
        let deflated = form.deflated(packet);
        for (at, part) in packet.parts().enumerate() {
            if let Some(frame) = deflated.and_then(|deflated| deflated.frame(at)) {
                self.bytes(frame);
                continue;
            }
            let start = self.flat.len();
            let bytes = wire.open_part(part, self.flat);
            self.flattened(start);
            self.bytes(bytes);
        }
    }

    fn bytes(&mut self, bytes: &'p [u8]) {
        if self.skip >= bytes.len() {
            self.skip -= bytes.len();
            return;
        }
        let bytes = &bytes[std::mem::take(&mut self.skip)..];
        if bytes.len() < LARGE {
            let start = self.flat.len();
            self.flat.extend_from_slice(bytes);
            return self.flattened(start);
        }
        if !self.is_full() {
            self.pieces[self.used] = Some(Piece::Slice(bytes));
            self.used += 1;
            self.total += bytes.len();
        }
    }

    /// The scratch buffer grew from `start` on.
    fn flattened(&mut self, start: usize) {
        let skip = self.skip.min(self.flat.len() - start);
        self.flat.drain(start..start + skip);
        self.skip -= skip;
        let end = self.flat.len();
        let continues = self.used > 0 && matches!(self.pieces[self.used - 1], Some(Piece::Flat(_)));
        if self.is_full() || end == start {
            return self.flat.truncate(start);
        }
        if !continues {
            self.used += 1;
        }
        self.pieces[self.used - 1] = Some(Piece::Flat(end));
        self.total += end - start;
    }

    fn is_full(&self) -> bool {
        self.used == PIECES || self.total >= ENOUGH
    }
}

/// Slices of one write. More would not make it faster.
const PIECES: usize = 16;

/// From here on a copy costs more than a slice of its own.
const LARGE: usize = 16 * 1024;
