//! The chat: rooms, history, who is here, who is typing. `cargo xtask demo` runs it.
//!
//! The server part is this file and `rooms.rs`; `page.rs` serves the page in `page/`.
//!
//! In production, under Linux with glibc, `MALLOC_TRIM_THRESHOLD_=131072` belongs into its environment:
//! `socketio::operating` says why.

#![expect(clippy::needless_pass_by_value, reason = "handlers own their arguments")]

mod page;
mod rooms;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use socketio::{Data, EmitError, Reply, Server, Socket, State};

use crate::rooms::{Message, Rooms, Seat};

#[derive(Deserialize)]
struct Join {
    nickname: String,
    room: String,
}

/// The answer to an event: what it gave, or why it was refused.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<T> {
    Ok {
        ok: bool,
        #[serde(flatten)]
        given: T,
    },
    Refused {
        ok: bool,
        error: String,
    },
}

#[derive(Serialize)]
struct Joined {
    nickname: String,
    room: String,
    members: Vec<String>,
    history: Vec<Message>,
}

#[derive(Serialize)]
struct Sent {
    at: u64,
}

/// Somebody came or went, and who is in the room now.
#[derive(Serialize)]
struct Presence {
    nickname: String,
    members: Vec<String>,
}

fn connected(socket: Socket, State(rooms): State<Rooms>) -> Result<(), EmitError> {
    socket.on("join", join);
    socket.on("message", message);
    socket.on("typing", typing);
    socket.on_disconnect(leave);
    socket.emit("rooms", rooms.counts())
}

fn join(
    socket: Socket,
    State(rooms): State<Rooms>,
    Data(Join { nickname, room }): Data<Join>,
) -> Result<Reply<Answer<Joined>>, EmitError> {
    let seat = match rooms.sit(socket.id(), &nickname, &room) {
        Ok(seat) => seat,
        Err(error) => return Ok(Reply(Answer::Refused { ok: false, error })),
    };
    if let Some(old) = socket.extensions().insert(seat.clone()) {
        if old != seat {
            stand_up(&socket, &rooms, &old)?;
        }
    }
    socket.join(&*seat.room);
    let Seat { nickname, room } = seat;
    let (members, history) = (rooms.members(&room), rooms.history(&room));
    let joined = Presence { nickname: nickname.clone(), members: members.clone() };
    socket.to(&*room).emit("joined", joined)?;
    socket.namespace().emit("rooms", rooms.counts())?;
    Ok(Reply(Answer::Ok { ok: true, given: Joined { nickname, room, members, history } }))
}

fn message(
    socket: Socket,
    State(rooms): State<Rooms>,
    Data(text): Data<String>,
) -> Result<Reply<Answer<Sent>>, EmitError> {
    let Some(seat) = socket.extensions().get::<Seat>() else {
        return Ok(Reply(Answer::Refused { ok: false, error: "Join a room first.".to_owned() }));
    };
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 2000 {
        let error = "A message has 1 to 2000 characters.".to_owned();
        return Ok(Reply(Answer::Refused { ok: false, error }));
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at = since.as_millis() as u64;
    let message = Message { from: seat.nickname, text: text.to_owned(), at };
    socket.to(&*seat.room).emit("message", &message)?;
    rooms.remember(&seat.room, message);
    Ok(Reply(Answer::Ok { ok: true, given: Sent { at } }))
}

fn typing(socket: Socket, Data(typing): Data<bool>) -> Result<(), EmitError> {
    #[derive(Serialize)]
    struct Typing {
        nickname: String,
        typing: bool,
    }
    let Some(Seat { nickname, room }) = socket.extensions().get() else { return Ok(()) };
    // who is busy with other messages can do without it
    socket.to(room).volatile().emit("typing", Typing { nickname, typing })
}

fn leave(socket: Socket, State(rooms): State<Rooms>) -> Result<(), EmitError> {
    let Some(seat) = socket.extensions().remove::<Seat>() else { return Ok(()) };
    stand_up(&socket, &rooms, &seat)?;
    socket.namespace().emit("rooms", rooms.counts())
}

/// Leaves a room and tells those who stay.
fn stand_up(socket: &Socket, rooms: &Rooms, seat: &Seat) -> Result<(), EmitError> {
    rooms.stand_up(socket.id(), &seat.room);
    socket.leave(&*seat.room);
    let members = rooms.members(&seat.room);
    let left = Presence { nickname: seat.nickname.clone(), members };
    socket.to(&*seat.room).emit("left", left)
}

#[tokio::main]
async fn main() -> Result<(), socketio::BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let port = port()?;
    let io = Server::builder().with_state(Rooms::default()).build()?;
    io.on_connection(connected);

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let server = io.attach_service(listener, io.fallback(page::Page))?;
    println!("The chat is open: http://{}/", server.local_addr());
    println!(
        "It takes Socket.IO clients 1.x to 4.x, by WebSocket and by long polling. Ctrl-C ends it."
    );

    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(())
}

/// The port of `--port N` (3000; 0 is any free one).
fn port() -> Result<u16, socketio::BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(3000),
        (Some("--port"), Some(port)) => Ok(port.parse()?),
        _ => Err("usage: chat [--port N]".into()),
    }
}
