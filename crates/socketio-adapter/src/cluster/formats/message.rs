//! The common message form of the newer adapters of Node (sharded, streams, Postgres, Mongo):
//! `{type, data, uid, nsp}`, as JSON, or as msgpack if there are bytes in it, or always as msgpack.
//!
//! Where the nodes share a log, what only tells something is appended to it: type, sender and
//! namespace are fields of the entry, and the data are written as [`entry`] says.
//!
//! What a message is says its type alone, never the channel on which it came. Where the broker
//! cannot count who listens, nodes show themselves: by messages without data when they come (1), from
//! time to time (2), and when they leave (13).
// Node: ClusterAdapter of socket.io-adapter 2.5.8

use std::sync::Arc;

use bytes::Bytes;
use socketio_parser::{DataForm, EventData, Value};

use super::channels::Naming;
use super::entry;
use super::wire::{
    self, event, excluded, flag, flags, has_binary, json, kind, msgpack, names, object, options,
    packet_of, parse, push, rooms, sockets, take, text, wanted, write, write_data,
};
use crate::cluster::bus::Channel;
use crate::cluster::codec::Codec;
use crate::cluster::log::Entry;
use crate::cluster::message::{
    Answer, Change, Expected, Incoming, Line, Malformed, Message, Plan, Received, Request,
    Requester, Sender, Sign,
};
use crate::cluster::peers::EMITTER;
use crate::{BroadcastOptions, Room};

/// One namespace of a node.
#[derive(Debug)]
pub(crate) struct MessageFormat {
    naming: Arc<dyn Naming>,
    form: DataForm,
    /// What only tells something goes into the log.
    has_log: bool,
    namespace: String,
    uid: String,
    /// The channel that all nodes listen to.
    all: String,
}

type Result<T> = std::result::Result<T, Malformed>;

impl MessageFormat {
    /// `form` says how messages on channels are written.
    pub(crate) fn new(
        naming: Arc<dyn Naming>,
        form: DataForm,
        has_log: bool,
        namespace: &str,
        uid: String,
    ) -> Self {
        let all = naming.all(namespace);
        Self { naming, form, has_log, namespace: namespace.to_owned(), uid, all }
    }

    fn of_node(&self, uid: &str) -> String {
        self.naming.of_node(&self.namespace, uid).unwrap_or_else(|| self.all.clone())
    }

    /// Reads a message whose fields are known.
    fn received(&self, kind: i64, uid: String, data: Value) -> Result<Received> {
        // what is larger comes with later releases
        let kind = u8::try_from(kind).unwrap_or_default();
        let incoming = match (kind, &data) {
            (BROADCAST..=BROADCAST_ACK, Value::Object(_)) => self.read(kind, data, &uid)?,
            (BROADCAST..=BROADCAST_ACK, _) => return Err(Malformed("a message has no data")),
            _ => None,
        };
        let sign = match kind {
            INITIAL_HEARTBEAT => Sign::Hello,
            ADAPTER_CLOSE => Sign::Farewell,
            _ => Sign::Alive,
        };
        Ok(Received { sender: Some(Sender { node: uid, sign }), incoming })
    }

    fn read(&self, kind: u8, mut data: Value, uid: &str) -> Result<Option<Incoming>> {
        let id = text(&data, "requestId")?;
        let from = |id: Option<String>| {
            let id = wanted(id)?;
            Ok(Requester { id, node: Some(uid.to_owned()), line: Line::New })
        };
        let changed = |change, data: &Value| {
            Ok(Some(Incoming::Change { change, options: options(data.get("opts"))? }))
        };
        let answer = |id: Option<String>, answer: Answer| {
            let node = Some(uid.to_owned());
            Ok(id.map(|id| Incoming::Answer { id, node, answer }))
        };
        match kind {
            BROADCAST => {
                let options = options(data.get("opts"))?;
                let timeout = wire::timeout(data.get("opts"));
                let packet = Some(take(&mut data, "packet"));
                let Some(event) = packet_of(packet, &self.namespace)? else { return Ok(None) };
                Ok(Some(match id {
                    None => Incoming::Broadcast { event, options },
                    Some(_) => Incoming::Ask { event, options, timeout, from: from(id)? },
                }))
            }
            SOCKETS_JOIN => changed(Change::Join(wanted(rooms(data.get("rooms"))?)?), &data),
            SOCKETS_LEAVE => changed(Change::Leave(wanted(rooms(data.get("rooms"))?)?), &data),
            DISCONNECT_SOCKETS => {
                changed(Change::Disconnect { close: flag(&data, "close") }, &data)
            }
            FETCH_SOCKETS => {
                let options = options(data.get("opts"))?;
                Ok(Some(Incoming::Sockets { options, from: from(id)? }))
            }
            SERVER_SIDE_EMIT => {
                let event = event(Some(take(&mut data, "packet")))?;
                let from = if id.is_some() { Some(from(id)?) } else { None };
                Ok(Some(Incoming::ServerEvent { event, from }))
            }
            FETCH_SOCKETS_RESPONSE => match take(&mut data, "sockets") {
                Value::Array(items) => answer(id, Answer::Sockets(sockets(*items))),
                _ => Err(Malformed("sockets are no list")),
            },
            SERVER_SIDE_EMIT_RESPONSE => answer(id, Answer::Value(take(&mut data, "packet"))),
            BROADCAST_CLIENT_COUNT => {
                let count = data.get("clientCount").and_then(Value::as_u64);
                match count.and_then(|count| usize::try_from(count).ok()) {
                    Some(count) => answer(id, Answer::ClientCount(count)),
                    None => Err(Malformed("a count is none")),
                }
            }
            BROADCAST_ACK => answer(id, Answer::Client(take(&mut data, "packet"))),
            // signs of nodes, and what comes with later releases
            _ => Ok(None),
        }
    }

    fn opts(options: &BroadcastOptions, timeout: Option<u64>) -> Value {
        object([
            ("rooms", names(&options.rooms)),
            ("except", excluded(options)),
            ("flags", flags(options, timeout).into()),
        ])
    }

    /// A message without an event of the user, on a channel.
    fn message(&self, channel: impl Into<String>, kind: u8, data: Value) -> Message {
        let as_msgpack =
            self.form == DataForm::Msgpack || (may_have_bytes(kind) && has_binary(&data));
        let message = object([
            ("type", i64::from(kind).into()),
            ("data", data),
            ("uid", self.uid.as_str().into()),
            ("nsp", self.namespace.as_str().into()),
        ]);
        Message::on(channel, if as_msgpack { msgpack(&message) } else { json(&message) })
    }

    /// A message that nobody answers.
    fn told(&self, kind: u8, data: Value) -> Message {
        if !self.has_log {
            return self.message(self.all.as_str(), kind, data);
        }
        let data = match may_have_bytes(kind) && has_binary(&data) {
            true => entry::base64(&msgpack(&data)),
            false => json(&data),
        };
        Message::Appended { kind, data: data.into() }
    }

    /// `{packet: {type, data}, requestId?, opts}` as msgpack, in which the data of the event are
    /// copied.
    fn write_event(event: &EventData, id: Option<&str>, opts: &Value, out: &mut Vec<u8>) {
        out.push(if id.is_some() { 0x83 } else { 0x82 });
        out.extend_from_slice(b"\xa6packet\x82\xa4type\x02\xa4data");
        write_data(event, out);
        if let Some(id) = id {
            write(&"requestId".into(), out);
            write(&id.into(), out);
        }
        write(&"opts".into(), out);
        write(opts, out);
    }

    /// The same as JSON, of an event that is JSON.
    fn write_event_text(event: &EventData, id: Option<&str>, opts: &Value, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"packet":{"type":2,"data":"#);
        out.extend_from_slice(&event.bytes);
        out.push(b'}');
        if let Some(id) = id {
            out.extend_from_slice(br#","requestId":"#);
            out.extend_from_slice(&json(&id.into()));
        }
        out.extend_from_slice(br#","opts":"#);
        out.extend_from_slice(&json(opts));
        out.push(b'}');
    }

    /// `{type: 3, data, uid, nsp}` on a channel.
    fn event(
        &self,
        channel: impl Into<String>,
        event: &EventData,
        id: Option<&str>,
        opts: &Value,
    ) -> Message {
        let mut out = Vec::with_capacity(event.bytes.len() + 160);
        if is_msgpack(event) || self.form == DataForm::Msgpack {
            out.extend_from_slice(b"\x84\xa4type\x03\xa4data");
            Self::write_event(event, id, opts, &mut out);
            for (key, value) in [("uid", &self.uid), ("nsp", &self.namespace)] {
                write(&key.into(), &mut out);
                write(&value.as_str().into(), &mut out);
            }
        } else {
            out.extend_from_slice(br#"{"type":3,"data":"#);
            Self::write_event_text(event, id, opts, &mut out);
            for (key, value) in [(",\"uid\":", &self.uid), (",\"nsp\":", &self.namespace)] {
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(&json(&value.as_str().into()));
            }
            out.push(b'}');
        }
        Message::on(channel, out)
    }

    /// The data of a broadcast in the log.
    fn logged_event(event: &EventData, opts: &Value) -> Bytes {
        let mut out = Vec::with_capacity(event.bytes.len() + 96);
        if is_msgpack(event) {
            Self::write_event(event, None, opts, &mut out);
            return entry::base64(&out).into();
        }
        Self::write_event_text(event, None, opts, &mut out);
        out.into()
    }
}

/// Found in arguments, not in what the data are written in.
fn is_msgpack(event: &EventData) -> bool {
    event.has_binary || event.form == DataForm::Msgpack
}

/// Of which types Node looks for bytes in the data.
fn may_have_bytes(kind: u8) -> bool {
    [BROADCAST_ACK, FETCH_SOCKETS_RESPONSE, SERVER_SIDE_EMIT, SERVER_SIDE_EMIT_RESPONSE]
        .contains(&kind)
}

impl Codec for MessageFormat {
    fn form(&self) -> DataForm {
        // entries of a log are text where they can be
        if self.has_log { DataForm::Json } else { self.form }
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn subscriptions(&self) -> Vec<Channel> {
        let mut names = vec![self.all.clone(), self.of_node(&self.uid)];
        names.dedup();
        names.into_iter().map(Channel::Named).collect()
    }

    fn room_subscription(&self, room: &Room, is_own: bool) -> Option<Channel> {
        self.naming.while_joined(&self.namespace, room, is_own).map(Channel::Named)
    }

    fn census(&self) -> &str {
        &self.all
    }

    fn decode(
        &self,
        _channel: &str,
        payload: &[u8],
        _has_members: &dyn Fn(&str) -> bool,
    ) -> Result<Received> {
        let mut message = parse(payload)?;
        let uid = wanted(text(&message, "uid")?)?;
        let nsp = text(&message, "nsp")?;
        if nsp.is_none() && !self.naming.implies_namespace() {
            return Err(Malformed("a field is missing"));
        }
        let kind = kind(&message)?;
        if uid == self.uid || nsp.is_some_and(|nsp| nsp != self.namespace) {
            return Ok(Received::default());
        }
        let data = take(&mut message, "data");
        self.received(kind, uid, data)
    }

    fn decode_entry(&self, entry: &Entry, with_own: bool) -> Result<Received> {
        let (uid, kind, data) = entry::read(entry)?;
        if uid == self.uid && !with_own {
            return Ok(Received::default());
        }
        self.received(kind, uid, data)
    }

    fn sign(&self, sign: Sign) -> Option<Message> {
        let kind = match sign {
            Sign::Hello => INITIAL_HEARTBEAT,
            Sign::Alive => HEARTBEAT,
            Sign::Farewell => ADAPTER_CLOSE,
        };
        let message = object([
            ("type", i64::from(kind).into()),
            ("uid", self.uid.as_str().into()),
            ("nsp", self.namespace.as_str().into()),
        ]);
        let payload = match self.form {
            DataForm::Json => json(&message),
            DataForm::Msgpack => msgpack(&message),
        };
        Some(Message::on(self.all.as_str(), payload))
    }

    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) -> Message {
        let opts = Self::opts(options, None);
        if self.has_log {
            return Message::Appended { kind: BROADCAST, data: Self::logged_event(event, &opts) };
        }
        let channel = match options.rooms.as_slice() {
            [room] => self.naming.of_room(&self.namespace, room),
            _ => None,
        };
        self.event(channel.unwrap_or_else(|| self.all.clone()), event, None, &opts)
    }

    fn plan(
        &self,
        id: Option<&str>,
        request: &Request<'_>,
    ) -> std::result::Result<Plan, &'static str> {
        let of = id.unwrap_or_default();
        let fetch = |options: &BroadcastOptions| {
            let data = object([("opts", Self::opts(options, None)), ("requestId", of.into())]);
            self.message(self.all.as_str(), FETCH_SOCKETS, data)
        };
        let message = match *request {
            Request::Ask { event, options, timeout } => {
                self.event(self.all.as_str(), event, id, &Self::opts(options, Some(timeout)))
            }
            Request::Ids { rooms } => {
                fetch(&BroadcastOptions { rooms: rooms.to_vec(), ..BroadcastOptions::default() })
            }
            Request::Sockets { options } => fetch(options),
            // a socket tells its rooms
            Request::Rooms => fetch(&BroadcastOptions::default()),
            Request::ServerEvent { event, args } => {
                let mut data = object([]);
                if let Some(id) = id {
                    push(&mut data, "requestId", id);
                }
                let packet: Vec<Value> =
                    std::iter::once(event.into()).chain(args.iter().cloned()).collect();
                push(&mut data, "packet", packet);
                match self.uid == EMITTER {
                    // Node: what emitters say goes into the log, whatever it is
                    true => self.told(SERVER_SIDE_EMIT, data),
                    false => self.message(self.all.as_str(), SERVER_SIDE_EMIT, data),
                }
            }
            Request::ChangeOne { change, id } => {
                let options =
                    BroadcastOptions { rooms: vec![id.into()], ..BroadcastOptions::default() };
                let messages = self.change(change, &options).into_iter().collect();
                return Ok(Plan { messages, expected: Expected::Nobody });
            }
            Request::RoomsOf { .. } | Request::Custom { .. } => return Err(NEW_NODES),
        };
        Ok(Plan { messages: vec![message], expected: Expected::All })
    }

    fn change(&self, change: &Change, options: &BroadcastOptions) -> Option<Message> {
        let mut data = object([("opts", Self::opts(options, None))]);
        let kind = match change {
            Change::Join(rooms) => {
                push(&mut data, "rooms", names(rooms));
                SOCKETS_JOIN
            }
            Change::Leave(rooms) => {
                push(&mut data, "rooms", names(rooms));
                SOCKETS_LEAVE
            }
            Change::Disconnect { close } => {
                push(&mut data, "close", *close);
                DISCONNECT_SOCKETS
            }
        };
        Some(self.told(kind, data))
    }

    fn answer(&self, to: &Requester, answer: Answer) -> Option<Message> {
        let (kind, key, value) = match answer {
            Answer::Sockets(sockets) => {
                let sockets: Value = sockets.iter().map(wire::socket).collect();
                (FETCH_SOCKETS_RESPONSE, "sockets", sockets)
            }
            Answer::Value(value) => (SERVER_SIDE_EMIT_RESPONSE, "packet", value),
            Answer::ClientCount(count) => (BROADCAST_CLIENT_COUNT, "clientCount", count.into()),
            Answer::Client(packet) => (BROADCAST_ACK, "packet", packet),
            // nobody asks for them in this format
            Answer::Ids(_) | Answer::Rooms(_) | Answer::Done => return None,
        };
        let data = object([("requestId", to.id.as_str().into()), (key, value)]);
        Some(self.message(self.of_node(to.node.as_deref()?), kind, data))
    }
}

// Node: MessageType of socket.io-adapter 2.5.8
const INITIAL_HEARTBEAT: u8 = 1;
const HEARTBEAT: u8 = 2;
const BROADCAST: u8 = 3;
const SOCKETS_JOIN: u8 = 4;
const SOCKETS_LEAVE: u8 = 5;
const DISCONNECT_SOCKETS: u8 = 6;
const FETCH_SOCKETS: u8 = 7;
const FETCH_SOCKETS_RESPONSE: u8 = 8;
const SERVER_SIDE_EMIT: u8 = 9;
const SERVER_SIDE_EMIT_RESPONSE: u8 = 10;
const BROADCAST_CLIENT_COUNT: u8 = 11;
const BROADCAST_ACK: u8 = 12;
const ADAPTER_CLOSE: u8 = 13;

/// Who does not know a request.
const NEW_NODES: &str = "Node servers of the 4.x line";
