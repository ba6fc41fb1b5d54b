//! What the Socket.IO client has received and was not asked for yet: reads packets, waits for their
//! attachments, and sorts them by who may ask.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::Value;

use crate::engine::Packet;
use crate::socketio::{Args, Event};

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// A packet whose attachments have not all arrived.
    partial: Option<(Parsed, Vec<Bytes>)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) acks: Vec<(String, u64, Args)>,
    /// Namespaces joined (the content of CONNECT) or not (that of CONNECT_ERROR).
    pub(crate) joins: Vec<(String, Result<Value, Value>)>,
    pub(crate) disconnects: Vec<String>,
    pub(crate) closed: bool,
}

impl Inbox {
    /// Takes in a message of the session.
    pub(crate) fn accept(&mut self, message: Packet) -> Result<(), String> {
        let (packet, attachments) = match (message, self.partial.take()) {
            (Packet::Text(text), None) => (Parsed::read(&text)?, Vec::new()),
            (Packet::Binary(content), Some((packet, mut attachments))) => {
                attachments.push(content);
                (packet, attachments)
            }
            (message, None) => return Err(format!("{message:?} belongs to no packet")),
            (message, Some(packet)) => {
                return Err(format!("{message:?} among the attachments of {packet:?}"));
            }
        };
        if attachments.len() < packet.attachments {
            self.partial = Some((packet, attachments));
            return Ok(());
        }
        self.file(packet, attachments)
    }

    fn file(&mut self, packet: Parsed, attachments: Vec<Bytes>) -> Result<(), String> {
        let wrong = format!("not a packet of a server: {packet:?}");
        let Parsed { kind, namespace, id, content, .. } = packet;
        match (kind, content, id) {
            (CONNECT, content, None) => self.joins.push((namespace, Ok(content))),
            (DISCONNECT, Value::Null, None) => self.disconnects.push(namespace),
            (CONNECT_ERROR, content, None) => self.joins.push((namespace, Err(content))),
            (EVENT, Value::Array(mut args), id) if args.first().is_some_and(Value::is_string) => {
                let name = args.remove(0).as_str().unwrap_or_default().to_owned();
                self.events.push_back(Event { namespace, name, args, id, attachments });
            }
            (ACK, Value::Array(values), Some(id)) => {
                self.acks.push((namespace, id, Args { values, attachments }));
            }
            _ => return Err(wrong),
        }
        Ok(())
    }
}

/// A packet without its attachments. A binary packet has the kind of the other form.
#[derive(Debug)]
struct Parsed {
    kind: u8,
    attachments: usize,
    namespace: String,
    id: Option<u64>,
    content: Value,
}

impl Parsed {
    /// Reads `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`.
    fn read(packet: &str) -> Result<Self, String> {
        Self::parse(packet).ok_or_else(|| format!("not a Socket.IO packet: {packet:?}"))
    }

    fn parse(packet: &str) -> Option<Self> {
        let mut kind = packet.get(..1)?.parse().ok()?;
        let mut rest = &packet[1..];
        let mut attachments = 0;
        if kind == EVENT + BINARY_OFFSET || kind == ACK + BINARY_OFFSET {
            kind -= BINARY_OFFSET;
            let (count, after) = rest.split_once('-')?;
            attachments = count.parse().ok()?;
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let (id, json) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        let content =
            if json.is_empty() { Value::Null } else { serde_json::from_str(json).ok()? };
        let namespace = namespace.to_owned();
        (kind <= CONNECT_ERROR).then_some(Self { kind, attachments, namespace, id, content })
    }
}

const CONNECT: u8 = 0;
const DISCONNECT: u8 = 1;
pub(crate) const EVENT: u8 = 2;
pub(crate) const ACK: u8 = 3;
const CONNECT_ERROR: u8 = 4;
/// A binary event is 5, a binary ack 6.
pub(crate) const BINARY_OFFSET: u8 = 3;
