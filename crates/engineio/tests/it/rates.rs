//! Clients that are too fast, and too many of one address.

use engineio::{Limit, Options, Rate};
use serde_json::json;
use testkit::{
    Connector, Eio, Frame, Polling, Request, Response, WebSocket, open_websocket, request,
};

use crate::host::{Host, advance, ms, s};

/// Sends messages in one segment.
async fn send(client: &mut WebSocket, texts: impl IntoIterator<Item = usize>) {
    let frame = |n| testkit::frame(true, 1, Some([0; 4]), format!("4{n}").as_bytes());
    let bytes: Vec<u8> = texts.into_iter().flat_map(frame).collect();
    client.send_raw(&bytes).await;
}

/// The events so far, those of messages only counted.
fn events(host: &Host) -> (usize, Vec<String>) {
    let (messages, other): (Vec<_>, Vec<_>) =
        host.log.take().into_iter().partition(|event| event.parse::<usize>().is_ok());
    (messages.len(), other)
}

#[tokio::test(start_paused = true)]
async fn a_fast_client_is_slowed_down_and_in_the_end_cut() {
    let mut options = Options::default();
    options.max_message_rate = Some(Rate::per_second(10).burst(20));
    options.rate_grace = s(5);
    let host = Host::silent(options);
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    advance(ms(1)).await;
    host.expect(&["open"]);
    // a burst is no matter
    send(&mut client, 0..19).await;
    advance(ms(1)).await;
    assert_eq!(events(&host), (19, vec![]));
    advance(s(3)).await;
    send(&mut client, 0..50).await;
    advance(ms(1)).await;
    // the one that emptied the bucket was read, too
    assert_eq!(events(&host), (20, vec!["limited: max_message_rate".into()]));
    assert_eq!(host.stats().limits.get(Limit::MessageRate), 1);
    advance(ms(1000)).await;
    assert_eq!(events(&host), (10, vec![]));
    advance(ms(2000)).await;
    assert_eq!(events(&host), (20, vec![]));
    // it comes to rest, and may do it again
    advance(s(3)).await;
    send(&mut client, 0..100).await;
    advance(ms(1)).await;
    assert_eq!(events(&host), (20, vec!["limited: max_message_rate".into()]));
    advance(ms(4900)).await;
    let (read, other) = events(&host);
    assert!((48..=50).contains(&read), "{read}");
    assert_eq!(other, [""; 0]);
    advance(ms(200)).await;
    let (_, other) = events(&host);
    assert_eq!(other, ["close: transport error, RateLimited"]);
    assert_eq!(host.stats().limits.get(Limit::RateGrace), 1);
    assert_eq!(client.next().await, Frame::Close(Some(1008), "max_message_rate".to_owned()));
    drop(client);
    host.end().await;
}

/// The client's heartbeat is not asked for while it is not read.
#[tokio::test(start_paused = true)]
async fn bytes_are_paid_for_afterwards() {
    let mut options = Options::default();
    options.max_byte_rate = Some(Rate::per_second(2_500));
    options.ping_interval = s(2);
    options.ping_timeout = ms(500);
    let host = Host::silent(options);
    let mut client = Polling::open(&host.net, Eio::V4, "").await;
    let large = "4".to_owned() + &"x".repeat(9_999);
    let start = tokio::time::Instant::now();
    let answer = request(&host.net, Request::post(&client.target(), large)).await;
    assert_eq!(answer.text(), "ok");
    // the POST is answered when the next may come
    let waited = start.elapsed();
    assert!(waited > s(3) && waited < ms(3100), "{waited:?}");
    host.expect(&["open", "9999 bytes", "limited: max_byte_rate"]);
    assert_eq!(host.stats().limits.get(Limit::ByteRate), 1);
    assert_eq!(client.next().await, "2");
    client.post(["3", "4later"]).await;
    host.expect(&["later"]);
    host.server.session(client.sid()).unwrap().close();
    host.end().await;
}

fn options_behind_a_proxy() -> Options {
    let mut options = Options::default();
    options.trusted_proxies = vec!["203.0.113.7".to_owned()];
    options
}

async fn handshake(net: &Connector, address: &str) -> Response {
    let target = net.target(Eio::V4, "polling", "");
    request(net, Request::get(&target).header("X-Forwarded-For", address)).await
}

#[tokio::test(start_paused = true)]
async fn handshakes_of_one_address_are_bounded() {
    let mut options = options_behind_a_proxy();
    options.max_connect_rate_per_address = Some(Rate::new(2, s(60)));
    let host = Host::silent(options);
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1"] {
        assert_eq!(handshake(&host.net, address).await.status, 200);
    }
    assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 200);
    assert_eq!(handshake(&host.net, "2001:db8:1:2:ffff::9").await.status, 200);
    for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:2:8::"] {
        let answer = handshake(&host.net, address).await;
        assert_eq!(answer.status, 429, "{address}");
        assert_eq!(answer.json(), json!({"code": 3, "message": "Too many handshakes"}));
        assert_eq!(answer.header("retry-after"), Some("30"));
    }
    assert_eq!(handshake(&host.net, "2001:db8:1:3::1").await.status, 200);
    assert_eq!(host.stats().limits.get(Limit::AddressConnectRate), 3);
    advance(s(31)).await;
    assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 200);
    assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 429);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn sessions_of_one_address_are_bounded() {
    let mut options = options_behind_a_proxy();
    options.max_sessions_per_address = Some(2);
    let host = Host::silent(options);
    for _ in 0..2 {
        assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 200);
    }
    let answer = handshake(&host.net, "192.0.2.1").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({"code": 3, "message": "Too many sessions of this address"}));
    assert_eq!(host.stats().limits.get(Limit::AddressSessions), 1);
    assert_eq!(handshake(&host.net, "192.0.2.2").await.status, 200);
    // a place is free again with its session, and a WebSocket takes one, too
    host.log.sockets()[0].close();
    advance(s(31)).await;
    let headers = [("X-Forwarded-For", "192.0.2.1")];
    let target = host.net.target(Eio::V4, "websocket", "");
    let websocket = WebSocket::connect(&host.net, &target, &headers).await.unwrap();
    assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 503);
    drop(websocket);
    advance(s(1)).await;
    assert_eq!(handshake(&host.net, "192.0.2.1").await.status, 200);
    host.end().await;
}

/// What one session of an address sends slows down the others.
#[tokio::test(start_paused = true)]
async fn the_rate_of_an_address_is_that_of_all_its_sessions() {
    let mut options = Options::default();
    options.max_message_rate_per_address = Some(Rate::per_second(10));
    let host = Host::silent(options);
    let (mut one, _) = open_websocket(&host.net, Eio::V4, "").await;
    let (mut two, _) = open_websocket(&host.net, Eio::V4, "").await;
    advance(ms(1)).await;
    host.expect(&["open", "open"]);
    send(&mut one, 0..9).await;
    send(&mut two, 0..9).await;
    advance(ms(1)).await;
    let limited = "limited: max_message_rate_per_address".to_owned();
    assert_eq!(events(&host), (10, vec![limited]));
    advance(ms(1000)).await;
    assert_eq!(events(&host), (8, vec![]));
    assert_eq!(host.stats().limits.get(Limit::MessageRate), 0);
    drop((one, two));
    host.end().await;
}
