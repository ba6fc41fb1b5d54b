//! Early upgrades that arrive at another node than their session: the session moves here, if its
//! application was held back for that.
//!
//! ```text
//!   client                 this node                      the owner
//!     │── upgrade ───────────▶│── claim ──────────────────────▶│ held, or not: the upgrade is passed on
//!     │◀── 101 ───────────────│                                │
//!     │── 2probe ────────────▶│── probed ─────────────────────▶│ parked polls are answered
//!     │◀── 3probe ────────────│                                │
//!     │── 5 ─────────────────▶│── take ───────────────────────▶│ gives it away, and notes where to
//! ```

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use engineio_proto::{Message, Packet, PacketType, Protocol, TransportKind, log, payload};
use http::Response;
use http::request::Parts;

use crate::driver::Driver;
use crate::engine::Engine;
use crate::http::context::RequestContext;
use crate::http::refusal::Refusal;
use crate::http::upgrade::{self, Upgrade};
use crate::nodes::ask::ask;
use crate::nodes::directory::Owner;
use crate::nodes::{Nodes, Question, Told};
use crate::patience;
use crate::request;
use crate::scratch;
use crate::session::mailbox::Post;
use crate::session::moved::Moved;
use crate::session::socket::Socket;
use crate::stats::Counters;
use crate::transport::framed::{Framed, Incoming};

/// A session that may move here.
pub(crate) struct Claimed {
    engine: Arc<Engine>,
    nodes: Arc<Nodes>,
    owner: Arc<Owner>,
    sid: Box<str>,
    protocol: Protocol,
    /// It was taken, or nobody is to be told that it was not.
    is_done: bool,
}

/// Asks the owner of a session whether it may move here with its upgrade.
pub(crate) async fn claim(
    engine: &Arc<Engine>,
    nodes: &Arc<Nodes>,
    (owner, sid): (&Arc<Owner>, &str),
    protocol: Protocol,
) -> Option<Claimed> {
    nodes.hold?;
    if engine.is_draining() || engine.is_closing() || engine.is_full() {
        return None;
    }
    let (engine, nodes, owner) = (Arc::clone(engine), Arc::clone(nodes), Arc::clone(owner));
    let mut claimed = Claimed { engine, nodes, owner, sid: sid.into(), protocol, is_done: true };
    let held = claimed.ask(Question::Claim).await?.status == 200;
    claimed.is_done = !held;
    held.then_some(claimed)
}

impl Claimed {
    /// Answers the upgrade, and takes the session when its client decides for it.
    pub(crate) async fn answer(
        self,
        context: &RequestContext,
        parts: &mut Parts,
        upgrade: Upgrade,
    ) -> Result<Response<Bytes>, Refusal> {
        let engine = Arc::clone(&self.engine);
        let mut accepted = upgrade::check(&engine, &parts.headers)?;
        accepted.select(&engine, || request::Request::new(parts, &engine.proxies)).await?;
        let (agreement, base64) = (accepted.agreement, context.query.b64);
        tokio::spawn(async move {
            if let Some(framed) = upgrade::upgraded(&engine, upgrade, agreement, base64).await {
                // on the heap: the task of a session is a small one
                Box::pin(self.take(framed)).await;
            }
        });
        Ok(accepted.response())
    }

    async fn take(mut self, mut framed: Box<Framed>) {
        let time = self.engine.options.upgrade_timeout;
        let moved = patience::timeout(time, self.probe(&mut framed)).await.ok().flatten();
        let refused = match moved {
            Some(moved) => self.open(moved, framed).err(),
            None => Some(framed),
        };
        let mut refused = refused;
        poll_fn(|cx| {
            refused.take().into_iter().for_each(|framed| framed.refuse(cx));
            Poll::Ready(())
        })
        .await;
    }

    /// Answers the client's probes until it decides.
    async fn probe(&mut self, framed: &mut Framed) -> Option<Moved> {
        for _ in 0..MAX_PROBES {
            match poll_fn(|cx| poll_said(framed, self.protocol, cx)).await {
                Said::Probe => {
                    if self.ask(Question::Probed).await?.status != 204 {
                        return None;
                    }
                    let answer = framed.probe_answer();
                    framed.stream.out.extend_from_slice(answer);
                    poll_fn(|cx| framed.stream.poll_queued(cx)).await.ok()?;
                }
                Said::Decided => {
                    let told = self.ask(Question::Take).await?;
                    // whatever becomes of it, the owner has done with it
                    self.is_done = true;
                    return Moved::parse(told.body).filter(|_| told.status == 200);
                }
                Said::Other => return None,
            }
        }
        None
    }

    /// The session goes on here.
    fn open(&self, moved: Moved, framed: Box<Framed>) -> Result<(), Box<Framed>> {
        let engine = &self.engine;
        let now = tokio::time::Instant::now().into_std();
        let address = engine.address_of(&moved.request, now);
        let max = engine.options.max_sessions_per_address;
        let permit = match address.map(|address| address.acquire(max)) {
            Some(None) => return Err(framed),
            permit => permit.flatten(),
        };
        let max_packets = engine.options.max_packets_per_payload;
        let posts = moved.posts.into_iter().rev();
        let post = posts.fold(None, |next, (form, body)| {
            Some(Post::moved(payload::Decoder::new(form, body, max_packets), next))
        });
        let shared = (&engine.bounds, &engine.counters);
        let (sid, kind) = (self.sid.clone(), TransportKind::WebSocket);
        let socket = Socket::new(shared, sid, moved.protocol, kind, moved.request);
        if let Err(error) = engine.insert(&socket) {
            log!(debug: ?error, "a session that moved here was not taken");
            return Err(framed);
        }
        Counters::add(&engine.counters.upgraded);
        Counters::add(&engine.counters.relayed.moved_here);
        Driver::moved(Arc::clone(engine), socket, permit, framed, post).spawn();
        Ok(())
    }

    async fn ask(&self, question: Question) -> Option<Told> {
        let Self { engine, nodes, owner, sid, .. } = self;
        let max = engine.options.max_http_buffer_size.saturating_mul(2).saturating_add(HEAD);
        let from = (Some(&**sid), Some(nodes.tag));
        ask(&nodes.pools, nodes.secret(), &owner.address, question, from, max).await.ok()
    }
}

impl Drop for Claimed {
    /// The owner need not wait.
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let (nodes, owner, sid) =
            (Arc::clone(&self.nodes), Arc::clone(&self.owner), self.sid.clone());
        tokio::spawn(async move {
            let from = (Some(&*sid), Some(nodes.tag));
            let (address, question) = (&owner.address, Question::GiveUp);
            let _ = ask(&nodes.pools, nodes.secret(), address, question, from, 0).await;
        });
    }
}

/// What a client says on a WebSocket that is not its transport yet.
enum Said {
    Probe,
    Decided,
    /// What it may not say, or its end.
    Other,
}

fn poll_said(framed: &mut Framed, protocol: Protocol, cx: &mut Context<'_>) -> Poll<Said> {
    loop {
        let said = scratch::with_read_buffer(|buffer| {
            let Ok(mut arrived) = ready!(framed.poll_read(protocol, cx, buffer)) else {
                return Poll::Ready(Some(Said::Other));
            };
            let said = match arrived.next() {
                None => return Poll::Ready(None), // not all of it is there
                Some(Incoming::Pong) => None,
                Some(Incoming::Packet(Packet {
                    kind: PacketType::Ping,
                    data: Message::Text("probe"),
                })) => Some(Said::Probe),
                Some(Incoming::Packet(Packet { kind: PacketType::Upgrade, .. })) => {
                    Some(Said::Decided)
                }
                Some(_) => Some(Said::Other),
            };
            let rest = arrived.rest().to_vec();
            framed.stream.unread(rest);
            Poll::Ready(said)
        });
        if let Some(said) = ready!(said) {
            return Poll::Ready(said);
        }
    }
}

/// One is enough; a client that goes on asks for work.
const MAX_PROBES: usize = 16;

/// More than the head of a request may be.
const HEAD: usize = 256 * 1024;
