//! How a client gets into a namespace: the rules for dynamic ones, the middleware, the answer.
//!
//! What waits is an [`Attempt`], a future of the task's own set. Until it ends the client is not in
//! the namespace, and may give up.

use std::sync::Arc;
use std::task::Context;

use engineio::HEADROOM;
use engineio_proto::guard::{self, Panicked};
use engineio_proto::log;
use socketio_adapter::{EnterError, NotRecovered};
use socketio_parser::{DecodeError, Revision};

use super::Connection;
use super::attempt::{Attempt, Joined, new_id};
use super::ending::leave_rooms;
use super::unjoined::Unjoined;
use crate::client::Client;
use crate::error::ConnectError;
use crate::events::context::{Cause, EventContext};
use crate::limits::Limit;
use crate::namespace::Namespace;
use crate::namespace::registry::{Found, Maker};
use crate::socket::handshake::{Credentials, Wish};
use crate::socket::{Socket, outgoing};
use crate::stats::Counters;

impl Connection {
    pub(super) fn on_connect(&mut self, nsp: &str, wish: Wish<'_>, cx: &mut Context<'_>) {
        // the client may be quicker than the mark that the server has disconnected it
        self.end_gone(cx);
        let known = self.client.socket(nsp).is_some()
            || self.unjoined.as_ref().is_some_and(|unjoined| unjoined.is_on_its_way(nsp));
        if known {
            // Node: a second CONNECT closes 4.x connections; never a second socket
            if self.revision() == Revision::V5 {
                self.refuse_packet("a second CONNECT");
            }
            return;
        }
        let limits = self.core.limits();
        let max = limits.packet.max_namespace_len;
        if nsp.len() > max {
            // an answer would have to repeat the name
            return self.on_error(&DecodeError::NamespaceTooLong { max }, cx);
        }
        if self.packet_bytes > limits.max_auth_bytes {
            self.core.limited(Limit::AuthBytes);
            return self.refuse(nsp, &ConnectError::new("Too much auth"));
        }
        // Attempts that the client gave up count too, while their middleware runs.
        let waiting = self.unjoined.as_ref().map_or(0, |unjoined| unjoined.waiting.len());
        if self.client.count() + self.joining.len() + waiting >= limits.max_namespaces {
            self.core.limited(Limit::Namespaces);
            return self.refuse(nsp, &ConnectError::new("Too many namespaces"));
        }
        if nsp != "/" && self.waits_for_root(nsp) {
            let Unjoined { waiting, .. } = &mut **self.unjoined.get_or_insert_default();
            return waiting.push((nsp.into(), wish.keep(&self.client)));
        }
        // Nothing is made of what the client sent before it is known where it leads.
        self.join(nsp, |client| wish.keep(client), cx);
    }

    /// Whether a wish to join another namespace waits until the client is in `/`: clients of protocol
    /// 4 are there before they are in any other, so that what the middleware of `/` refuses gets in
    /// nowhere.
    // Node: 2.0: what comes before `/` is connected waits for it, without an answer for as long
    // as it is refused; an unknown namespace is answered at once
    fn waits_for_root(&self, nsp: &str) -> bool {
        if self.revision() == Revision::V5 || !self.core.root_first {
            return false;
        }
        if self.client.socket("/").is_some_and(|root| root.is_connected()) {
            return false;
        }
        let registry = &self.core.registry;
        // if a rule panicked, it panics again where that is told of
        guard::call(|| registry.may_have(nsp)).unwrap_or(false)
    }

    /// Goes into a wish to join that is within the limits.
    fn join(
        &mut self,
        nsp: &str,
        credentials: impl FnOnce(&Client) -> Option<Arc<Credentials>>,
        cx: &mut Context<'_>,
    ) {
        let address = self.client.conn().remote_addr();
        let maker = Maker(address.map(|address| self.core.network_of(address.ip())));
        let found = guard::call(|| self.core.registry.find(nsp, maker));
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(refusal)) => return self.refuse(nsp, &refusal),
            Err(_) => return self.on_joining_panic(),
        };
        if let Some(unjoined) = &mut self.unjoined {
            unjoined.left.retain(|left| **left != *nsp);
        }
        // Nothing was made of what the client sent up to here.
        let credentials = credentials(&self.client);
        let found = match found {
            Found::Namespace(namespace)
                if namespace.middleware().is_none() && !self.may_return(&namespace) =>
            {
                let socket = self.new_socket(namespace, credentials);
                return self.complete(&socket, cx);
            }
            found => found,
        };
        self.attempt(nsp, (found, maker), credentials, None);
    }

    /// Whether the client may name a session that it had in the namespace.
    fn may_return(&self, namespace: &Namespace) -> bool {
        self.revision() == Revision::V5 && namespace.recovery().is_some()
    }

    /// Lets the client be seen by the rule and the middleware of a namespace.
    fn attempt(
        &mut self,
        nsp: &str,
        (found, maker): (Found, Maker),
        credentials: Option<Arc<Credentials>>,
        fresh: Option<NotRecovered>,
    ) {
        let Unjoined { attempts, connecting, .. } = &mut **self.unjoined.get_or_insert_default();
        *attempts += 1;
        connecting.push((*attempts, nsp.into()));
        let (core, client) = (Arc::clone(&self.core), self.client.clone());
        let attempt =
            Attempt { number: *attempts, nsp: nsp.to_owned(), found, maker, core, client, fresh };
        self.joining.push(attempt.join(credentials));
    }

    /// The client does not want to join any more.
    pub(super) fn give_up(&mut self, nsp: &str) {
        if let Some(unjoined) = &mut self.unjoined {
            unjoined.connecting.retain(|(_, name)| **name != *nsp);
            unjoined.waiting.retain(|(name, _)| **name != *nsp);
        }
    }

    /// The client is in `/`: what waited for that goes on.
    fn join_waiting(&mut self, root: &Socket, cx: &mut Context<'_>) {
        let Some(unjoined) = &mut self.unjoined else { return };
        // unless its handlers did not want to keep it
        if !root.is_connected() || self.ended {
            return;
        }
        for (nsp, credentials) in std::mem::take(&mut unjoined.waiting) {
            self.join(&nsp, |_| credentials, cx);
        }
    }

    fn new_socket(&self, namespace: Namespace, credentials: Option<Arc<Credentials>>) -> Socket {
        let id = new_id(&self.client, &namespace);
        Socket::new(id, namespace, self.client.clone(), credentials)
    }

    pub(super) fn poll_joining(&mut self, cx: &mut Context<'_>) {
        while let Some(joined) = self.joining.poll_next(cx) {
            self.on_joined(joined, cx);
        }
    }

    /// A rule or middleware came to an end.
    fn on_joined(&mut self, joined: Result<Joined, Panicked>, cx: &mut Context<'_>) {
        let Ok(Joined { attempt, result }) = joined else {
            return self.on_joining_panic();
        };
        let Some(nsp) = self.unjoined.as_mut().and_then(|unjoined| unjoined.take(attempt)) else {
            // the client gave up meanwhile
            if let Ok(socket) = result {
                self.tell_tap(|tap, _| tap.not_connected(&socket));
                socket.clear();
            }
            return;
        };
        match result {
            Ok(socket) => self.complete(&socket, cx),
            Err(refusal) => self.refuse(&nsp, &refusal),
        }
    }

    fn on_joining_panic(&mut self) {
        log!(error: "a rule or a middleware of a namespace panicked");
        self.close_for_panic();
    }

    /// A socket was let in.
    fn complete(&mut self, socket: &Socket, cx: &mut Context<'_>) {
        let namespace = socket.namespace();
        if let Err(refusal) = self.admit(socket) {
            self.tell_tap(|tap, _| tap.not_connected(socket));
            socket.clear();
            return match refusal {
                Some(refusal) => self.refuse(namespace.name(), &refusal),
                None => self.on_joining_panic(),
            };
        }
        let rooms = socket.take_early_rooms();
        let answer = namespace.encode_connect(self.revision(), socket);
        self.client.add(socket);
        // What others send before it is in goes nowhere, what they send after comes behind the answer.
        let entered = guard::call(|| namespace.enter(socket, &rooms, &answer));
        if !matches!(entered, Ok(Ok(()))) {
            return self.on_not_entered(socket, entered.ok().and_then(Result::err));
        }
        self.connect_by = None;
        Counters::add(&self.core.counters.connected);
        if namespace.recovering().is_some() {
            self.core.counters.recovery(socket.recovery());
        }
        self.core.shared.observers.tell(|observer| observer.connected(socket));
        self.tell_tap(|tap, _| tap.connected(socket));
        for event in ["connect", "connection"] {
            let mut context = EventContext::new(socket, event, Cause::Connection);
            self.call_all(namespace.listeners(event), &mut context, cx);
        }
        socket.share_listeners();
        if namespace.name() == "/" {
            self.join_waiting(socket, cx);
        }
    }

    /// A socket that was let in did not get in: nobody learns of it.
    #[cold]
    fn on_not_entered(&mut self, socket: &Socket, error: Option<EnterError>) {
        self.client.remove(socket);
        let namespace = socket.namespace();
        let is_resumed = namespace.recovering().and_then(|_| socket.session());
        let is_resumed = is_resumed.is_some_and(|session| session.resumed);
        match error {
            // somebody was quicker, or it was let go of: from the beginning
            Some(EnterError::DuplicateId) if is_resumed => self.join_again(socket, None),
            Some(EnterError::NotRecovered(why)) => self.join_again(socket, Some(why)),
            Some(EnterError::DuplicateId) => {
                log!(warn: id = %socket.id(), "a socket of this id is connected already");
                self.refuse(namespace.name(), &ConnectError::new("Duplicate id"));
            }
            // the connection ended
            Some(_) => {}
            None => {
                log!(error: id = %socket.id(), "the adapter panicked as a socket entered");
                self.client.conn().close_gate(socket.gate(), None);
                leave_rooms(socket);
                namespace.remove(socket);
                self.close_for_panic();
            }
        }
        self.tell_tap(|tap, _| tap.not_connected(socket));
        socket.clear();
    }

    /// A socket did not get back to its session; another one in its place.
    fn join_again(&mut self, socket: &Socket, fresh: Option<NotRecovered>) {
        let namespace = socket.namespace().clone();
        let (nsp, maker) = (namespace.shared_name().clone(), namespace.maker());
        let maker = maker.unwrap_or(Maker(None));
        let found = (Found::Namespace(namespace), maker);
        self.attempt(&nsp, found, socket.shared_credentials(), fresh);
    }

    /// Tells the client that it may not join.
    // Node: refusal by middleware
    fn refuse(&mut self, nsp: &str, refusal: &ConnectError) {
        Counters::add(&self.core.counters.connect_errors);
        let (message, data) = (refusal.message(), refusal.value());
        let packet = self.core.encoder().error(HEADROOM, nsp, self.revision(), message, data);
        let _ = self.client.conn().push(outgoing(packet));
    }
}
