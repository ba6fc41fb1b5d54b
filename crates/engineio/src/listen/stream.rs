//! A stream whose peer must take what is written, and whose request heads are watched.
//!
//! The HTTP server has no such bound: an answer that nobody reads would keep its bytes and its
//! connection for as long as the peer likes. After the change to WebSocket the outbox sees to it,
//! and a TCP stream is taken out of this wrapper.
//!
//! The head of the answer that switches protocols is written in another spelling, see
//! [`crate::listen::spelling`].
//!
//! Behind a head that is refused the HTTP server sees the end of the stream. It has answered all
//! requests before by then, says nothing itself, and gives the stream back, see [`crate::listen::last_response`].

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::connections::ConnectionPermit;
use crate::listen::connection::Connection;
use crate::listen::heads::{HeadError, Heads};
use crate::listen::spelling::Respelled;
use crate::patience::Wait;
use crate::transport::upgraded::Taken;

/// A stream that fails when a write makes no progress for some time.
pub(crate) struct HttpStream<Io> {
    io: Io,
    /// What was read before this was made.
    ahead: Vec<u8>,
    connection: Arc<Connection>,
    timeout: Duration,
    /// Runs while a write waits.
    stalled: Option<Wait>,
    heads: Heads,
    max_head: (usize, usize),
    refused: Option<HeadError>,
    /// What is written instead of the head that switches protocols, and behind it.
    respelled: Option<Respelled>,
    /// Held as long as the stream is open.
    permit: ConnectionPermit,
}

impl<Io> HttpStream<Io> {
    /// `ahead` is what was read of the stream before.
    pub(crate) fn new(
        io: Io,
        ahead: Vec<u8>,
        connection: Arc<Connection>,
        timeout: Duration,
        max_head: (usize, usize),
        permit: ConnectionPermit,
    ) -> Self {
        Self {
            io,
            ahead,
            connection,
            timeout,
            stalled: None,
            heads: Heads::new(),
            max_head,
            refused: None,
            respelled: None,
            permit,
        }
    }

    /// Why the head that is being received cannot be answered by the HTTP server, which has given
    /// up; `None`: there is no such head, or an answer before it was not written to its end.
    pub(crate) fn refused(&self, timed_out: bool) -> Option<HeadError> {
        if self.stalled.is_some() {
            return None;
        }
        self.refused.or_else(|| (timed_out && self.heads.is_begun()).then_some(HeadError::TooSlow))
    }

    /// Whether the peer may still be sending what the HTTP server did not read, and nothing of what
    /// it was to be told is left.
    pub(crate) fn is_left_unread(&self) -> bool {
        self.stalled.is_none() && !self.heads.is_between()
    }

    /// The stream, what was read of it and not used, and its permit.
    pub(crate) fn into_parts(self) -> (Io, Vec<u8>, ConnectionPermit) {
        (self.io, self.ahead, self.permit)
    }

    fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.timeout;
        let stalled = self.stalled.get_or_insert_with(|| Wait::new(timeout));
        Pin::new(stalled).poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The TCP stream behind an upgrade, out of this wrapper.
pub(crate) fn take_apart(upgraded: Upgraded) -> Result<Taken, Upgraded> {
    let parts = upgraded.downcast::<TokioIo<HttpStream<TcpStream>>>()?;
    let (stream, ahead, permit) = parts.io.into_inner().into_parts();
    let read = match ahead.is_empty() {
        true => parts.read_buf,
        false => [&parts.read_buf[..], &ahead].concat().into(),
    };
    Ok(Taken { stream, read, permit })
}

impl<Io: AsyncRead + Unpin> AsyncRead for HttpStream<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.refused.is_none() {
            match self.ahead.len().min(buffer.remaining()) {
                0 => ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?,
                count => {
                    buffer.put_slice(&self.ahead[..count]);
                    self.ahead.drain(..count);
                    self.ahead.shrink_to_fit();
                }
            }
            let max = self.max_head;
            let watched = self.heads.watch(&buffer.filled()[before..], max);
            self.connection.set_head_begun(self.heads.is_begun());
            let Some((at, why)) = watched else { return Poll::Ready(Ok(())) };
            self.refused = Some(why);
            buffer.set_filled(before + at);
            if at > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        // The end, but not before the answers to earlier requests: the write that waits wakes.
        match self.stalled {
            Some(_) => Poll::Pending,
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<Io: AsyncWrite + Unpin> HttpStream<Io> {
    /// Writes some of `bytes`, which are, or have at their end, the head that switches protocols.
    fn poll_respelled(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.respelled.is_none() {
            match Respelled::find(bytes) {
                Some(0) => {
                    let behind = self.connection.take_behind();
                    self.respelled = Some(Respelled::new(bytes, &behind));
                }
                // the end of an earlier answer goes first
                at => {
                    let before = &bytes[..at.unwrap_or(bytes.len())];
                    let written = Pin::new(&mut self.io).poll_write(cx, before);
                    return self.check(cx, written);
                }
            }
        }
        loop {
            let Self { io, respelled: Some(respelled), .. } = self else {
                unreachable!("it was set")
            };
            let written = match Pin::new(io).poll_write(cx, respelled.rest()) {
                Poll::Ready(Ok(count)) if count > 0 => count,
                other => return self.check(cx, other),
            };
            let of_head = respelled.advance(written);
            if respelled.is_written() {
                self.respelled = None;
                self.connection.switched();
            }
            if of_head > 0 {
                return self.check(cx, Poll::Ready(Ok(of_head)));
            }
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for HttpStream<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.connection.is_switching() {
            return self.poll_respelled(cx, bytes);
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.check(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.is_switching() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_respelled(cx, first.map_or(&[], |slice| slice));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.check(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.check(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refused.is_some() {
            // the refusal is still to be said
            return Poll::Ready(Ok(()));
        }
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.check(cx, shut)
    }
}
