//! Sessions as they are kept for all nodes: base64 of msgpack of `{sid, pid, rooms, data}`, and what
//! only nodes like this one write and read:
//!
//! ```text
//!   nsp     the namespace; of another the session is not given back
//!   offset  the head of the log when the client came in, for one that has no offset yet
//!   who     the identity that it is bound to, if it is
//!   live    true: its socket is there, so far as is known
//! ```
// Node: @socket.io/redis-streams-adapter 0.3.1, persistSession

use socketio_parser::Value;

use super::entry::{base64, from_base64};
use super::wire::{flag, msgpack, names, object, parse, push, rooms, take, text};
use crate::cluster::log::Offset;
use crate::{Room, SocketId};

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionRecord {
    pub(crate) sid: SocketId,
    pub(crate) pid: String,
    /// Its own among them.
    pub(crate) rooms: Vec<Room>,
    pub(crate) data: Option<Value>,
    /// `None`: a Node server wrote it, as what follows.
    pub(crate) namespace: Option<String>,
    pub(crate) offset: Option<Offset>,
    pub(crate) identity: String,
    pub(crate) is_live: bool,
}

impl SessionRecord {
    pub(crate) fn write(&self) -> Vec<u8> {
        let none = || object([]);
        let mut map = object([
            ("sid", self.sid.as_str().into()),
            ("pid", self.pid.as_str().into()),
            ("rooms", names(&self.rooms)),
            // Node: socket.data is an object from the beginning
            ("data", self.data.clone().unwrap_or_else(none)),
        ]);
        if let Some(namespace) = &self.namespace {
            push(&mut map, "nsp", namespace.as_str());
        }
        if let Some(offset) = self.offset {
            push(&mut map, "offset", offset.to_string().as_str());
        }
        if !self.identity.is_empty() {
            push(&mut map, "who", self.identity.as_str());
        }
        if self.is_live {
            push(&mut map, "live", true);
        }
        base64(&msgpack(&map))
    }

    /// `None`: it is none.
    pub(crate) fn read(bytes: &[u8], max_rooms: usize) -> Option<Self> {
        if bytes.len() > MAX_SESSION {
            return None;
        }
        let mut map = parse(&from_base64(bytes)?).ok()?;
        let sid = text(&map, "sid").ok()??;
        let rooms = rooms(map.get("rooms")).ok()??;
        // its own besides those that it may join
        if sid.is_empty() || sid.len() > MAX_ID || rooms.len() > max_rooms.saturating_add(1) {
            return None;
        }
        let offset = match text(&map, "offset").ok()? {
            Some(offset) => Some(offset.parse().ok()?),
            None => None,
        };
        Some(Self {
            sid: sid.into(),
            pid: text(&map, "pid").ok()??,
            rooms,
            namespace: text(&map, "nsp").ok()?,
            offset,
            identity: text(&map, "who").ok()?.unwrap_or_default(),
            is_live: flag(&map, "live"),
            data: Some(take(&mut map, "data")).filter(|data| *data != Value::Null),
        })
    }
}

/// More than the data of a socket are on purpose: it is read and written as a whole.
const MAX_SESSION: usize = 4 << 20;

/// Ids that servers make have twenty characters.
const MAX_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded.
    const OF_NODE: &[u8] = b"hKNzaWS0dzkyS1lIeGYtSzg4bXNvcUFBQUOjcGlktHhSc3JoX05LNlMyMVNiME5BQUFEpXJvb21zkrR3OTJLWUh4Zi1LODhtc29xQUFBQ6JyMaRkYXRhgaR1c2Vyo2V2ZQ==";

    fn of_node() -> SessionRecord {
        SessionRecord {
            sid: "w92KYHxf-K88msoqAAAC".into(),
            pid: "xRsrh_NK6S21Sb0NAAAD".to_owned(),
            rooms: vec!["w92KYHxf-K88msoqAAAC".into(), "r1".into()],
            data: Some(object([("user", "eve".into())])),
            namespace: None,
            offset: None,
            identity: String::new(),
            is_live: false,
        }
    }

    #[test]
    fn sessions_of_node_are_read_and_written_as_node_does() {
        assert_eq!(SessionRecord::read(OF_NODE, 10), Some(of_node()));
        assert_eq!(of_node().write(), OF_NODE);
    }

    #[test]
    fn what_else_there_is_to_a_session_comes_back() {
        let session = SessionRecord {
            namespace: Some("/chat".to_owned()),
            offset: Some(Offset(12, 3)),
            identity: "eve".to_owned(),
            is_live: true,
            ..of_node()
        };
        assert_eq!(SessionRecord::read(&session.write(), 10), Some(session));
    }

    #[test]
    fn what_is_no_session() {
        let with = |key: &str, value: Value| {
            let mut map = object([
                ("sid", "s".into()),
                ("pid", "p".into()),
                ("rooms", vec![Value::from("s")].into()),
            ]);
            push(&mut map, key, value);
            base64(&msgpack(&map))
        };
        assert!(SessionRecord::read(&with("data", 7.into()), 1).is_some());
        let many: Vec<Value> = (0..3).map(|n| n.to_string().as_str().into()).collect();
        let long = "x".repeat(65);
        for (key, value) in [
            ("sid", 7.into()),
            ("sid", "".into()),
            ("sid", long.as_str().into()),
            ("sid", Value::Null),
            ("pid", Value::Null),
            ("rooms", Value::Null),
            ("rooms", "s".into()),
            ("rooms", many.into()),
            ("nsp", 7.into()),
            ("offset", "x".into()),
            ("who", 7.into()),
        ] {
            assert_eq!(SessionRecord::read(&with(key, value.clone()), 1), None, "{key} {value:?}");
        }
        for bytes in [&b""[..], b"%", b"wQ==", b"kA==", b"gA=="] {
            assert_eq!(SessionRecord::read(bytes, 1), None);
        }
    }
}
