//! The server as a tower layer, and its part of the engine's service: the client's files.

use bytes::Bytes;
use engineio::{EngineService, Intercept};
use http::Response;
use http::request::Parts;
use tower_layer::Layer;

use crate::server::Server;

/// Puts the server in front of a service: see [`Server::layer`].
///
/// ```no_run
/// # async fn example() -> Result<(), socketio::BoxError> {
/// let io = socketio::Server::new();
/// let app = axum::Router::new()
///     .route("/", axum::routing::get(async || "hello"))
///     .layer(io.layer());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener, app).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SocketIoLayer(Server);

impl SocketIoLayer {
    pub(crate) fn new(server: Server) -> Self {
        Self(server)
    }
}

impl<S> Layer<S> for SocketIoLayer {
    type Service = EngineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.fallback(inner)
    }
}

/// Looks at requests before the engine. It also keeps the server alive as long as a service does.
pub(crate) struct Ours(pub(crate) Server);

impl Intercept for Ours {
    fn intercept(&self, request: &Parts, rest: &str) -> Option<Response<Bytes>> {
        self.0.files()?.answer(request, rest)
    }
}
