//! The Socket.IO part of a connection's task: packets to sockets, events to handlers.
//!
//! It is the [`Application`] of the engine's session, so it runs where the session's bytes are
//! read: a message becomes an event and its handler is called with nothing in between. What waits
//! (middleware, async handlers) waits in the task's own sets.
//!
//! ```text
//!   message ─▶ Decoder ─▶ CONNECT ───▶ namespace middleware ─▶ connected, `connection` handlers
//!                     ├─▶ EVENT ─────▶ socket middleware ────▶ handlers of the event
//!                     ├─▶ ACK ───────▶ who waits for it
//!                     └─▶ DISCONNECT ▶ `disconnecting`, rooms left, `disconnect`
//! ```
//!
//! Code of the user is called with no lock held, and its panic ends this connection only.

mod attempt;
pub(crate) mod core;
mod detached;
mod ending;
mod failing;
mod join;
mod name;
mod pending;
mod repeated;
mod returning;
mod unjoined;

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use engineio::{
    Application, CloseDetail, CloseReason, HEADROOM, Limit as EngineLimit, Message, Parting,
    TransportKind, Violation,
};
use engineio_proto::guard::{self, Panicked};
use engineio_proto::log;
use socketio_parser::{DecodeError, Decoded, Decoder, RawArgs, Revision};

use crate::client::Client;
use crate::error::BoxError;
use crate::events::context::{Cause, EventContext};
use crate::events::dedupe::Begun;
use crate::events::error::ExtractError;
use crate::events::failures::shortened;
use crate::events::handler::{Failed, Outcome, Pending, SharedHandler};
use crate::events::listeners::Handlers;
use crate::events::middleware::{IncomingEvent, MiddlewareFuture, run_event};
use crate::events::observer::ObservedEvent;
use crate::events::tap::Tap;
use crate::limits::Limit;
use crate::reason::DisconnectReason;
use crate::socket::handshake::Wish;
use crate::socket::{Socket, outgoing};
use crate::stats::Counters;

use self::core::Core;
use name::Name;
use pending::Futures;
use unjoined::Unjoined;

/// The Socket.IO part of a connection's task.
pub(crate) struct Connection {
    client: Client,
    core: Arc<Core>,
    /// Taken out while what it decoded, which borrows from it, is handled.
    decoder: Option<Decoder>,
    /// The socket of the latest packet, most often that of the next.
    latest: Option<Socket>,
    /// From the first that is to be known; most clients join one namespace, at once.
    unjoined: Option<Box<Unjoined>>,
    joining: Futures<attempt::Joined>,
    running: Futures<Finished>,
    /// Bytes of the packet that is handled, with its attachments.
    packet_bytes: usize,
    /// Bytes that the running futures keep of packets, as far as it can be told.
    pending_bytes: usize,
    /// By when a namespace must be joined; clients before 3.x join `/` by themselves.
    connect_by: Option<Instant>,
    /// The connection is to be closed: nothing more is handled.
    ended: bool,
}

/// What a future of the running set was about, and the bytes that it kept.
type Finished = (Ended, usize);

enum Ended {
    Handler(Socket, Name, Result<(), Failed>),
    Middleware(Socket, Name, Option<u64>, Result<IncomingEvent, BoxError>),
    /// On the heap: few events are handled once.
    Claimed(Box<Claimed>),
}

/// An event that was to be handled once, and waited for what is to be done with it.
struct Claimed {
    socket: Socket,
    name: Name,
    id: Option<u64>,
    args: RawArgs<'static>,
    begun: Begun,
}

impl Connection {
    pub(crate) fn new(core: Arc<Core>, client: Client) -> Self {
        let decoder = core.decoder(client.revision());
        Self {
            client,
            core,
            decoder: Some(decoder),
            latest: None,
            unjoined: None,
            joining: Futures::new(),
            running: Futures::new(),
            packet_bytes: 0,
            pending_bytes: 0,
            connect_by: None,
            ended: false,
        }
    }

    fn revision(&self) -> Revision {
        self.client.revision()
    }

    // ---- packets ----------------------------------------------------------------------------

    fn on_decoded(&mut self, decoded: Decoded<'_>, cx: &mut Context<'_>) {
        match decoded {
            Decoded::Connect { nsp, query, auth } => {
                self.on_connect(nsp, Wish { query, auth }, cx);
                self.poll_joining(cx);
            }
            Decoded::Disconnect { nsp } => match self.socket_of(nsp) {
                Some(socket) => self.end_socket(&socket, DisconnectReason::CLIENT_NAMESPACE, cx),
                None => self.give_up(nsp),
            },
            Decoded::Event { nsp, id, name, args } => match self.socket_of(nsp) {
                Some(socket) => {
                    self.on_event(&socket, &name, id, args, cx);
                    self.latest = Some(socket);
                }
                None => self.on_stray(nsp),
            },
            Decoded::Ack { nsp, id, args } => match self.socket_of(nsp) {
                Some(socket) => {
                    if self.core.tap.get().is_some() {
                        self.tell_tap(|tap, _| tap.acknowledged(&socket, id, &args));
                    } else if !socket.on_ack(id, &args) {
                        self.on_panic(&socket, "acknowledgement");
                    }
                    self.latest = Some(socket);
                }
                None => self.on_stray(nsp),
            },
            Decoded::Error { nsp, data } => match (self.revision(), self.socket_of(nsp)) {
                // Node: an ERROR packet goes through the socket's error path
                (Revision::V4, Some(socket))
                    if self.core.tap.get().is_some() || !socket.listeners("error").is_empty() =>
                {
                    let data = data.and_then(|data| data.into_values().pop()).unwrap_or_default();
                    let text = data.as_str().map_or_else(|| format!("{data:?}"), str::to_owned);
                    self.raise_error(&socket, text.into(), cx);
                }
                (Revision::V4, _) => {}
                _ => self.refuse_packet("an ERROR packet is the server's"),
            },
            Decoded::Ignored => {}
        }
    }

    /// The connected socket of a namespace. Who got it from here may put it into `latest`.
    fn socket_of(&mut self, nsp: &str) -> Option<Socket> {
        let latest = self.latest.take();
        let latest =
            latest.filter(|socket| socket.is_connected() && socket.namespace().name() == nsp);
        latest.or_else(|| self.client.socket(nsp).filter(Socket::is_connected))
    }

    /// A packet for a namespace that is not joined.
    // Node: EIO 3: ignored, EIO 4: closed
    fn on_stray(&mut self, nsp: &str) {
        let was_left = self.unjoined.as_ref().is_some_and(|unjoined| unjoined.was_left(nsp));
        let crossed = was_left || self.client.socket(nsp).is_some();
        if self.revision() == Revision::V5 && !crossed {
            self.refuse_packet("a packet for a namespace that is not joined");
        }
    }

    /// A packet that is none, or breaks a limit: the sockets learn of it, the connection ends.
    fn on_error(&mut self, error: &DecodeError, cx: &mut Context<'_>) {
        Counters::add(&self.core.counters.invalid_packets);
        let violation = match Limit::broken_by(error) {
            Some(limit) => {
                self.core.limited(limit);
                limit.violation()
            }
            None => Violation::policy("no Socket.IO packet"),
        };
        for socket in self.client.sockets() {
            self.raise_error(&socket, error.clone().into(), cx);
        }
        self.close(CloseReason::ForcedClose, violation);
    }

    /// A packet that does not fit the state of the connection.
    fn refuse_packet(&mut self, why: &'static str) {
        self.close(CloseReason::ForcedServerClose, Violation::policy(why));
    }

    fn close_for_panic(&mut self) {
        Counters::add(&self.core.counters.handler_panics);
        self.close(CloseReason::ForcedServerClose, Violation::internal("internal error"));
    }

    /// Ends the connection; a WebSocket is told why.
    fn close(&mut self, reason: CloseReason, why: Violation) {
        self.ended = true;
        self.client.conn().close_for_violation(reason, why);
    }

    // ---- events -----------------------------------------------------------------------------

    fn on_event(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        args: RawArgs<'_>,
        cx: &mut Context<'_>,
    ) {
        self.core.shared.observers.tell(|observer| {
            observer.event_in(socket, &ObservedEvent::new(name, &|| args.to_values()));
        });
        if self.core.tap.get().is_some() {
            return self.tell_tap(|tap, _| tap.event(socket, name, id, &args));
        }
        let Some(chain) = socket.middleware() else {
            return self.dispatch(socket, name, id, &args, cx);
        };
        let event = IncomingEvent { name: name.to_owned(), args: args.into_owned() };
        let kept = event.kept_bytes();
        let checking = run_event(chain, socket.clone(), event);
        let mut checking: MiddlewareFuture<IncomingEvent> = Box::pin(checking);
        match guard::call(|| checking.as_mut().poll(cx)) {
            Ok(Poll::Ready(result)) => self.on_checked(socket, name, id, result, cx),
            Ok(Poll::Pending) => {
                let (socket, name) = (socket.clone(), Name::new(name));
                let checking = async move { Ended::Middleware(socket, name, id, checking.await) };
                self.run(checking, kept);
            }
            Err(_) => self.on_panic(socket, "middleware"),
        }
    }

    /// A socket's middleware came to an end.
    fn on_checked(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        result: Result<IncomingEvent, BoxError>,
        cx: &mut Context<'_>,
    ) {
        match result {
            Ok(event) if socket.is_connected() => {
                self.dispatch(socket, &event.name, id, &event.args, cx);
            }
            Ok(_) => {}
            Err(error) => {
                let refusal = self.core.refusal(socket, name, &error);
                // Clients of protocol 5 would take an error packet for the end of the socket.
                if self.revision() == Revision::V4 {
                    let nsp = socket.namespace().name();
                    let (message, data) = (refusal.message(), refusal.value());
                    let packet =
                        self.core.encoder().error(HEADROOM, nsp, self.revision(), message, data);
                    let _ = socket.push(outgoing(packet));
                }
                self.raise_error(socket, error, cx);
            }
        }
    }

    fn dispatch(
        &mut self,
        socket: &Socket,
        name: &str,
        id: Option<u64>,
        args: &RawArgs<'_>,
        cx: &mut Context<'_>,
    ) {
        if let Some(rule) = socket.namespace().dedupe_of(name) {
            return self.dispatch_once(socket, name, id, args, &rule, cx);
        }
        let mut context = EventContext::new(socket, name, Cause::Arguments(args)).with_ack(id);
        self.call_all(socket.event_listeners(name), &mut context, cx);
    }

    fn call_all(&mut self, found: Handlers, context: &mut EventContext<'_>, cx: &mut Context<'_>) {
        found.for_each(|handler| self.call(handler, context, cx));
        context.finish();
    }

    /// Calls a handler; what it leaves unfinished joins the running set.
    fn call(
        &mut self,
        handler: SharedHandler,
        context: &mut EventContext<'_>,
        cx: &mut Context<'_>,
    ) {
        context.begin();
        let mut handler = Some(handler);
        let polled = guard::call(|| {
            let outcome = handler.as_ref().map(|handler| handler.call(context));
            // what it captured may go with it, as it may have been removed
            handler = None;
            match outcome {
                None => Ok(Ok(())),
                Some(Outcome::Done(result)) => Ok(result),
                Some(Outcome::Pending(mut future)) => match future.as_mut().poll(cx) {
                    Poll::Ready(result) => Ok(result.map_err(|failed| failed.error)),
                    Poll::Pending => Err(future),
                },
            }
        });
        if handler.is_some() {
            guard::let_go(handler); // it panicked
        }
        let (socket, name) = context.about();
        match polled {
            Ok(Ok(Ok(()))) => context.end(),
            Ok(Ok(Err(error))) if name == "error" => {
                log!(debug: %error, "a handler of `error` failed");
                guard::let_go(error);
            }
            Ok(Ok(Err(error))) => {
                // who is connected and not listened to would wait for ever
                let is_deaf = context.is_connection() && error.is::<ExtractError>();
                context.fail(self.on_failure(socket, name, error, context.is_ack_wanted(), cx));
                if is_deaf {
                    socket.disconnect(false);
                }
            }
            Ok(Err(future)) => {
                let (kept, future) = (context.kept_bytes(), context.follow(future));
                self.run_handler(socket.clone(), Name::new(name), future, kept);
            }
            Err(_) => self.on_panic(socket, name),
        }
    }

    fn run_handler(&mut self, socket: Socket, name: Name, future: Pending, kept: usize) {
        let parting = self.unjoined.as_ref().and_then(|unjoined| unjoined.parting.clone());
        let running = async move {
            let result = future.await;
            drop(parting);
            Ended::Handler(socket, name, result)
        };
        self.run(running, kept);
    }

    /// Keeps a future that is not finished, and `bytes` of a packet with it.
    fn run(&mut self, future: impl Future<Output = Ended> + Send + 'static, bytes: usize) {
        let future = async move { (future.await, bytes) };
        let limits = self.core.limits();
        let was_below = self.pending_bytes < limits.max_pending_bytes;
        self.pending_bytes += bytes;
        if was_below && self.pending_bytes >= limits.max_pending_bytes {
            self.core.limited(Limit::PendingBytes);
        }
        self.running.push(future);
        if self.running.len() == self.core.limits().max_pending_handlers {
            self.core.limited(Limit::PendingHandlers);
        }
    }

    fn on_finished(&mut self, finished: Result<Finished, Panicked>, cx: &mut Context<'_>) {
        let ended = finished.map(|(ended, bytes)| {
            self.pending_bytes -= bytes;
            ended
        });
        match ended {
            Ok(Ended::Handler(_, _, Ok(()))) => {}
            Ok(Ended::Handler(socket, name, Err(Failed { error, ack }))) => {
                ack.fail();
                let told = self.on_failure(&socket, name.as_str(), error, ack.is_wanted(), cx);
                if let Some(told) = told {
                    // fails if it was answered, or the client is gone
                    let _ = ack.send((told,));
                }
            }
            Ok(Ended::Middleware(socket, name, id, result)) => {
                self.on_checked(&socket, name.as_str(), id, result, cx);
            }
            Ok(Ended::Claimed(claimed)) => self.on_claimed(*claimed, cx),
            Err(_) => {
                log!(error: "an async handler panicked");
                self.close_for_panic();
            }
        }
    }

    // Node 2.0: Event 'error'; without a listener it does no harm
    fn raise_error(&mut self, socket: &Socket, error: BoxError, cx: &mut Context<'_>) {
        self.tell_tap(|tap, _| tap.error(socket, &*error));
        let found = socket.listeners("error");
        if found.is_empty() {
            log!(debug: id = %socket.id(), %error, "error without a listener");
            return guard::let_go(error);
        }
        let error = Arc::new(error);
        let mut context = EventContext::new(socket, "error", Cause::Error(&error));
        self.call_all(found, &mut context, cx);
        guard::let_go(error);
    }

    /// Tells the tap, if there is one; its panic ends this connection.
    fn tell_tap(&mut self, tell: impl FnOnce(&dyn Tap, &Client)) {
        if !self.core.tap.tell(|tap| tell(tap, &self.client)) {
            self.close_for_panic();
        }
    }

    fn on_panic(&mut self, socket: &Socket, name: &str) {
        log!(error: id = %socket.id(), event = shortened(name), "a handler panicked");
        self.close_for_panic();
    }
}

impl Application for Connection {
    fn on_open(&mut self, cx: &mut Context<'_>) {
        self.tell_tap(|tap, client| tap.opened(client));
        match self.revision() {
            // Socket.IO v4: every connection joins `/` by itself
            Revision::V4 => self.on_connect("/", Wish::default(), cx),
            _ => {
                let now = tokio::time::Instant::now().into_std();
                self.connect_by = Some(now + self.core.connect_timeout);
            }
        }
    }

    fn on_message(&mut self, message: Message<'_>, cx: &mut Context<'_>) {
        if self.ended {
            return;
        }
        let Some(mut decoder) = self.decoder.take() else { return };
        self.packet_bytes += message.len();
        let decoded = match message {
            Message::Text(text) => decoder.text(text),
            Message::Binary(bytes) => decoder.binary(bytes),
        };
        match decoded {
            Ok(Some(decoded)) => {
                self.on_decoded(decoded, cx);
                self.packet_bytes = 0;
            }
            // its attachments are to come
            Ok(None) => {}
            Err(error) => self.on_error(&error, cx),
        }
        decoder.release();
        self.decoder = Some(decoder);
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        if self.client.take_has_gone() {
            self.end_gone(cx);
        }
        self.poll_joining(cx);
        while let Some(finished) = self.running.poll_next(cx) {
            self.on_finished(finished, cx);
        }
    }

    fn is_ready(&self) -> bool {
        let limits = self.core.limits();
        self.running.len() < limits.max_pending_handlers
            && self.pending_bytes < limits.max_pending_bytes
            && self.core.tap.get().is_none_or(|tap| tap.credit(&self.client))
    }

    fn on_upgrade(&mut self, transport: TransportKind, _: &mut Context<'_>) {
        self.tell_tap(|tap, client| tap.upgraded(client, transport));
    }

    fn kept_bytes(&self) -> usize {
        let unfinished = self.decoder.as_ref().map_or(0, Decoder::kept_bytes);
        unfinished + self.pending_bytes + self.client.kept_bytes()
    }

    fn on_rate_limited(&mut self, limit: EngineLimit, _: &mut Context<'_>) {
        for listener in self.core.rate_listeners() {
            listener(&self.client, limit);
        }
    }

    fn on_ping(&mut self, unanswered: u16) {
        if self.core.shared.recovery.is_some() {
            self.client.sockets().iter().for_each(|socket| socket.on_ping(unanswered));
        }
    }

    fn on_pong(&mut self) {
        if self.core.shared.recovery.is_some() {
            self.client.sockets().iter().for_each(Socket::on_pong);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match (self.connect_by, self.client.next_ack_deadline()) {
            (Some(connect), Some(ack)) => Some(connect.min(ack)),
            (connect, ack) => connect.or(ack),
        }
    }

    fn on_deadline(&mut self, now: Instant, _: &mut Context<'_>) {
        if self.connect_by.is_some_and(|by| by <= now) {
            self.connect_by = None;
            self.core.limited(Limit::ConnectTimeout);
            self.close(CloseReason::ForcedServerClose, Limit::ConnectTimeout.violation());
        }
        self.client.take_ack_deadline();
        for socket in self.client.sockets() {
            if let Some(next) = socket.expire_acks(now) {
                self.client.ack_deadline(next);
            }
        }
    }

    fn on_server_close(&mut self, parting: Parting, cx: &mut Context<'_>) {
        self.ended = true;
        self.connect_by = None;
        self.joining = Futures::new();
        // what the server disconnected before the end has its own reason
        self.end_gone(cx);
        self.unjoined.get_or_insert_default().parting = Some(parting);
        for socket in self.client.sockets() {
            self.part_with(&socket, cx);
        }
        if let Some(unjoined) = &mut self.unjoined {
            unjoined.parting = None;
        }
    }

    fn on_close(&mut self, reason: CloseReason, detail: Option<CloseDetail>, cx: &mut Context<'_>) {
        self.ended = true;
        // what the server disconnected before the end has its own reason
        self.end_gone(cx);
        let closed = reason;
        let reason = DisconnectReason::engine(reason, detail);
        for socket in self.client.sockets() {
            self.end_socket(&socket, reason, cx);
            // with it a dynamic namespace may go, and what is of the user in that
            guard::let_go(socket);
        }
        for socket in self.unjoined.take().map(|unjoined| unjoined.parted).into_iter().flatten() {
            self.forget(&socket);
            guard::let_go(socket);
        }
        self.tell_tap(|tap, client| tap.closed(client, closed));
        let running = std::mem::replace(&mut self.running, Futures::new());
        let address = self.client.conn().remote_addr().map(|address| address.ip());
        let counters = Arc::clone(&self.core.counters);
        let on_panic = move || {
            Counters::add(&counters.handler_panics);
            log!(error: "an async handler of a connection that has ended panicked");
        };
        // their errors have nobody to be told to
        let (handlers, bytes) = (running.len(), self.pending_bytes);
        if handlers > 0 {
            self.core.detach(address, handlers, bytes, Box::pin(running.finish(on_panic)));
        }
    }
}
