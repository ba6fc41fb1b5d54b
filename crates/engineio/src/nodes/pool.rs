//! Connections to other nodes: made when they are needed, and kept for a while.
//!
//! ```text
//!   take ──▶ one that is idle, else a new one ──▶ a request ──▶ its answer, read to the end ──▶ put
//! ```
//!
//! A connection whose request is dropped before that ends, and so does the request over there.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::guard::lock;
use engineio_proto::log;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until, timeout};

use crate::nodes::link::Connect;

/// The connections to all nodes, for requests with bodies of one type.
pub(crate) struct Pools {
    connect: Arc<dyn Connect>,
    connect_timeout: Duration,
    max_idle: usize,
    idle_timeout: Duration,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// By address, the newest at the end. No list is empty.
    by_address: HashMap<Box<str>, Vec<Kept>>,
    /// Somebody ends those that were idle for too long.
    is_swept: bool,
}

struct Kept {
    sender: SendRequest<SentBody>,
    until: Instant,
}

/// The body of a request to another node: none, or one that comes as it goes.
pub(crate) struct SentBody(pub(crate) Option<Pin<Box<dyn AnyBody>>>);

/// A body whose pieces are bytes.
pub(crate) trait AnyBody: http_body::Body<Data = Bytes, Error = io::Error> + Send {}
impl<T: http_body::Body<Data = Bytes, Error = io::Error> + Send> AnyBody for T {}

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Some(body) => body.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

/// A connection that a request was sent over.
pub(crate) struct Used {
    sender: SendRequest<SentBody>,
    address: Box<str>,
    pools: Arc<Pools>,
}

impl Pools {
    pub(crate) fn new(
        connect: Arc<dyn Connect>,
        connect_timeout: Duration,
        (max_idle, idle_timeout): (usize, Duration),
    ) -> Self {
        Self { connect, connect_timeout, max_idle, idle_timeout, idle: Mutex::default() }
    }

    /// Sends a request to a node, once: over an idle connection, or a new one if there is none or it
    /// turns out to be over before anything was written.
    ///
    /// # Errors
    /// There is no connection, or it ended before the head of the answer was there.
    pub(crate) async fn send(
        self: &Arc<Self>,
        address: &str,
        mut request: Request<SentBody>,
    ) -> Result<(Response<Incoming>, Used), Unreachable> {
        loop {
            let (mut sender, is_new) = match self.take(address).await {
                Some(sender) => (sender, false),
                None => (self.connect(address).await?, true),
            };
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    let used = Used { sender, address: address.into(), pools: Arc::clone(self) };
                    return Ok((answer, used));
                }
                Err(mut error) => match error.take_message() {
                    // nobody has seen any of it
                    Some(unsent) if !is_new => request = unsent,
                    _ => {
                        log!(debug: address, error = %error.error(), "a node gave no answer");
                        return Err(Unreachable);
                    }
                },
            }
        }
    }

    /// An idle connection that is still there.
    async fn take(&self, address: &str) -> Option<SendRequest<SentBody>> {
        loop {
            let mut sender = {
                let mut idle = lock(&self.idle);
                let list = idle.by_address.get_mut(address)?;
                let kept = list.pop();
                if list.is_empty() {
                    idle.by_address.remove(address);
                }
                kept?.sender
            };
            // its task may not have come to its end yet, but it has nothing else to do
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn connect(&self, address: &str) -> Result<SendRequest<SentBody>, Unreachable> {
        let connecting = async {
            let link = self.connect.connect(address).await?;
            http1::handshake(TokioIo::new(link)).await.map_err(io::Error::other)
        };
        let connected = timeout(self.connect_timeout, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let (sender, connection) = connected.map_err(|error| {
            log!(debug: address, %error, "a node cannot be reached");
            Unreachable
        })?;
        tokio::spawn(async move {
            // what is wrong with it, its request is told
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    fn put(self: &Arc<Self>, address: Box<str>, sender: SendRequest<SentBody>) {
        let until = Instant::now() + self.idle_timeout;
        let (one_too_many, sweeps) = {
            let mut idle = lock(&self.idle);
            let list = idle.by_address.entry(address).or_default();
            list.push(Kept { sender, until });
            let one_too_many = (list.len() > self.max_idle).then(|| list.remove(0));
            (one_too_many, !std::mem::replace(&mut idle.is_swept, true))
        };
        drop(one_too_many); // outside of the lock
        if sweeps {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Ends connections that were idle for too long, as long as there are idle ones.
async fn sweep(pools: Weak<Pools>) {
    loop {
        let (over, next) = {
            let Some(pools) = pools.upgrade() else { return };
            let now = Instant::now();
            let mut over = Vec::new();
            let mut idle = lock(&pools.idle);
            idle.by_address.retain(|_, list| {
                let is_over = |kept: &Kept| kept.until <= now || kept.sender.is_closed();
                let (gone, here) = std::mem::take(list).into_iter().partition(is_over);
                *list = here;
                over.extend::<Vec<_>>(gone);
                !list.is_empty()
            });
            idle.is_swept = !idle.by_address.is_empty();
            let next = idle.by_address.values().flatten().map(|kept| kept.until).min();
            drop(idle);
            (over, next)
        };
        drop(over); // outside of the lock
        let Some(next) = next else { return };
        sleep_until(next).await;
    }
}

impl Used {
    /// The answer was read to its end, and so was the request: another one may follow.
    pub(crate) fn give_back(self) {
        if !self.sender.is_closed() {
            self.pools.put(self.address, self.sender);
        }
    }
}

impl std::fmt::Debug for Pools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pools").field("connect", &self.connect).finish_non_exhaustive()
    }
}

/// A node that cannot be reached, or ended before it answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreachable;
