//! The load generator's broadcasts on socketioxide with socketioxide-redis:
//! `peer-socketioxide-redis PORT REDIS`.

use axum::serve::ListenerExt;
use rmpv::Value;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide_redis::{RedisAdapter, RedisAdapterCtr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(redis)) = (arguments.next(), arguments.next()) else {
        return Err("usage: peer-socketioxide-redis PORT REDIS".into());
    };
    let client = redis::Client::open(format!("{redis}?protocol=resp3"))?;
    let adapter = RedisAdapterCtr::new_with_redis(&client).await?;
    let (layer, io) = SocketIo::builder()
        .max_payload(10_000_000)
        .max_buffer_size(4096)
        .with_adapter::<RedisAdapter<_>>(adapter)
        .build_layer();
    io.ns("/", on_connect).await?;
    let app = axum::Router::new().layer(layer);
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?)).await?.tap_io(|stream| {
        // Without it every small answer would wait for the client's TCP acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn on_connect<A: Adapter>(socket: SocketRef<A>) {
    socket.on("echo", async |socket: SocketRef<A>, Data(value): Data<Value>| {
        let _ = socket.emit("echo", &value);
    });
    socket.on("bcast", async |Data(value): Data<Value>, io: SocketIo<A>| {
        let _ = io.emit("msg", &value).await;
    });
    socket.on("rcast", async |Data(value): Data<Value>, io: SocketIo<A>| {
        let _ = io.to("all").emit("msg", &value).await;
    });
    socket.on("join", async |socket: SocketRef<A>, Data(room): Data<String>, ack: AckSender<A>| {
        socket.join(room);
        let _ = ack.send(&true);
    });
}
