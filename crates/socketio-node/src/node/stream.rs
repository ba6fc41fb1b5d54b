//! Connections of Node that are taken over.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use tokio::net::{TcpStream, UnixStream};

/// A connection taken over from Node.
#[derive(Debug)]
pub(crate) enum Adopted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A stream of its own over a connection of Node, which may close its descriptor then.
///
/// # Errors
/// If it is none, or the process has no more descriptors.
pub(crate) fn adopt_descriptor(descriptor: RawFd) -> io::Result<Adopted> {
    if descriptor < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: JavaScript read it from a handle that is open, and waits for this call, so nobody closes
    // it meanwhile.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let owned = borrowed.try_clone_to_owned()?;
    let stream = std::net::TcpStream::from(owned);
    match stream.peer_addr() {
        Ok(_) => {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            TcpStream::from_std(stream).map(Adopted::Tcp)
        }
        // not of the internet: a unix socket
        Err(error) if error.kind() != io::ErrorKind::NotConnected => {
            let stream = std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(stream));
            stream.peer_addr()?;
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream).map(Adopted::Unix)
        }
        Err(error) => Err(error),
    }
}
