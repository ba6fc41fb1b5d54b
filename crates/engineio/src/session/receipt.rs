//! A receipt of a session, and those who wait for one together.
//!
//! ```text
//!   Socket::receipt ──▶ mailbox ── Pending ──▶ driver: rules, ping ── pong ──▶ resolve
//!          │                          │                                          │
//!       Receipt ───────────────────▶ Round ◀─────────────────────────────────────┘
//! ```
//!
//! The rules are those of [`engineio_proto::Receipts`]. All who ask before the driver looks are of one
//! round; the session has nothing of it before somebody asks.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use engineio_proto::guard::{self, lock};

/// The client has taken what was sent to it, see [`Socket::receipt`](crate::Socket::receipt).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Messages of this session, from its last receipt on, that a full queue dropped: the client has
    /// all but those. Volatile ones are not among them.
    pub dropped: u32,
}

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The session ended first: it is not known what the client has taken.
    Gone,
    /// The client is one of protocol 3, which answers no ping. Ask it for an acknowledgement.
    Unsupported,
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the session ended before the client said that it has what was sent",
            Self::Unsupported => "clients of protocol 3 give no receipts",
        })
    }
}

impl Error for ReceiptError {}

/// That the client has taken what was sent before this was asked for, see
/// [`Socket::receipt`](crate::Socket::receipt).
///
/// It resolves whether it is awaited or not, and says the same to each who awaits it or a clone of
/// it. Cancel safe: dropping it takes back the question, if nobody else has asked.
#[derive(Clone)]
#[must_use = "a receipt says something to who awaits it, or asks whether it is done"]
pub struct Receipt(State);

enum State {
    Known(Outcome),
    Waits {
        round: Arc<Round>,
        /// The place of the waker that it left.
        place: Option<usize>,
    },
}

type Outcome = Result<Received, ReceiptError>;

impl Receipt {
    pub(crate) fn known(outcome: Outcome) -> Self {
        Self(State::Known(outcome))
    }

    /// Whether the outcome is known, be it a receipt or why there is none.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            State::Known(_) => true,
            State::Waits { round, .. } => lock(&round.0).outcome.is_some(),
        }
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        match self {
            Self::Known(outcome) => Self::Known(*outcome),
            Self::Waits { round, .. } => Self::Waits { round: Arc::clone(round), place: None },
        }
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Known(outcome) => Poll::Ready(*outcome),
            State::Waits { round, place } => {
                // made before the lock, as it is code of whoever polls; what it replaces goes after
                let waker = cx.waker().clone();
                let replaced = lock(&round.0).wait(place, waker);
                match replaced {
                    Ok(old) => {
                        guard::let_go(old);
                        Poll::Pending
                    }
                    Err((outcome, unused)) => {
                        guard::let_go(unused);
                        Poll::Ready(outcome)
                    }
                }
            }
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let State::Waits { round, place: Some(place) } = &self.0 {
            let waker = lock(&round.0).leave(*place);
            guard::let_go(waker);
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}

/// Those who wait for the same pong.
#[derive(Debug, Default)]
struct Round(Mutex<Waiters>);

#[derive(Debug, Default)]
struct Waiters {
    outcome: Option<Outcome>,
    wakers: Vec<Option<Waker>>,
    /// Places whose waiters left.
    free: Vec<usize>,
}

impl Waiters {
    /// Leaves a waker; the one that was there before.
    ///
    /// # Errors
    /// The outcome, if it is known, and the waker, which is not needed.
    fn wait(
        &mut self,
        place: &mut Option<usize>,
        waker: Waker,
    ) -> Result<Option<Waker>, (Outcome, Waker)> {
        if let Some(outcome) = self.outcome {
            return Err((outcome, waker));
        }
        let at = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.wakers.push(None);
                self.wakers.len() - 1
            })
        });
        Ok(self.wakers[at].replace(waker))
    }

    /// A waiter left; its waker.
    fn leave(&mut self, place: usize) -> Option<Waker> {
        let waker = self.wakers.get_mut(place)?.take();
        self.free.push(place);
        waker
    }
}

/// The other end of a round: who drops it says that the session is gone.
#[derive(Debug)]
pub(crate) struct Pending(Arc<Round>);

impl Pending {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// One more receipt of the round.
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt(State::Waits { round: Arc::clone(&self.0), place: None })
    }

    /// Whether anybody has a receipt of the round.
    pub(crate) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The client answered; no lock may be held, as those who wait are woken.
    pub(crate) fn resolve(self, received: Received) {
        self.end(Ok(received));
    }

    fn end(&self, outcome: Outcome) {
        let wakers = {
            let mut waiters = lock(&self.0.0);
            if waiters.outcome.is_some() {
                return;
            }
            waiters.outcome = Some(outcome);
            waiters.free = Vec::new();
            std::mem::take(&mut waiters.wakers)
        };
        guard::wake(wakers.into_iter().flatten().collect());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.end(Err(ReceiptError::Gone));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(receipt: &mut Receipt) -> Poll<Outcome> {
        Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_leaves_takes_the_waker_along() {
        let pending = Pending::new();
        let mut stays = pending.receipt();
        assert_eq!(poll(&mut stays), Poll::Pending);
        for _ in 0..1000 {
            let mut leaves = pending.receipt();
            assert_eq!(poll(&mut leaves), Poll::Pending);
            assert_eq!(poll(&mut leaves), Poll::Pending);
        }
        assert_eq!(lock(&pending.0.0).wakers.len(), 2);
        assert!(pending.is_wanted() && !stays.is_done());
        let mut clone = stays.clone();
        pending.resolve(Received { dropped: 3 });
        assert!(stays.is_done());
        for receipt in [&mut stays, &mut clone] {
            assert_eq!(poll(receipt), Poll::Ready(Ok(Received { dropped: 3 })));
            assert_eq!(poll(receipt), Poll::Ready(Ok(Received { dropped: 3 })));
        }
    }

    #[test]
    fn what_is_dropped_is_gone() {
        let pending = Pending::new();
        let mut receipt = pending.receipt();
        drop(pending);
        assert_eq!(poll(&mut receipt), Poll::Ready(Err(ReceiptError::Gone)));
        let pending = Pending::new();
        drop(pending.receipt());
        assert!(!pending.is_wanted());
    }
}
