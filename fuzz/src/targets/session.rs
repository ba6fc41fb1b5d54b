//! The state machine of a session against a naive model, on a clock that the input moves.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use engineio_proto::{
    CloseReason, Due, Packet, PacketType, ProbeStep, Protocol, Receipts, Session, Step, Times,
    TransportKind,
};

use crate::input::Input;

/// A byte says protocol and transport, the others are operations: the high bits what, the low bits
/// with which packet or for how long.
pub fn session(input: &[u8]) {
    let mut input = Input(input);
    let flags = input.byte();
    let protocol = if flags & 1 == 0 { Protocol::V4 } else { Protocol::V3 };
    let transport = if flags & 2 == 0 { TransportKind::Polling } else { TransportKind::WebSocket };
    let start = Instant::now();
    let at = |now: u64| start + Duration::from_millis(now);
    let mut times = Times::default();
    times.ping_interval = Duration::from_millis(INTERVAL);
    times.ping_timeout = Duration::from_millis(TIMEOUT);
    times.upgrade_timeout = Duration::from_millis(UPGRADE);
    let mut session = Session::new(start, protocol, transport, times);
    let mut model = Model::new(protocol, transport);
    let mut receipts = Receipts::default();
    let mut now = 0;
    while !input.is_empty() {
        let byte = input.byte();
        let low = byte & 31;
        let kind = PacketType::from_number(low % 7).expect("one of seven");
        match byte >> 5 {
            0 => {
                let step = session.on_packet(at(now), kind);
                assert_eq!(step, model.packet(now, kind));
                if step == Step::Answered {
                    assert_eq!(receipts.on_answered(), model.answered());
                }
            }
            1 => assert_eq!(
                session.on_probe_open(at(now), TransportKind::WebSocket),
                model.probe_open(now)
            ),
            2 => {
                let text = ["0", "1", "2", "3", "4", "5", "6", "2probe", "5x", "3probe"];
                let text = text[usize::from(low % 10)];
                let packet = Packet::from_text(protocol, text).expect("a packet");
                assert_eq!(session.on_probe_packet(at(now), &packet), model.probe(now, text));
            }
            3 if low == 31 => {
                session.close();
                model.open = false;
            }
            3 if low == 30 && protocol == Protocol::V4 && model.open => {
                model.waiters += 1;
                receipts.ask(model.waiters, |_| true);
                model.asked.push(model.waiters);
            }
            3 if low & 4 == 0 => {
                session.on_probe_end();
                model.probing = None;
            }
            3 => {
                let reading = low & 1 == 0;
                session.on_reading(at(now), reading);
                model.reading(now, reading);
            }
            // A driver that is punctual, or late.
            4 => {
                if let Some(deadline) = session.deadline() {
                    now = now.max((deadline - start).as_millis() as u64);
                }
            }
            5 => now += u64::from(low),
            6 => now += u64::from(low) * 20,
            _ => now += u64::from(low) * 500,
        }
        // The driver asks until nothing is due.
        if byte >> 5 >= 4 {
            for round in 0.. {
                assert!(round < 4, "one of each kind at most");
                let due = session.on_deadline(at(now));
                assert_eq!(due, model.due(now), "at {now}");
                match due {
                    Due::Nothing => break,
                    Due::SendPing => receipts.on_ping_sent(at(now), session.unanswered()),
                    _ => {}
                }
            }
            // else the driver would be woken at once, for ever
            assert!(session.deadline().is_none_or(|deadline| deadline > at(now)));
        }
        if session.is_open() {
            let due = receipts.is_due(at(now), |_| true);
            assert_eq!(due, model.receipt_due(now), "at {now}");
            if due {
                session.on_ping_sent(at(now));
                receipts.on_ping_sent(at(now), session.unanswered());
                model.beat(now);
            }
            assert_eq!(usize::from(session.unanswered()), model.pings.len());
        }
        let deadline = session.deadline().map(|deadline| (deadline - start).as_millis() as u64);
        assert_eq!(deadline, model.deadline(), "at {now}");
        assert_eq!(session.is_open(), model.open);
        assert_eq!(session.transport(), model.transport);
        assert_eq!(session.is_upgrading(), model.probing.is_some());
        assert_eq!(session.protocol(), protocol);
    }
    end(session, at(now), times);
}

/// A client that has fallen silent is gone after a while, if it is read at all.
fn end(mut session: Session, mut now: Instant, times: Times) {
    session.on_reading(now, true);
    let last = now + times.ping_interval + 2 * times.ping_timeout + times.upgrade_timeout;
    for _ in 0..1000 {
        let Some(deadline) = session.deadline() else {
            assert!(!session.is_open());
            return;
        };
        now = now.max(deadline);
        let _ = session.on_deadline(now);
    }
    panic!("open at {:?} after it should have ended", now.saturating_duration_since(last));
}

const INTERVAL: u64 = 300;
const TIMEOUT: u64 = 200;
const UPGRADE: u64 = 1000;
const RELEASE: u64 = 100;
const PROBES: u32 = 16;
const GAP: u64 = 100;

/// What a session shall do, in milliseconds and without states: a time that is not there is none.
struct Model {
    protocol: Protocol,
    transport: TransportKind,
    open: bool,
    /// When the next ping is to be sent.
    ping_at: Option<u64>,
    /// When the peer is given up.
    patience: Option<u64>,
    /// Since the ping there was something else than its answer.
    prolonged: bool,
    /// Since when the peer is not read, during the wait for it.
    paused: Option<u64>,
    /// When a probe is given up, and, once it was answered, when a poll is to be released.
    probing: Option<(u64, Option<u64>)>,
    /// How many of its questions were answered.
    probes: u32,
    /// The pings that are not answered, each with those who have their receipt by its answer.
    pings: VecDeque<Vec<u32>>,
    /// Those who wait for a ping, and when the next one may be sent for them.
    asked: Vec<u32>,
    receipt_at: u64,
    waiters: u32,
}

impl Model {
    fn new(protocol: Protocol, transport: TransportKind) -> Self {
        let server_pings = protocol == Protocol::V4;
        Self {
            protocol,
            transport,
            open: true,
            ping_at: server_pings.then_some(INTERVAL),
            patience: (!server_pings).then_some(INTERVAL + TIMEOUT),
            prolonged: false,
            paused: None,
            probing: None,
            probes: 0,
            pings: VecDeque::new(),
            asked: Vec::new(),
            receipt_at: 0,
            waiters: 0,
        }
    }

    /// A ping is sent.
    fn beat(&mut self, now: u64) {
        let is_out = self.pings.iter().any(|waiters| !waiters.is_empty());
        let waiters = if is_out { Vec::new() } else { std::mem::take(&mut self.asked) };
        if !waiters.is_empty() {
            self.receipt_at = now + GAP;
        }
        self.pings.push_back(waiters);
        if self.ping_at.take().is_some() {
            self.wait(now, now + TIMEOUT);
            self.prolonged = false;
        }
    }

    fn receipt_due(&self, now: u64) -> bool {
        let is_out = self.pings.iter().any(|waiters| !waiters.is_empty());
        !is_out && !self.asked.is_empty() && self.receipt_at <= now
    }

    fn answered(&mut self) -> Vec<u32> {
        self.pings.pop_front().expect("a ping that is answered was sent")
    }

    fn packet(&mut self, now: u64, kind: PacketType) -> Step {
        if !self.open {
            return Step::Nothing;
        }
        self.life(now);
        let server_pings = self.protocol == Protocol::V4;
        let reason = match kind {
            PacketType::Message => return Step::Deliver,
            PacketType::Ping if !server_pings => return Step::SendPong,
            PacketType::Pong if server_pings => {
                if self.patience.take().is_some() {
                    self.ping_at = Some(now + INTERVAL);
                }
                return if self.pings.is_empty() { Step::Nothing } else { Step::Answered };
            }
            PacketType::Ping | PacketType::Pong => CloseReason::TransportError,
            PacketType::Close => CloseReason::TransportClose,
            _ => return Step::Nothing,
        };
        self.open = false;
        Step::Close(reason)
    }

    fn life(&mut self, now: u64) {
        if self.patience.is_none() {
            return;
        }
        if self.protocol == Protocol::V3 {
            self.wait(now, now + INTERVAL + TIMEOUT);
        } else if !self.prolonged {
            self.wait(now, now + TIMEOUT);
            self.prolonged = true;
        }
    }

    /// A pause before the wait is none of it.
    fn wait(&mut self, now: u64, until: u64) {
        self.patience = Some(until);
        self.paused = self.paused.and(Some(now));
    }

    fn probe_open(&mut self, now: u64) -> bool {
        let may = self.transport == TransportKind::Polling && self.probing.is_none();
        if may {
            self.probes = 0;
            self.probing = Some((now + UPGRADE, None));
        }
        may
    }

    fn probe(&mut self, now: u64, text: &str) -> ProbeStep {
        match (self.probing.take(), text) {
            (Some((until, _)), "2probe") if self.probes < PROBES => {
                self.probes += 1;
                self.probing = Some((until, Some(now + RELEASE)));
                ProbeStep::Answer
            }
            (Some(_), "5" | "5x") => {
                self.transport = TransportKind::WebSocket;
                self.life(now);
                ProbeStep::Switch
            }
            _ => ProbeStep::Refuse,
        }
    }

    fn reading(&mut self, now: u64, reading: bool) {
        if !reading {
            self.paused.get_or_insert(now);
        } else if let Some(since) = self.paused.take() {
            if let Some(patience) = &mut self.patience {
                *patience += now - since;
            }
        }
    }

    fn due(&mut self, now: u64) -> Due {
        match self.probing {
            Some((until, _)) if until <= now => {
                self.probing = None;
                return Due::RefuseProbe;
            }
            Some((until, Some(release))) if release <= now => {
                self.probing = Some((until, Some(now + RELEASE)));
                return Due::ReleasePoll;
            }
            _ => {}
        }
        if !self.open {
            return Due::Nothing;
        }
        if self.ping_at.is_some_and(|at| at <= now) {
            self.beat(now);
            return Due::SendPing;
        }
        if self.paused.is_none() && self.patience.is_some_and(|until| until <= now) {
            self.open = false;
            return Due::Close(CloseReason::PingTimeout);
        }
        Due::Nothing
    }

    fn deadline(&self) -> Option<u64> {
        let ping_at = self.ping_at.filter(|_| self.open);
        let patience = self.patience.filter(|_| self.open && self.paused.is_none());
        let (until, release) = self.probing.unzip();
        [ping_at, patience, until, release.flatten()].into_iter().flatten().min()
    }
}
