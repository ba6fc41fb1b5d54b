//! How fast a client may send: the buckets of its session and of its address.
//!
//! What was read is paid for, then reading pauses until there is something in all buckets again; the
//! client is slowed down by its own transport. The application is told when that begins. A client
//! that goes on for `rate_grace` without coming to rest, which is half a bucket, is cut off.

use std::task::Context;
use std::time::{Duration, Instant};

use engineio_proto::{CloseReason, Violation, log};

use super::Driver;
use crate::limits::Limit;
use crate::limits::addresses::AddressPermit;
use crate::limits::bucket::Bucket;
use crate::options::Options;
use crate::reason::CloseDetail;

/// The rates of a session.
#[derive(Debug)]
pub(super) struct Rates {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
    /// With the buckets of the address, if there are any; and counted there, in any case.
    permit: Option<AddressPermit>,
    /// The client is too fast since then.
    over_since: Option<Instant>,
    /// It is not read until then.
    pause: Option<Instant>,
}

/// What the buckets say.
enum Verdict {
    Read,
    /// The pause began before.
    Pause,
    /// The pause begins, for this limit; true: the client was at rest before.
    Begin(Limit, bool),
    /// It was too fast for this limit, for too long.
    Cut(Limit),
}

impl Rates {
    /// `None`: there is nothing to be counted.
    pub(super) fn new(
        options: &Options,
        permit: Option<AddressPermit>,
        now: Instant,
    ) -> Option<Box<Self>> {
        let bucket = |rate: Option<_>| rate.map(|rate| Bucket::new(rate, now));
        let messages = bucket(options.max_message_rate);
        let bytes = bucket(options.max_byte_rate);
        let is_needed = messages.is_some() || bytes.is_some() || permit.is_some();
        let rates = || Self { messages, bytes, permit, over_since: None, pause: None };
        is_needed.then(|| Box::new(rates()))
    }

    /// When it is read again.
    pub(super) const fn pause(&self) -> Option<Instant> {
        self.pause
    }

    fn charge(&mut self, now: Instant, bytes: usize) {
        if self.over_since.is_some() && self.all(|bucket| bucket.has(now, 0.5)) {
            self.over_since = None;
        }
        let charge = |messages: &mut Option<Bucket>, all_bytes: &mut Option<Bucket>| {
            if let Some(messages) = messages {
                messages.charge(now, 1);
            }
            if let Some(all_bytes) = all_bytes {
                all_bytes.charge(now, bytes);
            }
        };
        charge(&mut self.messages, &mut self.bytes);
        if let Some(permit) = &self.permit {
            permit.state(|state| charge(&mut state.messages, &mut state.bytes));
        }
    }

    fn look(&mut self, now: Instant, grace: Duration) -> Verdict {
        if self.pause.is_some_and(|until| until > now) {
            return Verdict::Pause;
        }
        let Some((wait, limit)) = self.longest_wait(now) else {
            self.pause = None;
            return Verdict::Read;
        };
        if self.over_since.is_some_and(|since| since + grace <= now) {
            return Verdict::Cut(limit);
        }
        // no clock is asked to add more than a year
        self.pause = Some(now + wait.min(Duration::from_secs(60 * 60 * 24 * 365)));
        let was_at_rest = self.over_since.is_none();
        self.over_since.get_or_insert(now);
        Verdict::Begin(limit, was_at_rest)
    }

    fn longest_wait(&mut self, now: Instant) -> Option<(Duration, Limit)> {
        let wait = |bucket: &mut Option<Bucket>| bucket.as_mut().and_then(|b| b.wait(now));
        let mut waits = [
            (wait(&mut self.messages), Limit::MessageRate),
            (wait(&mut self.bytes), Limit::ByteRate),
            (None, Limit::AddressMessageRate),
            (None, Limit::AddressByteRate),
        ];
        if let Some(permit) = &self.permit {
            permit.state(|state| {
                waits[2].0 = wait(&mut state.messages);
                waits[3].0 = wait(&mut state.bytes);
            });
        }
        let waits = waits.into_iter().filter_map(|(wait, limit)| Some((wait?, limit)));
        waits.max_by_key(|(wait, _)| *wait)
    }

    fn all(&mut self, is_so: impl Fn(&mut Bucket) -> bool) -> bool {
        let own = [&mut self.messages, &mut self.bytes].into_iter().flatten().all(&is_so);
        let of_address = |permit: &AddressPermit| {
            permit.state(|state| {
                [&mut state.messages, &mut state.bytes].into_iter().flatten().all(&is_so)
            })
        };
        own && self.permit.as_ref().is_none_or(of_address)
    }
}

impl Driver {
    /// Pays for a packet.
    pub(super) fn pay(&mut self, now: Instant, bytes: usize) {
        if let Some(rates) = &mut self.rates {
            // with its type
            rates.charge(now, 1 + bytes);
        }
    }

    /// Whether the client may be read, by its rates; the application is told of a pause.
    pub(super) fn is_within_rates(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let Some(rates) = &mut self.rates else { return true };
        match rates.look(now, self.engine.options.rate_grace) {
            Verdict::Read => return true,
            Verdict::Pause => {}
            Verdict::Begin(limit, was_at_rest) => {
                self.engine.counters.limited(limit);
                if was_at_rest {
                    log!(debug: sid = self.socket.id(), limit = limit.option(), "too fast");
                    self.with_application(now, cx, |application, cx| {
                        application.on_rate_limited(limit, cx);
                    });
                }
            }
            Verdict::Cut(limit) => {
                let detail = Some(CloseDetail::RateLimited);
                let violation = Violation::policy(limit.option());
                self.end_for(now, CloseReason::TransportError, detail, violation, cx);
            }
        }
        false
    }
}
