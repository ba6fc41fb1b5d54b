//! Messages of a cluster, whatever the format on the wire.

use bytes::Bytes;
use socketio_parser::{EventData, Value};

use crate::{BroadcastOptions, Room, SocketDetails, SocketId};

/// Something to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// On a channel: who does not listen misses it.
    Published { channel: String, payload: Bytes },
    /// At the end of the log that the nodes share.
    Appended { kind: u8, data: Bytes },
}

impl Message {
    pub(crate) fn on(channel: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self::Published { channel: channel.into(), payload: payload.into() }
    }
}

/// A message of another node, or of an emitter.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Who it is of, where the format tells.
    pub(crate) sender: Option<Sender>,
    /// `None`: it does not concern this node's sockets, or nobody knows what it is.
    pub(crate) incoming: Option<Incoming>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The node's name.
    pub(crate) node: String,
    pub(crate) sign: Sign,
}

/// What a message says of the node that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It is new, and knows nobody.
    Hello,
    /// It is there, as every message says.
    Alive,
    /// It leaves.
    Farewell,
}

/// What another node asks or tells.
#[derive(Debug)]
pub(crate) enum Incoming {
    Broadcast {
        event: Event,
        options: BroadcastOptions,
    },
    /// A broadcast whose clients are asked for acknowledgements.
    Ask {
        event: Event,
        options: BroadcastOptions,
        /// In milliseconds.
        timeout: Option<u64>,
        from: Requester,
    },
    Change {
        change: Change,
        options: BroadcastOptions,
    },
    /// A change of one socket, which its node confirms.
    ChangeOne {
        change: Change,
        id: SocketId,
        from: Requester,
    },
    Ids {
        rooms: Vec<Room>,
        from: Requester,
    },
    Sockets {
        options: BroadcastOptions,
        from: Requester,
    },
    Rooms {
        from: Requester,
    },
    /// The rooms of one socket, asked of its node.
    RoomsOf {
        id: SocketId,
        from: Requester,
    },
    ServerEvent {
        event: Event,
        from: Option<Requester>,
    },
    Custom {
        data: Value,
        from: Requester,
    },
    Answer {
        /// Of the request.
        id: String,
        /// Who answers, where the format tells.
        node: Option<String>,
        answer: Answer,
    },
}

/// An event as it was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) args: Vec<Value>,
}

/// What is done to sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Join(Vec<Room>),
    Leave(Vec<Room>),
    Disconnect { close: bool },
}

/// Whom to answer, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requester {
    /// Of the request.
    pub(crate) id: String,
    /// Of the node, where the format tells.
    pub(crate) node: Option<String>,
    pub(crate) line: Line,
}

/// The lines of Node servers, which spell their requests differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// 2.x.
    Old,
    /// 4.x.
    New,
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Ids(Vec<SocketId>),
    Sockets(Vec<SocketDetails>),
    Rooms(Vec<Room>),
    /// Of a listener for server events, or to a request of the application.
    Value(Value),
    /// A node has asked so many clients.
    ClientCount(usize),
    /// A client has answered.
    Client(Value),
    /// What was asked for is done.
    Done,
}

/// A request to the other nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    Ask { event: &'a EventData, options: &'a BroadcastOptions, timeout: u64 },
    Ids { rooms: &'a [Room] },
    Sockets { options: &'a BroadcastOptions },
    Rooms,
    RoomsOf { id: &'a SocketId },
    ChangeOne { change: &'a Change, id: &'a SocketId },
    ServerEvent { event: &'a str, args: &'a [Value] },
    Custom { data: &'a Value },
}

/// How a request is put to the other nodes.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) messages: Vec<Message>,
    pub(crate) expected: Expected,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// All other nodes.
    All,
    /// The other nodes of the 4.x line.
    New,
    /// The one node that it concerns.
    One,
    /// Nobody.
    Nobody,
}

/// Bytes of a channel that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);
