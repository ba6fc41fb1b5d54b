//! Requests of sessions that other nodes have: passed on as they are, and the answers back.
//!
//! ```text
//!   client ──request──▶ this node ──the same, and whom it comes from──▶ the owner
//!   client ◀──answer─── this node ◀──────────────answer──────────────── the owner
//! ```
//!
//! Bodies pass as they come, both ways. Who goes away ends it on the other side. A request is sent
//! once; what becomes of one whose answer is lost, nobody knows here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use engineio_proto::{HandshakeError, log};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper_util::rt::TokioIo;

use crate::engine::Engine;
use crate::engine::shutdown::{Phase, ShutdownGuard};
use crate::http::answer_body::AnswerBody;
use crate::http::body::Answer;
use crate::http::refusal::Refusal;
use crate::http::request_body::RequestBody;
use crate::http::responses;
use crate::http::upgrade::Upgrade;
use crate::limits::connections::ConnectionPermit;
use crate::nodes::copy::Copy;
use crate::nodes::directory::Owner;
use crate::nodes::link::{Kind, Link};
use crate::nodes::options::Route;
use crate::nodes::pool::{SentBody, Unreachable};
use crate::nodes::underway::{Entry, Passed};
use crate::nodes::{Nodes, header as internal};
use crate::patience;
use crate::request::Client;
use crate::stats::Counters;
use crate::transport::stream::Stream;

/// Passes a request on to the node that has its session.
pub(crate) async fn forward<B>(
    engine: &Arc<Engine>,
    nodes: &Arc<Nodes>,
    (owner, sid): (Arc<Owner>, &str),
    parts: &mut Parts,
    body: &mut RequestBody<B>,
    upgrade: Option<Upgrade>,
) -> Result<Answer, Refusal>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    let counters = &engine.counters.relayed;
    if let Route::Replay(to_header) = &nodes.route {
        let made = engineio_proto::guard::call(|| to_header(&owner.name)).ok().flatten();
        let Some((name, value)) = made else { return Err(unreachable(engine)) };
        Counters::add(&counters.replayed);
        let mut answer = responses::empty(StatusCode::CONFLICT);
        answer.headers_mut().insert(name, value);
        return Ok(answer.into());
    }
    let Some(permit) = engine.connections.relay_out() else {
        Counters::add(&counters.too_many_out);
        return Err(Refusal::answer(responses::unavailable("Too many relayed requests")));
    };
    let has_body = Arc::new(AtomicBool::new(false));
    let body = body.take().map(|body| {
        has_body.store(true, Ordering::Relaxed);
        let body = Sending { body: Some(body), engine: Arc::clone(engine), left: has_body.clone() };
        Box::pin(body) as Pin<Box<dyn crate::nodes::pool::AnyBody>>
    });
    let is_poll = upgrade.is_none() && parts.method == Method::GET;
    let entry = (is_poll || upgrade.is_some()).then(|| {
        let passed =
            Passed { owner: owner.clone(), sid: sid.into(), is_websocket: upgrade.is_some() };
        nodes.underway.add(passed)
    });
    let request = request(engine, nodes, parts, SentBody(body), upgrade.is_some());
    let sent = nodes.pools.send(&owner.address, request).await;
    let (mut answer, used) = sent.map_err(|Unreachable| unreachable(engine))?;
    if answer.status() == StatusCode::FORBIDDEN && answer.headers().contains_key(internal::REFUSED)
    {
        log!(warn: node = &*owner.name, "another node has another secret");
        return Err(unreachable(engine));
    }
    Counters::add(&counters.passed_on);
    let closes = says_close(answer.headers());
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(upgrade)) = (answer.status(), upgrade) {
        let stream = hyper::upgrade::on(&mut answer);
        let copied = Copied { engine: Arc::clone(engine), permit, entry };
        tokio::spawn(copied.run(upgrade, stream));
        return Ok(Answer::Own(answer.map(|_| Bytes::new())));
    }
    let mut answer = answer.map(|body| {
        let used = Some((used, has_body));
        AnswerBody::new(body, used, (permit, entry))
    });
    remove_hop_by_hop(answer.headers_mut());
    *answer.version_mut() = Version::HTTP_11;
    // a client that may send on what nobody reads is to stop; one of a node that goes, to go elsewhere
    if closes || engine.is_closing() {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(Answer::Forwarded(Box::new(answer)))
}

/// As a request of a session that is nowhere: its client begins anew.
fn unreachable(engine: &Engine) -> Refusal {
    Counters::add(&engine.counters.relayed.owner_unreachable);
    HandshakeError::UnknownSession.into()
}

/// The request as it goes on.
fn request(
    engine: &Engine,
    nodes: &Nodes,
    parts: &mut Parts,
    body: SentBody,
    upgrades: bool,
) -> Request<SentBody> {
    let client = Client::of(parts, &engine.proxies);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts
        .uri
        .path_and_query()
        .map_or_else(|| parts.uri.clone(), |target| http::Uri::from(target.clone()));
    let mut headers = std::mem::take(&mut parts.headers);
    remove_hop_by_hop(&mut headers);
    // this node has asked for the body
    headers.remove(header::EXPECT);
    if upgrades {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    // HTTP/1.0 may do without, from proxies
    headers.entry(header::HOST).or_insert(HeaderValue::from_static("node"));
    if let Some(secret) = nodes.secret().and_then(|secret| HeaderValue::from_str(secret).ok()) {
        headers.insert(internal::NODE, secret);
    }
    if let Some(Ok(addr)) = client.addr().map(|addr| HeaderValue::try_from(addr.ip().to_string())) {
        headers.insert(internal::PEER, addr);
    }
    let is_secure = HeaderValue::from_static(if client.is_secure { "1" } else { "0" });
    headers.insert(internal::SECURE, is_secure);
    *request.headers_mut() = headers;
    request
}

/// Takes off what is between two neighbours only.
// RFC 9110 7.6.1
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // these are not the neighbours'
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::HOST)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
}

/// The body of a request on its way to another node.
struct Sending<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    body: Option<Pin<Box<B>>>,
    engine: Arc<Engine>,
    /// Something of it is left.
    left: Arc<AtomicBool>,
}

impl<B> Sending<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    fn end(&mut self) {
        self.body = None;
        self.left.store(false, Ordering::Relaxed);
    }
}

impl<B> http_body::Body for Sending<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match std::task::ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(mut data) = frame.into_data() else { continue };
                    let data = data.copy_to_bytes(data.remaining());
                    if body.is_end_stream() {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(_)) => {
                    // no rest, but what was sent is no whole either
                    this.body = None;
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                None => {
                    this.end();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

impl<B> Drop for Sending<B>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    /// The other node has answered, or is gone: what the client still sends is read, for it to see the
    /// answer.
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            RequestBody::rest(body).drop_rest(&self.engine);
        }
    }
}

/// A WebSocket that is passed on.
struct Copied {
    engine: Arc<Engine>,
    permit: ConnectionPermit,
    entry: Option<Entry>,
}

impl Copied {
    async fn run(self, upgrade: Upgrade, theirs: hyper::upgrade::OnUpgrade) {
        let Self { engine, permit, entry } = self;
        let options = &engine.options;
        let both = async { Some((upgrade.stream().await?, theirs.await.ok()?)) };
        let both = patience::timeout(options.upgrade_timeout, both).await;
        let Ok(Some((client, theirs))) = both else { return };
        let owner = match theirs.downcast::<TokioIo<Link>>() {
            Ok(parts) => match parts.io.into_inner().0 {
                Kind::Tcp(stream) => Stream::tcp(stream, &parts.read_buf, None),
                Kind::Other(stream) => {
                    let mut stream = Stream::other(stream);
                    stream.unread(parts.read_buf.to_vec());
                    stream
                }
            },
            Err(upgraded) => Stream::other(TokioIo::new(upgraded)),
        };
        let shutdown = ShutdownGuard::new(&engine.shutdown);
        let copy = Copy::new(client, owner, options.close_timeout);
        // a task of its own, as small as can be
        tokio::spawn(async move {
            let (_permit, _entry, mut shutdown) = (permit, entry, shutdown);
            tokio::select! {
                () = copy => {}
                _ = shutdown.phase().wait_for(|phase| *phase == Phase::Abort) => {}
            }
        });
    }
}
