//! What happens to sockets, as records.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engineio::{CloseReason, TransportKind};
use socketio::events::DisconnectReason;
use socketio::events::embed::{RawArgs, Tap};
use socketio::{Client, Socket};
use socketio_parser::{Encoded, Parser};

use crate::inbound::Inbound;
use crate::records::{Array, Record};
use crate::requests::RequestNumber;
use crate::sockets::{Sockets, known};

/// Writes down what happens.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    pub(crate) inbound: Arc<Inbound>,
    pub(crate) sockets: Arc<Sockets>,
    /// Whether JavaScript wants to know of connections, and not of sockets alone.
    pub(crate) conns: Arc<AtomicBool>,
}

impl Records {
    /// The number of a socket, of which JavaScript is told if it does not know it yet.
    pub(crate) fn introduce(&self, socket: &Socket) -> u32 {
        let (number, is_new) = self.sockets.number_of(socket);
        if is_new {
            self.inbound.push(Record::Socket {
                socket: number,
                namespace: socket.namespace().name(),
                id: socket.id().as_str(),
                conn: socket.conn().id(),
                protocol: socket.conn().protocol().number(),
                recovered: socket.recovered(),
            });
        }
        number
    }

    fn wants_conns(&self) -> bool {
        self.conns.load(Ordering::Relaxed)
    }
}

impl Tap for Records {
    fn opened(&self, client: &Client) {
        if self.wants_conns() {
            let request = client.request().extensions().get::<RequestNumber>();
            self.inbound.push(Record::ConnOpened {
                conn: client.conn().id(),
                request: request.map_or(0, |number| number.0),
                protocol: client.conn().protocol().number(),
                transport: client.conn().transport().as_str(),
            });
        }
    }

    fn upgraded(&self, client: &Client, transport: TransportKind) {
        if self.wants_conns() {
            let (conn, transport) = (client.conn().id(), transport.as_str());
            self.inbound.push(Record::ConnUpgraded { conn, transport });
        }
    }

    fn closed(&self, client: &Client, reason: CloseReason) {
        self.inbound.forget(client.conn());
        if self.wants_conns() {
            let (conn, reason) = (client.conn().id(), reason.as_str());
            self.inbound.push(Record::ConnClosed { conn, reason });
        }
    }

    fn credit(&self, client: &Client) -> bool {
        self.inbound.has_room_for(client.conn())
    }

    fn connected(&self, socket: &Socket) {
        let socket = self.introduce(socket);
        self.inbound.push(Record::Connected { socket });
    }

    fn not_connected(&self, socket: &Socket) {
        if let Some(socket) = known(socket) {
            self.inbound.push(Record::NotConnected { socket });
        }
    }

    fn event(&self, socket: &Socket, name: &str, ack: Option<u64>, args: &RawArgs<'_>) {
        let Some(socket) = known(socket) else { return };
        with_array(Some(name), args, |array| {
            self.inbound.push(Record::Event { socket, ack, array });
        });
    }

    fn acknowledged(&self, socket: &Socket, id: u64, args: &RawArgs<'_>) {
        let Some(socket) = known(socket) else { return };
        with_array(None, args, |array| {
            self.inbound.push(Record::Acknowledged { socket, id, array });
        });
    }

    fn disconnecting(&self, socket: &Socket, reason: DisconnectReason) {
        let Some(number) = known(socket) else { return };
        let rooms: Vec<String> =
            socket.rooms().iter().map(|room| room.as_str().to_owned()).collect();
        let reason = reason.as_str();
        self.inbound.push(Record::Disconnected { socket: number, reason, rooms: &rooms });
    }

    fn error(&self, socket: &Socket, error: &(dyn Error + Send + Sync)) {
        if let Some(socket) = known(socket) {
            self.inbound.push(Record::Error { socket, message: &error.to_string() });
        }
    }
}

/// Gives the arguments as JSON: as they came, or, of other forms, written for it.
pub(crate) fn with_array(name: Option<&str>, args: &RawArgs<'_>, f: impl FnOnce(Array<'_>)) {
    if let Some((elements, attachments)) = args.as_json() {
        return f(Array { name, elements, attachments });
    }
    let encoded = Parser::json().encoder().ack(0, "/", 0, args);
    let Ok(Encoded::Text { buffer, start, attachments }) = encoded else { return };
    let text = std::str::from_utf8(&buffer[start..]).unwrap_or_default();
    let elements = text.split_once('[').and_then(|(_, text)| text.strip_suffix(']'));
    f(Array { name, elements: elements.unwrap_or_default(), attachments: &attachments });
}
