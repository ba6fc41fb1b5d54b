//! The application: Socket.IO, a readiness check and the metrics, on one port.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use socketio::{Data, Server, Socket};

/// What routes know.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) io: Server,
    pub(crate) prometheus: PrometheusHandle,
}

pub(crate) fn router(app: App) -> Router {
    app.io.on_connection(|socket: Socket| {
        socket.on("shout", |socket: Socket, Data(text): Data<String>| {
            socket.broadcast().emit("shout", (socket.id(), text))
        });
    });
    // In earnest, keep `/metrics` from the public: by the proxy, or on a listener of its own.
    let layer = app.io.layer();
    Router::new()
        .route("/metrics", get(metrics))
        .route("/ready", get(ready))
        .with_state(app)
        .layer(layer)
}

/// Counted all along, put together when it is asked for.
async fn metrics(State(app): State<App>) -> String {
    app.io.publish_metrics();
    app.prometheus.render()
}

/// Whether new clients are welcome: not while the server is drained or closes.
async fn ready(State(app): State<App>) -> StatusCode {
    match app.io.is_draining() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    }
}
