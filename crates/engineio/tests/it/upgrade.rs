//! The change from polling to WebSocket.

use engineio::{CloseReason, Options, TransportKind};
use serde_json::json;
use testkit::{Eio, Frame, Packet, Polling, WebSocket, frame, settle};

use crate::host::{Host, Road, advance, ms, s};

const PLAIN: Option<[u8; 4]> = Some([0; 4]);

/// A WebSocket with the session's id.
async fn probe(host: &Host, client: &Polling) -> WebSocket {
    let target = client.target().replace("transport=polling", "transport=websocket");
    WebSocket::connect(&host.net, &target, &[]).await.unwrap()
}

/// Expects that a WebSocket is closed, and that its session goes on by polling.
async fn expect_refused(host: &Host, websocket: &mut WebSocket, client: &mut Polling) {
    assert_eq!(websocket.expect_close().await, None);
    client.post(["4unharmed"]).await;
    assert_eq!(client.next().await, "4unharmed");
    assert_eq!(host.socket().transport(), TransportKind::Polling);
    assert!(!host.log.take().iter().any(|event| event.starts_with("close")));
}

roads! {
    async fn a_session_changes_to_websocket(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        websocket.send_text("2probe").await;
        websocket.expect_text("3probe").await;
        assert_eq!(host.socket().transport(), TransportKind::Polling);
        host.say("waits");
        websocket.send_text("5").await;
        websocket.expect_text("4waits").await;
        websocket.send_text("4hi").await;
        websocket.expect_text("4hi").await;
        assert_eq!(host.socket().transport(), TransportKind::WebSocket);
        assert_eq!(host.stats().upgraded, 1);
        for refused in [client.poll_response().await, client.post_body("4x", "text/plain").await] {
            assert_eq!(refused.status, 400);
            assert_eq!(refused.json(), json!({"code": 3, "message": "Bad request"}));
        }
        // a further WebSocket is opened and closed, to no harm
        let mut further = probe(&host, &client).await;
        further.expect_close().await;
        websocket.send_text("4still").await;
        websocket.expect_text("4still").await;
        websocket.send_close(Some(1000)).await;
        assert_eq!(websocket.expect_close().await, Some(1000));
        assert_eq!(host.log.closed().await, ["open", "hi", "still", "close: transport close"]);
        host.expect_no_sessions().await;
        drop(websocket);
        host.end().await;
    }
}

roads! {
    async fn frames_right_behind_the_switch_count(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        websocket.send_text("2probe").await;
        websocket.expect_text("3probe").await;
        let frames: Vec<u8> = ["5", "4one", "4two"]
            .iter()
            .flat_map(|text| frame(true, 1, PLAIN, text.as_bytes()))
            .collect();
        websocket.send_raw(&frames).await;
        websocket.expect_text("4one").await;
        websocket.expect_text("4two").await;
        drop(websocket);
        host.end().await;
    }
}

roads! {
    async fn a_client_need_not_wait_for_the_answer_to_its_probe(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        let frames: Vec<u8> = ["2probe", "5", "4one"]
            .iter()
            .flat_map(|text| frame(true, 1, PLAIN, text.as_bytes()))
            .collect();
        websocket.send_raw(&frames).await;
        websocket.expect_text("3probe").await;
        websocket.expect_text("4one").await;
        drop(websocket);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_on_a_stream_that_takes_a_byte_at_a_time() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let target = client.target().replace("transport=polling", "transport=websocket");
    let net = host.net.clone().with_capacity(1);
    let mut websocket = WebSocket::connect(&net, &target, &[]).await.unwrap();
    for text in ["2probe", "5", "4one"] {
        websocket.send_text(text).await;
    }
    websocket.expect_text("3probe").await;
    websocket.expect_text("4one").await;
    drop(websocket);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_is_released_by_the_probe_and_every_100_ms() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut poll = client.poll_later().await;
    let mut websocket = probe(&host, &client).await;
    poll.expect_silence(ms(50)).await; // not before the probe
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    assert_eq!(poll.read_response().await.text(), "6");
    let mut poll = client.poll_later().await;
    poll.expect_silence(ms(90)).await;
    assert_eq!(poll.read_response().await.text(), "6");
    // a poll that is still there at the switch
    let mut poll = client.poll_later().await;
    websocket.send_text("5").await;
    assert_eq!(poll.read_response().await.text(), "6");
    host.say("x");
    websocket.expect_text("4x").await;
    drop((poll, websocket));
    host.end().await;
}

roads! {
    /// As elephant.io and the .NET client do it.
    async fn a_client_need_not_probe(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        for eio in [Eio::V4, Eio::V3] {
            let mut client = Polling::open(&host.net, eio, "").await;
            host.say("waits");
            let mut websocket = probe(&host, &client).await;
            websocket.send_text("5").await;
            websocket.send_text("4hi").await;
            websocket.expect_text("4waits").await;
            websocket.expect_text("4hi").await;
            assert_eq!(host.socket().transport(), TransportKind::WebSocket);
            assert_eq!(client.poll_response().await.status, 400);
        }
        assert_eq!(host.stats().upgraded, 2);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_probe_of_a_websocket_is_answered() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_raw(&frame(true, 1, PLAIN, b"2probe").repeat(2)).await;
    websocket.expect_text("3probe").await;
    websocket.expect_text("3probe").await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    websocket.send_text("5").await;
    websocket.send_text("4up").await;
    websocket.expect_text("4up").await;
    drop(websocket);
    host.end().await;
}

// RFC 6455 5.5.2
#[tokio::test(start_paused = true)]
async fn pings_are_answered_before_the_upgrade() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_raw(&frame(true, 9, PLAIN, b"there?")).await;
    assert_eq!(websocket.next().await, Frame::Pong(b"there?".to_vec().into()));
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    // as many as a client that does not read is given, and no memory for more
    websocket.send_raw(&frame(true, 9, PLAIN, &[b'x'; 125]).repeat(100)).await;
    websocket.send_text("5").await;
    websocket.send_text("4up").await;
    let mut pongs = 0;
    while let Frame::Pong(_) = websocket.next().await {
        pongs += 1;
    }
    assert!((1..=100).contains(&pongs), "{pongs}");
    drop(websocket);
    host.end().await;
}

roads! {
    /// Its client polls no more: what waits goes over the WebSocket, and then the end.
    async fn a_session_that_is_ended_while_its_client_upgrades(road: Road) {
        for (eio, end) in [
            (Eio::V4, CloseReason::ForcedClose),
            (Eio::V3, CloseReason::ForcedClose),
            (Eio::V4, CloseReason::ForcedServerClose),
            (Eio::V4, CloseReason::ServerShuttingDown),
        ] {
            for probes in [true, false] {
                let host = Host::echo_on(road, Options::default()).await;
                let client = Polling::open(&host.net, eio, "").await;
                let mut websocket = probe(&host, &client).await;
                if probes {
                    websocket.send_text("2probe").await;
                    websocket.expect_text("3probe").await;
                }
                host.say("last");
                host.socket().close_with(end);
                let told = host.log.closed().await;
                assert_eq!(told, ["open".to_owned(), format!("close: {end}")]);
                websocket.send_text("5").await;
                websocket.expect_text("4last").await;
                assert_eq!(websocket.expect_close().await, None);
                websocket.send_close(None).await;
                websocket.expect_eof().await;
                host.expect_no_sessions().await;
                host.end().await;
            }
        }
    }
}

/// It may as well go on to poll, or come with its WebSocket only now.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_is_read_as_its_client_likes() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    host.say("last");
    host.socket().close();
    assert_eq!(client.poll().await, ["4last"]);
    assert_eq!(client.poll().await, ["1"]);
    websocket.expect_close().await;
    host.expect_no_sessions().await;

    let client = Polling::open(&host.net, Eio::V4, "").await;
    host.say("last");
    host.socket().close();
    settle().await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    websocket.send_text("5").await;
    websocket.expect_text("4last").await;
    websocket.expect_close().await;
    drop(websocket);
    host.end().await;
}

/// A probe that breaks, or is not decided, leaves what waits to the next poll.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_outlives_its_probe() {
    for breaks in [true, false] {
        let host = Host::echo(Options::default());
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        websocket.send_text("2probe").await;
        websocket.expect_text("3probe").await;
        host.say("last");
        host.socket().close();
        if breaks {
            drop(websocket);
            settle().await;
        } else {
            advance(s(11)).await;
            websocket.expect_close().await;
        }
        assert_eq!(client.poll().await, ["4last"]);
        assert_eq!(client.poll().await, ["1"]);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

/// Nothing waits: but a client that has stopped polling would not notice.
#[tokio::test(start_paused = true)]
async fn a_server_that_closes_tells_a_client_that_upgrades() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    let closing = host.server.close();
    websocket.expect_silence(ms(50)).await;
    websocket.send_text("5").await;
    assert_eq!(websocket.expect_close().await, None);
    websocket.send_close(None).await;
    closing.await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_probe_is_refused() {
    for frames in [
        frame(true, 1, PLAIN, b"42[\"e\",1]"),
        frame(true, 1, PLAIN, b"2prob"),
        frame(true, 1, PLAIN, b"2"),
        frame(true, 1, PLAIN, b"x"),
        frame(true, 1, PLAIN, b""),
        frame(true, 2, PLAIN, b"2probe"),
        frame(true, 1, None, b"2probe"),
        frame(true, 8, PLAIN, b""),
        [frame(true, 1, PLAIN, b"2probe"), frame(true, 1, PLAIN, b"4x")].concat(),
    ] {
        let host = Host::echo(Options::default());
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        websocket.send_raw(&frames).await;
        if frames[6..].starts_with(b"2probe") && frames.len() > 12 && frames[1] & 0x80 != 0 {
            websocket.expect_text("3probe").await;
        }
        expect_refused(&host, &mut websocket, &mut client).await;
        // and another one may try
        let mut websocket = client.upgrade().await;
        websocket.send_text("4up").await;
        websocket.expect_text("4up").await;
        drop(websocket);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_decided_ends() {
    let mut options = Options::default();
    options.upgrade_timeout = s(3);
    for probed in [false, true] {
        let host = Host::echo(options.clone());
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        if probed {
            websocket.send_text("2probe").await;
            websocket.expect_text("3probe").await;
        }
        websocket.expect_silence(ms(2900)).await;
        expect_refused(&host, &mut websocket, &mut client).await;
        client.upgrade().await;
        host.end().await;
    }
}

roads! {
    async fn a_probe_that_breaks_does_no_harm(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V4, "").await;
        let mut websocket = probe(&host, &client).await;
        websocket.send_text("2probe").await;
        websocket.expect_text("3probe").await;
        drop(websocket);
        client.post(["4unharmed"]).await;
        assert_eq!(client.next().await, "4unharmed");
        tokio::time::sleep(ms(20)).await;
        let mut websocket = client.upgrade().await;
        websocket.send_text("4up").await;
        websocket.expect_text("4up").await;
        drop(websocket);
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_probe_is_closed_and_the_first_goes_on() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut first = probe(&host, &client).await;
    first.send_text("2probe").await;
    first.expect_text("3probe").await;
    let mut second = probe(&host, &client).await;
    second.expect_close().await;
    first.send_text("5").await;
    first.send_text("4up").await;
    first.expect_text("4up").await;
    drop(first);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn posts_during_the_upgrade_are_taken_before_what_follows_it() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    client.post(["4posted"]).await;
    websocket.send_text("5").await;
    websocket.send_text("4framed").await;
    websocket.expect_text("4posted").await;
    websocket.expect_text("4framed").await;
    host.expect(&["open", "posted", "framed"]);
    drop(websocket);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_takes_its_probe_along() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    client.post(["1"]).await;
    websocket.expect_close().await;
    host.expect(&["open", "close: transport close"]);
    host.expect_no_sessions().await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_in_the_middle_is_found() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let mut websocket = probe(&host, &client).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    advance(s(11)).await;
    websocket.expect_close().await;
    advance(s(75)).await;
    host.expect(&["open", "close: ping timeout"]);
    assert_eq!(host.stats().sessions, 0);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn upgrades_can_be_switched_off() {
    let mut options = Options::default();
    options.allow_upgrades = false;
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    assert_eq!(client.handshake()["upgrades"], json!([]));
    let target = client.target().replace("transport=polling", "transport=websocket");
    let refused = WebSocket::connect(&host.net, &target, &[]).await.unwrap_err();
    assert_eq!((refused.status, refused.text()), (400, "Bad request"));
    // from the start it may be one
    testkit::open_websocket(&host.net, Eio::V4, "").await;
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_of_protocol_3_change_as_well() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    let mut poll = client.poll_later().await;
    let mut websocket = client.upgrade().await;
    assert_eq!(poll.read_response().await.text(), "1:6");
    websocket.send_binary(b"\x04\x01").await;
    websocket.expect_binary(b"\x04\x01").await;
    drop(websocket);
    host.end().await;
}

/// Numbers sent all the while arrive once each, in order, on either transport.
async fn count_through_an_upgrade(road: Road, pause: u32) {
    const COUNT: usize = 300;
    let host = Host::echo_on(road, Options::default()).await;
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let socket = host.socket();
    let counting = tokio::spawn(async move {
        for number in 0..COUNT {
            socket.send(engineio::Message::Text(&number.to_string())).unwrap();
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
            if number % 50 == 0 {
                tokio::time::sleep(ms(2)).await;
            }
        }
    });
    let mut got: Vec<String> = Vec::new();
    let mut take = |packet: Packet| match packet {
        Packet::Text(text) if text.starts_with('4') => got.push(text[1..].to_owned()),
        Packet::Text(text) => assert_eq!(text, "6"),
        Packet::Binary(binary) => panic!("{binary:?}"),
    };
    client.poll().await.into_iter().for_each(&mut take);
    let mut websocket = probe(&host, &client).await;
    let mut poll = client.poll_later().await;
    tokio::time::sleep(ms(pause.into()) / 4).await;
    websocket.send_text("2probe").await;
    websocket.expect_text("3probe").await;
    // as clients do: what a poll brings is taken before the switch
    let response = poll.read_response().await;
    client.packets(&response).into_iter().for_each(&mut take);
    tokio::time::sleep(ms(pause.into()) / 8).await;
    websocket.send_text("5").await;
    counting.await.unwrap();
    host.say("end");
    loop {
        match websocket.next().await {
            Frame::Text(text) if text == "4end" => break,
            Frame::Text(text) => take(text.into()),
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    assert_eq!(got, expected);
    drop(websocket);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn numbers_arrive_once_and_in_order_over_memory() {
    for pause in 0..40 {
        count_through_an_upgrade(Road::Memory, pause).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn numbers_arrive_once_and_in_order_over_tcp() {
    for pause in 0..40 {
        count_through_an_upgrade(Road::Tcp, pause).await;
        count_through_an_upgrade(Road::Boxed, pause).await;
    }
}

roads! {
    /// Whether binary goes as text is said for one transport, by the request that opens it.
    async fn base64_is_a_matter_of_the_transport(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        for (polling, websocket) in [("b64=1", ""), ("", "b64=1"), ("b64=1", "b64=1"), ("", "")] {
            for eio in [Eio::V3, Eio::V4] {
                let mut client = Polling::open(&host.net, eio, polling).await;
                client.post([Packet::Binary(bytes::Bytes::from_static(&[1, 2]))]).await;
                let answer = client.poll_response().await;
                let expected: &[u8] = match (eio, polling) {
                    (Eio::V4, _) => b"bAQI=",
                    (Eio::V3, "b64=1") => b"6:b4AQI=",
                    (Eio::V3, _) => b"\x01\x03\xff\x04\x01\x02",
                };
                assert_eq!(&answer.body[..], expected, "{polling:?}");
                let target = host.net.target(eio, "websocket", websocket);
                let target = format!("{target}&sid={}", client.sid());
                let mut upgraded = WebSocket::connect(&host.net, &target, &[]).await.unwrap();
                upgraded.send_text("2probe").await;
                upgraded.expect_text("3probe").await;
                upgraded.send_text("5").await;
                let typed: &[u8] = if eio == Eio::V3 { b"\x04\x01\x02" } else { b"\x01\x02" };
                upgraded.send_binary(typed).await;
                match (websocket, eio) {
                    ("", _) => upgraded.expect_binary(typed).await,
                    (_, Eio::V3) => upgraded.expect_text("b4AQI=").await,
                    (_, Eio::V4) => upgraded.expect_text("bAQI=").await,
                }
            }
        }
        host.end().await;
    }
}
