use std::time::Duration;

use serde_json::{Value, json};
use socketio_testkit::{Args, Client, Closed, ConnectError, Connector, Eio, Transport};
use tokio::time::{Instant, advance};

use crate::script::{
    Step, get, hear, hear_binary, ok, post, read, say, say_binary, server, websocket, write,
};

const OPEN: &str = r#"0{"sid":"engine","pingInterval":25000}"#;

/// A server of Engine.IO 4 that goes on like this after the open packet.
fn v4(steps: impl IntoIterator<Item = Step>) -> Connector {
    let mut script = websocket("/socket.io/?EIO=4&transport=websocket");
    script.push(say(OPEN));
    script.extend(steps);
    server([script])
}

#[tokio::test(start_paused = true)]
async fn events_and_acks() {
    let server = v4([
        hear("40"),
        say(r#"40{"sid":"s"}"#),
        hear(r#"42["hi",1,{"a":null}]"#),
        say(r#"42["news","x"]"#),
        hear(r#"420["sum",1,2]"#),
        say(r#"427["how are you"]"#), // comes before the ack
        say("430[3]"),
        hear(r#"437["fine"]"#),
        hear("41"),
        read([0x88, 0x80, 0x11, 0x22, 0x33, 0x44]),
        Step::HangUp,
    ]);
    let mut client = Client::connect(&server).await;
    assert_eq!(client.id(), "s");
    assert_eq!(client.handshake()["sid"], "engine");
    client.emit("hi", json!([1, {"a": null}])).await;
    let news = client.next_event().await;
    assert_eq!((&*news.namespace, &*news.name, news.id), ("/", "news", None));
    assert_eq!(news.args, [json!("x")]);
    assert_eq!(client.emit_with_ack("sum", json!([1, 2])).await, [json!(3)]);
    let question = client.next_event().await;
    client.reply(&question, json!("fine")).await;
    client.expect_silence(Duration::from_secs(3)).await;
    client.disconnect().await;
    assert_eq!(client.closed().await, Closed::Connection);
}

#[tokio::test(start_paused = true)]
async fn attachments() {
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let server = v4([
        hear("40"),
        say(r#"40{"sid":"s"}"#),
        hear(&format!(r#"451-0["up",{placeholder}]"#)),
        hear_binary(&[1, 2]),
        say(&format!("461-0[{placeholder}]")),
        say_binary(&[3]),
        say(r#"452-["two",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#),
        say_binary(&[4]),
        say_binary(&[5]),
    ]);
    let mut client = Client::connect(&server).await;
    let value: Value = serde_json::from_str(placeholder).unwrap();
    let args = Args::with_attachments(json!([value]), [vec![1, 2]]);
    let id = client.emit_expecting_ack("up", args).await;
    let expected = Args::with_attachments(json!([value]), [vec![3]]);
    assert_eq!(client.ack(id).await, expected);
    let event = client.next_event().await;
    assert_eq!(event.attachments, [&[4][..], &[5]]);
    assert_eq!(event.args[1], value);
}

#[tokio::test(start_paused = true)]
async fn namespaces() {
    let server = v4([
        hear(r#"40/chat,{"token":1}"#),
        say(r#"40/chat,{"sid":"c"}"#),
        hear("40/nope,"),
        say(r#"44/nope,{"message":"Invalid namespace"}"#),
        hear("40"),
        say(r#"40{"sid":"r"}"#),
        hear(r#"42["root"]"#),
        hear(r#"42/chat,["chat"]"#),
        hear("41/chat,"),
        say(r#"42["bye"]"#),
        say("41"),
    ]);
    let chat = Client::builder().namespace("/chat").auth(json!({"token": 1}));
    let mut client = chat.connect(&server).await.unwrap();
    assert_eq!(client.id(), "c");
    let refusal = client.join_namespace("/nope", None).await.unwrap_err();
    assert_eq!(refusal["message"], "Invalid namespace");
    client.join_namespace("/", None).await.unwrap();
    client.switch_namespace("/");
    client.emit("root", json!([])).await;
    assert_eq!(client.id(), "r");
    client.switch_namespace("/chat");
    client.emit("chat", json!([])).await;
    client.leave_namespace("/chat").await;
    client.switch_namespace("/");
    assert_eq!(client.closed().await, Closed::Namespace);
    assert_eq!(client.next_event().await.name, "bye");
}

#[tokio::test(start_paused = true)]
async fn the_older_protocol() {
    let mut script = websocket("/socket.io/?EIO=3&transport=websocket&token=x");
    script.extend([
        say(OPEN),
        say("40"),
        hear("40/chat?a=b,"),
        say("40/chat,"),
        hear("451-/chat,[\"up\"]"),
        hear_binary(&[4, 1]), // the type "message" is a number here
        hear("2"),
        say("3"),
        say(r#"42/chat,["down"]"#),
    ]);
    let server = server([script]);
    let chat = Client::builder().protocol(Eio::V3).namespace("/chat?a=b").query("token=x");
    let mut client = chat.connect(&server).await.unwrap();
    assert_eq!(client.id(), "/chat#engine");
    client.emit("up", Args::with_attachments(json!([]), [vec![1]])).await;
    advance(Duration::from_secs(25)).await;
    assert_eq!(client.next_event().await.name, "down");
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_on_the_way() {
    let server = v4([hear("40"), say(r#"40{"sid":"s"}"#), say("2"), hear("3"), say(r#"42["x"]"#)]);
    let mut client = Client::connect(&server).await;
    assert_eq!(client.next_event().await.name, "x");
}

#[tokio::test(start_paused = true)]
async fn refusals() {
    let server = server([vec![write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")]]);
    let refused = Client::builder().connect(&server).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Handshake(response) if response.status == 403));
    let server = v4([hear("40"), say(r#"44{"message":"no"}"#)]);
    let refused = Client::builder().connect(&server).await.unwrap_err();
    assert_eq!(refused.to_string(), r#"the namespace refused: {"message":"no"}"#);
}

#[tokio::test(start_paused = true)]
async fn polling() {
    let sid = "/socket.io/?EIO=4&transport=polling&sid=engine";
    let plain = "text/plain;charset=UTF-8";
    let server = server([
        vec![get("/socket.io/?EIO=4&transport=polling"), ok(OPEN)],
        vec![post(sid, plain, "40"), ok("ok")],
        vec![get(sid), ok("40{\"sid\":\"s\"}\u{1e}2\u{1e}451-[\"x\"]\u{1e}bAQI=")],
        vec![post(sid, plain, "3"), ok("ok")],
        vec![get(sid), ok("1")],
    ]);
    // In a task of its own, as a test with several clients has them.
    let client = tokio::spawn(async move {
        let polling = Client::builder().transport(Transport::Polling);
        let mut client = polling.connect(&server).await.unwrap();
        assert_eq!(client.next_event().await.attachments, [&[1, 2][..]]);
        assert_eq!(client.closed().await, Closed::Connection);
    });
    client.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_upgrade() {
    let mut upgrade = websocket("/socket.io/?EIO=3&transport=websocket&sid=engine");
    upgrade.extend([hear("2probe"), say("3probe"), hear("5"), say(r#"42["x"]"#)]);
    let open = ok(&format!("{}:{OPEN}2:40", OPEN.len()));
    let server = server([vec![get("/socket.io/?EIO=3&transport=polling"), open], upgrade]);
    let client = Client::builder().protocol(Eio::V3).transport(Transport::Upgrade);
    let mut client = client.connect(&server).await.unwrap();
    assert_eq!(client.id(), "engine");
    assert_eq!(client.next_event().await.name, "x");
}

/// A server on which a client of Engine.IO 4 is, and what it says then.
async fn joined(steps: impl IntoIterator<Item = Step>) -> Client {
    let mut script = vec![hear("40"), say(r#"40{"sid":"s"}"#)];
    script.extend(steps);
    Client::connect(&v4(script)).await
}

#[tokio::test(start_paused = true)]
async fn arguments_as_types() {
    let mut client = joined([
        hear(r#"420["sum",1,2]"#),
        say("430[3]"),
        hear(r#"421["two"]"#),
        say(r#"431["a",[1]]"#),
        hear(r#"422["none"]"#),
        say("432[]"),
        say(r#"42["x",null]"#),
    ])
    .await;
    let sum: u32 = client.emit_with_ack_as("sum", json!([1, 2])).await;
    assert_eq!(sum, 3);
    let two: (String, Vec<u8>) = client.emit_with_ack_as("two", json!([])).await;
    assert_eq!(two, ("a".to_owned(), vec![1]));
    client.emit_with_ack_as::<()>("none", json!([])).await;
    assert_eq!(client.next_event().await.args_as::<Option<u32>>(), None);
    assert_eq!(Args::from(json!([1, 2])).args_as::<[u8; 2]>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"waiting for an ack: "3" is no u32: invalid type"#)]
async fn an_ack_of_another_type_is_told() {
    let mut client = joined([hear(r#"420["sum"]"#), say(r#"430["3"]"#)]).await;
    client.emit_with_ack_as::<u32>("sum", json!([])).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"event "x": [1,2] is no u32: invalid type"#)]
async fn an_event_of_another_type_is_told() {
    joined([say(r#"42["x",1,2]"#)]).await.next_event().await.args_as::<u32>();
}

#[tokio::test(start_paused = true)]
async fn an_ack_that_does_not_come() {
    let mut client = joined([
        hear(r#"420["never"]"#),
        hear(r#"421["at once"]"#),
        say("431[]"), // of another event
    ])
    .await;
    let never = client.emit_expecting_ack("never", json!([])).await;
    let at_once = client.emit_expecting_ack("at once", json!([])).await;
    client.expect_no_ack(never, Duration::from_secs(60)).await;
    client.ack(at_once).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected silence for 60s, got Ok(Args")]
async fn an_ack_that_should_not_come_is_told() {
    let mut client = joined([hear(r#"420["x"]"#), say("430[]")]).await;
    let id = client.emit_expecting_ack("x", json!([])).await;
    client.expect_no_ack(id, Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn time_passes_with_heartbeats() {
    let mut client =
        joined([say("2"), hear("3"), say(r#"42["x"]"#), say("2"), hear("3"), say("1")]).await;
    let start = Instant::now();
    client.let_pass(Duration::from_secs(3600)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    assert_eq!(client.next_event().await.name, "x");
    assert_eq!(client.closed().await, Closed::Connection);

    let mut script = websocket("/socket.io/?EIO=3&transport=websocket");
    script.extend([say(OPEN), say("40")]);
    // one every 25 seconds
    script.extend((0..3).flat_map(|_| [hear("2"), say("3")]));
    script.push(say("1"));
    let client = Client::builder().protocol(Eio::V3).connect(&server([script])).await;
    let mut client = client.unwrap();
    client.let_pass(Duration::from_secs(74)).await;
    client.expect_silence(Duration::from_millis(900)).await;
    client.let_pass(Duration::from_secs(1)).await;
    assert_eq!(client.closed().await, Closed::Connection);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "while 60s passed: not a Socket.IO packet")]
async fn what_is_wrong_while_time_passes_is_told() {
    joined([say("4x")]).await.let_pass(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = r#"not a packet of a server"#)]
async fn an_event_without_a_name_is_told() {
    let server = v4([hear("40"), say(r#"40{"sid":"s"}"#), say("42[1]")]);
    Client::connect(&server).await.next_event().await;
}
