//! Sessions with recovery against clients that know what was meant for them, by operations that bytes
//! stand for: those of a test are random, those of a fuzzer are its input.
//!
//! ```text
//!   bounds | operation, client, [..] | operation, ..
//!
//!   operation  0: an event to many       1: one to a client      2: a volatile one, with a text
//!   (mod 13)   3, 4: the client reads some of its queue           5: its connection breaks
//!              6, 7: it comes back, perhaps before that was noticed
//!              8: it leaves for good     9, 10: a room is joined or left     11: time goes by
//!              12: a ping, whose pong says that all before it was read
//! ```
//!
//! A client that came back has each event that was meant for it once and in order. It may not come
//! back only where a bound or the time is a reason. Where its offset is a text that occurred more than
//! once it may have events twice, but misses none.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use engineio_proto::{HEADROOM, Part};

use super::*;
use crate::recovery::Clock;
use crate::{JoinError, SocketId};

/// Carries out all operations; panics where something is lost, comes twice or in another order.
pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut next = move || bytes.next();
    let Some(first) = next() else { return };
    let mut world = World::new(first);
    while let Some(operation) = next() {
        let at = usize::from(next().unwrap_or_default()) % CLIENTS;
        let more = next().unwrap_or_default();
        world.step(operation, at, more);
    }
    for at in 0..CLIENTS {
        world.come_back(at);
        world.read(at, usize::MAX);
        world.clients[at].check();
    }
}

const CLIENTS: usize = 4;
const ROOMS: [&str; 3] = ["a", "b", "c"];

/// What keeps a socket's packets until its client reads them.
#[derive(Default)]
struct Queue(Mutex<VecDeque<Outgoing>>);

impl Member for Queue {
    fn deliver(&self, packet: &Outgoing) -> Delivery {
        lock(&self.0).push_back(packet.clone());
        Delivery::Queued
    }
}

#[derive(Default)]
struct Client {
    /// Its socket's; `None` when it is away.
    queue: Option<Arc<Queue>>,
    id: String,
    pid: String,
    rooms: Vec<&'static str>,
    /// The last text at the end of an event.
    offset: Option<String>,
    /// What was meant for it in this session, and what it has of it.
    meant: Vec<u32>,
    got: Vec<u32>,
    /// Texts were taken for offsets.
    is_ambiguous: bool,
    since: u64,
    /// When it had read everything.
    alive: u64,
}

impl Client {
    /// What it has is the beginning of what was meant for it.
    fn check(&self) {
        let mut got = self.got.clone();
        if self.is_ambiguous {
            got.sort_unstable();
            got.dedup();
        }
        assert!(self.meant.starts_with(&got), "{got:?} of {:?}", self.meant);
    }
}

struct World {
    adapter: LocalAdapter,
    /// Where any socket was found last: most often it is another's.
    hint: AtomicU32,
    /// Seconds.
    time: Arc<AtomicU64>,
    clients: [Client; CLIENTS],
    count: u32,
    /// Nothing is let go of but for time.
    is_roomy: bool,
}

impl World {
    fn new(first: u8) -> Self {
        let time = Arc::new(AtomicU64::new(0));
        let hands = Arc::clone(&time);
        let start = start();
        let clock = Clock::new(move || start + Duration::from_secs(hands.load(Relaxed)));
        let mut options = RecoveryOptions::new(clock);
        let is_roomy = first % 2 == 0;
        if !is_roomy {
            options.max_packets = 4 + usize::from(first % 8);
            options.max_bytes = 60 * usize::from(4 + first % 5);
            options.max_sessions = 2 + usize::from(first % 3);
        }
        let adapter = LocalAdapter::with_recovery(10, options);
        let (clients, hint) = (Default::default(), AtomicU32::default());
        let mut world = Self { adapter, hint, time, clients, count: 0, is_roomy };
        (0..CLIENTS).for_each(|at| world.come_in(at));
        world
    }

    fn step(&mut self, operation: u8, at: usize, more: u8) {
        match operation % 13 {
            0 => self.broadcast(at, more),
            1 => {
                let event = self.event();
                let client = &mut self.clients[at];
                let id = SocketId::from(client.id.as_str());
                let to = self.adapter.emit(
                    event,
                    Target::Socket(&id, &self.hint),
                    Track::Kept(Place::Json),
                );
                assert_eq!(to.queued, usize::from(client.queue.is_some()));
                if client.queue.is_some() {
                    client.meant.push(self.count);
                }
            }
            2 => {
                let text = format!("\"{}\"", more % 4);
                let event = message(&format!("2[\"v\",{text}]"));
                let to = BroadcastOptions { volatile: true, ..BroadcastOptions::default() };
                self.adapter.emit(event, Target::Many(&to), Track::Passing(text.as_bytes()));
            }
            3 | 4 => self.read(at, usize::from(more) % 8),
            5 => self.cut(at),
            6 | 7 => self.come_back(at),
            8 => {
                let id = SocketId::from(self.clients[at].id.as_str());
                if self.clients[at].queue.take().is_some() {
                    self.adapter.leave_all(&id);
                }
                self.come_in(at);
            }
            9 | 10 => {
                let (client, room) = (&mut self.clients[at], ROOMS[usize::from(more) % 3]);
                let id = SocketId::from(client.id.as_str());
                if client.queue.is_none() {
                } else if client.rooms.contains(&room) {
                    client.rooms.retain(|other| *other != room);
                    drop(self.adapter.leave(&id, &room.into()));
                } else {
                    client.rooms.push(room);
                    let joined: Result<_, JoinError> = self.adapter.join(&id, &[room.into()]);
                    assert!(joined.is_ok());
                }
            }
            11 => self.wait(u64::from(more) / 2),
            _ => {
                let mark = self.adapter.mark();
                if let Some(queue) = &self.clients[at].queue {
                    lock(&queue.0).push_back(message(&format!("2[\"p\",{mark},0]")));
                }
            }
        }
        self.clients.iter().for_each(Client::check);
    }

    /// A client that has not read for long is found to be gone.
    fn wait(&mut self, time: u64) {
        let then = self.time.load(Relaxed) + time;
        for at in 0..CLIENTS {
            let client = &self.clients[at];
            let is_idle = client.queue.as_ref().is_none_or(|queue| lock(&queue.0).is_empty());
            match is_idle {
                true => self.clients[at].alive = then,
                false if then - client.alive > 150 => self.cut(at),
                false => {}
            }
        }
        self.time.store(then, Relaxed);
    }

    fn event(&mut self) -> Outgoing {
        self.count += 1;
        message(&format!("2[\"e\",{},\"------------\"]", self.count))
    }

    /// To the rooms of three bits and without those of three others, perhaps without a sender.
    fn broadcast(&mut self, sender: usize, bits: u8) {
        let event = self.event();
        let chosen = |bits: u8| (0..3).filter(move |bit| bits >> bit & 1 == 1);
        let names = |bits| -> Vec<&str> { chosen(bits).map(|bit| ROOMS[bit]).collect() };
        let (rooms, except) = (names(bits), names(bits >> 3));
        let sender = (bits >> 6 == 1).then_some(sender);
        let to = BroadcastOptions {
            rooms: rooms.iter().map(|room| Room::from(*room)).collect(),
            except: except.iter().map(|room| Room::from(*room)).collect(),
            sender: sender.map(|at| SocketId::from(self.clients[at].id.as_str())),
            ..BroadcastOptions::default()
        };
        self.adapter.emit(event, Target::Many(&to), Track::Kept(Place::Json));
        for (at, client) in self.clients.iter_mut().enumerate() {
            let is_in = |rooms: &[&str]| rooms.iter().any(|room| client.rooms.contains(room));
            if (rooms.is_empty() || is_in(&rooms)) && !is_in(&except) && sender != Some(at) {
                client.meant.push(self.count);
            }
        }
    }

    fn read(&mut self, at: usize, count: usize) {
        let client = &mut self.clients[at];
        let Some(queue) = &client.queue else { return };
        for _ in 0..count {
            let Some(packet) = lock(&queue.0).pop_front() else { break };
            let Some(Part::Text(text)) = packet.parts().next() else { panic!("a text") };
            let text = String::from_utf8(text.to_vec()).expect("UTF-8");
            let parts: Vec<&str> = text.split(['[', ',', ']']).collect();
            if parts[1] == "\"p\"" {
                let id = SocketId::from(client.id.as_str());
                self.adapter.taken(&id, parts[2].parse().expect("a number"));
                continue;
            }
            if parts[1] == "\"e\"" {
                client.got.push(parts[2].parse().expect("a number"));
            }
            client.alive = match lock(&queue.0).is_empty() {
                true => self.time.load(Relaxed),
                false => client.alive,
            };
            client.offset = Some(parts[parts.len() - 2].trim_matches('"').to_owned());
        }
    }

    /// The connection breaks, with all that waits in it.
    fn cut(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if client.queue.take().is_some() {
            client.since = self.time.load(Relaxed);
            self.adapter.save(&SocketId::from(client.id.as_str()), None);
        }
    }

    fn come_in(&mut self, at: usize) {
        self.count += 1;
        let old = std::mem::take(&mut self.clients[at]);
        let queue = Arc::new(Queue::default());
        let client = &mut self.clients[at];
        *client = Client {
            queue: Some(Arc::clone(&queue)),
            id: format!("id{}", self.count),
            pid: format!("pid{}", self.count),
            offset: old.offset, // which clients keep
            alive: self.time.load(Relaxed),
            ..Client::default()
        };
        let (id, claim) = (SocketId::from(client.id.as_str()), claim(client));
        let session = Session { claim: &claim, resumed: false, prepared: None };
        let entered = self.adapter.enter_session(&id, queue, &[], &message("0"), session);
        assert_eq!(entered, Ok(0));
    }

    fn come_back(&mut self, at: usize) {
        self.cut(at); // if nobody had noticed
        let queue = Arc::new(Queue::default());
        let client = &mut self.clients[at];
        let (id, claim) = (SocketId::from(client.id.as_str()), claim(client));
        let session = Session { claim: &claim, resumed: true, prepared: None };
        let member = Arc::clone(&queue);
        let entered = self.adapter.enter_session(&id, member, &[], &message("0"), session);
        let away = self.time.load(Relaxed) - client.since;
        match entered {
            Ok(missed) => {
                assert!(away <= 120, "it was away for too long");
                assert_eq!(missed, lock(&queue.0).len());
                client.is_ambiguous |= client.offset.as_ref().is_some_and(|text| text.len() == 1);
                if !client.is_ambiguous {
                    assert_eq!(client.got.len() + missed, client.meant.len(), "all that it missed");
                }
                client.queue = Some(queue);
                client.alive = self.time.load(Relaxed);
                let mut rooms: Vec<Room> = client.rooms.iter().map(|room| (*room).into()).collect();
                rooms.insert(0, Room::from(&id));
                assert_eq!(self.adapter.socket_rooms(&id), rooms);
                return;
            }
            Err(EnterError::NotRecovered(NotRecovered::Expired)) => assert!(away > 120),
            Err(EnterError::NotRecovered(NotRecovered::UnknownSession)) => {
                assert!(away > 120 || !self.is_roomy);
            }
            Err(EnterError::NotRecovered(NotRecovered::Evicted)) => {
                assert!(!self.is_roomy || self.time.load(Relaxed) > 300, "nothing was let go of");
            }
            Err(error) => panic!("{error:?}"),
        }
        self.come_in(at);
    }
}

fn claim(client: &Client) -> Claim {
    Claim { pid: client.pid.clone(), offset: client.offset.clone(), identity: String::new() }
}

fn message(text: &str) -> Outgoing {
    let mut buffer = vec![0; HEADROOM];
    buffer.extend_from_slice(text.as_bytes());
    Outgoing::message(buffer, HEADROOM, Vec::new())
}

#[expect(clippy::disallowed_methods, reason = "where the hands of the clock begin")]
fn start() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are the same in each run.
    fn random(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
    }

    #[test]
    fn clients_that_come_back_have_everything_once() {
        for seed in 0..2_000 {
            run(&random(seed).take(600).collect::<Vec<_>>());
        }
    }

    #[test]
    fn clients_of_before_see_no_offset_and_have_no_session() {
        let mut world = World::new(0);
        let (old, id) = (Arc::new(Queue::default()), SocketId::from("old"));
        assert!(world.adapter.enter(&id, old.clone(), &[], &message("0")).is_ok());
        let event = world.event();
        world.adapter.emit(
            event,
            Target::Many(&BroadcastOptions::default()),
            Track::Kept(Place::Json),
        );
        let text = |packet: &Outgoing| match packet.parts().next() {
            Some(Part::Text(text)) => String::from_utf8(text.to_vec()).unwrap(),
            _ => unreachable!("a text"),
        };
        assert_eq!(text(&lock(&old.0)[0]), format!("42[\"e\",{}]", world.count));
        world.adapter.save(&id, None);
        assert_eq!((world.adapter.away_count(), world.adapter.len()), (0, CLIENTS));
    }

    #[test]
    fn bounds_are_counted() {
        let mut world = World::new(1); // 5 packets, 3 sessions
        world.cut(0);
        (0..20).for_each(|_| world.broadcast(1, 0));
        (1..CLIENTS).for_each(|at| world.cut(at));
        let counters = &world.adapter.recovery.as_ref().unwrap().options.counters;
        assert_eq!(counters.packets.load(Relaxed) + counters.bytes.load(Relaxed), 15);
        assert_eq!((counters.sessions.load(Relaxed), world.adapter.away_count()), (1, 3));
    }
}
