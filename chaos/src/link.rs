//! The client's side of an Engine.IO session: WebSocket, polling, and the change from one to the
//! other, in both protocols. Written apart from the server's codecs.
//!
//! Nothing panics and nothing is repeated: what goes wrong is the end of the session, with its
//! cause. Waiting for a packet may be given up at any point.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BytesMut};
use testkit::Eio;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::proxy::Way;

/// A packet: a text with its type in front, or a binary message without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

/// The cause of an end.
pub(crate) type Cause = String;

#[derive(Debug)]
pub(crate) struct Link {
    way: Arc<Way>,
    eio: Eio,
    base64: bool,
    transport: Transport,
    /// What came while something else was waited for.
    waiting: VecDeque<Packet>,
}

#[derive(Debug)]
enum Transport {
    WebSocket(WebSocket),
    Polling(Polling),
}

impl Link {
    /// Opens a session and gives the open packet.
    pub(crate) async fn open(
        way: &Arc<Way>,
        eio: Eio,
        polling: bool,
        base64: bool,
    ) -> Result<(Self, String), Cause> {
        let number = if eio == Eio::V3 { 3 } else { 4 };
        let b64 = if base64 { "&b64=1" } else { "" };
        let query = format!("EIO={number}&life={}{b64}", way.life);
        let way = Arc::clone(way);
        let (transport, first) = if polling {
            let target = format!("/socket.io/?{query}&transport=polling");
            let mut get = Http::new(way.connect());
            get.start(&format!("GET {target} HTTP/1.1\r\nHost: chaos\r\n\r\n"), b"");
            let mut packets = decode(eio, &get.response().await?)?;
            let first = packets.pop_front().ok_or("no open packet")?;
            let sid = match &first {
                Packet::Text(text) => sid(text)?,
                Packet::Binary(_) => return Err("no open packet".to_owned()),
            };
            let target = format!("{target}&sid={sid}");
            let post = Http::new(way.connect());
            let link = Self {
                way,
                eio,
                base64,
                transport: Transport::Polling(Polling { get, post, target, is_parked: false }),
                waiting: packets,
            };
            (link, first)
        } else {
            let target = format!("/socket.io/?{query}&transport=websocket");
            let mut websocket = WebSocket::open(way.connect(), &target, eio).await?;
            let first = websocket.next().await?;
            let transport = Transport::WebSocket(websocket);
            (Self { way, eio, base64, transport, waiting: VecDeque::new() }, first)
        };
        match first {
            Packet::Text(text) if text.starts_with('0') => Ok((transport, text)),
            other => Err(format!("no open packet: {other:?}")),
        }
    }

    /// The next packet.
    pub(crate) async fn next(&mut self) -> Result<Packet, Cause> {
        loop {
            if let Some(packet) = self.waiting.pop_front() {
                return Ok(packet);
            }
            match &mut self.transport {
                Transport::WebSocket(websocket) => return websocket.next().await,
                Transport::Polling(polling) => self.waiting = polling.poll(self.eio).await?,
            }
        }
    }

    /// Sends packets that belong together.
    pub(crate) async fn send(&mut self, packets: &[Packet]) -> Result<(), Cause> {
        let sending = async {
            match &mut self.transport {
                Transport::WebSocket(websocket) => websocket.send(packets, self.base64).await,
                Transport::Polling(polling) => {
                    let texts: Vec<String> =
                        packets.iter().map(|packet| to_text(self.eio, packet)).collect();
                    let body = match self.eio {
                        Eio::V3 => texts.iter().map(|t| format!("{}:{t}", t.len())).collect(),
                        Eio::V4 => texts.join("\u{1e}"),
                    };
                    polling.post(self.eio, &body, &mut self.waiting).await
                }
            }
        };
        timeout(self.way.patience, sending).await.unwrap_or_else(|_| Err("silence".to_owned()))
    }

    /// Changes from polling to WebSocket. A probe that breaks does no harm: polling goes on.
    pub(crate) async fn upgrade(&mut self) -> Result<(), Cause> {
        let Transport::Polling(polling) = &mut self.transport else { return Ok(()) };
        let target = polling.target.replace("transport=polling", "transport=websocket");
        let probing = async {
            let mut websocket = WebSocket::open(self.way.connect(), &target, self.eio).await?;
            websocket.send(&[Packet::Text("2probe".to_owned())], false).await?;
            match websocket.next().await? {
                Packet::Text(text) if text == "3probe" => Ok(websocket),
                other => Err(format!("no answer to the probe: {other:?}")),
            }
        };
        let Ok(Ok(mut websocket)) = timeout(self.way.patience, probing).await else {
            return Ok(());
        };
        // the poll that is under way is answered, if only with a noop
        if polling.is_parked {
            let parked = timeout(self.way.patience, polling.poll(self.eio)).await;
            self.waiting.extend(parked.unwrap_or_else(|_| Err("silence".to_owned()))?);
        }
        websocket.send(&[Packet::Text("5".to_owned())], false).await?;
        self.transport = Transport::WebSocket(websocket);
        Ok(())
    }
}

#[derive(Debug)]
struct WebSocket {
    stream: DuplexStream,
    read: BytesMut,
    eio: Eio,
}

impl WebSocket {
    async fn open(stream: DuplexStream, target: &str, eio: Eio) -> Result<Self, Cause> {
        let mut http = Http::new(stream);
        http.start(
            &format!(
                "GET {target} HTTP/1.1\r\nHost: chaos\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            b"",
        );
        let answer = http.response().await?;
        if answer.status != 101 {
            return Err(format!("refused {}", answer.status));
        }
        Ok(Self { stream: http.stream, read: http.read, eio })
    }

    async fn send(&mut self, packets: &[Packet], base64: bool) -> Result<(), Cause> {
        for packet in packets {
            let (opcode, content) = match (packet, self.eio) {
                (Packet::Text(text), _) => (1, text.clone().into_bytes()),
                (binary, Eio::V3) if base64 => (1, to_text(Eio::V3, binary).into_bytes()),
                (Packet::Binary(bytes), Eio::V3) => (2, [&[4], bytes.as_slice()].concat()),
                (Packet::Binary(bytes), Eio::V4) => (2, bytes.clone()),
            };
            let frame = testkit::frame(true, opcode, Some([0x37, 0xfa, 0x21, 0x3d]), &content);
            self.stream.write_all(&frame).await.map_err(|_| "closed")?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Packet, Cause> {
        loop {
            if let Some((opcode, content)) = take_frame(&mut self.read)? {
                match (opcode, self.eio) {
                    (1, _) => {
                        let text = String::from_utf8(content).map_err(|_| "bad not UTF-8")?;
                        return match from_text(self.eio, &text) {
                            Some(packet) => Ok(packet),
                            None => Err(format!("bad packet {text}")),
                        };
                    }
                    (2, Eio::V4) => return Ok(Packet::Binary(content)),
                    (2, Eio::V3) if content.first() == Some(&4) => {
                        return Ok(Packet::Binary(content[1..].to_vec()));
                    }
                    (8, _) => {
                        let echo = testkit::frame(true, 8, Some([0; 4]), &content);
                        let _ = self.stream.write_all(&echo).await;
                        return Err("closed".to_owned());
                    }
                    _ => return Err(format!("bad frame {opcode}")),
                }
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(1..) => {}
                _ => return Err("closed".to_owned()),
            }
        }
    }
}

/// Takes the first frame off the buffer: opcode and content. The server sends whole messages.
fn take_frame(read: &mut BytesMut) -> Result<Option<(u8, Vec<u8>)>, Cause> {
    let &[first, second, ..] = &read[..] else { return Ok(None) };
    if first & 0xf0 != 0x80 || second & 0x80 != 0 {
        return Err(format!("bad frame {first:02x} {second:02x}"));
    }
    let (header, size) = match (second, &read[2..]) {
        (126, &[a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
        (127, &[a, b, c, d, e, f, g, h, ..]) => {
            (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize)
        }
        (126 | 127, _) => return Ok(None),
        (size, _) => (2, usize::from(size)),
    };
    if size > MAX_MESSAGE {
        return Err(format!("bad frame of {size} bytes"));
    }
    if read.len() < header + size {
        return Ok(None);
    }
    read.advance(header);
    Ok(Some((first & 15, read.split_to(size).to_vec())))
}

#[derive(Debug)]
struct Polling {
    get: Http,
    post: Http,
    target: String,
    /// A poll is under way.
    is_parked: bool,
}

impl Polling {
    async fn poll(&mut self, eio: Eio) -> Result<VecDeque<Packet>, Cause> {
        if !self.is_parked {
            self.get.start(&format!("GET {} HTTP/1.1\r\nHost: chaos\r\n\r\n", self.target), b"");
            self.is_parked = true;
        }
        let response = self.get.response().await?;
        self.is_parked = false;
        decode(eio, &response)
    }

    /// Posts, and goes on polling meanwhile.
    async fn post(
        &mut self,
        eio: Eio,
        body: &str,
        waiting: &mut VecDeque<Packet>,
    ) -> Result<(), Cause> {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: chaos\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n",
            self.target,
            body.len()
        );
        self.post.start(&head, body.as_bytes());
        let response = loop {
            // both keep what has come when the other is first
            let polled = tokio::select! {
                biased;
                response = self.post.response() => break response?,
                response = self.get.response(), if self.is_parked => response?,
            };
            self.is_parked = false;
            waiting.extend(decode(eio, &polled)?);
        };
        match (response.status, response.body.as_slice()) {
            (200, b"ok") => Ok(()),
            (200, other) => Err(format!("bad answer {}", String::from_utf8_lossy(other))),
            (status, _) => Err(format!("closed {status}")),
        }
    }
}

#[derive(Debug)]
struct Http {
    stream: DuplexStream,
    write: BytesMut,
    read: BytesMut,
}

#[derive(Debug)]
struct Response {
    status: u16,
    is_binary: bool,
    body: Vec<u8>,
}

impl Http {
    fn new(stream: DuplexStream) -> Self {
        Self { stream, write: BytesMut::new(), read: BytesMut::new() }
    }

    /// A request, written while its answer is waited for.
    fn start(&mut self, head: &str, body: &[u8]) {
        self.write.extend_from_slice(head.as_bytes());
        self.write.extend_from_slice(body);
    }

    async fn response(&mut self) -> Result<Response, Cause> {
        loop {
            if let Some(response) = take_response(&mut self.read)? {
                return Ok(response);
            }
            let ended = if self.write.is_empty() {
                self.stream.read_buf(&mut self.read).await
            } else {
                let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
                // neither loses anything when the other comes first
                tokio::select! {
                    read = reading.read_buf(&mut self.read) => read,
                    written = writing.write_buf(&mut self.write) => written,
                }
            };
            if !matches!(ended, Ok(1..)) {
                return Err("closed".to_owned());
            }
        }
    }
}

fn take_response(read: &mut BytesMut) -> Result<Option<Response>, Cause> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status: u16 = status.ok_or_else(|| format!("bad response {head}"))?;
    let header = |name| {
        let mut lines = head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    let size = match header("content-length") {
        _ if status == 101 => 0,
        Some(size) => size.parse().map_err(|_| "bad content-length")?,
        None => return Err(format!("bad response without a length: {head}")),
    };
    if read.len() < end + 4 + size {
        return Ok(None);
    }
    let is_binary = header("content-type") == Some("application/octet-stream");
    read.advance(end + 4);
    Ok(Some(Response { status, is_binary, body: read.split_to(size).to_vec() }))
}

fn decode(eio: Eio, response: &Response) -> Result<VecDeque<Packet>, Cause> {
    if response.status != 200 {
        return Err(format!("closed {}", response.status));
    }
    let packets = match eio {
        _ if response.is_binary => decode_binary(&response.body),
        Eio::V3 => decode_lengths(&response.body),
        Eio::V4 => {
            let mut texts = response.body.split(|byte| *byte == 0x1e);
            texts.try_fold(VecDeque::new(), |mut packets, text| {
                packets.push_back(from_text(eio, std::str::from_utf8(text).ok()?)?);
                Some(packets)
            })
        }
    };
    packets.ok_or_else(|| format!("bad payload {}", String::from_utf8_lossy(&response.body)))
}

/// `6:4hello` and so on. All texts here are ASCII: the length in UTF-16 is that in bytes.
fn decode_lengths(mut body: &[u8]) -> Option<VecDeque<Packet>> {
    let mut packets = VecDeque::new();
    while !body.is_empty() {
        let colon = body.iter().position(|byte| *byte == b':')?;
        let size: usize = std::str::from_utf8(&body[..colon]).ok()?.parse().ok()?;
        let text = body.get(colon + 1..)?.get(..size)?;
        packets.push_back(from_text(Eio::V3, std::str::from_utf8(text).ok()?)?);
        body = &body[colon + 1 + size..];
    }
    Some(packets)
}

/// Text (0) or binary (1), the digits of the length, 255, the content.
fn decode_binary(mut body: &[u8]) -> Option<VecDeque<Packet>> {
    let mut packets = VecDeque::new();
    while !body.is_empty() {
        let end = body.iter().position(|byte| *byte == 255)?;
        let digits = body.get(1..end)?;
        let size = digits.iter().fold(0, |size, digit| size * 10 + usize::from(*digit));
        let content = body.get(end + 1..)?.get(..size)?;
        packets.push_back(match (body[0], content) {
            (0, text) => from_text(Eio::V3, std::str::from_utf8(text).ok()?)?,
            (1, [4, bytes @ ..]) => Packet::Binary(bytes.to_vec()),
            _ => return None,
        });
        body = &body[end + 1 + size..];
    }
    Some(packets)
}

fn base64_mark(eio: Eio) -> &'static str {
    if eio == Eio::V3 { "b4" } else { "b" }
}

fn from_text(eio: Eio, text: &str) -> Option<Packet> {
    match text.strip_prefix(base64_mark(eio)) {
        Some(base64) => STANDARD.decode(base64).ok().map(Packet::Binary),
        None if text.starts_with(|c| matches!(c, '0'..='6')) => Some(Packet::Text(text.to_owned())),
        None => None,
    }
}

fn to_text(eio: Eio, packet: &Packet) -> String {
    match packet {
        Packet::Text(text) => text.clone(),
        Packet::Binary(bytes) => format!("{}{}", base64_mark(eio), STANDARD.encode(bytes)),
    }
}

fn sid(open: &str) -> Result<String, Cause> {
    let json = open.strip_prefix('0').ok_or_else(|| format!("bad open packet {open}"))?;
    let value: serde_json::Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    Ok(value["sid"].as_str().unwrap_or_default().to_owned())
}

/// More than any message here has.
const MAX_MESSAGE: usize = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(eio: Eio, is_binary: bool, body: &[u8], expected: Option<&[Packet]>) {
        let response = Response { status: 200, is_binary, body: body.to_vec() };
        let found = decode(eio, &response).ok().map(Vec::from);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn payloads() {
        let text = || Packet::Text("40".to_owned());
        let binary = || Packet::Binary(vec![1, 2]);
        check(Eio::V4, false, b"40\x1ebAQI=", Some(&[text(), binary()]));
        check(Eio::V4, false, b"40\x1e", None);
        check(Eio::V3, false, b"2:406:b4AQI=", Some(&[text(), binary()]));
        check(Eio::V3, false, b"3:40", None);
        check(Eio::V3, true, b"\0\x02\xff40\x01\x03\xff\x04\x01\x02", Some(&[text(), binary()]));
        check(Eio::V3, true, b"\x01\x03\xff\x04\x01", None);
    }

    #[test]
    fn frames() {
        let mut read = BytesMut::from(&b"\x81\x02hi\x82\x01"[..]);
        assert_eq!(take_frame(&mut read), Ok(Some((1, b"hi".to_vec()))));
        assert_eq!(take_frame(&mut read), Ok(None));
        read.extend_from_slice(b"\x07");
        assert_eq!(take_frame(&mut read), Ok(Some((2, vec![7]))));
        assert!(take_frame(&mut BytesMut::from(&b"\x81\x82mask.."[..])).is_err());
        assert!(take_frame(&mut BytesMut::from(&b"\x01\x02hi"[..])).is_err());
    }
}
