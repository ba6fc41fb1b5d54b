//! The engine as a tower service: recognises its requests and dispatches them.
//!
//! A request is the engine's if its path goes on behind the option `path` with a slash; all others
//! pass to the inner service untouched.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::engine::Engine;
use crate::http::body::{Answer, Body};
use crate::http::of_session::OfSession;
use crate::http::open;
use crate::nodes::header as internal;
use crate::request::ToldPeer;

/// A service that answers the engine's requests and passes on all others.
#[derive(Clone)]
pub struct EngineService<S> {
    engine: Arc<Engine>,
    intercept: Option<Arc<dyn Intercept>>,
    /// That of the connection, if its requests are not told. Shared, as a connection that has not sent
    /// anything holds several services.
    peer: Option<Arc<ToldPeer>>,
    inner: S,
}

/// The future of an answer.
type Answering<R, E> = Pin<Box<dyn Future<Output = Result<Response<Body<R>>, E>> + Send>>;

/// Answers requests below the engine's path, as for files that are served there.
pub trait Intercept: Send + Sync + 'static {
    /// `rest` is the path behind the engine's own and the slash, never empty: the path by itself is
    /// the engine's. `Some` answers the request, with the CORS headers that are due added; the
    /// request's body is read and dropped.
    fn intercept(&self, request: &Parts, rest: &str) -> Option<Response<Bytes>>;
}

impl<S> EngineService<S> {
    pub(crate) fn new(engine: Arc<Engine>, inner: S) -> Self {
        Self { engine, intercept: None, peer: None, inner }
    }

    /// Has requests below the path looked at before the engine sees them.
    #[must_use]
    pub fn intercept(mut self, intercept: Arc<dyn Intercept>) -> Self {
        self.intercept = Some(intercept);
        self
    }
}

impl<S, B, R> Service<Request<B>> for EngineService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = Answering<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.engine.nodes().is_some() {
            // nobody but a node says such things, and not here
            for name in &internal::ALL {
                request.headers_mut().remove(name);
            }
        }
        let prefix = self.engine.options.prefix();
        let rest =
            request.uri().path().strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
        let Some(rest) = rest else {
            self.tell(&mut request);
            let answer = self.inner.call(request);
            return Box::pin(async move { Ok(answer.await?.map(Body::inner)) });
        };
        if let Some(intercept) = self.intercept.as_ref().filter(|_| !rest.is_empty()) {
            let rest = rest.to_owned();
            self.tell(&mut request);
            let (parts, body) = request.into_parts();
            if let Some(answer) = intercept.intercept(&parts, &rest) {
                let request = Request::from_parts(parts, body);
                let answer = open::pass(&self.engine, request, answer);
                return Box::pin(async move { Ok(answer.map(Body::own)) });
            }
            return self.own(Request::from_parts(parts, body));
        }
        self.own(request)
    }
}

impl<S> EngineService<S> {
    /// Says to whom requests are connected that say nothing of it themselves.
    pub(crate) fn set_peer(&mut self, peer: ToldPeer) {
        self.peer = Some(Arc::new(peer));
    }

    fn tell<B>(&self, request: &mut Request<B>) {
        if let Some(peer) = &self.peer {
            peer.tell(request.extensions_mut());
        }
    }

    fn own<B, R, E>(&self, request: Request<B>) -> Answering<R, E>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
    {
        match OfSession::take(&self.engine, request) {
            Ok(request) => {
                let own = |answer: Response<Bytes>| Ok(answer.map(Body::own));
                Box::pin(Own { answer: request.answer(), own })
            }
            Err(mut request) => {
                self.tell(&mut request);
                let answer = open::answer(Arc::clone(&self.engine), request, None);
                Box::pin(Own { answer, own: |answer: Answer| Ok(answer.into_response()) })
            }
        }
    }
}

pin_project! {
    /// An answer of the engine as one of this service. In place of futures-util's `Map`, which drops
    /// its future in two places: this one is large, and so is what drops it.
    struct Own<F, G> {
        #[pin]
        answer: F,
        own: G,
    }
}

impl<F, G, T> Future for Own<F, G>
where
    F: Future,
    G: Fn(F::Output) -> T,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.project();
        this.answer.poll(cx).map(this.own)
    }
}

impl<S> fmt::Debug for EngineService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineService").field("engine", &self.engine).finish_non_exhaustive()
    }
}
