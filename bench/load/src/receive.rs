//! What to do with what the server sends.

use std::rc::Rc;
use std::time::Instant;

use memchr::memmem::find;

use crate::http::answer;
use crate::load::{Load, Stage, Waits};
use crate::options::{Dialect, Scenario};
use crate::websocket::{CLOSE, TEXT, parse};

impl Load {
    /// Handles what is whole; gives how many bytes that was.
    pub(crate) fn on_bytes(&mut self, at: usize, bytes: &[u8]) -> usize {
        let born = self.connections[at].born;
        let mut used = 0;
        let mut answered = 0;
        while used < bytes.len() && self.connections[at].born == born {
            let rest = &bytes[used..];
            match self.connections[at].waits {
                Waits::Gone => break,
                Waits::UpgradeAnswer => {
                    let Some(end) = find(rest, b"\r\n\r\n") else { break };
                    self.on_upgrade(at, &rest[..end]);
                    used += end + 4;
                }
                Waits::HandshakeAnswer
                | Waits::PostAnswer
                | Waits::FirstPoll
                | Waits::Poll
                | Waits::PostIdle => {
                    let Some(answer) = answer(rest) else { break };
                    used += answer.length;
                    if answer.is_ok {
                        self.on_body(at, &answer.body);
                    } else {
                        self.fail(at, &String::from_utf8_lossy(&answer.body));
                    }
                }
                _ => {
                    let Some(frame) = parse(rest) else { break };
                    used += frame.end;
                    let payload = &rest[frame.start..frame.end];
                    if !frame.whole {
                        self.fail(at, "a fragment");
                    } else if frame.compressed {
                        match self.inflate.message(payload) {
                            Some(plain) => {
                                answered += self.on_message(at, frame.opcode, &Rc::clone(&plain));
                            }
                            None => self.fail(at, "no deflated message"),
                        }
                    } else {
                        answered += self.on_message(at, frame.opcode, payload);
                    }
                }
            }
        }
        if answered > 0 && self.stage != Stage::Stopping && self.connections[at].born == born {
            // Requests that fall due together leave in one write.
            self.send_requests(at, answered);
        }
        used
    }

    fn on_upgrade(&mut self, at: usize, head: &[u8]) {
        if !head.starts_with(b"HTTP/1.1 101") {
            return self.fail(at, &String::from_utf8_lossy(&head[..head.len().min(80)]));
        }
        if find(head, ACCEPT).is_none() {
            return self.fail(at, "a wrong Sec-WebSocket-Accept");
        }
        if self.options.deflate {
            let head = String::from_utf8_lossy(head).to_ascii_lowercase();
            if !head.contains("permessage-deflate") || !head.contains("server_no_context_takeover")
            {
                return self.fail(at, "no permessage-deflate without context takeover");
            }
        }
        if self.options.dialect == Dialect::Raw {
            self.on_ready(at);
        } else if self.connections[at].peer.is_some() {
            self.connections[at].waits = Waits::ProbeAnswer;
            self.send_text(at, "2probe");
        } else {
            self.connections[at].waits = Waits::OpenPacket;
        }
    }

    /// Gives how many requests it answers.
    fn on_message(&mut self, at: usize, opcode: u8, message: &[u8]) -> usize {
        if opcode == CLOSE {
            self.on_end(at);
            return 0;
        }
        if opcode > 2 {
            return 0;
        }
        if self.options.dialect == Dialect::Eio4 && message == b"2" {
            self.send_text(at, "3");
            return 0;
        }
        match self.connections[at].waits {
            Waits::OpenPacket if message.first() == Some(&b'0') => {
                self.connections[at].waits = Waits::Namespace;
                if self.options.dialect == Dialect::Eio4 {
                    self.send_text(at, "40");
                }
            }
            Waits::Namespace if message.starts_with(b"40") => self.on_connected(at),
            Waits::JoinAnswer if message.starts_with(b"430[") => self.on_joined(at),
            Waits::ProbeAnswer if message == b"3probe" => {
                self.connections[at].waits = Waits::UpgradedEcho;
                self.send_text(at, "5");
                self.send_text(at, UPGRADED);
            }
            Waits::UpgradedEcho if message == UPGRADED.as_bytes() => self.on_ready(at),
            Waits::Closing => {}
            Waits::Ready | Waits::Attachment => return self.on_event(at, opcode, message),
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

    fn on_event(&mut self, at: usize, opcode: u8, message: &[u8]) -> usize {
        match self.options.scenario {
            Scenario::Echo | Scenario::Ack => {
                if let (Some(head), Waits::Ready) =
                    (self.request.answer_head, self.connections[at].waits)
                {
                    if opcode == TEXT && message.starts_with(head) {
                        self.connections[at].waits = Waits::Attachment;
                    } else {
                        self.wrong(message);
                    }
                    return 0;
                }
                self.connections[at].waits = Waits::Ready;
                self.on_answer(at, message == self.request.answer, message);
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
        if place >= self.casts.len() || message != self.request.answer {
            return self.wrong(message);
        }
        self.counts.done += 1;
        self.measure(self.casts[place].sent);
        self.casts[place].missing -= 1;
        if self.casts[place].missing == 0 && self.stage != Stage::Stopping {
            self.cast();
        }
    }

    fn on_body(&mut self, at: usize, body: &[u8]) {
        match self.connections[at].waits {
            Waits::HandshakeAnswer => self.on_handshake(at, body),
            Waits::PostAnswer => {
                self.connections[at].waits = Waits::FirstPoll;
                let id = self.connections[at].id.clone();
                self.get(at, &id);
            }
            Waits::FirstPoll => self.on_polling_ready(at),
            Waits::Poll => self.on_poll(at, body),
            _ => {}
        }
    }

    fn on_handshake(&mut self, at: usize, body: &[u8]) {
        let body = String::from_utf8_lossy(body);
        let id = body.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split('"').next());
        let Some(id) = id else { return self.fail(at, "no session id") };
        self.connections[at].id = id.to_owned();
        if self.options.dialect == Dialect::Eio4 {
            self.connections[at].waits = Waits::PostAnswer;
            self.post(at, id, b"40");
        } else if body.contains("2:40") {
            self.on_polling_ready(at);
        } else {
            self.connections[at].waits = Waits::FirstPoll;
            self.get(at, id);
        }
    }

    fn on_polling_ready(&mut self, at: usize) {
        let id = self.connections[at].id.clone();
        if self.options.scenario == Scenario::Connect {
            let born = self.connections[at].born;
            match self.start_websocket(Some(&id)) {
                Ok(websocket) => {
                    self.connections[websocket].peer = Some(at);
                    self.connections[websocket].born = born;
                }
                Err(problem) => self.fail(at, &problem),
            }
            return;
        }
        match self.open(Waits::PostIdle) {
            Ok(post) => self.connections[at].peer = Some(post),
            Err(problem) => return self.fail(at, &problem),
        }
        self.connections[at].waits = Waits::Poll;
        self.get(at, &id);
        self.counts.pending -= 1;
        self.counts.ready += 1;
    }

    fn on_poll(&mut self, at: usize, body: &[u8]) {
        let id = self.connections[at].id.clone();
        self.get(at, &id);
        let is_answer = find(body, &self.request.answer).is_some();
        // A ping may come by itself, and is no answer.
        if !is_answer && body == b"2" {
            return;
        }
        self.on_answer(at, is_answer, body);
        if self.stage != Stage::Stopping {
            self.poll_request(at);
        }
    }

    /// Sends the request of a polling session, over its other connection.
    pub(crate) fn poll_request(&mut self, at: usize) {
        let Some(post) = self.connections[at].peer else { return };
        self.connections[at].sent.push_back(Instant::now());
        let id = self.connections[at].id.clone();
        let body = std::mem::take(&mut self.request.bytes);
        self.post(post, &id, &body);
        self.request.bytes = body;
    }
}

/// What answers our key, which is the one of RFC 6455 1.3.
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Tells that the upgrade is done, since the server answers it over the new transport.
const UPGRADED: &str = r#"42["echo","up"]"#;

/// Rooms among which the clients of `churn` are spread.
const CHURN_ROOMS: usize = 50;
