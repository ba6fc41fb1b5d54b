//! The records that JavaScript reads, and their elements: numbers first. `lib/wire.js` of the package
//! reads them.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// What happened.
#[derive(Debug)]
pub(crate) enum Record<'a> {
    /// An event: the socket, the number of the acknowledgement or none, and the array.
    Event { socket: u32, ack: Option<u64>, array: Array<'a> },
    /// A socket is connected.
    Connected { socket: u32 },
    /// A socket is over: why, and the rooms that it was in.
    Disconnected { socket: u32, reason: &'a str, rooms: &'a [String] },
    /// The middleware of a namespace is to be run.
    Middleware { question: u32, socket: u32 },
    /// There is a socket: before all others about it.
    Socket {
        socket: u32,
        namespace: &'a str,
        id: &'a str,
        conn: &'a str,
        protocol: u8,
        recovered: bool,
    },
    /// The answer to a request that Node has read; the body is an attachment.
    Answer { request: u32, status: StatusCode, headers: &'a HeaderMap, body: Bytes },
    /// A client acknowledged an event.
    Acknowledged { socket: u32, id: u64, array: Array<'a> },
    /// What a client sent is no packet, or an ERROR packet.
    Error { socket: u32, message: &'a str },
    /// The server is closed.
    Closed,
    /// A socket that was not connected is gone.
    NotConnected { socket: u32 },
    /// A connection was opened, by a request that Node has read or none (0).
    ConnOpened { conn: &'a str, request: u32, protocol: u8, transport: &'a str },
    /// A connection has changed its transport.
    ConnUpgraded { conn: &'a str, transport: &'a str },
    /// A connection is over.
    ConnClosed { conn: &'a str, reason: &'a str },
    /// May this namespace be made? `auth` is JSON.
    Namespace { question: u32, name: &'a str, auth: &'a str },
    /// The answer to something that JavaScript asked: JSON, or an error.
    Reply { question: u32, result: Result<&'a str, &'a str> },
    /// A request for an upgrade was answered, with this status.
    Upgraded { request: u32, status: StatusCode },
    /// Bytes for the stream of a bridged connection; none: it is to be ended.
    Bridge { request: u32, bytes: Option<Bytes> },
    /// So many bytes of a bridged connection were taken.
    BridgeTaken { request: u32, count: usize },
    /// Another server of the cluster sent an event; with a question it wants to be answered.
    ServerEvent { namespace: &'a str, question: u32, array: Array<'a> },
}

/// The elements of an array as JSON, its name in front if it is an event's, and its attachments.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) elements: &'a str,
    pub(crate) attachments: &'a [Bytes],
}

impl Record<'_> {
    /// Writes the elements, and counts the bytes of the attachments.
    pub(crate) fn write(self, out: &mut String, attachments: &mut Vec<Bytes>, bytes: &mut usize) {
        match self {
            Self::Event { socket, ack, array } => {
                numbers(out, [0, socket.into()]);
                match ack {
                    Some(ack) => numbers_after(out, [ack]),
                    None => out.push_str(",-1"),
                }
                array.write(out, attachments, bytes);
            }
            Self::Connected { socket } => numbers(out, [1, socket.into()]),
            Self::Disconnected { socket, reason, rooms } => {
                numbers(out, [2, socket.into()]);
                texts(out, [reason]);
                out.push_str(",[");
                for (at, room) in rooms.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(out, room);
                }
                out.push(']');
            }
            Self::Middleware { question, socket } => {
                numbers(out, [3, question.into(), socket.into()])
            }
            Self::Socket { socket, namespace, id, conn, protocol, recovered } => {
                numbers(out, [4, socket.into()]);
                texts(out, [namespace, id, conn]);
                numbers_after(out, [protocol.into(), recovered.into()]);
            }
            Self::Answer { request, status, headers, body } => {
                numbers(out, [5, request.into(), status.as_u16().into()]);
                out.push_str(",[");
                for (at, (name, value)) in headers.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(out, name.as_str());
                    out.push(',');
                    quote(out, &String::from_utf8_lossy(value.as_bytes()));
                }
                out.push(']');
                *bytes += body.len();
                attachments.push(body);
            }
            Self::Acknowledged { socket, id, array } => {
                numbers(out, [6, socket.into(), id]);
                array.write(out, attachments, bytes);
            }
            Self::Error { socket, message } => {
                numbers(out, [7, socket.into()]);
                texts(out, [message]);
            }
            Self::Closed => out.push('8'),
            Self::NotConnected { socket } => numbers(out, [9, socket.into()]),
            Self::ConnOpened { conn, request, protocol, transport } => {
                out.push_str("10");
                texts(out, [conn]);
                numbers_after(out, [request.into(), protocol.into()]);
                texts(out, [transport]);
            }
            Self::ConnUpgraded { conn, transport } => {
                out.push_str("11");
                texts(out, [conn, transport]);
            }
            Self::ConnClosed { conn, reason } => {
                out.push_str("12");
                texts(out, [conn, reason]);
            }
            Self::Namespace { question, name, auth } => {
                numbers(out, [13, question.into()]);
                texts(out, [name]);
                out.push(',');
                out.push_str(auth);
            }
            Self::Reply { question, result } => {
                numbers(out, [14, question.into()]);
                match result {
                    Ok(json) => {
                        out.push_str(",0,");
                        out.push_str(json);
                    }
                    Err(message) => {
                        out.push_str(",1");
                        texts(out, [message]);
                    }
                }
            }
            Self::Upgraded { request, status } => {
                numbers(out, [15, request.into(), status.as_u16().into()]);
            }
            Self::Bridge { request, bytes: sent } => {
                numbers(out, [16, request.into(), sent.is_some().into()]);
                if let Some(sent) = sent {
                    *bytes += sent.len();
                    attachments.push(sent);
                }
            }
            Self::BridgeTaken { request, count } => {
                numbers(out, [18, request.into(), count as u64]);
            }
            Self::ServerEvent { namespace, question, array } => {
                out.push_str("17");
                texts(out, [namespace]);
                numbers_after(out, [question.into()]);
                array.write(out, attachments, bytes);
            }
        }
    }
}

impl Array<'_> {
    fn write(&self, out: &mut String, attachments: &mut Vec<Bytes>, bytes: &mut usize) {
        out.push_str(",[");
        if let Some(name) = self.name {
            quote(out, name);
            if !self.elements.is_empty() {
                out.push(',');
            }
        }
        out.push_str(self.elements);
        out.push(']');
        numbers_after(out, [self.attachments.len() as u64]);
        *bytes += self.attachments.iter().map(Bytes::len).sum::<usize>();
        attachments.extend_from_slice(self.attachments);
    }
}

fn numbers<const N: usize>(out: &mut String, numbers: [u64; N]) {
    for (at, number) in numbers.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        // a text takes all that is written to it
        let _ = write!(out, "{number}");
    }
}

fn numbers_after<const N: usize>(out: &mut String, all: [u64; N]) {
    out.push(',');
    numbers(out, all);
}

fn texts<const N: usize>(out: &mut String, texts: [&str; N]) {
    for text in texts {
        out.push(',');
        quote(out, text);
    }
}

/// Appends a text as JSON.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            byte => {
                // a text takes all that is written to it
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
