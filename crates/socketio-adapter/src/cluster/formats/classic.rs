//! The format of the classic adapters, over channels that everybody may listen to: of
//! `socket.io-redis` 5.x, for servers 2.x, and of `@socket.io/redis-adapter`, for servers 4.x.
//!
//! ```text
//!   P#N#            broadcasts          msgpack: [uid, {type, data, nsp}, {rooms, except, flags}]
//!   P#N#R#          those to one room
//!   P-request#N#    requests            JSON; msgpack if clients are to acknowledge
//!   P-response#N#   answers             JSON; msgpack for what a client acknowledged
//!   P-response#N#U# answers to node U   the same; of the 4.x line
//! ```
//!
//! `P` is the prefix, `N` the namespace. The lines share the channels, but number their requests
//! differently, and each does harm to the other with some of them. Read is everything, whoever sent
//! it: a request of the 2.x line is told by its `requestid`. What is sent depends on the
//! [`Dialect`], which says who else is there:
//!
//! - never msgpack on the request channel, nor on the shared one for answers, where a 2.x node may
//!   be: it ends;
//! - never `customRequest`, `remoteLeave` nor `remoteDisconnect` of the 2.x line where a 4.x node may
//!   read them as something else;
//! - never a packet of the type for bytes where a 4.x node may be: its clients leave.
// Node: socket.io-redis 5.4.0, @socket.io/redis-adapter 8.3.0

use socketio_parser::{DataForm, EventData, Value};

use super::wire::{
    self, event, excluded, flag, flags, has_binary, json, kind, msgpack, names, object, options,
    parse, push, room_names, rooms, sockets, take, text, wanted, write, write_data,
};
use crate::cluster::bus::Channel;
use crate::cluster::codec::{Changes, Codec};
use crate::cluster::message::{
    Answer, Change, Expected, Incoming, Line, Malformed, Message, Plan, Received, Request,
    Requester,
};
use crate::{BroadcastOptions, SocketId};

/// Which lines of Node servers there are in a cluster of the classic format.
///
/// What is received is understood in all of them; this says what may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Servers of the 4.x line (`@socket.io/redis-adapter`, or `socket.io-redis` 6.x), or none.
    #[default]
    New,
    /// Servers of the 2.x line (`socket.io-redis` up to 5.x). They know neither `fetch_sockets`
    /// beyond ids, nor messages from server to server, nor broadcasts with acknowledgements.
    Old,
    /// Both. What one of the lines cannot answer without harm to the other is refused.
    Mixed,
}

/// One namespace of a node.
#[derive(Debug)]
pub(crate) struct Classic {
    dialect: Dialect,
    namespace: String,
    /// `P#N#`
    broadcasts: String,
    /// `P-request#N#`
    requests: String,
    /// `P-response#N#`
    answers: String,
    uid: String,
}

type Result<T> = std::result::Result<T, Malformed>;

impl Classic {
    pub(crate) fn new(prefix: &str, namespace: &str, dialect: Dialect, uid: String) -> Self {
        Self {
            dialect,
            namespace: namespace.to_owned(),
            broadcasts: format!("{prefix}#{namespace}#"),
            requests: format!("{prefix}-request#{namespace}#"),
            answers: format!("{prefix}-response#{namespace}#"),
            uid,
        }
    }

    // ---- reading ----------------------------------------------------------------------------

    /// The room of a broadcast's channel; empty: all.
    fn room<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let rest = channel.strip_prefix(self.broadcasts.as_str())?;
        Some(rest.strip_suffix('#').unwrap_or(rest))
    }

    fn read_broadcast(&self, payload: &[u8]) -> Result<Option<Incoming>> {
        let Value::Array(parts) = parse(payload)? else {
            return Err(Malformed("a broadcast is no list"));
        };
        let mut parts = parts.into_iter();
        match parts.next() {
            Some(Value::String(uid)) if **uid == self.uid => return Ok(None),
            Some(Value::String(_)) => {}
            _ => return Err(Malformed("a broadcast has no sender")),
        }
        let packet = parts.next();
        let options = options(parts.next().as_ref())?;
        let Some(event) = wire::packet(packet, &self.namespace)? else { return Ok(None) };
        Ok(Some(Incoming::Broadcast { event, options }))
    }

    fn read_request(&self, payload: &[u8]) -> Result<Option<Incoming>> {
        let request = parse(payload)?;
        if !matches!(request, Value::Object(_)) {
            return Err(Malformed("a request is no object"));
        }
        let new = Requester {
            id: text(&request, "requestId")?.unwrap_or_default(),
            node: text(&request, "uid")?,
            line: Line::New,
        };
        let old = text(&request, "requestid")?;
        let kind = kind(&request)?;
        match old {
            Some(id) if new.id.is_empty() => {
                // of another node like this one, and it comes in the other spelling as well
                if new.node.is_some() || self.is_own(&id) {
                    return Ok(None);
                }
                let from = Requester { id, node: None, line: Line::Old };
                self.read_old(kind, request, from)
            }
            _ if new.node.as_deref() == Some(&self.uid) || self.is_own(&new.id) => Ok(None),
            None if new.id.is_empty() && new.node.is_none() && request.get("opts").is_none() => {
                Err(Malformed("a request of neither line"))
            }
            _ => self.read_new(kind, request, new),
        }
    }

    fn read_old(&self, kind: i64, mut request: Value, from: Requester) -> Result<Option<Incoming>> {
        let socket = |request: &Value| Ok(SocketId::from(wanted(text(request, "sid")?)?));
        let room = |request: &Value| Ok(vec![wanted(text(request, "room")?)?.into()]);
        Ok(Some(match kind {
            0 => Incoming::Ids { rooms: rooms(request.get("rooms"))?.unwrap_or_default(), from },
            1 => Incoming::RoomsOf { id: socket(&request)?, from },
            2 => Incoming::Rooms { from },
            3 | 4 => {
                let room = room(&request)?;
                let change = if kind == 3 { Change::Join(room) } else { Change::Leave(room) };
                Incoming::ChangeOne { change, id: socket(&request)?, from }
            }
            5 => Incoming::Custom { data: take(&mut request, "data"), from },
            6 => {
                let change = Change::Disconnect { close: flag(&request, "close") };
                Incoming::ChangeOne { change, id: socket(&request)?, from }
            }
            _ => return Ok(None),
        }))
    }

    fn read_new(&self, kind: i64, mut request: Value, from: Requester) -> Result<Option<Incoming>> {
        let has_id = !from.id.is_empty();
        let answerable = || if has_id { Ok(()) } else { Err(Malformed("a request has no id")) };
        Ok(Some(match kind {
            0 => {
                answerable()?;
                Incoming::Ids { rooms: rooms(request.get("rooms"))?.unwrap_or_default(), from }
            }
            1 => {
                answerable()?;
                Incoming::Rooms { from }
            }
            2..=4 => {
                // as older nodes of the line tell of one socket
                let id = match request.get("opts") {
                    None => Some(SocketId::from(wanted(text(&request, "sid")?)?)),
                    Some(_) => None,
                };
                let names = match id {
                    Some(_) if kind != 4 => vec![wanted(text(&request, "room")?)?.into()],
                    None if kind != 4 => wanted(rooms(request.get("rooms"))?)?,
                    _ => Vec::new(),
                };
                let change = match kind {
                    2 => Change::Join(names),
                    3 => Change::Leave(names),
                    _ => Change::Disconnect { close: flag(&request, "close") },
                };
                match id {
                    Some(id) => Incoming::ChangeOne { change, id, from },
                    None => Incoming::Change { change, options: options(request.get("opts"))? },
                }
            }
            5 => {
                answerable()?;
                Incoming::Sockets { options: options(request.get("opts"))?, from }
            }
            6 => {
                let event = event(Some(take(&mut request, "data")))?;
                Incoming::ServerEvent { event, from: has_id.then_some(from) }
            }
            7 => {
                answerable()?;
                let options = options(request.get("opts"))?;
                let timeout = wire::timeout(request.get("opts"));
                let packet = Some(take(&mut request, "packet"));
                let Some(event) = wire::packet(packet, &self.namespace)? else { return Ok(None) };
                Incoming::Ask { event, options, timeout, from }
            }
            _ => return Ok(None),
        }))
    }

    /// An answer; of what shape it is says what was asked.
    fn read_answer(&self, payload: &[u8]) -> Result<Option<Incoming>> {
        let mut answer = parse(payload)?;
        let id = match text(&answer, "requestId")? {
            Some(id) => Some(id),
            None => text(&answer, "requestid")?,
        };
        // stray ones have none, see the requests that the lines misread
        let Some(id) = id.filter(|id| self.is_own(id)) else { return Ok(None) };
        let list = |value| match value {
            Value::Array(items) => Some(*items),
            _ => None,
        };
        let read = match answer.get("type").and_then(Value::as_i64) {
            Some(8) => {
                let count = answer.get("clientCount").and_then(Value::as_u64);
                count.and_then(|count| usize::try_from(count).ok()).map(Answer::ClientCount)
            }
            Some(9) => Some(Answer::Client(take(&mut answer, "packet"))),
            _ if answer.get("sockets").is_some() => {
                list(take(&mut answer, "sockets")).map(|items| Answer::Sockets(sockets(items)))
            }
            _ if answer.get("clients").is_some() => {
                let ids = list(take(&mut answer, "clients")).map(room_names);
                ids.map(|ids| {
                    Answer::Ids(ids.iter().map(|id| SocketId::from(id.as_str())).collect())
                })
            }
            _ if answer.get("rooms").is_some() => {
                list(take(&mut answer, "rooms")).map(|items| Answer::Rooms(room_names(items)))
            }
            _ if answer.get("data").is_some() => Some(Answer::Value(take(&mut answer, "data"))),
            _ => Some(Answer::Done),
        };
        Ok(read.map(|answer| Incoming::Answer { id, node: None, answer }))
    }

    /// Ids of requests begin with the node's own.
    fn is_own(&self, id: &str) -> bool {
        id.starts_with(&self.uid)
    }

    // ---- writing ----------------------------------------------------------------------------

    fn opts(options: &BroadcastOptions) -> Value {
        object([("rooms", names(&options.rooms)), ("except", excluded(options))])
    }

    /// A request of the 4.x line.
    fn new_request(&self, id: Option<&str>, kind: i64) -> Value {
        let mut request = object([("uid", self.uid.as_str().into())]);
        if let Some(id) = id {
            push(&mut request, "requestId", id);
        }
        push(&mut request, "type", kind);
        request
    }

    fn request(&self, request: &Value) -> Message {
        Message::on(self.requests.clone(), json(request))
    }

    /// A request of the 2.x line. `twin`: it comes in the spelling of the 4.x line as well.
    fn old_request(id: &str, kind: i64, more: &[(&str, Value)]) -> Value {
        let mut request = object([("requestid", id.into()), ("type", kind.into())]);
        for (key, value) in more {
            push(&mut request, key, value.clone());
        }
        request
    }

    fn old_plan(&self, id: &str, request: &Request<'_>) -> std::result::Result<Plan, &'static str> {
        let (request, expected) = match *request {
            Request::Ids { rooms } => {
                (Self::old_request(id, 0, &[("rooms", names(rooms))]), Expected::All)
            }
            // of the sockets they tell ids only
            Request::Sockets { options } => {
                (Self::old_request(id, 0, &[("rooms", names(&options.rooms))]), Expected::All)
            }
            Request::Rooms => (Self::old_request(id, 2, &[]), Expected::All),
            Request::RoomsOf { id: sid } => {
                (Self::old_request(id, 1, &[("sid", sid.as_str().into())]), Expected::One)
            }
            Request::ChangeOne { change, id: sid } => {
                let sid = ("sid", Value::from(sid.as_str()));
                let request = match change {
                    Change::Join(rooms) | Change::Leave(rooms) => {
                        let kind = if matches!(change, Change::Join(_)) { 3 } else { 4 };
                        let room = rooms.first().map_or(Value::Null, |room| room.as_str().into());
                        Self::old_request(id, kind, &[sid, ("room", room)])
                    }
                    Change::Disconnect { close } => {
                        Self::old_request(id, 6, &[sid, ("close", (*close).into())])
                    }
                };
                (request, Expected::One)
            }
            Request::Custom { data } => {
                (Self::old_request(id, 5, &[("data", data.clone())]), Expected::All)
            }
            Request::Ask { .. } | Request::ServerEvent { .. } => return Err(OLD_NODES),
        };
        Ok(Plan { messages: vec![self.request(&request)], expected })
    }

    fn new_plan(
        &self,
        id: Option<&str>,
        request: &Request<'_>,
    ) -> std::result::Result<Plan, &'static str> {
        let (request, expected) = match *request {
            Request::Ids { rooms } => {
                let mut request = self.new_request(id, 0);
                push(&mut request, "rooms", names(rooms));
                (request, Expected::All)
            }
            Request::Sockets { options } => {
                let mut request = self.new_request(id, 5);
                push(&mut request, "opts", Self::opts(options));
                (request, Expected::All)
            }
            Request::Rooms => (self.new_request(id, 1), Expected::All),
            Request::ServerEvent { event, args } => {
                let mut request = self.new_request(id, 6);
                let data: Vec<Value> =
                    std::iter::once(event.into()).chain(args.iter().cloned()).collect();
                push(&mut request, "data", data);
                (request, Expected::New)
            }
            Request::ChangeOne { change, id: sid } => {
                let options =
                    BroadcastOptions { rooms: vec![sid.into()], ..BroadcastOptions::default() };
                (self.change_request(change, &options), Expected::Nobody)
            }
            Request::Ask { event, options, timeout } => {
                let id = id.unwrap_or_default();
                let message = self.ask(id, event, options, timeout);
                return Ok(Plan { messages: vec![message], expected: Expected::All });
            }
            Request::Custom { .. } => return Err(NEW_NODES),
            Request::RoomsOf { .. } => return Err(NEW_NODES),
        };
        Ok(Plan { messages: vec![self.request(&request)], expected })
    }

    fn change_request(&self, change: &Change, options: &BroadcastOptions) -> Value {
        let kind = match change {
            Change::Join(_) => 2,
            Change::Leave(_) => 3,
            Change::Disconnect { .. } => 4,
        };
        let mut request = self.new_request(None, kind);
        push(&mut request, "opts", Self::opts(options));
        match change {
            Change::Join(rooms) | Change::Leave(rooms) => push(&mut request, "rooms", names(rooms)),
            Change::Disconnect { close } => push(&mut request, "close", *close),
        }
        request
    }

    /// The one request in msgpack.
    fn ask(
        &self,
        id: &str,
        event: &EventData,
        options: &BroadcastOptions,
        timeout: u64,
    ) -> Message {
        let mut out = vec![0x85];
        for (key, value) in [("uid", self.uid.as_str()), ("requestId", id)] {
            write(&key.into(), &mut out);
            write(&value.into(), &mut out);
        }
        write(&"type".into(), &mut out);
        out.push(7);
        write(&"packet".into(), &mut out);
        self.write_packet(event, 2, &mut out);
        write(&"opts".into(), &mut out);
        let opts = object([
            ("rooms", names(&options.rooms)),
            ("except", excluded(options)),
            ("flags", flags(options, Some(timeout)).into()),
        ]);
        write(&opts, &mut out);
        Message::on(self.requests.clone(), out)
    }

    /// `{type, data, nsp}`
    fn write_packet(&self, event: &EventData, kind: u8, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x83\xa4type");
        out.push(kind);
        out.extend_from_slice(b"\xa4data");
        write_data(event, out);
        out.extend_from_slice(b"\xa3nsp");
        write(&self.namespace.as_str().into(), out);
    }
}

impl Codec for Classic {
    fn form(&self) -> DataForm {
        DataForm::Msgpack
    }

    fn uid(&self) -> &str {
        &self.uid
    }

    fn subscriptions(&self) -> Vec<Channel> {
        vec![
            Channel::BeginningWith(self.broadcasts.clone()),
            Channel::Named(self.requests.clone()),
            Channel::Named(self.answers.clone()),
            Channel::Named(format!("{}{}#", self.answers, self.uid)),
        ]
    }

    fn census(&self) -> &str {
        &self.requests
    }

    fn new_nodes(&self) -> Option<(&str, &str)> {
        (self.dialect != Dialect::New).then_some((self.answers.as_str(), "#"))
    }

    fn decode(
        &self,
        channel: &str,
        payload: &[u8],
        has_members: &dyn Fn(&str) -> bool,
    ) -> Result<Received> {
        let incoming = match self.room(channel) {
            Some(room) if !room.is_empty() && !has_members(room) => None,
            Some(_) => self.read_broadcast(payload)?,
            None if channel == self.requests => self.read_request(payload)?,
            None if channel.starts_with(&self.answers) => self.read_answer(payload)?,
            None => None,
        };
        // nodes are counted by the broker: who sends does not matter
        Ok(Received { sender: None, incoming })
    }

    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) -> Message {
        let channel = match options.rooms.as_slice() {
            [room] => format!("{}{room}#", self.broadcasts),
            _ => self.broadcasts.clone(),
        };
        let mut out = Vec::with_capacity(event.bytes.len() + 128);
        out.push(0x93);
        write(&self.uid.as_str().into(), &mut out);
        let opts = if self.dialect == Dialect::Old {
            self.write_packet(event, if event.has_binary { 5 } else { 2 }, &mut out);
            let mut opts = object([]);
            // 2.x: a list only where there is one
            if options.excluded().next().is_some() {
                push(&mut opts, "except", excluded(options));
            }
            push(&mut opts, "rooms", names(&options.rooms));
            let mut flags = flags(options, None);
            if options.sender.is_some() {
                flags.insert("broadcast".to_owned(), true.into());
            }
            push(&mut opts, "flags", flags);
            opts
        } else {
            self.write_packet(event, 2, &mut out);
            object([
                ("rooms", names(&options.rooms)),
                ("except", excluded(options)),
                ("flags", flags(options, None).into()),
            ])
        };
        write(&opts, &mut out);
        Message::on(channel, out)
    }

    fn plan(
        &self,
        id: Option<&str>,
        request: &Request<'_>,
    ) -> std::result::Result<Plan, &'static str> {
        let of = id.unwrap_or_default();
        match (self.dialect, request) {
            (Dialect::Old, _) => self.old_plan(of, request),
            (Dialect::New, _) => self.new_plan(id, request),
            // means the same to both, and each answers in its own spelling
            (Dialect::Mixed, Request::Ids { rooms }) => {
                let mut request = self.new_request(id, 0);
                push(&mut request, "requestid", of);
                push(&mut request, "rooms", names(*rooms));
                let messages = vec![self.request(&request)];
                Ok(Plan { messages, expected: Expected::All })
            }
            (Dialect::Mixed, Request::Rooms) => {
                let mut old = Self::old_request(of, 2, &[]);
                push(&mut old, "uid", self.uid.as_str());
                let messages = vec![self.request(&old), self.request(&self.new_request(id, 1))];
                Ok(Plan { messages, expected: Expected::All })
            }
            (Dialect::Mixed, Request::Sockets { .. }) => {
                let plan = self.new_plan(id, request)?;
                Ok(Plan { expected: Expected::New, ..plan })
            }
            (Dialect::Mixed, Request::ServerEvent { .. }) => self.new_plan(id, request),
            // by the layer above only for sockets of the line
            (Dialect::Mixed, Request::ChangeOne { .. } | Request::RoomsOf { .. }) => {
                self.old_plan(of, request)
            }
            (Dialect::Mixed, Request::Ask { .. }) => Err(OLD_NODES),
            (Dialect::Mixed, Request::Custom { .. }) => Err(NEW_NODES),
        }
    }

    fn change(&self, change: &Change, options: &BroadcastOptions) -> Option<Message> {
        let request = || self.request(&self.change_request(change, options));
        (self.dialect != Dialect::Old).then(request)
    }

    fn changes(&self) -> Changes {
        match self.dialect {
            Dialect::New => Changes::AtOnce,
            Dialect::Old => Changes::OneByOne,
            Dialect::Mixed => Changes::Both,
        }
    }

    fn answer(&self, to: &Requester, answer: Answer) -> Option<Message> {
        let key = match to.line {
            Line::Old => "requestid",
            Line::New => "requestId",
        };
        let mut reply = object([(key, to.id.as_str().into())]);
        // JSON but where bytes or the habit of the line call for msgpack
        let mut as_msgpack = false;
        match answer {
            Answer::Ids(ids) => {
                let ids: Value = ids.iter().map(|id| Value::from(id.as_str())).collect();
                let key = if to.line == Line::Old { "clients" } else { "sockets" };
                push(&mut reply, key, ids);
            }
            Answer::Sockets(sockets) => {
                let sockets: Value = sockets.iter().map(wire::socket).collect();
                push(&mut reply, "sockets", sockets);
            }
            Answer::Rooms(rooms) => push(&mut reply, "rooms", names(&rooms)),
            Answer::Value(data) if to.line == Line::New => {
                reply = object([("type", 6.into()), (key, to.id.as_str().into()), ("data", data)]);
            }
            Answer::Value(data) => push(&mut reply, "data", data),
            Answer::ClientCount(count) => {
                reply = object([
                    ("type", 8.into()),
                    (key, to.id.as_str().into()),
                    ("clientCount", count.into()),
                ]);
            }
            Answer::Client(packet) => {
                as_msgpack = self.dialect == Dialect::New || has_binary(&packet);
                reply =
                    object([("type", 9.into()), (key, to.id.as_str().into()), ("packet", packet)]);
            }
            Answer::Done => {}
        }
        // 2.x nodes do not listen to the channel of one node
        let channel = match &to.node {
            Some(node) if as_msgpack && self.dialect != Dialect::New => {
                format!("{}{node}#", self.answers)
            }
            None if as_msgpack && self.dialect != Dialect::New => return None,
            _ => self.answers.clone(),
        };
        let payload = if as_msgpack { msgpack(&reply) } else { json(&reply) };
        Some(Message::on(channel, payload))
    }
}

/// Who does not know a request.
const OLD_NODES: &str = "Node servers of the 2.x line";
const NEW_NODES: &str = "Node servers of the 4.x line";
