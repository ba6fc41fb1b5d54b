//! Packets of Socket.IO, with the type of Engine.IO in front: `42["hello"]`.

use bytes::Bytes;
use serde_json::Value;

use super::{Packet, Violation};

/// What a Socket.IO packet is for. Complete: a binary event is an event, a binary ack an ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketIoKind {
    /// A namespace is joined.
    Connect,
    /// A namespace is left.
    Disconnect,
    /// An event.
    Event,
    /// An acknowledgement.
    Ack,
    /// A namespace cannot be joined.
    ConnectError,
}

/// A Socket.IO packet with its attachments.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketIoPacket {
    /// What it is for.
    pub kind: SocketIoKind,
    /// The namespace, with its query in a CONNECT of protocol 4.
    pub namespace: String,
    /// The id of an ack, or of the one that is asked for.
    pub id: Option<u64>,
    /// The JSON; null if there is none. An event has its name in front of its arguments. Attachment
    /// `n` stands there as `{"_placeholder":true,"num":n}`.
    pub content: Value,
    /// The attachments.
    pub attachments: Vec<Bytes>,
}

impl SocketIoPacket {
    /// A packet of the namespace `/`, without id and attachments.
    #[must_use]
    pub fn new(kind: SocketIoKind, content: Value) -> Self {
        let (namespace, attachments) = ("/".to_owned(), Vec::new());
        Self { kind, namespace, id: None, content, attachments }
    }

    /// The Engine.IO packets that carry it: one, and one for each attachment.
    #[must_use]
    pub fn encode(&self) -> Vec<Packet> {
        let kind = self.kind as u8;
        // Socket.IO v5: binary packets are those with the number of attachments before a "-"
        let kind = match self.attachments.len() {
            0 => kind.to_string(),
            count => format!("{}{count}-", kind + BINARY_OFFSET),
        };
        let namespace = match self.namespace.as_str() {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        };
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        let json = match &self.content {
            Value::Null => String::new(),
            content => content.to_string(),
        };
        let mut packets = vec![Packet::Text(format!("4{kind}{namespace}{id}{json}"))];
        packets.extend(self.attachments.iter().cloned().map(Packet::Binary));
        packets
    }
}

/// Puts packets of a server together with their attachments.
#[derive(Debug, Default)]
pub struct SocketIoDecoder {
    /// A packet of which attachments are missing, and how many it has.
    partial: Option<(SocketIoPacket, usize)>,
}

impl SocketIoDecoder {
    /// Takes in a message of the session; gives what is complete with it.
    ///
    /// # Errors
    ///
    /// If it is no packet of a server, or an attachment is missing or too much.
    pub fn add(&mut self, message: Packet) -> Result<Option<SocketIoPacket>, Violation> {
        let (packet, count) = match (message, self.partial.take()) {
            (Packet::Text(text), None) => parse(&text)
                .ok_or_else(|| Violation::new(format!("not a Socket.IO packet: {text:?}")))?,
            (Packet::Binary(content), Some((mut packet, count))) => {
                packet.attachments.push(content);
                (packet, count)
            }
            (message, None) => {
                return Err(Violation::new(format!("{message:?} belongs to no packet")));
            }
            (message, Some((packet, _))) => {
                let what = format!("{message:?} among the attachments of {packet:?}");
                return Err(Violation::new(what));
            }
        };
        if packet.attachments.len() < count {
            self.partial = Some((packet, count));
            return Ok(None);
        }
        if is_of_server(&packet) {
            return Ok(Some(packet));
        }
        Err(Violation::new(format!("not a packet of a server: {packet:?}")))
    }
}

fn is_of_server(SocketIoPacket { kind, id, content, .. }: &SocketIoPacket) -> bool {
    match (kind, content, id) {
        (SocketIoKind::Connect | SocketIoKind::ConnectError, _, None)
        | (SocketIoKind::Disconnect, Value::Null, None)
        | (SocketIoKind::Ack, Value::Array(_), Some(_)) => true,
        (SocketIoKind::Event, Value::Array(args), _) => args.first().is_some_and(Value::is_string),
        _ => false,
    }
}

/// Reads `4<type>[<attachments>-][<namespace>,][<id>][<JSON>]`; gives the number of attachments, too.
fn parse(packet: &str) -> Option<(SocketIoPacket, usize)> {
    let packet = packet.strip_prefix('4')?;
    let (kind, is_binary) = match packet.get(..1)? {
        "0" => (SocketIoKind::Connect, false),
        "1" => (SocketIoKind::Disconnect, false),
        "2" => (SocketIoKind::Event, false),
        "3" => (SocketIoKind::Ack, false),
        "4" => (SocketIoKind::ConnectError, false),
        "5" => (SocketIoKind::Event, true),
        "6" => (SocketIoKind::Ack, true),
        _ => return None,
    };
    let mut rest = &packet[1..];
    let mut count = 0;
    if is_binary {
        let (digits, after) = rest.split_once('-')?;
        count = digits.parse().ok()?;
        rest = after;
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
    }
    let (id, json) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
    let content = if json.is_empty() { Value::Null } else { serde_json::from_str(json).ok()? };
    let namespace = namespace.to_owned();
    Some((SocketIoPacket { kind, namespace, id, content, attachments: Vec::new() }, count))
}

/// A binary event is 5, a binary ack 6.
const BINARY_OFFSET: u8 = 3;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn decode(messages: &[Packet]) -> Result<Option<SocketIoPacket>, Violation> {
        let mut decoder = SocketIoDecoder::default();
        let (last, before) = messages.split_last().expect("a message");
        for message in before {
            assert_eq!(decoder.add(message.clone()), Ok(None));
        }
        decoder.add(last.clone())
    }

    /// The packet is read from these messages, and written as them.
    #[track_caller]
    fn check(messages: &[Packet], expected: &SocketIoPacket) {
        assert_eq!(decode(messages).as_ref(), Ok(&Some(expected.clone())));
        assert_eq!(expected.encode(), messages);
    }

    #[test]
    fn packets() {
        use SocketIoKind::{Ack, Connect, ConnectError, Disconnect, Event};
        let packet = SocketIoPacket::new;
        let of = |namespace: &str, id, packet| SocketIoPacket {
            namespace: namespace.to_owned(),
            id,
            ..packet
        };
        check(&["40".into()], &packet(Connect, Value::Null));
        check(&[r#"40{"sid":"x"}"#.into()], &packet(Connect, json!({"sid": "x"})));
        check(&["40/a,".into()], &of("/a", None, packet(Connect, Value::Null)));
        check(&["41/a,".into()], &of("/a", None, packet(Disconnect, Value::Null)));
        check(&[r#"44/a,"no""#.into()], &of("/a", None, packet(ConnectError, json!("no"))));
        check(&[r#"42["a",1]"#.into()], &packet(Event, json!(["a", 1])));
        check(&[r#"42/a,12["b"]"#.into()], &of("/a", Some(12), packet(Event, json!(["b"]))));
        check(&["430[]".into()], &of("/", Some(0), packet(Ack, json!([]))));
        let holes = json!([{"_placeholder": true, "num": 0}, {"_placeholder": true, "num": 1}]);
        let attachments = vec![Bytes::from_static(&[1]), Bytes::from_static(&[2])];
        let ack = of("/a", Some(7), packet(Ack, holes.clone()));
        check(
            &[
                format!("462-/a,7{holes}").into(),
                attachments[0].clone().into(),
                attachments[1].clone().into(),
            ],
            &SocketIoPacket { attachments, ..ack },
        );
        // without the comma, as servers of protocol 4 may
        let connect = decode(&["40/a".into()]).unwrap().unwrap();
        assert_eq!(connect.namespace, "/a");
    }

    #[track_caller]
    fn refused(messages: &[Packet], why: &str) {
        let refusal = decode(messages).expect_err("it is wrong").to_string();
        assert!(refusal.contains(why), "{refusal}");
    }

    #[test]
    fn wrong_packets() {
        for text in ["", "4", "47", "3probe", "42[", "45[\"a\"]", "45x-[\"a\"]"] {
            refused(&[text.into()], "not a Socket.IO packet");
        }
        refused(&["4299999999999999999999[\"a\"]".into()], "not a Socket.IO packet");
        for text in ["42", "42[]", "42[1]", "42{}", "43[]", "430", "410", "400", "440{}", "41[]"] {
            refused(&[text.into()], "not a packet of a server");
        }
        let bytes = || Bytes::from_static(&[1]).into();
        refused(&[bytes()], "belongs to no packet");
        refused(&["451-[\"a\"]".into(), "42[\"b\"]".into()], "among the attachments");
    }
}
