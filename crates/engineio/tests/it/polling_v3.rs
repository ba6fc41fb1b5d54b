//! Long polling, protocol 3: payloads with lengths, and their binary form.

use bytes::Bytes;
use engineio::Options;
use testkit::{Eio, Packet, Polling};

use crate::host::{Host, Road};

const TEXT: &str = "text/plain;charset=UTF-8";
const BINARY: &str = "application/octet-stream";

roads! {
    async fn text_has_lengths_of_utf_16(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V3, "").await;
        let response = client.post_body("8:4[\"é😀\"]2:4x", TEXT).await;
        assert_eq!((response.status, response.text()), (200, "ok"));
        let response = client.poll_response().await;
        assert_eq!(response.text(), "8:4[\"é😀\"]2:4x");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
        drop(client);
        host.end().await;
    }
}

roads! {
    async fn one_binary_packet_makes_the_payload_binary(road: Road) {
        let host = Host::echo_on(road, Options::default()).await;
        let mut client = Polling::open(&host.net, Eio::V3, "").await;
        // a text of 3 bytes, and 4 bytes of binary with the type in front
        let body = b"\x00\x03\xff4\xc3\xa9\x01\x04\xff\x04\x01\x02\x03";
        let response = client.post_body(&body[..], BINARY).await;
        assert_eq!((response.status, response.text()), (200, "ok"));
        let response = client.poll_response().await;
        assert_eq!(response.body, body[..]);
        assert_eq!(response.header("content-type"), Some(BINARY));
        host.expect(&["open", "é", r#"b"\x01\x02\x03""#]);
        // text alone stays text; base64 is understood
        client.post(["4x".into(), Packet::Binary(Bytes::from_static(b"\x07"))]).await;
        host.expect(&["x", r#"b"\x07""#]);
        client.post(["1"]).await; // the echo waits, which the end of the server would wait for
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_by_base64_get_text_only() {
    for query in ["b64=1", "j=0"] {
        let host = Host::echo(Options::default());
        let mut client = Polling::open(&host.net, Eio::V3, query).await;
        client.post([Packet::Binary(Bytes::from_static(b"\x01\x02\x03")), "4x".into()]).await;
        let response = client.poll_response().await;
        match query {
            "j=0" => assert_eq!(response.text(), r#"___eio[0]("6:b4AQID2:4x");"#),
            _ => assert_eq!(response.text(), "6:b4AQID2:4x"),
        }
        host.end().await;
    }
}

/// A poll that can take text only, of a session that can more: as a script, or by its own `b64`.
#[tokio::test(start_paused = true)]
async fn a_poll_by_base64_gets_text_only() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    for (query, expected) in [
        ("&b64=1", &b"6:b4AQID"[..]),
        ("&j=3", br#"___eio[3]("6:b4AQID");"#),
        ("", b"\x01\x04\xff\x04\x01\x02\x03"),
    ] {
        client.post([Packet::Binary(Bytes::from_static(b"\x01\x02\x03"))]).await;
        let poll = testkit::Request::get(&(client.target() + query));
        assert_eq!(&testkit::request(&host.net, poll).await.body[..], expected, "{query}");
    }
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_client_pings() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    client.post(["2", "2with data"]).await;
    assert_eq!(client.poll().await, ["3", "3"]);
    client.post(["5", "6", "0{}", "4ok"]).await;
    assert_eq!(client.next().await, "4ok");
    let mut poll = client.poll_later().await;
    client.post(["3"]).await;
    assert_eq!(poll.read_response().await.text(), "1:1");
    host.expect(&["open", "ok", "close: transport error"]);
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_payload_ends_the_session() {
    let long_length = [&[0][..], &[9; 400], &[0xff], b"4"].concat();
    for (body, content_type, delivered) in [
        (&b""[..], TEXT, None),
        (b"garbage", TEXT, None),
        (b"::", TEXT, None),
        (b"4[1]", TEXT, None),
        (b"99:4x", TEXT, None),
        (b"3:4", TEXT, None),
        (b"-1:4", TEXT, None),
        (b"NaN:4", TEXT, None),
        (b"1000000000:4", TEXT, None),
        (b"2.0:4a", TEXT, None),
        (b"0x2:4a", TEXT, None),
        (b"1e1:4[\"e\",123]", TEXT, None),
        (b"1:x", TEXT, None),
        (b"1:7", TEXT, None),
        (b"2:4x12", TEXT, Some("x")),
        ("2:4😀".as_bytes(), TEXT, None), // ends inside a surrogate pair
        (b"\x00\x09", BINARY, None),
        (b"\x00", BINARY, None),
        (&long_length, BINARY, None),
        (b"\x00\x05\x00\xff42", BINARY, None),
        (b"\x00\xfe\xff4", BINARY, None),
        (b"\x02\x01\xff4", BINARY, None),
        (b"\x00\x02\xff4x\x02", BINARY, Some("x")),
    ] {
        let host = Host::silent(Options::default());
        let mut client = Polling::open(&host.net, Eio::V3, "").await;
        let mut poll = client.poll_later().await;
        let response = client.post_body(body.to_vec(), content_type).await;
        assert_eq!((response.status, response.text()), (200, "ok"), "{body:?}");
        assert_eq!(poll.read_response().await.text(), "1:1", "{body:?}");
        let told: Vec<_> =
            ["open"].into_iter().chain(delivered).chain(["close: parse error"]).collect();
        host.expect(&told);
        host.expect_no_sessions().await;
        host.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_packet_is_skipped() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    let response = client.post_body("0:", TEXT).await;
    assert_eq!(response.text(), "ok");
    client.post(["4ok"]).await;
    assert_eq!(client.next().await, "4ok");
    host.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_close_packet_is_answered_with_a_noop() {
    let host = Host::echo(Options::default());
    let mut client = Polling::open(&host.net, Eio::V3, "").await;
    let mut poll = client.poll_later().await;
    client.post(["1"]).await;
    assert_eq!(poll.read_response().await.text(), "1:6");
    host.expect(&["open", "close: transport close"]);
    host.end().await;
}
