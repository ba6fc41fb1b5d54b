//! What answers requests that are not the server's.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

/// 404 with the body `outside`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside;

impl<B> Service<Request<B>> for Outside {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut answer = Response::new(Full::new(Bytes::from_static(b"outside")));
        *answer.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(answer))
    }
}
