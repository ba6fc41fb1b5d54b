//! The engine as a tower layer, for axum and others.

use tower_layer::Layer;

use crate::http::service::EngineService;
use crate::server::Server;

/// Puts the engine in front of a service: see [`Server::layer`].
#[derive(Clone, Debug)]
pub struct EngineLayer(Server);

impl EngineLayer {
    pub(crate) fn new(server: Server) -> Self {
        Self(server)
    }
}

impl<S> Layer<S> for EngineLayer {
    type Service = EngineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.fallback(inner)
    }
}
