//! What users are told about mistakes that the compiler does not find: the exact words.

use std::collections::BTreeMap;
use std::time::Duration;

use socketio::emit::{AckError, EmitError};
use socketio::events::{ErrorEvent, Query};
use socketio::options::{BuildError, Origins};
use socketio::{Auth, Builder, Data, Reason, Server, Socket};
use testkit::Eio;

use crate::support::{BOTH, Log, Peer, arrivals, connector, leave_nothing};

#[test]
fn options() {
    #[track_caller]
    fn check(option: impl FnOnce(Builder) -> Builder, message: &str) {
        let refused = option(Server::builder()).build().unwrap_err();
        assert_eq!(refused.to_string(), message);
        assert!(matches!(refused, BuildError::Options(_)));
    }
    const YEARS: Duration = Duration::from_secs(3_600 * 24 * 1_000);
    check(
        |io| io.path("socket.io"),
        "option path: \"socket.io\" must begin with a slash and have no query",
    );
    check(
        |io| io.path("/socket.io?a=b"),
        "option path: \"/socket.io?a=b\" must begin with a slash and have no query",
    );
    check(|io| io.ping_interval(Duration::ZERO), "option ping_interval must not be zero or empty");
    check(|io| io.ping_timeout(YEARS), "option ping_timeout must be at most a year");
    check(|io| io.max_http_buffer_size(0), "option max_http_buffer_size must not be zero or empty");
    check(|io| io.transports([]), "option transports must not be zero or empty");
    check(
        |io| io.cookie(socketio::options::Cookie::named("a;b")),
        "option cookie: \"a;b\" cannot be set as a cookie",
    );
}

#[test]
fn origins() {
    #[track_caller]
    fn check(patterns: &str, wrong: &str) {
        assert_eq!(
            Origins::list(patterns).unwrap_err().to_string(),
            format!(
                "option origins: {wrong:?} is no pattern; host:port, host:*, *:port and *:* are, \
                 with or without http:// or https:// in front"
            )
        );
    }
    check("example.test:* ://example.test", "://example.test");
    check("example.test:http", "example.test:http");
    check("*.example.test:80", "*.example.test:80");
    check("https://example.test/path", "https://example.test/path");
    check("", "");
}

/// Values that JSON has no form for, in all that is emitted.
#[tokio::test(start_paused = true)]
async fn values() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let socket = sockets.next().await;
        let by_pair = BTreeMap::from([((1, 2), "x")]);
        let message = "the arguments cannot be encoded: key of a map is not text";
        assert_eq!(socket.emit("e", &by_pair).unwrap_err().to_string(), message);
        assert_eq!(socket.emit("e", ("first", &by_pair)).unwrap_err().to_string(), message);
        assert_eq!(io.emit("e", [&by_pair]).unwrap_err().to_string(), message);
        let asked = socket.emit_with_ack::<()>("e", &by_pair).await;
        assert!(matches!(&asked, Err(AckError::Emit(EmitError::Encode(_)))), "{asked:?}");
        assert_eq!(asked.unwrap_err().to_string(), message);
        let kept = socket.set_data(&by_pair).unwrap_err();
        assert_eq!(kept.to_string(), "key of a map is not text");
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn names() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    let message = "\"disconnect\" is a reserved event name";
    assert_eq!(socket.emit("disconnect", ()).unwrap_err().to_string(), message);
    assert_eq!(io.emit("disconnect", ()).unwrap_err().to_string(), message);
    let asked = socket.emit_with_ack::<()>("disconnect", ()).await;
    assert_eq!(asked.unwrap_err().to_string(), message);
    // nobody would ever know that all have answered
    let asked = io.sockets().to("room").emit_with_ack::<()>("e", ()).await;
    assert_eq!(
        asked.unwrap_err().to_string(),
        "a broadcast that asks for acknowledgements needs a timeout"
    );
    peer.silence().await;
    leave_nothing(&io, [peer]).await;
}

/// What the handlers ask for is not what there is: they are not called, and the socket's `error`
/// says of which event which argument is wrong.
#[tokio::test(start_paused = true)]
async fn arguments() {
    #[derive(serde::Deserialize)]
    struct Move {
        #[expect(dead_code, reason = "only read")]
        column: u8,
    }
    fn never() {
        unreachable!("a handler was called");
    }
    for eio in BOTH {
        let io = Server::new();
        let log = Log::default();
        let logged = log.clone();
        io.on_connection(move |socket: Socket| {
            logged.watch_errors(&socket);
            socket.on("one", |_: Data<u32>| never());
            socket.on("two", |_: Data<(String, u32)>| never());
            socket.on("move", |_: Data<Move>| never());
            socket.on("auth", |_: Auth<Move>| never());
            socket.on("query", |_: Query<Move>| never());
            socket.on("reason", |_: Reason| never());
            socket.on("error of none", |_: ErrorEvent| never());
        });
        let mut peer = Peer::join(&connector(&io), eio).await;
        for (packet, wrong) in [
            (r#"42["one","text"]"#, r#""one": /0: expected u32, got a string"#),
            (r#"42["one"]"#, r#""one": /0: missing"#),
            (r#"42["two","text",{}]"#, r#""two": /1: expected u32, got an object"#),
            (r#"42["two","text"]"#, r#""two": /1: missing"#),
            (
                r#"42["move",{"column":300}]"#,
                r#""move": /0/column: expected u8, got an integer that is none"#,
            ),
            (r#"42["move",{}]"#, r#""move": /0/column: missing"#),
            (r#"42["auth"]"#, r#""auth": auth: /column: missing"#),
            (r#"42["query"]"#, r#""query": query: /column: missing"#),
            (r#"42["reason"]"#, r#""reason": only disconnections have a reason"#),
            (r#"42["error of none"]"#, r#""error of none": only `error` events have an error"#),
        ] {
            peer.send(packet).await;
            assert_eq!(log.take().await, [format!("error: event {wrong}")]);
        }
        peer.silence().await;
        leave_nothing(&io, [peer]).await;
    }
}

/// The answer is of another type than was asked for.
#[tokio::test(start_paused = true)]
async fn answers() {
    for eio in BOTH {
        let io = Server::new();
        let mut sockets = arrivals(io.sockets());
        let mut peer = Peer::join(&connector(&io), eio).await;
        let (socket, log) = (sockets.next().await, Log::default());
        for _ in 0..2 {
            let log = log.clone();
            socket.emit_with_ack::<(String, u32)>("how old?", ()).callback(move |answer| {
                log.add(answer.unwrap_err().to_string());
            });
        }
        peer.expect(r#"420["how old?"]"#).await;
        peer.expect(r#"421["how old?"]"#).await;
        peer.send(r#"430["ann","old"]"#).await;
        assert_eq!(
            log.take().await,
            ["the acknowledgement is of another type: argument 1: invalid type: string \"old\", \
              expected u32 at line 1 column 5"]
        );
        leave_nothing(&io, [peer]).await;
        assert_eq!(log.take().await, ["the socket was disconnected before it acknowledged"]);
    }
}
