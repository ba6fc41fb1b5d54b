//! The requests of a polling session: the poll, the POST, and what is neither.

use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::task;

use bytes::Bytes;
use engineio_proto::payload::{self, Form, jsonp};
use engineio_proto::{CloseReason, HandshakeError, Outgoing, Protocol, TransportKind};
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::engine::cut;
use crate::http::content_coding::ContentCoding;
use crate::http::context::RequestContext;
use crate::http::request_body::{RequestBody, Unread};
use crate::http::responses;
use crate::limits::Limit;
use crate::patience;
use crate::reason::CloseDetail;
use crate::session::mailbox::{Mail, NotAdmitted, Post};
use crate::session::socket::Socket;
use crate::transport::polling::{Poll, PollAnswer};

/// Answers a request of a session.
pub(crate) async fn answer<B>(
    engine: &Arc<Engine>,
    socket: &Socket,
    context: &RequestContext,
    request: &Parts,
    body: &mut RequestBody<B>,
) -> Result<Response<Bytes>, HandshakeError>
where
    B: http_body::Body,
{
    match request.method {
        Method::GET => poll(engine, socket, context, &request.headers).await,
        Method::POST => post(engine, socket, context, &request.headers, body).await,
        Method::OPTIONS => Ok(responses::options(context, &request.headers)),
        // Node: another method; the session goes on
        _ => Ok(responses::empty(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

// Engine.IO v4: HTTP long-polling, receiving
async fn poll(
    engine: &Engine,
    socket: &Socket,
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<Response<Bytes>, HandshakeError> {
    let (reply, answer) = oneshot::channel();
    match socket.shared().mailbox.admit_poll(Poll { base64: context.query.b64, reply }) {
        Ok(()) => socket.wake(),
        Err(NotAdmitted::Overlap) => return Ok(overlap(socket)),
        Err(NotAdmitted::Closed) => return without_session(engine, socket.id(), context),
    }
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(_) if socket.transport() == TransportKind::Polling => {
            return without_session(engine, socket.id(), context);
        }
        // it crossed the upgrade
        Err(_) => return Err(HandshakeError::BadRequest),
    };
    let coding = || ContentCoding::preferred(headers);
    Ok(responses::payload(context, engine.options.http_compression, coding, answer))
}

/// Answers a poll whose session is not there.
// Node: a poll that is parked when its client closes is answered with a noop
pub(crate) fn without_session(
    engine: &Engine,
    sid: &str,
    context: &RequestContext,
) -> Result<Response<Bytes>, HandshakeError> {
    let now = tokio::time::Instant::now().into_std();
    let protocol = context.query.protocol;
    let Some(last) = engine.crossings.take(sid, protocol, now) else {
        return Err(HandshakeError::UnknownSession);
    };
    let mut payload = Vec::new();
    let last = [Outgoing::packet(last, "")];
    let content_type = payload::encode(protocol, context.query.b64, &last, &mut payload);
    let answer = PollAnswer { payload, content_type, compress: false };
    Ok(responses::payload(context, None, || None, answer))
}

// Engine.IO v4: HTTP long-polling, sending
async fn post<B>(
    engine: &Engine,
    socket: &Socket,
    context: &RequestContext,
    headers: &HeaderMap,
    body: &mut RequestBody<B>,
) -> Result<Response<Bytes>, HandshakeError>
where
    B: http_body::Body,
{
    let content_type = headers.get(header::CONTENT_TYPE);
    let form = match (socket.protocol(), content_type.map(|value| value.as_bytes())) {
        (Protocol::V4, Some(b"application/octet-stream")) => {
            // Node: protocol 4 has no binary payload
            socket.close_with(CloseReason::TransportError);
            return Ok(responses::close_connection(responses::empty(StatusCode::BAD_REQUEST)));
        }
        (Protocol::V4, _) => Form::V4,
        (Protocol::V3, Some(b"application/octet-stream")) => Form::V3Binary,
        (Protocol::V3, _) => Form::V3Text,
    };
    match socket.shared().mailbox.admit_post() {
        Ok(()) => {}
        Err(NotAdmitted::Overlap) => return Ok(overlap(socket)),
        Err(NotAdmitted::Closed) => return Err(HandshakeError::UnknownSession),
    }
    let upload = Upload(Some(socket));
    let limit = engine.options.max_http_buffer_size;
    let counted = cut::Body::new(engine, socket);
    // most bodies come with their heads: no timer, and nobody to tell of the session's end
    let read = {
        let mut reading = std::pin::pin!(body.read(limit, |bytes| counted.has_grown(bytes)));
        match poll_fn(|cx| task::Poll::Ready(reading.as_mut().poll(cx))).await {
            task::Poll::Ready(read) => Some(read),
            task::Poll::Pending => tokio::select! {
                read = patience::timeout(engine.options.body_timeout, reading) => read.ok(),
                _ = socket.shared().mailbox.ended() => {
                    // the session is over, and the rest of the body of no use
                    let answer = responses::refused(&HandshakeError::UnknownSession);
                    return Ok(responses::close_connection(answer));
                }
            },
        }
    };
    let body = match read {
        Some(Ok(body)) => body,
        Some(Err(Unread::TooLarge)) => {
            upload.fail(Some(CloseDetail::TooLarge));
            let message = format!("Payload larger than {limit} bytes");
            return Ok(responses::failed(StatusCode::PAYLOAD_TOO_LARGE, &message));
        }
        Some(Err(Unread::Broken)) => {
            upload.fail(None);
            return Ok(responses::failed(StatusCode::BAD_REQUEST, "Incomplete body"));
        }
        None => {
            body.be_late();
            engine.counters.limited(Limit::BodyTimeout);
            upload.fail(None);
            return Ok(responses::failed(StatusCode::REQUEST_TIMEOUT, "Request timeout"));
        }
    };
    upload.finish();
    drop(counted); // it is the driver's from here on
    let max_packets = engine.options.max_packets_per_payload;
    let packets = match context.query.jsonp {
        None => payload::Decoder::new(form, body, max_packets),
        Some(_) => match jsonp::unwrap(&body) {
            Some(text) => payload::Decoder::from_text(socket.protocol(), text, max_packets),
            // Node: a form without the field is ignored
            None => {
                socket.shared().mailbox.post_answered();
                return Ok(responses::ok());
            }
        },
    };
    let (post, taken) = Post::new(packets);
    if socket.shared().mailbox.put(Mail::Post(post)) {
        socket.wake();
    }
    // An end of the session meanwhile makes no difference to the answer.
    let _ = taken.await;
    Ok(responses::ok())
}

/// Two requests of a kind at the same time end the session.
fn overlap(socket: &Socket) -> Response<Bytes> {
    socket.close_for(CloseReason::TransportError, Some(CloseDetail::OverlappingRequests));
    responses::close_connection(responses::empty(StatusCode::BAD_REQUEST))
}

/// A body that is being read; if its request breaks, so does the session.
struct Upload<'a>(Option<&'a Socket>);

impl Upload<'_> {
    fn finish(mut self) {
        self.0 = None;
    }

    fn fail(mut self, detail: Option<CloseDetail>) {
        if let Some(socket) = self.0.take() {
            socket.close_for(CloseReason::TransportError, detail);
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.close_for(CloseReason::TransportError, None);
        }
    }
}
