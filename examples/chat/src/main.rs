//! The chat: rooms, history, who is here, who is typing. `cargo xtask demo` runs it.
//!
//! `contract.rs` is what page and server say to each other, this file the server's part, with
//! `rooms.rs`; `page.rs` serves the page in `page/`. `page/chat.ts` is the contract for pages in
//! TypeScript; this one is a script that old clients can run, too.
//!
//! In production, under Linux with glibc, `MALLOC_TRIM_THRESHOLD_=131072` belongs into its environment:
//! `socketio::guide::operating` says why.

#![expect(clippy::needless_pass_by_value, reason = "handlers own their arguments")]

mod contract;
mod page;
mod rooms;

#[cfg(feature = "webtransport")]
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use socketio::emit::EmitError;
use socketio::options::{BuildError, ConnectionStateRecovery, TransportKind};
#[cfg(feature = "webtransport")]
use socketio::serve::webtransport::DevCertificate;
use socketio::{Server, Socket, State};

use crate::contract::{Join, Joined, Presence, Sent, Typing, chat};
use crate::rooms::{Message, Rooms, Seat};

/// The server's part of the contract.
struct Chat;

impl chat::FromClient for Chat {
    fn join(
        &self,
        socket: Socket,
        State(rooms): State<Rooms>,
        join: Join,
    ) -> Result<Joined, String> {
        let seat = rooms.sit(socket.id(), &join.nickname, &join.room)?;
        if let Some(old) = socket.extensions().insert(seat.clone()) {
            if old != seat {
                stand_up(&socket, &rooms, &old);
            }
        }
        socket.join(&*seat.room);
        let Seat { nickname, room } = seat;
        let (members, history) = (rooms.members(&room), rooms.history(&room));
        let joined = Presence { nickname: nickname.clone(), members: members.clone() };
        told(chat::to(socket.to(&*room)).joined(&joined));
        told(chat::to(socket.namespace()).rooms(&rooms.counts()));
        Ok(Joined { nickname, room, members, history })
    }

    fn message(
        &self,
        socket: Socket,
        State(rooms): State<Rooms>,
        text: String,
    ) -> Result<Sent, String> {
        let Some(seat) = socket.extensions().get::<Seat>() else {
            return Err("Join a room first.".to_owned());
        };
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 2000 {
            return Err("A message has 1 to 2000 characters.".to_owned());
        }
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let at = since.as_millis() as f64;
        let message = Message { from: seat.nickname, text: text.to_owned(), at };
        told(chat::to(socket.to(&*seat.room)).message(&message));
        rooms.remember(&seat.room, message);
        Ok(Sent { at })
    }

    fn typing(&self, socket: Socket, typing: bool) {
        let Some(Seat { nickname, room }) = socket.extensions().get() else { return };
        // who is busy with other messages can do without it
        let room = socket.to(room).volatile();
        told(chat::to(room).typing(&Typing { nickname, typing }));
    }
}

fn connected(socket: Socket, State(rooms): State<Rooms>) -> Result<(), EmitError> {
    socket.on_disconnect(leave);
    chat::to(&socket).rooms(&rooms.counts())
}

fn leave(socket: Socket, State(rooms): State<Rooms>) {
    let Some(seat) = socket.extensions().remove::<Seat>() else { return };
    stand_up(&socket, &rooms, &seat);
    told(chat::to(socket.namespace()).rooms(&rooms.counts()));
}

/// Leaves a room and tells those who stay.
fn stand_up(socket: &Socket, rooms: &Rooms, seat: &Seat) {
    rooms.stand_up(socket.id(), &seat.room);
    socket.leave(&*seat.room);
    let members = rooms.members(&seat.room);
    let left = Presence { nickname: seat.nickname.clone(), members };
    told(chat::to(socket.to(&*seat.room)).left(&left));
}

/// A broadcast fails only if it cannot be encoded, and this contract's can.
fn told(result: Result<(), EmitError>) {
    result.expect("what the contract declares can be encoded");
}

fn server(transports: &[TransportKind]) -> Result<Server, BuildError> {
    // A phone that changes networks gets what was said meanwhile, and its nickname at once.
    let recovery = ConnectionStateRecovery::default();
    let builder = Server::builder().with_state(Rooms::default());
    let builder = builder.transports(transports.iter().copied());
    let io = builder.connection_state_recovery(recovery).build()?;
    chat::serve(&io, Chat);
    io.on_connection(connected);
    Ok(io)
}

#[tokio::main]
async fn main() -> Result<(), socketio::BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let Arguments { port, webtransport } = arguments()?;
    let io = server(if webtransport { &TransportKind::ALL } else { &USUAL })?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    #[cfg_attr(not(feature = "webtransport"), expect(unused_mut, reason = "nothing to set"))]
    let mut page = page::Page::default();
    #[cfg(feature = "webtransport")]
    if webtransport {
        let certificate = DevCertificate::new()?;
        io.listen_webtransport(listener.local_addr()?, certificate.tls()?).await?;
        // it changes when the certificate is renewed
        page.hashes = Some(Arc::new(move || format!("[{:?}]", certificate.hash())));
    }
    let server = io.attach_service(listener, io.fallback(page))?;
    println!("The chat is open: http://{}/", server.local_addr());
    let ways = if webtransport { "WebTransport, WebSocket" } else { "WebSocket" };
    println!("It takes Socket.IO clients 1.x to 4.x, by {ways} and long polling. Ctrl-C ends it.");

    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(())
}

const USUAL: [TransportKind; 2] = [TransportKind::Polling, TransportKind::WebSocket];

struct Arguments {
    /// `--port N` (3000; 0 is any free one).
    port: u16,
    /// `--webtransport`, with the feature of this name.
    webtransport: bool,
}

fn arguments() -> Result<Arguments, socketio::BoxError> {
    let mut all = Arguments { port: 3000, webtransport: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => all.port = arguments.next().unwrap_or_default().parse()?,
            "--webtransport" if cfg!(feature = "webtransport") => all.webtransport = true,
            "--webtransport" => return Err("it is built with --features webtransport".into()),
            _ => return Err("usage: chat [--port N] [--webtransport]".into()),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
