//! What to do with what the server sends.

use std::rc::Rc;
use std::time::Instant;

use socketio_testkit::Eio;
use socketio_testkit::protocol::{
    BINARY, BodyRule, CLOSE, HttpResponse, KEY, Packets, ParsedFrame, RawPacket, Session, Step,
    Violation, check_upgrade,
};

use crate::load::{Load, Stage, Waits};
use crate::options::Scenario;

impl Load {
    /// Handles what is whole; gives how many bytes that was.
    pub(crate) fn on_bytes(&mut self, at: usize, bytes: &[u8]) -> usize {
        let born = self.connections[at].born;
        let mut used = 0;
        let mut answered = 0;
        while used < bytes.len() && self.connections[at].born == born {
            let size = match self.connections[at].waits {
                Waits::Gone => break,
                Waits::UpgradeAnswer
                | Waits::HandshakeAnswer
                | Waits::PostAnswer
                | Waits::FirstPoll
                | Waits::Poll
                | Waits::PostIdle
                | Waits::Upgrading => self.on_http(at, &bytes[used..]),
                _ => self.on_frames(at, &bytes[used..], &mut answered),
            };
            match size {
                Ok(0) => break,
                Ok(size) => used += size,
                Err(violation) => self.fail(at, &violation.to_string()),
            }
        }
        if answered > 0 && self.stage != Stage::Stopping && self.connections[at].born == born {
            // Requests that fall due together leave in one write.
            self.send_requests(at, answered);
        }
        used
    }

    /// Handles the response that the bytes begin with; gives its size, or 0 if it is not whole.
    fn on_http(&mut self, at: usize, bytes: &[u8]) -> Result<usize, Violation> {
        let Some(response) = HttpResponse::parse(bytes, BodyRule::ByHeaders, false)? else {
            return Ok(0);
        };
        match (self.connections[at].waits, response.status) {
            (Waits::UpgradeAnswer, 101) => self.on_upgrade(at, &response)?,
            (Waits::UpgradeAnswer, _) => self.fail(at, &format!("{response:?}")),
            (_, 200) => self.on_body(at, &response)?,
            _ => self.fail(at, &String::from_utf8_lossy(&response.body)),
        }
        Ok(response.size)
    }

    /// As [`on_http`](Self::on_http), for a frame. Counts how many requests it answers.
    fn on_frames(
        &mut self,
        at: usize,
        bytes: &[u8],
        answered: &mut usize,
    ) -> Result<usize, Violation> {
        let Some(frame) = ParsedFrame::parse(bytes)? else { return Ok(0) };
        if !frame.fin {
            self.fail(at, "a fragment");
        } else if frame.rsv == 0 {
            *answered += self.on_frame(at, frame.opcode, frame.payload)?;
        } else {
            match self.inflate.message(frame.payload) {
                Some(plain) => *answered += self.on_frame(at, frame.opcode, &Rc::clone(&plain))?,
                None => self.fail(at, "no deflated message"),
            }
        }
        Ok(frame.size)
    }

    fn on_upgrade(&mut self, at: usize, response: &HttpResponse<'_>) -> Result<(), Violation> {
        check_upgrade(KEY, response.status, |name| response.header(name))?;
        if self.options.deflate {
            let extensions = response.header("sec-websocket-extensions").unwrap_or_default();
            if !extensions.contains("permessage-deflate")
                || !extensions.contains("server_no_context_takeover")
            {
                self.fail(at, "no permessage-deflate without context takeover");
                return Ok(());
            }
        }
        let connection = &mut self.connections[at];
        if let Some(session) = &mut connection.session {
            connection.waits = Waits::ProbeAnswer;
            let probe = session.start_probe();
            self.send_text(at, probe);
        } else if self.options.dialect.eio().is_some() {
            connection.waits = Waits::OpenPacket;
        } else {
            self.on_ready(at);
        }
        Ok(())
    }

    /// Gives how many requests it answers.
    fn on_frame(&mut self, at: usize, opcode: u8, content: &[u8]) -> Result<usize, Violation> {
        if opcode == CLOSE {
            self.on_end(at);
            return Ok(0);
        }
        if opcode > BINARY {
            return Ok(0);
        }
        match self.options.dialect.eio() {
            Some(eio) => self.on_packet(at, eio, RawPacket::from_message(eio, opcode, content)?),
            None => Ok(self.on_message(at, RawPacket::from_message(Eio::V4, opcode, content)?)),
        }
    }

    /// Gives how many requests it answers.
    fn on_packet(
        &mut self,
        at: usize,
        eio: Eio,
        packet: RawPacket<'_>,
    ) -> Result<usize, Violation> {
        let connection = &mut self.connections[at];
        let Some(session) = &mut connection.session else {
            let (session, open) = Session::open(eio, None, self.now, packet)?;
            connection.session = Some(session);
            self.on_open(at, &open.sid);
            return Ok(0);
        };
        if connection.waits == Waits::ProbeAnswer {
            session.on_probe_packet(packet)?;
            if let Some(upgrade) = session.upgrade() {
                connection.waits = Waits::UpgradedEcho;
                self.send_text(at, upgrade);
                self.send_text(at, UPGRADED);
            }
            return Ok(0);
        }
        match session.on_packet(self.now, packet)? {
            Step::Message => return Ok(self.on_message(at, packet)),
            Step::Send(answer) => self.send_packet(at, answer),
            Step::Nothing => {}
            Step::Closed => self.on_end(at),
        }
        Ok(0)
    }

    fn on_open(&mut self, at: usize, sid: &str) {
        let joins_by_itself = self.options.dialect.eio() == Some(Eio::V3);
        let connection = &mut self.connections[at];
        if connection.waits == Waits::OpenPacket {
            connection.waits = Waits::Namespace;
            if !joins_by_itself {
                self.send_text(at, "40");
            }
            return;
        }
        connection.target.push_str("&sid=");
        connection.target.push_str(sid);
        if !joins_by_itself {
            connection.waits = Waits::PostAnswer;
            self.post(at, at, b"40");
        }
    }

    /// Gives how many requests it answers.
    fn on_message(&mut self, at: usize, packet: RawPacket<'_>) -> usize {
        let (RawPacket::Text(message) | RawPacket::Binary(message)) = packet;
        match self.connections[at].waits {
            Waits::Namespace if message.starts_with(b"40") => self.on_connected(at),
            Waits::JoinAnswer if message.starts_with(b"430[") => self.on_joined(at),
            Waits::UpgradedEcho if message == UPGRADED.as_bytes() => self.on_ready(at),
            Waits::HandshakeAnswer | Waits::FirstPoll if message.starts_with(b"40") => {
                self.on_polling_ready(at);
            }
            Waits::Closing | Waits::Gone => {}
            Waits::Ready | Waits::Attachment => return self.on_event(at, packet, message),
            Waits::Poll => self.on_polled(at, message),
            _ => self.fail(at, &String::from_utf8_lossy(&message[..message.len().min(80)])),
        }
        0
    }

    fn on_connected(&mut self, at: usize) {
        let room = match self.options.scenario {
            Scenario::Churn => format!("room{}", at % CHURN_ROOMS),
            Scenario::Fanout => "all".to_owned(),
            _ => return self.on_ready(at),
        };
        self.connections[at].waits = Waits::JoinAnswer;
        self.send_text(at, &format!(r#"420["join","{room}"]"#));
    }

    fn on_joined(&mut self, at: usize) {
        if self.options.scenario == Scenario::Churn {
            self.measure(self.connections[at].born);
            self.counts.pending -= 1;
            self.counts.ready += 1;
            self.send_text(at, "41");
            self.close(at);
        } else {
            self.on_ready(at);
        }
    }

    fn on_ready(&mut self, at: usize) {
        self.connections[at].waits = Waits::Ready;
        self.counts.pending -= 1;
        self.counts.ready += 1;
        if self.options.scenario == Scenario::Connect {
            self.measure(self.connections[at].born);
            self.close(at);
        }
    }

    fn on_event(&mut self, at: usize, packet: RawPacket<'_>, message: &[u8]) -> usize {
        match self.options.scenario {
            Scenario::Echo | Scenario::Ack => {
                if let (Some(head), Waits::Ready) =
                    (self.request.answer_head, self.connections[at].waits)
                {
                    if matches!(packet, RawPacket::Text(_)) && message.starts_with(head) {
                        self.connections[at].waits = Waits::Attachment;
                    } else {
                        self.wrong(message);
                    }
                    return 0;
                }
                self.connections[at].waits = Waits::Ready;
                self.on_answer(at, self.request.is_answer(message), message);
                1
            }
            Scenario::Broadcast => {
                self.on_cast(at, message);
                0
            }
            Scenario::Fanout => {
                self.on_ordered(at, message);
                0
            }
            Scenario::Cluster => {
                self.on_numbered(at, message);
                0
            }
            Scenario::Probe => {
                self.on_probed(at, message);
                0
            }
            _ => {
                self.wrong(message);
                0
            }
        }
    }

    /// An answer to the oldest request.
    pub(crate) fn on_answer(&mut self, at: usize, is_right: bool, message: &[u8]) {
        let Some(sent) = self.connections[at].sent.pop_front() else {
            return self.wrong(message);
        };
        if is_right {
            self.counts.done += 1;
            self.measure(sent);
        } else {
            self.wrong(message);
        }
    }

    fn on_cast(&mut self, at: usize, message: &[u8]) {
        let place = self.connections[at].seen;
        self.connections[at].seen += 1;
        if place >= self.casts.len() || !self.request.is_answer(message) {
            return self.wrong(message);
        }
        self.counts.done += 1;
        self.measure(self.casts[place].sent);
        self.casts[place].missing -= 1;
        if self.casts[place].missing == 0 && self.stage != Stage::Stopping {
            self.cast();
        }
    }

    fn on_body(&mut self, at: usize, response: &HttpResponse<'_>) -> Result<(), Violation> {
        let waits = self.connections[at].waits;
        match waits {
            Waits::PostAnswer => {
                self.connections[at].waits = Waits::FirstPoll;
                self.get(at);
                return Ok(());
            }
            Waits::Poll => self.get(at),
            Waits::HandshakeAnswer | Waits::FirstPoll => {}
            _ => return Ok(()),
        }
        let Some(eio) = self.options.dialect.eio() else { return Ok(()) };
        let kind = response.header("content-type").unwrap_or_default();
        for packet in Packets::new(eio, kind, &response.body) {
            self.on_packet(at, eio, packet?)?;
        }
        // Engine.IO v3: the CONNECT may come with the open packet, or after it.
        if matches!(self.connections[at].waits, Waits::HandshakeAnswer | Waits::FirstPoll) {
            self.connections[at].waits = Waits::FirstPoll;
            self.get(at);
        }
        Ok(())
    }

    fn on_polling_ready(&mut self, at: usize) {
        if self.options.scenario == Scenario::Connect {
            let born = self.connections[at].born;
            self.connections[at].waits = Waits::Upgrading;
            match self.start_websocket(Some(at)) {
                Ok(websocket) => {
                    self.connections[websocket].peer = Some(at);
                    self.connections[websocket].born = born;
                }
                Err(problem) => self.fail(at, &problem),
            }
            return;
        }
        match self.open(Waits::PostIdle, "polling") {
            Ok(post) => self.connections[at].peer = Some(post),
            Err(problem) => return self.fail(at, &problem),
        }
        self.connections[at].waits = Waits::Poll;
        self.get(at);
        self.counts.pending -= 1;
        self.counts.ready += 1;
    }

    /// A message of a poll, which goes on already.
    fn on_polled(&mut self, at: usize, message: &[u8]) {
        if self.request.answer_head.is_some_and(|head| message.starts_with(head)) {
            return;
        }
        self.on_answer(at, self.request.is_answer(message), message);
        if self.stage != Stage::Stopping {
            self.poll_request(at);
        }
    }

    /// Sends the request of a polling session, over its other connection.
    pub(crate) fn poll_request(&mut self, at: usize) {
        let Some(post) = self.connections[at].peer else { return };
        self.connections[at].sent.push_back(Instant::now());
        let body = std::mem::take(&mut self.request.bytes);
        self.post(at, post, &body);
        self.request.bytes = body;
    }
}

/// Tells that the upgrade is done, since the server answers it over the new transport.
const UPGRADED: &str = r#"42["echo","up"]"#;

/// Rooms among which the clients of `churn` are spread.
const CHURN_ROOMS: usize = 50;
