//! The AsyncAPI document over HTTP, for who asks.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use crate::describe::Contract;

/// A tower service that answers requests of one path with the AsyncAPI document of a contract and
/// passes all others on; made by [`Contract::asyncapi_route`].
#[derive(Clone)]
pub struct AsyncApiRoute<S> {
    path: &'static str,
    document: Bytes,
    inner: S,
}

impl Contract {
    /// A tower service that answers `GET` and `HEAD` requests of `path` with the
    /// [document](Contract::asyncapi), written now, other methods with 405, and passes requests of all
    /// other paths to `inner`, whose bodies can be made of [`Bytes`], as `Full<Bytes>` and axum's can.
    ///
    /// Nobody is served a document unless the program mounts it; who may read it is up to what stands
    /// in front of it.
    ///
    /// ```
    /// # use socketio::serve::HttpService;
    /// # use socketio::Server;
    /// # use socketio_contract::{AsyncApiRoute, contract};
    /// # #[contract] mod chat { pub trait ToClient { fn hi(); } }
    /// # async fn serve<P>(io: Server, page: P) -> std::io::Result<()>
    /// # where AsyncApiRoute<P>: HttpService<Body = http_body_util::Full<bytes::Bytes>>
    /// # {
    /// let pages = chat::contract().asyncapi_route("/asyncapi.json", page);
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// io.attach_service(listener, io.fallback(pages))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn asyncapi_route<S>(&self, path: &'static str, inner: S) -> AsyncApiRoute<S> {
        AsyncApiRoute { path, document: self.asyncapi().into(), inner }
    }
}

impl<S, B, R> Service<Request<B>> for AsyncApiRoute<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send + 'static>,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() != self.path {
            return Box::pin(self.inner.call(request));
        }
        let answer = self.answer(request.method());
        Box::pin(async { Ok(answer) })
    }
}

impl<S> AsyncApiRoute<S> {
    fn answer<R: From<Bytes>>(&self, method: &Method) -> Response<R> {
        if ![Method::GET, Method::HEAD].contains(method) {
            let mut answer = Response::new(Bytes::new().into());
            *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            // RFC 9110 15.5.6
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        // the body of an answer to HEAD is not sent; its length is
        let mut answer = Response::new(self.document.clone().into());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }
}

impl<S> fmt::Debug for AsyncApiRoute<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncApiRoute").field("path", &self.path).finish_non_exhaustive()
    }
}

// AsyncAPI 3.0: Media Type
const MEDIA_TYPE: &str = "application/vnd.aai.asyncapi+json;version=3.0.0";
