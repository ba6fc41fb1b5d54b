//! The in-memory adapter.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use engineio_proto::{Outgoing, PacketType, Part};
use socketio_adapter::{
    Adapter, AdapterError, AdapterFactory, Answered, BroadcastOptions, Completion, Delivered,
    Delivery, EnterError, IntoRooms, JoinError, LocalAdapter, LocalAdapterFactory, Member, Node,
    Reply, Room, SocketDetails, SocketId,
};
use socketio_parser::Value;

/// A socket that notes down what it gets.
struct Recorder {
    got: Mutex<Vec<String>>,
    answer: fn(volatile: bool) -> Delivery,
}

impl Member for Recorder {
    fn deliver(&self, packet: &Outgoing) -> Delivery {
        let Some(Part::Text(text)) = packet.parts().next() else { panic!("only text is sent") };
        self.got.lock().unwrap().push(String::from_utf8(text[1..].to_vec()).unwrap());
        (self.answer)(packet.is_volatile())
    }
}

/// An adapter and its sockets.
struct Fixture {
    adapter: Arc<dyn Adapter>,
    sockets: Vec<(SocketId, Arc<Recorder>)>,
}

impl Fixture {
    /// An adapter with sockets of these ids.
    fn new(ids: &[&str]) -> Self {
        let adapter = LocalAdapterFactory::default().max_rooms_per_socket(3).create("/");
        let mut fixture = Self { adapter, sockets: Vec::new() };
        for id in ids {
            fixture.add(id, |_| Delivery::Queued);
        }
        fixture
    }

    fn add(&mut self, id: &str, answer: fn(bool) -> Delivery) {
        let (id, member) =
            (SocketId::from(id), Arc::new(Recorder { got: Mutex::default(), answer }));
        drop(self.adapter.enter(&id, Arc::clone(&member) as _, &[], &packet("")).unwrap());
        self.sockets.push((id, member));
    }

    #[track_caller]
    fn join(&self, id: &str, rooms: impl IntoRooms) {
        let joined = self.adapter.join(&id.into(), &rooms.into_rooms()).unwrap();
        assert!(matches!(poll(joined), Poll::Ready(Ok(()))));
    }

    #[track_caller]
    fn leave(&self, id: &str, room: &str) {
        let left = self.adapter.leave(&id.into(), &room.into());
        assert!(matches!(poll(left), Poll::Ready(Ok(()))));
    }

    #[track_caller]
    fn check_rooms(&self, id: &str, expected: &[&str]) {
        assert_eq!(self.adapter.socket_rooms(&id.into()), expected);
    }

    /// Broadcasts to `rooms` without `except`: those in `expected` get it, once.
    #[track_caller]
    fn check(&self, rooms: impl IntoRooms, except: impl IntoRooms, expected: &[&str]) {
        let options = BroadcastOptions {
            rooms: rooms.into_rooms(),
            except: except.into_rooms(),
            ..BroadcastOptions::default()
        };
        self.check_options(&options, expected);
        let sockets = self.adapter.local_sockets(&options.rooms, &options.except);
        assert_eq!(sockets, expected, "as local_sockets() has it");
    }

    #[track_caller]
    fn check_options(&self, options: &BroadcastOptions, expected: &[&str]) {
        let delivered = self.adapter.broadcast(&packet("x"), options);
        assert_eq!(delivered, Delivered { queued: expected.len(), dropped: 0 });
        let got = self.sockets.iter().flat_map(|(id, member)| {
            let got = std::mem::take(&mut *member.got.lock().unwrap());
            got.into_iter().map(|_| id.clone())
        });
        assert_eq!(got.collect::<Vec<_>>(), expected);
    }
}

fn packet(text: &str) -> Outgoing {
    Outgoing::packet(PacketType::Message, text)
}

fn poll<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()))
}

const NONE: [&str; 0] = [];

#[test]
fn a_socket_is_in_its_own_room() {
    let io = Fixture::new(&["a", "b"]);
    io.check_rooms("a", &["a"]);
    io.check(NONE, NONE, &["a", "b"]);
    io.check("a", NONE, &["a"]);
    assert_eq!((io.adapter.len(), io.adapter.room_count()), (2, 0));
}

#[test]
fn rooms_are_joined_once_and_in_order() {
    let io = Fixture::new(&["a", "b"]);
    io.join("a", ["z", "y", "z"]);
    io.join("a", "z");
    io.join("a", ["x", "y"]);
    io.check_rooms("a", &["a", "z", "y", "x"]);
    io.check("z", NONE, &["a"]);
    io.leave("a", "z");
    io.leave("a", "z");
    io.leave("a", "unknown");
    io.check_rooms("a", &["a", "y", "x"]);
    io.join("a", "z");
    io.check_rooms("a", &["a", "y", "x", "z"]);
    assert_eq!(io.adapter.room_count(), 3);
}

#[test]
fn the_own_room_can_be_left_and_joined_again() {
    let io = Fixture::new(&["a", "b"]);
    io.join("a", "r");
    io.leave("a", "a");
    io.check_rooms("a", &["r"]);
    io.check("a", NONE, &[]);
    io.check(NONE, "a", &["a", "b"]);
    io.join("a", "a");
    io.check_rooms("a", &["a", "r"]);
    io.check("a", NONE, &["a"]);
}

#[test]
fn others_may_join_the_room_of_a_socket() {
    let mut io = Fixture::new(&["a", "b", "c"]);
    io.join("b", "a");
    io.check("a", NONE, &["a", "b"]);
    io.check(NONE, "a", &["c"]);
    io.leave("a", "a");
    io.check("a", NONE, &["b"]);
    io.join("a", "a");
    io.adapter.leave_all(&"a".into());
    io.check("a", NONE, &["b"]);
    // the room outlives its name's owner, whose successor is in it at once
    io.add("a", |_| Delivery::Queued);
    io.sockets.remove(0);
    io.check("a", NONE, &["b", "a"]);
}

#[test]
fn each_member_of_several_rooms_gets_it_once() {
    let io = Fixture::new(&["a", "b", "c", "d"]);
    io.join("a", ["r", "s"]);
    io.join("b", "r");
    io.join("c", "s");
    io.check(["r", "s"], NONE, &["a", "b", "c"]);
    io.check(["r", "r"], NONE, &["a", "b"]);
    io.check(["s", "b", "a"], NONE, &["a", "b", "c"]);
    io.check(["unknown", "r"], NONE, &["a", "b"]);
    io.check("unknown", NONE, &[]);
}

#[test]
fn members_of_excepted_rooms_are_left_out() {
    let io = Fixture::new(&["a", "b", "c"]);
    io.join("a", ["r", "s"]);
    io.join("b", "r");
    io.check(NONE, "r", &["c"]);
    io.check("r", "s", &["b"]);
    io.check("r", "r", &[]);
    io.check("r", ["unknown", "b"], &["a"]);
    io.check(["r", "c"], ["s", "b"], &["c"]);
}

#[test]
fn the_sender_alone_is_left_out() {
    let io = Fixture::new(&["a", "b", "c"]);
    let options = |rooms: &[&str], except: &[&str], sender: &str| BroadcastOptions {
        rooms: rooms.into_rooms(),
        except: except.into_rooms(),
        sender: Some(sender.into()),
        ..BroadcastOptions::default()
    };
    io.join("b", ["a", "r"]);
    io.join("a", "r");
    io.check_options(&options(&[], &[], "a"), &["b", "c"]);
    io.check_options(&options(&["r"], &[], "a"), &["b"]);
    io.check_options(&options(&["r", "a"], &[], "a"), &["b"]);
    io.check_options(&options(&["a"], &[], "a"), &["b"]);
    io.check_options(&options(&[], &["c"], "a"), &["b"]);
    io.check_options(&options(&["r"], &[], "gone"), &["a", "b"]);
    io.leave("a", "a");
    io.check_options(&options(&[], &[], "a"), &["b", "c"]);
}

#[test]
fn a_removed_socket_is_in_no_room() {
    let io = Fixture::new(&["a", "b", "c"]);
    for id in ["a", "b", "c"] {
        io.join(id, ["r", "s"]);
    }
    io.join("a", "only-a");
    io.adapter.leave_all(&"a".into());
    io.adapter.leave_all(&"a".into());
    io.check_rooms("a", &[]);
    io.check(NONE, NONE, &["b", "c"]);
    io.check("a", NONE, &[]);
    io.check("r", NONE, &["b", "c"]);
    assert_eq!((io.adapter.len(), io.adapter.room_count()), (2, 2));
    io.join("a", "r"); // too late: ignored
    io.check_rooms("a", &[]);
    io.check("r", NONE, &["b", "c"]);
    assert_eq!(Arc::strong_count(&io.sockets[0].1), 1);
}

#[test]
fn sockets_are_listed_in_the_order_of_being_added() {
    let mut io = Fixture::new(&["a", "b", "c"]);
    io.adapter.leave_all(&"a".into());
    io.sockets.remove(0);
    io.add("d", |_| Delivery::Queued); // takes the place of a
    io.join("d", "r");
    io.join("b", "r");
    io.check(NONE, NONE, &["b", "c", "d"]);
    io.check("r", NONE, &["b", "d"]);
}

#[test]
fn an_id_is_added_once() {
    let io = Fixture::new(&["a"]);
    io.join("a", "r");
    let other = Arc::new(Recorder { got: Mutex::default(), answer: |_| Delivery::Queued });
    let entered = io.adapter.enter(&"a".into(), Arc::clone(&other) as _, &[], &packet(""));
    assert_eq!(entered.unwrap_err(), EnterError::DuplicateId);
    assert_eq!(Arc::strong_count(&other), 1);
    io.check_rooms("a", &["a", "r"]);
    io.check(NONE, NONE, &["a"]);
}

/// A socket that says whether it opens, and notes down what it gets.
struct Entering(bool, Mutex<Vec<String>>);

impl Member for Entering {
    fn open(&self, answer: &Outgoing) -> bool {
        if self.0 {
            assert_eq!(self.deliver(answer), Delivery::Queued);
        }
        self.0
    }

    fn deliver(&self, packet: &Outgoing) -> Delivery {
        let Some(Part::Text(text)) = packet.parts().next() else { panic!("only text is sent") };
        self.1.lock().unwrap().push(String::from_utf8(text[1..].to_vec()).unwrap());
        Delivery::Queued
    }
}

#[test]
fn a_socket_enters_as_a_whole_or_not_at_all() {
    let io = Fixture::new(&["a"]);
    let enter = |opens, rooms: &[&str]| {
        let member = Arc::new(Entering(opens, Mutex::default()));
        let rooms = rooms.into_rooms();
        let entered =
            io.adapter.enter(&"b".into(), Arc::clone(&member) as _, &rooms, &packet("hi"));
        (entered.map(drop), member)
    };
    let limit = JoinError::TooManyRooms { limit: 3 };
    for (opens, rooms, error) in [
        (true, &["r", "s", "t", "u"][..], EnterError::Join(limit)),
        (false, &["r", "s"], EnterError::Closed),
    ] {
        let (entered, member) = enter(opens, rooms);
        assert_eq!(entered, Err(error));
        assert!(member.1.lock().unwrap().is_empty());
        assert_eq!(Arc::strong_count(&member), 1);
        assert_eq!((io.adapter.len(), io.adapter.room_count()), (1, 0));
        io.check_rooms("b", &[]);
    }
    assert!(EnterError::Join(limit).source().is_some() && EnterError::Closed.source().is_none());
    let (entered, member) = enter(true, &["r", "b", "s"]);
    assert_eq!(entered, Ok(()));
    io.check_rooms("b", &["b", "r", "s"]);
    let to_r = BroadcastOptions { rooms: "r".into_rooms(), ..BroadcastOptions::default() };
    let _ = io.adapter.broadcast(&packet("to r"), &to_r);
    io.adapter.leave_all(&"b".into());
    let _ = io.adapter.broadcast(&packet("too late"), &BroadcastOptions::default());
    assert_eq!(*member.1.lock().unwrap(), ["hi", "to r"]);
    assert_eq!(Arc::strong_count(&member), 1);
}

/// Who enters while others send gets the answer first, and then all that comes after it.
#[test]
fn nothing_comes_before_the_answer_and_nothing_is_missed() {
    let io = Fixture::new(&["a"]);
    let members: Vec<_> = (0..50).map(|_| Arc::new(Entering(true, Mutex::default()))).collect();
    thread::scope(|scope| {
        let adapter = &io.adapter;
        scope.spawn(move || {
            for i in 0..2000 {
                let _ = adapter.broadcast(&packet(&i.to_string()), &BroadcastOptions::default());
            }
        });
        for (at, member) in members.iter().enumerate() {
            let id = format!("m{at}").into();
            drop(adapter.enter(&id, Arc::clone(member) as _, &[], &packet("hi")).unwrap());
        }
    });
    for member in members {
        let got = member.1.lock().unwrap();
        assert_eq!(got[0], "hi");
        let last: Vec<String> = (2001 - got.len()..2000).map(|i| i.to_string()).collect();
        assert_eq!(got[1..], last);
    }
}

/// The layer above, as far as it wants to know who is where.
struct Observing(bool, Mutex<Vec<String>>);

impl Observing {
    fn note(&self, text: String) {
        self.1.lock().unwrap().push(text);
    }
}

impl Node for Observing {
    fn is_observed(&self) -> bool {
        self.0
    }
    fn joined(&self, id: &SocketId, room: &Room) {
        self.note(format!("{id} in {room}"));
    }
    fn left(&self, id: &SocketId, room: &Room) {
        self.note(format!("{id} out of {room}"));
    }
    fn room_opened(&self, room: &Room) {
        self.note(format!("{room} opens"));
    }
    fn room_closed(&self, room: &Room) {
        self.note(format!("{room} closes"));
    }
    fn packet(&self, _: &str, _: Vec<Value>, _: &BroadcastOptions) -> Option<Outgoing> {
        None
    }
    fn ask(&self, _: &str, _: Vec<Value>, _: &BroadcastOptions, _: Duration, _: Answered) -> usize {
        0
    }
    fn details(&self, _: &[SocketId]) -> Vec<SocketDetails> {
        Vec::new()
    }
    fn join(&self, _: &[SocketId], _: &[Room]) {}
    fn disconnect(&self, _: &[SocketId], _: bool) {}
    fn server_event(&self, _: String, _: Vec<Value>, _: Option<Reply>) {}
    fn custom_request(&self, _: Value, _: Reply) {}
}

#[test]
fn who_wants_to_know_is_told_who_is_where() {
    let mut io = Fixture::new(&["a"]);
    let observing = Arc::new(Observing(true, Mutex::default()));
    let weak: Weak<Observing> = Arc::downgrade(&observing);
    io.adapter.attach(weak);
    let told = |expected: &[&str]| {
        assert_eq!(std::mem::take(&mut *observing.1.lock().unwrap()), expected);
    };
    told(&["a opens", "a in a"]); // it was there before
    io.join("a", ["r", "r", "a"]);
    told(&["r opens", "a in r"]);
    io.add("b", |_| Delivery::Queued);
    io.join("b", ["r", "a"]);
    told(&["b opens", "b in b", "b in r", "b in a"]);
    assert!(io.adapter.join(&"b".into(), &["s", "t", "u"].into_rooms()).is_err());
    told(&[]);
    let closed = Arc::new(Entering(false, Mutex::default()));
    assert!(io.adapter.enter(&"c".into(), closed, &["s".into()], &packet("")).is_err());
    told(&[]);
    io.leave("a", "a");
    io.leave("a", "a");
    io.leave("a", "r");
    told(&["a out of a", "a out of r"]);
    io.adapter.leave_all(&"b".into());
    io.adapter.leave_all(&"b".into());
    told(&["b out of b", "b closes", "b out of r", "r closes", "b out of a", "a closes"]);
}

#[test]
fn who_does_not_want_to_know_is_not_told() {
    let io = Fixture::new(&["a"]);
    let above = Arc::new(Observing(false, Mutex::default()));
    let weak: Weak<Observing> = Arc::downgrade(&above);
    io.adapter.attach(weak);
    io.join("a", "r");
    io.adapter.leave_all(&"a".into());
    assert!(above.1.lock().unwrap().is_empty());
}

#[test]
fn rooms_per_socket_are_limited() {
    let io = Fixture::new(&["a"]);
    let join = |rooms: &[&str]| io.adapter.join(&"a".into(), &rooms.into_rooms()).map(drop);
    io.join("a", "r1");
    io.leave("a", "a");
    let error = JoinError::TooManyRooms { limit: 3 };
    assert_eq!(join(&["r2", "a", "r3", "r4"]), Err(error));
    assert_eq!(error.to_string(), "a socket may be in 3 rooms at most");
    io.check_rooms("a", &["r1"]);
    assert_eq!(io.adapter.room_count(), 1);
    // the own room and those already joined do not count
    assert_eq!(join(&["r2", "a", "r1", "r3", "r2"]), Ok(()));
    assert_eq!(join(&["r4"]), Err(error));
    io.check_rooms("a", &["a", "r1", "r2", "r3"]);
    io.leave("a", "r2");
    assert_eq!(join(&["r4"]), Ok(()));
    io.check_rooms("a", &["a", "r1", "r3", "r4"]);
}

#[test]
fn what_became_of_a_broadcast_is_counted() {
    let mut io = Fixture::new(&["a", "b"]);
    io.add("slow", |volatile| if volatile { Delivery::Dropped } else { Delivery::Queued });
    io.add("full", |_| Delivery::Dropped);
    io.add("closed", |_| Delivery::Closed);
    let mut options = BroadcastOptions::default();
    let delivered = io.adapter.broadcast(&packet("x"), &options);
    assert_eq!(delivered, Delivered { queued: 3, dropped: 1 });
    options.volatile = true;
    let delivered = io.adapter.broadcast(&packet("x").volatile(true), &options);
    assert_eq!(delivered, Delivered { queued: 2, dropped: 2 });
}

#[test]
fn all_members_see_one_order() {
    let io = Fixture::new(&["a", "b", "c", "d"]);
    thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            let adapter = &io.adapter;
            scope.spawn(move || {
                for i in 0..200 {
                    adapter
                        .broadcast(&packet(&format!("{name} {i}")), &BroadcastOptions::default());
                }
            });
        }
    });
    let got = |index: usize| io.sockets[index].1.got.lock().unwrap().clone();
    assert_eq!(got(0).len(), 600);
    for other in 1..4 {
        assert_eq!(got(0), got(other));
    }
}

#[test]
fn a_panic_of_a_member_does_not_end_the_namespace() {
    let mut io = Fixture::new(&[]);
    io.add("a", |volatile| if volatile { panic!("a member's own") } else { Delivery::Queued });
    let volatile = BroadcastOptions { volatile: true, ..BroadcastOptions::default() };
    let adapter = Arc::clone(&io.adapter);
    assert!(
        thread::spawn(move || adapter.broadcast(&packet("x").volatile(true), &volatile))
            .join()
            .is_err()
    );
    io.sockets[0].1.got.lock().unwrap().clear();
    io.join("a", "r");
    io.check("r", NONE, &["a"]);
}

#[test]
fn a_membership_ends_as_the_adapter_says() {
    assert!(matches!(poll(Completion::done()), Poll::Ready(Ok(()))));
    assert!(poll(Completion::until(Box::pin(std::future::pending()))).is_pending());
    let error = AdapterError::from(JoinError::TooManyRooms { limit: 1 });
    assert_eq!(error.to_string(), "the socket could not join");
    assert!(matches!(poll(Completion::from(error)), Poll::Ready(Err(AdapterError::Join(_)))));
}

#[test]
fn the_default_close_is_done() {
    let adapter = LocalAdapter::new(1);
    assert!(matches!(poll(adapter.close()), Poll::Ready(Ok(()))));
    assert_eq!(LocalAdapterFactory::default().name(), "local");
}

#[test]
fn types_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<LocalAdapter>();
    check::<LocalAdapterFactory>();
    check::<SocketId>();
    check::<Room>();
    check::<BroadcastOptions>();
    check::<AdapterError>();
}
