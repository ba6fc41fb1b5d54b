use std::time::Duration;

use bytes::Bytes;
use socketio_testkit::{Eio, Packet, Polling};

use crate::script::{get, hear, ok, post, say, server, websocket, write};

const V4: &str = "/socket.io/?EIO=4&transport=polling";
const V4_SID: &str = "/socket.io/?EIO=4&transport=polling&sid=x";
const V3: &str = "/socket.io/?EIO=3&transport=polling&j=0";
const V3_SID: &str = "/socket.io/?EIO=3&transport=polling&j=0&sid=x";
const PLAIN: &str = "text/plain;charset=UTF-8";
const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_conversation() {
    let server = server([
        vec![get(V4), ok(r#"0{"sid":"x","pingInterval":25000}"#)],
        vec![post(V4_SID, PLAIN, "40\u{1e}bAQI="), ok("ok")],
        vec![get(V4_SID), ok("40{}\u{1e}bAQI=\u{1e}2")],
        vec![get(V4_SID), ok("6")],
        vec![post(V4_SID, "application/octet-stream", "no"), write(REFUSAL)],
    ]);
    let mut client = Polling::open(&server, Eio::V4, "").await;
    assert_eq!(client.sid(), "x");
    assert_eq!(client.handshake()["pingInterval"], 25000);
    let binary = Packet::Binary(Bytes::from_static(&[1, 2]));
    client.post(["40".into(), binary.clone()]).await;
    assert_eq!(client.next().await, "40{}");
    assert_eq!(client.next().await, binary);
    assert_eq!(client.next().await, "2");
    assert_eq!(client.poll().await, ["6"]);
    let refused = client.post_body("no", "application/octet-stream").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test(start_paused = true)]
async fn jsonp_and_packets_beside_the_open_packet() {
    let body = |payload: &str| ok(&format!("___eio[0]({payload:?});"));
    let server = server([
        vec![get(V3), body(r#"12:0{"sid":"x"}2:40"#)],
        vec![
            // `3:4a` and a newline
            post(V3_SID, "application/x-www-form-urlencoded", "d=3%3A4a%5Cn"),
            ok("ok"),
        ],
        vec![get(V3_SID), body("4:4€😀")],
    ]);
    let mut client = Polling::open(&server, Eio::V3, "j=0").await;
    assert_eq!(client.next().await, "40");
    client.post(["4a\n"]).await;
    let response = client.poll_response().await;
    assert!(response.text().starts_with("___eio[0]("));
    assert_eq!(client.packets(&response), ["4€😀"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_while_other_things_happen() {
    let server = server([
        vec![get(V4), ok(r#"0{"sid":"x"}"#)],
        vec![get(V4_SID)],
        vec![post(V4_SID, PLAIN, "4a"), ok("ok")],
    ]);
    let mut client = Polling::open(&server, Eio::V4, "").await;
    // The poll of the first silence goes on in the second: no further script is played.
    client.expect_silence(Duration::from_secs(1)).await;
    client.post(["4a"]).await;
    client.expect_silence(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_with_a_poll_under_way() {
    let mut upgrade = websocket("/socket.io/?EIO=4&transport=websocket&sid=x");
    upgrade.extend([hear("2probe"), say("3probe"), hear("5"), say("4hello")]);
    let server = server([
        vec![get(V4), ok(r#"0{"sid":"x"}"#)],
        vec![get(V4_SID), ok("6")],
        upgrade,
        vec![get(V4_SID), write(REFUSAL)],
    ]);
    let mut client = Polling::open(&server, Eio::V4, "").await;
    let mut parked = client.poll_later().await;
    let mut websocket = client.upgrade().await;
    websocket.expect_text("4hello").await;
    assert_eq!(client.packets(&parked.read_response().await), ["6"]);
    parked.expect_silence(Duration::from_secs(1)).await;
    assert_eq!(client.poll_response().await.status, 400);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the server refused: Response { status: 400")]
async fn a_refusal_is_told() {
    let server = server([vec![write(REFUSAL)]]);
    Polling::open(&server, Eio::V4, "").await;
}
