//! The handle of a session: the API's `conn`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use engineio_proto::{
    CloseReason, HEADROOM, Message, Outgoing, Protocol, TransportKind, Violation,
};
use futures_util::task::AtomicWaker;
use tokio::runtime::Handle;

use crate::outbound::bounds::Bounds;
use crate::outbound::flush::{Flush, FlushAction, WriteState};
use crate::outbound::gate::Gate;
use crate::outbound::outbox::{Outbox, Push};
use crate::outbound::overflow::Evicted;
use crate::outbound::turn::{self, Turn};
use crate::reason::CloseDetail;
use crate::request::Request;
use crate::session::kept::Kept;
use crate::session::mailbox::{Mail, Mailbox, Move};
use crate::session::parting::Parting;
use crate::session::receipt::{Receipt, ReceiptError, Received};
use crate::stats::Counters;
use crate::transport::framed::Framed;

/// The handle of a session; cheap to clone. It stays valid when the session is over: what is sent
/// then goes nowhere.
// Node 2.0: socket.conn, client.conn
#[derive(Clone)]
pub struct Socket(Arc<Shared>);

/// What the session's driver shares with everybody else.
pub(crate) struct Shared {
    id: Box<str>,
    protocol: Protocol,
    request: Request,
    transport: AtomicU8,
    state: AtomicU8,
    pub(crate) outbox: Outbox,
    pub(crate) mailbox: Mailbox,
    pub(crate) kept: Kept,
    pub(crate) waker: AtomicWaker,
    counters: Arc<Counters>,
    runtime: Handle,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a unit")]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session is closed")
    }
}

impl std::error::Error for Closed {}

const OPEN: u8 = 0;
const CLOSING: u8 = 1;

impl Socket {
    pub(crate) fn new(
        (bounds, counters): (&Arc<Bounds>, &Arc<Counters>),
        id: Box<str>,
        protocol: Protocol,
        transport: TransportKind,
        request: Request,
    ) -> Self {
        Self(Arc::new(Shared {
            id,
            protocol,
            request,
            transport: AtomicU8::new(transport_number(transport)),
            state: AtomicU8::new(OPEN),
            outbox: Outbox::new(Arc::clone(bounds), protocol),
            mailbox: Mailbox::default(),
            kept: Kept::default(),
            waker: AtomicWaker::new(),
            counters: Arc::clone(counters),
            runtime: Handle::current(),
        }))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`Closed`] if the session is over, or ends because the client's queue is full.
    pub fn send(&self, message: Message<'_>) -> Result<(), Closed> {
        let packet = match message {
            Message::Text(text) => {
                let mut buffer = Vec::with_capacity(HEADROOM + text.len());
                buffer.resize(HEADROOM, 0);
                buffer.extend_from_slice(text.as_bytes());
                Outgoing::message(buffer, HEADROOM, Vec::new())
            }
            Message::Binary(bytes) => Outgoing::binary_message(bytes),
        };
        match self.push(packet.droppable(true)) {
            Push::Closed => Err(Closed),
            Push::Queued | Push::Dropped => Ok(()),
        }
    }

    /// Queues an encoded packet. Never waits; [volatile](Outgoing::volatile) packets are dropped
    /// unless they would leave with this turn: while the client takes no more, or no poll waits, they
    /// do not.
    pub fn push(&self, packet: Outgoing) -> Push {
        self.push_through(packet, None)
    }

    /// [`Socket::push`] through a gate: goes nowhere if it is closed.
    pub fn push_gated(&self, gate: &Gate, packet: Outgoing) -> Push {
        self.push_through(packet, Some(gate))
    }

    /// Queues a packet and opens the gate with it: what is pushed through the gate follows it.
    /// False: the session is over.
    pub fn open_gate(&self, gate: &Gate, packet: &Outgoing) -> bool {
        self.open_gate_with(gate, packet, &[])
    }

    /// [`Socket::open_gate`] with packets that the client is owed, which follow the first one before
    /// all that is pushed through the gate. The bounds of the queue are not asked: whoever owes them has
    /// its own.
    pub fn open_gate_with(&self, gate: &Gate, packet: &Outgoing, owed: &[Outgoing]) -> bool {
        let (opened, action) = self.0.outbox.open_gate(gate, packet, owed, turn::is_active());
        self.act_on(action);
        opened
    }

    /// Closes the gate and queues a last packet: nothing that is pushed through the gate follows.
    /// False: it was closed before, and the packet is not sent.
    pub fn close_gate(&self, gate: &Gate, packet: Option<&Outgoing>) -> bool {
        let (closed, action) = self.0.outbox.close_gate(gate, packet, turn::is_active());
        self.act_on(action);
        closed
    }

    fn push_through(&self, packet: Outgoing, gate: Option<&Gate>) -> Push {
        let volatile = packet.is_volatile();
        let outbox = &self.0.outbox;
        let mut evicted = Evicted::default();
        let (push, action) = outbox.push(packet, gate, turn::is_active(), &mut evicted);
        if evicted.limit.is_some() {
            self.pay(evicted);
        }
        match push {
            Push::Dropped if volatile => Counters::add(&self.0.counters.stripe().volatile_dropped),
            Push::Dropped => Counters::add(&self.0.counters.stripe().queue_dropped),
            Push::Queued | Push::Closed => {}
        }
        self.act_on(action);
        push
    }

    /// Counts what a full queue did, and lets go of what it removed.
    #[cold]
    fn pay(&self, evicted: Evicted) {
        let Evicted { dropped, volatile, limit, removed } = evicted;
        let stripe = self.0.counters.stripe();
        Counters::add_many(&stripe.queue_dropped, dropped);
        Counters::add_many(&stripe.volatile_dropped, volatile);
        if let Some(limit) = limit {
            // for each packet that was dropped, or for the session
            self.0.counters.limited_many(limit, (dropped + volatile).max(1));
        }
        if let Some(removed) = removed {
            turn::let_go(removed);
        }
    }

    pub(crate) fn act_on(&self, action: FlushAction) {
        match action {
            FlushAction::Nothing => {}
            FlushAction::List => turn::list(&self.0),
            FlushAction::Flush => turn::flush_or_list(&self.0),
            FlushAction::Wake if turn::is_held() => turn::list(&self.0),
            FlushAction::Wake => self.wake(),
        }
    }

    /// Writes what waits if that can be done from here, else has the driver do it.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }

    /// [`Socket::flush`] by the driver itself, who sees to the rest.
    pub(crate) fn flush_in_turn(&self) -> WriteState {
        turn::flushing(&self.0);
        let flushed = self.0.outbox.flush();
        self.0.counters.sent(flushed.packets);
        flushed.state
    }

    /// Ends the session with the reason `forced close`: what was sent before is still delivered,
    /// what arrives from now on is not.
    pub fn close(&self) {
        self.close_with(CloseReason::ForcedClose);
    }

    /// Ends the session with another reason.
    pub fn close_with(&self, reason: CloseReason) {
        self.close_for(reason, None);
    }

    /// Ends the session as its client came again over another connection, and had not said that this one
    /// broke: `transport close`, with [`CloseDetail::TakenOver`]. A poll that waits is told.
    pub fn close_taken_over(&self) {
        self.close_for(CloseReason::TransportClose, Some(CloseDetail::TakenOver));
    }

    /// Ends the session for what the peer did: as [`Socket::close_with`], but a WebSocket is told
    /// in its close frame, which is empty for other ends.
    pub fn close_for_violation(&self, reason: CloseReason, violation: Violation) {
        self.close_mail(Mail::Close(reason, None, Some(violation)));
    }

    pub(crate) fn close_for(&self, reason: CloseReason, detail: Option<CloseDetail>) {
        self.close_mail(Mail::Close(reason, detail, None));
    }

    fn close_mail(&self, mail: Mail) {
        self.set_closing();
        if self.0.mailbox.put(mail) {
            self.wake();
        }
    }

    /// Tells the session of an early upgrade at another node. False: it is over.
    pub(crate) fn on_move(&self, step: Move) -> bool {
        let is_put = self.0.mailbox.put(Mail::Move(step));
        if is_put {
            self.wake();
        }
        is_put
    }

    /// Has the parked poll answered with a noop, if there is one.
    pub(crate) fn release_poll(&self) {
        if self.0.mailbox.put(Mail::Release) {
            self.wake();
        }
    }

    /// Hands a probing connection that was admitted to the session's task, if there is one.
    pub(crate) fn probed(&self, framed: Option<Box<Framed>>) {
        match framed {
            None => self.0.mailbox.probe_ended(),
            Some(framed) => {
                if self.0.mailbox.put(Mail::Probe(framed)) {
                    self.wake();
                }
            }
        }
    }

    /// Tells the session that the server closes.
    pub(crate) fn part(&self, parting: Parting) {
        if self.0.mailbox.put(Mail::Part(parting)) {
            self.wake();
        }
    }

    /// Ends the session's task at once.
    pub(crate) fn cut_off(&self) {
        if self.0.mailbox.put(Mail::CutOff) {
            self.wake();
        }
    }

    /// Wakes the session's task, which then calls [`crate::Application::poll`].
    pub fn wake(&self) {
        self.0.waker.wake();
    }

    /// Resolves when the queue is below half of its bounds, or the session is over.
    ///
    /// For producers that would rather wait than have the slow-consumer policy act. Cancel safe.
    ///
    /// # Errors
    /// [`Closed`] if the session is over.
    pub async fn writable(&self) -> Result<(), Closed> {
        std::future::poll_fn(|cx| self.0.outbox.poll_writable(cx)).await;
        if self.is_open() { Ok(()) } else { Err(Closed) }
    }

    /// Asks for a receipt: it resolves when the client has taken all that was sent to this session
    /// until now, by whomever.
    ///
    /// It needs nothing of the client's program: a ping is sent behind what was sent, and clients of
    /// protocol 4 answer each ping, in order. That they answer means that the client's library has
    /// read what came before and handed it on; not that what it was handed to has done its work.
    ///
    /// Many may ask: those who ask while a ping is out share the next one, of which there are at most
    /// ten a second, of a few bytes each. It is a heartbeat as well. A client that has not answered
    /// within `ping_timeout` is given up, as with any heartbeat. Nothing is spent before somebody asks.
    ///
    /// Errors, which the receipt resolves to: [`ReceiptError::Gone`] if the session ends before,
    /// [`ReceiptError::Unsupported`], at once, if the client is one of protocol 3.
    pub fn receipt(&self) -> Receipt {
        if self.0.protocol == Protocol::V3 {
            return Receipt::known(Err(ReceiptError::Unsupported));
        }
        let receipt = self.0.mailbox.ask_receipt();
        self.wake();
        receipt
    }

    /// Waits until the client has taken all that was sent to this session until this is first polled,
    /// see [`Socket::receipt`]. Cancel safe.
    ///
    /// # Errors
    /// Those of [`Socket::receipt`].
    pub async fn received(&self) -> Result<Received, ReceiptError> {
        self.receipt().await
    }

    /// The session's id: unguessable, and the bearer of the session on polling.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The protocol of the client.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// The transport in use at this moment.
    #[must_use]
    pub fn transport(&self) -> TransportKind {
        TransportKind::ALL[usize::from(self.0.transport.load(Ordering::Relaxed))]
    }

    /// Whether the session is neither closing nor closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.state.load(Ordering::Acquire) == OPEN
    }

    /// The request that opened the session.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.0.request
    }

    /// The address of the client, see [`Request::remote_addr`].
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.request.remote_addr()
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.0.outbox.bytes()
    }

    /// Bytes that are kept of what the client sent, see
    /// [`Options::max_total_inbound_bytes`](crate::Options::max_total_inbound_bytes).
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.0.kept.bytes()
    }

    /// Whether the handle is of the same session as another.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A handle that keeps nothing of the session alive.
    pub(crate) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(session: &Weak<Shared>) -> Option<Self> {
        session.upgrade().map(Self)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Begins the turn of this session.
    pub(crate) fn begin_turn(&self) -> Turn {
        Turn::begin(&self.0)
    }

    pub(crate) fn set_transport(&self, transport: TransportKind) {
        self.0.transport.store(transport_number(transport), Ordering::Relaxed);
    }

    pub(crate) fn set_closing(&self) {
        self.0.state.store(CLOSING, Ordering::Release);
    }
}

impl Flush for Shared {
    fn flush(&self) {
        let flushed = self.outbox.flush();
        self.counters.sent(flushed.packets);
        if flushed.needs_driver {
            self.waker.wake();
        }
    }

    fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

fn transport_number(transport: TransportKind) -> u8 {
    let number = TransportKind::ALL.iter().position(|kind| *kind == transport);
    number.map_or(0, |number| number as u8)
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("protocol", &self.protocol())
            .field("transport", &self.transport())
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}
