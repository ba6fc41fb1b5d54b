//! The state machine of one session: heartbeat, upgrade, closing.
//!
//! ```text
//!   ┌──────┐  on_packet: Close, wrong heartbeat; on_deadline: heartbeat; close   ┌────────┐
//!   │ Open │ ─────────────────────────────────────────────────────────────────▶ │ Closed │
//!   └──────┘                                                                     └────────┘
//!
//!   upgrade, while Open on polling:
//!
//!        ┌──────┐ on_probe_open  ┌────────┐ `2probe` ┌────────┐ `5`  ┌───────────┐
//!        │ None │ ─────────────▶ │ Opened │ ───────▶ │ Probed │ ───▶ │ WebSocket │
//!        └──────┘ ◀───────────── └────────┘          └────────┘      └───────────┘
//!                 anything else, end of the probe, `upgrade_timeout`
//! ```
//!
//! Every input has exactly one consequence, so the methods return it instead of queueing outputs;
//! the driver acts on it before it feeds the next input. The session sees packet types only:
//! what a message holds is no matter of it, and stays where the transport read it.

use std::time::{Duration, Instant};

use crate::error::CloseReason;
use crate::packet::{Message, Packet, PacketType, Protocol, TransportKind};

/// While a probe waits for the client's `5`, a parked poll is released this often, so that the
/// client's polling comes to rest. The reference's period.
const RELEASE_POLL: Duration = Duration::from_millis(100);

/// The times of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// Between two heartbeats (25 s).
    pub ping_interval: Duration,
    /// From a heartbeat to the end of patience (60 s).
    pub ping_timeout: Duration,
    /// From the opening of a probe to the client's decision (10 s).
    pub upgrade_timeout: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(60),
            upgrade_timeout: Duration::from_secs(10),
        }
    }
}

/// The protocol state of one session.
#[derive(Debug)]
pub struct Session {
    protocol: Protocol,
    transport: TransportKind,
    open: bool,
    heartbeat: Heartbeat,
    upgrade: Upgrade,
    /// Since when the peer's time stands still, as it is not read: the begin of the pause, or of
    /// the wait that began in it.
    paused_at: Option<Instant>,
    times: Times,
}

#[derive(Debug)]
enum Heartbeat {
    /// Protocol 3: the client pings; anything that arrives moves the deadline.
    Listen { until: Instant },
    /// Protocol 4: the next ping is due.
    Rest { ping_at: Instant },
    /// Protocol 4: a ping is out. Another packet than the pong prolongs the wait once.
    Await { until: Instant, prolonged: bool },
}

#[derive(Debug)]
enum Upgrade {
    None,
    Opened { until: Instant },
    Probed { until: Instant, release_at: Instant },
}

/// The consequence of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "the driver handles every consequence")]
pub enum Step {
    /// The packet is a message for the application.
    Deliver,
    /// Nothing is to be done.
    Nothing,
    /// Answer with a pong.
    SendPong,
    /// The session ends.
    Close(CloseReason),
}

/// The consequence of a packet on a probing WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "the driver handles every consequence")]
pub enum ProbeStep {
    /// Answer `3probe` on the probe and release a parked poll.
    Answer,
    /// The probe becomes the transport.
    Switch,
    /// Close the probe; the session goes on by polling.
    Refuse,
}

/// The consequence of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "the driver handles every consequence")]
pub enum Due {
    /// No deadline has passed.
    Nothing,
    /// Send a ping.
    SendPing,
    /// Answer a parked poll with a noop.
    ReleasePoll,
    /// Close the probe; the session goes on by polling.
    RefuseProbe,
    /// The session ends.
    Close(CloseReason),
}

impl Session {
    /// A session whose open packet is sent now.
    #[must_use]
    pub fn new(now: Instant, protocol: Protocol, transport: TransportKind, times: Times) -> Self {
        let heartbeat = match protocol {
            Protocol::V3 => {
                Heartbeat::Listen { until: now + times.ping_interval + times.ping_timeout }
            }
            Protocol::V4 => Heartbeat::Rest { ping_at: now + times.ping_interval },
        };
        let upgrade = Upgrade::None;
        Self { protocol, transport, open: true, heartbeat, upgrade, paused_at: None, times }
    }

    /// Takes a packet that arrived on the session's transport.
    pub fn on_packet(&mut self, now: Instant, kind: PacketType) -> Step {
        if !self.open {
            return Step::Nothing;
        }
        self.on_life(now);
        match (kind, self.protocol) {
            (PacketType::Message, _) => Step::Deliver,
            // Engine.IO v3: the client pings; the answer carries no data
            (PacketType::Ping, Protocol::V3) => Step::SendPong,
            (PacketType::Pong, Protocol::V4) => {
                // Engine.IO v4: Heartbeat. A pong that nobody asked for moves nothing.
                if let Heartbeat::Await { .. } = self.heartbeat {
                    self.heartbeat = Heartbeat::Rest { ping_at: now + self.times.ping_interval };
                }
                Step::Nothing
            }
            // reference: a heartbeat in the wrong direction, as 4.x
            (PacketType::Ping, Protocol::V4) | (PacketType::Pong, Protocol::V3) => {
                self.end(CloseReason::TransportError)
            }
            (PacketType::Close, _) => self.end(CloseReason::TransportClose),
            // reference: types that make no sense in this direction are ignored
            (PacketType::Open | PacketType::Upgrade | PacketType::Noop, _) => Step::Nothing,
        }
    }

    /// A WebSocket with this session's id was opened. False: it is to be closed, for there is one
    /// already, or the session does not poll.
    pub fn on_probe_open(&mut self, now: Instant) -> bool {
        let free = matches!(self.upgrade, Upgrade::None);
        if !free || !self.open || self.transport != TransportKind::Polling {
            return false;
        }
        self.upgrade = Upgrade::Opened { until: now + self.times.upgrade_timeout };
        true
    }

    /// Takes a packet that arrived on the probing WebSocket.
    // Engine.IO v4: Upgrade. A `5` counts after the probe only; 4.8.4 takes it without, too.
    pub fn on_probe_packet(&mut self, now: Instant, packet: &Packet<'_>) -> ProbeStep {
        let probe = packet.kind == PacketType::Ping && packet.data == Message::Text("probe");
        match self.upgrade {
            Upgrade::Opened { until } if probe => {
                self.upgrade = Upgrade::Probed { until, release_at: now + RELEASE_POLL };
                ProbeStep::Answer
            }
            Upgrade::Probed { .. } if packet.kind == PacketType::Upgrade => {
                self.upgrade = Upgrade::None;
                self.transport = TransportKind::WebSocket;
                self.on_life(now);
                ProbeStep::Switch
            }
            _ => {
                self.upgrade = Upgrade::None;
                ProbeStep::Refuse
            }
        }
    }

    /// The probing WebSocket ended by itself.
    pub fn on_probe_end(&mut self) {
        self.upgrade = Upgrade::None;
    }

    /// The driver stopped (`false`) or took up again (`true`) reading from the peer. Who is not
    /// read cannot be blamed for silence: the heartbeat stands still meanwhile.
    pub fn on_reading(&mut self, now: Instant, reading: bool) {
        match (self.paused_at, reading) {
            (None, false) => self.paused_at = Some(now),
            (Some(since), true) => {
                self.paused_at = None;
                let pause = now.saturating_duration_since(since);
                match &mut self.heartbeat {
                    Heartbeat::Listen { until } | Heartbeat::Await { until, .. } => *until += pause,
                    Heartbeat::Rest { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// The session ends for a reason that is not in its protocol state.
    pub fn close(&mut self) {
        self.open = false;
        self.upgrade = Upgrade::None;
    }

    /// The nearest deadline, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if !self.open {
            return None;
        }
        let heartbeat = match self.heartbeat {
            Heartbeat::Listen { until } | Heartbeat::Await { until, .. } => {
                self.paused_at.is_none().then_some(until)
            }
            Heartbeat::Rest { ping_at } => Some(ping_at),
        };
        let upgrade = match self.upgrade {
            Upgrade::None => None,
            Upgrade::Opened { until } => Some(until),
            Upgrade::Probed { until, release_at } => Some(until.min(release_at)),
        };
        match (heartbeat, upgrade) {
            (Some(heartbeat), Some(upgrade)) => Some(heartbeat.min(upgrade)),
            (heartbeat, upgrade) => heartbeat.or(upgrade),
        }
    }

    /// Whether the peer's time is over, though nobody has said so yet.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        match self.heartbeat {
            Heartbeat::Listen { until } | Heartbeat::Await { until, .. } => {
                until <= now && self.paused_at.is_none()
            }
            Heartbeat::Rest { .. } => false,
        }
    }

    /// Takes the time; to be called again until it says [`Due::Nothing`].
    pub fn on_deadline(&mut self, now: Instant) -> Due {
        if !self.open {
            return Due::Nothing;
        }
        match &mut self.upgrade {
            Upgrade::Opened { until } | Upgrade::Probed { until, .. } if *until <= now => {
                self.upgrade = Upgrade::None;
                return Due::RefuseProbe;
            }
            Upgrade::Probed { release_at, .. } if *release_at <= now => {
                *release_at = now + RELEASE_POLL;
                return Due::ReleasePoll;
            }
            _ => {}
        }
        match self.heartbeat {
            Heartbeat::Rest { ping_at } if ping_at <= now => {
                // From when the ping was due, so that lateness of ours does not add up; but a
                // ping that is very late leaves some time to answer it.
                let timeout = self.times.ping_timeout;
                let until = (ping_at + timeout).max(now + timeout / 2);
                self.heartbeat = Heartbeat::Await { until, prolonged: false };
                self.restart_pause(now);
                Due::SendPing
            }
            _ if self.is_overdue(now) => {
                self.close();
                Due::Close(CloseReason::PingTimeout)
            }
            _ => Due::Nothing,
        }
    }

    /// The protocol that the handshake chose.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The transport that carries the session.
    #[must_use]
    pub fn transport(&self) -> TransportKind {
        self.transport
    }

    /// Whether packets go in and out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a WebSocket is probing.
    #[must_use]
    pub fn is_upgrading(&self) -> bool {
        !matches!(self.upgrade, Upgrade::None)
    }

    /// Something arrived.
    fn on_life(&mut self, now: Instant) {
        let Times { ping_interval, ping_timeout, .. } = self.times;
        match &mut self.heartbeat {
            // reference: any packet counts, as 2.0.4
            Heartbeat::Listen { until } => {
                *until = now + ping_interval + ping_timeout;
                self.restart_pause(now);
            }
            // reference: once only, so that a client which never answers is found, as 4.8.4
            Heartbeat::Await { until, prolonged } if !*prolonged => {
                *until = now + ping_timeout;
                *prolonged = true;
                self.restart_pause(now);
            }
            Heartbeat::Await { .. } | Heartbeat::Rest { .. } => {}
        }
    }

    /// A wait begins: of a pause only what follows prolongs it.
    fn restart_pause(&mut self, now: Instant) {
        if let Some(since) = &mut self.paused_at {
            *since = now;
        }
    }

    fn end(&mut self, reason: CloseReason) -> Step {
        self.close();
        Step::Close(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::PacketType as P;

    /// A session on a clock that only the test moves, in milliseconds since the opening.
    struct Conversation {
        start: Instant,
        session: Session,
    }

    impl Conversation {
        fn new(protocol: Protocol, transport: TransportKind) -> Self {
            let times = Times {
                ping_interval: Duration::from_millis(300),
                ping_timeout: Duration::from_millis(200),
                upgrade_timeout: Duration::from_millis(1000),
            };
            let start = Instant::now();
            Self { start, session: Session::new(start, protocol, transport, times) }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        #[track_caller]
        fn packet(&mut self, ms: u64, kind: PacketType, expected: Step) {
            let now = self.at(ms);
            assert_eq!(self.session.on_packet(now, kind), expected, "{kind:?} at {ms}");
        }

        #[track_caller]
        fn probe(&mut self, ms: u64, text: &str, expected: ProbeStep) {
            let now = self.at(ms);
            let packet = Packet::from_text(Protocol::V4, text).unwrap();
            assert_eq!(self.session.on_probe_packet(now, &packet), expected, "{text} at {ms}");
        }

        #[track_caller]
        fn due(&mut self, ms: u64, expected: Due) {
            let now = self.at(ms);
            assert_eq!(self.session.on_deadline(now), expected, "at {ms}");
        }

        #[track_caller]
        fn deadline(&self, expected: Option<u64>) {
            let ms = self.session.deadline().map(|at| (at - self.start).as_millis() as u64);
            assert_eq!(ms, expected);
        }
    }

    #[test]
    fn the_server_pings_in_protocol_4() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        c.deadline(Some(300));
        c.due(299, Due::Nothing);
        c.due(300, Due::SendPing);
        c.deadline(Some(500));
        c.packet(350, P::Pong, Step::Nothing);
        c.deadline(Some(650)); // an interval after the pong
        c.packet(400, P::Pong, Step::Nothing); // nobody asked
        c.deadline(Some(650));
        c.due(650, Due::SendPing);
        c.due(849, Due::Nothing);
        c.due(850, Due::Close(CloseReason::PingTimeout));
        c.deadline(None);
    }

    #[test]
    fn the_wait_for_a_pong_counts_from_when_the_ping_was_due() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        c.due(302, Due::SendPing);
        c.deadline(Some(500));
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        c.due(1000, Due::SendPing); // very late: half the time is left
        c.deadline(Some(1100));
    }

    #[test]
    fn another_packet_prolongs_the_wait_for_a_pong_once() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        c.due(300, Due::SendPing);
        c.packet(400, P::Message, Step::Deliver);
        c.deadline(Some(600));
        c.packet(550, P::Message, Step::Deliver);
        c.deadline(Some(600));
        c.due(600, Due::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn the_client_pings_in_protocol_3_and_anything_is_life() {
        let mut c = Conversation::new(Protocol::V3, TransportKind::WebSocket);
        c.deadline(Some(500));
        c.packet(100, P::Ping, Step::SendPong);
        c.deadline(Some(600));
        c.packet(200, P::Message, Step::Deliver);
        c.deadline(Some(700));
        c.due(699, Due::Nothing);
        c.due(700, Due::Close(CloseReason::PingTimeout));
    }

    #[test]
    fn a_heartbeat_in_the_wrong_direction_ends_the_session() {
        let error = Step::Close(CloseReason::TransportError);
        Conversation::new(Protocol::V4, TransportKind::WebSocket).packet(1, P::Ping, error);
        Conversation::new(Protocol::V3, TransportKind::WebSocket).packet(1, P::Pong, error);
    }

    #[test]
    fn nothing_is_delivered_after_a_close_packet() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
        c.packet(1, P::Close, Step::Close(CloseReason::TransportClose));
        c.packet(1, P::Message, Step::Nothing);
        assert!(!c.session.is_open());
    }

    #[test]
    fn types_without_meaning_from_a_client_are_ignored() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        for kind in [P::Open, P::Upgrade, P::Noop] {
            c.packet(1, kind, Step::Nothing);
        }
        c.packet(1, P::Message, Step::Deliver);
    }

    #[test]
    fn an_upgrade_is_probed_then_switched() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
        assert!(c.session.on_probe_open(c.at(0)));
        assert!(!c.session.on_probe_open(c.at(1)), "one probe at a time");
        c.probe(10, "2probe", ProbeStep::Answer);
        c.due(109, Due::Nothing);
        c.due(110, Due::ReleasePoll);
        c.due(110, Due::Nothing);
        c.due(210, Due::ReleasePoll);
        c.probe(220, "5", ProbeStep::Switch);
        assert_eq!(c.session.transport(), TransportKind::WebSocket);
        assert!(!c.session.on_probe_open(c.at(230)), "no way back");
        c.deadline(Some(300));
    }

    #[test]
    fn a_bad_probe_leaves_the_session_alone() {
        for bad in ["5", "2", "2prob", "42[\"e\"]", "1"] {
            let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
            assert!(c.session.on_probe_open(c.at(0)));
            c.probe(1, bad, ProbeStep::Refuse);
            assert!(c.session.is_open());
            assert!(c.session.on_probe_open(c.at(2)), "another may follow");
        }
    }

    #[test]
    fn a_probe_that_is_not_decided_times_out() {
        let mut c = Conversation::new(Protocol::V3, TransportKind::Polling);
        assert!(c.session.on_probe_open(c.at(0)));
        c.packet(600, P::Ping, Step::SendPong); // alive by polling
        c.deadline(Some(1000));
        c.due(1000, Due::RefuseProbe);
        c.deadline(Some(1100));
        assert_eq!(c.session.transport(), TransportKind::Polling);
    }

    #[test]
    fn a_session_that_is_not_read_does_not_time_out() {
        let mut c = Conversation::new(Protocol::V3, TransportKind::WebSocket);
        c.session.on_reading(c.at(100), false);
        c.deadline(None);
        c.due(10_000, Due::Nothing);
        c.session.on_reading(c.at(10_100), true);
        c.deadline(Some(10_500)); // what was left at 100
    }

    #[test]
    fn a_wait_that_begins_in_a_pause_is_not_prolonged_by_what_was_before() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
        c.session.on_reading(c.at(100), false);
        c.due(300, Due::SendPing);
        c.deadline(None);
        c.session.on_reading(c.at(450), true);
        c.deadline(Some(650)); // the 200 of a ping at 300, and the 150 in which no pong was read
        // a packet of the buffer that was at hand
        let mut c = Conversation::new(Protocol::V3, TransportKind::WebSocket);
        c.session.on_reading(c.at(100), false);
        c.packet(200, P::Message, Step::Deliver);
        c.session.on_reading(c.at(250), true);
        c.deadline(Some(750));
    }

    #[test]
    fn a_closed_session_is_deaf() {
        let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
        assert!(c.session.on_probe_open(c.at(0)));
        c.session.close();
        c.packet(20, P::Message, Step::Nothing);
        c.probe(20, "2probe", ProbeStep::Refuse);
        c.due(10_000, Due::Nothing);
        c.deadline(None);
    }
}
