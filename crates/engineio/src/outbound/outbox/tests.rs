//! What a queue does by itself, without a session.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use bytes::Bytes;
use engineio_proto::{HEADROOM, PacketType, Part};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::limits::Limit;
use crate::outbound::backlog::Backlog;

fn bounds() -> Bounds {
    Bounds {
        bytes: 1024,
        packets: 8,
        packets_per_poll: usize::MAX,
        pongs: 2,
        policy: OverflowPolicy::Disconnect,
        backlog: Box::new(Backlog::new(usize::MAX)),
    }
}

fn outbox() -> Outbox {
    Outbox::new(Arc::new(bounds()), Protocol::V4)
}

fn outbox_with(policy: OverflowPolicy) -> Outbox {
    Outbox::new(Arc::new(Bounds { policy, ..bounds() }), Protocol::V4)
}

/// A packet that carries state.
fn state(text: &str) -> Outgoing {
    Outgoing::packet(PacketType::Message, text)
}

/// One that may be dropped.
fn event(text: &str) -> Outgoing {
    state(text).droppable(true)
}

fn with_attachments(text: &str, attachments: &[&'static [u8]]) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    Outgoing::message(buffer, HEADROOM, attachments)
}

/// What became of a packet, what was done for it, and what is left to its sender.
fn pushed(outbox: &Outbox, packet: Outgoing) -> (Push, Evicted, FlushAction) {
    let mut evicted = Evicted::default();
    let (push, action) = outbox.push(packet, None, false, &mut evicted);
    (push, evicted, action)
}

/// The texts of what waits, in order.
fn texts(outbox: &Outbox) -> Vec<String> {
    let (packets, _) = outbox.take(0);
    let text = |packet: &Outgoing| match packet.parts().next() {
        Some(Part::Text(text)) => String::from_utf8_lossy(&text[1..]).into_owned(),
        other => panic!("no text: {other:?}"),
    };
    packets.iter().map(text).collect()
}

fn push(outbox: &Outbox, text: &str, volatile: bool) -> Push {
    let packet = Outgoing::packet(PacketType::Message, text).volatile(volatile);
    outbox.push(packet, None, false, &mut Evicted::default()).0
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

#[test]
fn a_full_queue_ends_the_session() {
    let outbox = outbox();
    for n in 0..8 {
        let (push, evicted, _) = pushed(&outbox, event("x"));
        assert_eq!((push, evicted.limit), (Push::Queued, None), "{n}");
    }
    assert!(!outbox.overflowed());
    let (push, evicted, action) = pushed(&outbox, event("x"));
    assert_eq!((push, action), (Push::Closed, FlushAction::Wake));
    assert_eq!(evicted.limit, Some(Limit::OutboundPackets));
    assert_eq!(evicted.removed.map(|removed| removed.packets.len()), Some(8));
    assert!(outbox.overflowed());
    assert_eq!((outbox.bytes(), flush(&outbox)), (0, Vec::new()));
    assert_eq!(pushed(&outbox, state("x")).0, Push::Closed);
}

#[test]
fn the_bound_of_bytes() {
    // with its type a text has one byte more
    for (second, limit) in [(522, None), (523, Some(Limit::OutboundBytes))] {
        let outbox = outbox_with(OverflowPolicy::DropNewest);
        assert_eq!(pushed(&outbox, event(&"x".repeat(500))).0, Push::Queued);
        let (push, evicted, _) = pushed(&outbox, event(&"x".repeat(second)));
        assert_eq!(evicted.limit, limit);
        assert_eq!(push, if limit.is_some() { Push::Dropped } else { Push::Queued });
        assert_eq!(outbox.bytes(), if limit.is_some() { 501 } else { 1024 });
    }
    // alone it may be as large as it likes
    let outbox = outbox();
    assert_eq!(pushed(&outbox, event(&"x".repeat(5000))).0, Push::Queued);
}

#[test]
fn state_is_queued_up_to_twice_the_bounds() {
    let outbox = outbox_with(OverflowPolicy::DropNewest);
    for n in 0..17 {
        assert_eq!(pushed(&outbox, state("x")).0, Push::Queued, "{n}");
    }
    let (push, evicted, action) = pushed(&outbox, state("x"));
    assert_eq!((push, action), (Push::Closed, FlushAction::Wake));
    assert_eq!(evicted.limit, Some(Limit::OutboundPackets));

    let outbox = outbox_with(OverflowPolicy::DropNewest);
    assert_eq!(pushed(&outbox, state(&"x".repeat(2047))).0, Push::Queued);
    assert_eq!(pushed(&outbox, state("x")).0, Push::Queued);
    let (push, evicted, _) = pushed(&outbox, state("x"));
    assert_eq!((push, evicted.limit), (Push::Closed, Some(Limit::OutboundBytes)));
}

#[test]
fn the_newest_is_dropped() {
    let outbox = outbox_with(OverflowPolicy::DropNewest);
    (0..8).for_each(|n| assert_eq!(pushed(&outbox, event(&n.to_string())).0, Push::Queued));
    let (push, evicted, action) = pushed(&outbox, event("8"));
    assert_eq!((push, action), (Push::Dropped, FlushAction::Nothing));
    assert_eq!((evicted.dropped, evicted.removed.is_none()), (0, true));
    assert_eq!(texts(&outbox), ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn the_oldest_that_may_be_is_dropped() {
    let outbox = outbox_with(OverflowPolicy::DropOldest);
    let kept = event("kept").when_full(Some(OverflowPolicy::Disconnect));
    assert_eq!(pushed(&outbox, state("state")).0, Push::Queued);
    assert_eq!(pushed(&outbox, kept).0, Push::Queued);
    (0..6).for_each(|n| assert_eq!(pushed(&outbox, event(&n.to_string())).0, Push::Queued));
    let (push, evicted, _) = pushed(&outbox, event("6"));
    assert_eq!((push, evicted.dropped), (Push::Queued, 1));
    assert_eq!(evicted.removed.map(|removed| removed.packets.len()), Some(1));
    assert_eq!(texts(&outbox), ["state", "kept", "1", "2", "3", "4", "5", "6"]);
    // nothing may go
    (0..8).for_each(|_| assert_eq!(pushed(&outbox, state("s")).0, Push::Queued));
    assert_eq!(pushed(&outbox, event("late")).0, Push::Dropped);
    // one that is large takes the room of many
    let outbox = outbox_with(OverflowPolicy::DropOldest);
    (0..4).for_each(|_| assert_eq!(pushed(&outbox, event(&"x".repeat(249))).0, Push::Queued));
    let (push, evicted, _) = pushed(&outbox, event(&"y".repeat(599)));
    assert_eq!((push, evicted.dropped, outbox.bytes()), (Push::Queued, 3, 250 + 600));
}

#[test]
fn what_is_partly_written_is_not_dropped() {
    let outbox = outbox_with(OverflowPolicy::DropOldest);
    (0..8).for_each(|n| assert_eq!(pushed(&outbox, event(&n.to_string())).0, Push::Queued));
    let mut sent = Vec::new();
    let flushed = outbox.flush_with(&mut 0, |slices| match sent.is_empty() {
        true => {
            sent.extend_from_slice(&slices[0][..3]);
            Ok(3)
        }
        false => Err(io::ErrorKind::WouldBlock.into()),
    });
    assert!(!flushed.unwrap());
    assert_eq!(outbox.written(), 1, "some progress, and no whole packet");
    let (push, evicted, _) = pushed(&outbox, event("8"));
    assert_eq!((push, evicted.dropped), (Push::Queued, 1));
    sent.extend(flush(&outbox));
    let frames = ["0", "2", "3", "4", "5", "6", "7", "8"].map(|n| format!("\u{2}4{n}"));
    let expected: Vec<u8> =
        frames.iter().flat_map(|frame| [&[0x81], frame.as_bytes()].concat()).collect();
    assert_eq!(sent, expected);
}

#[test]
fn however_little_is_taken_the_bytes_are_the_same() {
    let push_all = |outbox: &Outbox| {
        assert_eq!(pushed(outbox, state("a")).0, Push::Queued);
        assert_eq!(pushed(outbox, with_attachments("51-", &[b"one", b""])).0, Push::Queued);
        assert_eq!(pushed(outbox, Outgoing::binary_message("bytes".into())).0, Push::Queued);
        assert_eq!(pushed(outbox, state("z")).0, Push::Queued);
    };
    let whole = outbox();
    push_all(&whole);
    let expected = b"\x81\x024a\x81\x04451-\x82\x03one\x82\x00\x82\x05bytes\x81\x024z";
    assert_eq!(flush(&whole), expected);
    for most in 1..expected.len() {
        let outbox = outbox();
        push_all(&outbox);
        let (mut sent, mut packets) = (Vec::new(), 0);
        let flushed = outbox.flush_with(&mut packets, |slices| {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let count = all.len().min(most);
            sent.extend_from_slice(&all[..count]);
            Ok(count)
        });
        assert!(flushed.unwrap());
        assert_eq!((&sent[..], packets, outbox.bytes()), (&expected[..], 4, 0), "{most}");
    }
}

#[test]
fn a_stream_that_takes_nothing_is_broken() {
    let outbox = outbox();
    assert_eq!(pushed(&outbox, state("a")).0, Push::Queued);
    let error = outbox.flush_with(&mut 0, |_| Ok(0)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    let error = outbox.flush_with(&mut 0, |_| Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// A plain TCP connection is written by whoever pushes.
#[tokio::test]
async fn the_direct_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (connected, accepted) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (mut peer, (_read, half)) = (connected.unwrap(), accepted.unwrap().0.into_split());
    let bounds = Bounds { bytes: 64 << 20, ..bounds() };
    let outbox = Outbox::new(Arc::new(bounds), Protocol::V4);
    assert_eq!(pushed(&outbox, state("0")).2, FlushAction::Nothing, "the driver has it");
    outbox.set_direct(half);
    let push =
        |text: &str, in_turn| outbox.push(state(text), None, in_turn, &mut Evicted::default()).1;
    assert_eq!(outbox.write_state(), WriteState::Busy);
    assert_eq!(push("1", true), FlushAction::List);
    assert_eq!(push("2", true), FlushAction::Nothing, "it is listed");
    let idle = Flushed { state: WriteState::Idle, needs_driver: false, packets: 3 };
    assert_eq!(outbox.flush(), idle);
    assert_eq!(outbox.flush(), Flushed { packets: 0, ..idle });
    let mut read = [0; 12];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"\x81\x0240\x81\x0241\x81\x0242");
    assert_eq!(push("3", false), FlushAction::Flush);
    assert_eq!(outbox.flush(), Flushed { packets: 1, ..idle });
    // much is written before the turn is over
    assert_eq!(push(&"x".repeat(64 * 1024), true), FlushAction::Flush);
    assert_eq!(outbox.flush(), Flushed { packets: 1, ..idle });
    // more than a socket takes
    assert_eq!(push(&"x".repeat(32 << 20), false), FlushAction::Flush);
    let blocked = Flushed { state: WriteState::Blocked, needs_driver: true, packets: 0 };
    assert_eq!(outbox.flush(), blocked);
    assert_eq!(outbox.flush(), Flushed { needs_driver: false, ..blocked });
    assert_eq!(push("4", false), FlushAction::Nothing, "the driver waits");
    outbox.unblock();
    assert_eq!(outbox.write_state(), WriteState::Busy);
    outbox.discard();
    assert_eq!(outbox.bytes(), 0);
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 32 << 20, "the direction ended with what was written");
}

#[test]
fn a_gate_opens_and_closes_in_step() {
    let (outbox, gate) = (outbox(), Gate::new());
    let push = |text: &str| outbox.push(state(text), Some(&gate), false, &mut Evicted::default()).0;
    assert_eq!(push("early"), Push::Closed);
    assert!(outbox.open_gate(&gate, &state("open"), &[], false).0 && gate.is_open());
    assert_eq!(push("within"), Push::Queued);
    assert!(outbox.close_gate(&gate, Some(&state("close")), false).0 && !gate.is_open());
    assert_eq!(push("late"), Push::Closed);
    assert!(!outbox.close_gate(&gate, Some(&state("twice")), false).0);
    assert_eq!(texts(&outbox), ["open", "within", "close"]);

    assert!(outbox.open_gate(&gate, &state("open"), &[], false).0);
    outbox.close(None);
    assert!(outbox.close_gate(&gate, Some(&state("close")), false).0, "but nothing follows");
    assert!(!outbox.open_gate(&gate, &state("again"), &[], false).0 && !gate.is_open());
    assert_eq!(texts(&outbox), ["open"]);
}

#[test]
fn a_poll_takes_what_one_answer_may_have() {
    let bounds = Bounds { packets_per_poll: 3, ..bounds() };
    let outbox = Outbox::new(Arc::new(bounds), Protocol::V4);
    assert!(outbox.park());
    assert_eq!(pushed(&outbox, state("a")).2, FlushAction::Wake);
    assert!(!outbox.park());
    for packet in [with_attachments("b", &[b"1"]), with_attachments("c", &[b"2", b"3", b"4"])] {
        assert_eq!(pushed(&outbox, packet).2, FlushAction::Nothing);
    }
    let take = |beside| {
        let (packets, is_left) = outbox.take(beside);
        (packets.iter().map(Outgoing::part_count).collect::<Vec<_>>(), is_left)
    };
    assert_eq!(take(2), (vec![1], true));
    assert_eq!(take(0), (vec![2], true));
    assert_eq!(take(0), (vec![3], true), "cut");
    assert_eq!(take(0), (vec![1], false), "the rest of it");
    assert_eq!(outbox.bytes(), 0);
    assert!(outbox.park());
    outbox.unpark();
    assert_eq!(push(&outbox, "volatile", true), Push::Dropped);
}

#[test]
fn pongs_take_each_others_places() {
    let outbox = outbox();
    let pong = |byte: u8| outbox.push_pong(Outgoing::control_frame(vec![0x8a, 1, byte])).0;
    assert_eq!([pong(b'a'), pong(b'b'), pong(b'c')], [false, false, true]);
    assert_eq!(outbox.bytes(), 6);
    assert_eq!(flush(&outbox), b"\x8a\x01a\x8a\x01c");
    assert!(!pong(b'd'), "those are written");
    outbox.close(None);
    assert!(!pong(b'e'));
    assert_eq!(flush(&outbox), b"\x8a\x01d");
}

#[test]
fn what_goes_before_all() {
    let outbox = outbox();
    assert_eq!(pushed(&outbox, state("a")).0, Push::Queued);
    outbox.precede(b"first".to_vec());
    assert_eq!(outbox.bytes(), 5 + 2);
    assert_eq!(flush(&outbox), b"first\x81\x024a");
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn the_end_of_a_queue() {
    let outbox = outbox();
    assert_eq!(pushed(&outbox, state("a")).0, Push::Queued);
    assert!(outbox.has_messages());
    outbox.close(Some(Outgoing::control_frame(b"end".to_vec())));
    assert_eq!(pushed(&outbox, state("b")).0, Push::Closed);
    assert_eq!(flush(&outbox), b"\x81\x024aend");
    assert!(!outbox.has_messages());

    let outbox = self::outbox();
    assert_eq!(pushed(&outbox, state("a")).0, Push::Queued);
    assert!(outbox.cut() && outbox.overflowed() && !outbox.cut());
    outbox.close(Some(state("late")));
    assert_eq!((outbox.bytes(), flush(&outbox)), (0, Vec::new()));
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_room_is_told() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let count = || woken.0.load(Ordering::Relaxed);
    for end in [
        Outbox::discard,
        |outbox: &Outbox| outbox.close(None),
        |outbox: &Outbox| {
            drop(outbox.take(0));
        },
    ] {
        let (outbox, before) = (outbox(), count());
        let is_ready = || outbox.poll_writable(&mut Context::from_waker(&waker)).is_ready();
        (0..4).for_each(|_| assert_eq!(pushed(&outbox, state("x")).0, Push::Queued));
        assert!(is_ready(), "a half is no more than a half");
        assert_eq!(pushed(&outbox, state("x")).0, Push::Queued);
        assert!(!is_ready() && !is_ready());
        assert_eq!(count(), before);
        end(&outbox);
        assert_eq!(count(), before + 1, "once, however often it asked");
        assert!(is_ready());
    }
}

#[test]
fn what_nobody_is_about_to_write_is_counted() {
    let bounds = Arc::new(Bounds { backlog: Box::new(Backlog::new(10)), ..bounds() });
    let backlog = || bounds.backlog.bytes();
    let outbox = Outbox::new(Arc::clone(&bounds), Protocol::V4);
    assert_eq!(pushed(&outbox, state("nine9999")).2, FlushAction::Nothing);
    assert_eq!((backlog(), bounds.backlog.is_over()), (9, false));
    assert_eq!(pushed(&outbox, state("9")).2, FlushAction::Wake, "too much waits");
    assert_eq!((backlog(), bounds.backlog.is_over()), (11, true));
    assert!(bounds.backlog.claim() && !bounds.backlog.claim());
    assert_eq!(flush(&outbox).len(), 11 + 4);
    assert_eq!(backlog(), 0);
    // from here on somebody writes
    assert_eq!(pushed(&outbox, state("more than all may")).2, FlushAction::Wake);
    assert_eq!(backlog(), 0);
    let flushed = outbox.flush_with(&mut 0, |_| Err(io::ErrorKind::WouldBlock.into()));
    assert!(!flushed.unwrap());
    assert_eq!(backlog(), 18);
    outbox.discard();
    assert_eq!(backlog(), 0);
}
