//! The chat, for a cluster: a socket's data say who sits where, and every node can read them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use socketio::adapter::AdapterError;
use socketio::emit::EmitError;
use socketio::{BoxError, Data, Namespace, Reply, Socket};

/// A person's place, the data of a socket.
#[derive(Clone, Deserialize, Serialize)]
struct Seat {
    nickname: String,
    room: String,
}

/// The answer to an event: what it gave, or why it was refused.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Answer<T> {
    Ok { ok: bool, value: T },
    Refused { ok: bool, error: &'static str },
}

#[derive(Serialize)]
struct Joined {
    nickname: String,
    room: String,
    members: Vec<String>,
    history: [(); 0],
}

#[derive(Serialize)]
struct Message<'a> {
    from: &'a str,
    text: &'a str,
    at: u64,
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

pub(crate) async fn connected(socket: Socket) -> Result<(), BoxError> {
    socket.on("join", join);
    socket.on("message", message);
    socket.on("typing", typing);
    socket.on_disconnect(leave);
    socket.emit("rooms", counts(socket.namespace()).await?)?;
    Ok(())
}

async fn join(socket: Socket, Data(wish): Data<Seat>) -> Result<Reply<Answer<Joined>>, BoxError> {
    let refused = |error| Ok(Reply(Answer::Refused { ok: false, error }));
    let (Some(nickname), Some(room)) = (named(&wish.nickname, 24), named(&wish.room, 32)) else {
        return refused("A nickname has 1 to 24 characters, a room's name 1 to 32.");
    };
    let there = members(&socket, &room).await?;
    if there.iter().any(|name| name.eq_ignore_ascii_case(&nickname)) {
        return refused("Somebody has this nickname there already: choose another.");
    }
    stand_up(&socket).await?;
    socket.set_data(&Seat { nickname: nickname.clone(), room: room.clone() })?;
    // awaited: from now on what other nodes send to the room arrives
    socket.join(room.as_str()).await?;
    let mut members = there;
    members.push(nickname.clone());
    let presence = Presence { nickname: nickname.clone(), members: members.clone() };
    socket.to(room.as_str()).emit("joined", presence)?;
    socket.namespace().emit("rooms", counts(socket.namespace()).await?)?;
    Ok(Reply(Answer::Ok { ok: true, value: Joined { nickname, room, members, history: [] } }))
}

fn message(socket: Socket, Data(text): Data<String>) -> Result<Reply<Answer<Sent>>, EmitError> {
    let refused = |error| Ok(Reply(Answer::Refused { ok: false, error }));
    let Some(seat) = socket.data::<Seat>() else { return refused("Join a room first.") };
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 2000 {
        return refused("A message has 1 to 2000 characters.");
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at = since.as_millis() as u64;
    socket.to(&seat.room).emit("message", Message { from: &seat.nickname, text, at })?;
    Ok(Reply(Answer::Ok { ok: true, value: Sent { at } }))
}

fn typing(socket: Socket, Data(typing): Data<bool>) -> Result<(), EmitError> {
    #[derive(Serialize)]
    struct Typing {
        nickname: String,
        typing: bool,
    }
    let Some(Seat { nickname, room }) = socket.data() else { return Ok(()) };
    socket.to(room).volatile().emit("typing", Typing { nickname, typing })
}

async fn leave(socket: Socket) -> Result<(), BoxError> {
    stand_up(&socket).await?;
    socket.namespace().emit("rooms", counts(socket.namespace()).await?)?;
    Ok(())
}

/// Leaves a room and tells those who stay, on all nodes.
async fn stand_up(socket: &Socket) -> Result<(), BoxError> {
    let Some(Seat { nickname, room }) = socket.data() else { return Ok(()) };
    socket.set_data(&())?;
    socket.leave(room.as_str()).await?;
    let members = members(socket, &room).await?;
    socket.to(room).emit("left", Presence { nickname, members })?;
    Ok(())
}

/// The others in a room, on all nodes.
async fn members(socket: &Socket, room: &str) -> Result<Vec<String>, AdapterError> {
    let others = socket.to(room).fetch_sockets().await?;
    let name = |socket: &socketio::adapter::RemoteSocket| Some(socket.data::<Seat>()?.nickname);
    Ok(others.items.iter().filter_map(name).collect())
}

/// How many people are in each room, on all nodes.
async fn counts(namespace: &Namespace) -> Result<BTreeMap<String, usize>, AdapterError> {
    let mut counts = BTreeMap::new();
    for socket in namespace.fetch_sockets().await?.items {
        if let Some(seat) = socket.data::<Seat>() {
            *counts.entry(seat.room).or_default() += 1;
        }
    }
    Ok(counts)
}

/// A name without the blanks around it, if it has 1 to `max` characters.
fn named(name: &str, max: usize) -> Option<String> {
    let name = name.trim();
    (1..=max).contains(&name.chars().count()).then(|| name.to_owned())
}
