//! Modifiers of one emission: rooms and flags. By value, so that nothing is shared between two
//! emissions.

mod cluster;

use std::time::Duration;

use engineio::{Outgoing, OverflowPolicy};
use serde::Serialize;
use socketio_adapter::{BroadcastOptions, IntoRooms, SharedLog, SocketId, Target, Track};

use crate::error::EmitError;
use crate::events::observer::{ObservedEvent, Receivers};
use crate::namespace::Namespace;
use crate::socket::{Socket, values_of};

pub use self::cluster::BroadcastAcks;

/// An emission to many: to a namespace or to rooms of it.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct BroadcastOperator {
    namespace: Namespace,
    options: BroadcastOptions,
    when_full: Option<OverflowPolicy>,
    timeout: Option<Duration>,
}

impl BroadcastOperator {
    pub(crate) fn new(namespace: Namespace, sender: Option<SocketId>) -> Self {
        let options = BroadcastOptions { sender, ..BroadcastOptions::default() };
        Self { namespace, options, when_full: None, timeout: None }
    }

    socketio_adapter::modifiers!((self) => self);

    /// Only receivers of this node get it.
    // Node 2.0: Flag 'local'
    pub fn local(mut self) -> Self {
        self.options.local = true;
        self
    }

    /// What happens for receivers whose queue is full, instead of the server's policy
    /// ([`Builder::slow_consumer`](crate::Builder::slow_consumer)). Events that ask for an
    /// acknowledgement are never dropped.
    pub fn when_full(mut self, policy: OverflowPolicy) -> Self {
        self.when_full = Some(policy);
        self
    }

    /// How long [`BroadcastOperator::emit_with_ack`] waits for the answers.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends an event to the receivers. Never waits: those of this node have it in their queues, and
    /// the message for the other nodes is in the adapter's, when it returns; that nobody
    /// receives it is no error. All receivers of a node see its broadcasts of one namespace in the
    /// same order. It is encoded once; nothing is allocated per receiver.
    ///
    /// # Errors
    /// [`EmitError::Reserved`] and [`EmitError::Encode`]. A receiver that is slow or gone is no
    /// error of the broadcast.
    // Node 2.0: namespace.emit
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        if self.namespace.recovering().is_some() {
            return self.emit_recoverable(event, &args);
        }
        let packet = self.namespace.encode_event(None, event, &args)?;
        let BroadcastOptions { volatile, compress, .. } = self.options;
        let packet =
            packet.compress(compress.unwrap_or(true)).volatile(volatile).when_full(self.when_full);
        self.show(event, &args);
        // first, so that it is on its way while the clients of this node are written to
        self.namespace.publish(event, &args, &self.options)?;
        self.namespace.broadcast(&packet, &self.options);
        Ok(())
    }

    /// [`BroadcastOperator::emit`] on a server with recovery.
    #[cold]
    fn emit_recoverable<T: Serialize>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        let (namespace, options) = (&self.namespace, &self.options);
        let recovery = namespace.recovery();
        if let Some(log) = recovery.and_then(|recovery| recovery.log()) {
            return self.emit_logged(log, event, args);
        }
        let (packet, place) = match recovery {
            Some(_) if !options.volatile => {
                let (packet, place) = namespace.encode_tracked(event, args)?;
                (packet, Some(place))
            }
            _ => (namespace.encode_event(None, event, args)?, None),
        };
        let packet = packet
            .compress(options.compress.unwrap_or(true))
            .volatile(options.volatile)
            .when_full(self.when_full);
        self.show(event, args);
        namespace.publish(event, args, options)?;
        let target = Target::Many(options);
        let Some(recovery) = recovery else {
            namespace.broadcast(&packet, options);
            return Ok(());
        };
        if let Some(place) = place {
            namespace.emit_tracked(recovery, packet, target, Track::Kept(place));
            return Ok(());
        }
        let passing = packet.clone();
        match namespace.passing_text(&passing, event, args) {
            Some(text) => namespace.emit_tracked(recovery, packet, target, Track::Passing(&text)),
            None => namespace.broadcast(&packet, options),
        }
        Ok(())
    }

    /// [`BroadcastOperator::emit`] where the nodes of a cluster keep events together.
    fn emit_logged<T: Serialize>(
        &self,
        log: &dyn SharedLog,
        event: &str,
        args: &T,
    ) -> Result<(), EmitError> {
        let (namespace, options) = (&self.namespace, &self.options);
        let form = |packet: Outgoing| {
            packet
                .compress(options.compress.unwrap_or(true))
                .volatile(options.volatile)
                .when_full(self.when_full)
        };
        if !options.volatile && !options.local {
            self.show(event, args);
            return namespace.emit_logged(log, event, args, options, form);
        }
        // nobody gets it again: this node need not wait for the log
        let packet = form(namespace.encode_event(None, event, args)?);
        self.show(event, args);
        namespace.publish(event, args, options)?;
        namespace.broadcast(&packet, options);
        Ok(())
    }

    pub(crate) const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(crate) const fn options(&self) -> &BroadcastOptions {
        &self.options
    }

    /// Sends a packet to the receivers of this node.
    pub(crate) fn send_packet(&self, packet: Outgoing) {
        let BroadcastOptions { volatile, compress, .. } = self.options;
        let packet = packet.compress(compress.unwrap_or(true)).volatile(volatile);
        let packet = packet.when_full(self.when_full);
        self.namespace.broadcast(&packet, &self.options);
    }

    /// Shows an event to the observers.
    fn show<T: Serialize>(&self, event: &str, args: &T) {
        self.namespace.observers().tell(|observer| {
            let BroadcastOptions { rooms, except, sender, local, .. } = &self.options;
            let to = Receivers::Many {
                namespace: &self.namespace,
                rooms,
                except,
                sender: sender.as_ref(),
                local: *local,
            };
            let values = || values_of(args).unwrap_or_default();
            observer.event_out(&to, &ObservedEvent::new(event, &values));
        });
    }

    /// Sends a `message` event.
    ///
    /// # Errors
    /// Those of [`BroadcastOperator::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }
}

/// An emission to one client with modifiers.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketOperator {
    socket: Socket,
    volatile: bool,
    compress: Option<bool>,
    when_full: Option<OverflowPolicy>,
}

impl SocketOperator {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, volatile: false, compress: None, when_full: None }
    }

    /// Dropped unless it can leave at once.
    // Node 2.0: Flag 'volatile'
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Whether it is compressed, where the transport offers it.
    // Node 2.0: socket.compress
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = Some(compress);
        self
    }

    /// What happens if the client's queue is full, instead of the server's policy
    /// ([`Builder::slow_consumer`](crate::Builder::slow_consumer)).
    ///
    /// ```
    /// # use socketio::emit::OverflowPolicy;
    /// # use socketio::Socket;
    /// # fn example(socket: Socket) -> Result<(), socketio::emit::EmitError> {
    /// // the latest position is what counts; a late one is worth nothing
    /// socket.when_full(OverflowPolicy::DropOldest).emit("position", (52.5, 13.4))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn when_full(mut self, policy: OverflowPolicy) -> Self {
        self.when_full = Some(policy);
        self
    }

    /// To rooms instead, without this socket.
    pub fn to(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.broadcast().to(rooms)
    }

    /// The same as [`SocketOperator::to`].
    pub fn in_room(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.to(rooms)
    }

    /// To the namespace instead, but for these rooms and this socket.
    pub fn except(self, rooms: impl IntoRooms) -> BroadcastOperator {
        self.broadcast().except(rooms)
    }

    /// To all others of the namespace instead.
    pub fn broadcast(self) -> BroadcastOperator {
        let mut operator = self.socket.broadcast();
        operator.options.compress = self.compress;
        operator.when_full = self.when_full;
        if self.volatile { operator.volatile() } else { operator }
    }

    /// Sends an event to the client. Never waits.
    ///
    /// # Errors
    /// Those of [`Socket::emit`]; that a volatile event was dropped is none.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        if self.socket.namespace().recovering().is_some() {
            return self.socket.emit_recoverable(event, &args, self.volatile, |packet| {
                packet.compress(self.compress.unwrap_or(true)).when_full(self.when_full)
            });
        }
        let packet = self.socket.encode(None, event, &args)?;
        self.send_packet(packet)
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sends a packet with these modifiers.
    pub(crate) fn send_packet(&self, packet: Outgoing) -> Result<(), EmitError> {
        let packet = packet.compress(self.compress.unwrap_or(true)).volatile(self.volatile);
        self.socket.push(packet.when_full(self.when_full))
    }

    /// Sends a `message` event.
    ///
    /// # Errors
    /// Those of [`SocketOperator::emit`].
    pub fn send<T: Serialize>(&self, args: T) -> Result<(), EmitError> {
        self.emit("message", args)
    }
}
