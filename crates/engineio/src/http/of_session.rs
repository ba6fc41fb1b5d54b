//! What a polling session lives on: its polls, and its POSTs.
//!
//! Such a request is recognised when it comes, with nothing awaited, and all that its answer needs is
//! taken out of it. The rest goes at once, and with it the hold that its head has on the HTTP
//! server's buffer: that has one buffer for all requests of a connection then, also while a poll waits.
//! The map of its headers becomes that of the answer, and of the next request.

use std::sync::Arc;

use bytes::Bytes;
use engineio_proto::TransportKind;
use engineio_proto::handshake::Query;
use engineio_proto::payload::Form;
use http::header::{self, HeaderMap};
use http::{Method, Request, Response, Version};

use crate::TARGET;
use crate::engine::Engine;
use crate::http::content_coding::ContentCoding;
use crate::http::context::RequestContext;
use crate::http::open;
use crate::http::polling;
use crate::http::request_body::RequestBody;
use crate::session::socket::Socket;
use crate::span::Span;

/// A poll or a POST of a polling session.
pub(crate) struct OfSession<B> {
    engine: Arc<Engine>,
    socket: Socket,
    context: RequestContext,
    asked: Asked,
    /// Empty, with room for those of the answer.
    headers: HeaderMap,
    body: RequestBody<B>,
    span: Span,
}

enum Asked {
    Poll(Option<ContentCoding>),
    Post(Option<Form>),
}

impl<B> OfSession<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    /// Takes a request if it is one that is to be answered so.
    ///
    /// # Errors
    /// It is not, and given back: [`open`] says what else it is, or why it is refused.
    #[expect(clippy::result_large_err, reason = "a request is moved in any case")]
    pub(crate) fn take(engine: &Arc<Engine>, request: Request<B>) -> Result<Self, Request<B>> {
        let Some((socket, context)) = Self::look(engine, &request) else { return Err(request) };
        let headers = request.headers();
        let asked = match *request.method() {
            Method::GET => Asked::Poll(match engine.options.http_compression {
                Some(_) => ContentCoding::preferred(headers),
                None => None,
            }),
            _ => Asked::Post(polling::form(socket.protocol(), headers)),
        };
        let span = Span::new(|| {
            tracing::debug_span!(
                target: TARGET,
                "request",
                method = request.method().as_str(),
                transport = TransportKind::Polling.as_str(),
                protocol = socket.protocol().number(),
                sid = socket.id(),
            )
        });
        let (mut parts, body) = request.into_parts();
        parts.headers.clear();
        let (headers, body) = (parts.headers, RequestBody::new(body));
        Ok(Self { engine: Arc::clone(engine), socket, context, asked, headers, body, span })
    }

    /// The session, if nothing speaks against the request.
    fn look(engine: &Engine, request: &Request<B>) -> Option<(Socket, RequestContext)> {
        let headers = request.headers();
        let is_one = matches!(*request.method(), Method::GET | Method::POST)
            && request.version() == Version::HTTP_11
            && headers.contains_key(header::HOST)
            && !headers.contains_key(header::UPGRADE);
        if !is_one {
            return None;
        }
        let query = Query::parse(request.uri().query()?);
        let socket = engine.session(query.sid.as_deref()?)?;
        let polls = |transport| transport == Some(TransportKind::Polling);
        let fits = polls(query.transport)
            && polls(Some(socket.transport()))
            && socket.protocol() == query.protocol
            && engine.allows(TransportKind::Polling);
        fits.then(|| (socket, RequestContext::new(query, headers, &engine.options)))
    }

    pub(crate) async fn answer(self) -> Response<Bytes> {
        let Self { engine, socket, context, asked, headers, mut body, span } = self;
        let answer = {
            let answering = async {
                match asked {
                    Asked::Poll(coding) => {
                        let answer = engine.poll(&socket, context.query.b64).await;
                        polling::polled(&engine, &context, || coding, headers, answer)
                    }
                    Asked::Post(form) => {
                        polling::post(&engine, &socket, &context, form, headers, &mut body).await
                    }
                }
            };
            span.run(std::pin::pin!(answering)).await
        };
        let answer = answer.unwrap_or_else(|refusal| open::refuse(&engine, refusal, false));
        open::finish(&engine, &context, false, body, answer)
    }
}
