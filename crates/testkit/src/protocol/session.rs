//! The state machine of a session, as the client sees it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Eio, RawPacket, Violation};

/// What the open packet says.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The id of the session.
    pub sid: String,
    /// How long a side waits before it pings: the client with protocol 3, the server with 4.
    pub ping_interval: Option<Duration>,
    /// How long it waits for the answer.
    pub ping_timeout: Option<Duration>,
    /// All of it.
    pub content: Value,
}

impl Open {
    /// Reads an open packet.
    ///
    /// # Errors
    ///
    /// If it is another packet, or has no `sid`.
    pub fn read(packet: RawPacket<'_>) -> Result<Self, Violation> {
        let content: Option<Value> = match packet {
            RawPacket::Text([b'0', json @ ..]) => serde_json::from_slice(json).ok(),
            _ => None,
        };
        let wrong = || Violation::new(format!("not an open packet: {}", shown(packet)));
        let content = content.ok_or_else(wrong)?;
        let sid = content["sid"].as_str().ok_or_else(wrong)?.to_owned();
        let time = |name: &str| content[name].as_u64().map(Duration::from_millis);
        let (ping_interval, ping_timeout) = (time("pingInterval"), time("pingTimeout"));
        Ok(Self { sid, ping_interval, ping_timeout, content })
    }
}

/// A session: what packets mean, when to ping, and when the server has been silent for too long.
///
/// ```text
///            start_probe        "3probe"           upgrade
///    Open ──────────────▶ Probing ───────▶ Answered ─────▶ Open
///     │                      └─── abandon_probe ┴────────▶ Open
///     └ in each of them: "1", silence ─▶ Closed
/// ```
///
/// Packets of the transport in use go to [`on_packet`](Self::on_packet), those of a WebSocket that is
/// to take its place to [`on_probe_packet`](Self::on_probe_packet). Each input has one consequence.
#[derive(Clone, Debug)]
pub struct Session {
    eio: Eio,
    is_closed: bool,
    probe: Probe,
    interval: Duration,
    /// How long the server may be silent.
    patience: Duration,
    /// When the client pings (protocol 3).
    ping_at: Option<Instant>,
    silent_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    None,
    Sent,
    Answered,
}

/// What a packet calls for. Complete: an input has no other consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is a message: what follows the type is for the layer above.
    Message,
    /// This packet is to be sent.
    Send(&'static str),
    /// Nothing.
    Nothing,
    /// The server has ended the session.
    Closed,
}

/// What a deadline calls for. Complete: there is nothing else to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// This packet is to be sent.
    Send(&'static str),
    /// The server was silent for too long, which ends the session.
    Silence,
}

impl Session {
    /// The session that this packet opens.
    ///
    /// The server may be silent for its ping interval, its ping timeout and `slack`. Without
    /// `slack` silence never ends the session.
    ///
    /// # Errors
    ///
    /// If it is no open packet.
    pub fn open(
        eio: Eio,
        slack: Option<Duration>,
        now: Instant,
        packet: RawPacket<'_>,
    ) -> Result<(Self, Open), Violation> {
        let open = Open::read(packet)?;
        let interval = open.ping_interval.unwrap_or_default();
        let patience = match (open.ping_timeout, slack) {
            (Some(timeout), Some(slack)) => Some(interval + timeout + slack),
            _ => None,
        };
        let pings = eio == Eio::V3 && open.ping_interval.is_some();
        let session = Self {
            eio,
            is_closed: false,
            probe: Probe::None,
            interval,
            patience: patience.unwrap_or_default(),
            ping_at: pings.then(|| now + interval),
            silent_at: patience.map(|patience| now + patience),
        };
        Ok((session, open))
    }

    /// A packet has come on the transport in use.
    ///
    /// # Errors
    ///
    /// If the server must not send it now.
    pub fn on_packet(&mut self, now: Instant, packet: RawPacket<'_>) -> Result<Step, Violation> {
        if self.silent_at.is_some() {
            self.silent_at = Some(now + self.patience);
        }
        match (packet, self.eio) {
            _ if self.is_closed => {}
            (RawPacket::Text([b'4', ..]) | RawPacket::Binary(_), _)
            | (RawPacket::Text([b'b', b'4', ..]), Eio::V3)
            | (RawPacket::Text([b'b', ..]), Eio::V4) => return Ok(Step::Message),
            // Engine.IO v4: Heartbeat; the server pings
            (RawPacket::Text(b"2"), Eio::V4) => return Ok(Step::Send("3")),
            // Engine.IO v3: Heartbeat; the client does
            (RawPacket::Text(b"3"), Eio::V3) | (RawPacket::Text(b"6"), _) => {
                return Ok(Step::Nothing);
            }
            (RawPacket::Text(b"1"), _) => {
                self.is_closed = true;
                return Ok(Step::Closed);
            }
            _ => {}
        }
        Err(Violation::new(format!("unexpected packet {}", shown(packet))))
    }

    /// When [`on_deadline`](Self::on_deadline) is to be called. None: never, as it stands.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = self.ping_at.into_iter().chain(self.silent_at);
        if self.is_closed { None } else { deadlines.min() }
    }

    /// Says what is due. May be called at any time.
    pub fn on_deadline(&mut self, now: Instant) -> Due {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self.is_closed {
            return Due::Nothing;
        }
        if is_due(self.silent_at) {
            self.is_closed = true;
            return Due::Silence;
        }
        if is_due(self.ping_at) {
            self.ping_at = Some(now + self.interval);
            return Due::Send("2");
        }
        Due::Nothing
    }

    /// Begins to change from polling to a WebSocket; gives what is to be sent over that.
    pub fn start_probe(&mut self) -> &'static str {
        self.probe = Probe::Sent;
        "2probe"
    }

    /// A packet has come on the WebSocket that is probed. With it the WebSocket is as good as taken:
    /// [`upgrade`](Self::upgrade) is next, when a poll under way has been answered.
    ///
    /// # Errors
    ///
    /// If it is not the answer to the probe.
    pub fn on_probe_packet(&mut self, packet: RawPacket<'_>) -> Result<(), Violation> {
        if self.probe != Probe::Sent || packet != RawPacket::Text(b"3probe") {
            return Err(Violation::new(format!("expected 3probe, got {}", shown(packet))));
        }
        self.probe = Probe::Answered;
        Ok(())
    }

    /// Ends the change to the WebSocket; gives what is to be sent over it before all else. None
    /// unless the probe was answered.
    pub fn upgrade(&mut self) -> Option<&'static str> {
        let is_answered = self.probe == Probe::Answered;
        is_answered.then(|| {
            self.probe = Probe::None;
            "5"
        })
    }

    /// Gives the WebSocket up: the session goes on by polling.
    pub fn abandon_probe(&mut self) {
        self.probe = Probe::None;
    }
}

/// A packet in a message for people.
fn shown(packet: RawPacket<'_>) -> String {
    match packet {
        RawPacket::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        RawPacket::Binary(bytes) => format!("{bytes:02x?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OPEN: &[u8] = br#"0{"sid":"x","pingInterval":25000,"pingTimeout":5000,"upgrades":[]}"#;

    /// A session and a clock that is moved by hand.
    struct Conversation {
        session: Session,
        now: Instant,
    }

    impl Conversation {
        fn open(eio: Eio) -> Self {
            let now = Instant::now();
            let packet = RawPacket::Text(OPEN);
            let (session, open) = Session::open(eio, Some(SECOND), now, packet).unwrap();
            assert_eq!(open.sid, "x");
            assert_eq!(open.ping_interval, Some(25 * SECOND));
            assert_eq!(open.ping_timeout, Some(5 * SECOND));
            assert_eq!(open.content["upgrades"], Value::Array(Vec::new()));
            Self { session, now }
        }

        #[track_caller]
        fn hear(&mut self, packet: RawPacket<'_>, expected: Result<Step, &str>) {
            match (self.session.on_packet(self.now, packet), expected) {
                (Err(found), Err(expected)) => assert!(found.to_string().contains(expected)),
                (found, expected) => assert_eq!(found.ok(), expected.ok()),
            }
        }

        #[track_caller]
        fn text(&mut self, text: &str, expected: Step) {
            self.hear(RawPacket::Text(text.as_bytes()), Ok(expected));
        }

        #[track_caller]
        fn refused(&mut self, text: &str) {
            self.hear(RawPacket::Text(text.as_bytes()), Err("unexpected packet"));
        }

        /// Moves the clock, until then nothing is due.
        #[track_caller]
        fn after(&mut self, time: Duration, expected: Due) {
            let until = self.now + time;
            assert_eq!(self.session.deadline(), Some(until));
            assert_eq!(self.session.on_deadline(until - Duration::from_millis(1)), Due::Nothing);
            assert_eq!(self.session.on_deadline(until), expected);
            self.now = until;
        }
    }

    #[test]
    fn the_server_pings() {
        let mut session = Conversation::open(Eio::V4);
        session.now += 25 * SECOND;
        session.text("2", Step::Send("3"));
        session.now += SECOND;
        session.text("4hello", Step::Message);
        session.text("bAQI=", Step::Message);
        session.hear(RawPacket::Binary(&[1]), Ok(Step::Message));
        session.text("6", Step::Nothing);
        // interval, timeout and slack after the last packet
        session.after(31 * SECOND, Due::Silence);
        assert_eq!(session.session.deadline(), None);
        assert_eq!(session.session.on_deadline(session.now + 31 * SECOND), Due::Nothing);
        session.refused("2");
    }

    #[test]
    fn the_client_pings() {
        let mut session = Conversation::open(Eio::V3);
        session.after(25 * SECOND, Due::Send("2"));
        session.text("3", Step::Nothing);
        session.text("b4AQI=", Step::Message);
        session.after(25 * SECOND, Due::Send("2"));
        // no pong
        session.after(6 * SECOND, Due::Silence);
    }

    #[test]
    fn what_the_server_must_not_send() {
        let mut session = Conversation::open(Eio::V4);
        for packet in ["", "0{}", "2x", "3", "3probe", "5", "6x", "7", "1x"] {
            session.refused(packet);
        }
        let mut session = Conversation::open(Eio::V3);
        for packet in ["2", "3x", "bAQI=", "5"] {
            session.refused(packet);
        }
        session.text("1", Step::Closed);
        session.refused("4x");
        assert_eq!(session.session.deadline(), None);
    }

    #[test]
    fn what_is_no_open_packet() {
        let binary = RawPacket::Binary(br#"0{"sid":"x"}"#);
        for packet in [RawPacket::Text(b"40"), RawPacket::Text(b"0{}"), binary] {
            let refusal = Session::open(Eio::V4, None, Instant::now(), packet).unwrap_err();
            assert!(refusal.to_string().starts_with("not an open packet"), "{refusal}");
        }
    }

    #[test]
    fn a_session_without_a_heartbeat_and_one_that_waits_for_ever() {
        let now = Instant::now();
        let packet = RawPacket::Text(br#"0{"sid":"x"}"#);
        let (session, _) = Session::open(Eio::V3, Some(SECOND), now, packet).unwrap();
        assert_eq!(session.deadline(), None);
        let (mut session, _) = Session::open(Eio::V4, None, now, RawPacket::Text(OPEN)).unwrap();
        assert_eq!(session.deadline(), None);
        assert_eq!(session.on_deadline(now + 3600 * SECOND), Due::Nothing);
    }

    #[test]
    fn an_upgrade() {
        let mut session = Conversation::open(Eio::V4).session;
        assert_eq!(session.upgrade(), None);
        assert!(session.on_probe_packet(RawPacket::Text(b"3probe")).is_err());
        assert_eq!(session.start_probe(), "2probe");
        assert_eq!(session.upgrade(), None);
        assert!(session.on_probe_packet(RawPacket::Text(b"3")).is_err());
        session.abandon_probe();
        assert!(session.on_probe_packet(RawPacket::Text(b"3probe")).is_err());
        session.start_probe();
        session.on_probe_packet(RawPacket::Text(b"3probe")).unwrap();
        assert_eq!(session.upgrade(), Some("5"));
        assert_eq!(session.upgrade(), None);
    }
}
