//! What a format is: how messages of one namespace are written and read.

use std::fmt;

use socketio_parser::{DataForm, EventData};

use super::bus::Channel;
use super::log::Entry;
use super::message::{
    Answer, Change, Malformed, Message, Plan, Received, Request, Requester, Sign,
};
use crate::{BroadcastOptions, Room};

/// A format, for one namespace of a node. It does no I/O, and remembers nothing.
pub(crate) trait Codec: Send + Sync + fmt::Debug + 'static {
    /// In which form events are to be given.
    fn form(&self) -> DataForm;

    /// The node's name among the others. Ids of its requests begin with it.
    fn uid(&self) -> &str;

    /// What is to be listened to from the beginning.
    fn subscriptions(&self) -> Vec<Channel>;

    /// What is to be listened to while this room has members.
    fn room_subscription(&self, _room: &Room, _is_own: bool) -> Option<Channel> {
        None
    }

    /// The channel that all nodes listen to, once each.
    fn census(&self) -> &str;

    /// Beginning and end of the channels of which each node of the 4.x line has one, if not all
    /// nodes are of it.
    fn new_nodes(&self) -> Option<(&str, &str)> {
        None
    }

    /// What shows this node to the others, in the formats in which nodes know each other by that.
    fn sign(&self, _sign: Sign) -> Option<Message> {
        None
    }

    /// Reads what came on a channel.
    fn decode(
        &self,
        channel: &str,
        payload: &[u8],
        has_members: &dyn Fn(&str) -> bool,
    ) -> Result<Received, Malformed>;

    /// Reads an entry of a log, in the formats that have one. One of this node says nothing to it, unless
    /// it is read `with_own`.
    fn decode_entry(&self, _entry: &Entry, _with_own: bool) -> Result<Received, Malformed> {
        Ok(Received::default())
    }

    /// A broadcast.
    fn broadcast(&self, event: &EventData, options: &BroadcastOptions) -> Message;

    /// How a request is put; an error says which nodes do not know it. Without id no answer is
    /// wanted.
    fn plan(&self, id: Option<&str>, request: &Request<'_>) -> Result<Plan, &'static str>;

    /// A change of all sockets that are meant, for the nodes that know such messages.
    fn change(&self, change: &Change, options: &BroadcastOptions) -> Option<Message>;

    /// How nodes are told of changes of several sockets.
    fn changes(&self) -> Changes {
        Changes::AtOnce
    }

    /// An answer; `None` if it cannot be given without harm.
    fn answer(&self, to: &Requester, answer: Answer) -> Option<Message>;
}

/// How nodes are told of changes of several sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// By one message.
    AtOnce,
    /// By one message for each socket.
    OneByOne,
    /// Some nodes by one message, sockets of others by one each.
    Both,
}
