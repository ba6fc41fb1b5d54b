//! The listening half of a namespace: what is done with its sockets and their events.

use std::borrow::Cow;

use super::Namespace;
use crate::events::dedupe::Dedupe;
use crate::events::handler::Handler;
use crate::events::middleware::Middleware;

impl Namespace {
    /// Adds a listener for new sockets, after the middleware let them in. What it emits arrives
    /// after the client's `connect` event; listeners that it adds before its first `.await` miss
    /// nothing that the client sends.
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    // Node 2.0: Event 'connection'
    #[track_caller]
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<M>) {
        self.listening();
        self.0.hooks.on("connection", handler, &self.given());
    }

    /// Like [`Namespace::on_connection`]; these listeners run before those.
    // Node 2.0: Event 'connect'
    #[track_caller]
    pub fn on_connect<M: 'static>(&self, handler: impl Handler<M>) {
        self.listening();
        self.0.hooks.on("connect", handler, &self.given());
    }

    /// Adds a listener for an event of any socket of the namespace. It runs after those that the
    /// socket has itself, and takes no memory per socket.
    ///
    /// ```
    /// # use socketio::{Data, Server, Socket};
    /// # fn example(io: Server) {
    /// io.sockets().on_event("echo", |socket: Socket, Data(text): Data<String>| {
    ///     socket.emit("echo", text)
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    #[track_caller]
    pub fn on_event<M: 'static>(
        &self,
        event: impl Into<Cow<'static, str>>,
        handler: impl Handler<M>,
    ) {
        self.0.hooks.on_event(event.into(), handler, &self.given());
    }

    /// Adds a listener for the events that no other listener is for: neither the socket nor the
    /// namespace has one of that name. Catch-all listeners ([`Socket::on_any`](crate::Socket::on_any)) do not count, and
    /// have run before. It takes no memory per socket.
    ///
    /// ```
    /// # use socketio::events::EventName;
    /// # use socketio::{Server, Socket};
    /// # fn example(io: Server) {
    /// io.sockets().on_unknown_event(|socket: Socket, EventName(name): EventName| {
    ///     println!("{} sent {name:?}, which is none of ours", socket.id());
    /// });
    /// # }
    /// ```
    #[track_caller]
    pub fn on_unknown_event<M: 'static>(&self, handler: impl Handler<M>) {
        self.0.hooks.on_unknown_event(handler, &self.given());
    }

    /// Handles some events of the sockets of the namespace once, however often their clients send them:
    /// the option `retries` of the official client sends an event again until it is acknowledged, and
    /// nothing tells that from a new one but a key among its arguments, see [`Dedupe`].
    ///
    /// Who sends a key for the first time has the handlers called; whoever sends it again has the same
    /// answer, at once or when there is one. If a handler fails or panics before the event is answered,
    /// the event counts as not handled. Middleware and observers see each of them, catch-all
    /// listeners those that are handled. Of several rules for an event the first holds.
    pub fn dedupe(&self, dedupe: Dedupe) {
        self.0.hooks.dedupe(dedupe);
    }

    /// Adds a middleware that each socket passes before it is connected, one after the other in
    /// order of registration. `Err` refuses the socket: a [`ConnectError`] is told to the client, of
    /// any other error nothing but that it is refused, see [`Middleware`].
    ///
    /// ```
    /// # use socketio::{ConnectError, Server, Socket};
    /// # fn example(io: Server) {
    /// io.use_fn(async |socket: Socket| match socket.handshake().header("cookie") {
    ///     Some(_) => Ok(()),
    ///     None => Err(ConnectError::new("Authentication error")),
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it asks for a [`State`](crate::State) that the server was not given.
    ///
    /// [`ConnectError`]: crate::ConnectError
    // Node 2.0: namespace.use
    #[track_caller]
    pub fn use_fn<M: 'static>(&self, middleware: impl Middleware<M>) {
        self.0.hooks.use_fn(middleware, &self.given());
    }
}
