//! The events of the load generator, written with the ordinary API.

use socketio::{Data, Reply, Server, Socket, Value};

pub(crate) fn add(io: &Server) {
    io.on_connection(|socket: Socket| {
        socket.on("echo", |socket: Socket, Data(value): Data<Value>| socket.emit("echo", value));
        socket.on("ack", |Data(value): Data<Value>| Reply(value));
        socket.on("bcast", |socket: Socket, Data(value): Data<Value>| {
            socket.namespace().emit("msg", value)
        });
        socket.on("rcast", |socket: Socket, Data(value): Data<Value>| {
            socket.namespace().to("all").emit("msg", value)
        });
        socket.on("join", |socket: Socket, Data(room): Data<String>| {
            drop(socket.join(room));
            Reply(())
        });
    });
}
