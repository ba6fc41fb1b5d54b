//! The clients: each comes, does what its plan says, ends in one of many ways, and comes again.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use socketio_testkit::protocol::{SocketIoDecoder, SocketIoKind, SocketIoPacket};
use socketio_testkit::{Eio, Packet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::history::{Life, Op, Record, Recorder, Room, Text};
use crate::link::{Cause, Link, bad};
use crate::plan::{Ending, Plan, Rng, Transport, room};
use crate::proxy::Way;
use crate::server::Heartbeat;

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) server: SocketAddr,
    pub(crate) seed: u64,
    pub(crate) clients: u32,
    pub(crate) history: Arc<Recorder>,
    pub(crate) heartbeat: Heartbeat,
    /// Milliseconds between two operations of a client, on average.
    pub(crate) pace: u64,
    /// The clients come one after the other, during this time.
    pub(crate) ramp: Duration,
    /// From then on nobody comes and nothing new is asked.
    pub(crate) stop: Instant,
}

/// One client, until the run stops.
pub(crate) async fn client(run: Arc<Run>, client: u32) {
    let mut rng = Rng::of(run.seed, Life { client, number: 0 }, 0);
    sleep(rng.ms(0, run.ramp.as_millis() as u64)).await;
    for number in 1.. {
        if Instant::now() >= run.stop {
            return;
        }
        live(&run, Life { client, number }).await;
        sleep(rng.ms(0, run.pace)).await;
    }
}

async fn live(run: &Run, life: Life) {
    let plan = Plan::of(run.seed, life, run.pace);
    let how = Text::from(plan.describe().as_str());
    run.history.add(&Record::Open { life, how });
    let way = Arc::new(Way {
        server: run.server,
        life,
        fault: plan.fault,
        seed: run.seed,
        history: Arc::clone(&run.history),
        patience: run.heartbeat.silence(),
        reset: AtomicBool::new(false),
        stall: AtomicU64::new(0),
        connections: AtomicU64::new(0),
    });
    let polling = plan.transport != Transport::WebSocket;
    let opening = Link::open(&way, plan.eio, polling, plan.base64);
    let cause = match timeout(Duration::from_secs(30), opening).await {
        Ok(Ok(link)) => {
            let mut rng = Rng::of(run.seed, life, 1);
            let upgrade_at = match plan.transport {
                Transport::Upgrade => Some(rng.below(4) as u32),
                _ => None,
            };
            let now = Instant::now();
            let mut session = Session {
                run,
                life,
                plan,
                way: &way,
                rng,
                link,
                phase: Phase::Working,
                until: now + Duration::from_secs(30),
                is_up: false,
                next: 0,
                upgrade_at,
                rooms: Vec::new(),
                in_order: 0,
                later: HashSet::new(),
                due: now,
                decoder: SocketIoDecoder::default(),
            };
            session.talk().await.err().unwrap_or_else(|| "goodbye".to_owned())
        }
        Ok(Err(cause)) => format!("no-handshake {cause}"),
        Err(_) => "no-handshake timeout".to_owned(),
    };
    if cause.contains("bad") {
        run.history.add(&Record::Bad { life, what: Text::from(cause.as_str()) });
    }
    run.history.add(&Record::End { life, cause: Text::from(cause.as_str()) });
}

struct Session<'a> {
    run: &'a Run,
    life: Life,
    plan: Plan,
    way: &'a Way,
    rng: Rng,
    link: Link,
    phase: Phase,
    /// When the phase has taken too long.
    until: Instant,
    is_up: bool,
    /// The number of the next operation.
    next: u32,
    /// Before this operation the session changes to WebSocket.
    upgrade_at: Option<u32>,
    rooms: Vec<Room>,
    /// Answers that are still to come: those that keep their order, and the others.
    in_order: usize,
    later: HashSet<u32>,
    /// The next operation.
    due: Instant,
    decoder: SocketIoDecoder,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Working,
    /// All operations are done: it stays until all end.
    Idle,
    /// The answers are waited for, then it says goodbye.
    Finishing,
    /// The server is to end it.
    Ending,
}

impl Session<'_> {
    /// Until it says goodbye, or with the cause of another end.
    async fn talk(&mut self) -> Result<(), Cause> {
        if self.plan.eio == Eio::V4 {
            let connect = SocketIoPacket::new(SocketIoKind::Connect, Value::Null);
            self.link.send(&connect.encode()).await?;
        }
        loop {
            let wake = self.due.min(self.until);
            let wake = self.link.deadline().map_or(wake, |deadline| wake.min(deadline.into()));
            tokio::select! {
                biased;
                packet = self.link.next() => self.on_packet(packet?).await?,
                () = sleep_until(wake) => {}
            }
            self.link.on_deadline().await?;
            let now = Instant::now();
            if now >= self.until {
                return Err("gave-up".to_owned());
            }
            if self.phase == Phase::Finishing && self.in_order == 0 && self.later.is_empty() {
                let word = if self.rng.percent(50) { "41" } else { "1" };
                let _ = self.link.send(&[Packet::Text(word.to_owned())]).await;
                return Ok(());
            }
            if self.is_up && now >= self.due {
                self.go_on(now).await?;
            }
        }
    }

    /// The next operation, or the next phase.
    async fn go_on(&mut self, now: Instant) -> Result<(), Cause> {
        let stopped = now >= self.run.stop;
        match self.phase {
            Phase::Working if self.upgrade_at == Some(self.next) => {
                self.upgrade_at = None;
                self.link.upgrade().await?;
            }
            Phase::Working if !stopped && u64::from(self.next) < self.plan.ops => {
                self.due = now + self.rng.ms(0, self.plan.pause);
                let op = self.draw();
                self.ask(op).await?;
            }
            Phase::Working if stopped || self.plan.ending == Ending::Stay => {
                self.phase = Phase::Idle;
                self.due = now.max(self.run.stop + QUIET);
                self.until = self.due + PHASE;
            }
            Phase::Working => {
                self.until = now + PHASE;
                match self.plan.ending {
                    Ending::Vanish { reset } => {
                        self.way.reset.store(reset, Ordering::Relaxed);
                        return Err("vanished".to_owned());
                    }
                    Ending::Kick { close } => {
                        self.phase = Phase::Ending;
                        self.ask(Op::Kick(close)).await?;
                    }
                    Ending::Slow => {
                        self.phase = Phase::Ending;
                        let stall = self.rng.between(1_000, 8_000);
                        self.way.stall.store(stall, Ordering::Relaxed);
                        self.run.history.add(&Record::Stall { life: self.life });
                        self.ask(Op::Flood(FLOOD)).await?;
                    }
                    Ending::Goodbye | Ending::Stay => self.finish().await?,
                }
            }
            Phase::Idle => self.finish().await?,
            Phase::Finishing | Phase::Ending => self.due = self.until,
        }
        Ok(())
    }

    /// A last question, whose answer has everything before it.
    async fn finish(&mut self) -> Result<(), Cause> {
        self.phase = Phase::Finishing;
        self.until = Instant::now() + PHASE;
        self.due = self.until;
        self.ask(Op::Ack).await
    }

    fn draw(&mut self) -> Op {
        let clients = u64::from(self.run.clients);
        // about once in so many seconds, however many clients there are
        if self.rng.below(clients) == 0 {
            let all = Room::All;
            return if self.rng.percent(50) { Op::Say(all) } else { Op::SayToOthers(all) };
        }
        let mine = self.rng.below(self.rooms.len().max(1) as u64) as usize;
        let mine = self.rooms.get(mine).copied();
        match self.rng.below(100) {
            0..=34 => Op::Echo,
            35..=49 => Op::Ack,
            50..=54 => Op::Later,
            55..=64 => Op::Ask,
            65..=73 => Op::Join(room(&mut self.rng, clients)),
            74..=77 if mine.is_some() => Op::Leave(mine.unwrap_or(Room::All)),
            kind => {
                // not only to rooms of one's own
                let other = room(&mut self.rng, clients);
                let room = mine.filter(|_| kind < 96).unwrap_or(other);
                if kind % 3 == 0 { Op::SayToOthers(room) } else { Op::Say(room) }
            }
        }
    }

    async fn ask(&mut self, op: Op) -> Result<(), Cause> {
        let n = self.next;
        self.next += 1;
        let mut rng = Rng::of(self.run.seed, self.life, 1_000 + u64::from(n));
        let (event, with_ack, more) = match op {
            Op::Echo => ("echo", false, vec![pad(&mut rng, n)]),
            Op::Ack => ("ack", true, vec![]),
            Op::Later => ("later", true, vec![]),
            Op::Ask => ("ask", false, vec![]),
            Op::Join(room) => ("join", true, vec![room.to_string().into()]),
            Op::Leave(room) => ("leave", true, vec![room.to_string().into()]),
            Op::Say(room) => ("say", true, vec![room.to_string().into(), pad(&mut rng, n)]),
            Op::SayToOthers(room) => {
                ("others", true, vec![room.to_string().into(), pad(&mut rng, n)])
            }
            Op::Flood(count) => ("flood", false, vec![count.into()]),
            Op::Kick(close) => ("kick", false, vec![close.into()]),
        };
        match op {
            Op::Join(room) if !self.rooms.contains(&room) => self.rooms.push(room),
            Op::Leave(room) => self.rooms.retain(|joined| *joined != room),
            _ => {}
        }
        match op {
            Op::Later => drop(self.later.insert(n)),
            op => self.in_order += usize::from(op.is_answered_in_order()),
        }
        let mut args = vec![event.into(), n.into()];
        args.extend(more);
        let mut attachments = Vec::new();
        if matches!(op, Op::Echo | Op::Say(_) | Op::SayToOthers(_)) && rng.percent(25) {
            args.push(json!({ "_placeholder": true, "num": 0 }));
            attachments.push(Bytes::from(vec![n as u8; rng.between(0, 300) as usize]));
        }
        let packet = SocketIoPacket::new(SocketIoKind::Event, args.into());
        let id = with_ack.then_some(n.into());
        self.run.history.add(&Record::Send { life: self.life, n, op });
        self.link.send(&SocketIoPacket { id, attachments, ..packet }.encode()).await
    }

    async fn on_packet(&mut self, packet: Packet) -> Result<(), Cause> {
        let Some(message) = self.link.on_packet(packet).await? else { return Ok(()) };
        let Some(packet) = self.decoder.add(message).map_err(bad)? else { return Ok(()) };
        match packet.kind {
            SocketIoKind::Disconnect => Err("closed".to_owned()),
            SocketIoKind::Connect if !self.is_up => {
                self.is_up = true;
                self.until = Instant::now() + LONGEST;
                self.run.history.add(&Record::Up { life: self.life });
                Ok(())
            }
            SocketIoKind::Event | SocketIoKind::Ack if self.is_up => self.on_message(packet).await,
            _ => Err(format!("bad packet {packet:?}")),
        }
    }

    async fn on_message(&mut self, packet: SocketIoPacket) -> Result<(), Cause> {
        let (life, history) = (self.life, &self.run.history);
        let SocketIoPacket { kind, id, content, attachments, .. } = packet;
        let number = |at: usize| content.get(at).and_then(Value::as_u64).map(|n| n as u32);
        let bad = || format!("bad event {content}");
        if kind == SocketIoKind::Ack {
            let n = id.map(|n| n as u32).filter(|n| number(0) == Some(*n)).ok_or_else(bad)?;
            if self.later.remove(&n) {
                history.add(&Record::Late { life, n });
            } else {
                self.in_order = self.in_order.saturating_sub(1);
                history.add(&Record::Got { life, n });
            }
            return Ok(());
        }
        match content.get(0).and_then(Value::as_str) {
            Some("r") => {
                let n = number(1).ok_or_else(bad)?;
                check_pad(n, content.get(2), &attachments).ok_or_else(bad)?;
                self.in_order = self.in_order.saturating_sub(1);
                history.add(&Record::Got { life, n });
            }
            Some("said") => {
                let sender = content.get(1).and_then(Value::as_str);
                let sender = sender.and_then(|life| life.parse().ok()).ok_or_else(bad)?;
                let n = number(2).ok_or_else(bad)?;
                check_pad(n, content.get(3), &attachments).ok_or_else(bad)?;
                history.add(&Record::Said { life, sender, n });
            }
            Some("ask") => {
                let (n, id) = (number(1).ok_or_else(bad)?, id.ok_or_else(bad)?);
                self.in_order = self.in_order.saturating_sub(1);
                history.add(&Record::Got { life, n });
                if !Rng::of(self.run.seed, life, 5_000 + u64::from(n)).percent(12) {
                    history.add(&Record::Reply { life, n });
                    let reply = SocketIoPacket::new(SocketIoKind::Ack, json!(["yes", n]));
                    let reply = SocketIoPacket { id: Some(id), ..reply };
                    self.link.send(&reply.encode()).await?;
                }
            }
            Some("f") => {
                let k = number(1).ok_or_else(bad)?;
                history.add(&Record::Flooded { life, k });
                if k + 1 == FLOOD {
                    // the kernel had room for it all
                    self.finish().await?;
                }
            }
            _ => return Err(bad()),
        }
        Ok(())
    }
}

/// Text that shows whether it belongs to its number and is whole: its length, and one letter.
fn pad(rng: &mut Rng, n: u32) -> Value {
    let size = if rng.percent(3) { rng.between(0, 20_000) } else { rng.between(0, 40) };
    format!("{size}:{}", letter(n).repeat(size as usize)).into()
}

fn letter(n: u32) -> &'static str {
    let at = n as usize % LETTERS.len();
    &LETTERS[at..=at]
}

fn check_pad(n: u32, pad: Option<&Value>, parts: &[Bytes]) -> Option<()> {
    let (size, letters) = pad?.as_str()?.split_once(':')?;
    let is_whole = size.parse() == Ok(letters.len()) && letters.replace(letter(n), "").is_empty();
    let parts_are_whole = parts.iter().flatten().all(|byte| *byte == n as u8);
    (is_whole && parts_are_whole).then_some(())
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// Events of 4 kB: more than the server and the kernels keep for a client.
const FLOOD: u32 = 4_000;

/// After the stop everything that is under way arrives.
const QUIET: Duration = Duration::from_secs(2);

/// How long a phase may take that ends by itself.
const PHASE: Duration = Duration::from_secs(45);

/// Longer than any run.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
