//! The state machine of one session: heartbeat, upgrade, closing.
//!
//! ```text
//!   ┌──────┐  on_packet: Close, wrong heartbeat; on_deadline: heartbeat; close   ┌────────┐
//!   │ Open │ ─────────────────────────────────────────────────────────────────▶ │ Closed │
//!   └──────┘                                                                     └────────┘
//!
//!   upgrade, on polling:
//!                                    ┌─────────────── `5` ───────────────┐
//!        ┌──────┐ on_probe_open  ┌───┴────┐ `2probe` ┌────────┐ `5`  ┌───▼───────┐
//!        │ None │ ─────────────▶ │ Opened │ ───────▶ │ Probed │ ───▶ │ Switched  │
//!        └──────┘ ◀───────────── └────────┘          └─▲────┬─┘      └───────────┘
//!                 anything else, end of the probe,     └────┘ `2probe`
//!                 `upgrade_timeout`
//! ```
//!
//! An upgrade goes on when the session is Closed: its client may have stopped polling by then, and
//! reads what waits on its new connection only. The driver refuses the probe if nothing is to be read.
//!
//! Every input has exactly one consequence, so the methods return it instead of queueing outputs;
//! the driver acts on it before it feeds the next input. The session sees packet types only:
//! what a message holds is no matter of it, and stays where the transport read it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::CloseReason;
use crate::packet::{Message, Packet, PacketType, Protocol, TransportKind};

pub use receipts::Receipts;

mod receipts;

/// While a probe waits for the client's `5`, a parked poll is released this often, so that the
/// client's polling comes to rest. The reference's period.
const RELEASE_POLL: Duration = Duration::from_millis(100);

/// Probes on one connection that are answered. One is enough; a client that goes on asks for work.
const MAX_PROBES: u8 = 16;

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
    /// When what the heartbeat waits for is due.
    heartbeat_at: Instant,
    /// Pings that the peer has not answered. It grows by one in many minutes at the most, as the next
    /// ping of each kind waits for a pong.
    unanswered: u16,
    upgrade: Upgrade,
    /// What the client probes, or probed last.
    probing: TransportKind,
    /// Probes that were answered.
    probes: u8,
    /// Since when the peer's time stands still, as it is not read: the begin of the pause, or of
    /// the wait that began in it.
    paused_at: Option<Instant>,
    /// Those of all sessions of a server are the same.
    times: Arc<Times>,
}

/// What the heartbeat waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heartbeat {
    /// Protocol 3: for the client's ping; anything that arrives moves the end of patience.
    Listen,
    /// Protocol 4: for the time of the next ping.
    Rest,
    /// Protocol 4: for a pong. Another packet prolongs the wait once.
    Await,
    /// Protocol 4: for a pong, and another packet has come.
    Prolonged,
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
    /// The peer answered a ping: what was sent before that ping is there, see [`Receipts`].
    Answered,
    /// The session ends.
    Close(CloseReason),
}

/// The consequence of a packet on a probing connection.
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
    pub fn new(
        now: Instant,
        protocol: Protocol,
        transport: TransportKind,
        times: impl Into<Arc<Times>>,
    ) -> Self {
        let times = times.into();
        let ping_at = now + times.ping_interval;
        let (heartbeat, heartbeat_at) = match protocol {
            Protocol::V3 => (Heartbeat::Listen, ping_at + times.ping_timeout),
            Protocol::V4 => (Heartbeat::Rest, ping_at),
        };
        Self {
            protocol,
            transport,
            open: true,
            heartbeat,
            heartbeat_at,
            unanswered: 0,
            upgrade: Upgrade::None,
            probing: transport,
            probes: 0,
            paused_at: None,
            times,
        }
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
                let Some(unanswered) = self.unanswered.checked_sub(1) else { return Step::Nothing };
                self.unanswered = unanswered;
                if self.awaits_pong() {
                    self.heartbeat = Heartbeat::Rest;
                    self.heartbeat_at = now + self.times.ping_interval;
                }
                Step::Answered
            }
            // Node: a heartbeat in the wrong direction, as 4.x
            (PacketType::Ping, Protocol::V4) | (PacketType::Pong, Protocol::V3) => {
                self.end(CloseReason::TransportError)
            }
            (PacketType::Close, _) => self.end(CloseReason::TransportClose),
            // Node: types that make no sense in this direction are ignored
            (PacketType::Open | PacketType::Upgrade | PacketType::Noop, _) => Step::Nothing,
        }
    }

    /// A ping is sent now for another reason than its time. It is a heartbeat all the same: its
    /// answer is waited for as long, and the next one comes an interval after that.
    pub fn on_ping_sent(&mut self, now: Instant) {
        self.unanswered = self.unanswered.saturating_add(1);
        if self.heartbeat == Heartbeat::Rest {
            // From when it is sent: a ping that is late leaves no less time to answer it.
            self.heartbeat = Heartbeat::Await;
            self.heartbeat_at = now + self.times.ping_timeout;
            self.restart_pause(now);
        }
    }

    /// Pings that the peer has not answered yet.
    #[must_use]
    pub fn unanswered(&self) -> u16 {
        self.unanswered
    }

    /// A connection of another transport with this session's id was opened. False: it is to be
    /// closed, for there is one already, or the session does not poll.
    pub fn on_probe_open(&mut self, now: Instant, transport: TransportKind) -> bool {
        if self.is_upgrading() || self.transport != TransportKind::Polling {
            return false;
        }
        self.upgrade = Upgrade::Opened { until: now + self.times.upgrade_timeout };
        self.probing = transport;
        self.probes = 0;
        true
    }

    /// Takes a packet that arrived on the probing connection.
    // Engine.IO v4: Upgrade
    // Node: each probe is answered, and a `5` counts without any
    pub fn on_probe_packet(&mut self, now: Instant, packet: &Packet<'_>) -> ProbeStep {
        let is_probe = packet.kind == PacketType::Ping && packet.data == Message::Text("probe");
        match self.upgrade {
            Upgrade::Opened { until } | Upgrade::Probed { until, .. }
                if is_probe && self.probes < MAX_PROBES =>
            {
                self.probes += 1;
                self.upgrade = Upgrade::Probed { until, release_at: now + RELEASE_POLL };
                ProbeStep::Answer
            }
            Upgrade::Opened { .. } | Upgrade::Probed { .. }
                if packet.kind == PacketType::Upgrade =>
            {
                self.upgrade = Upgrade::None;
                self.transport = self.probing;
                self.on_life(now);
                ProbeStep::Switch
            }
            _ => {
                self.upgrade = Upgrade::None;
                ProbeStep::Refuse
            }
        }
    }

    /// The probing connection ended by itself, or was refused by the driver.
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
                if self.awaits_peer() {
                    self.heartbeat_at += pause;
                }
            }
            _ => {}
        }
    }

    /// The session ends for a reason that is not in its protocol state.
    pub fn close(&mut self) {
        self.open = false;
    }

    /// The nearest deadline, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let stands_still = self.awaits_peer() && self.paused_at.is_some();
        let heartbeat = (self.open && !stands_still).then_some(self.heartbeat_at);
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
        self.awaits_peer() && self.heartbeat_at <= now && self.paused_at.is_none()
    }

    /// Whether the next thing that time has to say is that somebody is given up: the peer, or its
    /// probe.
    #[must_use]
    pub fn would_give_up(&self, now: Instant) -> bool {
        let probe = match self.upgrade {
            Upgrade::None => false,
            Upgrade::Opened { until } | Upgrade::Probed { until, .. } => until <= now,
        };
        probe || (self.open && self.is_overdue(now))
    }

    /// Takes the time; to be called again until it says [`Due::Nothing`].
    pub fn on_deadline(&mut self, now: Instant) -> Due {
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
        if !self.open {
            return Due::Nothing;
        }
        match self.heartbeat {
            Heartbeat::Rest if self.heartbeat_at <= now => {
                self.on_ping_sent(now);
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

    /// Whether a connection is probing.
    #[must_use]
    pub fn is_upgrading(&self) -> bool {
        !matches!(self.upgrade, Upgrade::None)
    }

    /// Whether the heartbeat waits for the peer, whose silence has an end.
    fn awaits_peer(&self) -> bool {
        self.heartbeat != Heartbeat::Rest
    }

    fn awaits_pong(&self) -> bool {
        matches!(self.heartbeat, Heartbeat::Await | Heartbeat::Prolonged)
    }

    /// Something arrived.
    fn on_life(&mut self, now: Instant) {
        let Times { ping_interval, ping_timeout, .. } = *self.times;
        match self.heartbeat {
            // Node: any packet counts, as 2.0.4
            Heartbeat::Listen => {
                self.heartbeat_at = now + ping_interval + ping_timeout;
                self.restart_pause(now);
            }
            // Node: once only, so that a client which never answers is found, as 4.8.4
            Heartbeat::Await => {
                self.heartbeat = Heartbeat::Prolonged;
                self.heartbeat_at = now + ping_timeout;
                self.restart_pause(now);
            }
            Heartbeat::Prolonged | Heartbeat::Rest => {}
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
mod tests;
