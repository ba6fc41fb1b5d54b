//! Streams to the server under test.
//!
//! Everything above reads and writes through a [`Wire`]. All streams are in memory; TCP is reached
//! by a task that copies, so that the clients know one kind of stream only.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use crate::protocol::{Eio, target};

/// How to reach the server under test; makes a new stream to it for each connection.
///
/// Cheap to clone. The `with_` methods return a changed copy.
#[derive(Clone)]
pub struct Connector {
    serve: Arc<dyn Fn(DuplexStream, SocketAddr) + Send + Sync>,
    peer: SocketAddr,
    capacity: usize,
    path: String,
    headers: Vec<(String, String)>,
}

impl Connector {
    /// Hands the server's end of each new stream to `serve`, which must not wait: it spawns.
    pub fn new(serve: impl Fn(DuplexStream) + Send + Sync + 'static) -> Self {
        Self::telling_peer(move |stream, _| serve(stream))
    }

    /// As [`new`](Self::new), for a server that is told where connections come from.
    pub(crate) fn telling_peer(
        serve: impl Fn(DuplexStream, SocketAddr) + Send + Sync + 'static,
    ) -> Self {
        Self {
            serve: Arc::new(serve),
            peer: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            capacity: DEFAULT_CAPACITY,
            path: "/socket.io/".to_owned(),
            headers: Vec::new(),
        }
    }

    /// Connects to a real socket. Not for tests on a paused clock.
    ///
    /// A refused connection looks like one that the server ended at once.
    pub fn tcp(address: SocketAddr) -> Self {
        Self::new(move |mut ours| {
            tokio::spawn(async move {
                if let Ok(mut theirs) = TcpStream::connect(address).await {
                    // An error is the end of the connection, which the client sees.
                    _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
                }
            });
        })
    }

    /// Sets how many bytes a stream holds in each direction before a write waits: 64 KiB unless
    /// set. With one byte each side sees everything in the smallest pieces.
    #[must_use]
    pub fn with_capacity(self, bytes: usize) -> Self {
        Self { capacity: bytes, ..self }
    }

    /// Sets from where the server of [`of`](Self::of) sees its clients come: `127.0.0.1:40000` unless
    /// set.
    #[cfg(feature = "socketio")]
    #[must_use]
    pub fn with_peer(self, peer: SocketAddr) -> Self {
        Self { peer, ..self }
    }

    /// Sets the path of Engine.IO on this server: `/socket.io/` unless set.
    #[must_use]
    pub fn with_path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Adds a header to all Engine.IO requests, polls and WebSocket handshakes alike.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes a new stream to the server.
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = pair(self.capacity);
        (self.serve)(theirs, self.peer);
        ours
    }

    /// The path and query of an Engine.IO request. `query` is appended as it is: `b64=1&token=x`.
    pub fn target(&self, eio: Eio, transport: &str, query: &str) -> String {
        target(&self.path, eio, transport, query)
    }

    /// The headers that every Engine.IO request has.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("peer", &self.peer)
            .field("capacity", &self.capacity)
            .field("path", &self.path)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// The two ends of a stream in memory which holds `capacity` bytes in each direction.
pub fn pair(capacity: usize) -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(capacity)
}

/// A stream that reads and writes a few bytes at a time, and is not ready between two pieces.
///
/// Put around the server's end it cuts frames and requests where a network might.
#[derive(Debug)]
pub struct Throttled<S> {
    stream: S,
    bytes: usize,
    read_rests: bool,
    write_rests: bool,
}

impl<S> Throttled<S> {
    /// Lets at most `bytes` bytes through per call.
    ///
    /// # Panics
    ///
    /// If `bytes` is zero: nothing would ever come through.
    pub fn new(stream: S, bytes: usize) -> Self {
        assert!(bytes > 0, "a throttled stream lets through at least one byte");
        Self { stream, bytes, read_rests: false, write_rests: false }
    }
}

/// After each piece comes one poll that is not ready, but wakes its task at once.
fn rest(rests: &mut bool, cx: &Context<'_>) -> Poll<()> {
    *rests = !*rests;
    if *rests {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        ready!(rest(&mut self.read_rests, cx));
        let size = self.bytes.min(buf.remaining());
        let mut piece = ReadBuf::new(buf.initialize_unfilled_to(size));
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        let size = piece.filled().len();
        buf.advance(size);
        self.read_rests = read.is_ready();
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        ready!(rest(&mut self.write_rests, cx));
        let size = self.bytes.min(buf.len());
        let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..size]);
        self.write_rests = written.is_ready();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client's end of a stream, with what was read from it and not yet used.
///
/// Waiting for bytes may be given up at any point: what has arrived stays in `read`.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pub(crate) read: BytesMut,
}

impl Wire {
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream), read: BytesMut::new() }
    }

    /// Writes everything, unless the server has gone: the next read will tell.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            _ = self.stream.flush().await;
        }
    }

    /// Writes as much of `bytes` as goes now and takes it off the slice.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &mut &[u8]) {
        while !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) if n > 0 => *bytes = &bytes[n..],
                Poll::Ready(_) => *bytes = &[],
                Poll::Pending => return,
            }
        }
        _ = Pin::new(&mut self.stream).poll_flush(cx);
    }

    /// Waits for more bytes; false at the end of the stream.
    pub(crate) async fn fill(&mut self) -> bool {
        std::future::poll_fn(|cx| self.poll_fill(cx)).await
    }

    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut piece = [0; 8 * 1024];
        let mut piece = ReadBuf::new(&mut piece);
        // A connection that was reset has ended, as one that was closed.
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece));
        self.read.extend_from_slice(piece.filled());
        Poll::Ready(read.is_ok() && !piece.filled().is_empty())
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("read", &self.read).finish_non_exhaustive()
    }
}

/// What a [`Wire`] needs of its stream, in one object.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Roughly what a TCP connection holds: small enough for tests of slow readers.
const DEFAULT_CAPACITY: usize = 64 * 1024;
