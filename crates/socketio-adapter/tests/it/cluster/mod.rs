//! Nodes of a cluster over a broker in memory, with sockets and a layer above that note down what
//! they are told. The formats on the wire are tested beside them, real brokers in
//! `crates/socketio-redis`.

mod adapter;
mod asking;
mod broker;
mod emitter;
mod peers;
mod telling;

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use engineio_proto::{HEADROOM, Outgoing, Part};
use socketio_adapter::{
    Adapter, Answered, BroadcastOptions, Cluster, ClusterAdapter, ClusterNode, Delivery, Dialect,
    Format, IntoRooms, Member, Node, Reply, Room, RoomChannels, SocketDetails, SocketId,
};
use socketio_parser::{EventData, Spread, Value, value_from_json};

use broker::Broker;

const NEW: Format = Format::Classic(Dialect::New);
const OLD: Format = Format::Classic(Dialect::Old);
const MIXED: Format = Format::Classic(Dialect::Mixed);
const SHARDED: Format = Format::Sharded(RoomChannels::Joined);
const FORMATS: [Format; 4] = [NEW, OLD, MIXED, SHARDED];

/// How long the nodes wait for answers.
const LIMIT: Duration = Duration::from_millis(500);

const NONE: [&str; 0] = [];

/// A node, whose sockets and layer above write all that they are told into one list.
struct Peer {
    adapter: Arc<ClusterAdapter>,
    above: Arc<Above>,
}

type Notes = Arc<Mutex<Vec<String>>>;

/// The layer above.
struct Above {
    name: &'static str,
    notes: Notes,
    adapter: OnceLock<Weak<ClusterAdapter>>,
    /// Clients that were asked and have not answered.
    asked: Mutex<Vec<Answered>>,
    /// Servers that were asked and have not answered.
    replies: Mutex<Vec<Reply>>,
}

struct Socket(String, Notes);

impl Member for Socket {
    fn deliver(&self, packet: &Outgoing) -> Delivery {
        let Some(Part::Text(text)) = packet.parts().next() else { panic!("only text is sent") };
        let text = String::from_utf8(text[1..].to_vec()).unwrap();
        let volatile = if packet.is_volatile() { " if it can" } else { "" };
        self.1.lock().unwrap().push(format!("{} gets {text}{volatile}", self.0));
        Delivery::Queued
    }
}

impl Above {
    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(format!("{}: {text}", self.name));
    }
}

impl Node for Above {
    fn fan_out(&self, f: &mut dyn FnMut()) {
        f();
        self.note("written");
    }

    fn packet(
        &self,
        event: &str,
        args: Vec<Value>,
        options: &BroadcastOptions,
    ) -> Option<Outgoing> {
        let plain = if options.compress == Some(false) { " plain" } else { "" };
        let text = format!("{event} {}{plain}", json(&args));
        (event != "unwritable").then(|| packet(&text).volatile(options.volatile))
    }

    fn ask(
        &self,
        event: &str,
        args: Vec<Value>,
        options: &BroadcastOptions,
        timeout: Duration,
        answered: Answered,
    ) -> usize {
        self.note(&format!("asks {event} {} for {} ms", json(&args), timeout.as_millis()));
        let adapter = self.adapter.get().unwrap().upgrade().unwrap();
        let sockets = adapter.local_sockets(&options.rooms, &options.except);
        // the first client answers at once, the others when the test says so
        if !sockets.is_empty() {
            answered(Value::from(format!("first of {}", self.name)));
        }
        self.asked.lock().unwrap().extend(sockets.iter().skip(1).map(|_| Arc::clone(&answered)));
        sockets.len()
    }

    fn details(&self, ids: &[SocketId]) -> Vec<SocketDetails> {
        let adapter = self.adapter.get().unwrap().upgrade().unwrap();
        let details = |id: &SocketId| {
            let mut details = SocketDetails::new(id.clone());
            details.rooms = adapter.socket_rooms(id);
            details.data = Value::from(self.name);
            details
        };
        ids.iter().map(details).collect()
    }

    fn join(&self, ids: &[SocketId], rooms: &[Room]) {
        let adapter = self.adapter.get().unwrap().upgrade().unwrap();
        for id in ids {
            drop(adapter.join(id, rooms));
        }
    }

    fn disconnect(&self, ids: &[SocketId], close: bool) {
        self.note(&format!("disconnects {ids:?} {close}").replace("SocketId", ""));
    }

    fn server_event(&self, event: String, args: Vec<Value>, reply: Option<Reply>) {
        let wants = if reply.is_some() { " and waits" } else { "" };
        self.note(&format!("hears {event} {}{wants}", json(&args)));
        self.replies.lock().unwrap().extend(reply);
    }

    fn custom_request(&self, data: Value, reply: Reply) {
        self.note(&format!("is asked {}", json(&[data])));
        self.replies.lock().unwrap().push(reply);
    }
}

impl Peer {
    /// A node with these sockets, each with its rooms.
    fn new(
        node: &ClusterNode,
        name: &'static str,
        notes: &Notes,
        sockets: &[(&str, &[&str])],
    ) -> Self {
        let adapter = Arc::new(node.adapter("/"));
        let above = Arc::new(Above {
            name,
            notes: Arc::clone(notes),
            adapter: OnceLock::from(Arc::downgrade(&adapter)),
            asked: Mutex::default(),
            replies: Mutex::default(),
        });
        let weak: Weak<Above> = Arc::downgrade(&above);
        adapter.attach(weak);
        for (id, rooms) in sockets {
            let socket = Arc::new(Socket((*id).to_owned(), Arc::clone(notes)));
            let rooms = rooms.into_rooms();
            drop(adapter.enter(&(*id).into(), socket, &rooms, &packet("")).unwrap());
        }
        Self { adapter, above }
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        self.adapter.cluster().expect("it is a node of one")
    }

    fn rooms_of(&self, id: &str) -> Vec<String> {
        self.adapter.socket_rooms(&id.into()).iter().map(|room| room.to_string()).collect()
    }
}

/// Two nodes: `a` with `a1`, `b` with `b1`, `b2` in `r`, and `b3` in `r` and `s`.
struct Two {
    broker: Broker,
    node: ClusterNode,
    a: Peer,
    b: Peer,
    notes: Notes,
}

impl Two {
    fn new(format: Format) -> Self {
        Self::over(Broker::default(), format)
    }

    fn over(broker: Broker, format: Format) -> Self {
        let node = ClusterNode::new(Arc::new(broker.clone()), format, "p".to_owned());
        let (node, notes) = (node.request_timeout(LIMIT), Notes::default());
        let a = Peer::new(&node, "a", &notes, &[("a1", &[])]);
        let b = [("b1", &[][..]), ("b2", &["r"]), ("b3", &["r", "s"])];
        let b = Peer::new(&node, "b", &notes, &b);
        Self { broker, node, a, b, notes }
    }

    fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap())
    }

    /// What was noted down since this was asked last, but for the ends of writes.
    #[track_caller]
    fn noted<T: AsRef<str>>(&self, expected: &[T]) {
        let mut notes = self.take_notes();
        notes.retain(|note| !note.ends_with("written"));
        let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(notes, expected);
    }

    /// The latest request in the sharded format that waits for answers: its id, and who asks.
    fn asked(&self) -> (String, String) {
        let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
        let request = |(_, payload): &(String, Bytes)| {
            let message = value_from_json(payload, 100).ok()?;
            Some((text(message.get("data")?.get("requestId"))?, text(message.get("uid"))?))
        };
        self.broker.published().iter().rev().find_map(request).expect("somebody asks")
    }

    /// A node answers a server-side event.
    fn answer(&self, id: &str, asker: &str, node: &str, value: usize) {
        let data = format!(r#"{{"requestId":"{id}","packet":{value}}}"#);
        let payload = format!(r#"{{"type":10,"data":{data},"uid":"{node}","nsp":"/"}}"#);
        self.broker.deliver(&format!("p#/#{asker}#"), payload.as_bytes());
    }

    /// Somebody who listens where all nodes do, and never answers.
    fn add_mute(&self, format: Format) {
        match format {
            Format::Sharded(_) => self.broker.add_mute("p#/#"),
            _ => self.broker.add_mute("p-request#/#"),
        }
        // nodes of the 4.x line are counted by these
        if matches!(format, MIXED) {
            self.broker.add_mute("p-response#/#muted#");
        }
    }
}

fn to(rooms: impl IntoRooms, except: impl IntoRooms) -> BroadcastOptions {
    BroadcastOptions {
        rooms: rooms.into_rooms(),
        except: except.into_rooms(),
        ..BroadcastOptions::default()
    }
}

fn all() -> BroadcastOptions {
    BroadcastOptions::default()
}

fn event(cluster: &dyn Cluster, name: &str, args: &[Value]) -> EventData {
    EventData::new(cluster.form(), name, &Spread(args.to_vec())).expect("it can be written")
}

fn packet(text: &str) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    Outgoing::message(buffer, HEADROOM, Vec::new())
}

fn json(values: &[Value]) -> String {
    serde_json::to_string(values).expect("values are serialisable")
}

fn sorted<T: ToString>(items: &[T]) -> Vec<String> {
    let mut items: Vec<_> = items.iter().map(T::to_string).collect();
    items.sort();
    items
}
