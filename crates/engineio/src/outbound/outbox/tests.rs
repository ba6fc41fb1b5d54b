//! What a queue does by itself, without a session.

use engineio_proto::PacketType;

use super::*;
use crate::outbound::backlog::Backlog;

fn outbox() -> Outbox {
    let bounds = Bounds {
        bytes: 1024,
        packets: 8,
        packets_per_poll: usize::MAX,
        pongs: 2,
        policy: OverflowPolicy::Disconnect,
        backlog: Box::new(Backlog::new(usize::MAX)),
    };
    Outbox::new(Arc::new(bounds), Protocol::V4)
}

fn push(outbox: &Outbox, text: &str, volatile: bool) -> Push {
    let packet = Outgoing::packet(PacketType::Message, text);
    outbox.push(packet, None, volatile, false, &mut Evicted::default()).0
}

fn flush(outbox: &Outbox) -> Vec<u8> {
    let mut sent = Vec::new();
    let flushed = outbox.flush_with(&mut 0, |slices| {
        let before = sent.len();
        slices.iter().for_each(|slice| sent.extend_from_slice(slice));
        Ok(sent.len() - before)
    });
    assert!(flushed.unwrap());
    sent
}

/// The peer may have read the last packet, and said so to somebody who emits, before its writer
/// has seen that it is written.
#[test]
fn a_volatile_packet_follows_one_that_is_just_being_written() {
    let outbox = outbox();
    assert_eq!(flush(&outbox), b"");
    assert_eq!(push(&outbox, "first", false), Push::Queued);
    let mut pushed = None;
    let flushed = outbox.flush_with(&mut 0, |slices| {
        pushed.get_or_insert_with(|| push(&outbox, "second", true));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    });
    assert!(flushed.unwrap());
    assert_eq!(pushed, Some(Push::Queued));
    assert_eq!(outbox.bytes(), 0, "it was written, too");
}

/// Whatever else a turn sends, or somebody else at the same time.
#[test]
fn a_volatile_packet_follows_those_that_are_about_to_be_written() {
    let outbox = outbox();
    assert_eq!(flush(&outbox), b"");
    assert_eq!(push(&outbox, "first", false), Push::Queued);
    assert_eq!(push(&outbox, "second", true), Push::Queued);
    assert_eq!(flush(&outbox), b"\x81\x064first\x81\x074second");
}

/// What can be lost takes no room from what cannot.
#[test]
fn volatile_packets_fill_no_queue() {
    let outbox = outbox();
    assert_eq!(flush(&outbox), b"");
    let pushed: Vec<_> = (0..9).map(|_| push(&outbox, "", true)).collect();
    assert_eq!(pushed[..5], [Push::Queued; 5]);
    assert_eq!(pushed[5..], [Push::Dropped; 4]);
    assert_eq!(push(&outbox, "", false), Push::Queued);
}

#[test]
fn a_volatile_packet_does_not_wait_for_a_socket_that_is_full() {
    let outbox = outbox();
    assert_eq!(push(&outbox, "first", false), Push::Queued);
    let flushed = outbox.flush_with(&mut 0, |_| Err(io::ErrorKind::WouldBlock.into()));
    assert!(!flushed.unwrap());
    assert_eq!(push(&outbox, "second", true), Push::Dropped);
    assert_eq!(flush(&outbox), b"\x81\x064first");
}
