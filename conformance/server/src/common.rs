//! The handlers that every socket of the common namespaces has.

use std::time::Duration;

use serde::Deserialize;
use socketio::emit::{AckError, BroadcastOperator, EmitError, One, Spread};
use socketio::events::{ErrorEvent, ListenerId};
use socketio::parser::IndexMap;
use socketio::{Ack, Args, BoxError, Data, Namespace, Reason, Server, Socket, Value};

/// What a client wants to be broadcast.
#[derive(Deserialize)]
struct Broadcast {
    via: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(rename = "use")]
    method: Option<String>,
    #[serde(default)]
    send: bool,
    event: Option<String>,
    #[serde(default)]
    args: Vec<Value>,
}

/// One room or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

pub(crate) fn add(io: &Server, socket: &Socket) {
    reports(io, socket);
    echoes(socket);
    who_am_i(socket);
    rooms(socket);
    broadcasts(io, socket);
    volatile_and_compressed(socket);
    emitter(socket);
    ending(socket);
}

/// The socket's rooms, sorted, with its own id replaced.
pub(crate) fn rooms_of(socket: &Socket) -> Vec<String> {
    let name = |room: &socketio::adapter::Room| match room.as_str() == socket.id().as_str() {
        true => "<id>".to_owned(),
        false => room.to_string(),
    };
    let mut rooms: Vec<String> = socket.rooms().iter().map(name).collect();
    rooms.sort();
    rooms
}

pub(crate) fn label_of(socket: &Socket) -> Option<String> {
    socket.handshake().param("label").map(|label| label.into_owned())
}

/// Tells `/monitor`.
pub(crate) fn report(io: &Server, members: impl IntoIterator<Item = (&'static str, Value)>) {
    let members: Value = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let _ = io.of("/monitor").emit("report", members);
}

fn reports(io: &Server, socket: &Socket) {
    let about = |io: &Server,
                 socket: &Socket,
                 event: &'static str,
                 more: [(&'static str, Value); 2]| {
        let label = label_of(socket).map_or(Value::Null, Value::from);
        let nsp = Value::from(socket.namespace().name());
        report(io, [("ev", event.into()), ("label", label), ("nsp", nsp)].into_iter().chain(more));
    };
    let ending = |event: &'static str| {
        let io = io.clone();
        move |socket: Socket, Reason(reason): Reason| {
            let rooms: Value = rooms_of(&socket).into();
            about(&io, &socket, event, [("reason", reason.as_str().into()), ("rooms", rooms)]);
        }
    };
    socket.on_disconnecting(ending("disconnecting"));
    socket.on_disconnect(ending("disconnect"));
    let io = io.clone();
    socket.on_error(move |socket: Socket, ErrorEvent(error): ErrorEvent| {
        // a request made without what it needs is ignored
        if error.downcast_ref::<socketio::events::ExtractError>().is_none() {
            about(
                &io,
                &socket,
                "error",
                [("message", error.to_string().into()), ("", Value::Null)],
            );
        }
    });
}

fn echoes(socket: &Socket) {
    socket.on("echo", |socket: Socket, args: Args| socket.emit("echo", args));
    socket.on("echo-ack", |args: Args, ack: Ack| ack.send(args));
    socket.on("7", |socket: Socket, args: Args| socket.emit("seven", args));
    socket.on("ack-twice", |socket: Socket, args: Args, ack: Ack| {
        let x = args.0.into_iter().next().unwrap_or_default();
        ack.send(("first", &x))?;
        // the second is refused, and the client must not see it
        let _ = ack.send(("second", &x));
        socket.emit("acked-twice", ())
    });
    socket.on("ack-later", async |Data(ms): Data<u64>, ack: Ack| {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ack.send("late")
    });
    socket.on("types", |args: Args, ack: Ack| {
        let types: Vec<String> = args.0.iter().map(type_name).collect();
        ack.send(types)
    });
    socket.on("ask", |socket: Socket, args: Args| {
        let mut args = args.0.into_iter();
        let Some(Value::String(event)) = args.next() else { return };
        let asked = socket.clone();
        socket.emit_with_ack(&event, Spread(args.collect())).callback(
            move |answer: Result<Spread<Value>, AckError>| {
                if let Ok(answer) = answer {
                    let _ = asked.emit("answer", answer);
                }
            },
        );
    });
    socket.on("send-me", |socket: Socket, args: Args| socket.send(args));
    socket.on("message", |socket: Socket, args: Args, ack: Ack| match ack.is_wanted() {
        true => ack.send(Spread([vec![Value::from("got")], args.0].concat())),
        false => socket.emit("message-seen", args),
    });
    socket.on("emit-many", |socket: Socket, Data(n): Data<u64>| {
        (0..n).try_for_each(|i| socket.emit("seq", i))
    });
}

fn type_name(value: &Value) -> String {
    match value {
        Value::Binary(bytes) => format!("binary:{}", bytes.len()),
        Value::Null => "null".to_owned(),
        Value::Array(items) => format!("array:{}", items.len()),
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

fn who_am_i(socket: &Socket) {
    socket.on("whoami", |socket: Socket, ack: Ack| {
        let conn = socket.conn();
        ack.send(object([
            ("id", socket.id().as_str().into()),
            ("nsp", socket.namespace().name().into()),
            ("engine", conn.id().into()),
            ("sameConn", socket.client().conn().is_same(conn).into()),
            ("transport", conn.transport().as_str().into()),
            ("connected", socket.is_connected().into()),
            ("disconnected", (!socket.is_connected()).into()),
        ]))
    });
    socket.on("handshake", |socket: Socket, ack: Ack| {
        let handshake = socket.handshake();
        let own = |name: &str| !["EIO", "transport", "t", "sid", "b64", "j"].contains(&name);
        let query: IndexMap<String, Value> = handshake
            .query()
            .filter(|(name, _)| own(name))
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect();
        let address = handshake.address().map(|address| address.to_string());
        ack.send(object([
            ("query", query.into()),
            ("auth", handshake.auth().unwrap_or_default()),
            ("xdomain", handshake.is_xdomain().into()),
            ("secure", handshake.is_secure().into()),
            ("xtest", optional(handshake.header("x-test"))),
            ("path", handshake.request().path().into()),
            ("address", optional(address.as_deref())),
            // JavaScript's names of the types of what Rust has as one `SystemTime`
            ("issued", "number".into()),
            ("time", "string".into()),
        ]))
    });
    socket.on("request", |socket: Socket, ack: Ack| {
        let request = socket.request();
        ack.send(object([
            ("path", request.path().into()),
            ("method", request.method().into()),
            ("xtest", optional(request.header("x-test"))),
            ("cookie", optional(request.header("cookie"))),
            ("same", std::ptr::eq(request, socket.client().request()).into()),
        ]))
    });
}

fn rooms(socket: &Socket) {
    socket.on("join", async |socket: Socket, Data(One(rooms)): Data<One<OneOrMany>>, ack: Ack| {
        let joined = match rooms {
            OneOrMany::One(room) => socket.join(room).await,
            OneOrMany::Many(rooms) => socket.join(rooms).await,
        };
        let error = joined.err().map(|error| error.to_string());
        ack.send((error, rooms_of(&socket)))
    });
    socket.on("leave", async |socket: Socket, Data(room): Data<String>, ack: Ack| {
        let error = socket.leave(room).await.err().map(|error| error.to_string());
        ack.send((error, rooms_of(&socket)))
    });
    socket.on("rooms", |socket: Socket, ack: Ack| ack.send(One(rooms_of(&socket))));
    socket.on("list", async |socket: Socket, Data(rooms): Data<Vec<String>>, ack: Ack| {
        let clients = match rooms.is_empty() {
            true => socket.namespace().clients().await?,
            false => socket.namespace().in_room(rooms).clients().await?,
        };
        let mut ids = clients.items;
        ids.sort();
        ack.send(ids)?;
        Ok::<(), BoxError>(())
    });
    socket.on("connected", |socket: Socket, ack: Ack| {
        let connected = socket.namespace().connected();
        ack.send((connected.len(), connected.contains(socket.id().as_str())))
    });
}

fn broadcasts(io: &Server, socket: &Socket) {
    let io = io.clone();
    socket.on("bcast", move |socket: Socket, Data(what): Data<Broadcast>, ack: Ack| {
        broadcast(&io, &socket, what)?;
        ack.send(())
    });
    socket.on("bcast-with-ack", async |socket: Socket, ack: Ack| {
        let refused = socket.broadcast().emit_with_ack::<Value>("never", ()).await.err();
        ack.send(refused.map(|error| match error {
            // the suite is the reference's, which has none at all
            EmitError::NoTimeout => "Callbacks are not supported when broadcasting".to_owned(),
            error => error.to_string(),
        }))
    });
}

fn broadcast(io: &Server, socket: &Socket, what: Broadcast) -> Result<(), EmitError> {
    let flag = |name: &str| what.flags.iter().any(|flag| flag == name);
    let to_all = |namespace: &Namespace| namespace.compress(true);
    let target: Option<BroadcastOperator> = match what.via.as_deref() {
        Some("nsp") => Some(to_all(socket.namespace())),
        Some("server") => Some(to_all(io.sockets())),
        _ if flag("broadcast") || !what.rooms.is_empty() || flag("local") => {
            Some(socket.broadcast())
        }
        _ => None,
    };
    let compress = !flag("compress:false");
    let event = what.event.as_deref().unwrap_or("message");
    let event = if what.send { "message" } else { event };
    let args = Spread(what.args);
    let Some(mut target) = target else {
        let operator = socket.compress(compress);
        let operator = if flag("volatile") { operator.volatile() } else { operator };
        return operator.emit(event, args);
    };
    target = target.compress(compress);
    if flag("volatile") {
        target = target.volatile();
    }
    if flag("local") {
        target = target.local();
    }
    for room in what.rooms {
        target = if what.method.as_deref() == Some("in") {
            target.in_room(room)
        } else {
            target.to(room)
        };
    }
    target.emit(event, args)
}

fn volatile_and_compressed(socket: &Socket) {
    socket.on("volatile-me", |socket: Socket, Data(n): Data<u64>| {
        (0..n).try_for_each(|i| socket.volatile().emit("v", i))
    });
    socket.on("volatile-then-normal", |socket: Socket| {
        socket.volatile().emit("v", 0)?;
        socket.emit("n", 1)
    });
    socket.on("normal-then-volatile", |socket: Socket| {
        socket.emit("n", 0)?;
        socket.volatile().emit("v", 1)?;
        socket.emit("n", 2)
    });
    socket.on(
        "fill",
        |socket: Socket, Data((size, compress)): Data<(usize, Option<bool>)>, ack: Ack| {
            let text = "a".repeat(size);
            match compress {
                None => socket.emit("filled", text)?,
                Some(compress) => socket.compress(compress).emit("filled", text)?,
            }
            ack.send(())
        },
    );
}

fn emitter(socket: &Socket) {
    socket.once("k-once", |socket: Socket| socket.emit("k", "once"));
    let removable: ListenerId =
        socket.on("k-removable", |socket: Socket| socket.emit("k", "removable"));
    socket.on("k-multi", |socket: Socket| socket.emit("k", "multi-1"));
    socket.on("k-multi", |socket: Socket| socket.emit("k", "multi-2"));
    socket.on("remove-removable", move |socket: Socket, ack: Ack| {
        socket.remove_listener("k-removable", removable);
        ack.send(())
    });
    socket.on("remove-all", |socket: Socket, Data(event): Data<String>, ack: Ack| {
        socket.remove_all_listeners(Some(&event));
        ack.send(())
    });
    socket.on("names", |socket: Socket, ack: Ack| {
        let mut names = socket.event_names();
        names.retain(|name| name.starts_with("k-"));
        names.sort();
        ack.send(names)
    });
}

fn ending(socket: &Socket) {
    socket.on("kick", |socket: Socket, Data(close): Data<Option<bool>>| {
        socket.disconnect(close.unwrap_or(false));
    });
    socket.on("kick-after-emit", |socket: Socket, Data(close): Data<Option<bool>>| {
        let _ = socket.emit("bye", 1);
        socket.disconnect(close.unwrap_or(false));
        // goes nowhere
        let _ = socket.emit("after", 2);
    });
    socket.on("kick-later", async |socket: Socket, Data(ms): Data<u64>| {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let _ = socket.emit("bye", 1);
        socket.disconnect(true);
    });
}
