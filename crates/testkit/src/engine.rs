//! The words of Engine.IO that polling and WebSocket share.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::http::{HttpConnection, Request, Response};
use crate::stream::Connector;
use crate::wait::within;
use crate::websocket::{Frame, WebSocket};

/// Opens an Engine.IO session that begins with WebSocket, and reads the open packet.
///
/// `query` is appended to the query of the request as it is. Gives the content of the packet. A
/// refusal is a panic; to look at one, use [`WebSocket::connect`] with [`Connector::target`].
#[track_caller]
pub fn open_websocket(
    server: &Connector,
    eio: Eio,
    query: &str,
) -> impl Future<Output = (WebSocket, Value)> {
    within("an Engine.IO session over WebSocket", async move {
        let opened = open(server, eio, query).await?;
        opened.map_err(|response| format!("the server refused: {response:?}"))
    })
}

pub(crate) async fn open(
    server: &Connector,
    eio: Eio,
    query: &str,
) -> Result<Result<(WebSocket, Value), Response>, String> {
    let request = server.dressed(Request::get(&server.target(eio, "websocket", query)));
    let mut websocket = match WebSocket::open(HttpConnection::open(server), request).await? {
        Ok(websocket) => websocket,
        Err(response) => return Ok(Err(response)),
    };
    match websocket.read().await? {
        Frame::Text(text) => Ok(Ok((websocket, handshake(&text)?))),
        other => Err(format!("expected the open packet, got {other:?}")),
    }
}

/// The content of an open packet.
pub(crate) fn handshake(packet: &str) -> Result<Value, String> {
    let json = packet.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok());
    json.ok_or_else(|| format!("not an open packet: {packet:?}"))
}

/// A version of Engine.IO. Complete: the two protocols in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eio {
    /// Protocol 3, with Socket.IO protocol 4: clients 1.x and 2.x.
    V3,
    /// Protocol 4, with Socket.IO protocol 5: clients 3.x and 4.x.
    V4,
}

impl Eio {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

/// An Engine.IO packet. Complete: a packet has one of two forms.
///
/// A text compares with `&str`, so `assert_eq!(polling.next().await, "40")` works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A packet as text, its type in front: `2probe`, `4hello`.
    Text(String),
    /// A binary message, without the type that some forms have.
    Binary(Bytes),
}

impl Packet {
    /// Reads a packet that came as text, where binary messages are in base64.
    pub(crate) fn from_text(eio: Eio, text: &str) -> Result<Self, String> {
        let base64 = match eio {
            Eio::V3 => text.strip_prefix("b4"),
            Eio::V4 => text.strip_prefix('b'),
        };
        match base64 {
            Some(base64) => match STANDARD.decode(base64) {
                Ok(content) => Ok(Self::Binary(content.into())),
                Err(error) => Err(format!("{text:?}: {error}")),
            },
            None if text.starts_with(|c| matches!(c, '0'..='6')) => Ok(Self::Text(text.to_owned())),
            None => Err(format!("not a packet: {text:?}")),
        }
    }

    /// The text form, where a binary message is in base64.
    pub(crate) fn to_text(&self, eio: Eio) -> String {
        match (self, eio) {
            (Self::Text(text), _) => text.clone(),
            (Self::Binary(content), Eio::V3) => format!("b4{}", STANDARD.encode(content)),
            (Self::Binary(content), Eio::V4) => format!("b{}", STANDARD.encode(content)),
        }
    }
}

impl From<&str> for Packet {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Packet {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Packet {
    fn from(content: Bytes) -> Self {
        Self::Binary(content)
    }
}

impl PartialEq<&str> for Packet {
    fn eq(&self, other: &&str) -> bool {
        matches!(self, Self::Text(text) if text == other)
    }
}
