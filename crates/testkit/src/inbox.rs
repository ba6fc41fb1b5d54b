//! What the Socket.IO client has received and was not asked for yet, sorted by who may ask.

use std::collections::VecDeque;

use serde_json::Value;

use crate::event::{Args, Event};
use crate::protocol::{Packet, SocketIoDecoder, SocketIoKind, SocketIoPacket, Violation};

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    decoder: SocketIoDecoder,
    pub(crate) events: VecDeque<Event>,
    pub(crate) acks: Vec<(String, u64, Args)>,
    /// Namespaces joined (the content of CONNECT) or not (that of CONNECT_ERROR).
    pub(crate) joins: Vec<(String, Result<Value, Value>)>,
    pub(crate) disconnects: Vec<String>,
    pub(crate) closed: bool,
}

impl Inbox {
    /// Takes in a message of the session.
    pub(crate) fn accept(&mut self, message: Packet) -> Result<(), Violation> {
        let Some(packet) = self.decoder.add(message)? else { return Ok(()) };
        let SocketIoPacket { kind, namespace, id, content, attachments } = packet;
        match kind {
            SocketIoKind::Connect => self.joins.push((namespace, Ok(content))),
            SocketIoKind::ConnectError => self.joins.push((namespace, Err(content))),
            SocketIoKind::Disconnect => self.disconnects.push(namespace),
            SocketIoKind::Event => {
                let Args { values: mut args, .. } = content.into();
                let name = args.remove(0).as_str().unwrap_or_default().to_owned();
                self.events.push_back(Event { namespace, name, args, id, attachments });
            }
            SocketIoKind::Ack => {
                let Args { values, .. } = content.into();
                self.acks.push((namespace, id.unwrap_or_default(), Args { values, attachments }));
            }
        }
        Ok(())
    }
}
