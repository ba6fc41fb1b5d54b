//! The WebSocket transport: a stream, a decoder, and nothing else while it is idle.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use engineio_proto::websocket::extensions::Agreement;
use engineio_proto::websocket::{Decoder, close};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::limits::connections::ConnectionPermit;
use crate::options::Options;
use crate::outbound::encoding::Encoding;
use crate::scratch;

/// How a stream is taken out of what an HTTP server wrapped it in: put by that server into the
/// extensions of a request that asks for an upgrade. It gives back what it does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakeApart(pub(crate) fn(Upgraded) -> Result<Taken, Upgraded>);

/// What was in a wrapper.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) stream: TcpStream,
    /// What was read of it beyond the request.
    pub(crate) read: Bytes,
    /// The permit of the connection, held as long as it is open.
    pub(crate) permit: ConnectionPermit,
}

/// An upgraded connection.
pub(crate) struct WebSocket {
    pub(crate) decoder: Decoder,
    /// The extension of the connection.
    pub(crate) agreement: Option<Agreement>,
    /// Its request asked for binary as text.
    pub(crate) base64: bool,
    stream: Stream,
    /// That of a connection of our own listeners; other streams have theirs in them, or none.
    _permit: Option<ConnectionPermit>,
    /// What the HTTP server had read beyond the request.
    read_ahead: Vec<u8>,
    /// What waits to be written before it is a session's transport.
    pub(crate) out: Vec<u8>,
}

enum Stream {
    /// The write half moves to the outbox when the stream becomes a session's transport.
    Tcp(OwnedReadHalf, Option<OwnedWriteHalf>),
    /// TLS, in-memory streams, and what another HTTP server wrapped.
    Other(Pin<Box<dyn Io>>),
}

trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

impl WebSocket {
    /// Takes the stream back from the HTTP server: as who wrapped it says, from another hyper, from
    /// axum (which wraps it once more), or as it is. Its buffers are freed with it.
    pub(crate) fn new(
        upgraded: Upgraded,
        take_apart: Option<TakeApart>,
        max_message: usize,
        max_frames: usize,
        agreement: Option<Agreement>,
        base64: bool,
    ) -> Self {
        let (stream, read_ahead, _permit) = Self::take_apart(upgraded, take_apart);
        // exactly sized: the server's buffer is much larger than what is in it
        let read_ahead = read_ahead.to_vec();
        let mut decoder = Decoder::new(max_message, max_frames);
        if let Some(agreement) = &agreement {
            decoder = decoder.with_deflate(agreement);
        }
        Self { decoder, agreement, base64, stream, _permit, read_ahead, out: Vec::new() }
    }

    fn take_apart(
        upgraded: Upgraded,
        take_apart: Option<TakeApart>,
    ) -> (Stream, Bytes, Option<ConnectionPermit>) {
        let taken = match take_apart {
            Some(TakeApart(take_apart)) => take_apart(upgraded),
            None => Err(upgraded),
        };
        let upgraded = match taken {
            Ok(Taken { stream, read, permit }) => return (Stream::tcp(stream), read, Some(permit)),
            Err(upgraded) => upgraded,
        };
        let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => return (Stream::tcp(parts.io.into_inner()), parts.read_buf, None),
            Err(upgraded) => upgraded,
        };
        match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => (Stream::tcp(parts.io.into_inner()), parts.read_buf, None),
            Err(upgraded) => (Stream::Other(Box::pin(TokioIo::new(upgraded))), Bytes::new(), None),
        }
    }

    /// How what is sent through this connection is compressed.
    pub(crate) fn encoding(&self, options: &Options) -> Encoding {
        let (Some(agreement), Some(deflate)) = (&self.agreement, &options.per_message_deflate)
        else {
            return Encoding::Plain;
        };
        let (deflation, window) = (deflate.deflation(), agreement.server_window());
        match agreement.takeover.server {
            true => Encoding::InContext(deflation, window, None),
            false => Encoding::Alone(deflation, window),
        }
    }

    /// The write half of a plain TCP stream, once.
    pub(crate) fn take_write_half(&mut self) -> Option<OwnedWriteHalf> {
        match &mut self.stream {
            Stream::Tcp(_, half) => half.take(),
            Stream::Other(_) => None,
        }
    }

    /// Whether the driver has to write, as nobody else can.
    pub(crate) fn is_driver_written(&self) -> bool {
        matches!(self.stream, Stream::Other(_))
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
        ready!(match &mut self.stream {
            Stream::Tcp(half, _) => Pin::new(half).poll_read(cx, &mut buffer),
            Stream::Other(io) => io.as_mut().poll_read(cx, &mut buffer),
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
        self.read_ahead.capacity() + self.decoder.kept_bytes()
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
                let read = match &mut self.stream {
                    Stream::Tcp(half, _) => Pin::new(half).poll_read(cx, &mut buffer),
                    Stream::Other(io) => io.as_mut().poll_read(cx, &mut buffer),
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
        let Stream::Tcp(half, _) = &self.stream else { return false };
        match pin!(half.ready(Interest::READABLE)).poll(cx) {
            Poll::Ready(ready) => ready.map_or(true, |ready| ready.is_read_closed()),
            Poll::Pending => false,
        }
    }

    /// Whether [`WebSocket::is_gone`] has to be asked again without being woken, for there is more
    /// to be read than it reads.
    pub(crate) fn is_to_be_asked(&self) -> bool {
        self.read_ahead.len() >= MAX_READ_AHEAD && matches!(self.stream, Stream::Tcp(..))
    }

    /// Waits until a plain TCP stream is writable; other streams say so when they are written.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.stream {
            Stream::Tcp(half, _) => half.as_ref().poll_write_ready(cx),
            Stream::Other(_) => Poll::Ready(Ok(())),
        }
    }

    /// Writes through a stream that only the driver has; `WouldBlock` means that `cx` is woken.
    pub(crate) fn try_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let result = match &mut self.stream {
            Stream::Tcp(_, Some(half)) => Pin::new(half).poll_write_vectored(cx, slices),
            Stream::Tcp(_, None) => return Err(io::ErrorKind::NotConnected.into()),
            Stream::Other(io) => io.as_mut().poll_write_vectored(cx, slices),
        };
        match result {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Flushes a stream that buffers, such as TLS.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(..) => Poll::Ready(Ok(())),
            Stream::Other(io) => io.as_mut().poll_flush(cx),
        }
    }

    /// Ends the direction to the peer, if the outbox has not.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(_, half) => {
                *half = None;
                Poll::Ready(Ok(()))
            }
            Stream::Other(io) => io.as_mut().poll_shutdown(cx),
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

    /// Ends a WebSocket that is no session's transport, with a close frame if the peer takes it at
    /// once.
    pub(crate) fn refuse(mut self, cx: &mut Context<'_>) {
        self.out.extend_from_slice(&close::frame(None, ""));
        if let Poll::Ready(Ok(())) = self.poll_queued(cx) {
            let _ = self.poll_shutdown(cx);
        }
    }
}

/// How much is read ahead of a connection that is not read: what a turn may have left of its buffer,
/// and a little more, as the end of a client that leaves is mostly near.
const MAX_READ_AHEAD: usize = scratch::READ + READ_AHEAD;
const READ_AHEAD: usize = 16 * 1024;

impl Stream {
    fn tcp(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self::Tcp(read, Some(write))
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = match &self.stream {
            Stream::Tcp(..) => "tcp",
            Stream::Other(_) => "other",
        };
        f.debug_struct("WebSocket").field("stream", &stream).finish_non_exhaustive()
    }
}
