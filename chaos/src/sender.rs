//! The server of phones: it sends numbered events to rooms and sessions, and writes down for whom each
//! was meant.
//!
//! One lock is held while an event is numbered, written down and sent, and while a session begins or
//! changes rooms. So the lines are in the order in which all of it happened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socketio::emit::EmitError;
use socketio::events::Recovery;
use socketio::options::ConnectionStateRecovery;
use socketio::{Data, Reason, Server, Socket};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::history::{Life, Record, Recorder, Room, Text};
use crate::plan::Rng;

/// Nobody is away for as long, and nothing is let go of.
pub(crate) fn recovery() -> ConnectionStateRecovery {
    let mut recovery = ConnectionStateRecovery::default();
    recovery.max_disconnection_duration = Duration::from_secs(120);
    recovery.max_kept_packets = 1_000_000;
    recovery.max_kept_bytes = 256 * 1024 * 1024;
    recovery.max_away_sessions = 1_000_000;
    recovery
}

#[derive(Clone)]
pub(crate) struct Sender(Arc<Inner>);

struct Inner {
    io: Server,
    history: Arc<Recorder>,
    rooms: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the last event.
    n: u64,
    sessions: Vec<Life>,
    /// The room of each session's own.
    own: HashMap<Life, String>,
}

impl Sender {
    pub(crate) fn new(io: &Server, history: &Arc<Recorder>, phones: u32) -> Self {
        let (io, history) = (io.clone(), Arc::clone(history));
        let rooms = u64::from(phones) / 8 + 1;
        Self(Arc::new(Inner { io, history, rooms, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, record: &Record) {
        self.0.history.add(record);
    }

    /// Sends for as long as the server runs.
    pub(crate) async fn send(self) {
        let mut ticks: Interval = interval(Duration::from_millis(4));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rng = Rng::of(0, Life { client: 0, number: 0 }, 9);
        loop {
            ticks.tick().await;
            self.next(&mut rng);
        }
    }

    fn next(&self, rng: &mut Rng) {
        let mut state = self.state();
        if state.sessions.is_empty() {
            return;
        }
        state.n += 1;
        let n = state.n;
        let io = &self.0.io;
        let sent = match rng.below(300) {
            0 => {
                self.record(&Record::Meant { n, room: Room::All });
                io.to("*").emit("e", n)
            }
            kind => {
                let session = state.sessions[rng.below(state.sessions.len() as u64) as usize];
                let own = &state.own[&session];
                match kind {
                    1..=20 => io.to(own).volatile().emit("v", format!("v{n}")),
                    21..=70 => {
                        self.record(&Record::Told { n, session });
                        io.to(own).emit("e", n)
                    }
                    _ => {
                        let room = Room::Number(rng.below(self.0.rooms) as u32);
                        self.record(&Record::Meant { n, room });
                        io.to(room.to_string()).emit("e", n)
                    }
                }
            }
        };
        assert!(sent.is_ok(), "a broadcast does not fail");
    }

    pub(crate) fn add(&self, socket: &Socket) {
        let life = socket.handshake().param("life").and_then(|life| life.parse().ok());
        let Some(life) = life else { return socket.disconnect(true) };
        self.record(&Record::Connected { life });
        let history = Arc::clone(&self.0.history);
        socket.on_disconnect(move |Reason(reason): Reason| {
            history.add(&Record::Disconnected { life, reason: Text::from(reason.as_str()) });
        });
        let Some(session) = self.session(socket, life) else { return socket.disconnect(true) };
        let this = self.clone();
        socket.on("enter", move |socket: Socket, Data(room): Data<u32>| {
            let (_state, room) = (this.state(), Room::Number(room));
            this.record(&Record::Entered { session, room });
            drop(socket.join(room.to_string()));
        });
        let this = self.clone();
        socket.on("go", move |socket: Socket, Data(room): Data<u32>| {
            let (_state, room) = (this.state(), Room::Number(room));
            this.record(&Record::Gone { session, room });
            drop(socket.leave(room.to_string()));
        });
        let this = self.clone();
        socket.on("more", move |socket: Socket, Data(count): Data<u64>| -> Result<(), EmitError> {
            let mut state = this.state();
            for _ in 0..count {
                let n = state.n + 1;
                // what cannot be sent is meant for nobody
                socket.emit("e", n)?;
                state.n = n;
                this.record(&Record::Told { n, session });
            }
            Ok(())
        });
        let this = self.clone();
        socket.on("fin", move |socket: Socket| {
            let _state = this.state();
            this.record(&Record::Fin { session });
            socket.emit("fin", life.number)
        });
    }

    /// The session that a socket goes on with, or begins.
    fn session(&self, socket: &Socket, life: Life) -> Option<Life> {
        let mut state = self.state();
        match socket.recovery() {
            Recovery::Recovered { missed } => {
                // as it was before
                let session = socket.data::<String>()?.parse().ok()?;
                self.record(&Record::Resumed { life, session, missed: missed as u64 });
                Some(session)
            }
            Recovery::NotRecovered(_) => {
                self.record(&Record::Begun { session: life });
                socket.set_data(&life.to_string()).ok()?;
                drop(socket.join("*"));
                state.sessions.push(life);
                state.own.insert(life, socket.id().to_string());
                Some(life)
            }
        }
    }
}
