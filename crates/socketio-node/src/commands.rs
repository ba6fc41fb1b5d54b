//! The commands of JavaScript: lines of fields, which `lib/wire.js` of the package writes.
//!
//! A field ends with U+0001 and a line with a newline, of which neither can occur in JSON. What a line
//! names and is not there any more is passed over: JavaScript may be a moment behind.

use std::str::Split;

use bytes::Bytes;
use engineio_proto::log;
use serde_json::Value as Json;
use socketio::ConnectError;
use socketio::adapter::Room;
use socketio::emit::{BroadcastOperator, EmitError};
use socketio::events::embed::JsonArray;

use crate::instance::Instance;
use crate::json;
use crate::runner::Commands;

/// The modifiers of an emission.
const VOLATILE: u32 = 1;
const UNCOMPRESSED: u32 = 2;
const LOCAL: u32 = 4;
const ANSWER: u32 = 8;

/// Carries out all lines, in their order.
pub(crate) fn carry_out(instance: &Instance, commands: Commands) {
    let mut buffers = commands.buffers.into_iter();
    for line in commands.text.split('\n').filter(|line| !line.is_empty()) {
        let mut fields = Fields(line.split('\u{1}'));
        if command(instance, &mut fields, &mut buffers).is_none() {
            log!(warn: "a command of JavaScript cannot be read: {:.80}", line);
        }
    }
}

/// One line; `None`: it cannot be read.
fn command(
    instance: &Instance,
    fields: &mut Fields<'_>,
    buffers: &mut impl Iterator<Item = Bytes>,
) -> Option<()> {
    match fields.next()? {
        "E" => {
            let (socket, flags, id) = (fields.number()?, fields.number()?, fields.id()?);
            let attachments = fields.attachments(buffers)?;
            let array = JsonArray::new(fields.next()?, attachments);
            let Some(socket) = instance.sockets().get(socket) else { return Some(()) };
            let sent = if flags & ANSWER != 0 {
                socket.ack_json(id?, &array)
            } else {
                let mut operator = socket.compress(flags & UNCOMPRESSED == 0);
                if flags & VOLATILE != 0 {
                    operator = operator.volatile();
                }
                operator.emit_json(id, &array)
            };
            not_sent(sent);
        }
        "B" => {
            let operator = fields.operator(instance)?;
            let id = fields.id()?;
            let attachments = fields.attachments(buffers)?;
            let array = JsonArray::new(fields.next()?, attachments);
            not_sent(operator?.emit_json(id, &array));
        }
        "J" => {
            let (socket, rooms) = (fields.number()?, fields.rooms()?);
            if let Some(socket) = instance.sockets().get(socket) {
                instance.runtime().spawn(socket.join(rooms));
            }
        }
        "L" => {
            let (socket, rooms) = (fields.number()?, fields.rooms()?);
            if let Some(socket) = instance.sockets().get(socket) {
                instance.runtime().spawn(socket.leave(rooms));
            }
        }
        "D" => {
            let (socket, close) = (fields.number()?, fields.number()? != 0);
            if let Some(socket) = instance.sockets().get(socket) {
                socket.disconnect(close);
            }
        }
        "C" => {
            if let Some(conn) = instance.io().engine().session(fields.next()?) {
                conn.close();
            }
        }
        "W" => {
            let (conn, is_binary) = (fields.next()?, fields.number()? != 0);
            let bytes = buffers.next()?;
            if let Some(conn) = instance.io().engine().session(conn) {
                let message = match is_binary {
                    true => engineio::Message::Binary(bytes.clone()),
                    false => engineio::Message::Text(std::str::from_utf8(&bytes).ok()?),
                };
                // the connection is over: JavaScript learns of that by its record
                let _ = conn.send(message);
            }
        }
        "F" => instance.sockets().free(fields.number()?),
        "M" => {
            let question = fields.number()?;
            let answer = match fields.next()? {
                "" => Ok(()),
                refusal => Err(refusal_of(refusal)?),
            };
            instance.middleware().answer(question, answer);
        }
        "R" => {
            let question = fields.number()?;
            instance.rules().answer(question, fields.number()? != 0);
        }
        "X" => {
            let socket = fields.number()?;
            let data = json::value_of(fields.next()?)?;
            if let Some(socket) = instance.sockets().get(socket) {
                not_sent(socket.emit_error(&data));
            }
        }
        "K" => {
            let operator = fields.operator(instance)?;
            let (what, rooms) = (fields.next()?, fields.rooms()?);
            let operator = operator?;
            instance.runtime().spawn(match what {
                "join" => operator.sockets_join(rooms),
                "leave" => operator.sockets_leave(rooms),
                "disconnect" => operator.disconnect_sockets(false),
                "close" => operator.disconnect_sockets(true),
                _ => return None,
            });
        }
        "S" => {
            let namespace = instance.namespace(fields.number()?);
            let array = JsonArray::new(fields.next()?, Vec::new());
            let (Some(namespace), Some((name, args))) = (namespace, array.read()) else {
                return Some(());
            };
            instance.runtime().spawn(namespace.server_side_emit(&name, args));
        }
        "V" => {
            let (request, count) = (fields.number()?, fields.number()?);
            instance.answering().bridge_written(request, count);
        }
        "A" => {
            let question = fields.number()?;
            instance.server_events().answer(question, fields.next()?.to_owned());
        }
        _ => return None,
    }
    Some(())
}

/// Why something was not sent is known to JavaScript by records, or does not concern it.
fn not_sent(sent: Result<(), EmitError>) {
    if let Err(error) = sent {
        log!(debug: %error, "an emission of JavaScript went nowhere");
    }
}

/// What a client is told: `[message, data]`.
fn refusal_of(json: &str) -> Option<ConnectError> {
    let (message, data): (String, Option<Json>) = serde_json::from_str(json).ok()?;
    let error = ConnectError::new(message);
    Some(match data {
        Some(data) => error.data(&data),
        None => error,
    })
}

/// The fields of a line.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) Split<'a, char>);

impl<'a> Fields<'a> {
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        self.next()?.parse().ok()
    }

    /// The number of an acknowledgement, or none.
    #[expect(clippy::option_option, reason = "a field that cannot be read, and one that is empty")]
    fn id(&mut self) -> Option<Option<u64>> {
        match self.next()? {
            "" => Some(None),
            id => Some(Some(id.parse().ok()?)),
        }
    }

    fn attachments(&mut self, buffers: &mut impl Iterator<Item = Bytes>) -> Option<Vec<Bytes>> {
        let count = self.number()? as usize;
        let attachments: Vec<Bytes> = buffers.take(count).collect();
        (attachments.len() == count).then_some(attachments)
    }

    /// An array of names as JSON, or nothing for none.
    pub(crate) fn rooms(&mut self) -> Option<Vec<Room>> {
        match self.next()? {
            "" => Some(Vec::new()),
            json => {
                let names: Vec<String> = serde_json::from_str(json).ok()?;
                Some(names.into_iter().map(Room::from).collect())
            }
        }
    }

    /// A namespace, flags, rooms and exceptions. Inside: the namespace is gone.
    #[expect(
        clippy::option_option,
        reason = "fields that cannot be read, and a namespace that is gone"
    )]
    pub(crate) fn operator(&mut self, instance: &Instance) -> Option<Option<BroadcastOperator>> {
        let (namespace, flags) = (self.number()?, self.number()?);
        let (rooms, except) = (self.rooms()?, self.rooms()?);
        let Some(namespace) = instance.namespace(namespace) else { return Some(None) };
        let mut operator = namespace.except(except);
        if !rooms.is_empty() {
            operator = operator.to(rooms);
        }
        if flags & UNCOMPRESSED != 0 {
            operator = operator.compress(false);
        }
        if flags & VOLATILE != 0 {
            operator = operator.volatile();
        }
        if flags & LOCAL != 0 {
            operator = operator.local();
        }
        Some(Some(operator))
    }
}
