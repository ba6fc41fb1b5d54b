//! A tokio task per connection, one read buffer per thread, and a write straight to the socket:
//! for an answer from the connection's own task, for a broadcast from that of its sender.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use crate::frame::{handle, upgrade_answer};

/// Reads the request itself, without an HTTP library.
pub(crate) async fn serve(mut stream: TcpStream) {
    if upgrade(&mut stream).await.is_ok() {
        run(stream).await;
    }
}

async fn upgrade(stream: &mut TcpStream) -> io::Result<()> {
    let mut request = [0; 1024];
    let mut length = 0;
    while !request[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[length..]).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    stream.write_all(&upgrade_answer(&request[..length])).await
}

/// A WebSocket from its first frame to its end.
pub(crate) async fn run(stream: TcpStream) {
    let (mut read, write) = stream.into_split();
    let connection = Arc::new(Connection { write, unsent: Mutex::default(), wake: Notify::new() });
    let place = register(&connection);
    let mut unread = Vec::new();
    let mut casts = Vec::new();
    loop {
        // `poll_read` forgets the readiness after a short read. `try_read` would not, and a second
        // one would find nothing.
        let turn = poll_fn(|context| {
            let turn = turn(&connection, &mut unread, &mut casts, |buffer| {
                let mut buffer = ReadBuf::new(buffer);
                match Pin::new(&mut read).poll_read(context, &mut buffer) {
                    Poll::Ready(result) => result.map(|()| buffer.filled().len()),
                    Poll::Pending => Err(ErrorKind::WouldBlock.into()),
                }
            });
            match turn {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
                turn => Poll::Ready(turn),
            }
        });
        let is_full = !lock(&connection.unsent).is_empty();
        tokio::select! {
            biased;
            turn = turn => {
                if turn.is_err() {
                    break;
                }
            }
            _ = connection.write.writable(), if is_full => connection.flush(),
            () = connection.wake.notified() => {}
        }
        for frame in casts.drain(..) {
            for connection in lock(&CONNECTIONS).iter().flatten() {
                connection.send(&frame);
            }
        }
    }
    lock(&CONNECTIONS)[place] = None;
}

/// One read into the thread's buffer, and all that follows from it; an error ends the connection.
fn turn(
    connection: &Connection,
    unread: &mut Vec<u8>,
    casts: &mut Vec<Vec<u8>>,
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<()> {
    BUFFERS.with_borrow_mut(|Buffers { input, answers }| {
        let length = read(input)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answers.clear();
        let mut joined = std::mem::take(unread);
        let bytes = if joined.is_empty() {
            &mut input[..length]
        } else {
            joined.extend_from_slice(&input[..length]);
            &mut joined
        };
        let handled = handle(bytes, answers, |frame| casts.push(frame));
        *unread = bytes[handled.used..].to_vec();
        if !answers.is_empty() {
            connection.send(answers);
        }
        if handled.closes { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    })
}

struct Connection {
    write: OwnedWriteHalf,
    /// What the socket did not take.
    unsent: Mutex<Vec<u8>>,
    wake: Notify,
}

impl Connection {
    fn send(&self, bytes: &[u8]) {
        let mut unsent = lock(&self.unsent);
        let written = if unsent.is_empty() { self.write.try_write(bytes).unwrap_or(0) } else { 0 };
        if written < bytes.len() {
            unsent.extend_from_slice(&bytes[written..]);
            self.wake.notify_one();
        }
    }

    fn flush(&self) {
        let mut unsent = lock(&self.unsent);
        if let Ok(written) = self.write.try_write(&unsent) {
            unsent.drain(..written);
        }
        if unsent.is_empty() {
            *unsent = Vec::new();
        }
    }
}

fn register(connection: &Arc<Connection>) -> usize {
    let mut connections = lock(&CONNECTIONS);
    let free = connections.iter().position(Option::is_none);
    let place = free.unwrap_or(connections.len());
    if place == connections.len() {
        connections.push(None);
    }
    connections[place] = Some(Arc::clone(connection));
    place
}

struct Buffers {
    input: Vec<u8>,
    answers: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> =
        RefCell::new(Buffers { input: vec![0; 256 * 1024], answers: Vec::new() });
}

static CONNECTIONS: Mutex<Vec<Option<Arc<Connection>>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
