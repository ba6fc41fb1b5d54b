//! A Socket.IO server and its metrics for Prometheus, on one port, as a layer of an axum
//! application; and its end, as an orchestrator asks for it.
//!
//! `cargo run -p metrics-example`, then `curl localhost:3000/metrics`, and `kill` the process: its
//! clients are moved elsewhere within ten seconds, or at once by a second signal.
//!
//! In production, under Linux with glibc, `MALLOC_TRIM_THRESHOLD_=131072` belongs into its environment:
//! `socketio::guide::operating` says why.

mod app;
#[cfg(test)]
mod tests;

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use socketio::observe::describe_metrics;
use socketio::serve::Signals;
use socketio::{BoxError, Server};
use tokio::net::TcpListener;

use crate::app::App;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    describe_metrics();
    let io = Server::new();
    let router = app::router(App { io: io.clone(), prometheus });
    let signals = Signals::new()?;
    let listener = TcpListener::bind(("127.0.0.1", 3000)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        // axum waits for its connections, which the end of the server may cut off
        result = axum::serve(listener, router) => result?,
        () = end(io, signals) => {}
    }
    Ok(())
}

/// The first signal drains and closes, `/ready` says so meanwhile; the second ends it at once.
async fn end(io: Server, mut signals: Signals) {
    signals.next().await;
    tokio::select! {
        () = async { io.drain(Duration::from_secs(10)).await } => {}
        () = signals.next() => return,
    }
    io.close().within(Duration::from_secs(5)).until(signals.next()).await;
}
