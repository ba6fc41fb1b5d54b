//! The common message form of the newer adapters of Node (sharded, streams, Postgres, Mongo):
//! `{type, data, uid, nsp}`, as JSON, or as msgpack if there are bytes in it.
//!
//! What a message is says its type alone, never the channel on which it came. Where the broker
//! cannot count who listens, nodes show themselves: by messages without data when they come (1), from
//! time to time (2), and when they leave (13).
// Node: ClusterAdapter of socket.io-adapter 2.5.8

use socketio_parser::{DataForm, EventData, Value};

use super::channels::{Channels, RoomChannels};
use super::wire::{
    self, event, excluded, flag, flags, has_binary, json, kind, msgpack, names, object, options,
    packet_of, parse, push, rooms, sockets, take, text, wanted, write, write_data,
};
use crate::cluster::bus::Channel;
use crate::cluster::codec::Codec;
use crate::cluster::message::{
    Answer, Change, Expected, Incoming, Line, Malformed, Message, Plan, Received, Request,
    Requester, Sender, Sign,
};
use crate::{BroadcastOptions, Room};

/// One namespace of a node.
#[derive(Debug)]
pub(crate) struct MessageFormat {
    channels: Channels,
    namespace: String,
    uid: String,
}

type Result<T> = std::result::Result<T, Malformed>;

impl MessageFormat {
    pub(crate) fn new(prefix: &str, namespace: &str, rooms: RoomChannels, uid: String) -> Self {
        let channels = Channels::new(prefix, namespace, rooms);
        Self { channels, namespace: namespace.to_owned(), uid }
    }

    fn read(&self, kind: i64, mut data: Value, uid: &str) -> Result<Option<Incoming>> {
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

    /// A message without an event of the user.
    fn message(&self, channel: &str, kind: i64, data: Value) -> Message {
        let is_bytes_possible =
            [BROADCAST_ACK, FETCH_SOCKETS_RESPONSE, SERVER_SIDE_EMIT, SERVER_SIDE_EMIT_RESPONSE];
        let as_msgpack = is_bytes_possible.contains(&kind) && has_binary(&data);
        let message = object([
            ("type", kind.into()),
            ("data", data),
            ("uid", self.uid.as_str().into()),
            ("nsp", self.namespace.as_str().into()),
        ]);
        let payload = if as_msgpack { msgpack(&message) } else { json(&message) };
        Message { channel: channel.to_owned(), payload: payload.into() }
    }

    /// `{type: 3, data: {packet: {type, data}, requestId?, opts}, uid, nsp}`, in which the data of
    /// the event are copied.
    fn event(
        &self,
        channel: &str,
        event: &EventData,
        id: Option<&str>,
        options: &BroadcastOptions,
        timeout: Option<u64>,
    ) -> Message {
        let opts = Self::opts(options, timeout);
        let mut out = Vec::with_capacity(event.bytes.len() + 160);
        // found in arguments, not in what the data are written in
        if event.has_binary || event.form == DataForm::Msgpack {
            out.extend_from_slice(b"\x84\xa4type\x03\xa4data");
            out.push(if id.is_some() { 0x83 } else { 0x82 });
            out.extend_from_slice(b"\xa6packet\x82\xa4type\x02\xa4data");
            write_data(event, &mut out);
            if let Some(id) = id {
                write(&"requestId".into(), &mut out);
                write(&id.into(), &mut out);
            }
            write(&"opts".into(), &mut out);
            write(&opts, &mut out);
            for (key, value) in [("uid", &self.uid), ("nsp", &self.namespace)] {
                write(&key.into(), &mut out);
                write(&value.as_str().into(), &mut out);
            }
        } else {
            out.extend_from_slice(br#"{"type":3,"data":{"packet":{"type":2,"data":"#);
            out.extend_from_slice(&event.bytes);
            out.push(b'}');
            if let Some(id) = id {
                out.extend_from_slice(br#","requestId":"#);
                out.extend_from_slice(&json(&id.into()));
            }
            out.extend_from_slice(br#","opts":"#);
            out.extend_from_slice(&json(&opts));
            for (key, value) in [("},\"uid\":", &self.uid), (",\"nsp\":", &self.namespace)] {
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(&json(&value.as_str().into()));
            }
            out.push(b'}');
        }
        Message { channel: channel.to_owned(), payload: out.into() }
    }
}

impl Codec for MessageFormat {
    fn form(&self) -> DataForm {
        DataForm::Json
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn subscriptions(&self) -> Vec<Channel> {
        let names = [self.channels.all().to_owned(), self.channels.of_node(&self.uid)];
        names.map(Channel::Named).to_vec()
    }

    fn room_subscription(&self, room: &Room, is_own: bool) -> Option<Channel> {
        self.channels.to_listen(room, is_own).map(Channel::Named)
    }

    fn census(&self) -> &str {
        self.channels.all()
    }

    fn decode(
        &self,
        channel: &str,
        payload: &[u8],
        _has_members: &dyn Fn(&str) -> bool,
    ) -> Result<Received> {
        if !channel.starts_with(self.channels.all()) {
            return Ok(Received::default());
        }
        let mut message = parse(payload)?;
        let uid = wanted(text(&message, "uid")?)?;
        let nsp = wanted(text(&message, "nsp")?)?;
        let kind = kind(&message)?;
        if uid == self.uid || nsp != self.namespace {
            return Ok(Received::default());
        }
        let data = take(&mut message, "data");
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

    fn sign(&self, sign: Sign) -> Option<Message> {
        let kind = match sign {
            Sign::Hello => INITIAL_HEARTBEAT,
            Sign::Alive => HEARTBEAT,
            Sign::Farewell => ADAPTER_CLOSE,
        };
        let message = object([
            ("type", kind.into()),
            ("uid", self.uid.as_str().into()),
            ("nsp", self.namespace.as_str().into()),
        ]);
        Some(Message { channel: self.channels.all().to_owned(), payload: json(&message).into() })
    }

    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) -> Message {
        let channel = self.channels.of_broadcast(options);
        self.event(&channel, event, None, options, None)
    }

    fn plan(
        &self,
        id: Option<&str>,
        request: &Request<'_>,
    ) -> std::result::Result<Plan, &'static str> {
        let of = id.unwrap_or_default();
        let fetch = |options: &BroadcastOptions| {
            let data = object([("opts", Self::opts(options, None)), ("requestId", of.into())]);
            self.message(self.channels.all(), FETCH_SOCKETS, data)
        };
        let message = match *request {
            Request::Ask { event, options, timeout } => {
                self.event(self.channels.all(), event, id, options, Some(timeout))
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
                self.message(self.channels.all(), SERVER_SIDE_EMIT, data)
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
        Some(self.message(self.channels.all(), kind, data))
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
        let channel = self.channels.of_node(to.node.as_deref()?);
        let data = object([("requestId", to.id.as_str().into()), (key, value)]);
        Some(self.message(&channel, kind, data))
    }
}

// Node: MessageType of socket.io-adapter 2.5.8
const INITIAL_HEARTBEAT: i64 = 1;
const HEARTBEAT: i64 = 2;
const BROADCAST: i64 = 3;
const SOCKETS_JOIN: i64 = 4;
const SOCKETS_LEAVE: i64 = 5;
const DISCONNECT_SOCKETS: i64 = 6;
const FETCH_SOCKETS: i64 = 7;
const FETCH_SOCKETS_RESPONSE: i64 = 8;
const SERVER_SIDE_EMIT: i64 = 9;
const SERVER_SIDE_EMIT_RESPONSE: i64 = 10;
const BROADCAST_CLIENT_COUNT: i64 = 11;
const BROADCAST_ACK: i64 = 12;
const ADAPTER_CLOSE: i64 = 13;

/// Who does not know a request.
const NEW_NODES: &str = "Node servers of the 4.x line";
