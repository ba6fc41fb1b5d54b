//! The bounded queue of what waits to be sent to one client, and the direct way to its socket.
//!
//! Pushing happens under the outbox' lock and never waits; writing happens outside of it, by
//! whoever holds the `flushing` mark: the thread that emitted, if the connection is a plain TCP
//! WebSocket, else the driver. So a broadcast reaches a thousand sockets without waking a thousand
//! tasks.
//!
//! ```text
//!   push ──▶ packets ──take──▶ batch ──write──▶ socket
//!               ▲                │ what did not fit
//!               └──── put back ──┘ (blocked: the driver waits until the socket is writable)
//! ```
//!
//! The invariants: `bytes` and `count` include the batch in flight; packets leave in the order of
//! pushing, a packet and its attachments together; nothing is pushed to a closed outbox or through
//! a closed [`Gate`].

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use engineio_proto::guard::{self, Held, lock};
use engineio_proto::{Outgoing, OverflowPolicy, Protocol};
use tokio::net::tcp::OwnedWriteHalf;

use super::bounds::Bounds;
use super::encoding::Encoding;
use super::flush::{FlushAction, Flushed, WriteState};
use super::gate::Gate;
use super::overflow::Evicted;
use super::queue::{End, Queue, Sink};
use super::removed::Removed;
use super::wire::{Framing, Wire};
use super::write::{Written, write_packets};

/// What became of a pushed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Push {
    /// It will be sent in its turn.
    Queued,
    /// It was dropped: volatile and the client behind, or the queue full and its policy so.
    Dropped,
    /// The session or the gate is closed, or the queue was full and the session ends for it.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    bounds: Arc<Bounds>,
    protocol: Protocol,
    /// The [`Framing`]. Written under the lock, before the first write.
    framing: AtomicU8,
    /// Whether the queue is above half of its bounds, and whether it was full and the session must
    /// end for it: for the driver, who asks each turn. Written under the lock.
    half_full: AtomicBool,
    overflowed: AtomicBool,
}

impl Outbox {
    pub(crate) fn new(bounds: Arc<Bounds>, protocol: Protocol) -> Self {
        let queue = Mutex::new(Queue {
            packets: VecDeque::with_capacity(BEGIN),
            bytes: 0,
            count: 0,
            offset: 0,
            sink: Sink::Driver,
            encoding: Encoding::Plain,
            flushing: false,
            blocked: false,
            broken: false,
            ready: false,
            volatile_first: false,
            unattended: true,
            counted: 0,
            listed: false,
            control_frames: 0,
            dropped: 0,
            end: End::Open,
            written: 0,
            waiters: Vec::new(),
        });
        let framing = AtomicU8::new(Framing::WebSocket as u8);
        let [half_full, overflowed] = [const { AtomicBool::new(false) }; 2];
        Self { queue, bounds, protocol, framing, half_full, overflowed }
    }

    fn lock(&self) -> Held<MutexGuard<'_, Queue>> {
        lock(&self.queue)
    }

    /// Queues a packet if the gate, if there is one, is open. `in_turn`: a turn runs on this thread;
    /// `evicted` says what a full queue did for it.
    pub(crate) fn push(
        &self,
        packet: Outgoing,
        gate: Option<&Gate>,
        in_turn: bool,
        evicted: &mut Evicted,
    ) -> (Push, FlushAction) {
        let bounds = &*self.bounds;
        let volatile = packet.is_volatile();
        let mut queue = self.lock();
        if queue.is_closed() || gate.is_some_and(|gate| !gate.is_open()) {
            return (Push::Closed, FlushAction::Nothing);
        }
        if volatile && !queue.takes_volatile(bounds) {
            return (Push::Dropped, FlushAction::Nothing);
        }
        let exceeded = queue.exceeds(&packet, bounds);
        if exceeded.is_some() && packet.is_droppable() {
            evicted.limit = exceeded;
            match bounds.policy_of(&packet) {
                _ if queue.drop_volatile(&packet, bounds, evicted) => {}
                OverflowPolicy::DropOldest if queue.drop_oldest(&packet, bounds, evicted) => {}
                OverflowPolicy::DropNewest | OverflowPolicy::DropOldest => {
                    queue.dropped = queue.dropped.saturating_add(1);
                    return (Push::Dropped, FlushAction::Nothing);
                }
                // `Disconnect`
                _ => return (Push::Closed, self.overflow(&mut queue, evicted.removed())),
            }
        }
        // State travels even in a full queue, but not for ever: twice the bound is the end.
        if queue.bytes > bounds.bytes.saturating_mul(2)
            || queue.count > bounds.packets.saturating_mul(2)
        {
            evicted.limit = exceeded;
            return (Push::Closed, self.overflow(&mut queue, evicted.removed()));
        }
        queue.volatile_first |= volatile && queue.ready;
        (Push::Queued, self.put(&mut queue, packet, in_turn))
    }

    /// Queues packets and opens the gate with them, in one step. They are in any case: what the client
    /// is owed has bounds of its own.
    pub(crate) fn open_gate(
        &self,
        gate: &Gate,
        packet: &Outgoing,
        owed: &[Outgoing],
        in_turn: bool,
    ) -> (bool, FlushAction) {
        let mut queue = self.lock();
        if queue.is_closed() {
            return (false, FlushAction::Nothing);
        }
        gate.open();
        let mut action = self.put(&mut queue, packet.clone(), in_turn);
        for packet in owed {
            action = action.max(self.put(&mut queue, packet.clone(), in_turn));
        }
        (true, action)
    }

    /// Closes the gate and queues a last packet behind what went through it. False: it was closed.
    pub(crate) fn close_gate(
        &self,
        gate: &Gate,
        packet: Option<&Outgoing>,
        in_turn: bool,
    ) -> (bool, FlushAction) {
        let mut queue = self.lock();
        if !gate.close() {
            return (false, FlushAction::Nothing);
        }
        match packet {
            Some(packet) if !queue.is_closed() => {
                (true, self.put(&mut queue, packet.clone(), in_turn))
            }
            _ => (true, FlushAction::Nothing),
        }
    }

    /// Queues an answer to a WebSocket ping. True: too many wait, and it takes the place of the
    /// newest (RFC 6455 5.5.3).
    pub(crate) fn push_pong(&self, frame: Outgoing) -> (bool, FlushAction) {
        let mut queue = self.lock();
        if queue.is_closed() {
            return (false, FlushAction::Nothing);
        }
        if queue.control_frames as usize >= self.bounds.pongs {
            // The head may be partly written: it stays as it is.
            let newest = queue.packets.iter_mut().skip(1).rfind(|p| p.is_control_frame());
            if let Some(newest) = newest {
                let (old, new) = (newest.size(), frame.size());
                let replaced = std::mem::replace(newest, frame);
                queue.bytes = queue.bytes - old + new;
                drop(queue);
                drop(replaced);
            }
            return (true, FlushAction::Nothing);
        }
        (false, self.put(&mut queue, frame, true))
    }

    /// Writes what waits, if nobody else does and the socket can be written from here.
    pub(crate) fn flush(&self) -> Flushed {
        let mut packets = 0;
        loop {
            let (half, mut batch, mut encoding, mut offset) = {
                let mut queue = self.lock();
                queue.listed = false;
                let (state, needs_driver) = (queue.write_state(), self.overflowed());
                if state != WriteState::Busy || queue.flushing {
                    return Flushed { state, needs_driver, packets };
                }
                let half = match &mut queue.sink {
                    Sink::Driver => return Flushed { state, needs_driver: true, packets },
                    Sink::Direct(half) => half.take(),
                };
                let Some(half) = half else {
                    return Flushed { state, needs_driver, packets };
                };
                queue.flushing = true;
                let (batch, encoding) = queue.take();
                (half, batch, encoding, queue.offset)
            };
            let mut written = Written::default();
            let form = (self.wire(), &mut encoding);
            let result =
                write_packets(&mut batch, &mut offset, form, &mut written, |slices| match slices {
                    [one] => half.try_write(one),
                    many => half.try_write_vectored(many),
                });
            let mut queue = self.lock();
            queue.flushing = false;
            packets += written.packets - written.control_frames as usize;
            if queue.is_discarded() {
                let state = queue.write_state();
                drop(queue);
                // with what is left, and the half, which ends the direction
                return Flushed { state, needs_driver: true, packets };
            }
            queue.put_back(batch, encoding, offset, &written);
            queue.sink = Sink::Direct(Some(half));
            if let Err(error) = &result {
                queue.blocked = true;
                let _ = queue.wait(&self.bounds.backlog);
                queue.broken = error.kind() != io::ErrorKind::WouldBlock;
            }
            let state = queue.write_state();
            let waiters = self.relieve(&mut queue);
            drop(queue);
            guard::wake(waiters);
            if state != WriteState::Busy {
                return Flushed { state, needs_driver: result.is_err(), packets };
            }
        }
    }

    /// Writes what waits through a stream that only the driver has; adds up the `packets` written.
    /// True: nothing waits.
    pub(crate) fn flush_with(
        &self,
        packets: &mut usize,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        loop {
            let (mut batch, mut encoding, mut offset) = {
                let mut queue = self.lock();
                queue.listed = false;
                queue.flushing = true;
                let (batch, encoding) = queue.take();
                (batch, encoding, queue.offset)
            };
            let mut written = Written::default();
            let form = (self.wire(), &mut encoding);
            let result = write_packets(&mut batch, &mut offset, form, &mut written, &mut write);
            let mut queue = self.lock();
            // of a queue that ended meanwhile the writer has what is left, and drops it after the lock
            if !queue.is_discarded() {
                queue.put_back(batch, encoding, offset, &written);
            }
            queue.flushing = false;
            *packets += written.packets - written.control_frames as usize;
            let done = queue.packets.is_empty();
            queue.unattended = false;
            if result.is_err() {
                let _ = queue.wait(&self.bounds.backlog);
            }
            let waiters = self.relieve(&mut queue);
            drop(queue);
            guard::wake(waiters);
            match result {
                Ok(()) if done => return Ok(true),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes what waits for the answer to a poll: everything, or as much as one answer may have with
    /// `beside` packets more. True: something is left for the next one.
    pub(crate) fn take(&self, beside: usize) -> (VecDeque<Outgoing>, bool) {
        self.take_at_most(self.bounds.packets_per_poll.saturating_sub(beside))
    }

    /// Takes so many packets of what waits for the answer to a poll. True: something is left.
    pub(crate) fn take_at_most(&self, max: usize) -> (VecDeque<Outgoing>, bool) {
        let mut queue = self.lock();
        queue.listed = false;
        queue.ready = false;
        queue.volatile_first = false;
        queue.counted = 0;
        let (packets, whole) = queue.take_parts(max);
        let is_left = !queue.packets.is_empty();
        // nobody is about to write that
        let _ = queue.wait(&self.bounds.backlog);
        let waiters = self.relieve(&mut queue);
        drop(queue);
        drop(whole);
        guard::wake(waiters);
        (packets, is_left)
    }

    /// A poll waits: the next packet leaves at once, a volatile one too. False: packets wait.
    pub(crate) fn park(&self) -> bool {
        let mut queue = self.lock();
        queue.ready = queue.packets.is_empty();
        queue.unattended = false;
        queue.ready
    }

    /// No poll waits any more.
    pub(crate) fn unpark(&self) {
        let mut queue = self.lock();
        queue.ready = false;
        queue.unattended = true;
    }

    /// How packets look from now on, before the first one is written to a framed transport.
    pub(crate) fn set_wire(&self, (framing, encoding): (Framing, Encoding)) {
        let mut queue = self.lock();
        self.framing.store(framing as u8, Ordering::Relaxed);
        queue.encoding = encoding;
    }

    fn wire(&self) -> Wire {
        let framing = Framing::from_number(self.framing.load(Ordering::Relaxed));
        Wire { protocol: self.protocol, framing }
    }

    /// From now on whoever pushes writes.
    pub(crate) fn set_direct(&self, half: OwnedWriteHalf) {
        let mut queue = self.lock();
        if !queue.is_discarded() {
            queue.sink = Sink::Direct(Some(half));
            queue.ready = queue.packets.is_empty();
            queue.unattended = false;
        }
    }

    /// Bytes that go out before everything that waits: the rest of a frame, when a probe becomes
    /// the transport. Nothing may be partly written.
    pub(crate) fn precede(&self, bytes: Vec<u8>) {
        let mut queue = self.lock();
        debug_assert_eq!(queue.offset, 0, "polling writes whole packets");
        let rest = Outgoing::control_frame(bytes);
        queue.ready = false;
        queue.volatile_first = false;
        queue.bytes += rest.size();
        queue.count += 1;
        queue.control_frames += 1;
        queue.packets.push_front(rest);
    }

    /// The socket is writable again.
    pub(crate) fn unblock(&self) {
        let mut queue = self.lock();
        queue.blocked = false;
        queue.unattended = false;
    }

    pub(crate) fn write_state(&self) -> WriteState {
        self.lock().write_state()
    }

    /// Bytes taken off the queue since the start.
    pub(crate) fn written(&self) -> u64 {
        self.lock().written
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Packets that a full queue dropped since this was last asked.
    pub(crate) fn take_dropped(&self) -> u32 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// Whether a message waits, of whoever is above; a ping is none.
    pub(crate) fn has_messages(&self) -> bool {
        self.lock().packets.iter().any(Outgoing::is_message)
    }

    /// Ready when the queue is below half of its bounds, or closed.
    // Asked for each message.
    #[inline]
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.half_full.load(Ordering::Relaxed) {
            false => Poll::Ready(()),
            true => self.poll_relieved(cx),
        }
    }

    #[cold]
    fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        // made before the lock, as it is code of whoever polls
        let waker = cx.waker().clone();
        let mut queue = self.lock();
        if queue.is_closed() || !queue.is_half_full(&self.bounds) {
            return Poll::Ready(());
        }
        if !queue.waiters.iter().any(|waiter| waiter.will_wake(&waker)) {
            queue.waiters.push(waker);
        }
        Poll::Pending
    }

    fn put(&self, queue: &mut Queue, packet: Outgoing, in_turn: bool) -> FlushAction {
        let action = queue.put(packet, in_turn, &self.bounds.backlog);
        if queue.is_half_full(&self.bounds) {
            self.half_full.store(true, Ordering::Relaxed);
        }
        action
    }

    /// The queue was full and its policy is to end the session.
    #[cold]
    fn overflow(&self, queue: &mut Queue, removed: &mut Removed) -> FlushAction {
        removed.take_all(queue);
        self.overflowed.store(true, Ordering::Release);
        removed.waiters.append(&mut self.relieve(queue));
        FlushAction::Wake
    }

    /// Something left the queue: who waits for room, if there is some, to be woken after the section.
    #[inline]
    #[must_use]
    fn relieve(&self, queue: &mut Queue) -> Vec<Waker> {
        match self.half_full.load(Ordering::Relaxed) {
            true => self.relieve_if_room(queue),
            false => Vec::new(),
        }
    }

    #[cold]
    fn relieve_if_room(&self, queue: &mut Queue) -> Vec<Waker> {
        if !queue.is_closed() && queue.is_half_full(&self.bounds) {
            return Vec::new();
        }
        self.half_full.store(false, Ordering::Relaxed);
        std::mem::take(&mut queue.waiters)
    }

    /// Ends the session as if its queue were full. False: it ends already.
    pub(crate) fn cut(&self) -> bool {
        let mut removed = Removed::default();
        let mut queue = self.lock();
        let is_first = !queue.is_discarded();
        if is_first {
            let _ = self.overflow(&mut queue, &mut removed);
        }
        drop(queue);
        removed.let_go();
        is_first
    }

    /// Whether the queue was full and the session must end for it.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    /// Takes no packet any more, but for `last`; what waits is still to be written.
    pub(crate) fn close(&self, last: Option<Outgoing>) {
        let mut queue = self.lock();
        if !queue.is_discarded() {
            queue.end = End::Closed;
            if let Some(last) = last {
                let _ = self.put(&mut queue, last, true);
            }
        }
        let waiters = self.relieve(&mut queue);
        drop(queue);
        guard::wake(waiters);
    }

    /// Drops what waits and the way to the socket.
    pub(crate) fn discard(&self) {
        let mut removed = Removed::default();
        let mut queue = self.lock();
        removed.take_all(&mut queue);
        removed.sink = std::mem::replace(&mut queue.sink, Sink::Driver);
        removed.waiters = self.relieve(&mut queue);
        drop(queue);
        removed.let_go();
    }
}

/// Queued pointers that there is room for from the start. An idle client is not sent more at a time;
/// a queue that grew by itself would begin with four.
const BEGIN: usize = 2;

#[cfg(test)]
mod tests;
