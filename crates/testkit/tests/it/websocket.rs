use std::time::Duration;

use bytes::Bytes;
use socketio_testkit::{Eio, Frame, RawFrame, WebSocket, frame, open_websocket};

use crate::script::{
    Step, get, hear, hear_binary, read, say, say_binary, server, websocket, write,
};

fn script(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    websocket("/ws?a").into_iter().chain(steps).collect()
}

#[tokio::test(start_paused = true)]
async fn a_conversation() {
    let server = server([script([
        hear("hello"),
        hear_binary(&[1, 2]),
        say("welcome"),
        say_binary(&[3]),
        write([0x01, 3, b'o', b'n', b'e']), // text, a first fragment
        write([0x89, 1, b'p']),             // ping
        write([0x80, 1, b'!']),             // the last fragment
        read(frame(true, 10, None, b"p")),
        read([0x88, 0x82, 0x11, 0x22, 0x33, 0x44, 0x03 ^ 0x11, 0xe8 ^ 0x22]), // close 1000
        write([0x88, 5, 0x03, 0xe8, b'b', b'y', b'e']),
        Step::HangUp,
    ])]);
    // The smallest pieces: nothing may depend on what arrives together.
    let server = server.with_capacity(1);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    assert_eq!(client.response().header("upgrade"), Some("websocket"));
    client.send_text("hello").await;
    client.send_binary(&[1, 2]).await;
    client.expect_text("welcome").await;
    client.expect_binary(&[3]).await;
    assert_eq!(client.next().await, Frame::Ping("p".into()));
    client.expect_text("one!").await;
    client.expect_silence(Duration::from_secs(60)).await;
    client.send_raw(&[0x8a, 1, b'p']).await;
    client.send_close(Some(1000)).await;
    assert_eq!(client.next().await, Frame::Close(Some(1000), "bye".to_owned()));
    client.expect_eof().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_given() {
    let handshake = read(
        "GET / HTTP/1.1\r\nsec-websocket-version: 8\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost: test\r\n\r\n",
    );
    let refusal = write("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
    let server = server([vec![handshake, refusal]]);
    let headers = [("sec-websocket-version", "8")];
    let refused = WebSocket::connect(&server, "/", &headers).await.unwrap_err();
    assert_eq!(refused.status, 426);
}

#[tokio::test(start_paused = true)]
async fn a_compressed_frame_is_read_raw() {
    let server = server([script([write([0xc1, 1, 0x00]), Step::HangUp])]);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    let payload = Bytes::from_static(&[0]);
    let expected = RawFrame { fin: true, rsv: 4, opcode: 1, payload };
    assert_eq!(client.next_raw().await, Some(expected));
    assert_eq!(client.next_raw().await, None);
}

#[tokio::test(start_paused = true)]
async fn lengths_have_three_forms() {
    for size in [125, 126, 0xffff, 0x10000] {
        let content = vec![7; size];
        let server = server([script([hear_binary(&content), say_binary(&content)])]);
        let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
        client.send_binary(&content).await;
        client.expect_binary(&content).await;
    }
    assert_eq!(frame(false, 1, None, b"ab"), [0x01, 2, b'a', b'b']);
    assert_eq!(frame(true, 2, None, &[0; 126])[..4], [0x82, 126, 0, 126]);
    assert_eq!(frame(true, 2, None, &[0; 0x10000])[..6], [0x82, 127, 0, 0, 0, 0]);
    assert_eq!(frame(true, 1, Some([1, 2, 3, 4]), &[0; 5])[1..], [0x85, 1, 2, 3, 4, 1, 2, 3, 4, 1]);
}

/// What a server must not send; the reason is part of the panic.
async fn check_wrong(bytes: &[u8], reason: &str) {
    let server = server([script([write(bytes), Step::HangUp])]);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    let outcome = tokio::spawn(async move { client.next().await }).await;
    let panic = outcome.expect_err(reason).into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(reason), "{message}");
}

#[tokio::test(start_paused = true)]
async fn wrong_frames_are_told() {
    check_wrong(&[0x81, 0x80, 0, 0, 0, 0], "the server masks").await;
    check_wrong(&[0x81, 126, 0, 1, b'a'], "a length of 1 in 2 bytes").await;
    check_wrong(&[0xc1, 1, b'a'], "reserved bits").await;
    check_wrong(&[0x80, 1, b'a'], "a fragment out of order").await;
    check_wrong(&[0x09, 1, b'a'], "a control frame in fragments").await;
    check_wrong(&[0x88, 1, 3], "no such control frame").await;
    check_wrong(&[0x81, 1, 0xff], "not UTF-8").await;
    check_wrong(&[0x81, 2, b'a'], "cut off").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"expected "a", got Text("b")"#)]
async fn another_text_is_told() {
    let server = server([script([say("b")])]);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    client.expect_text("a").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"expected silence for 1s, got Ok(Text("b"))"#)]
async fn broken_silence_is_told() {
    let server = server([script([say("b")])]);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    client.expect_silence(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_session_is_opened() {
    let mut steps = websocket("/engine/?EIO=3&transport=websocket&b64=1");
    steps.extend([say(r#"0{"sid":"x"}"#), say("40")]);
    let server = server([steps]).with_path("/engine/");
    let (mut client, handshake) = open_websocket(&server, Eio::V3, "b64=1").await;
    assert_eq!(handshake["sid"], "x");
    client.expect_text("40").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "Sec-WebSocket-Accept should be")]
async fn a_wrong_accept_is_told() {
    let server = server([vec![
        write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"),
        write("Sec-WebSocket-Accept: s3p\r\n\r\n"),
    ]]);
    _ = WebSocket::connect(&server, "/", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_server_is_told_is_swallowed() {
    let server = server([script([get("/never"), Step::HangUp])]);
    let mut client = WebSocket::connect(&server, "/ws?a", &[]).await.unwrap();
    client.send_raw(b"GET /never HTTP/1.1\r\nHost: test\r\n\r\n").await;
    client.expect_eof().await;
    client.send_text("nobody hears").await;
    client.expect_eof().await;
}
