//! The engine's requests: the checks in the order of the reference, and the opening of sessions.
//!
//! Requests of a session that exists go on to [`crate::http::polling`].

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use engineio_proto::handshake::Query;
use engineio_proto::log;
use engineio_proto::{HandshakeError, Outgoing, Protocol, TransportKind};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use tokio::sync::oneshot;
use tracing::field::Empty;

use crate::TARGET;
use crate::admission;
use crate::driver::{self, Driver};
use crate::engine::Engine;
use crate::engine::elsewhere::Found;
use crate::http::body::Answer;
use crate::http::claim::claim;
use crate::http::content_coding::ContentCoding;
use crate::http::context::RequestContext;
use crate::http::forward::forward;
use crate::http::polling;
use crate::http::refusal::Refusal;
use crate::http::request_body::RequestBody;
use crate::http::responses;
use crate::http::upgrade::{self, Upgrade};
use crate::limits::connections::ConnectionPermit;
use crate::request;
use crate::session::socket::Socket;
use crate::span::{self, Span};
use crate::spawn::spawn;
use crate::stats::Counters;
use crate::transport::polling::Poll;

/// Answers one of the engine's requests, in a span of its own.
///
/// Parked polls have such a future each: what is large is in it once, and lent to those who need it.
pub(crate) fn answer<B>(
    engine: Arc<Engine>,
    mut request: Request<B>,
    relayed: Option<ConnectionPermit>,
) -> impl Future<Output = Answer> + Send
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    // Node: without the transport an upgrade request is a plain one
    let upgrade =
        engine.allows(TransportKind::WebSocket).then(|| Upgrade::of(&mut request)).flatten();
    answer_with(engine, request, upgrade, relayed)
}

/// The same, with the stream that the request is to be upgraded to, if it asks for that.
pub(crate) fn answer_with<B>(
    engine: Arc<Engine>,
    request: Request<B>,
    mut upgrade: Option<Upgrade>,
    relayed: Option<ConnectionPermit>,
) -> impl Future<Output = Answer> + Send
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let span = Span::new(|| {
        tracing::debug_span!(
            target: TARGET,
            "request",
            method = request.method().as_str(),
            transport = Empty,
            protocol = Empty,
            sid = Empty,
        )
    });
    let mut context = context(&engine, &request);
    context.is_relayed = relayed.is_some();
    let relayed = match &mut upgrade {
        Some(upgrade) => {
            relayed.into_iter().for_each(|relayed| upgrade.relayed(relayed));
            None
        }
        None => relayed,
    };
    let (mut parts, body) = request.into_parts();
    let mut body = RequestBody::new(body);
    async move {
        let _relayed = relayed;
        let is_upgrade = upgrade.is_some();
        let answer = {
            let answering = pin!(respond(&engine, &context, &mut parts, &mut body, upgrade));
            span.run(answering).await
        };
        match answer {
            Answer::Own(answer) => Answer::Own(finish(&engine, &context, is_upgrade, body, answer)),
            // all of it was made by the other node
            forwarded @ Answer::Forwarded(_) => forwarded,
        }
    }
}

/// Lets an answer pass that another gave to a request below the path.
pub(crate) fn pass<B>(
    engine: &Arc<Engine>,
    request: Request<B>,
    mut answer: Response<Bytes>,
) -> Response<Bytes>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let context = context(engine, &request);
    // our own answers are not cached
    if context.query.jsonp.is_none() {
        context.origin.apply_vary_if_cached(answer.headers_mut());
    }
    finish(engine, &context, false, RequestBody::new(request.into_body()), answer)
}

fn context<B>(engine: &Engine, request: &Request<B>) -> RequestContext {
    RequestContext::new(
        Query::parse(request.uri().query().unwrap_or_default()),
        request.headers(),
        &engine.options,
    )
}

/// What all answers below the path have in common.
pub(crate) fn finish<B>(
    engine: &Arc<Engine>,
    context: &RequestContext,
    is_upgrade: bool,
    body: RequestBody<B>,
    mut answer: Response<Bytes>,
) -> Response<Bytes>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return answer;
    }
    if !is_upgrade {
        responses::complete(context, &mut answer);
    }
    body.drop_rest(engine);
    // Our own HTTP server does it by itself, others do not know.
    if engine.is_finishing() { responses::close_connection(answer) } else { answer }
}

async fn respond<B>(
    engine: &Arc<Engine>,
    context: &RequestContext,
    request: &mut Parts,
    body: &mut RequestBody<B>,
    upgrade: Option<Upgrade>,
) -> Answer
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    if request.method == Method::OPTIONS && context.origin.is_preflight(&request.headers) {
        return responses::preflight(context, &request.headers).into();
    }
    let is_upgrade = upgrade.is_some();
    let answer = route(engine, context, request, body, upgrade).await;
    answer.unwrap_or_else(|refusal| refuse(engine, refusal, is_upgrade).into())
}

/// The answer to a request that is refused.
pub(crate) fn refuse(engine: &Engine, refusal: Refusal, is_upgrade: bool) -> Response<Bytes> {
    Counters::add(&engine.counters.refused);
    match refusal {
        Refusal::Answer(answer) => *answer,
        Refusal::Code(error) => {
            engine.counters.request_refused(&error);
            log!(debug: code = error.code(), message = error.message(), "request refused");
            match is_upgrade {
                true => responses::refused_upgrade(&error),
                false => responses::refused(&error),
            }
        }
    }
}

// Node: order of checks and errors
async fn route<B>(
    engine: &Arc<Engine>,
    context: &RequestContext,
    request: &mut Parts,
    body: &mut RequestBody<B>,
    upgrade: Option<Upgrade>,
) -> Result<Answer, Refusal>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    // RFC 9112 3.2
    if request.version == Version::HTTP_11 && !request.headers.contains_key(header::HOST) {
        return Err(HandshakeError::BadRequest.into());
    }
    let transport = context.query.transport.filter(|transport| {
        // a stream has no request of its own
        engine.allows(*transport) && *transport != TransportKind::WebTransport
    });
    let transport = transport.ok_or(HandshakeError::TransportUnknown)?;
    span::record("transport", transport.as_str());
    span::record("protocol", context.query.protocol.number());
    if upgrade.is_some() && transport != TransportKind::WebSocket {
        return Err(HandshakeError::BadRequest.into());
    }
    let Some(sid) = &context.query.sid else {
        // nodes pass on what has a session
        if context.is_relayed {
            return Err(HandshakeError::BadRequest.into());
        }
        // on the heap: the requests of a session should not have room for it
        return Box::pin(open(engine, context, request, transport, upgrade)).await.map(Into::into);
    };
    let polls = upgrade.is_none() && transport == TransportKind::Polling;
    let found = match engine.session(sid) {
        Some(socket) => Found::Here(socket),
        None => match engine.owner(sid, context.is_relayed) {
            // one hop, and not another
            None if context.is_relayed => Found::Unknown,
            Some((nodes, owner)) => {
                if upgrade.is_some()
                    && let Some(claimed) =
                        claim(engine, nodes, (&owner, sid), context.query.protocol).await
                    && let Some(upgrade) = upgrade
                {
                    let answer = Box::pin(claimed.answer(context, request, upgrade)).await;
                    return answer.map(Into::into);
                }
                let to = (owner, sid.as_str());
                // on the heap, as above
                return Box::pin(forward(engine, nodes, to, request, body, upgrade)).await;
            }
            None => engine.find_by_relay(sid),
        },
    };
    let socket = match found {
        Found::Here(socket) => socket,
        Found::Elsewhere(node) => {
            let relayed = engine.relayed(node, sid).filter(|_| polls);
            // a probe is refused: its client goes on polling
            let relayed = relayed.ok_or(HandshakeError::BadRequest)?;
            let answer = polling::relay(engine, relayed, context, request, body);
            return Box::pin(answer).await.map(Into::into);
        }
        Found::Unknown if polls && request.method == Method::GET => {
            let (protocol, text_only) = (context.query.protocol, context.query.b64);
            let answer = engine.last_answer(sid, protocol, text_only);
            let coding = || ContentCoding::preferred(&request.headers);
            return polling::polled(engine, context, coding, HeaderMap::new(), answer)
                .map(Into::into);
        }
        Found::Unknown => return Err(HandshakeError::UnknownSession.into()),
    };
    // not before: what a client makes up is not logged
    span::record("sid", socket.id());
    if socket.protocol() != context.query.protocol {
        return Err(HandshakeError::BadRequest.into());
    }
    if let Some(upgrade) = upgrade {
        if request.method != Method::GET {
            return Err(HandshakeError::BadMethod.into());
        }
        // on the heap: it should not be in each poll's future
        let answer = Box::pin(probe(engine, &socket, context, request, upgrade)).await;
        return answer.map(Into::into);
    }
    if socket.transport() != transport {
        return Err(HandshakeError::BadRequest.into());
    }
    polling::answer(engine, &socket, context, request, body).await.map(Into::into)
}

/// Opens a session.
async fn open(
    engine: &Arc<Engine>,
    context: &RequestContext,
    parts: &mut Parts,
    transport: TransportKind,
    upgrade: Option<Upgrade>,
) -> Result<Response<Bytes>, Refusal> {
    if parts.method != Method::GET {
        return Err(HandshakeError::BadMethod.into());
    }
    if context.query.protocol == Protocol::V3 && !engine.options.allow_eio3 {
        return Err(HandshakeError::UnsupportedProtocol.into());
    }
    let mut accepted = match (transport, &upgrade) {
        (TransportKind::WebSocket, Some(_)) => Some(upgrade::check(engine, &parts.headers)?),
        (TransportKind::WebSocket, None) => return Err(HandshakeError::BadRequest.into()),
        _ => None,
    };
    let coding = ContentCoding::preferred(&parts.headers);
    let request = request::Request::new(parts, &engine.proxies);
    let admission = admission::admit(engine, request).await?;
    if let Some(accepted) = &mut accepted {
        accepted.select(engine, || admission.request().clone()).await?;
    }
    let (socket, permit) = admission.open(context.query.protocol, transport).await?;
    span::record("sid", socket.id());
    let (Some(upgrade), Some(accepted)) = (upgrade, accepted) else {
        let (reply, answer) = oneshot::channel();
        let admitted =
            socket.shared().mailbox.admit_poll(Poll { base64: context.query.b64, reply });
        debug_assert!(admitted.is_ok(), "the session is new");
        let form = (context.query.b64, context.query.jsonp.is_some());
        Driver::polling(Arc::clone(engine), socket.clone(), permit, form).spawn();
        let answer = answer.await.map_err(|_| HandshakeError::UnknownSession)?;
        let threshold = engine.options.http_compression;
        let mut answer =
            responses::payload(context, threshold, || coding, HeaderMap::new(), answer);
        if let Some(cookie) = &engine.options.cookie {
            // an id that cannot stand in a header was percent-encoded
            if let Ok(cookie) = HeaderValue::from_str(&cookie.header(socket.id())) {
                answer.headers_mut().insert(header::SET_COOKIE, cookie);
            }
        }
        return Ok(answer);
    };
    let (engine, agreement, base64) = (Arc::clone(engine), accepted.agreement, context.query.b64);
    // what may be compressed is left to the session
    let open = agreement.is_none().then(|| driver::open_packet(&engine, &socket));
    let frame = open.as_ref().and_then(Outgoing::ready_frame);
    let greeted = frame.is_some_and(|frame| upgrade.write_behind(frame));
    spawn(Box::pin(async move {
        match upgrade::upgraded(&engine, upgrade, agreement, base64).await {
            // a task of its own, as small as can be: this one is as large as all that was above
            Some(websocket) => {
                Driver::framed(engine, socket, permit, websocket).greeted(greeted).spawn();
            }
            None => engine.session_gone(&socket),
        }
    }));
    Ok(accepted.response())
}

/// Opens a second connection for a polling session.
async fn probe(
    engine: &Arc<Engine>,
    socket: &Socket,
    context: &RequestContext,
    parts: &mut Parts,
    upgrade: Upgrade,
) -> Result<Response<Bytes>, Refusal> {
    if !engine.may_upgrade(socket.protocol(), TransportKind::WebSocket) {
        return Err(HandshakeError::BadRequest.into());
    }
    let mut accepted = upgrade::check(engine, &parts.headers)?;
    accepted.select(engine, || request::Request::new(parts, &engine.proxies)).await?;
    // One that cannot become the transport is opened and closed at once, as the reference does.
    let admitted =
        socket.transport() == TransportKind::Polling && socket.shared().mailbox.admit_probe();
    let (engine, socket, agreement) = (Arc::clone(engine), socket.clone(), accepted.agreement);
    let base64 = context.query.b64;
    spawn(Box::pin(async move {
        let websocket = upgrade::upgraded(&engine, upgrade, agreement, base64).await;
        if admitted {
            socket.probed(websocket);
        } else if let Some(websocket) = websocket {
            let mut websocket = Some(websocket);
            std::future::poll_fn(|cx| {
                websocket.take().into_iter().for_each(|websocket| websocket.refuse(cx));
                std::task::Poll::Ready(())
            })
            .await;
        }
    }));
    Ok(accepted.response())
}
