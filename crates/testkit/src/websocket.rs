//! WebSockets, frame by frame. What the server sends is checked.
//!
//! Pings are not answered and closes not returned; a test does that where it wants to.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::{HttpConnection, Request, Response, find};
use crate::protocol::{
    BINARY, CLOSE, Eio, Fragments, Frame, Packet, RawFrame, TEXT, UPGRADE_HEADERS, check_upgrade,
    frame, take_frame,
};
use crate::stream::{Connector, Wire};
use crate::wait::{silence, within};

/// A WebSocket, open from the start. Dropping it breaks the connection.
#[derive(Debug)]
pub struct WebSocket {
    wire: Wire,
    response: Response,
    fragments: Fragments,
}

impl WebSocket {
    /// Opens a WebSocket, or gives the response of a server that refused.
    ///
    /// `headers` take the place of the usual ones of the same name. For a handshake that lacks one,
    /// write it out over an [`HttpConnection`].
    #[track_caller]
    pub fn connect(
        server: &Connector,
        target: &str,
        headers: &[(&str, &str)],
    ) -> impl Future<Output = Result<Self, Response>> {
        Self::over(server.connect(), target, headers)
    }

    /// As [`connect`](Self::connect), over a stream whose other end the server has.
    #[track_caller]
    pub fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        target: &str,
        headers: &[(&str, &str)],
    ) -> impl Future<Output = Result<Self, Response>> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        within("the answer to a WebSocket handshake", async move {
            Self::open(HttpConnection::over(stream), request).await
        })
    }

    /// Sends a text message.
    #[track_caller]
    pub fn send_text(&mut self, text: &str) -> impl Future<Output = ()> {
        let bytes = frame(true, TEXT, Some(MASK), text.as_bytes());
        within("the server to read", async move { self.write(&bytes).await })
    }

    /// Sends a binary message.
    #[track_caller]
    pub fn send_binary(&mut self, content: &[u8]) -> impl Future<Output = ()> {
        let bytes = frame(true, BINARY, Some(MASK), content);
        within("the server to read", async move { self.write(&bytes).await })
    }

    /// Sends a close frame, without status if `code` is none.
    #[track_caller]
    pub fn send_close(&mut self, code: Option<u16>) -> impl Future<Output = ()> {
        let content = code.map(u16::to_be_bytes);
        let bytes = frame(true, CLOSE, Some(MASK), content.as_ref().map_or(&[], |c| c));
        within("the server to read", async move { self.write(&bytes).await })
    }

    /// Sends bytes as they are, such as those of [`frame`], whole or in part. A server that has
    /// closed the connection makes no failure here; the next read shows it.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) -> impl Future<Output = ()> {
        within("the server to read", self.write(bytes))
    }

    /// Waits for the next message, put together from its fragments, or control frame.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is the next in time; a future is no item"
    )]
    #[track_caller]
    pub fn next(&mut self) -> impl Future<Output = Frame> {
        within("a WebSocket frame", self.read())
    }

    /// Waits for the next frame as it is; none is the end of the connection.
    ///
    /// This is the way to read compressed messages.
    #[track_caller]
    pub fn next_raw(&mut self) -> impl Future<Output = Option<RawFrame>> {
        within("a WebSocket frame", self.read_raw())
    }

    /// Panics unless the next frame is a text message of this content.
    #[track_caller]
    pub fn expect_text(&mut self, text: &str) -> impl Future<Output = ()> {
        within("a text message", async move {
            match self.read().await? {
                Frame::Text(found) if found == text => Ok(()),
                other => Err(format!("expected {text:?}, got {other:?}")),
            }
        })
    }

    /// Panics unless the next frame is a binary message of this content.
    #[track_caller]
    pub fn expect_binary(&mut self, content: &[u8]) -> impl Future<Output = ()> {
        within("a binary message", async move {
            match self.read().await? {
                Frame::Binary(found) if found == content => Ok(()),
                other => Err(format!("expected {content:02x?}, got {other:?}")),
            }
        })
    }

    /// Panics unless the next frame is a close frame; gives its status.
    #[track_caller]
    pub fn expect_close(&mut self) -> impl Future<Output = Option<u16>> {
        within("a close frame", async move {
            match self.read().await? {
                Frame::Close(code, _) => Ok(code),
                other => Err(format!("got {other:?}")),
            }
        })
    }

    /// Panics unless the server ends the connection next.
    #[track_caller]
    pub fn expect_eof(&mut self) -> impl Future<Output = ()> {
        within("the end of the connection", async move {
            match self.read().await? {
                Frame::Eof => Ok(()),
                other => Err(format!("got {other:?}")),
            }
        })
    }

    /// Panics if a frame, or the end, comes within `duration`.
    #[track_caller]
    pub fn expect_silence(&mut self, duration: Duration) -> impl Future<Output = ()> {
        silence(duration, self.read())
    }

    /// The response to the handshake.
    pub fn response(&self) -> &Response {
        &self.response
    }

    /// Opens a WebSocket by `request`, to which the usual headers are added.
    pub(crate) async fn open(
        mut connection: HttpConnection,
        request: Request,
    ) -> Result<Result<Self, Response>, String> {
        let request = UPGRADE_HEADERS
            .iter()
            .fold(request, |request, (name, value)| request.default_header(name, value));
        let response = connection.exchange(&request).await?;
        if response.status != 101 {
            return Ok(Err(response));
        }
        let key = find(&request.headers, "sec-websocket-key").next().unwrap_or_default();
        check_upgrade(key, response.status, |name| response.header(name))
            .map_err(|violation| format!("{violation}: {response:?}"))?;
        Ok(Ok(Self { wire: connection.into_wire(), response, fragments: Fragments::default() }))
    }

    /// Sends packets of Engine.IO in one write.
    pub(crate) async fn send(&mut self, eio: Eio, packets: &[Packet]) -> Result<(), String> {
        let mut bytes = Vec::new();
        for packet in packets {
            packet.write_frame(&mut bytes, eio, MASK);
        }
        self.write(&bytes).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.wire.write(bytes).await;
        Ok(())
    }

    pub(crate) async fn read(&mut self) -> Result<Frame, String> {
        loop {
            let Some(raw) = self.read_raw().await? else { return Ok(Frame::Eof) };
            if let Some(frame) = self.fragments.add(raw)? {
                return Ok(frame);
            }
        }
    }

    async fn read_raw(&mut self) -> Result<Option<RawFrame>, String> {
        loop {
            if let Some(frame) = take_frame(&mut self.wire.read)? {
                return Ok(Some(frame));
            }
            if !self.wire.fill().await {
                let rest = &self.wire.read;
                return if rest.is_empty() { Ok(None) } else { Err(format!("cut off: {rest:?}")) };
            }
        }
    }
}

/// Any key will do; one that changes each byte shows a server that forgets to unmask.
pub(crate) const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
