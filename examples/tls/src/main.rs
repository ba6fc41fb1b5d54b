//! TLS in the server itself, through a listener of one's own.
//!
//! `cargo run -p tls-example`, then `curl -k 'https://localhost:3443/socket.io/?EIO=4&transport=polling'`,
//! or a client: `io("https://localhost:3443", { rejectUnauthorized: false })`.
//!
//! The certificate is made at each start and signed by itself: a convenience for trying it out,
//! which no client trusts without being told to. A real server reads one from files.

mod app;
mod certificate;
mod listener;
#[cfg(test)]
mod tests;

use std::time::Duration;

use socketio::BoxError;
use tokio::net::TcpListener;

use crate::certificate::SelfSigned;
use crate::listener::TlsListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let tcp = TcpListener::bind(("127.0.0.1", 3443)).await?;
    let io = app::server();
    let attached = io.attach(TlsListener::new(tcp, SelfSigned::new()?.server_config()?))?;
    println!("listening on https://localhost:{}", attached.local_addr().port());
    tokio::signal::ctrl_c().await?;
    io.close().within(Duration::from_secs(5)).await;
    Ok(())
}
