//! Emissions whose JSON is there already, see [`JsonArray`].

use engineio::{HEADROOM, Outgoing};
use socketio_parser::{JsonArray, RawArgs, Value};

use super::broadcast::{BroadcastOperator, SocketOperator};
use crate::error::EmitError;
use crate::namespace::Namespace;
use crate::socket::{Socket, outgoing};

impl Socket {
    /// Sends an event whose name and arguments are JSON already. With an id the client is asked for an
    /// acknowledgement, which the server's [tap](crate::events::embed::Tap) is told of; ids are the caller's.
    ///
    /// # Errors
    /// Those of [`Socket::emit`].
    pub fn emit_json(&self, id: Option<u64>, event: &JsonArray<'_>) -> Result<(), EmitError> {
        self.compress(true).emit_json(id, event)
    }

    /// Answers the event with this number with values that are JSON already. Whether it was answered
    /// before is the caller's matter.
    ///
    /// # Errors
    /// [`EmitError`]: the socket is disconnected, or its queue full.
    pub fn ack_json(&self, id: u64, values: &JsonArray<'_>) -> Result<(), EmitError> {
        let namespace = self.namespace();
        match namespace.encoder().ack_json(HEADROOM, namespace.name(), id, values) {
            Some(packet) => self.push(outgoing(packet)),
            None => self.send_ack(id, &values.values()),
        }
    }

    /// Sends an ERROR packet, which clients 1.x and 2.x emit as `error`. Clients of later releases would
    /// take it for the end of the socket: they are sent nothing.
    ///
    /// # Errors
    /// [`EmitError`]: the socket is disconnected, or its queue full.
    // Node 2.0: refusal by event middleware
    pub fn emit_error(&self, data: &Value) -> Result<(), EmitError> {
        let namespace = self.namespace();
        let revision = self.client().revision();
        if revision != socketio_parser::Revision::V4 {
            return Ok(());
        }
        let encoder = namespace.encoder();
        let packet = encoder.error(HEADROOM, namespace.name(), revision, "", Some(data));
        self.push(outgoing(packet))
    }
}

impl SocketOperator {
    /// [`Socket::emit_json`] with modifiers.
    ///
    /// # Errors
    /// Those of [`Socket::emit`].
    pub fn emit_json(&self, id: Option<u64>, event: &JsonArray<'_>) -> Result<(), EmitError> {
        let namespace = self.socket().namespace();
        let is_plain = namespace.recovering().is_none() || id.is_some();
        match is_plain.then(|| encode(namespace, id, event)).flatten() {
            Some(packet) => self.send_packet(packet),
            None => {
                let (name, args) = read(event)?;
                match id {
                    None => self.emit(&name, args),
                    Some(_) => {
                        let packet = namespace.encode_event(id, &name, &args)?;
                        self.send_packet(packet.droppable(false))
                    }
                }
            }
        }
    }
}

impl BroadcastOperator {
    /// Sends an event whose name and arguments are JSON already. It is encoded once, and written once
    /// more if there are other nodes.
    ///
    /// With an id each receiver of this node is asked for an acknowledgement, which the server's
    /// [tap](crate::events::embed::Tap) is told of; other nodes do not get it.
    ///
    /// # Errors
    /// Those of [`BroadcastOperator::emit`].
    pub fn emit_json(&self, id: Option<u64>, event: &JsonArray<'_>) -> Result<(), EmitError> {
        let namespace = self.namespace();
        let has_others = namespace.cluster().is_some() && !self.options().local;
        let is_plain = namespace.recovering().is_none() && !has_others || id.is_some();
        match is_plain.then(|| encode(namespace, id, event)).flatten() {
            Some(packet) => self.send_packet(packet),
            None => {
                let (name, args) = read(event)?;
                match id {
                    None => return self.emit(&name, args),
                    Some(_) => {
                        let packet = namespace.encode_event(id, &name, &args)?;
                        self.send_packet(packet.droppable(false));
                    }
                }
            }
        }
        Ok(())
    }

    /// The sockets of this node that the next emission would reach.
    #[must_use]
    pub fn local_sockets(&self) -> Vec<Socket> {
        self.namespace().local_sockets(self.options())
    }
}

fn encode(namespace: &Namespace, id: Option<u64>, event: &JsonArray<'_>) -> Option<Outgoing> {
    let encoded = namespace.encoder().event_json(HEADROOM, namespace.name(), id, event)?;
    Some(outgoing(encoded).droppable(id.is_none()))
}

fn read<'a>(event: &'a JsonArray<'_>) -> Result<(String, RawArgs<'a>), EmitError> {
    event.read().ok_or_else(|| EmitError::Reserved(String::new()))
}
