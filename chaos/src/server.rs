//! The server of a run: a process of its own, which writes down what its handlers see.
//!
//! It listens on a port of its choice, prints `listening PORT`, answers each line `stats` on its
//! standard input with a line of numbers, and ends when that input does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socketio::emit::{AckError, EmitError, Spread};
use socketio::{Ack, Args, BoxError, Reason, Server, Socket, Value};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::history::{Life, Record, Recorder, Room, Text};
use crate::sender::{self, Sender};

/// The times of the heartbeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// Serves clients, or so many phones.
pub(crate) async fn serve(
    history: &Path,
    heartbeat: Heartbeat,
    phones: u32,
) -> Result<(), BoxError> {
    let history = Arc::new(Recorder::create(history)?);
    let builder = match phones {
        0 => Server::builder(),
        _ => Server::builder().connection_state_recovery(sender::recovery()),
    };
    let io = builder
        .ping_interval(heartbeat.interval)
        .ping_timeout(heartbeat.timeout)
        // a slow client is found by what waits for it
        .max_outbound_bytes(1_000_000)
        .engine(|options| options.close_timeout = heartbeat.timeout)
        .build()?;
    if phones > 0 {
        let sender = Sender::new(&io, &history, phones);
        tokio::spawn(sender.clone().send());
        io.on_connection(move |socket: Socket| sender.add(&socket));
    } else {
        let application = Application { io: io.clone(), history: Arc::clone(&history) };
        io.on_connection(move |socket: Socket| application.add(&socket));
    }
    let attached = io.listen("127.0.0.1:0").await?;
    println!("listening {}", attached.local_addr().port());
    let mut lines = BufReader::new(stdin()).lines();
    while lines.next_line().await?.is_some() {
        println!("{}", stats(&io));
    }
    let left = io.stats();
    history.add(&Record::Rest {
        sessions: left.engine.sessions as u64,
        sockets: left.sockets as u64,
        rooms: left.rooms as u64,
        acks: left.pending_acks as u64,
        handlers: left.detached_handlers as u64,
    });
    history.flush()?;
    io.close().within(Duration::from_secs(2)).await;
    Ok(())
}

/// One line: what there is now, and the memory of this process in KiB, now and at its peak.
fn stats(io: &Server) -> String {
    let stats = io.stats();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or(0_u64)
    };
    format!(
        "sessions {} sockets {} rooms {} acks {} handlers {} rss {} peak {}",
        stats.engine.sessions,
        stats.sockets,
        stats.rooms,
        stats.pending_acks,
        stats.detached_handlers,
        memory("VmRSS"),
        memory("VmHWM"),
    )
}

#[derive(Clone)]
struct Application {
    io: Server,
    history: Arc<Recorder>,
}

/// What a handler knows: who sent it, and as which of its operations.
struct Call {
    socket: Socket,
    life: Life,
    n: u32,
    args: Vec<Value>,
    ack: Ack,
}

impl Heartbeat {
    /// After so much silence a client knows that its server is gone; a busy machine may be late.
    pub(crate) fn silence(self) -> Duration {
        self.interval + self.timeout + SLACK
    }
}

impl Application {
    fn add(&self, socket: &Socket) {
        let life = socket.handshake().param("life").and_then(|life| life.parse().ok());
        // something else than our clients
        let Some(life) = life else { return socket.disconnect(true) };
        self.history.add(&Record::Connected { life });
        let history = Arc::clone(&self.history);
        socket.on_disconnect(move |Reason(reason): Reason| {
            let reason = match reason.detail() {
                Some(detail) => format!("{reason}, {detail:?}"),
                None => reason.to_string(),
            };
            history.add(&Record::Disconnected { life, reason: Text::from(reason.as_str()) });
        });
        self.on(socket, life, "echo", |_, call| call.socket.emit("r", Spread(call.args)));
        self.on(socket, life, "ack", |_, call| call.ack.send(call.n));
        self.on(socket, life, "ask", Self::ask);
        self.on(socket, life, "join", move |this, call| {
            let Some(room) = room(&call.args) else { return Ok(()) };
            this.history.add(&Record::Joining { life, room });
            drop(call.socket.join(room.to_string()));
            this.history.add(&Record::Joined { life, room });
            call.ack.send(call.n)
        });
        self.on(socket, life, "leave", move |this, call| {
            let Some(room) = room(&call.args) else { return Ok(()) };
            this.history.add(&Record::Leaving { life, room });
            drop(call.socket.leave(room.to_string()));
            this.history.add(&Record::Left { life, room });
            call.ack.send(call.n)
        });
        self.on(socket, life, "say", |this, call| this.cast(call, false));
        self.on(socket, life, "others", |this, call| this.cast(call, true));
        self.on(socket, life, "flood", |_, call| {
            let count = call.args.get(1).and_then(|count| count.as_u64()).unwrap_or(0);
            let pad = "f".repeat(4000);
            // it is disconnected on the way
            (0..count).try_for_each(|k| call.socket.emit("f", (k, &pad)))
        });
        self.on(socket, life, "kick", move |this, call| {
            this.history.add(&Record::Kicked { life });
            call.socket.disconnect(call.args.get(1) == Some(&Value::Bool(true)));
            Ok(())
        });
        let history = Arc::clone(&self.history);
        socket.on("later", async move |Args(args): Args, ack: Ack| {
            let n = number(&args);
            history.add(&Record::Received { life, n });
            tokio::time::sleep(Duration::from_millis(u64::from(n) * 97 % 1500)).await;
            ack.send(n)
        });
    }

    fn on(
        &self,
        socket: &Socket,
        life: Life,
        event: &'static str,
        handle: impl Fn(&Self, Call) -> Result<(), EmitError> + Send + Sync + 'static,
    ) {
        let this = self.clone();
        socket.on(event, move |socket: Socket, Args(args): Args, ack: Ack| {
            let n = number(&args);
            this.history.add(&Record::Received { life, n });
            // who is gone by now gets nothing: the history tells
            let _ = handle(&this, Call { socket, life, n, args, ack });
        });
    }

    fn ask(&self, call: Call) -> Result<(), EmitError> {
        let Call { socket, life, n, .. } = call;
        self.history.add(&Record::Asked { life, n });
        let history = Arc::clone(&self.history);
        socket.emit_with_ack("ask", n).timeout(ASK_TIMEOUT).callback(
            move |answer: Result<(String, u32), AckError>| {
                let result = match answer {
                    Ok((word, found)) if word == "yes" && found == n => "ok".to_owned(),
                    Ok(other) => format!("wrong {other:?}"),
                    Err(AckError::Timeout) => "timeout".to_owned(),
                    Err(AckError::Disconnected) => "disconnected".to_owned(),
                    Err(other) => format!("error {other}"),
                };
                history.add(&Record::Answered { life, n, result: Text::from(result.as_str()) });
            },
        );
        Ok(())
    }

    fn cast(&self, call: Call, except: bool) -> Result<(), EmitError> {
        let Call { socket, life, n, mut args, ack } = call;
        let Some(room) = room(&args) else { return Ok(()) };
        args.splice(0..2, [Value::from(life.to_string()), Value::from(n)]);
        let args = Spread(args);
        self.history.add(&Record::Cast { life, n, room, except });
        match room {
            Room::All if except => socket.broadcast().emit("said", args),
            Room::All => self.io.emit("said", args),
            room if except => socket.to(room.to_string()).emit("said", args),
            room => self.io.to(room.to_string()).emit("said", args),
        }?;
        self.history.add(&Record::Done { life, n });
        ack.send(n)
    }
}

fn number(args: &[Value]) -> u32 {
    args.first().and_then(|n| n.as_u64()).map_or(u32::MAX, |n| n as u32)
}

fn room(args: &[Value]) -> Option<Room> {
    args.get(1)?.as_str()?.parse().ok()
}

/// What a busy machine may add to the times of the heartbeat.
pub(crate) const SLACK: Duration = Duration::from_secs(6);

/// Some clients never answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
