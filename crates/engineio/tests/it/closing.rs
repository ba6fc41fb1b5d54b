//! How sessions and servers end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engineio::{Application, CloseDetail, CloseReason, Context, Message, Options, Push, Socket};
use engineio::{HEADROOM, Outgoing, Violation};
use serde_json::json;
use testkit::{Eio, HttpConnection, Polling, Request, WebSocket, open_websocket, settle};

use crate::host::{Host, Log, Road, advance, ms, s};

async fn open(host: &Host) -> WebSocket {
    open_websocket(&host.net, Eio::V4, "").await.0
}

roads! {
    async fn a_websocket_gets_what_waits_and_a_close_frame(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = open(&host).await;
        host.say("last");
        host.socket().close();
        assert!(!host.socket().is_open());
        client.expect_text("4last").await;
        assert_eq!(client.expect_close().await, None);
        client.send_close(None).await;
        client.expect_eof().await;
        assert_eq!(host.log.closed().await, ["open", "close: forced close"]);
        host.expect_no_sessions().await;
        assert!(host.server.session(host.socket().id()).is_none());
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_whose_client_does_not_answer_is_given_up() {
    let mut options = Options::default();
    options.close_timeout = s(7);
    let host = Host::echo(options);
    let mut client = open(&host).await;
    host.socket().close();
    client.expect_close().await;
    client.expect_eof().await; // our direction ends at once
    advance(s(6)).await;
    assert_eq!(host.stats().sessions, 1);
    advance(s(2)).await;
    assert_eq!(host.stats().sessions, 0);
    drop(client);
    host.end().await;
}

roads! {
    async fn a_waiting_poll_gets_what_waits_and_the_next_a_close_packet(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut poll = client.poll_later().await;
        let socket = host.socket();
        tokio::spawn(async move {
            // in one go, before the session has a turn
            let _ = socket.send(Message::Text("last"));
            socket.close();
        });
        assert_eq!(poll.read_response().await.text(), "4last");
        assert_eq!(client.poll().await, ["1"]);
        assert_eq!(host.log.closed().await, ["open", "close: forced close"]);
        host.expect_no_sessions().await;
        assert_eq!(client.poll_response().await.status, 400);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_poll_gets_the_close_packet() {
    for eio in [Eio::V4, Eio::V3] {
        let host = Host::echo(Options::default());
        let mut client = Polling::open(&host.net, eio, "").await;
        host.say("last");
        host.socket().close();
        settle().await;
        host.expect(&["open", "close: forced close"]);
        // a POST meanwhile does no harm, and nothing
        client.post(["4late"]).await;
        advance(s(29)).await;
        // what waits goes alone: clients drop what stands beside a close packet
        assert_eq!(client.poll().await, ["4last"]);
        assert_eq!(client.poll().await, ["1"]);
        host.expect(&[]);
        host.expect_no_sessions().await;
        let response = client.poll_response().await;
        assert_eq!(response.json(), json!({"code": 1, "message": "Session ID unknown"}));
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_poll_is_forgotten() {
    let host = Host::echo(Options::default());
    Polling::open(&host.net, Eio::V4, "").await;
    host.socket().close();
    advance(s(29)).await;
    assert_eq!(host.stats().sessions, 1);
    advance(s(2)).await;
    assert_eq!(host.stats().sessions, 0);
    host.end().await;
}

/// A client that polls and is at fault keeps its place as long as a message waits for it; for the
/// close packet alone it keeps none, and gets it all the same. Nor does a ping keep a place.
#[tokio::test(start_paused = true)]
async fn a_client_at_fault_keeps_no_place() {
    let reasons = [CloseReason::ForcedServerClose, CloseReason::ForcedClose];
    for ((eio, close), reason) in [(Eio::V4, "1"), (Eio::V3, "1:1")].into_iter().zip(reasons) {
        for (message, pinged) in [(None, false), (None, true), (Some("last"), true)] {
            let mut options = Options::default();
            options.max_sessions = Some(1);
            let host = Host::silent(options);
            let mut client = Polling::open(&host.net, eio, "").await;
            if pinged {
                advance(s(26)).await; // a ping of version 4 waits
            }
            message.iter().for_each(|message| host.say(message));
            host.socket().close_for_violation(reason, Violation::policy("at fault"));
            settle().await;
            assert_eq!(host.stats().sessions, usize::from(message.is_some()), "{eio:?} {pinged}");
            if let Some(message) = message {
                let last = client.poll().await;
                assert_eq!(last.last().unwrap(), &format!("4{message}").as_str());
            } else {
                Polling::open(&host.net, eio, "").await;
            }
            assert_eq!(client.poll_response().await.text(), close);
            let unknown = client.poll_response().await;
            assert_eq!(unknown.json()["code"], 1);
            host.end().await;
        }
    }
}

/// The poll that is there is answered; a probe that is under way is waited for.
#[tokio::test(start_paused = true)]
async fn a_client_at_fault_is_told_where_it_waits() {
    let fault = |host: &Host| {
        let violation = Violation::policy("at fault");
        host.socket().close_for_violation(CloseReason::ForcedServerClose, violation);
    };
    let host = Host::silent(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut poll = client.poll_later().await;
    fault(&host);
    assert_eq!(poll.read_response().await.text(), "1");
    assert_eq!(client.poll_response().await.json()["code"], 1);
    host.end().await;

    let host = Host::silent(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let target = client.target().replace("polling", "websocket");
    let mut probe = WebSocket::connect(&host.net, &target, &[]).await.unwrap();
    probe.send_text("2probe").await;
    probe.expect_text("3probe").await;
    fault(&host);
    settle().await;
    probe.send_text("5").await;
    probe.expect_close().await;
    drop(probe);
    host.expect_no_sessions().await;
    host.end().await;
}

roads! {
    async fn nothing_is_delivered_after_the_application_closed(road: Road) {
        let log = Log::default();
        let host = Host::on(road, Options::default(), log.clone(), log.application(|socket, _| socket.close())).await;
        let mut client = open(&host).await;
        let frames = testkit::frame(true, 1, Some([0; 4]), b"4x").repeat(3);
        client.send_raw(&frames).await;
        client.expect_close().await;
        host.expect(&["open", "x", "close: forced close"]);
        drop(client);
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        client.post(["4x", "4x", "4x"]).await;
        assert_eq!(client.poll().await, ["1"]);
        assert_eq!(host.log.closed().await, ["open", "x", "close: forced close"]);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn other_reasons_can_be_given() {
    let host = Host::echo(Options::default());
    let mut client = open(&host).await;
    host.socket().close_with(CloseReason::ForcedServerClose);
    client.expect_close().await;
    host.expect(&["open", "close: forced server close"]);
    let reasons = host.stats().closed;
    assert!(reasons.contains(&(CloseReason::ForcedServerClose, 1)));
    drop(client);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_to_a_closed_session_goes_nowhere() {
    let host = Host::echo(Options::default());
    let client = open(&host).await;
    let socket = host.socket();
    drop(client);
    host.log.closed().await;
    host.expect_no_sessions().await;
    let packet = Outgoing::message(vec![0; HEADROOM], HEADROOM, Vec::new());
    assert_eq!(socket.push(packet.clone()), Push::Closed);
    assert!(socket.send(Message::Text("x")).is_err());
    assert!(socket.writable().await.is_err());
    socket.close();
    socket.wake();
    assert_eq!(socket.queued_bytes(), 0);
    host.expect(&[]);
    host.end().await;
}

/// Panics where it is told to.
struct Panics(Log, Socket);

impl Application for Panics {
    fn on_open(&mut self, _: &mut Context<'_>) {
        self.0.note_open(&self.1);
        assert!(!self.1.request().query().contains("panic=open"), "as asked for");
    }

    fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
        assert!(message != Message::Text("panic"), "as asked for");
        let _ = self.1.send(message);
    }

    fn on_close(&mut self, reason: CloseReason, detail: Option<CloseDetail>, _: &mut Context<'_>) {
        self.0.note_close(reason, detail);
        assert!(!self.1.request().query().contains("panic=close"), "as asked for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_session_only() {
    let log = Log::default();
    let application = {
        let log = log.clone();
        move |socket: &Socket| -> Box<dyn Application> {
            assert!(!socket.request().query().contains("panic=new"), "as asked for");
            Box::new(Panics(log.clone(), socket.clone()))
        }
    };
    let host = Host::memory(Options::default(), log, application);
    let mut witness = open(&host).await;
    let mut client = open(&host).await;
    client.send_text("4panic").await;
    client.expect_close().await;
    host.expect(&["open", "open", "close: forced server close, Panic"]);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "panic=open").await;
    client.expect_close().await;
    host.expect(&["open", "close: forced server close, Panic"]);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "panic=new").await;
    client.expect_close().await;
    let mut client = Polling::open(&host.net, Eio::V4, "panic=close").await;
    client.post(["1"]).await;
    host.expect(&["open", "close: transport close"]);
    assert_eq!(client.poll_response().await.text(), "6");
    assert_eq!(client.poll_response().await.status, 400);
    // the peer is told of the end all the same
    let (mut websocket, _) = open_websocket(&host.net, Eio::V4, "panic=close").await;
    host.socket().close();
    websocket.expect_close().await;
    assert_eq!(host.log.take().len(), 2);
    drop(websocket);
    witness.send_text("4fine").await;
    witness.expect_text("4fine").await;
    assert_eq!(host.stats().panics, 3);
    drop((witness, client));
    host.end().await;
}

roads! {
    async fn the_server_closes_everybody(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut websocket = open(&host).await;
        let mut parked = Polling::open(&host.net, Eio::V4, "").await;
        let mut poll = parked.poll_later().await;
        Polling::open(&host.net, Eio::V3, "").await;
        let closing = host.server.close();
        assert!(host.server.is_closing());
        websocket.expect_close().await;
        assert_eq!(poll.read_response().await.text(), "1");
        drop((websocket, poll));
        let told = host.log.until(|_| true).await;
        assert!(told.len() >= 3, "{told:?}");
        closing.await;
        assert_eq!(host.stats().sessions, 0);
        assert!(host.stats().closed.contains(&(CloseReason::ServerShuttingDown, 3)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_can_be_bounded() {
    let host = Host::echo(Options::default());
    let mut client = open(&host).await;
    let probing = Polling::open(&host.net, Eio::V4, "").await;
    let mut half = HttpConnection::open(&host.net);
    half.send(
        format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n", probing.target())
            .as_bytes(),
    )
    .await;
    settle().await;
    let start = tokio::time::Instant::now();
    // the client takes the close frame, but does not answer it; a head is not complete
    host.server.close().within(s(3)).await;
    assert_eq!(start.elapsed(), s(3));
    settle().await;
    assert_eq!(host.stats().sessions, 0);
    client.expect_close().await;
    half.read_to_end().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_under_way_when_the_session_ends_is_not_waited_for() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut half = HttpConnection::open(&host.net);
    half.send(
        format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n4", client.target())
            .as_bytes(),
    )
    .await;
    settle().await;
    host.server.close();
    assert_eq!(half.read_response().await.status, 400);
    half.read_to_end().await;
    host.end().await;
}

/// A session that is being opened while the server closes does not stay behind.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_crosses_the_close_is_refused() {
    let mut options = Options::default();
    options.set_allow_request(async |_: engineio::Request| {
        tokio::time::sleep(s(1)).await;
        Ok(())
    });
    let host = Host::echo(options);
    let target = host.net.target(Eio::V4, "polling", "");
    let mut connection = HttpConnection::open(&host.net);
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    advance(ms(500)).await;
    host.server.close();
    let response = connection.read_response().await;
    assert_eq!(response.status, 503);
    assert_eq!(response.json(), json!({"code": 3, "message": "Server is closing"}));
    assert_eq!(host.stats().opened, 0);
    host.end().await;
}

/// An application may say a last word when it is told of the end.
#[tokio::test(start_paused = true)]
async fn last_words() {
    struct LastWords(Socket, Arc<AtomicBool>);
    impl Application for LastWords {
        fn on_message(&mut self, _: Message<'_>, _: &mut Context<'_>) {}
        fn on_close(&mut self, _: CloseReason, _: Option<CloseDetail>, _: &mut Context<'_>) {
            let said = self.0.send(Message::Text("bye"));
            self.1.store(said.is_ok(), Ordering::Relaxed);
        }
    }
    let said = Arc::new(AtomicBool::new(false));
    let application = {
        let said = Arc::clone(&said);
        move |socket: &Socket| -> Box<dyn Application> {
            Box::new(LastWords(socket.clone(), Arc::clone(&said)))
        }
    };
    let host = Host::memory(Options::default(), Log::default(), application);
    let mut client = open(&host).await;
    host.server.close();
    client.expect_text("4bye").await;
    client.expect_close().await;
    assert!(said.load(Ordering::Relaxed));
    drop(client);
    host.end().await;
}

/// A server that closes still gives a client that polls what it was sent, over a connection that it
/// has kept open; with the last of it the connection ends.
#[tokio::test]
async fn a_client_that_polls_may_fetch_what_waits_when_the_server_closes() {
    let host = Host::echo_on(Road::Tcp, Options::default()).await;
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut connection = HttpConnection::open(&host.net);
    assert_eq!(connection.request(&Request::post(&client.target(), "4a\x1e4b")).await.text(), "ok");
    host.log.until(|event| event == "b").await;
    let closing = host.server.close();
    host.log.closed().await;
    let poll = Request::get(&client.target());
    let last = connection.request(&poll).await;
    assert_eq!((last.text(), last.header("connection")), ("4a\x1e4b", None));
    assert_eq!(connection.request(&poll).await.text(), "1");
    assert_eq!(connection.read_to_end().await, "", "kept no longer");
    closing.await;
    assert!(host.stats().closed.contains(&(CloseReason::ServerShuttingDown, 1)));
    host.end().await;
}

/// Connections that nobody needs any more do not keep a server from closing.
#[tokio::test]
async fn idle_connections_end_when_the_server_closes() {
    let host = Host::echo_on(Road::Tcp, Options::default()).await;
    let target = host.net.target(Eio::V4, "polling", "");
    let mut idle = HttpConnection::open(&host.net);
    let opened = idle.request(&Request::get(&target)).await;
    assert_eq!((opened.status, opened.header("connection")), (200, None));
    host.server.close().await;
    assert_eq!(idle.read_to_end().await, "");
    host.end().await;
}

/// Peers that take nothing are cut at the end of the time, and the application is told of it.
#[tokio::test(start_paused = true)]
async fn stalled_peers_are_cut_off_in_time() {
    let host = Host::echo(Options::default());
    let stalled = open(&host).await;
    let polling = Polling::open(&host.net, Eio::V4, "").await;
    host.say("never fetched");
    for socket in host.log.sockets() {
        let _ = socket.send(Message::Binary(vec![7; 1_000_000].into()));
    }
    settle().await;
    let start = tokio::time::Instant::now();
    host.server.close().within(s(3)).await;
    assert_eq!(start.elapsed(), s(3));
    assert_eq!(host.stats().sessions, 0);
    let told = "close: server shutting down";
    host.expect(&["open", "open", told, told]);
    drop((stalled, polling));
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_can_be_hurried() {
    let host = Host::echo(Options::default());
    let stalled = open(&host).await;
    let start = tokio::time::Instant::now();
    host.server.close().within(s(3)).until(tokio::time::sleep(s(1))).await;
    assert_eq!((start.elapsed(), host.stats().sessions), (s(1), 0));
    drop(stalled);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn several_servers_can_be_waited_for_together() {
    let (a, b) = (Host::echo(Options::default()), Host::echo(Options::default()));
    let (one, two) = (open(&a).await, open(&b).await);
    let start = tokio::time::Instant::now();
    a.server.close().within(s(3)).and(b.server.close()).await;
    assert_eq!(start.elapsed(), s(3));
    assert_eq!((a.stats().sessions, b.stats().sessions), (0, 0));
    drop((one, two));
    a.end().await;
    b.end().await;
}
