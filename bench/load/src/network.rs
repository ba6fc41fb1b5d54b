//! Level-triggered epoll over streams that connect blockingly and then do not block.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

pub(crate) struct Epoll {
    descriptor: OwnedFd,
    events: Vec<epoll::Event>,
}

/// What is possible on the stream that was registered under the token.
#[derive(Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) token: usize,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            descriptor: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
        })
    }

    fn add(&self, stream: &TcpStream, token: usize) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        Ok(epoll::add(&self.descriptor, stream, data, EventFlags::IN)?)
    }

    /// Asks to be told when the stream is writable, or no longer.
    fn want_write(&self, stream: &TcpStream, token: usize, wanted: bool) -> io::Result<()> {
        let out = if wanted { EventFlags::OUT } else { EventFlags::empty() };
        let data = EventData::new_u64(token as u64);
        Ok(epoll::modify(&self.descriptor, stream, data, EventFlags::IN | out)?)
    }

    pub(crate) fn wait(&mut self, timeout: Duration, found: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        found.clear();
        epoll::wait(&self.descriptor, spare_capacity(&mut self.events), Some(&timeout))?;
        for event in self.events.drain(..) {
            let flags = event.flags;
            found.push(Ready {
                token: event.data.u64() as usize,
                read: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
                write: flags.contains(EventFlags::OUT),
            });
        }
        Ok(())
    }
}

/// A stream with what could not be used yet, in both directions.
pub(crate) struct Stream {
    stream: TcpStream,
    token: usize,
    /// What came and was no whole frame or answer.
    pub(crate) unread: Vec<u8>,
    unsent: Vec<u8>,
    /// The peer sends nothing any more, or the stream is broken.
    pub(crate) ended: bool,
}

impl Stream {
    /// Connects from one of many loopback addresses, so that ports that are not free yet never run
    /// out.
    pub(crate) fn connect(
        epoll: &Epoll,
        to: SocketAddrV4,
        turn: usize,
        token: usize,
    ) -> io::Result<Self> {
        let from = Ipv4Addr::new(127, 0, 0, 2 + (turn % SOURCES) as u8);
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
        rustix::net::connect(&socket, &to)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll.add(&stream, token)?;
        Ok(Self { stream, token, unread: Vec::new(), unsent: Vec::new(), ended: false })
    }

    /// One read; nothing may have come, or nothing will any more (`ended`).
    pub(crate) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> &'a [u8] {
        match self.stream.read(buffer) {
            Ok(0) => self.ended = true,
            Ok(length) => return &buffer[..length],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
        &[]
    }

    pub(crate) fn write(&mut self, epoll: &Epoll, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        let written = match self.stream.write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.ended = true;
                return;
            }
        };
        if written < bytes.len() {
            self.unsent.extend_from_slice(&bytes[written..]);
            self.ended |= epoll.want_write(&self.stream, self.token, true).is_err();
        }
    }

    /// Goes on with what `write` could not send.
    pub(crate) fn flush(&mut self, epoll: &Epoll) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.ended = true;
                    self.unsent.clear();
                }
            }
        }
        self.ended |= epoll.want_write(&self.stream, self.token, false).is_err();
    }

    pub(crate) fn shutdown(&self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Addresses from 127.0.0.2 on.
const SOURCES: usize = 200;
