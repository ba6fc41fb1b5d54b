//! The session as conversations on a clock moved by hand.

#![expect(
    clippy::disallowed_methods,
    reason = "a clock begins somewhere, and is moved by hand then"
)]

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
    c.packet(350, P::Pong, Step::Answered);
    c.deadline(Some(650)); // an interval after the pong
    c.packet(400, P::Pong, Step::Nothing); // nobody asked
    c.deadline(Some(650));
    c.due(650, Due::SendPing);
    c.due(849, Due::Nothing);
    c.due(850, Due::Close(CloseReason::PingTimeout));
    c.deadline(None);
}

#[test]
fn a_ping_out_of_time_is_a_heartbeat() {
    let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
    c.session.on_ping_sent(c.at(100));
    c.deadline(Some(300));
    c.packet(150, P::Pong, Step::Answered);
    c.deadline(Some(450)); // an interval after the pong
    c.due(450, Due::SendPing);
    c.session.on_ping_sent(c.at(500)); // prolongs nothing
    c.deadline(Some(650));
    assert_eq!(c.session.unanswered(), 2);
    c.packet(600, P::Pong, Step::Answered);
    c.packet(600, P::Pong, Step::Answered);
    c.packet(600, P::Pong, Step::Nothing);
    c.deadline(Some(900));
    assert_eq!(c.session.unanswered(), 0);
    c.session.on_ping_sent(c.at(700));
    c.due(900, Due::Close(CloseReason::PingTimeout));
}

#[test]
fn the_wait_for_a_pong_counts_from_when_the_ping_was_due() {
    let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
    c.due(302, Due::SendPing);
    c.deadline(Some(502));
    let mut c = Conversation::new(Protocol::V4, TransportKind::WebSocket);
    c.due(1000, Due::SendPing); // very late: all of the time is left
    c.deadline(Some(1200));
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
    assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
    assert!(!c.session.on_probe_open(c.at(1), TransportKind::WebSocket), "one probe at a time");
    c.probe(10, "2probe", ProbeStep::Answer);
    c.due(109, Due::Nothing);
    c.due(110, Due::ReleasePoll);
    c.due(110, Due::Nothing);
    c.due(210, Due::ReleasePoll);
    c.probe(220, "5", ProbeStep::Switch);
    assert_eq!(c.session.transport(), TransportKind::WebSocket);
    assert!(!c.session.on_probe_open(c.at(230), TransportKind::WebSocket), "no way back");
    c.deadline(Some(300));
}

#[test]
fn an_upgrade_needs_no_probe() {
    for protocol in [Protocol::V3, Protocol::V4] {
        let mut c = Conversation::new(protocol, TransportKind::Polling);
        c.probe(0, "5", ProbeStep::Refuse); // on no WebSocket at all
        assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
        c.probe(10, "5", ProbeStep::Switch);
        assert_eq!(c.session.transport(), TransportKind::WebSocket);
    }
}

#[test]
fn each_probe_is_answered_to_a_bound() {
    let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
    assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
    for ms in 0..16 {
        c.probe(ms, "2probe", ProbeStep::Answer);
    }
    c.due(115, Due::ReleasePoll); // after the last one
    c.probe(120, "2probe", ProbeStep::Refuse);
    assert!(c.session.is_open());
}

#[test]
fn an_upgrade_goes_on_when_the_session_is_closed() {
    let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
    assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
    c.probe(10, "2probe", ProbeStep::Answer);
    c.session.close();
    c.deadline(Some(110));
    c.due(110, Due::ReleasePoll);
    c.probe(120, "5", ProbeStep::Switch);
    assert_eq!(c.session.transport(), TransportKind::WebSocket);
    c.deadline(None);
    // or is given up, as any other
    let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
    c.session.close();
    assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
    c.due(1000, Due::RefuseProbe);
    c.due(10_000, Due::Nothing);
}

#[test]
fn a_bad_probe_leaves_the_session_alone() {
    for bad in ["2", "2prob", "42[\"e\"]", "1"] {
        let mut c = Conversation::new(Protocol::V4, TransportKind::Polling);
        assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
        c.probe(1, bad, ProbeStep::Refuse);
        assert!(c.session.is_open());
        assert!(c.session.on_probe_open(c.at(2), TransportKind::WebSocket), "another may follow");
    }
}

#[test]
fn a_probe_that_is_not_decided_times_out() {
    let mut c = Conversation::new(Protocol::V3, TransportKind::Polling);
    assert!(c.session.on_probe_open(c.at(0), TransportKind::WebSocket));
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
    c.session.close();
    c.packet(20, P::Message, Step::Nothing);
    c.due(10_000, Due::Nothing);
    c.deadline(None);
}
