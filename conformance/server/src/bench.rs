//! The events of the load generator, written with the ordinary API.

use socketio::{Binary, Data, Reply, Server, Socket};

pub(crate) fn add(io: &Server) {
    io.on_connection(|socket: Socket| {
        socket.on("echo", |socket: Socket, Data(value): Data<Payload>| socket.emit("echo", value));
        socket.on("ack", |Data(value): Data<Payload>| Reply(value));
        socket.on("bcast", |socket: Socket, Data(value): Data<Payload>| {
            socket.namespace().emit("msg", value)
        });
        socket.on("rcast", |socket: Socket, Data(value): Data<Payload>| {
            socket.namespace().to("all").emit("msg", value)
        });
        socket.on("join", |socket: Socket, Data(room): Data<String>| {
            drop(socket.join(room));
            Reply(())
        });
    });
}

/// A text or bytes, as the generator sends.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Payload {
    Text(String),
    Binary(Binary),
}
