//! The Engine.IO session under the Socket.IO client: it gives messages and keeps the rest (pings,
//! noops, closing, the transports) to itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::engine::{self, Eio, Packet};
use crate::http::Response;
use crate::polling::Polling;
use crate::stream::Connector;
use crate::websocket::{BINARY, CLOSE, Frame, MASK, PONG, TEXT, WebSocket, frame};

/// How a [`Client`](crate::Client) talks to the server. Complete: what clients of today do, except
/// for WebTransport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket from the start.
    WebSocket,
    /// Long polling.
    Polling,
    /// Long polling first, then WebSocket, as browsers do.
    Upgrade,
}

#[derive(Debug)]
pub(crate) struct Session {
    link: Link,
    eio: Eio,
    handshake: Value,
    /// Packets from before an upgrade.
    waiting: VecDeque<Packet>,
    ping_interval: Duration,
    pinged: Instant,
}

#[derive(Debug)]
enum Link {
    WebSocket(WebSocket),
    Polling(Polling),
}

impl Session {
    pub(crate) async fn open(
        server: &Connector,
        eio: Eio,
        query: &str,
        transport: Transport,
    ) -> Result<Result<Self, Response>, String> {
        let mut waiting = VecDeque::new();
        let (link, handshake) = if transport == Transport::WebSocket {
            match engine::open(server, eio, query).await? {
                Ok((websocket, handshake)) => (Link::WebSocket(websocket), handshake),
                Err(response) => return Ok(Err(response)),
            }
        } else {
            let mut polling = match Polling::try_open(server, eio, query).await? {
                Ok(polling) => polling,
                Err(response) => return Ok(Err(response)),
            };
            let handshake = polling.handshake().clone();
            if transport == Transport::Upgrade {
                let websocket = polling.switch().await?;
                waiting = polling.waiting;
                (Link::WebSocket(websocket), handshake)
            } else {
                (Link::Polling(polling), handshake)
            }
        };
        let interval = handshake["pingInterval"].as_u64().ok_or("no pingInterval")?;
        let ping_interval = Duration::from_millis(interval);
        let pinged = Instant::now();
        Ok(Ok(Self { link, eio, handshake, waiting, ping_interval, pinged }))
    }

    /// Sends packets. If the session has ended this does nothing; the next read will tell.
    pub(crate) async fn send(&mut self, packets: &[Packet]) -> Result<(), String> {
        match &mut self.link {
            Link::Polling(polling) => polling.submit(packets).await.map(drop),
            Link::WebSocket(websocket) => {
                let mut bytes = Vec::new();
                for packet in packets {
                    bytes.extend(match (packet, self.eio) {
                        (Packet::Text(text), _) => frame(true, TEXT, MASK, text.as_bytes()),
                        (Packet::Binary(content), Eio::V4) => frame(true, BINARY, MASK, content),
                        (Packet::Binary(content), Eio::V3) => {
                            frame(true, BINARY, MASK, &[&[4], &content[..]].concat())
                        }
                    });
                }
                websocket.write(&bytes).await
            }
        }
    }

    /// Waits for the next message; none is the end of the session. May be given up while it waits.
    pub(crate) async fn receive(&mut self) -> Result<Option<Packet>, String> {
        loop {
            // Engine.IO v3: Heartbeat; here the client pings
            if self.eio == Eio::V3 && self.pinged.elapsed() >= self.ping_interval {
                self.pinged = Instant::now();
                self.send(&["2".into()]).await?;
            }
            let Some(packet) = self.read().await? else { return Ok(None) };
            let Packet::Text(text) = packet else { return Ok(Some(packet)) };
            match (text.split_at(1), self.eio) {
                (("4", text), _) => return Ok(Some(text.into())),
                // Engine.IO v4: Heartbeat
                (("2", ""), Eio::V4) => self.send(&["3".into()]).await?,
                (("3", ""), Eio::V3) | (("6", ""), _) => {}
                (("1", ""), _) => return Ok(None),
                _ => return Err(format!("unexpected packet {text:?}")),
            }
        }
    }

    /// Tells the server that the session ends.
    pub(crate) async fn close(&mut self) -> Result<(), String> {
        match &mut self.link {
            Link::Polling(polling) => polling.submit(&["1".into()]).await.map(drop),
            Link::WebSocket(websocket) => websocket.write(&frame(true, CLOSE, MASK, b"")).await,
        }
    }

    pub(crate) fn handshake(&self) -> &Value {
        &self.handshake
    }

    /// The next packet of any type.
    async fn read(&mut self) -> Result<Option<Packet>, String> {
        if let Some(packet) = self.waiting.pop_front() {
            return Ok(Some(packet));
        }
        let websocket = match &mut self.link {
            Link::Polling(polling) => return Ok(polling.read().await?.ok()),
            Link::WebSocket(websocket) => websocket,
        };
        loop {
            return match websocket.read().await? {
                Frame::Text(text) => Packet::from_text(self.eio, &text).map(Some),
                Frame::Binary(content) if self.eio == Eio::V4 => Ok(Some(content.into())),
                Frame::Binary(content) => match &content[..] {
                    [4, content @ ..] => Ok(Some(Bytes::copy_from_slice(content).into())),
                    _ => Err(format!("not a binary packet: {content:02x?}")),
                },
                Frame::Ping(content) => {
                    websocket.write(&frame(true, PONG, MASK, &content)).await?;
                    continue;
                }
                Frame::Pong(_) => continue,
                Frame::Close(..) | Frame::Eof => Ok(None),
            };
        }
    }
}
