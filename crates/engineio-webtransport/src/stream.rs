//! The one stream of a session, as the engine has it: bytes in, bytes out. What else its connection
//! has is polled with it.
//!
//! The stream comes later than the session: the client opens it when its CONNECT was answered. Until
//! then nothing is to be read.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use engineio_proto::log;
use quinn::{RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ending::Ending;
use crate::link::{End, Event};

/// A session's stream. When it is dropped, its end is told to the peer in a task of its own.
pub(crate) struct SessionStream {
    /// Taken when this is dropped.
    ending: Option<Box<Ending>>,
    /// Resolves when the peer does not want to be written to.
    stopped: Option<Stopped>,
    end: Option<End>,
}

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

impl SessionStream {
    pub(crate) fn new(ending: Box<Ending>, stream: Option<(SendStream, RecvStream)>) -> Self {
        let mut session = Self { ending: Some(ending), stopped: None, end: None };
        if let Some(stream) = stream {
            session.set_stream(stream);
        }
        session
    }

    fn set_stream(&mut self, stream: (SendStream, RecvStream)) {
        self.stopped = Some(Box::pin(stream.0.stopped()));
        self.ending_mut().stream = Some(stream);
    }

    fn ending_mut(&mut self) -> &mut Ending {
        self.ending.as_mut().expect("taken when dropped only")
    }

    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Some(end) = self.end {
            return Poll::Ready(end);
        }
        loop {
            match ready!(self.ending_mut().link.poll(cx)) {
                Event::Stream(send, stream) => self.set_stream((send, stream)),
                Event::End(end) => {
                    self.end = Some(end);
                    return Poll::Ready(end);
                }
                // there is one session on a connection: the link refuses others
                Event::Connect(..) => {}
            }
            // what it brought is to be read
            cx.waker().wake_by_ref();
        }
    }

    /// Whether the peer refuses what is written.
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(stopped) = &mut self.stopped else { return Poll::Pending };
        let why = ready!(stopped.as_mut().poll(cx));
        self.stopped = None;
        match why {
            // everything was taken: of a stream that was finished
            Ok(None) => Poll::Pending,
            Ok(Some(_)) | Err(_) => Poll::Ready(()),
        }
    }
}

impl AsyncRead for SessionStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ending_mut().is_shut {
            // the peer's end is waited for behind our own, in another task
            return Poll::Ready(Ok(()));
        }
        if let Some((_, stream)) = &mut this.ending_mut().stream {
            // what came before the end is read first
            match stream.poll_read(cx, buffer.initialize_unfilled()) {
                Poll::Ready(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {}
            }
        }
        let end = match this.poll_link(cx) {
            Poll::Ready(end) => end,
            Poll::Pending => {
                ready!(this.poll_stopped(cx));
                End::Peer
            }
        };
        Poll::Ready(match end {
            End::Peer => Ok(()),
            End::Violation => Err(io::ErrorKind::InvalidData.into()),
        })
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some((send, _)) = &mut self.ending_mut().stream else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        Pin::new(send).poll_write(cx, bytes).map_err(WriteError::into)
    }

    /// Writes as many slices as are taken: they go out together.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.as_mut().poll_write(cx, slice) {
                Poll::Ready(Ok(count)) => {
                    written += count;
                    if count < slice.len() {
                        break;
                    }
                }
                // what was written is told first; the rest comes again
                _ if written > 0 => break,
                other => return other,
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends our side of the stream; the rest of the end follows when this is dropped.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ending = self.ending_mut();
        ending.is_shut = true;
        if let Some((send, _)) = &mut ending.stream {
            let _ = send.finish();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        let Some(ending) = self.ending.take() else { return };
        let runtime = ending.runtime.clone();
        log!(debug: is_orderly = ending.is_shut, "session's stream ends");
        drop(runtime.spawn(ending.run()));
    }
}
