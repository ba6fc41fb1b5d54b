//! The load generator's events on socketioxide: `peer-socketioxide PORT`.

use axum::serve::ListenerExt;
use rmpv::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: peer-socketioxide PORT")?.parse()?;
    let (layer, io) =
        SocketIo::builder().max_payload(10_000_000).max_buffer_size(4096).build_layer();
    io.ns("/", on_connect);
    let app = axum::Router::new().layer(layer);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        // Without it every small answer would wait for the client's TCP acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn on_connect(socket: SocketRef) {
    socket.on("echo", async |socket: SocketRef, Data(value): Data<Value>| {
        let _ = socket.emit("echo", &value);
    });
    socket.on("ack", async |Data(value): Data<Value>, ack: AckSender| {
        let _ = ack.send(&value);
    });
    socket.on("bcast", async |Data(value): Data<Value>, io: SocketIo| {
        let _ = io.emit("msg", &value).await;
    });
    socket.on("rcast", async |Data(value): Data<Value>, io: SocketIo| {
        let _ = io.to("all").emit("msg", &value).await;
    });
    socket.on("join", async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
        socket.join(room);
        let _ = ack.send(&true);
    });
}
