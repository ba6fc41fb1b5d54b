//! The service behind the listener for nodes: requests that other nodes pass on, for sessions of this
//! one. It opens no session, passes nothing on any further, and knows nobody without the secret.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use engineio_proto::{CloseReason, HandshakeError, NodeTag, TransportKind};
use futures_util::FutureExt as _;
use http::header::HeaderValue;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::engine::Engine;
use crate::http::body::Body;
use crate::http::of_session::OfSession;
use crate::http::{open, responses};
use crate::nodes::{ASK, Question, header as internal};
use crate::reason::CloseDetail;
use crate::request::{RemoteAddr, Secure};
use crate::session::mailbox::Move;
use crate::session::socket::Socket;
use crate::stats::Counters;

/// Answers other nodes.
#[derive(Clone, Debug)]
pub(crate) struct FromNodes(pub(crate) Arc<Engine>);

type Answering =
    Pin<Box<dyn Future<Output = Result<Response<Body<Empty<Bytes>>>, Infallible>> + Send>>;

impl<B> Service<Request<B>> for FromNodes
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Answering {
        let engine = &self.0;
        let counters = &engine.counters.relayed;
        let headers = request.headers_mut();
        let [secret, peer, secure] = internal::ALL.map(|name| headers.remove(name));
        let secret = secret.as_ref().map(HeaderValue::as_bytes);
        if !engine.nodes().is_some_and(|nodes| nodes.is_secret(secret)) {
            Counters::add(&counters.refused_nodes);
            return refused();
        }
        let path = request.uri().path();
        if let Some(question) = path.strip_prefix(ASK) {
            let answer = match (request.method(), Question::parse(question)) {
                (&Method::POST, Some(question)) => self.told(question, request.uri().query()),
                (&Method::POST, None) => told(StatusCode::NOT_FOUND),
                _ => told(StatusCode::METHOD_NOT_ALLOWED),
            };
            return Box::pin(answer.map(|answer| Ok(answer.map(Body::own))));
        }
        let prefix = engine.options.prefix();
        let is_ours = path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        if !is_ours {
            return Box::pin(ready(Ok(responses::empty(StatusCode::NOT_FOUND).map(Body::own))));
        }
        let Some(permit) = engine.connections.relay_in() else {
            Counters::add(&counters.too_many_in);
            let answer = responses::unavailable("Too many relayed requests");
            return Box::pin(ready(Ok(answer.map(Body::own))));
        };
        Counters::add(&counters.taken);
        let mut request = match OfSession::take(engine, request) {
            Ok(request) => {
                let answering = request.answer();
                return Box::pin(async move {
                    let _permit = permit;
                    Ok(answering.await.map(Body::own))
                });
            }
            Err(request) => request,
        };
        let extensions = request.extensions_mut();
        // those of the connection are the other node's
        extensions.remove::<RemoteAddr>();
        extensions.remove::<Secure>();
        let peer = peer.as_ref().and_then(|peer| peer.to_str().ok());
        if let Some(Ok(peer)) = peer.map(str::parse::<IpAddr>) {
            extensions.insert(RemoteAddr(SocketAddr::new(peer, 0)));
        }
        if secure.is_some_and(|secure| secure == "1") {
            extensions.insert(Secure);
        }
        let answer = open::answer(Arc::clone(engine), request, Some(permit));
        Box::pin(answer.map(|answer| Ok(answer.into_response())))
    }
}

impl FromNodes {
    /// Answers what is no request of a client.
    fn told(&self, question: Question, query: Option<&str>) -> Telling {
        let engine = Arc::clone(&self.0);
        if question == Question::Who {
            let about = engine.nodes().map(|nodes| nodes.directory.about()).unwrap_or_default();
            return Box::pin(ready(responses::empty(StatusCode::OK).map(|_| about.into())));
        }
        let mut pairs = query.unwrap_or_default().split('&');
        let sid = pairs.next().and_then(|pair| pair.strip_prefix("sid="));
        let from = pairs.next().and_then(|pair| pair.strip_prefix("from=")?.parse().ok());
        let Some(socket) = sid.and_then(|sid| engine.session(sid)) else {
            return Box::pin(ready(responses::refused(&HandshakeError::UnknownSession)));
        };
        match question {
            Question::Who => {}
            Question::Release => socket.release_poll(),
            Question::GoAway if socket.transport() == TransportKind::Polling => {}
            Question::GoAway => {
                socket.close_for(CloseReason::TransportClose, Some(CloseDetail::RelayGone));
            }
            Question::Claim => return Box::pin(claimed(engine, socket)),
            Question::Probed => {
                socket.on_move(Move::Probed);
            }
            Question::Take => return Box::pin(taken(engine, socket, from)),
            Question::GiveUp => {
                socket.on_move(Move::GiveUp);
            }
        }
        told(StatusCode::NO_CONTENT)
    }
}

type Telling = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

fn told(status: StatusCode) -> Telling {
    Box::pin(ready(responses::empty(status)))
}

/// Whether a session is held back, and may move with an upgrade that another node has.
async fn claimed(engine: Arc<Engine>, socket: Socket) -> Response<Bytes> {
    let may_move = engine.may_upgrade(socket.protocol(), TransportKind::WebSocket)
        && socket.transport() == TransportKind::Polling
        && socket.shared().mailbox.admit_probe();
    let (answer, held) = oneshot::channel();
    let held = may_move && socket.on_move(Move::Claim(answer)) && held.await == Ok(true);
    responses::empty(if held { StatusCode::OK } else { StatusCode::NO_CONTENT })
}

/// Gives a session to another node, which has its WebSocket.
async fn taken(engine: Arc<Engine>, socket: Socket, to: Option<NodeTag>) -> Response<Bytes> {
    let (Some(nodes), Some(to)) = (engine.nodes(), to) else {
        return responses::refused(&HandshakeError::BadRequest);
    };
    let now = tokio::time::Instant::now().into_std();
    let options = &engine.options;
    // noted before, as requests may come at once
    nodes.left.add(now, socket.id(), to, now + options.ping_interval + options.ping_timeout);
    let (answer, moved) = oneshot::channel();
    let is_asked = socket.on_move(Move::Take(answer));
    match moved.await {
        Ok(moved) if is_asked => responses::empty(StatusCode::OK).map(|_| moved.to_bytes().into()),
        _ => {
            nodes.left.remove(socket.id());
            responses::refused(&HandshakeError::UnknownSession)
        }
    }
}

fn refused() -> Answering {
    let mut answer = responses::empty(StatusCode::FORBIDDEN);
    answer.headers_mut().insert(internal::REFUSED, HeaderValue::from_static("secret"));
    Box::pin(ready(Ok(answer.map(Body::own))))
}
