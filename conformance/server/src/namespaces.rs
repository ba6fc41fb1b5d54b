//! The namespaces of the fixture.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio::events::IncomingEvent;
use socketio::{Ack, Args, Binary, ConnectError, Namespace, Server, Socket, Value};
use tokio::sync::Notify;

use crate::common::{self, label_of, report};

pub(crate) fn add(io: &Server, root_middleware: bool) {
    for name in ["/", "/chat", "/other", "/a/b/c", "/mw-ok", "/mw-token"] {
        with_common(io, name, |_| {});
    }
    io.of("/monitor").on_connection(|socket: Socket| socket.emit("watching", ()));
    with_common(io, "/hello", |socket| {
        let _ = socket.emit("hello", ("first", [("n", 1)].into_iter().collect::<Value>()));
        let _ = socket.emit("hello", ("second", Binary(vec![1, 2, 3].into())));
    });
    let server = io.clone();
    let is_dynamic = |name: &str| {
        let digits = name.strip_prefix("/dyn-");
        digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    };
    io.of_matching(is_dynamic).on_connection(move |socket: Socket| {
        common::add(&server, &socket);
        let _ = socket.emit("dyn", socket.namespace().name());
    });
    both(&io.of("/both"));
    middleware(io);
    packet_middleware(io);
    for (name, close) in [("/kick-now", false), ("/kick-close", true)] {
        with_common(io, name, move |socket| {
            let _ = socket.emit("welcome", ());
            socket.disconnect(close);
        });
    }
    if root_middleware {
        io.use_fn(async |socket: Socket| match credential(&socket, "pass").as_deref() {
            Some("1") => Ok(()),
            _ => Err(ConnectError::new("root refused")),
        });
    }
}

/// A namespace with the common handlers.
fn with_common(io: &Server, name: &str, more: impl Fn(&Socket) + Send + Sync + 'static) {
    let server = io.clone();
    io.of(name).on_connection(move |socket: Socket| {
        common::add(&server, &socket);
        more(&socket);
    });
}

/// A credential: of the CONNECT auth, else of the handshake query.
fn credential(socket: &Socket, name: &str) -> Option<String> {
    let handshake = socket.handshake();
    let auth = handshake.auth().and_then(|auth| Some(auth.get(name)?.as_str()?.to_owned()));
    auth.or_else(|| handshake.param(name).map(|value| value.into_owned()))
}

fn both(namespace: &Namespace) {
    #[derive(Clone)]
    struct Order(Vec<&'static str>);
    namespace.on_connect(|socket: Socket| {
        socket.extensions().insert(Order(vec!["connect"]));
    });
    namespace.on_connection(|socket: Socket| {
        let mut order = socket.extensions().get::<Order>().map_or_else(Vec::new, |order| order.0);
        order.push("connection");
        socket.emit("order", order)
    });
}

fn middleware(io: &Server) {
    io.of("/mw-ok").use_fn(async |_: Socket| Ok::<(), ConnectError>(()));

    let deny = io.of("/mw-deny");
    deny.use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("not allowed")));
    let server = io.clone();
    deny.on_connection(move || {
        report(&server, [("ev", "connection".into()), ("nsp", "/mw-deny".into())])
    });

    io.of("/mw-data").use_fn(async |_: Socket| {
        let quota: Value =
            [("reason", Value::from("quota")), ("code", Value::from(7))].into_iter().collect();
        Err::<(), _>(ConnectError::new("with data").data(&quota))
    });

    io.of("/mw-token").use_fn(async |socket: Socket| {
        match credential(&socket, "token").as_deref() {
            Some("secret") => Ok(()),
            _ => Err(ConnectError::new("bad token")),
        }
    });

    #[derive(Clone)]
    struct Trail(Vec<&'static str>);
    let note = |socket: &Socket, step: &'static str| {
        let mut trail = socket.extensions().get::<Trail>().map_or_else(Vec::new, |trail| trail.0);
        trail.push(step);
        socket.extensions().insert(Trail(trail));
    };
    let chain = io.of("/mw-chain");
    for (step, ms) in [("one", 0), ("two", 30), ("three", 0)] {
        chain.use_fn(async move |socket: Socket| {
            if ms > 0 {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            note(&socket, step);
            Ok::<(), ConnectError>(())
        });
    }
    with_common(io, "/mw-chain", |socket| {
        let trail = socket.extensions().get::<Trail>().map_or_else(Vec::new, |trail| trail.0);
        let _ = socket.emit("trail", trail);
    });

    let stop = io.of("/mw-stop");
    stop.use_fn(async |_: Socket| Err::<(), _>(ConnectError::new("stopped at one")));
    let server = io.clone();
    stop.use_fn(async move |_: Socket| {
        report(&server, [("ev", "second-ran".into()), ("nsp", "/mw-stop".into())]);
        Ok::<(), ConnectError>(())
    });

    io.of("/mw-slow").use_fn(async |_: Socket| {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<(), ConnectError>(())
    });
    let server = io.clone();
    with_common(io, "/mw-slow", move |socket| {
        let label = label_of(socket).map_or(Value::Null, Value::from);
        report(
            &server,
            [("ev", "connection".into()), ("nsp", "/mw-slow".into()), ("label", label)],
        );
    });
}

fn packet_middleware(io: &Server) {
    let server = io.clone();
    with_common(io, "/packet-mw", move |socket| {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let note = {
            let log = Arc::clone(&log);
            move |text: String| log.lock().expect("no handler panics here").push(text)
        };
        let first = note.clone();
        let next = Arc::new(Notify::new());
        socket.use_fn(
            async move |mut event: IncomingEvent| -> Result<IncomingEvent, ConnectError> {
                first(format!("1:{}", event.name));
                next.notify_waiters();
                let argument: Option<String> = event.data().unwrap_or_default();
                let argument = argument.unwrap_or_default();
                match event.name.as_str() {
                    "deny" => return Err(format!("denied {argument}").into()),
                    "deny-data" => {
                        let data: Value = [("code", Value::from(42)), ("why", Value::from("no"))]
                            .into_iter()
                            .collect();
                        return Err(ConnectError::new("x").data(&data));
                    }
                    "rewrite" => {
                        if let Some(argument) = event.args_mut().first_mut() {
                            *argument = "rewritten".into();
                        }
                    }
                    "delay" => next.notified().await,
                    _ => {}
                }
                Ok(event)
            },
        );
        socket.use_fn(async move |event: IncomingEvent| -> Result<IncomingEvent, ConnectError> {
            note(format!("2:{}", event.name));
            Ok(event)
        });
        let server = server.clone();
        socket.on("deny", move |socket: Socket| {
            let label = label_of(&socket).map_or(Value::Null, Value::from);
            report(&server, [("ev", "deny-handler-ran".into()), ("label", label)]);
        });
        for event in ["rewrite", "delay", "plain"] {
            socket.on(event, move |socket: Socket, args: Args, ack: Ack| {
                let x = args.0.into_iter().next().unwrap_or_default();
                match ack.is_wanted() {
                    true => ack.send((event, x)),
                    false => socket.emit("handled", (event, x)),
                }
            });
        }
        socket.on("mw-log", move |ack: Ack| {
            let log = log.lock().expect("no handler panics here").clone();
            ack.send(log)
        });
    });
}
