//! The server as a tower layer, and its part of the engine's service: the client's files.

use std::sync::Arc;

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

impl<S> Layer<S> for SocketIoLayer {
    type Service = EngineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.fallback(inner)
    }
}

impl Server {
    /// A tower service that answers requests below the path, and passes all others to `inner`.
    #[must_use]
    pub fn fallback<S>(&self, inner: S) -> EngineService<S> {
        self.engine().fallback(inner).intercept(Arc::new(Ours(self.clone())))
    }

    /// A tower layer that puts [`Server::fallback`] in front of another service, for axum and
    /// others.
    // Node 2.0: new Server(httpServer), server.attach(httpServer)
    #[must_use]
    pub fn layer(&self) -> SocketIoLayer {
        SocketIoLayer(self.clone())
    }
}

/// Looks at requests before the engine. It also keeps the server alive as long as a service does.
struct Ours(Server);

impl Intercept for Ours {
    fn intercept(&self, request: &Parts, rest: &str) -> Option<Response<Bytes>> {
        self.0.files()?.answer(request, rest)
    }
}
