//! Serves the page: three files, embedded, and what the page asks for of WebTransport.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

/// What answers requests outside of the Socket.IO path.
#[derive(Clone, Default)]
pub(crate) struct Page {
    /// The hashes of certificates that the page tells its browser, in JSON; none if nobody says.
    pub(crate) hashes: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

/// Everything comes from this server.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:";

impl<B> Service<Request<B>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let embedded = |content_type, file: &'static str| (content_type, Bytes::from(file));
        let (content_type, file) = match request.uri().path() {
            "/" => embedded("text/html; charset=utf-8", include_str!("../page/index.html")),
            "/chat.css" => embedded("text/css; charset=utf-8", include_str!("../page/chat.css")),
            "/chat.js" => {
                embedded("text/javascript; charset=utf-8", include_str!("../page/chat.js"))
            }
            "/certificates.json" => {
                let hashes = self.hashes.as_ref().map_or_else(|| "[]".to_owned(), |all| all());
                ("application/json", hashes.into())
            }
            _ => {
                let mut answer = Response::new(Full::default());
                *answer.status_mut() = StatusCode::NOT_FOUND;
                return ready(Ok(answer));
            }
        };
        let answer = Response::builder()
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .header(CACHE_CONTROL, "no-cache")
            .body(Full::new(file))
            .expect("these headers are valid");
        ready(Ok(answer))
    }
}
