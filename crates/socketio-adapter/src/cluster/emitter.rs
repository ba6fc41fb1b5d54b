//! Publishing to a cluster without being one of its servers.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use socketio_parser::{EncodeError, EventData, RawArgs, is_reserved_event};

use super::bus::QueueFull;
use super::carrier::Carrier;
use super::codec::Codec;
use super::message::{Change, Message, Request};
use crate::{BroadcastOptions, IntoRooms};

/// Sends events to the clients of a cluster's servers, and tells the servers what to do with them,
/// from a program that is none of them. Modifiers give another emitter and leave this one as it is.
///
/// Node servers of the 2.x line know ids of sockets in [`except`](Self::except) only.
///
/// Nothing waits: what is sent is in the back end's queue when a method returns.
// Node: socket.io-emitter 3.x, @socket.io/redis-emitter 5.x
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Emitter {
    codec: Arc<dyn Codec>,
    carrier: Carrier,
    options: BroadcastOptions,
}

impl Emitter {
    pub(crate) fn new(codec: Arc<dyn Codec>, carrier: Carrier) -> Self {
        Self { codec, carrier, options: BroadcastOptions::default() }
    }

    crate::modifiers!((&self) => self.clone());

    /// Sends an event. Arguments as for `Namespace::emit`.
    ///
    /// # Errors
    /// [`EmitterError`]: the name is reserved, the arguments cannot be encoded, or the queue is
    /// full.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitterError> {
        if event == "error" || is_reserved_event(event) {
            return Err(EmitterError::Reserved(event.to_owned()));
        }
        let data = EventData::new(self.codec.form(), event, &args)?;
        self.publish(self.codec.broadcast(&data, &self.options))
    }

    /// Joins the sockets that are meant to rooms.
    ///
    /// # Errors
    /// [`EmitterError::Unsupported`] where the servers do not know such a message, and
    /// [`EmitterError::Full`].
    pub fn sockets_join(&self, rooms: impl IntoRooms) -> Result<(), EmitterError> {
        self.change(&Change::Join(rooms.into_rooms()))
    }

    /// Takes the sockets that are meant out of rooms.
    ///
    /// # Errors
    /// As [`Emitter::sockets_join`].
    pub fn sockets_leave(&self, rooms: impl IntoRooms) -> Result<(), EmitterError> {
        self.change(&Change::Leave(rooms.into_rooms()))
    }

    /// Disconnects the sockets that are meant; with `close` also their connections.
    ///
    /// # Errors
    /// As [`Emitter::sockets_join`].
    pub fn disconnect_sockets(&self, close: bool) -> Result<(), EmitterError> {
        self.change(&Change::Disconnect { close })
    }

    /// Sends an event to the listeners of the servers.
    ///
    /// # Errors
    /// As [`Emitter::sockets_join`], and [`EmitterError::Encode`].
    pub fn server_side_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitterError> {
        let args = RawArgs::from_serialize(&args)?.into_values();
        let plan = self.codec.plan(None, &Request::ServerEvent { event, args: &args });
        let plan = plan.map_err(EmitterError::Unsupported)?;
        plan.messages.into_iter().try_for_each(|message| self.publish(message))
    }

    fn change(&self, change: &Change) -> Result<(), EmitterError> {
        let message = self.codec.change(change, &self.options);
        self.publish(message.ok_or(EmitterError::Unsupported("Node servers of the 2.x line"))?)
    }

    fn publish(&self, message: Message) -> Result<(), EmitterError> {
        self.carrier.send(message).map_err(|QueueFull| EmitterError::Full)
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Why an [`Emitter`] did not send something.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitterError {
    /// The event name is reserved for the library.
    Reserved(String),
    /// The arguments cannot be encoded.
    Encode(EncodeError),
    /// The servers do not know such a message. Says which they are.
    Unsupported(&'static str),
    /// The back end's queue is full.
    Full,
}

impl fmt::Display for EmitterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(name) => write!(f, "\"{name}\" is a reserved event name"),
            Self::Encode(error) => write!(f, "the arguments cannot be encoded: {error}"),
            Self::Unsupported(who) => write!(f, "{who} do not know this message"),
            Self::Full => QueueFull.fmt(f),
        }
    }
}

impl std::error::Error for EmitterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for EmitterError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
