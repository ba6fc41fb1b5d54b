//! The Engine.IO session under the Socket.IO client: it gives messages and keeps the rest (pings,
//! noops, closing, the transports) to itself.

use std::collections::VecDeque;

use serde_json::Value;
use tokio::time::timeout_at;

use crate::engine;
use crate::http::Response;
use crate::polling::Polling;
use crate::protocol::{self, CLOSE, Due, Eio, Frame, PONG, Packet, Step, frame};
use crate::stream::Connector;
use crate::wait::now;
use crate::websocket::{MASK, WebSocket};

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
    state: protocol::Session,
    /// Packets from before an upgrade.
    waiting: VecDeque<Packet>,
}

#[derive(Debug)]
enum Link {
    WebSocket(WebSocket),
    Polling(Box<Polling>),
}

impl Session {
    pub(crate) async fn open(
        server: &Connector,
        eio: Eio,
        query: &str,
        transport: Transport,
    ) -> Result<Result<Self, Response>, String> {
        let waiting = VecDeque::new();
        if transport == Transport::WebSocket {
            let (websocket, packet) = match engine::open(server, eio, query).await? {
                Ok(opened) => opened,
                Err(response) => return Ok(Err(response)),
            };
            // How long the server may be silent, the test says.
            let (state, open) = protocol::Session::open(eio, None, now(), packet.as_raw())?;
            let (link, handshake) = (Link::WebSocket(websocket), open.content);
            return Ok(Ok(Self { link, eio, handshake, state, waiting }));
        }
        let mut polling = match Polling::try_open(server, eio, query).await? {
            Ok(polling) => polling,
            Err(response) => return Ok(Err(response)),
        };
        let handshake = polling.handshake().clone();
        if transport == Transport::Polling {
            let state = polling.session.clone();
            return Ok(Ok(Self {
                link: Link::Polling(Box::new(polling)),
                eio,
                handshake,
                state,
                waiting,
            }));
        }
        let link = Link::WebSocket(polling.switch().await?);
        let Polling { session: state, waiting, .. } = polling;
        Ok(Ok(Self { link, eio, handshake, state, waiting }))
    }

    /// Sends packets. If the session has ended this does nothing; the next read will tell.
    pub(crate) async fn send(&mut self, packets: &[Packet]) -> Result<(), String> {
        match &mut self.link {
            Link::Polling(polling) => polling.submit(packets).await.map(drop),
            Link::WebSocket(websocket) => websocket.send(self.eio, packets).await,
        }
    }

    /// Waits for the next message; none is the end of the session. May be given up while it waits.
    pub(crate) async fn receive(&mut self) -> Result<Option<Packet>, String> {
        loop {
            if let Due::Send(packet) = self.state.on_deadline(now()) {
                self.send(&[packet.into()]).await?;
            }
            let read = match self.state.deadline() {
                None => self.read().await?,
                Some(deadline) => match timeout_at(deadline.into(), self.read()).await {
                    Ok(read) => read?,
                    Err(_) => continue,
                },
            };
            let Some(packet) = read else { return Ok(None) };
            match self.state.on_packet(now(), packet.as_raw())? {
                Step::Message => return Ok(Some(packet)),
                Step::Send(answer) => self.send(&[answer.into()]).await?,
                Step::Closed => return Ok(None),
                Step::Nothing => {}
            }
        }
    }

    /// Tells the server that the session ends.
    pub(crate) async fn close(&mut self) -> Result<(), String> {
        match &mut self.link {
            Link::Polling(polling) => polling.submit(&["1".into()]).await.map(drop),
            Link::WebSocket(websocket) => {
                websocket.write(&frame(true, CLOSE, Some(MASK), b"")).await
            }
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
            match websocket.read().await? {
                Frame::Ping(content) => {
                    websocket.write(&frame(true, PONG, Some(MASK), &content)).await?;
                }
                Frame::Pong(_) => {}
                Frame::Close(..) | Frame::Eof => return Ok(None),
                message => return Ok(Some(Packet::from_frame(self.eio, &message)?)),
            }
        }
    }
}
