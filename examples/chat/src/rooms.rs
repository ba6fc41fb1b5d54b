//! Who sits in which room, and what was said there last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use schemars::JsonSchema;
use serde::Serialize;
use socketio::adapter::SocketId;

/// Messages that a room remembers for those who come later.
const HISTORY: usize = 50;

/// What somebody said.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    pub(crate) from: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) at: f64,
}

/// A person's place: one room at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) nickname: String,
    pub(crate) room: String,
}

/// All rooms. A room is there as long as somebody is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms(Arc<Mutex<BTreeMap<String, Room>>>);

#[derive(Debug, Default)]
struct Room {
    members: Vec<(SocketId, String)>,
    history: VecDeque<Message>,
}

impl Rooms {
    /// Takes a seat in a room, if the nickname is free there. The seat in another room is kept.
    pub(crate) fn sit(&self, id: &SocketId, nickname: &str, room: &str) -> Result<Seat, String> {
        let nickname = named(nickname, 24).ok_or("A nickname has 1 to 24 characters.")?;
        let room = named(room, 32).ok_or("A room's name has 1 to 32 characters.")?;
        let mut rooms = self.lock();
        let members = &mut rooms.entry(room.clone()).or_default().members;
        let is_taken = |(other, name): &(SocketId, String)| {
            other != id && name.eq_ignore_ascii_case(&nickname)
        };
        if members.iter().any(is_taken) {
            return Err(format!("{nickname} is in {room} already: choose another nickname."));
        }
        members.retain(|(member, _)| member != id);
        members.push((id.clone(), nickname.clone()));
        Ok(Seat { nickname, room })
    }

    pub(crate) fn stand_up(&self, id: &SocketId, room: &str) {
        let mut rooms = self.lock();
        let Some(there) = rooms.get_mut(room) else { return };
        there.members.retain(|(member, _)| member != id);
        if there.members.is_empty() {
            rooms.remove(room);
        }
    }

    pub(crate) fn remember(&self, room: &str, message: Message) {
        if let Some(room) = self.lock().get_mut(room) {
            if room.history.len() == HISTORY {
                room.history.pop_front();
            }
            room.history.push_back(message);
        }
    }

    pub(crate) fn members(&self, room: &str) -> Vec<String> {
        let rooms = self.lock();
        let members = rooms.get(room).map_or(&[][..], |room| &room.members);
        members.iter().map(|(_, nickname)| nickname.clone()).collect()
    }

    pub(crate) fn history(&self, room: &str) -> Vec<Message> {
        self.lock().get(room).map_or_else(Vec::new, |room| room.history.iter().cloned().collect())
    }

    /// How many people are in each room.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        let rooms = self.lock();
        rooms.iter().map(|(name, room)| (name.clone(), room.members.len() as u32)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Room>> {
        self.0.lock().expect("nothing panics while it holds the rooms")
    }
}

/// A name without the blanks around it, if it has 1 to `max` characters.
fn named(name: &str, max: usize) -> Option<String> {
    let name = name.trim();
    (1..=max).contains(&name.chars().count()).then(|| name.to_owned())
}
