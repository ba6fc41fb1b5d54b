//! What clients send and the server keeps: counted, bounded for all together, and given back.

use engineio::{Limit, Options, Socket};
use testkit::{Eio, Frame, HttpConnection, Polling, WebSocket, frame, open_websocket, settle};

use crate::host::{Host, ms, s};

const PLAIN: Option<[u8; 4]> = Some([0; 4]);

fn options(max: usize) -> Options {
    let mut options = Options::default();
    options.max_total_inbound_bytes = max;
    options.trusted_proxies = vec!["203.0.113.7".to_owned()];
    options
}

/// A client of an address, with a message of which all bytes but the last have come.
async fn begins(host: &Host, address: &str, bytes: usize) -> (WebSocket, Socket) {
    let net = host.net.clone().with_header("X-Forwarded-For", address);
    let (mut client, _) = open_websocket(&net, Eio::V4, "").await;
    let message = frame(true, 1, PLAIN, &vec![b'4'; bytes + 1]);
    client.send_raw(&message[..message.len() - 1]).await;
    settle().await;
    (client, host.socket())
}

/// A message that has begun is counted with little more than its bytes, and no more when it is whole.
#[tokio::test(start_paused = true)]
async fn what_has_begun_is_counted() {
    let host = Host::echo(Options::default());
    let (mut client, _) = open_websocket(&host.net, Eio::V4, "").await;
    settle().await;
    let head = host.stats().inbound_bytes;
    assert!((50..500).contains(&head), "{head}");
    assert_eq!(host.socket().kept_bytes(), head);

    // messages that are whole change nothing
    client.send_text("4hello").await;
    client.expect_text("4hello").await;
    assert_eq!(host.stats().inbound_bytes, head);

    let message = frame(true, 1, PLAIN, &[b'4'; 100_001]);
    for part in message[..100_000].chunks(30_000) {
        client.send_raw(part).await;
        settle().await;
    }
    let kept = host.stats().inbound_bytes - head;
    assert!((99_000..202_000).contains(&kept), "{kept}");
    client.send_raw(&message[100_000..]).await;
    assert!(matches!(client.next().await, Frame::Text(_)));
    assert_eq!(host.stats().inbound_bytes, head);

    // nothing is left of who leaves in the middle
    client.send_raw(&message[..50_000]).await;
    settle().await;
    drop(client);
    host.expect_no_sessions().await;
    assert_eq!(host.stats().inbound_bytes, 0);
    host.end().await;
}

/// So is a body of which a part has come.
#[tokio::test(start_paused = true)]
async fn a_body_is_counted() {
    let host = Host::echo(Options::default());
    let client = Polling::open(&host.net, Eio::V4, "").await;
    settle().await;
    let head = host.stats().inbound_bytes;
    let target = host.net.target(Eio::V4, "polling", &format!("&sid={}", host.socket().id()));
    let mut http = HttpConnection::open(&host.net);
    let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 60001\r\n\r\n4");
    http.send(request.as_bytes()).await;
    for _ in 0..3 {
        http.send(&[b'x'; 10_000]).await;
        settle().await;
    }
    let kept = host.stats().inbound_bytes - head;
    assert!((30_000..70_000).contains(&kept), "{kept}");
    http.send(&[b'x'; 30_000]).await;
    assert_eq!(http.read_response().await.status, 200);
    settle().await;
    assert_eq!(host.stats().inbound_bytes, head);
    drop(client);
    host.end().await;
}

/// Over the bound, the largest holder ends, is told why, and is forgotten at once, whatever its peer
/// does; the others go on.
#[tokio::test(start_paused = true)]
async fn the_largest_is_cut() {
    let host = Host::echo(options(100_000));
    let mut small = begins(&host, "192.0.2.1", 20_000).await.0;
    let (mut large, holder) = begins(&host, "192.0.2.2", 60_000).await;
    host.expect(&["open", "open"]);
    let mut third = begins(&host, "192.0.2.3", 30_000).await.0;
    host.expect(&["open", "close: transport error, KeptTooMuch"]);
    assert!(!holder.is_open());
    assert_eq!(host.stats().limits.get(Limit::TotalInboundBytes), 1);
    assert!(host.stats().inbound_bytes < 100_000, "{}", host.stats().inbound_bytes);
    assert_eq!(large.expect_close().await, Some(1008));
    for client in [&mut small, &mut third] {
        client.send_raw(b"4").await;
        assert!(matches!(client.next().await, Frame::Text(_)));
    }
    drop((small, large, third));
    host.end().await;
}

/// Many small holders of one address do not have others pay for them.
#[tokio::test(start_paused = true)]
async fn an_address_pays_for_itself() {
    let host = Host::echo(options(100_000));
    let (mut other, holder) = begins(&host, "192.0.2.1", 30_000).await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(begins(&host, "192.0.2.2", 5_000).await);
    }
    assert!(holder.is_open());
    assert!(host.stats().inbound_bytes <= 100_000, "{}", host.stats().inbound_bytes);
    let cut = crowd.iter().filter(|(_, socket)| !socket.is_open()).count();
    assert!((20..35).contains(&cut), "{cut}");
    assert_eq!(host.stats().limits.get(Limit::TotalInboundBytes), cut as u64);
    other.send_raw(b"4").await;
    assert!(matches!(other.next().await, Frame::Text(_)));
    drop((other, crowd));
    host.end().await;
}

/// A body that is being read makes room for itself, too, without any session's turn.
#[tokio::test(start_paused = true)]
async fn a_body_is_cut() {
    let mut options = options(50_000);
    options.ping_interval = s(300);
    let host = Host::echo(options);
    let client = Polling::open(&host.net, Eio::V4, "").await;
    let target = host.net.target(Eio::V4, "polling", &format!("&sid={}", host.socket().id()));
    let mut http = HttpConnection::open(&host.net);
    let request = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n4");
    http.send(request.as_bytes()).await;
    for _ in 0..6 {
        http.send(&[b'x'; 10_000]).await;
        tokio::time::sleep(ms(10)).await;
    }
    host.expect(&["open", "close: transport error, KeptTooMuch"]);
    assert_eq!(http.read_response().await.status, 400);
    drop(client);
    host.expect_no_sessions().await;
    assert_eq!(host.stats().inbound_bytes, 0);
    host.end().await;
}
