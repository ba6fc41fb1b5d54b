//! The stream of bytes below a framed transport: how it is read, also ahead of time, and written by
//! the driver.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::limits::connections::ConnectionPermit;
use crate::scratch;

/// A stream, and what was read of it too early.
pub(crate) struct Stream {
    io: Io,
    /// That of a connection of our own listeners; other streams have theirs in them, or none.
    permit: Option<ConnectionPermit>,
    /// What is to be read before anything else.
    read_ahead: Vec<u8>,
    /// What waits to be written before it is a session's transport.
    pub(crate) out: Vec<u8>,
}

enum Io {
    /// The write half moves to the outbox when the stream becomes a session's transport.
    Tcp(OwnedReadHalf, Option<OwnedWriteHalf>),
    /// TLS, in-memory streams, and what another HTTP server wrapped.
    Other(Pin<Box<dyn Duplex>>),
}

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

impl Stream {
    /// A plain TCP stream, of which some was read; it is copied, as the buffer of who did is much
    /// larger.
    pub(crate) fn tcp(stream: TcpStream, read: &[u8], permit: Option<ConnectionPermit>) -> Self {
        let (read_half, write_half) = stream.into_split();
        let io = Io::Tcp(read_half, Some(write_half));
        Self { io, permit, read_ahead: read.to_vec(), out: Vec::new() }
    }

    /// Any other stream.
    pub(crate) fn other(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let io = Io::Other(Box::pin(stream));
        Self { io, permit: None, read_ahead: Vec::new(), out: Vec::new() }
    }

    /// Has it hold the permit of a WebSocket that another node passes on.
    pub(crate) fn hold(&mut self, relayed: ConnectionPermit) {
        let relayed = match &mut self.permit {
            Some(permit) => permit.join(relayed),
            None => Some(relayed),
        };
        // streams of others have the permit of their connection in them
        self.permit = self.permit.take().or(relayed);
    }

    /// The write half of a plain TCP stream, once.
    pub(crate) fn take_write_half(&mut self) -> Option<OwnedWriteHalf> {
        match &mut self.io {
            Io::Tcp(_, half) => half.take(),
            Io::Other(_) => None,
        }
    }

    /// Whether the driver has to write, as nobody else can.
    pub(crate) fn is_driver_written(&self) -> bool {
        matches!(self.io, Io::Other(_))
    }

    /// Reads once; 0 is the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.read_ahead.is_empty() {
            return Poll::Ready(Ok(self.read_what_was_read(buffer)));
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(match &mut self.io {
            Io::Tcp(half, _) => Pin::new(half).poll_read(cx, &mut buffer),
            Io::Other(io) => io.as_mut().poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Apart from other reads: it happens once, or when a client is too fast.
    #[cold]
    fn read_what_was_read(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.read_ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.read_ahead[..count]);
        self.read_ahead.drain(..count);
        if self.read_ahead.is_empty() {
            self.read_ahead = Vec::new(); // its memory, too
        }
        count
    }

    /// Bytes that are kept of what was read.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.read_ahead.capacity()
    }

    /// Takes back what was read last and not used: the next read gives it again.
    pub(crate) fn unread(&mut self, mut bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        bytes.extend_from_slice(&self.read_ahead);
        self.read_ahead = bytes;
    }

    /// Whether the peer of a connection that is not read is gone. What it sent before is read ahead,
    /// up to a bound, and waits; beyond that only a TCP stream knows.
    pub(crate) fn is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        while self.read_ahead.len() < MAX_READ_AHEAD {
            let read = scratch::with_read_buffer(|buffer| {
                let mut buffer = ReadBuf::new(&mut buffer[..READ_AHEAD]);
                let read = match &mut self.io {
                    Io::Tcp(half, _) => Pin::new(half).poll_read(cx, &mut buffer),
                    Io::Other(io) => io.as_mut().poll_read(cx, &mut buffer),
                };
                self.read_ahead.reserve_exact(buffer.filled().len());
                self.read_ahead.extend_from_slice(buffer.filled());
                read.map(|read| read.is_ok() && !buffer.filled().is_empty())
            });
            match read {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return true,
                Poll::Pending => return false,
            }
        }
        let Io::Tcp(half, _) = &self.io else { return false };
        match pin!(half.ready(Interest::READABLE)).poll(cx) {
            Poll::Ready(ready) => ready.map_or(true, |ready| ready.is_read_closed()),
            Poll::Pending => false,
        }
    }

    /// Whether [`Stream::is_gone`] has to be asked again without being woken, for there is more
    /// to be read than it reads.
    pub(crate) fn is_to_be_asked(&self) -> bool {
        self.read_ahead.len() >= MAX_READ_AHEAD && matches!(self.io, Io::Tcp(..))
    }

    /// Waits until a plain TCP stream is writable; other streams say so when they are written.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.io {
            Io::Tcp(half, _) => half.as_ref().poll_write_ready(cx),
            Io::Other(_) => Poll::Ready(Ok(())),
        }
    }

    /// Writes through a stream that only the driver has; `WouldBlock` means that `cx` is woken.
    pub(crate) fn try_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let result = match &mut self.io {
            Io::Tcp(_, Some(half)) => Pin::new(half).poll_write_vectored(cx, slices),
            Io::Tcp(_, None) => return Err(io::ErrorKind::NotConnected.into()),
            Io::Other(io) => io.as_mut().poll_write_vectored(cx, slices),
        };
        match result {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Flushes a stream that buffers, such as TLS.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(..) => Poll::Ready(Ok(())),
            Io::Other(io) => io.as_mut().poll_flush(cx),
        }
    }

    /// Ends the direction to the peer, if the outbox has not.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(_, half) => {
                *half = None;
                Poll::Ready(Ok(()))
            }
            Io::Other(io) => io.as_mut().poll_shutdown(cx),
        }
    }

    /// Writes what is in `out`.
    pub(crate) fn poll_queued(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            let written = self.try_write(cx, &[IoSlice::new(&out)]);
            self.out = out;
            match written {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.poll_flush(cx)
    }
}

/// How much is read ahead of a connection that is not read: what a turn may have left of its buffer,
/// and a little more, as the end of a client that leaves is mostly near.
const MAX_READ_AHEAD: usize = scratch::READ + READ_AHEAD;
const READ_AHEAD: usize = 16 * 1024;

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let io = match &self.io {
            Io::Tcp(..) => "tcp",
            Io::Other(_) => "other",
        };
        f.debug_struct("Stream").field("io", &io).finish_non_exhaustive()
    }
}
