//! The client's side of RFC 6455: frames, right ones and wrong ones.
//!
//! What the server sends is checked: it must not mask, must use the shortest length and must send
//! UTF-8. Pings are not answered and closes not returned; a test does that where it wants to.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::{HttpConnection, Request, Response};
use crate::stream::{Connector, Wire};
use crate::wait::{silence, within};

/// A WebSocket, open from the start. Dropping it breaks the connection.
#[derive(Debug)]
pub struct WebSocket {
    wire: Wire,
    response: Response,
    /// Opcode and content of a message of which fragments have arrived.
    partial: Option<(u8, BytesMut)>,
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
        let bytes = frame(true, TEXT, MASK, text.as_bytes());
        within("the server to read", async move { self.write(&bytes).await })
    }

    /// Sends a binary message.
    #[track_caller]
    pub fn send_binary(&mut self, content: &[u8]) -> impl Future<Output = ()> {
        let bytes = frame(true, BINARY, MASK, content);
        within("the server to read", async move { self.write(&bytes).await })
    }

    /// Sends a close frame, without status if `code` is none.
    #[track_caller]
    pub fn send_close(&mut self, code: Option<u16>) -> impl Future<Output = ()> {
        let content = code.map(u16::to_be_bytes);
        let bytes = frame(true, CLOSE, MASK, content.as_ref().map_or(&[], |c| c));
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
        let request = request
            .default_header("Connection", "Upgrade")
            .default_header("Upgrade", "websocket")
            .default_header("Sec-WebSocket-Version", "13")
            .default_header("Sec-WebSocket-Key", KEY);
        let usual_key = request.headers.iter().any(|(_, value)| value == KEY);
        let response = connection.exchange(&request).await?;
        if response.status != 101 {
            return Ok(Err(response));
        }
        let is = |name, value| {
            response.header(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        if !is("upgrade", "websocket") || !is("connection", "upgrade") {
            return Err(format!("not the answer to a WebSocket handshake: {response:?}"));
        }
        if usual_key && response.header("sec-websocket-accept") != Some(ACCEPT) {
            return Err(format!("Sec-WebSocket-Accept should be {ACCEPT}: {response:?}"));
        }
        Ok(Ok(Self { wire: connection.into_wire(), response, partial: None }))
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.wire.write(bytes).await;
        Ok(())
    }

    pub(crate) async fn read(&mut self) -> Result<Frame, String> {
        loop {
            let Some(raw) = self.read_raw().await? else { return Ok(Frame::Eof) };
            if raw.rsv != 0 {
                return Err(format!("reserved bits without an extension: {raw:?}"));
            }
            if raw.opcode >= CLOSE {
                return control(raw);
            }
            let (opcode, mut content) = match (raw.opcode, self.partial.take()) {
                (CONTINUATION, Some(partial)) => partial,
                (TEXT | BINARY, None) => (raw.opcode, BytesMut::new()),
                _ => return Err(format!("a fragment out of order: {raw:?}")),
            };
            content.extend_from_slice(&raw.payload);
            if !raw.fin {
                self.partial = Some((opcode, content));
                continue;
            }
            return match opcode {
                TEXT => text(&content).map(Frame::Text),
                _ => Ok(Frame::Binary(content.freeze())),
            };
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

/// What comes out of a WebSocket. Complete: RFC 6455 has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// A close frame with its status, if it has one, and its reason.
    Close(Option<u16>, String),
    /// The end of the connection.
    Eof,
}

/// A frame as it was sent, fragment or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits; 4 is the first, which marks a compressed message.
    pub rsv: u8,
    /// The opcode: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u8,
    /// The content.
    pub payload: Bytes,
}

/// The bytes of a frame with the shortest form of the length.
///
/// ```text
/// fin rsv opcode | mask length | length, 0, 2 or 8 bytes | mask, 0 or 4 bytes | payload
///  1   3    4    |  1     7    |
/// ```
///
/// Other wrong frames are made by changing the first bytes of the result: `bytes[0] |= 0x40` sets
/// the first reserved bit.
pub fn frame(fin: bool, opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![if fin { 0x80 | opcode } else { opcode }];
    match payload.len() {
        size @ ..=125 => bytes.push(mask_bit | size as u8),
        size @ 126..=0xffff => {
            bytes.push(mask_bit | 126);
            bytes.extend((size as u16).to_be_bytes());
        }
        size => {
            bytes.push(mask_bit | 127);
            bytes.extend((size as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.into_iter().flatten());
    let mask = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Takes the first frame off the buffer, once it is complete.
fn take_frame(read: &mut BytesMut) -> Result<Option<RawFrame>, String> {
    let &[first, second, ..] = &read[..] else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err("the server masks its frames".to_owned());
    }
    let (header, size) = match (second, &read[2..]) {
        (126, &[a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
        (127, &[a, b, c, d, e, f, g, h, ..]) => {
            (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
        }
        (126 | 127, _) => return Ok(None),
        (size, _) => (2, usize::from(size)),
    };
    // RFC 6455 5.2: the minimal number of bytes
    if (header == 4 && size < 126) || (header == 10 && size <= 0xffff) {
        return Err(format!("a length of {size} in {} bytes", header - 2));
    }
    if read.len() - header < size {
        return Ok(None);
    }
    read.advance(header);
    Ok(Some(RawFrame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 7,
        opcode: first & 15,
        payload: read.split_to(size).freeze(),
    }))
}

fn control(raw: RawFrame) -> Result<Frame, String> {
    // RFC 6455 5.5
    if !raw.fin || raw.payload.len() > 125 {
        return Err(format!("a control frame in fragments, or too long: {raw:?}"));
    }
    match (raw.opcode, &raw.payload[..]) {
        (CLOSE, []) => Ok(Frame::Close(None, String::new())),
        (CLOSE, [a, b, reason @ ..]) => {
            Ok(Frame::Close(Some(u16::from_be_bytes([*a, *b])), text(reason)?))
        }
        (PING, _) => Ok(Frame::Ping(raw.payload)),
        (PONG, _) => Ok(Frame::Pong(raw.payload)),
        _ => Err(format!("no such control frame: {raw:?}")),
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("text is not UTF-8: {bytes:02x?}"))
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Any key will do; one that changes each byte shows a server that forgets to unmask.
pub(crate) const MASK: Option<[u8; 4]> = Some([0x11, 0x22, 0x33, 0x44]);

/// The key and its answer from the example in RFC 6455 1.3, so that no SHA-1 is needed.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
