//! Clients that send faster than they are served: reading pauses, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use engineio::{Application, CloseDetail, CloseReason, Context, Message, Options, Socket};
use testkit::{Eio, Frame, Polling, frame, open_websocket, settle};

use crate::host::{Host, Log, Road, advance, ms, s};

const PLAIN: Option<[u8; 4]> = Some([0; 4]);

/// Takes a message only when it is let.
struct Gated {
    log: Log,
    socket: Socket,
    open: Arc<AtomicBool>,
    /// Messages that are taken while the gate is shut: none, or one by one as `poll` is called.
    one_by_one: bool,
    room: bool,
}

impl Application for Gated {
    fn on_open(&mut self, _: &mut Context<'_>) {
        self.log.note_open(&self.socket);
    }

    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        let Message::Text(text) = message else { panic!("text was expected") };
        self.log.note(text);
        self.room = false;
    }

    fn poll(&mut self, _: &mut Context<'_>) {
        self.room |= self.one_by_one;
    }

    fn is_ready(&self) -> bool {
        self.room || self.open.load(Ordering::Relaxed)
    }

    fn on_close(&mut self, reason: CloseReason, detail: Option<CloseDetail>, _: &mut Context<'_>) {
        self.log.note_close(reason, detail);
    }
}

async fn gated(road: Road, options: Options, one_by_one: bool) -> (Host, Arc<AtomicBool>) {
    let (log, open) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let application = {
        let (log, open) = (log.clone(), Arc::clone(&open));
        move |socket: &Socket| -> Box<dyn Application> {
            let (log, socket, open) = (log.clone(), socket.clone(), Arc::clone(&open));
            Box::new(Gated { log, socket, open, one_by_one, room: false })
        }
    };
    (Host::on(road, options, log, application).await, open)
}

fn frames(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| frame(true, 1, PLAIN, format!("4{number}").as_bytes())).collect()
}

fn numbers(to: usize) -> Vec<String> {
    (0..to).map(|number| number.to_string()).collect()
}

roads! {
    async fn a_client_is_not_read_while_the_application_is_not_ready(road: Road) {
        let (host, open) = gated(road, Options::default(), false).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        client.send_raw(&frames(0..1000)).await;
        tokio::time::sleep(ms(30)).await;
        host.expect(&["open"]);
        open.store(true, Ordering::Relaxed);
        host.socket().wake();
        host.log.until(|event| event == "999").await;
        client.send_text("4end").await;
        host.log.until(|event| event == "end").await;
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn messages_are_taken_one_by_one_if_need_be(road: Road) {
        let (host, _) = gated(road, Options::default(), true).await;
        let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
        client.send_raw(&frames(0..500)).await;
        client.send_text("4end").await;
        let told = host.log.until(|event| event == "end").await;
        assert_eq!(told[1..501], numbers(500));
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_waits_with_its_answer() {
    let (host, open) = gated(Road::Memory, Options::default(), false).await;
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut post = testkit::HttpConnection::open(&host.net);
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n4a\u{1e}4b",
        client.target()
    );
    post.send(request.as_bytes()).await;
    post.expect_silence(s(2)).await;
    host.expect(&["open"]);
    open.store(true, Ordering::Relaxed);
    host.socket().wake();
    assert_eq!(post.read_response().await.text(), "ok");
    host.expect(&["a", "b"]);
    // one by one
    let (host, _) = gated(Road::Memory, Options::default(), true).await;
    let mut other = Polling::open(&host.net, Eio::V4, "").await;
    other.post(["4a", "4b", "4c"]).await;
    host.expect(&["open", "a", "b", "c"]);
    client.post(["4x"]).await;
    host.end().await;
}

roads! {
    /// Neither the application nor the heartbeat has a say in it.
    async fn a_client_that_leaves_while_it_is_not_read_is_noticed(road: Road) {
        for is_reset in [false, true] {
            let (host, _) = gated(road, Options::default(), false).await;
            let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
            client.send_raw(&frames(0..1000)).await;
            tokio::time::sleep(ms(30)).await;
            host.expect(&["open"]);
            if is_reset {
                // what it was sent is not read: the end of its stream is a reset
                host.say("unread");
                tokio::time::sleep(ms(30)).await;
            }
            drop(client);
            assert_eq!(host.log.closed().await, ["close: transport close"]);
            host.expect_no_sessions().await;
            host.end().await;
        }
    }
}

/// The end is behind more than is read ahead; the system has it.
#[tokio::test]
async fn a_client_that_leaves_much_behind_is_noticed() {
    let (host, _) = gated(Road::Tcp, Options::default(), false).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let large = frame(true, 1, PLAIN, &[b"4".as_slice(), &[b'x'; 50_000]].concat());
    for _ in 0..4 {
        client.send_raw(&large).await;
    }
    drop(client);
    assert_eq!(host.log.closed().await, ["open", "close: transport close"]);
    host.end().await;
}

/// What waits is bounded, and the rest is not read.
#[tokio::test(start_paused = true)]
async fn little_is_read_ahead() {
    let (host, open) = gated(Road::Memory, Options::default(), false).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    let many = frames(0..100_000);
    let sending = tokio::spawn(async move {
        client.send_raw(&many).await;
        client
    });
    advance(s(1)).await;
    assert!(!sending.is_finished(), "slowed down by its transport");
    open.store(true, Ordering::Relaxed);
    host.socket().wake();
    host.log.until(|event| event == "99999").await;
    drop(sending.await);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_read_for_too_long_ends() {
    let mut options = Options::default();
    options.max_read_pause = s(200);
    let (host, _) = gated(Road::Memory, options, false).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    // its heartbeat is not asked for meanwhile: 25 s and 60 s have long passed
    advance(s(199)).await;
    host.expect(&["open"]);
    client.expect_text("2").await;
    advance(s(2)).await;
    host.expect(&["close: transport error, NotRead"]);
    assert_eq!(client.next().await, Frame::Close(Some(1008), "max_read_pause".to_owned()));
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_stands_still_while_the_client_is_not_read() {
    let mut options = Options::default();
    options.max_read_pause = s(500);
    let (host, open) = gated(Road::Memory, options, false).await;
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    advance(s(100)).await;
    client.expect_text("2").await;
    open.store(true, Ordering::Relaxed);
    host.socket().wake();
    advance(s(50)).await;
    client.send_text("3").await;
    settle().await;
    host.expect(&["open"]);
    client.send_text("4x").await;
    settle().await;
    host.expect(&["x"]);
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_breaks_is_seen_all_the_same() {
    let (host, _) = gated(Road::Memory, Options::default(), false).await;
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    drop(client.poll_later().await);
    settle().await;
    host.expect(&["open", "close: transport error"]);
    host.end().await;
}

roads! {
    /// Each message is answered; the client reads nothing before it has sent them all.
    async fn a_burst_of_answers_is_no_slow_consumer(road: Road) {
        const COUNT: usize = 50_000;
        let host = Host::echo_on(road, Options::default()).await;
        let net = host.net.clone().with_capacity(4_000_000);
        let (mut client, _) = open_websocket(&net, Eio::V4, "").await;
        let burst = frames(0..COUNT);
        client.send_raw(&burst).await;
        for number in 0..COUNT {
            let Frame::Text(text) = client.next().await else { panic!("after {number}") };
            assert_eq!(text[1..], number.to_string());
        }
        drop(client);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_small_queue_is_slowed_down() {
    let mut options = Options::default();
    options.max_outbound_packets = 10;
    let host = Host::echo(options);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    client.send_raw(&frames(0..5000)).await;
    for number in 0..5000 {
        client.expect_text(&format!("4{number}")).await;
    }
    let mut client = {
        drop(client);
        Polling::open(&host.net, Eio::V4, "").await
    };
    let packets: Vec<String> = (0..100).map(|number| format!("4{number}")).collect();
    let mut post = testkit::HttpConnection::open(&host.net);
    let body = packets.join("\u{1e}");
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        client.target(),
        body.len()
    );
    post.send(request.as_bytes()).await;
    for packet in &packets {
        assert_eq!(client.next().await, packet.as_str());
    }
    assert_eq!(post.read_response().await.text(), "ok");
    host.end().await;
}

/// More answers than may wait, and a client that polls only when it has posted.
#[tokio::test(start_paused = true)]
async fn a_client_may_post_first_and_poll_then() {
    let mut options = Options::default();
    options.max_outbound_packets = 10;
    let host = Host::echo(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let post = |numbers: std::ops::Range<usize>| {
        let packets: Vec<String> = numbers.map(|number| format!("4{number}")).collect();
        let body = packets.join("\u{1e}");
        let (target, length) = (client.target(), body.len());
        let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n");
        format!("{head}\r\n{body}").into_bytes()
    };
    let (first, second) = (post(0..100), post(100..200));
    let mut connection = testkit::HttpConnection::open(&host.net);
    connection.send(&first).await;
    assert_eq!(connection.read_response().await.text(), "ok");
    // the next one has to wait, or its client would send without end
    connection.send(&second).await;
    connection.expect_silence(s(2)).await;
    for number in 0..200 {
        assert_eq!(client.next().await, format!("4{number}").as_str());
    }
    assert_eq!(connection.read_response().await.text(), "ok");
    // one that waits is told of the end
    connection.send(&first).await;
    assert_eq!(connection.read_response().await.text(), "ok");
    connection.send(&second).await;
    settle().await;
    host.socket().close();
    assert_eq!(connection.read_response().await.text(), "ok");
    host.end().await;
}

/// What an application keeps busy with does not stop the session from being polled and timed.
#[tokio::test(start_paused = true)]
async fn deadlines_of_the_application() {
    struct Clock(Option<std::time::Instant>, Arc<AtomicUsize>);
    impl Application for Clock {
        fn on_open(&mut self, _: &mut Context<'_>) {
            self.0 = Some(tokio::time::Instant::now().into_std() + s(3));
        }
        fn on_message(&mut self, _: Message<'_>, _: &mut Context<'_>) {
            // nearer than before
            self.0 = Some(tokio::time::Instant::now().into_std() + ms(100));
        }
        fn deadline(&self) -> Option<std::time::Instant> {
            self.0
        }
        fn on_deadline(&mut self, now: std::time::Instant, _: &mut Context<'_>) {
            assert!(self.0.take().is_some_and(|due| due <= now));
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let rung = Arc::new(AtomicUsize::new(0));
    let application = {
        let rung = Arc::clone(&rung);
        move |_: &Socket| -> Box<dyn Application> { Box::new(Clock(None, Arc::clone(&rung))) }
    };
    let host = Host::memory(Options::default(), Log::default(), application);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    advance(ms(2990)).await;
    assert_eq!(rung.load(Ordering::Relaxed), 0);
    advance(ms(20)).await;
    assert_eq!(rung.load(Ordering::Relaxed), 1);
    client.send_text("4x").await;
    advance(ms(110)).await;
    assert_eq!(rung.load(Ordering::Relaxed), 2);
    drop(client);
    host.end().await;
}
