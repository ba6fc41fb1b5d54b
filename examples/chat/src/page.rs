//! Serves the page: three files, embedded.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

/// What answers requests outside of the Socket.IO path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page;

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
        let (content_type, file) = match request.uri().path() {
            "/" => ("text/html; charset=utf-8", include_str!("../page/index.html")),
            "/chat.css" => ("text/css; charset=utf-8", include_str!("../page/chat.css")),
            "/chat.js" => ("text/javascript; charset=utf-8", include_str!("../page/chat.js")),
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
            .body(Full::new(Bytes::from_static(file.as_bytes())))
            .expect("these headers are valid");
        ready(Ok(answer))
    }
}
