//! The stream behind an upgrade, taken back from the HTTP server.

use std::sync::Arc;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::limits::connections::ConnectionPermit;
use crate::transport::stream::Stream;

/// What our own HTTP server puts into the extensions of a request that asks for an upgrade.
#[derive(Clone)]
pub(crate) struct OwnServer {
    /// How a stream is taken out of what it was wrapped in. It gives back what it does not know.
    pub(crate) take_apart: fn(Upgraded) -> Result<Taken, Upgraded>,
    pub(crate) connection: Arc<dyn Switching>,
}

/// A connection that is to change to WebSocket.
pub(crate) trait Switching: Send + Sync {
    /// Has these bytes follow the head of the answer, in the same write.
    fn write_behind(&self, bytes: &[u8]);
}

/// What was in a wrapper.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) stream: TcpStream,
    /// What was read of it beyond the request.
    pub(crate) read: Bytes,
    /// The permit of the connection, held as long as it is open.
    pub(crate) permit: ConnectionPermit,
}

/// Takes the stream back: as who wrapped it says, from another hyper, from axum (which wraps it once
/// more), or as it is. The server's buffers are freed with it.
pub(crate) fn take_apart(upgraded: Upgraded, own: Option<OwnServer>) -> Stream {
    let taken = match own {
        Some(own) => (own.take_apart)(upgraded),
        None => Err(upgraded),
    };
    let upgraded = match taken {
        Ok(Taken { stream, read, permit }) => return Stream::tcp(stream, &read, Some(permit)),
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return Stream::tcp(parts.io.into_inner(), &parts.read_buf, None),
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => Stream::tcp(parts.io.into_inner(), &parts.read_buf, None),
        Err(upgraded) => Stream::other(TokioIo::new(upgraded)),
    }
}
