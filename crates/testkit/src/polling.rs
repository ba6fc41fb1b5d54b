//! An Engine.IO session over long polling.
//!
//! Each request goes over a connection of its own. A poll that is given up while it waits (by a
//! silence that was expected) stays pending and is taken up again, as breaking it off would end
//! the session.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::http::{HttpConnection, Request, Response};
use crate::protocol::{Eio, Open, Packet, Session, decode_payload, encode_form, encode_payload};
use crate::stream::Connector;
use crate::wait::{now, settle, silence, within};
use crate::websocket::WebSocket;

/// An Engine.IO session over long polling. Dropping it stops polling; the server is not told.
#[derive(Debug)]
pub struct Polling {
    server: Connector,
    eio: Eio,
    query: String,
    open: Open,
    pub(crate) session: Session,
    /// Packets that came with others and were not asked for yet.
    pub(crate) waiting: VecDeque<Packet>,
    pending: Option<HttpConnection>,
}

impl Polling {
    /// Opens a session.
    ///
    /// `query` is appended to the query of every request as it is: `b64=1&token=x`. With `j=0` in
    /// it the session is by JSONP. A refusal is a panic; to look at one, use
    /// [`request`](crate::request) with [`Connector::target`].
    #[track_caller]
    pub fn open(server: &Connector, eio: Eio, query: &str) -> impl Future<Output = Self> {
        within("an Engine.IO session by polling", async move {
            let opened = Self::try_open(server, eio, query).await?;
            opened.map_err(|response| format!("the server refused: {response:?}"))
        })
    }

    /// Polls, and gives all packets of the answer.
    ///
    /// Packets that came with the open packet are left to [`next`](Self::next).
    #[track_caller]
    pub fn poll(&mut self) -> impl Future<Output = Vec<Packet>> {
        within("the answer to a poll", async move {
            let response = self.fetch().await?;
            packets(self.eio, &response)
        })
    }

    /// Polls, and gives the answer as it is.
    #[track_caller]
    pub fn poll_response(&mut self) -> impl Future<Output = Response> {
        within("the answer to a poll", self.fetch())
    }

    /// Sends a poll and lets the server take it in; the answer can be read from the connection.
    /// Dropping that is a poll which breaks.
    #[track_caller]
    pub fn poll_later(&mut self) -> impl Future<Output = HttpConnection> {
        within("the server to read", async move {
            let connection = self.send_poll().await;
            settle().await;
            Ok(connection)
        })
    }

    /// Waits for the next packet, polling where needed.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is the next in time; a future is no item"
    )]
    #[track_caller]
    pub fn next(&mut self) -> impl Future<Output = Packet> {
        within("a packet", async move {
            self.read().await?.map_err(|response| format!("the server refused: {response:?}"))
        })
    }

    /// Panics if a packet, or a refusal, comes within `duration`. A poll stays pending.
    #[track_caller]
    pub fn expect_silence(&mut self, duration: Duration) -> impl Future<Output = ()> {
        silence(duration, self.read())
    }

    /// Posts packets in text form, and panics unless the server says `ok`.
    #[track_caller]
    pub fn post<P: Into<Packet>>(
        &mut self,
        packets: impl IntoIterator<Item = P>,
    ) -> impl Future<Output = ()> {
        let packets: Vec<_> = packets.into_iter().map(Into::into).collect();
        within("the answer to a POST", async move {
            let response = self.submit(&packets).await?;
            match (response.status, &response.body[..]) {
                (200, b"ok") => Ok(()),
                _ => Err(format!("expected 200 and ok, got {response:?}")),
            }
        })
    }

    /// Posts a body as it is.
    #[track_caller]
    pub fn post_body(
        &mut self,
        body: impl Into<Bytes>,
        content_type: &str,
    ) -> impl Future<Output = Response> {
        let request = Request::post(&self.target(), body).dressed(&self.server);
        let request = request.header("Content-Type", content_type);
        crate::http::request(&self.server, request)
    }

    /// Goes over to WebSocket: `2probe`, `3probe`, `5`.
    ///
    /// A poll that is pending meanwhile is not read; a test that cares has it from
    /// [`poll_later`](Self::poll_later). The session stays usable, to try what must be refused.
    #[track_caller]
    pub fn upgrade(&mut self) -> impl Future<Output = WebSocket> {
        within("an upgrade to WebSocket", self.switch())
    }

    /// The id of the session.
    pub fn sid(&self) -> &str {
        &self.open.sid
    }

    /// The content of the open packet.
    pub fn handshake(&self) -> &Value {
        &self.open.content
    }

    /// Path and query of the session's requests.
    pub fn target(&self) -> String {
        self.target_by("polling")
    }

    /// The packets in the answer to a poll.
    ///
    /// # Panics
    ///
    /// If the answer is not 200, or its body not a payload.
    #[track_caller]
    pub fn packets(&self, response: &Response) -> Vec<Packet> {
        match packets(self.eio, response) {
            Ok(packets) => packets,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn try_open(
        server: &Connector,
        eio: Eio,
        query: &str,
    ) -> Result<Result<Self, Response>, String> {
        let request = Request::get(&server.target(eio, "polling", query)).dressed(server);
        let response = HttpConnection::open(server).exchange(&request).await?;
        if response.status != 200 {
            return Ok(Err(response));
        }
        let mut waiting = VecDeque::from(packets(eio, &response)?);
        let first = waiting.pop_front().ok_or("a payload without a packet")?;
        let (session, open) = Session::open(eio, None, now(), first.as_raw())?;
        let (server, query) = (server.clone(), query.to_owned());
        Ok(Ok(Self { server, eio, query, open, session, waiting, pending: None }))
    }

    /// The next packet, or the answer of a server that knows the session no more.
    pub(crate) async fn read(&mut self) -> Result<Result<Packet, Response>, String> {
        loop {
            if let Some(packet) = self.waiting.pop_front() {
                return Ok(Ok(packet));
            }
            let response = self.fetch().await?;
            if response.status != 200 {
                return Ok(Err(response));
            }
            self.waiting.extend(packets(self.eio, &response)?);
        }
    }

    pub(crate) async fn submit(&mut self, packets: &[Packet]) -> Result<Response, String> {
        let body = encode_payload(self.eio, packets);
        let jsonp = self.query.split('&').any(|parameter| parameter.starts_with("j="));
        let (body, kind) = if jsonp {
            (encode_form(&body), "application/x-www-form-urlencoded")
        } else {
            (body, "text/plain;charset=UTF-8")
        };
        let request = Request::post(&self.target(), body).dressed(&self.server);
        let request = request.header("Content-Type", kind);
        HttpConnection::open(&self.server).exchange(&request).await
    }

    pub(crate) async fn switch(&mut self) -> Result<WebSocket, String> {
        let request = Request::get(&self.target_by("websocket")).dressed(&self.server);
        let connection = HttpConnection::open(&self.server);
        let mut websocket = WebSocket::open(connection, request)
            .await?
            .map_err(|response| format!("the server refused: {response:?}"))?;
        let probe = self.session.start_probe();
        websocket.send(self.eio, &[probe.into()]).await?;
        let answer = Packet::from_frame(self.eio, &websocket.read().await?)?;
        self.session.on_probe_packet(answer.as_raw())?;
        let upgrade = self.session.upgrade().ok_or("the probe was not answered")?;
        websocket.send(self.eio, &[upgrade.into()]).await?;
        Ok(websocket)
    }

    async fn fetch(&mut self) -> Result<Response, String> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => self.send_poll().await,
        };
        // It stays in its place while we wait, so that it outlives this future.
        let response = self.pending.insert(pending).receive_response().await;
        self.pending = None;
        response
    }

    async fn send_poll(&mut self) -> HttpConnection {
        let mut connection = HttpConnection::open(&self.server);
        connection.write(&Request::get(&self.target()).dressed(&self.server)).await;
        connection
    }

    fn target_by(&self, transport: &str) -> String {
        format!("{}&sid={}", self.server.target(self.eio, transport, &self.query), self.open.sid)
    }
}

/// The packets in the answer to a poll.
fn packets(eio: Eio, response: &Response) -> Result<Vec<Packet>, String> {
    if response.status != 200 {
        return Err(format!("the server refused: {response:?}"));
    }
    let kind = response.header("content-type").unwrap_or_default();
    Ok(decode_payload(eio, kind, &response.body)?)
}
