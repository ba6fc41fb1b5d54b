//! The HTTP requests of a polling session: the poll, the POST, and what is neither. What they do is in
//! [`crate::engine::requests`]; of a session of another node, in [`crate::engine::elsewhere`].

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task;

use bytes::Bytes;
use engineio_proto::payload::{Form, jsonp};
use engineio_proto::{CloseReason, HandshakeError, Protocol};
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::engine::Engine;
use crate::engine::cut;
use crate::engine::elsewhere::Relayed;
use crate::engine::relay::RequestError;
use crate::http::content_coding::ContentCoding;
use crate::http::context::RequestContext;
use crate::http::refusal::Refusal;
use crate::http::request_body::{RequestBody, Unread};
use crate::http::responses;
use crate::limits::Limit;
use crate::patience;
use crate::reason::CloseDetail;
use crate::session::socket::Socket;
use crate::transport::polling::PollAnswer;

/// Answers a request of a session.
pub(crate) async fn answer<B>(
    engine: &Arc<Engine>,
    socket: &Socket,
    context: &RequestContext,
    request: &Parts,
    body: &mut RequestBody<B>,
) -> Result<Response<Bytes>, Refusal>
where
    B: http_body::Body,
{
    match request.method {
        Method::GET => {
            let answer = engine.poll(socket, context.query.b64).await;
            let coding = || ContentCoding::preferred(&request.headers);
            polled(engine, context, coding, HeaderMap::new(), answer)
        }
        Method::POST => {
            let form = form(socket.protocol(), &request.headers);
            post(engine, socket, context, form, HeaderMap::new(), body).await
        }
        _ => Ok(neither(context, request)),
    }
}

/// Has a request answered by the node that has its session.
pub(crate) async fn relay<B>(
    engine: &Arc<Engine>,
    relayed: Relayed<'_>,
    context: &RequestContext,
    request: &Parts,
    body: &mut RequestBody<B>,
) -> Result<Response<Bytes>, Refusal>
where
    B: http_body::Body,
{
    let protocol = context.query.protocol;
    match request.method {
        Method::GET => {
            let answer = relayed.poll(protocol, context.query.b64).await?;
            let coding = || ContentCoding::preferred(&request.headers);
            polled(engine, context, coding, HeaderMap::new(), answer)
        }
        Method::POST => {
            let Some(form) = form(protocol, &request.headers) else {
                relayed.close(CloseReason::TransportError);
                return Ok(no_form());
            };
            let held = AtomicUsize::new(0);
            let counted = cut::Body::new(engine, &held);
            // a client that goes away in the middle ends its session
            let unfinished = relayed.unfinished();
            let body =
                match read(engine, body, &counted, &|| Box::pin(std::future::pending())).await {
                    Ok(body) => body,
                    Err((answer, _)) => return Ok(answer),
                };
            unfinished.finish();
            let Some((form, body)) = unwrapped(context, form, body) else {
                return Ok(responses::ok(HeaderMap::new()));
            };
            match relayed.post(form, body).await? {
                Ok(()) => Ok(responses::ok(HeaderMap::new())),
                Err(error) => refused(error),
            }
        }
        _ => Ok(neither(context, request)),
    }
}

fn neither(context: &RequestContext, request: &Parts) -> Response<Bytes> {
    match request.method {
        Method::OPTIONS => responses::options(context, &request.headers),
        // Node: another method; the session goes on
        _ => responses::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The answer to a poll. `headers` are empty.
pub(crate) fn polled(
    engine: &Engine,
    context: &RequestContext,
    preferred: impl FnOnce() -> Option<ContentCoding>,
    headers: HeaderMap,
    answer: Result<PollAnswer, RequestError>,
) -> Result<Response<Bytes>, Refusal> {
    match answer {
        Ok(answer) => {
            let threshold = engine.options.http_compression;
            Ok(responses::payload(context, threshold, preferred, headers, answer))
        }
        Err(error) => refused(error),
    }
}

fn refused(error: RequestError) -> Result<Response<Bytes>, Refusal> {
    match error.code() {
        Some(code) => Err(code.into()),
        None => Ok(responses::close_connection(responses::empty(StatusCode::BAD_REQUEST))),
    }
}

/// Takes a POST, and answers it. `headers` are empty.
pub(crate) async fn post<B>(
    engine: &Engine,
    socket: &Socket,
    context: &RequestContext,
    form: Option<Form>,
    headers: HeaderMap,
    body: &mut RequestBody<B>,
) -> Result<Response<Bytes>, Refusal>
where
    B: http_body::Body,
{
    let Some(form) = form else {
        socket.close_with(CloseReason::TransportError);
        return Ok(no_form());
    };
    let upload = match engine.begin_post(socket) {
        Ok(upload) => upload,
        Err(error) => return refused(error),
    };
    let counted = cut::Body::new(engine, &socket.shared().kept.body);
    let body = match read(engine, body, &counted, &|| Box::pin(upload.ended())).await {
        Ok(body) => body,
        Err((answer, detail)) => {
            upload.fail(detail);
            return Ok(answer);
        }
    };
    drop(counted); // it is the driver's from here on
    match unwrapped(context, form, body) {
        Some((form, body)) => upload.take(form, body).await,
        None => upload.ignore(),
    }
    Ok(responses::ok(headers))
}

/// How packets lie in the body of a POST; none: it is of no such form.
pub(crate) fn form(protocol: Protocol, headers: &HeaderMap) -> Option<Form> {
    let content_type = headers.get(header::CONTENT_TYPE);
    match (protocol, content_type.map(|value| value.as_bytes())) {
        // Node: protocol 4 has no binary payload
        (Protocol::V4, Some(b"application/octet-stream")) => None,
        (Protocol::V4, _) => Some(Form::V4),
        (Protocol::V3, Some(b"application/octet-stream")) => Some(Form::V3Binary),
        (Protocol::V3, _) => Some(Form::V3Text),
    }
}

fn no_form() -> Response<Bytes> {
    responses::close_connection(responses::empty(StatusCode::BAD_REQUEST))
}

/// The payload in a body, and its form. None: the form of a page holds none.
fn unwrapped(context: &RequestContext, form: Form, body: Bytes) -> Option<(Form, Bytes)> {
    if context.query.jsonp.is_none() {
        return Some((form, body));
    }
    // Node: a form without the field is ignored
    let text = jsonp::unwrap(&body)?;
    let form = match context.query.protocol {
        Protocol::V3 => Form::V3Text,
        Protocol::V4 => Form::V4,
    };
    Some((form, text.into()))
}

/// The end of a session.
type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Reads the body of a POST, until the session has ended. If it cannot be had, an answer to its
/// client, and what its session ends for.
async fn read<B>(
    engine: &Engine,
    body: &mut RequestBody<B>,
    counted: &cut::Body<'_>,
    ended: &(dyn Fn() -> Ended + Sync),
) -> Result<Bytes, (Response<Bytes>, Option<CloseDetail>)>
where
    B: http_body::Body,
{
    let limit = engine.options.max_http_buffer_size;
    // most bodies come with their heads: no timer, and nobody to tell of the session's end
    let read = {
        let mut reading = std::pin::pin!(body.read(limit, |bytes| counted.has_grown(bytes)));
        match poll_fn(|cx| task::Poll::Ready(reading.as_mut().poll(cx))).await {
            task::Poll::Ready(read) => Some(read),
            task::Poll::Pending => tokio::select! {
                read = patience::timeout(engine.options.body_timeout, reading) => read.ok(),
                () = ended() => {
                    // the session is over, and the rest of the body of no use
                    let answer = responses::refused(&HandshakeError::UnknownSession);
                    return Err((responses::close_connection(answer), None));
                }
            },
        }
    };
    match read {
        Some(Ok(body)) => Ok(body),
        Some(Err(Unread::TooLarge)) => {
            let message = format!("Payload larger than {limit} bytes");
            let answer = responses::failed(StatusCode::PAYLOAD_TOO_LARGE, &message);
            Err((answer, Some(CloseDetail::TooLarge)))
        }
        Some(Err(Unread::Broken)) => {
            Err((responses::failed(StatusCode::BAD_REQUEST, "Incomplete body"), None))
        }
        None => {
            body.be_late();
            engine.counters.limited(Limit::BodyTimeout);
            Err((responses::failed(StatusCode::REQUEST_TIMEOUT, "Request timeout"), None))
        }
    }
}
