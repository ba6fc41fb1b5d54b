//! What is sent from several places at a time keeps its order, its neighbours, and its gates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use engineio::{Gate, HEADROOM, Message, Options, Outgoing, Push, Socket};
use testkit::{Eio, Frame, Polling, WebSocket, open_websocket};

use crate::host::{Host, Log, Road, s};

const THREADS: usize = 3;

fn event(text: &str, attachments: Vec<Bytes>) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    Outgoing::message(buffer, HEADROOM, attachments).droppable(true)
}

async fn host_on(road: Road) -> Host {
    let log = Log::default();
    let mut options = Options::default();
    options.max_outbound_packets = 1_000_000;
    options.ping_interval = s(3600); // on a busy machine these take long
    Host::on(road, options, log.clone(), log.application(|_, _| {})).await
}

async fn text(client: &mut WebSocket) -> String {
    match client.next().await {
        Frame::Text(text) => text[1..].to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Pushes from threads of their own, as fast as they can without losing anything.
fn in_threads(
    socket: &Socket,
    push: impl Fn(&Socket, usize) + Clone + Send + 'static,
) -> Vec<std::thread::JoinHandle<()>> {
    let start = |thread| {
        let (socket, push) = (socket.clone(), push.clone());
        std::thread::spawn(move || push(&socket, thread))
    };
    (0..THREADS).map(start).collect()
}

/// Waits while the queue is long; the tests' producers are no runtime tasks.
fn wait_for_room(socket: &Socket) {
    while socket.queued_bytes() > 200_000 {
        std::thread::yield_now();
    }
}

async fn attachments_stay_with_their_packets(road: Road) {
    const COUNT: usize = 200;
    let host = host_on(road).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let threads = in_threads(&host.socket(), |socket, thread| {
        for number in 0..COUNT {
            wait_for_room(socket);
            let size = if number % 10 == 0 { 20_000 } else { 3 };
            let attachments = vec![
                Bytes::from(format!("{thread}:{number}:a{}", "x".repeat(size))),
                Bytes::from(format!("{thread}:{number}:b")),
            ];
            let packet = event(&format!("{thread}:{number}"), attachments);
            assert_eq!(socket.push(packet.clone()), Push::Queued);
        }
    });
    let mut next = [0; THREADS];
    for _ in 0..COUNT * THREADS {
        let head = text(&mut client).await;
        let (thread, number) = head.split_once(':').unwrap();
        let (thread, number): (usize, usize) = (thread.parse().unwrap(), number.parse().unwrap());
        assert_eq!(number, next[thread], "the order of one thread");
        next[thread] += 1;
        for part in ["a", "b"] {
            let Frame::Binary(binary) = client.next().await else { panic!("after {head}") };
            assert!(binary.starts_with(format!("{head}:{part}").as_bytes()), "after {head}");
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(client);
    host.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_stay_with_their_packets_over_tcp() {
    attachments_stay_with_their_packets(Road::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_stay_with_their_packets_over_other_streams() {
    attachments_stay_with_their_packets(Road::Boxed).await;
}

async fn nothing_passes_a_closed_gate(road: Road) {
    const ROUNDS: usize = 50;
    let host = host_on(road).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let (gate, passed) = (Arc::new(Gate::new()), Arc::new(AtomicUsize::new(0)));
    let socket = host.socket();
    let threads = {
        let (gate, passed) = (Arc::clone(&gate), Arc::clone(&passed));
        in_threads(&socket, move |socket, thread| {
            loop {
                wait_for_room(socket);
                let packet = event(&format!("event {thread}"), Vec::new());
                match socket.push_gated(&gate, packet) {
                    Push::Queued => drop(passed.fetch_add(1, Ordering::Relaxed)),
                    _ if !socket.is_open() => return,
                    _ => std::thread::yield_now(),
                }
            }
        })
    };
    let switching = std::thread::spawn(move || {
        assert!(!socket.close_gate(&gate, None), "gates are closed at first");
        for _ in 0..ROUNDS {
            wait_for_room(&socket);
            let before = passed.load(Ordering::Relaxed);
            assert!(socket.open_gate(&gate, &event("open", Vec::new())));
            assert!(gate.is_open());
            // a busy machine may not let the others run at once
            while passed.load(Ordering::Relaxed) == before {
                std::thread::yield_now();
            }
            assert!(socket.close_gate(&gate, Some(&event("close", Vec::new()))));
            assert!(!socket.close_gate(&gate, Some(&event("close", Vec::new()))));
        }
        assert_eq!(socket.push(event("end", Vec::new())), Push::Queued);
    });
    let (mut is_open, mut opened, mut events) = (false, 0, 0);
    loop {
        match text(&mut client).await.as_str() {
            "open" => {
                assert!(!is_open);
                (is_open, opened) = (true, opened + 1);
            }
            "close" => {
                assert!(is_open);
                is_open = false;
            }
            "end" => break,
            event => {
                assert!(is_open, "{event} passed a closed gate");
                events += 1;
            }
        }
    }
    assert_eq!((opened, is_open), (ROUNDS, false));
    assert!(events >= ROUNDS, "{events} events in {ROUNDS} rounds");
    drop(client);
    host.log.closed().await;
    switching.join().unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    host.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_passes_a_closed_gate_over_tcp() {
    nothing_passes_a_closed_gate(Road::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_passes_a_closed_gate_over_other_streams() {
    nothing_passes_a_closed_gate(Road::Boxed).await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_of_a_session_that_is_over() {
    let host = Host::silent(Options::default());
    let (client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let (socket, gate) = (host.socket(), Gate::new());
    assert!(socket.open_gate(&gate, &event("open", Vec::new())));
    drop(client);
    host.log.closed().await;
    host.expect_no_sessions().await;
    assert!(socket.close_gate(&gate, Some(&event("close", Vec::new()))));
    assert!(!socket.open_gate(&gate, &event("open", Vec::new())));
    assert!(!gate.is_open());
    host.end().await;
}

/// A broadcast: each message goes to all sessions, from inside of the one that got it.
async fn broadcast(road: Road, clients: usize) {
    let log = Log::default();
    let to_all = {
        let log = log.clone();
        move |_: &Socket, message: Message<'_>| {
            let Message::Text(text) = message else { panic!() };
            let packets = [event(text, Vec::new()), event("and", vec![Bytes::from_static(b"!")])];
            for packet in &packets {
                for socket in log.sockets() {
                    let _ = socket.push(packet.clone());
                }
            }
        }
    };
    let host = Host::on(road, Options::default(), log.clone(), log.application(to_all)).await;
    let mut polling = Polling::open(&host.net, Eio::V4, "").await;
    let mut websockets = Vec::new();
    for _ in 0..clients {
        websockets.push(open_websocket(&host.net, Eio::V4, "").await.0);
    }
    let mut poll = polling.poll_later().await;
    websockets[0].send_text("4hello").await;
    assert_eq!(poll.read_response().await.text(), "4hello\u{1e}4and\u{1e}bIQ==");
    for client in &mut websockets {
        client.expect_text("4hello").await;
        client.expect_text("4and").await;
        client.expect_binary(b"!").await;
    }
    polling.post(["4from a POST"]).await;
    for client in &mut websockets {
        client.expect_text("4from a POST").await;
    }
    // it has not fetched its own, which the end of the server would wait for
    polling.post(["1"]).await;
    drop(websockets);
    host.end().await;
}

roads! {
    /// Its caller may hold a lock meanwhile, wherever it is called.
    async fn a_fan_out_is_written_when_all_of_it_is_queued(road: Road) {
        let host = host_on(road).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        let socket = host.socket();
        let fan_out = move || {
            engineio::fan_out(|| {
                for size in [10, 1_000_000] {
                    assert_eq!(socket.push(event(&"x".repeat(size), Vec::new())), Push::Queued);
                }
                assert_eq!(socket.queued_bytes(), 1_000_012, "nothing is written yet");
            });
        };
        tokio::task::spawn_blocking(fan_out).await.unwrap();
        assert_eq!(text(&mut client).await.len(), 10);
        assert_eq!(text(&mut client).await.len(), 1_000_000);
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn messages_go_to_other_sessions(road: Road) {
        broadcast(road, 3).await;
    }
}

roads! {
    /// More than one portion, so that other workers help.
    async fn messages_go_to_many_other_sessions(road: Road) {
        broadcast(road, 200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_by_one_task_keeps_its_order() {
    let host = Host::silent(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V3, "").await;
    for number in 0..1000 {
        host.say(&number.to_string());
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for number in 0..1000 {
        client.expect_text(&format!("4{number}")).await;
    }
    assert_eq!(host.stats().packets_out, 1001); // and the open packet
    drop(client);
    host.end().await;
}

/// The session whose turn it is has no longer queue than the others: all of it is written between two
/// fan-outs.
#[tokio::test(flavor = "multi_thread")]
async fn many_fan_outs_in_one_turn_are_no_slow_consumer() {
    const COUNT: usize = 15_000; // more than may wait
    let log = Log::default();
    let burst = |socket: &Socket, _: Message<'_>| {
        for number in 0..COUNT {
            let packet = event(&number.to_string(), Vec::new());
            engineio::fan_out(|| assert_eq!(socket.push(packet), Push::Queued));
        }
    };
    let host = Host::on(Road::Tcp, Options::default(), log.clone(), log.application(burst)).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    client.send_text("4go").await;
    for number in 0..COUNT {
        client.expect_text(&format!("4{number}")).await;
    }
    drop(client);
    host.end().await;
}
