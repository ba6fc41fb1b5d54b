//! The events of the load generator, written with the ordinary API.

use axum::Router;
use axum::serve::ListenerExt;
use socketio::{BoxError, Data, Reply, Server, Socket, Value};
use tokio::net::TcpListener;

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
        socket.on("leave", |socket: Socket, Data(room): Data<String>| {
            drop(socket.leave(room));
            Reply(())
        });
    });
}

/// Serves as a layer of an axum application, until the process ends.
pub(crate) async fn axum(io: &Server, listener: TcpListener) -> Result<(), BoxError> {
    let listener = listener.tap_io(|stream| {
        // As our own listener does. A connection that is broken already fails by itself.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, Router::new().layer(io.layer())).await?)
}
