//! How a client's session travels: WebSocket, polling, and the change from one to the other, in both
//! protocols. What the bytes mean is `socketio_testkit::protocol`; here is what waits for them.
//!
//! Nothing panics and nothing is repeated: what goes wrong is the end of the session, with its
//! cause. Waiting for a packet may be given up at any point.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use socketio_testkit::protocol::{
    BodyRule, Due, Fragments, HttpResponse, KEY, Session, Step, UPGRADE_HEADERS, Violation,
    check_upgrade, decode_payload, encode_payload, take_frame, target, write_frame, write_request,
};
use socketio_testkit::{Eio, Frame, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::proxy::Way;
use crate::server::SLACK;

/// The cause of an end.
pub(crate) type Cause = String;

/// The server has done what it must not do.
pub(crate) fn bad(violation: Violation) -> Cause {
    format!("bad {}", String::from(violation))
}

#[derive(Debug)]
pub(crate) struct Link {
    way: Arc<Way>,
    eio: Eio,
    base64: bool,
    session: Session,
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
    /// Opens a session.
    pub(crate) async fn open(
        way: &Arc<Way>,
        eio: Eio,
        polling: bool,
        base64: bool,
    ) -> Result<Self, Cause> {
        let b64 = if base64 { "&b64=1" } else { "" };
        let query = format!("life={}{b64}", way.life);
        let way = Arc::clone(way);
        if !polling {
            let target = target("/socket.io/", eio, "websocket", &query);
            let mut websocket = WebSocket::open(way.connect(), &target, eio).await?;
            let (session, _) = opened(eio, &websocket.next().await?)?;
            let (transport, waiting) = (Transport::WebSocket(websocket), VecDeque::new());
            return Ok(Self { way, eio, base64, session, transport, waiting });
        }
        let mut target = target("/socket.io/", eio, "polling", &query);
        let mut get = Http::new(way.connect());
        get.start("GET", &target, &[], b"");
        let mut waiting = get.response(|response| decode(eio, response)).await?;
        let first = waiting.pop_front().ok_or("bad: no open packet")?;
        let (session, sid) = opened(eio, &first)?;
        target += &format!("&sid={sid}");
        let post = Http::new(way.connect());
        let transport = Transport::Polling(Polling { get, post, target, is_parked: false });
        Ok(Self { way, eio, base64, session, transport, waiting })
    }

    /// The next packet, which goes to [`on_packet`](Self::on_packet).
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

    /// Does what a packet calls for; gives it if it is a message.
    pub(crate) async fn on_packet(&mut self, packet: Packet) -> Result<Option<Packet>, Cause> {
        match self.session.on_packet(now(), packet.as_raw()).map_err(bad)? {
            Step::Message => return Ok(Some(packet)),
            Step::Send(answer) => self.send(&[answer.into()]).await?,
            Step::Closed => return Err("closed".to_owned()),
            Step::Nothing => {}
        }
        Ok(None)
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    /// Does what is due.
    pub(crate) async fn on_deadline(&mut self) -> Result<(), Cause> {
        match self.session.on_deadline(now()) {
            Due::Nothing => Ok(()),
            Due::Send(packet) => self.send(&[packet.into()]).await,
            Due::Silence => Err("silence".to_owned()),
        }
    }

    /// Sends packets that belong together.
    pub(crate) async fn send(&mut self, packets: &[Packet]) -> Result<(), Cause> {
        let sending = async {
            match &mut self.transport {
                Transport::WebSocket(websocket) => websocket.send(packets, self.base64).await,
                Transport::Polling(polling) => {
                    let body = encode_payload(self.eio, packets);
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
            websocket.send(&[self.session.start_probe().into()], false).await?;
            let answer = websocket.next().await?;
            self.session.on_probe_packet(answer.as_raw()).map_err(bad)?;
            Ok::<_, Cause>(websocket)
        };
        let Ok(Ok(mut websocket)) = timeout(self.way.patience, probing).await else {
            self.session.abandon_probe();
            return Ok(());
        };
        // the poll that is under way is answered, if only with a noop
        if polling.is_parked {
            let parked = timeout(self.way.patience, polling.poll(self.eio)).await;
            self.waiting.extend(parked.unwrap_or_else(|_| Err("silence".to_owned()))?);
        }
        let upgrade = self.session.upgrade().ok_or("the probe was not answered")?;
        websocket.send(&[upgrade.into()], false).await?;
        self.transport = Transport::WebSocket(websocket);
        Ok(())
    }
}

/// The session that this packet opens, and its id.
fn opened(eio: Eio, packet: &Packet) -> Result<(Session, String), Cause> {
    let opened = Session::open(eio, Some(SLACK), now(), packet.as_raw());
    opened.map(|(session, open)| (session, open.sid)).map_err(bad)
}

fn now() -> Instant {
    Instant::now()
}

#[derive(Debug)]
struct WebSocket {
    stream: DuplexStream,
    read: BytesMut,
    fragments: Fragments,
    eio: Eio,
}

impl WebSocket {
    async fn open(stream: DuplexStream, target: &str, eio: Eio) -> Result<Self, Cause> {
        let mut http = Http::new(stream);
        http.start("GET", target, &UPGRADE_HEADERS, b"");
        http.response(|response| match response.status {
            101 => check_upgrade(KEY, 101, |name| response.header(name)).map_err(bad),
            status => Err(format!("refused {status}")),
        })
        .await?;
        let Http { stream, read, .. } = http;
        Ok(Self { stream, read, fragments: Fragments::default(), eio })
    }

    async fn send(&mut self, packets: &[Packet], base64: bool) -> Result<(), Cause> {
        for packet in packets {
            let mut frame = Vec::new();
            if base64 {
                Packet::Text(packet.to_text(self.eio)).write_frame(&mut frame, self.eio, MASK);
            } else {
                packet.write_frame(&mut frame, self.eio, MASK);
            }
            self.stream.write_all(&frame).await.map_err(|_| "closed")?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Packet, Cause> {
        loop {
            while let Some(raw) = take_frame(&mut self.read).map_err(bad)? {
                if !raw.fin {
                    return Err(format!("bad: the server sends whole messages, not {raw:?}"));
                }
                match self.fragments.add(raw).map_err(bad)? {
                    Some(Frame::Close(code, reason)) => {
                        let code = code.map(u16::to_be_bytes);
                        let code = code.as_ref().map_or(&[][..], |code| code);
                        let mut echo = Vec::new();
                        write_frame(&mut echo, 0x88, Some(MASK), &[code, reason.as_bytes()]);
                        let _ = self.stream.write_all(&echo).await;
                        return Err("closed".to_owned());
                    }
                    Some(message) => return Packet::from_frame(self.eio, &message).map_err(bad),
                    None => {}
                }
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(1..) => {}
                _ => return Err("closed".to_owned()),
            }
        }
    }
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
            self.get.start("GET", &self.target, &[], b"");
            self.is_parked = true;
        }
        let packets = self.get.response(|response| Ok(decode(eio, response))).await?;
        self.is_parked = false;
        packets
    }

    /// Posts, and goes on polling meanwhile.
    async fn post(
        &mut self,
        eio: Eio,
        body: &str,
        waiting: &mut VecDeque<Packet>,
    ) -> Result<(), Cause> {
        let length = body.len().to_string();
        let headers =
            [("Content-Type", "text/plain;charset=UTF-8"), ("Content-Length", length.as_str())];
        self.post.start("POST", &self.target, &headers, body.as_bytes());
        loop {
            // both keep what has come when the other is first
            let polled = tokio::select! {
                biased;
                taken = self.post.response(is_taken) => return taken,
                packets = self.get.response(|response| decode(eio, response)), if self.is_parked => {
                    packets?
                }
            };
            self.is_parked = false;
            waiting.extend(polled);
        }
    }
}

fn is_taken(response: &HttpResponse<'_>) -> Result<(), Cause> {
    match (response.status, &response.body[..]) {
        (200, b"ok") => Ok(()),
        (200, other) => Err(format!("bad answer {}", String::from_utf8_lossy(other))),
        (status, _) => Err(format!("closed {status}")),
    }
}

fn decode(eio: Eio, response: &HttpResponse<'_>) -> Result<VecDeque<Packet>, Cause> {
    if response.status != 200 {
        return Err(format!("closed {}", response.status));
    }
    let kind = response.header("content-type").unwrap_or_default();
    decode_payload(eio, kind, &response.body).map(VecDeque::from).map_err(bad)
}

#[derive(Debug)]
struct Http {
    stream: DuplexStream,
    write: BytesMut,
    read: BytesMut,
}

impl Http {
    fn new(stream: DuplexStream) -> Self {
        Self { stream, write: BytesMut::new(), read: BytesMut::new() }
    }

    /// A request, written while its answer is waited for.
    fn start(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut request = Vec::new();
        let headers = headers.iter().copied().chain([("Host", "chaos")]);
        write_request(&mut request, method, target, headers, body);
        self.write.extend_from_slice(&request);
    }

    /// Waits for a response, and gives what is `read` in it.
    async fn response<T>(
        &mut self,
        read: impl FnOnce(&HttpResponse<'_>) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        loop {
            let response = HttpResponse::parse(&self.read, BodyRule::ByHeaders, false);
            if let Some(response) = response.map_err(bad)? {
                let (outcome, size) = (read(&response), response.size);
                self.read.advance(size);
                return outcome;
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

/// Any will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
