//! A Socket.IO server as a layer of an axum application, beside routes of its own.
//!
//! `cargo run -p axum-example`, then `curl localhost:3000/online`, and a client:
//! `io("http://localhost:3000").emit("shout", "hello")`.
//!
//! In production, under Linux with glibc, `MALLOC_TRIM_THRESHOLD_=131072` belongs into its environment:
//! `socketio::guide::operating` says why.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use socketio::serve::RemoteAddr;
use socketio::{BoxError, Data, Server, Socket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("shout", |socket: Socket, Data(text): Data<String>| {
            socket.broadcast().emit("shout", (socket.id(), text))
        });
    });

    let app = Router::new()
        .route("/online", get(online))
        .route("/shout", post(shout))
        .with_state(io.clone())
        .layer(io.layer())
        // axum knows the peer's address; handlers see it as `socket.handshake().address()`
        .layer(from_fn(remote_addr));

    let listener = TcpListener::bind(("127.0.0.1", 3000)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            let _ = tokio::signal::ctrl_c().await;
            // clients first: axum waits for their connections
            io.close().within(Duration::from_secs(5)).await;
        })
        .await?;
    Ok(())
}

/// How many clients are connected.
async fn online(State(io): State<Server>) -> String {
    io.sockets().connected().len().to_string()
}

/// Emits from a route.
async fn shout(State(io): State<Server>, text: String) -> Result<(), String> {
    io.emit("shout", ("the server", text)).map_err(|error| error.to_string())
}

async fn remote_addr(
    ConnectInfo(addr): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(RemoteAddr(addr));
    next.run(request).await
}
