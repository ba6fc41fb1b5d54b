//! The engine as a tower layer, for axum and others.

use std::sync::Arc;

use tower_layer::Layer;

use crate::engine::Engine;
use crate::http::service::EngineService;

/// Puts the engine in front of a service: see [`Server::layer`](crate::Server::layer).
#[derive(Clone, Debug)]
pub struct EngineLayer(Arc<Engine>);

impl EngineLayer {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self(engine)
    }
}

impl<S> Layer<S> for EngineLayer {
    type Service = EngineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EngineService::new(Arc::clone(&self.0), inner)
    }
}
