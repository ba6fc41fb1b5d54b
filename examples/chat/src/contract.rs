//! What the page and the server say to each other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::{Socket, State};
use socketio_contract::contract;

use crate::rooms::{Message, Rooms};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Join {
    pub(crate) nickname: String,
    pub(crate) room: String,
}

/// What somebody sees who has joined a room.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Joined {
    pub(crate) nickname: String,
    pub(crate) room: String,
    pub(crate) members: Vec<String>,
    pub(crate) history: Vec<Message>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Sent {
    /// Milliseconds since 1970.
    pub(crate) at: f64,
}

/// Somebody came or went, and who is in the room now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Presence {
    pub(crate) nickname: String,
    pub(crate) members: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Typing {
    pub(crate) nickname: String,
    pub(crate) typing: bool,
}

/// Rooms in which people talk. Everybody is in one room at a time.
#[contract(namespace = "/")]
pub(crate) mod chat {
    use super::*;

    /// What the page may send. Errors are sentences for people.
    pub(crate) trait FromClient {
        /// Takes a seat in a room, and leaves that of another one.
        fn join(&self, socket: Socket, rooms: State<Rooms>, join: Join) -> Result<Joined, String>;
        /// Says something in the room.
        fn message(
            &self,
            socket: Socket,
            rooms: State<Rooms>,
            text: String,
        ) -> Result<Sent, String>;
        /// Begins or ends to type.
        fn typing(&self, socket: Socket, typing: bool);
    }

    /// What the page hears.
    pub(crate) trait ToClient {
        /// How many people are in each room.
        fn rooms(counts: &BTreeMap<String, u32>);
        fn joined(who: &Presence);
        fn left(who: &Presence);
        fn message(message: &Message);
        /// May be lost on the way.
        fn typing(who: &Typing);
    }
}
