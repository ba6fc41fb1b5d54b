//! A namespace as the other nodes of a cluster find it.
//!
//! All of it is called where the adapter reads what other nodes sent. Code of the user is called
//! with no lock held, and its panic ends nothing but itself.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engineio::{HEADROOM, Outgoing};
use engineio_proto::guard::{Guarded, Panicked, lock};
use engineio_proto::log;
use socketio_adapter::{
    Answered, BroadcastOptions, Node, Reply, Room, SharedRecovery, SocketDetails, SocketId,
};
use socketio_parser::{RawArgs, Spread, Value};

use super::{Inner, Shared};
use crate::cluster::server_event::ServerEvent;
use crate::limits::Limit;
use crate::socket::acks::Waiter;
use crate::socket::{Socket, outgoing};

/// What is done with events of other servers.
#[derive(Default)]
pub(crate) struct ServerListeners {
    by_event: Mutex<HashMap<String, Vec<Listener>>>,
    custom: Mutex<Option<Custom>>,
}

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Listener = Arc<dyn Fn(ServerEvent) -> Running<()> + Send + Sync>;
type Custom = Arc<dyn Fn(Value) -> Running<Option<Value>> + Send + Sync>;

impl ServerListeners {
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.by_event).is_empty() && lock(&self.custom).is_none()
    }

    pub(crate) fn on<F, Fut>(&self, event: String, listener: F)
    where
        F: FnOnce(ServerEvent) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener: Listener = Arc::new(move |event| Box::pin(listener.clone()(event)));
        lock(&self.by_event).entry(event).or_default().push(listener);
    }

    pub(crate) fn on_custom_request<F, Fut>(&self, answer: F)
    where
        F: FnOnce(Value) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Option<Value>> + Send + 'static,
    {
        let answer: Custom = Arc::new(move |data| Box::pin(answer.clone()(data)));
        let old = lock(&self.custom).replace(answer);
        drop(old);
    }
}

impl Inner {
    /// Polls a future of the user at once, so that what it does before its first `.await` keeps the
    /// order of the messages, and leaves the rest to a task. So many may be unfinished at a time.
    fn run(&self, future: impl FnOnce() -> Running<()> + Send + 'static) {
        let Shared { counters, limits, server_events, .. } = &self.shared;
        let Some(place) = Place::take(server_events, limits.max_pending_server_events) else {
            return counters.add(Limit::PendingServerEvents, 1);
        };
        // also what it does before it is a future
        let mut future = Guarded::new(Box::pin(async move { future().await }));
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => on_end(ended),
            Poll::Pending => drop(engineio::spawn(Box::pin(async move {
                on_end(future.await);
                drop(place);
            }))),
        }
    }
}

fn on_end(ended: Result<(), Panicked>) {
    if ended.is_err() {
        log!(error: "a listener for messages of other servers panicked");
    }
}

/// The place of an unfinished listener among those of the server.
struct Place(Arc<AtomicUsize>);

impl Place {
    /// `None`: there are `max`.
    fn take(taken: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let is_free = |count: usize| (count < max).then_some(count + 1);
        taken.fetch_update(Relaxed, Relaxed, is_free).ok()?;
        Some(Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Inner {
    pub(super) fn socket(&self, id: &SocketId) -> Option<Socket> {
        lock(&self.sockets).get(id.as_str()).map(|socket| socket.0.clone())
    }

    /// The sockets of this node that are meant, the sender left out.
    pub(super) fn sockets_meant(&self, options: &BroadcastOptions) -> Vec<Socket> {
        let ids = self.adapter.local_sockets(&options.rooms, &options.except);
        let sockets = lock(&self.sockets);
        ids.iter()
            .filter(|id| options.sender.as_ref() != Some(*id))
            .filter_map(|id| sockets.get(id.as_str()).map(|socket| socket.0.clone()))
            .collect()
    }

    fn encode(&self, id: Option<u64>, event: &str, args: Vec<Value>) -> Option<Outgoing> {
        let encoder = &self.shared.encoder;
        let encoded = encoder.event(HEADROOM, &self.name, id, event, &Spread(args));
        let encoded = encoded.inspect_err(|error| {
            log!(debug: %error, "an event of another node cannot be written");
        });
        Some(outgoing(encoded.ok()?))
    }
}

impl Node for Inner {
    fn fan_out(&self, f: &mut dyn FnMut()) {
        engineio::fan_out(f);
    }

    fn packet(
        &self,
        event: &str,
        args: Vec<Value>,
        options: &BroadcastOptions,
    ) -> Option<Outgoing> {
        let packet = self.encode(None, event, args)?.droppable(true);
        Some(packet.compress(options.compress.unwrap_or(true)).volatile(options.volatile))
    }

    fn ask(
        &self,
        event: &str,
        args: Vec<Value>,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> usize {
        let sockets = self.sockets_meant(options);
        if sockets.is_empty() {
            return 0;
        }
        let id = self.next_ack_id();
        let Some(packet) = self.encode(Some(id), event, args) else { return 0 };
        let packet = packet.compress(options.compress.unwrap_or(true)).droppable(false);
        for socket in &sockets {
            let answered = Arc::clone(&answered);
            let waiter: Waiter = Box::new(move |answer| {
                if let Ok(args) = answer {
                    answered(first(args));
                }
            });
            socket.send_expecting_ack(id, packet.clone(), Some(timeout), waiter);
        }
        sockets.len()
    }

    fn recovery(&self) -> Option<SharedRecovery> {
        // what has its offset as text
        let recovering = self.shared.recovery.as_ref().filter(|_| self.shared.encoder.is_json());
        Some(recovering?.options.for_shared_log())
    }

    fn details(&self, ids: &[SocketId]) -> Vec<SocketDetails> {
        ids.iter().filter_map(|id| self.socket(id)).map(|socket| details(&socket)).collect()
    }

    fn join(&self, ids: &[SocketId], rooms: &[Room]) {
        for id in ids {
            if let Err(error) = Self::join(self, id, rooms) {
                log!(warn: %id, %error, "another node's join was refused");
            }
        }
    }

    fn disconnect(&self, ids: &[SocketId], close: bool) {
        for socket in ids.iter().filter_map(|id| self.socket(id)) {
            socket.disconnect(close);
        }
    }

    fn server_event(&self, event: String, args: Vec<Value>, reply: Option<Reply>) {
        let listeners = lock(&self.server_listeners.by_event).get(&event).cloned();
        let event = ServerEvent::new(event, args, reply);
        for listener in listeners.into_iter().flatten() {
            let event = event.clone();
            self.run(move || listener(event));
        }
    }

    fn is_observed(&self) -> bool {
        self.shared.observers.are_there()
    }

    fn joined(&self, id: &SocketId, room: &Room) {
        self.shared.observers.tell(|observer| observer.joined(&self.name, id, room));
    }

    fn left(&self, id: &SocketId, room: &Room) {
        self.shared.observers.tell(|observer| observer.left(&self.name, id, room));
    }

    fn room_opened(&self, room: &Room) {
        self.shared.observers.tell(|observer| observer.room_opened(&self.name, room));
    }

    fn room_closed(&self, room: &Room) {
        self.shared.observers.tell(|observer| observer.room_closed(&self.name, room));
    }

    fn custom_request(&self, data: Value, reply: Reply) {
        let custom = lock(&self.server_listeners.custom).clone();
        let Some(custom) = custom else { return reply(Value::Null) };
        self.run(move || {
            Box::pin(async move {
                if let Some(answer) = custom(data).await {
                    reply(answer);
                }
            })
        });
    }
}

/// The first argument of an answer: the others do not travel between nodes.
// Node: socket.io-adapter, broadcastWithAck
fn first(args: &RawArgs<'_>) -> Value {
    args.clone().into_values().into_iter().next().unwrap_or_default()
}

/// All that a node tells of its socket.
pub(crate) fn details(socket: &Socket) -> SocketDetails {
    let mut details = SocketDetails::new(socket.id().clone());
    details.rooms = socket.rooms();
    details.handshake = socket.handshake().to_value();
    details.data = socket.data_value().unwrap_or_else(|| Value::Object(Box::default()));
    details
}
