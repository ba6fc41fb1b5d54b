//! A Socket.IO server as the service of a bare hyper server, with an accept loop of its own.
//!
//! `cargo run -p hyper-example`, then a client: `io("http://localhost:3000").emit("echo", "hello")`.
//! Control-C tells the clients and ends when they are gone.

mod serve;
#[cfg(test)]
mod tests;

use socketio::{BoxError, Data, Server, Socket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let listener = TcpListener::bind(("127.0.0.1", 3000)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let end = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    serve::serve(&server(), listener, end).await;
    Ok(())
}

fn server() -> Server {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("echo", |socket: Socket, Data(text): Data<String>| socket.emit("echo", text));
    });
    io
}
