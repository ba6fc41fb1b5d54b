//! An upgrade, as the one who drives a session sees it.

#![expect(
    clippy::disallowed_methods,
    reason = "a clock begins somewhere, and is moved by hand then"
)]

use std::time::{Duration, Instant};

use engineio_proto::{
    Due, Packet, PacketType, ProbeStep, Protocol, Session, Step, Times, TransportKind,
};

fn polling(now: Instant) -> Session {
    Session::new(now, Protocol::V4, TransportKind::Polling, Times::default())
}

#[track_caller]
fn probe(session: &mut Session, now: Instant, text: &str, expected: ProbeStep) {
    let packet = Packet::from_text(Protocol::V4, text).expect("a packet");
    assert_eq!(session.on_probe_packet(now, &packet), expected, "{text}");
}

#[test]
fn a_probe_that_ends_leaves_room_for_another() {
    let now = Instant::now();
    let mut session = polling(now);
    assert!(!session.is_upgrading());
    for _ in 0..2 {
        assert!(session.on_probe_open(now, TransportKind::WebSocket));
        assert!(session.is_upgrading());
        session.on_probe_end();
        assert!(!session.is_upgrading());
    }
    assert_eq!(session.transport(), TransportKind::Polling);
}

#[test]
fn an_upgrade_is_over_with_the_switch() {
    let now = Instant::now();
    let mut session = polling(now);
    assert_eq!(session.protocol(), Protocol::V4);
    assert!(session.on_probe_open(now, TransportKind::WebSocket));
    probe(&mut session, now, "2probe", ProbeStep::Answer);
    assert!(session.is_upgrading());
    probe(&mut session, now, "5", ProbeStep::Switch);
    assert!(!session.is_upgrading());
    assert_eq!(session.transport(), TransportKind::WebSocket);
}

/// Whatever else comes on an answered probe is no decision.
#[test]
fn an_answered_probe_decides_by_an_upgrade_only() {
    for other in ["42[\"e\"]", "1", "3probe", "6"] {
        let now = Instant::now();
        let mut session = polling(now);
        assert!(session.on_probe_open(now, TransportKind::WebSocket));
        probe(&mut session, now, "2probe", ProbeStep::Answer);
        probe(&mut session, now, other, ProbeStep::Refuse);
        assert_eq!(session.transport(), TransportKind::Polling, "{other}");
        assert!(session.is_open() && !session.is_upgrading());
    }
}

/// Who looks at the time late finds a peer that has been silent for too long, though nobody has
/// ended the session yet.
#[test]
fn a_peer_is_overdue_from_its_deadline_on() {
    let now = Instant::now();
    let Times { ping_interval, ping_timeout, .. } = Times::default();
    let mut session = polling(now);
    let ping_at = now + ping_interval;
    assert!(!session.is_overdue(ping_at));
    assert_eq!(session.on_deadline(ping_at), Due::SendPing);
    let end = ping_at + ping_timeout;
    assert!(!session.is_overdue(end - Duration::from_millis(1)));
    assert!(session.is_overdue(end));
    assert_eq!(session.on_packet(end, PacketType::Pong), Step::Answered);
    assert!(!session.is_overdue(end));
}
