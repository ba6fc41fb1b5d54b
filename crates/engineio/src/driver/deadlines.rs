//! The deadlines of a session: what each is for, when it is, and what comes of it; and the one timer,
//! which is armed for the nearest.
//!
//! | deadline | while | when | what is done |
//! | --- | --- | --- | --- |
//! | `Protocol` | not over | as its state machine says | a ping, the parked poll released, the probe refused, or the end: `ping timeout` |
//! | `Receipt` | open, somebody waits for a receipt and no ping is out for one | at once, or a tenth of a second after the last | a ping |
//! | `Hold` | open, held back | after `hold`, or a second after the upgrade came | the application is told; if the client has left polling by then, the end: `transport error` |
//! | `Linger` | lingering | `close_timeout` after the end | the peer is not waited for any more |
//! | `Parting` | open, the server closes | `leave_timeout` after it began to | all sessions are closed |
//! | `ReadPause` | open, unread | after `max_read_pause` | the end: `transport error`, `NotRead` |
//! | `Write` | open, the peer takes nothing | after `write_timeout` | the end: `transport error`, `SlowConsumer`; if something was written since, it begins anew |
//! | `Application` | open | as it says | it is told |
//! | `LookAgain` | open, unread, more came than is read ahead | in a second | the turn looks whether the peer has gone |
//! | `Throttle` | open, too fast | when the buckets have something again | the turn reads on |
//!
//! They are judged in this order, until one ends the session. Nobody is given up for a while if the
//! process stood still, see [`crate::patience`]; a ping that is due is no judgement.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use engineio_proto::{CloseReason, Due, Outgoing, PacketType, Violation};

use super::{Driver, Stage, Transport};
use crate::limits::Limit;
use crate::patience;
use crate::reason::CloseDetail;
use crate::session::receipt::Pending;

/// What a session waits for, in the order in which it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    Protocol,
    Receipt,
    Hold,
    Linger,
    Parting,
    ReadPause,
    Write,
    Application,
    LookAgain,
    Throttle,
}

impl Deadline {
    const ALL: [Self; 10] = [
        Self::Protocol,
        Self::Receipt,
        Self::Hold,
        Self::Linger,
        Self::Parting,
        Self::ReadPause,
        Self::Write,
        Self::Application,
        Self::LookAgain,
        Self::Throttle,
    ];

    /// Its place in a set.
    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl Driver {
    /// Says each deadline that there is, and its time.
    #[inline]
    fn each_deadline(&self, now: Instant, mut say: impl FnMut(Deadline, Instant)) {
        let mut say_if = |deadline, time: Option<Instant>| {
            if let Some(time) = time {
                say(deadline, time);
            }
        };
        if self.stage == Stage::Over {
            return;
        }
        say_if(Deadline::Protocol, self.session.deadline());
        if let Stage::Linger(linger) = self.stage {
            return say_if(Deadline::Linger, Some(linger.until));
        }
        if let Some(receipts) = &self.receipts {
            say_if(Deadline::Receipt, receipts.deadline(now));
        }
        say_if(Deadline::Hold, self.held_until());
        let options = &self.engine.options;
        if self.engine.is_closing() {
            say_if(Deadline::Parting, self.engine.parts_by());
        }
        if let Some(since) = self.unread_since {
            say_if(Deadline::ReadPause, Some(since + options.max_read_pause));
            let looks_again = matches!(&self.transport,
                Transport::Framed(framed) if framed.stream.is_to_be_asked());
            if looks_again {
                say_if(Deadline::LookAgain, Some(now + LOOK_AGAIN));
            }
        }
        if let Some(stalled) = &self.stalled {
            say_if(Deadline::Write, Some(stalled.0 + options.write_timeout));
        }
        if let Some(application) = &self.application {
            say_if(Deadline::Application, application.deadline());
        }
        if let Some(rates) = &self.rates {
            say_if(Deadline::Throttle, rates.pause());
        }
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.patient {
            self.patient = self.is_patient(now);
        }
        let mut due = 0;
        self.each_deadline(now, |deadline, time| {
            if time <= now {
                due |= deadline.bit();
            }
        });
        if due == 0 {
            return; // as nearly always
        }
        let stage = self.stage;
        for deadline in Deadline::ALL {
            if due & deadline.bit() != 0 && self.stage == stage {
                self.on_due(deadline, now, cx);
            }
        }
    }

    fn on_due(&mut self, deadline: Deadline, now: Instant, cx: &mut Context<'_>) {
        match deadline {
            Deadline::Protocol => self.on_protocol_due(now, cx),
            Deadline::Receipt => self.on_receipt_due(now, cx),
            // the rest of the turn sees to these
            Deadline::Linger | Deadline::LookAgain | Deadline::Throttle => {}
            _ if self.patient => {}
            Deadline::Hold => self.on_hold_over(now, cx),
            Deadline::Parting => self.engine.part_in_time(now),
            Deadline::ReadPause => {
                let detail = Some(CloseDetail::NotRead);
                let violation = Violation::policy(Limit::ReadPause.option());
                self.end_for(now, CloseReason::TransportError, detail, violation, cx);
            }
            Deadline::Write => {
                let written = self.socket.shared().outbox.written();
                match &mut self.stalled {
                    Some(stalled) if stalled.1 != written => **stalled = (now, written),
                    _ => {
                        self.engine.counters.limited(Limit::WriteTimeout);
                        let detail = Some(CloseDetail::SlowConsumer);
                        self.end(now, CloseReason::TransportError, detail, cx);
                    }
                }
            }
            Deadline::Application => {
                self.with_application(now, cx, |application, cx| application.on_deadline(now, cx));
            }
        }
    }

    fn on_protocol_due(&mut self, now: Instant, cx: &mut Context<'_>) {
        while !(self.patient && self.session.would_give_up(now)) {
            match self.session.on_deadline(now) {
                Due::Nothing => break,
                Due::SendPing => self.send_ping(now, cx),
                Due::ReleasePoll => self.release_poll(),
                Due::RefuseProbe => {
                    self.engine.counters.limited(Limit::UpgradeTimeout);
                    self.refuse_probe(cx);
                }
                Due::Close(reason) => self.end(now, reason, None, cx),
            }
        }
    }

    /// A ping for those who wait for a receipt, unless the heartbeat was due as well.
    fn on_receipt_due(&mut self, now: Instant, cx: &mut Context<'_>) {
        if self.receipts.as_mut().is_some_and(|receipts| receipts.is_due(now, Pending::is_wanted)) {
            self.session.on_ping_sent(now);
            self.send_ping(now, cx);
        }
    }

    fn send_ping(&mut self, now: Instant, cx: &mut Context<'_>) {
        let unanswered = self.session.unanswered();
        self.with_application(now, cx, |application, _| application.on_ping(unanswered));
        let _ = self.socket.push(Outgoing::packet(PacketType::Ping, ""));
        if let Some(receipts) = &mut self.receipts {
            receipts.on_ping_sent(now, unanswered);
        }
    }

    /// Nobody is given up for a while, if the timer should have fired long ago.
    pub(super) fn be_patient(&mut self, now: Instant) {
        if self.patient {
            return;
        }
        if let Some(grace) = patience::grace(self.timer.deadline().into_std(), now) {
            self.timer.as_mut().reset((now + grace).into());
            self.ticking = false;
            self.patient = true;
        }
    }

    pub(super) fn is_patient(&self, now: Instant) -> bool {
        self.patient && now < self.timer.deadline().into_std()
    }

    /// Whether the peer's time is over, though nobody has said so yet.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.session.is_overdue(now) && !self.is_patient(now)
    }

    /// Arms the timer if the nearest deadline is nearer than it is armed for, or it has fired.
    pub(super) fn arm(&mut self, now: Instant, cx: &mut Context<'_>) {
        let mut nearest = None;
        self.each_deadline(now, |_, time| {
            nearest = Some(nearest.map_or(time, |nearest: Instant| nearest.min(time)));
        });
        let Some(deadline) = nearest else { return };
        // what was read has put off all there was to be patient with
        let is_over = self.patient && now < deadline;
        self.patient &= !is_over;
        let deadline = deadline.into();
        let is_nearer = deadline < self.timer.deadline() || self.timer.is_elapsed();
        if is_over || (is_nearer && !self.patient) {
            self.timer.as_mut().reset(deadline);
            self.ticking = false;
        }
        // polled once: it then knows the waker of this task, which never changes
        if !self.ticking {
            match self.timer.as_mut().poll(cx) {
                Poll::Ready(()) => cx.waker().wake_by_ref(),
                Poll::Pending => self.ticking = true,
            }
        }
    }
}

/// How often a client that is not read, and has sent more than is read ahead, is looked after.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deadline_has_its_place_in_a_set() {
        for (at, deadline) in Deadline::ALL.into_iter().enumerate() {
            assert_eq!(deadline.bit(), 1 << at, "{deadline:?}");
        }
    }
}
