//! The bytes of a WebSocket that is passed on, both ways, whatever they are.
//!
//! Nothing is held while nothing passes: what is read goes into the worker thread's buffer and out of
//! it at once, and only what the other side does not take yet is kept, at most one buffer. The end of
//! one direction ends it on the other side, too; when both have ended, or one has broken, all is over.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::patience::Wait;
use crate::scratch;
use crate::transport::stream::Stream;

/// Copies between two streams until both have ended.
pub(crate) struct Copy {
    sides: [Side; 2],
    /// How long the one may take nothing, and how long it may live when the other has ended.
    patience: Duration,
    /// Runs while a side takes nothing, or only one lives.
    waiting: Option<Pin<Box<Wait>>>,
}

struct Side {
    stream: Stream,
    /// Its peer sends no more.
    ended: bool,
    /// What it is to be sent and does not take yet: in `stream.out`. Its direction is shut down.
    shut: bool,
}

impl Copy {
    pub(crate) fn new(one: Stream, other: Stream, patience: Duration) -> Self {
        let side = |stream| Side { stream, ended: false, shut: false };
        Self { sides: [side(one), side(other)], patience, waiting: None }
    }

    /// One direction, as far as it goes. Whether something passed.
    fn pass(&mut self, from: usize, cx: &mut Context<'_>) -> io::Result<bool> {
        let [one, other] = &mut self.sides;
        let (from, to) = if from == 0 { (one, other) } else { (other, one) };
        let mut passed = false;
        loop {
            if !to.stream.out.is_empty() {
                let before = to.stream.out.len();
                let written = to.stream.poll_queued(cx)?;
                passed |= to.stream.out.len() < before;
                if written.is_pending() {
                    return Ok(passed);
                }
                to.stream.out = Vec::new(); // its memory, too
            }
            if from.ended {
                if !to.shut && to.stream.poll_shutdown(cx)?.is_ready() {
                    to.shut = true;
                    passed = true;
                }
                return Ok(passed);
            }
            let is_full = scratch::with_read_buffer(|buffer| {
                let size = buffer.len();
                match from.stream.poll_read(cx, buffer) {
                    Poll::Pending => Ok(None),
                    Poll::Ready(Err(error)) => Err(error),
                    Poll::Ready(Ok(0)) => {
                        from.ended = true;
                        Ok(Some(true))
                    }
                    Poll::Ready(Ok(count)) => {
                        to.write(&buffer[..count], cx)?;
                        Ok(Some(count == size))
                    }
                }
            })?;
            match is_full {
                None => return Ok(passed),
                Some(_) => passed = true,
            }
            // others have their turn; a short read is followed by another, which waits
            if is_full == Some(true) && !from.ended {
                cx.waker().wake_by_ref();
                return Ok(true);
            }
        }
    }
}

impl Side {
    /// Writes what there is room for, and keeps the rest.
    fn write(&mut self, mut bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(cx, &[IoSlice::new(bytes)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.out = bytes.to_vec();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        // what does not get out at once does with the next write
        match self.stream.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Future for Copy {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut passed = false;
        for from in [0, 1] {
            match this.pass(from, cx) {
                Ok(some) => passed |= some,
                // the one is broken, and so is the other: both are closed
                Err(_) => return Poll::Ready(()),
            }
        }
        if this.sides.iter().all(|side| side.shut) {
            return Poll::Ready(());
        }
        let waits = this.sides.iter().any(|side| side.ended || !side.stream.out.is_empty());
        if !waits || passed {
            this.waiting = None;
        }
        if !waits {
            return Poll::Pending;
        }
        let patience = this.patience;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(Wait::new(patience)));
        waiting.as_mut().poll(cx)
    }
}
