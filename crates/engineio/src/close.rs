//! The end of a server, at once ([`Closing`]) or little by little ([`Draining`]).
//!
//! Both are values that may be awaited. What ends a session is in `driver/end.rs`; here is who
//! asks for it, and who waits.
//!
//! At once means in two steps, so that what the sessions' applications send when they are told
//! reaches the others: all are told, each in its own task, and the last one that has come back
//! ([`Parting`]), or the first one that has waited for `leave_timeout`, closes all of them.

use std::future::{Future, IntoFuture, pending};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engineio_proto::{CloseReason, guard, log};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::engine::Engine;
use crate::session::parting::{Parting, Told};
use crate::session::socket::{Shared, Socket};

/// The end of a server, see [`Server::close`]. Await it for the end of all sessions and of all
/// connections of the server's own listeners.
///
/// Cancel safe: dropping it changes nothing, the server ends anyway. But only while it is awaited
/// there is somebody to cut off at the end of [`Closing::within`] what is left.
///
/// [`Server::close`]: crate::Server::close
#[derive(Debug)]
pub struct Closing {
    engines: Vec<Arc<Engine>>,
    within: Option<Duration>,
}

impl Closing {
    /// Closes engines that run, all together; `then` runs when no session is open any more.
    pub(crate) fn begin(engines: Vec<Arc<Engine>>, then: impl FnOnce() + Send + 'static) -> Self {
        let by = engines.iter().map(|engine| engine.options.leave_timeout).max();
        let by = Instant::now().into_std() + by.unwrap_or_default();
        let all = engines.clone();
        let told = Arc::new(Told::new(by, move || {
            all.iter().for_each(|engine| engine.close_sessions());
            if guard::call(then).is_err() {
                log!(error: "what follows the end of the sessions panicked");
            }
        }));
        let parting = Parting::new(&told);
        for engine in &engines {
            for session in engine.begin_closing(&told) {
                session.part(parting.clone());
            }
            engine.leave_nodes();
        }
        Self { engines, within: None }
    }

    /// Bounds the wait (no bound): what is left then is cut off, however its peer or its
    /// connection may be stuck. The time runs from the moment it is awaited.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// Waits for the end of another server as well; the bound is this one's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.engines.extend(other.engines);
        self
    }

    /// Awaits it, but not longer than until `signal`, such as a second Ctrl-C: what is left then
    /// is cut off at once.
    ///
    /// Cancel safe as [`Closing`] itself.
    pub async fn until(self, signal: impl Future<Output = ()>) {
        let Self { engines, within } = self;
        let all_ended = async {
            for engine in &engines {
                engine.all_ended().await;
            }
        };
        let time = async {
            match within {
                Some(time) => sleep(time).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = all_ended => return,
            () = time => {}
            () = signal => {}
        }
        engines.iter().for_each(|engine| engine.cut_off());
        // Their tasks have a last turn, in which the application learns of the end.
        let all_ended = async {
            for engine in &engines {
                engine.all_ended().await;
            }
        };
        let _ = timeout(LAST_TURN, all_ended).await;
    }
}

impl IntoFuture for Closing {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.until(pending()))
    }
}

/// The slow end of a server's sessions, see [`Server::drain`].
///
/// The sessions are closed *while it is awaited*. It resolves when the last one has ended, at most
/// `close_timeout` after the last one was closed; handshakes are refused then as before, until the
/// server is closed.
///
/// Cancel safe in this sense: dropping it before stops draining. The sessions that are left stay,
/// and handshakes are accepted again.
///
/// [`Server::drain`]: crate::Server::drain
#[derive(Debug)]
#[must_use = "sessions are closed while it is awaited; dropping it stops draining"]
pub struct Draining {
    marks: Marks,
    over: Duration,
    moves: Vec<Move>,
    /// How long a session's receipt is waited for.
    receipts: Option<Duration>,
}

/// A session, and when it is closed.
#[derive(Debug)]
struct Move {
    /// The part of the whole time that passes before, below one.
    at: f64,
    /// Weak: what ended by itself is not kept.
    session: Weak<Shared>,
}

/// Engines that refuse handshakes as long as this exists.
#[derive(Debug)]
struct Marks(Vec<Arc<Engine>>);

impl Draining {
    pub(crate) fn new(engine: Arc<Engine>, over: Duration) -> Self {
        let mut random = Random::new();
        let sessions = engine.start_draining();
        let moves = sessions
            .into_iter()
            .map(|socket| Move { at: random.fraction(), session: socket.downgrade() })
            .collect();
        Self { marks: Marks(vec![engine]), over, moves, receipts: None }
    }

    /// Before a session is closed, waits until its client has taken what was sent to it, at most so
    /// long (it is not waited for). Clients of protocol 3, which give no
    /// [receipts](crate::Socket::receipt), are closed at once.
    ///
    /// Without it what waits for a client is still written before the end, but a connection that
    /// breaks meanwhile is not noticed by anybody. The whole takes that much longer at the most.
    pub fn after_receipts(mut self, within: Duration) -> Self {
        self.receipts = Some(within);
        self
    }

    /// Drains another server as well, in the time of this one.
    pub fn and(mut self, mut other: Self) -> Self {
        self.marks.0.append(&mut other.marks.0);
        self.moves.append(&mut other.moves);
        self
    }
}

impl IntoFuture for Draining {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { mut marks, over, mut moves, receipts } = self;
        Box::pin(async move {
            let start = Instant::now();
            // the next one at the end
            moves.sort_unstable_by(|a, b| b.at.total_cmp(&a.at));
            let moving = async {
                let mut leaving = FuturesUnordered::new();
                while let Some(Move { at, session }) = moves.pop() {
                    let due = sleep_until(start + over.mul_f64(at));
                    tokio::pin!(due);
                    loop {
                        tokio::select! {
                            () = &mut due => break,
                            Some(()) = leaving.next() => {}
                        }
                    }
                    let Some(socket) = Socket::upgrade(&session) else { continue };
                    match receipts {
                        None => socket.close_with(CloseReason::ServerShuttingDown),
                        Some(within) => leaving.push(leave(socket, within)),
                    }
                }
                while leaving.next().await.is_some() {}
                pending().await
            };
            let all_gone = async {
                for engine in &marks.0 {
                    engine.no_sessions().await;
                }
            };
            tokio::select! {
                () = moving => {}
                () = all_gone => {}
            }
            marks.0.clear();
        })
    }
}

/// Closes a session that has taken what was sent to it, or when that takes too long.
async fn leave(socket: Socket, within: Duration) {
    // whatever it says, what could be waited for is over
    let _ = timeout(within, socket.receipt()).await;
    socket.close_with(CloseReason::ServerShuttingDown);
}

impl Drop for Marks {
    fn drop(&mut self) {
        self.0.iter().for_each(|engine| engine.stop_draining());
    }
}

/// Random numbers that nobody's safety hangs on: SplitMix64, seeded by the system.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let mut seed = [0; 8];
        // Without a seed the order is that of the last time, which does no harm.
        let _ = getrandom::fill(&mut seed);
        Self(u64::from_ne_bytes(seed))
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        // 53 bits are what a f64 holds exactly
        (x >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How long what was cut off may take to end: a turn of its task, if no handler blocks it.
const LAST_TURN: Duration = Duration::from_millis(100);
