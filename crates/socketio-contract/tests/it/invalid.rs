//! Events that break the contract: what the client is told, by place and type, never by value.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use socketio::events::ErrorEvent;
use socketio::{Binary, Server, Socket};
use socketio_contract::{Invalid, InvalidEvent, OnInvalid, OnUnknown, Rules, contract};
use socketio_testkit::{Args, Client, Closed, Eio};

use crate::wire::connector;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Point {
    x: f64,
    #[serde(default)]
    y: u8,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Stroke {
    points: Vec<Point>,
    #[serde(rename = "penWidth")]
    width: Option<u8>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    Dot,
    Circle { radius: f64 },
    Line(Point, Point),
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Tagged {
    Text { text: String },
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Either {
    Number(u8),
    Flag(bool),
}

fn not_empty(text: &str) -> Result<(), Invalid> {
    if text.is_empty() { Err(Invalid::new("must not be empty")) } else { Ok(()) }
}

fn few(stroke: &Stroke) -> Result<(), Invalid> {
    let is_dot =
        stroke.width == Some(1) && stroke.points.iter().all(|p| p.x + f64::from(p.y) > 0.0);
    if stroke.points.len() > 2 && !is_dot {
        return Err(Invalid::at("/points", "must have at most 2 elements"));
    }
    Ok(())
}

#[contract(namespace = "/")]
pub(crate) mod board {
    use super::*;

    pub(crate) trait FromClient {
        fn text(&self, #[check(not_empty)] text: String);
        fn two(&self, first: u8, socket: Socket, second: Option<bool>);
        async fn answered(&self, text: String) -> Result<u32, String>;
        fn plain(&self, text: String) -> u32;
        fn stroke(&self, socket: Socket, #[check(few)] stroke: Stroke);
        fn shape(&self, shape: Shape);
        fn tagged(&self, tagged: Tagged);
        fn either(&self, either: Either);
        fn map(&self, map: BTreeMap<u32, Vec<i8>>);
        fn pair(&self, pair: (u8, String));
        fn file(&self, name: String, bytes: Binary);
        fn nothing(&self);
        fn pages(&self, pages: BTreeMap<String, u8>);
    }
}

struct Board;

impl board::FromClient for Board {
    fn text(&self, _: String) {}
    fn two(&self, _: u8, _: Socket, _: Option<bool>) {}
    async fn answered(&self, text: String) -> Result<u32, String> {
        text.parse().map_err(|_| "no number".to_owned())
    }
    fn plain(&self, _: String) -> u32 {
        7
    }
    fn stroke(&self, _: Socket, _: Stroke) {}
    fn shape(&self, shape: Shape) {
        match shape {
            Shape::Circle { radius } => assert!(radius.is_finite()),
            Shape::Line(a, b) => assert!(a.x.is_finite() && b.x.is_finite()),
            Shape::Dot => {}
        }
    }
    fn tagged(&self, tagged: Tagged) {
        let Tagged::Text { text } = tagged;
        drop(text);
    }
    fn either(&self, either: Either) {
        match either {
            Either::Number(n) => assert!(u32::from(n) < 256),
            Either::Flag(flag) => assert!(u8::from(flag) < 2),
        }
    }
    fn map(&self, _: BTreeMap<u32, Vec<i8>>) {}
    fn pair(&self, _: (u8, String)) {}
    fn file(&self, _: String, _: Binary) {}
    fn nothing(&self) {}
    fn pages(&self, _: BTreeMap<String, u8>) {}
}

/// The event that tells of an invalid one.
fn told(event: &str, at: &str, message: &str) -> Value {
    json!({ "event": event, "at": at, "message": message })
}

/// What one is told of an event with these arguments, by both protocols.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "made where it is called")]
fn check(event: &'static str, args: Value, at: &'static str, message: &'static str) {
    let here = std::panic::Location::caller();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        for eio in [Eio::V3, Eio::V4] {
            let io = Server::new();
            let served = board::serve(&io, Board);
            let client = Client::builder().protocol(eio).connect(&connector(&io)).await;
            let mut client = client.expect("nobody refuses");
            client.emit(event, args.clone()).await;
            let heard = client.next_event().await;
            assert_eq!(heard.name, "contract:error", "{here}");
            assert_eq!(heard.args, [told(event, at, message)], "{here}");
            let counted = served.invalid_events().find(|(name, _)| *name == event);
            assert_eq!(counted, Some((event, 1)), "{here}");
            // it goes on
            client.emit("nothing", json!([])).await;
            assert_eq!(client.emit_with_ack("plain", json!(["x"])).await, [json!(7)], "{here}");
        }
    });
}

#[test]
fn wrong_types() {
    check("text", json!([7]), "/0", "expected a string, got an integer");
    check("text", json!([1.5]), "/0", "expected a string, got a number with a fraction");
    check("text", json!([null]), "/0", "expected a string, got null");
    check("text", json!([true]), "/0", "expected a string, got a boolean");
    check("text", json!([["secret"]]), "/0", "expected a string, got an array");
    check("text", json!([{ "secret": 1 }]), "/0", "expected a string, got an object");
    check("two", json!(["secret"]), "/0", "expected u8, got a string");
    check("two", json!([256]), "/0", "expected u8, got an integer that is none");
    check("two", json!([-1]), "/0", "expected u8, got an integer that is none");
    check("two", json!([7, "secret"]), "/1", "expected a boolean, got a string");
    check("file", json!(["name", 7]), "/1", "expected byte array, got an integer");
}

#[test]
fn missing_arguments() {
    check("text", json!([]), "/0", "missing");
    check("two", json!([]), "/0", "missing");
    check("file", json!(["name"]), "/1", "missing");
}

#[test]
fn places_inside() {
    check("stroke", json!([{}]), "/0/points", "missing");
    check("stroke", json!([{ "points": 7 }]), "/0/points", "expected a sequence, got an integer");
    let stroke = |point: Value| json!([{ "points": [{ "x": 0 }, point] }]);
    check("stroke", stroke(json!({})), "/0/points/1/x", "missing");
    let message = "expected f64, got a string";
    check("stroke", stroke(json!({ "x": "secret" })), "/0/points/1/x", message);
    let message = "expected u8, got an integer that is none";
    check("stroke", stroke(json!({ "x": 1, "y": 999 })), "/0/points/1/y", message);
    let message = "has a field that is not one of `x`, `y`";
    check("stroke", stroke(json!({ "x": 1, "secret": 1 })), "/0/points/1", message);
    let stroke = json!([{ "points": [], "penWidth": "secret" }]);
    check("stroke", stroke, "/0/penWidth", "expected u8, got a string");
    check("pair", json!([[1]]), "/0", "expected a tuple of size 2, got 1 elements");
    check("pair", json!([[1, 2]]), "/0/1", "expected a string, got an integer");
    check("map", json!([{ "7": [1, 300] }]), "/0/7/1", "expected i8, got an integer that is none");
    check("pages", json!([{ "a/b~c": "secret" }]), "/0/a~1b~0c", "expected u8, got a string");
}

#[test]
fn enums() {
    let message = "expected one of `dot`, `circle`, `line`";
    check("shape", json!(["secret"]), "/0", message);
    check(
        "shape",
        json!([{ "circle": { "radius": "secret" } }]),
        "/0/circle/radius",
        "expected f64, got a string",
    );
    check("shape", json!([{ "circle": {} }]), "/0/circle/radius", "missing");
    check(
        "shape",
        json!([{ "line": [{ "x": 1 }, 2] }]),
        "/0/line/1",
        "expected struct Point, got an integer",
    );
    check("shape", json!([7]), "/0", "expected a string or an object with one key, got an integer");
    check(
        "tagged",
        json!([{ "kind": "text", "text": 7 }]),
        "/0",
        "expected a string, got an integer",
    );
    check("tagged", json!([{ "kind": "secret" }]), "/0/kind", "expected `text`");
    check("tagged", json!([{ "text": "secret" }]), "/0/kind", "missing");
    // serde only says that no variant fits
    check("either", json!(["secret"]), "/0", "not a valid `Either`");
}

#[test]
fn functions_that_check() {
    check("text", json!([""]), "/0", "must not be empty");
    let stroke = json!([{ "points": [{ "x": 1 }, { "x": 1 }, { "x": 1 }] }]);
    check("stroke", stroke, "/0/points", "must have at most 2 elements");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_says_it_if_it_can() {
    let io = Server::new();
    let _ = board::serve(&io, Board);
    let mut client = Client::connect(&connector(&io)).await;
    let answer = client.emit_with_ack("answered", json!([7])).await;
    let error =
        json!({ "code": "invalid", "at": "/0", "message": "expected a string, got an integer" });
    assert_eq!(answer, [json!({ "ok": false, "error": error })]);
    // one that was not asked for, and one that cannot say it
    for event in ["answered", "plain"] {
        match event {
            "plain" => drop(client.emit_expecting_ack(event, json!([7])).await),
            _ => client.emit(event, json!([7])).await,
        }
        let heard = client.next_event().await;
        assert_eq!(heard.args, [told(event, "/0", "expected a string, got an integer")]);
    }
    let answer = client.emit_with_ack("answered", json!(["x"])).await;
    assert_eq!(answer, [json!({ "ok": false, "error": "no number" })]);
}

#[tokio::test(start_paused = true)]
async fn binary_is_an_argument() {
    let io = Server::new();
    let served = board::serve(&io, Board);
    let mut client = Client::connect(&connector(&io)).await;
    let placeholder = json!({ "_placeholder": true, "num": 0 });
    let args = Args::with_attachments(json!(["name", placeholder]), [&b"bytes"[..]]);
    client.emit("file", args).await;
    let args = Args::with_attachments(json!([placeholder]), [&b"bytes"[..]]);
    client.emit("pages", args).await;
    let heard = client.next_event().await;
    assert_eq!(heard.args, [told("pages", "/0", "expected a map, got bytes")]);
    // of which a `String` could be made
    client.emit("text", Args::with_attachments(json!([placeholder]), [&b"bytes"[..]])).await;
    let heard = client.next_event().await;
    assert_eq!(heard.args, [told("text", "/0", "expected a string, got bytes")]);
    assert_eq!(served.invalid_events().map(|(_, count)| count).sum::<u64>(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_error_event_tells_the_program() {
    let errors: Arc<Mutex<Vec<String>>> = Arc::default();
    let (io, seen) = (Server::new(), Arc::clone(&errors));
    let _ = board::serve(&io, Board);
    io.on_connection(move |socket: Socket| {
        let seen = Arc::clone(&seen);
        socket.on_error(move |ErrorEvent(error): ErrorEvent| {
            let invalid = error.downcast_ref::<InvalidEvent>().expect("the contract's error");
            seen.lock().unwrap().push(format!("{} {}", invalid.event(), invalid.pointer()));
        });
    });
    let mut client = Client::connect(&connector(&io)).await;
    client.emit("two", json!([1, "secret"])).await;
    client.next_event().await;
    assert_eq!(*errors.lock().unwrap(), ["two /1"]);
}

#[tokio::test(start_paused = true)]
async fn ignored_if_asked_for() {
    let io = Server::new();
    let served = board::serve_with(&io, Board, Rules::new().on_invalid(OnInvalid::Ignore));
    let mut client = Client::connect(&connector(&io)).await;
    client.emit("text", json!([7])).await;
    client.emit_expecting_ack("answered", json!([7])).await;
    client.emit("unheard of", json!([7])).await;
    client.expect_silence(Duration::from_secs(1)).await;
    let counts: Vec<_> = served.invalid_events().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counts, [("text", 1), ("answered", 1)]);
}

#[tokio::test(start_paused = true)]
async fn disconnected_after_some() {
    const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();
    let io = Server::new();
    let rules = Rules::new().on_invalid(OnInvalid::Disconnect { after: TWO });
    let _ = board::serve_with(&io, Board, rules);
    let mut client = Client::connect(&connector(&io)).await;
    client.emit("text", json!([7])).await;
    client.next_event().await;
    assert_eq!(client.emit_with_ack("plain", json!(["x"])).await, [json!(7)]);
    client.emit("text", json!([7])).await;
    // it is told why
    client.next_event().await;
    assert_eq!(client.closed().await, Closed::Namespace);
}

#[tokio::test(start_paused = true)]
async fn further_arguments_only_matter_if_strict() {
    for strict in [false, true] {
        let io = Server::new();
        let served = board::serve_with(&io, Board, Rules::new().strict(strict));
        let mut client = Client::connect(&connector(&io)).await;
        client.emit("text", json!(["x", "secret", 7])).await;
        client.emit("nothing", json!(["secret"])).await;
        if strict {
            let args = [client.next_event().await.args, client.next_event().await.args];
            assert_eq!(args[0], [told("text", "/1", "expected 1 argument, got 3")]);
            assert_eq!(args[1], [told("nothing", "/0", "expected no arguments, got 1")]);
        }
        client.expect_silence(Duration::from_secs(1)).await;
        let count: u64 = served.invalid_events().map(|(_, count)| count).sum();
        assert_eq!(count, if strict { 2 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_events() {
    let long = "é".repeat(100);
    let io = Server::new();
    let served = board::serve_with(&io, Board, Rules::new().on_unknown(OnUnknown::Tell));
    io.on_connection(|socket: Socket| {
        socket.on_any(|| {});
        socket.on("own", || {});
    });
    io.sockets().on_event("the namespace's", || {});
    let mut client = Client::connect(&connector(&io)).await;
    for known in ["own", "the namespace's", "nothing"] {
        client.emit(known, json!([])).await;
    }
    client.emit(&long, json!(["secret"])).await;
    let heard = client.next_event().await;
    let short = format!("{}…", "é".repeat(64));
    assert_eq!(heard.args, [told(&short, "", "unknown event")]);
    assert_eq!(served.unknown_events(), 1);

    let io = Server::new();
    let _ = board::serve_with(&io, Board, Rules::new().on_unknown(OnUnknown::Disconnect));
    let mut client = Client::connect(&connector(&io)).await;
    client.emit("unheard of", json!([])).await;
    assert_eq!(client.next_event().await.args, [told("unheard of", "", "unknown event")]);
    assert_eq!(client.closed().await, Closed::Namespace);
}
