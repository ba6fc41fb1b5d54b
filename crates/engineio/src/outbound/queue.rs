//! What waits for one client, behind its outbox' lock.

use std::collections::VecDeque;
use std::task::Waker;

use engineio_proto::Outgoing;
use tokio::net::tcp::OwnedWriteHalf;

use super::backlog::Backlog;
use super::bounds::Bounds;
use super::encoding::Encoding;
use super::flush::{FlushAction, WriteState};
use super::write::Written;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) packets: VecDeque<Outgoing>,
    pub(super) bytes: usize,
    pub(super) count: usize,
    /// Bytes of the first packet's wire form that are written already.
    pub(super) offset: usize,
    pub(super) sink: Sink,
    pub(super) encoding: Encoding,
    /// Somebody writes.
    pub(super) flushing: bool,
    /// The socket took no more; the driver waits for it.
    pub(super) blocked: bool,
    /// The socket is broken; the driver ends the session.
    pub(super) broken: bool,
    /// Everything is sent, or a poll is parked.
    pub(super) ready: bool,
    /// The first packet is volatile: it was pushed when nothing else was there. Others behind it are
    /// as any packet.
    pub(super) volatile_first: bool,
    /// Nobody will write soon: the socket takes no more, or no poll is there.
    pub(super) unattended: bool,
    /// That many packets from the front are counted in the backlog; may be too low.
    pub(super) counted: usize,
    /// The outbox stands in the list of the turn that runs.
    pub(super) listed: bool,
    /// Pongs that wait, and the close frame.
    pub(super) control_frames: u32,
    /// Packets that were dropped as it was full, since somebody asked.
    pub(super) dropped: u32,
    pub(super) end: End,
    /// Bytes taken off the queue since the start: whether a slow client makes progress.
    pub(super) written: u64,
    /// Who waits until the queue is below half of its bounds.
    pub(super) waiters: Vec<Waker>,
}

/// How far the end of a queue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is not at its end.
    Open,
    /// Nothing is pushed any more; what waits is still written.
    Closed,
    /// Nothing is written any more either.
    Discarded,
}

#[derive(Debug)]
pub(super) enum Sink {
    /// The driver takes the packets: polling, TLS and other streams.
    Driver,
    /// Whoever pushed writes; `None` while somebody does.
    Direct(Option<OwnedWriteHalf>),
}

impl Queue {
    pub(super) fn write_state(&self) -> WriteState {
        match () {
            () if self.broken => WriteState::Broken,
            () if self.blocked => WriteState::Blocked,
            () if self.packets.is_empty() && !self.flushing => WriteState::Idle,
            () => WriteState::Busy,
        }
    }

    /// A volatile packet would leave with this turn: somebody writes, or is about to, and what a
    /// turn writes at once is not there yet.
    pub(super) fn takes_volatile(&self, bounds: &Bounds) -> bool {
        !self.unattended
            && self.bytes <= FLUSH_BYTES
            && self.packets.len() <= FLUSH_PACKETS
            && !self.is_half_full(bounds)
    }

    pub(super) fn is_half_full(&self, bounds: &Bounds) -> bool {
        self.bytes > bounds.bytes / 2 || self.count > bounds.packets / 2
    }

    pub(super) fn is_closed(&self) -> bool {
        self.end != End::Open
    }

    pub(super) fn is_discarded(&self) -> bool {
        self.end == End::Discarded
    }

    /// Ends it; what it had, for whoever drops it without the lock.
    #[must_use]
    pub(super) fn discard(&mut self) -> (VecDeque<Outgoing>, Encoding) {
        self.end = End::Discarded;
        self.ready = false;
        self.counted = 0;
        self.bytes = 0;
        self.count = 0;
        self.take()
    }

    pub(super) fn put(
        &mut self,
        packet: Outgoing,
        in_turn: bool,
        backlog: &Backlog,
    ) -> FlushAction {
        let was_ready = std::mem::replace(&mut self.ready, false);
        self.bytes += packet.size();
        self.count += 1;
        self.control_frames += u32::from(packet.is_control_frame());
        self.packets.push_back(packet);
        if self.unattended && self.wait(backlog) {
            return FlushAction::Wake;
        }
        match &self.sink {
            _ if self.blocked || self.flushing => FlushAction::Nothing,
            // The driver knows already, or there is no poll to answer.
            Sink::Driver if !was_ready => FlushAction::Nothing,
            Sink::Driver if !in_turn => FlushAction::Wake,
            Sink::Direct(_) if !in_turn => FlushAction::Flush,
            Sink::Direct(_) if self.bytes > FLUSH_BYTES || self.packets.len() > FLUSH_PACKETS => {
                FlushAction::Flush
            }
            _ if self.listed => FlushAction::Nothing,
            _ => {
                self.listed = true;
                FlushAction::List
            }
        }
    }

    /// What waits will do so for some time: it is counted. True: too much waits in the server.
    pub(super) fn wait(&mut self, backlog: &Backlog) -> bool {
        self.unattended = true;
        if self.flushing {
            return false; // who writes counts what is left
        }
        let counted = std::mem::replace(&mut self.counted, self.packets.len());
        backlog.count(self.packets.range(counted..))
    }

    /// What waits, for whoever is to write it.
    pub(super) fn take(&mut self) -> (VecDeque<Outgoing>, Encoding) {
        (std::mem::take(&mut self.packets), std::mem::take(&mut self.encoding))
    }

    /// What waits, up to so many packets of the protocol. One that has more attachments is cut; the
    /// whole is for the caller to drop.
    pub(super) fn take_parts(&mut self, max: usize) -> (VecDeque<Outgoing>, Option<Outgoing>) {
        let mut left = max;
        let fits = |packet: &&Outgoing| {
            let rest = left.checked_sub(packet.part_count());
            left = rest.unwrap_or_default();
            rest.is_some()
        };
        let count = self.packets.iter().take_while(fits).count();
        if count == self.packets.len() {
            self.written += self.bytes as u64;
            (self.bytes, self.count) = (0, 0);
            return (std::mem::take(&mut self.packets), None);
        }
        let (cut, whole) = match self.packets.front_mut() {
            Some(first) if count == 0 => {
                first.split(max).map(|(cut, rest)| (cut, std::mem::replace(first, rest))).unzip()
            }
            _ => (None, None),
        };
        self.count -= count;
        let taken: VecDeque<_> = cut.into_iter().chain(self.packets.drain(..count)).collect();
        let bytes = taken.iter().map(Outgoing::size).sum::<usize>();
        self.bytes -= bytes;
        self.written += bytes as u64;
        (taken, whole)
    }

    /// Takes back what was not written, unless it was discarded meanwhile.
    pub(super) fn put_back(
        &mut self,
        mut rest: VecDeque<Outgoing>,
        encoding: Encoding,
        offset: usize,
        written: &Written,
    ) {
        debug_assert!(!self.is_discarded(), "what is left is the writer's");
        self.encoding = encoding;
        self.bytes -= written.bytes;
        self.written += written.bytes as u64 + u64::from(offset != self.offset);
        self.count -= written.packets;
        self.volatile_first &= written.packets == 0;
        self.counted = match self.encoding {
            // compressed packets take the places of those that were counted
            Encoding::InContext(..) => 0,
            _ => self.counted.saturating_sub(written.packets),
        };
        self.control_frames -= written.control_frames;
        self.offset = offset;
        if !rest.is_empty() {
            rest.append(&mut self.packets);
            self.packets = rest;
        } else if self.packets.is_empty() {
            // Most batches are small: keep their room, not that of a burst.
            if rest.capacity() <= KEEP {
                self.packets = rest;
            }
            self.ready = true;
        }
    }
}

/// Queued pointers whose room is kept when all is written: a pipelined client's usual burst, at
/// most 128 bytes of an idle connection.
const KEEP: usize = 16;

/// A handler's burst is written as soon as this much waits, not only when the handler returns.
const FLUSH_BYTES: usize = 64 * 1024;
const FLUSH_PACKETS: usize = 256;
