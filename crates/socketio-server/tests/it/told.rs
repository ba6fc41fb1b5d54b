//! Mistakes that users make: what the client is told of each, and what the log.

use std::error::Error;

use socketio::emit::{One, Spread};
use socketio::events::{Extension, HttpExtension, IncomingEvent, Query};
use socketio::options::Origins;
use socketio::{Auth, BoxError, Data, Reason, Server, Socket, State};
use testkit::{Connector, Eio, Request, request};

use crate::lines::Lines;
use crate::support::{Peer, arrivals, connector, leave_nothing};

/// A test's own log.
struct Logged {
    lines: Lines,
    _guard: tracing::subscriber::DefaultGuard,
}

fn logged() -> Logged {
    let lines = Lines::default();
    let guard = lines.collect("info");
    Logged { lines, _guard: guard }
}

impl Logged {
    /// The only line since the last call, without the spans that it is in.
    #[track_caller]
    fn expect(&self, level: &str, words: &[&str]) {
        let text = self.lines.take();
        let line = text.trim();
        assert!(line.starts_with(level) && line.lines().count() == 1, "{text}");
        for words in words {
            assert!(line.contains(words), "{words} in {line}");
        }
    }

    #[track_caller]
    fn silence(&self) {
        assert_eq!(self.lines.take(), "");
    }
}

/// Asks for a session as a page of this origin does.
async fn ask(server: &Connector, header: Option<(&str, &str)>) -> (u16, String) {
    let mut get = Request::get(&server.target(Eio::V4, "polling", ""));
    if let Some((name, value)) = header {
        get = get.header(name, value);
    }
    let response = request(server, get).await;
    (response.status, response.text().to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_refused() {
    let origins = Origins::list("https://example.test").unwrap();
    let io = Server::builder().origins(origins).build().unwrap();
    let (server, log) = (connector(&io), logged());
    let line = r#"remedy=`.origins(Origins::list("https://page.test:8443")?)`"#;
    let long = format!("https://{}", "a".repeat(400));
    for (header, words) in [
        (
            Some(("origin", "https://page.test:8443")),
            [r#"origin="https://page.test:8443""#, line].as_slice(),
        ),
        // what comes after the origin may be a secret
        (
            Some(("referer", "https://page.test:8443/?token=1")),
            &[r#"origin="https://page.test:8443" r"#, line],
        ),
        (None, &[r#"origin="""#, "`Origins::allow_missing(true)`"]),
        (Some(("origin", "null")), &[r#"origin="null""#, "`Origins::check`"]),
        (Some(("origin", "wss://x")), &[r#"origin="wss://x""#, "no pattern is for it"]),
        (Some(("origin", &*long)), &[r#"origin="(longer than any)""#]),
        (Some(("origin", "h\u{e9}")), &["no ASCII"]),
    ] {
        let told = ask(&server, header).await;
        assert_eq!(told, (403, r#"{"code":4,"message":"Forbidden"}"#.to_owned()));
        let refused = ["an origin is refused", "suppressed=0"];
        log.expect("WARN", &[refused.as_slice(), words].concat());
    }
    assert_eq!(ask(&server, Some(("origin", "https://example.test"))).await.0, 200);
    log.silence();
    // nobody fills a disk with it
    for _ in 0..100 {
        ask(&server, None).await;
    }
    assert_eq!(log.lines.take().lines().count(), 3);
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    ask(&server, None).await;
    log.expect("WARN", &["suppressed=97"]);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_a_function_refuses() {
    let check =
        |_: String, _: socketio::serve::Request| Err(socketio::options::Refused::from("no"));
    let io = Server::builder().origins(Origins::check(check)).build().unwrap();
    let (server, log) = (connector(&io), logged());
    let told = ask(&server, Some(("origin", "https://page.test"))).await;
    assert_eq!(told, (403, r#"{"code":4,"message":"no"}"#.to_owned()));
    log.expect("WARN", &["an origin is refused", "the function of `Origins::check` said so"]);
}

#[derive(serde::Deserialize)]
struct Login {
    #[expect(dead_code, reason = "only read")]
    token: String,
}

#[derive(serde::Deserialize)]
struct Visitor {
    #[expect(dead_code, reason = "only read")]
    age: u32,
}

/// What a client sends, and what its acknowledgement and the log say of it.
#[tokio::test(start_paused = true)]
async fn events_that_are_not_handled() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("typed", |_: Data<u32>| ());
        socket.on("two", |_: Data<(String, u32)>| ());
        socket.on("auth", |_: Auth<Login>| ());
        socket.on("fails", || Err::<(), _>("the database is gone"));
        socket.on("fails later", async || {
            tokio::task::yield_now().await;
            Err::<(), _>("the database is gone")
        });
        socket.on("extension", |_: Extension<u8>| ());
        socket.on("of request", |_: HttpExtension<u8>| ());
        socket.on("query", |_: Query<Visitor>| ());
        socket.on("reason", |_: Reason| ());
        socket.use_fn(async |event: IncomingEvent| match &*event.name {
            "refused" => Err("the database is gone"),
            _ => Ok(event),
        });
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let log = logged();
    let (misfit, failed) = ("an event does not fit its handler", "a handler failed");
    for (event, at, message, line) in [
        (r#"["typed","x"]"#, "/0", "expected u32, got a string", misfit),
        (r#"["two","x"]"#, "/1", "missing", misfit),
        (r#"["auth"]"#, "/token", "missing", misfit),
        (r#"["fails"]"#, "", "the database is gone", failed),
        (r#"["fails later"]"#, "", "the database is gone", failed),
        (r#"["extension"]"#, "", "there is no extension of type u8", failed),
        (r#"["of request"]"#, "", "there is no extension of the request of type u8", failed),
        (r#"["query"]"#, "/age", "missing", misfit),
        (r#"["reason"]"#, "", "only disconnections have a reason", failed),
    ] {
        peer.send(&format!("427{event}")).await;
        let (level, code, told) = match line == misfit {
            true => ("INFO", "invalid", message),
            // what failed is nothing for clients
            false => ("WARN", "failed", "the event could not be handled"),
        };
        let error = format!(r#"{{"code":"{code}","at":"{at}","message":"{told}"}}"#);
        peer.expect(&format!(r#"437[{{"error":{error}}}]"#)).await;
        log.expect(level, &[line, message, r#"namespace="/""#, "event="]);
    }
    // refused by middleware: as of Node, clients of protocol 5 are told nothing
    peer.send(r#"428["refused"]"#).await;
    peer.silence().await;
    log.expect("WARN", &[failed, "the database is gone", r#"event="refused""#]);
    leave_nothing(&io, [peer]).await;
}

/// Who is not let into a namespace is told why, as far as it is the client's fault.
#[tokio::test(start_paused = true)]
async fn joins_that_are_refused() {
    let io = Server::new();
    io.of("/auth").on_connection(|_: Auth<Login>| ());
    io.of("/query").on_connection(|_: Query<Visitor>| ());
    io.of("/error").use_fn(async || Err::<(), _>("the database is gone"));
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let log = logged();
    for (join, told, line) in [
        (
            r#"40/auth,{"token":5}"#,
            r#""message":"auth: /token: expected a string, got an integer""#,
            ["INFO", "an event does not fit its handler", r#"at="/token""#],
        ),
        (
            "40/auth,",
            r#""message":"auth: /token: missing""#,
            ["INFO", "an event does not fit its handler", r#"wanted="missing""#],
        ),
        (
            "40/query,",
            r#""message":"query: /age: missing""#,
            ["INFO", "an event does not fit its handler", r#"at="/age""#],
        ),
        (
            "40/error,",
            r#"{"message":"refused"}"#,
            ["WARN", "a handler failed", "error=the database is gone"],
        ),
    ] {
        peer.send(join).await;
        let answer = peer.next().await;
        assert!(answer.starts_with("44/") && answer.contains(told), "{answer}");
        let [level, words @ ..] = line;
        log.expect(level, &words);
    }
    peer.send("40/unknown,").await;
    peer.expect(r#"44/unknown,{"message":"Invalid namespace"}"#).await;
    log.silence();
    leave_nothing(&io, [peer]).await;
}

/// The connection ends, and the log says in which handler.
#[tokio::test(start_paused = true)]
async fn panics() {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("bug", || assert!(std::hint::black_box(false), "a bug"));
        socket.on("late bug", async || {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "a bug");
        });
        // found while the socket has its handlers registered
        socket.on("state", |socket: Socket| {
            socket.on("never", |_: State<String>| ());
        });
    });
    io.of("/panics").use_fn(async || -> Result<(), BoxError> { panic!("a bug") });
    for (packet, line) in [
        (r#"42["bug"]"#, "a handler panicked"),
        (r#"42["late bug"]"#, "an async handler panicked"),
        (r#"42["state"]"#, "a handler panicked"),
        ("40/panics,", "a rule or a middleware of a namespace panicked"),
    ] {
        let mut peer = Peer::join(&connector(&io), Eio::V4).await;
        let log = logged();
        peer.send(packet).await;
        peer.closed().await;
        log.expect("ERROR", &[line]);
        leave_nothing(&io, [peer]).await;
    }
}

/// What the program is told itself is in no log.
#[tokio::test(start_paused = true)]
async fn calls_that_fail() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let (socket, log) = (sockets.next().await, logged());
    let reserved = socket.emit("connect", ()).unwrap_err();
    assert_eq!(reserved.to_string(), r#""connect" is a reserved event name"#);
    let endless = io.sockets().to("room").emit_with_ack::<()>("e", ()).await.unwrap_err();
    assert_eq!(endless.to_string(), "a broadcast that asks for acknowledgements needs a timeout");
    let long = socket.join("r".repeat(4_097)).await.unwrap_err();
    let cause = long.source().expect("a cause").to_string();
    assert_eq!(cause, "a room's name has 4096 bytes at most");
    let (answer, ()) = tokio::join!(socket.emit_with_ack::<u32>("how old?", ()), async {
        peer.expect(r#"420["how old?"]"#).await;
        peer.send(r#"430["old"]"#).await;
    });
    let answer = answer.unwrap_err().to_string();
    assert!(answer.starts_with("the acknowledgement is of another type: "), "{answer}");
    peer.silence().await;
    log.silence();
    leave_nothing(&io, [peer]).await;
}

/// The connection ends, and the log says which option to raise.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large() {
    let io = Server::builder().max_http_buffer_size(100).build().unwrap();
    let log = logged();
    let line = ["a message is larger than `max_http_buffer_size`", "limit=100", "suppressed=0"];
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    peer.send(&format!(r#"42["{}"]"#, "e".repeat(100))).await;
    peer.closed().await;
    log.expect("INFO", &line);
    leave_nothing(&io, [peer]).await;
    // the same by polling, where the answer says it, too
    let server = connector(&io);
    let told = request(&server, Request::get(&server.target(Eio::V4, "polling", ""))).await;
    let sid = told.text().split('"').nth(3).expect("an open packet").to_owned();
    let target = format!("{}&sid={sid}", server.target(Eio::V4, "polling", ""));
    let told = request(&server, Request::post(&target, "4".repeat(101))).await;
    assert_eq!(told.status, 413);
    assert!(told.text().contains("Payload larger than 100 bytes"), "{}", told.text());
    log.expect("INFO", &line);
    assert_eq!(io.stats().engine.too_large, 2);
}

/// The place is that of the argument, also where the type itself says no.
#[tokio::test(start_paused = true)]
async fn types_that_refuse_what_they_read() {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only read")]
    enum Either {
        Number(u32),
        Pair(u32, u32),
    }
    #[derive(serde::Deserialize)]
    #[serde(try_from = "u8")]
    struct Digit;
    impl TryFrom<u8> for Digit {
        type Error = &'static str;
        fn try_from(number: u8) -> Result<Self, &'static str> {
            if number < 10 { Ok(Self) } else { Err("no digit") }
        }
    }
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("either", |_: Data<Either>| ());
        socket.on("second", |_: Data<(u8, Either)>| ());
        socket.on("digit", |_: Data<Digit>| ());
        socket.on("one", |_: Data<One<Digit>>| ());
        socket.on("list", |_: Data<Vec<Digit>>| ());
    });
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    for (event, at) in [
        (r#"["either","x"]"#, "/0"),
        (r#"["either"]"#, "/0"),
        (r#"["second",1,"x"]"#, "/1"),
        (r#"["digit",10]"#, "/0"),
        (r#"["one",10]"#, "/0"),
        (r#"["list",[1,10]]"#, "/0/1"),
    ] {
        peer.send(&format!("427{event}")).await;
        let told =
            format!(r#"437[{{"error":{{"code":"invalid","at":"{at}","message":"not valid"}}}}]"#);
        peer.expect(&told).await;
    }
    leave_nothing(&io, [peer]).await;
}

/// A fixed-size array is as many arguments as it has elements, a slice and a `Vec` are one.
#[tokio::test(start_paused = true)]
async fn arrays_and_slices() {
    let io = Server::new();
    let mut sockets = arrivals(io.sockets());
    let mut peer = Peer::join(&connector(&io), Eio::V4).await;
    let socket = sockets.next().await;
    let array = [1, 2];
    socket.emit("e", array).unwrap();
    peer.expect(r#"42["e",1,2]"#).await;
    socket.emit("e", &array[..]).unwrap();
    peer.expect(r#"42["e",[1,2]]"#).await;
    socket.emit("e", array.to_vec()).unwrap();
    peer.expect(r#"42["e",[1,2]]"#).await;
    socket.emit("e", One(array)).unwrap();
    peer.expect(r#"42["e",[1,2]]"#).await;
    socket.emit("e", Spread(array.to_vec())).unwrap();
    peer.expect(r#"42["e",1,2]"#).await;
    leave_nothing(&io, [peer]).await;
}

/// At its start a server says what is not as it should be in production.
#[tokio::test]
async fn servers_that_let_all_in() {
    let log = logged();
    drop(Server::new());
    let said = log.lines.take();
    assert!(said.contains("any origin may connect"), "{said}");
    let origins = Origins::list("https://page.test").unwrap();
    let built = Server::builder().origins(origins).build();
    assert!(built.is_ok() && !log.lines.take().contains("origin"));
}
