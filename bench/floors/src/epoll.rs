//! One thread, one level-triggered epoll, one read buffer, one write for what a read brought.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::frame::{handle, upgrade_answer};

pub(crate) fn run(port: u16) -> io::Result<()> {
    let listener = listen(port)?;
    let mut server = Server {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        connections: Vec::new(),
        free: Vec::new(),
        input: vec![0; 256 * 1024],
        answers: Vec::with_capacity(256 * 1024),
        casts: Vec::new(),
    };
    epoll::add(&server.epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut events = Vec::with_capacity(1024);
    loop {
        epoll::wait(&server.epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => server.accept(&listener)?,
                token => server.on_event(token as usize, event.flags)?,
            }
        }
    }
}

/// As `TcpListener::bind`, with room for more connections that wait.
fn listen(port: u16) -> io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, 1024)?;
    Ok(socket.into())
}

struct Server {
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    input: Vec<u8>,
    answers: Vec<u8>,
    /// Frames for everybody.
    casts: Vec<Vec<u8>>,
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    is_upgraded: bool,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or(self.connections.len());
            epoll::add(&self.epoll, &stream, EventData::new_u64(at as u64), EventFlags::IN)?;
            let connection =
                Connection { stream, unread: Vec::new(), unsent: Vec::new(), is_upgraded: false };
            if at == self.connections.len() {
                self.connections.push(Some(connection));
            } else {
                self.connections[at] = Some(connection);
            }
        }
    }

    fn on_event(&mut self, at: usize, flags: EventFlags) -> io::Result<()> {
        let Some(connection) = &mut self.connections[at] else { return Ok(()) };
        if flags.contains(EventFlags::OUT) {
            connection.flush(&self.epoll, at)?;
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        let goes_on = match connection.stream.read(&mut self.input) {
            Ok(0) => false,
            Ok(length) => {
                self.answers.clear();
                let input = &mut self.input[..length];
                let closes = connection.on_bytes(input, &mut self.answers, &mut self.casts);
                if !self.answers.is_empty() {
                    connection.send(&self.epoll, at, &self.answers)?;
                }
                !closes
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        if !goes_on {
            self.connections[at] = None;
            self.free.push(at);
        }
        for frame in std::mem::take(&mut self.casts) {
            for (at, connection) in self.connections.iter_mut().enumerate() {
                if let Some(connection) = connection {
                    connection.send(&self.epoll, at, &frame)?;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Says whether the client closes.
    fn on_bytes(
        &mut self,
        input: &mut [u8],
        answers: &mut Vec<u8>,
        casts: &mut Vec<Vec<u8>>,
    ) -> bool {
        let mut joined = std::mem::take(&mut self.unread);
        let bytes = if joined.is_empty() {
            input
        } else {
            joined.extend_from_slice(input);
            &mut joined
        };
        if self.is_upgraded {
            let handled = handle(bytes, answers, |frame| casts.push(frame));
            self.unread = bytes[handled.used..].to_vec();
            return handled.closes;
        }
        if bytes.ends_with(b"\r\n\r\n") {
            *answers = upgrade_answer(bytes);
            self.is_upgraded = true;
        } else {
            self.unread = bytes.to_vec();
        }
        false
    }

    fn send(&mut self, epoll: &OwnedFd, at: usize, bytes: &[u8]) -> io::Result<()> {
        let written =
            if self.unsent.is_empty() { self.stream.write(bytes).unwrap_or(0) } else { 0 };
        if written < bytes.len() {
            if self.unsent.is_empty() {
                self.want_write(epoll, at, EventFlags::OUT)?;
            }
            self.unsent.extend_from_slice(&bytes[written..]);
        }
        Ok(())
    }

    fn flush(&mut self, epoll: &OwnedFd, at: usize) -> io::Result<()> {
        if let Ok(written) = self.stream.write(&self.unsent) {
            self.unsent.drain(..written);
        }
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
            self.want_write(epoll, at, EventFlags::empty())?;
        }
        Ok(())
    }

    fn want_write(&self, epoll: &OwnedFd, at: usize, out: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(at as u64);
        Ok(epoll::modify(epoll, &self.stream, data, EventFlags::IN | out)?)
    }
}

/// The token of the listener; connections have the number of their place.
const LISTENER: u64 = u64::MAX;
