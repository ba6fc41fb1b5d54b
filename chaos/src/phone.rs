//! Phones: clients that come back to their sessions, as the official client does it.
//!
//! A phone has connections one after the other, each with a fault and a short life. It names the session
//! that it had, and the last text at the end of an event. At the end it has one more connection, without a
//! fault, asks for the end of its session, and reads until that comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use serde_json::{Value, json};
use socketio_testkit::protocol::{SocketIoDecoder, SocketIoKind, SocketIoPacket};
use socketio_testkit::{Eio, Packet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::Run;
use crate::history::{Life, Record, Text};
use crate::link::{Cause, Link, bad};
use crate::plan::{PhonePlan, Rng, Transport};
use crate::proxy::Way;

/// What a phone remembers between two connections.
#[derive(Debug, Default)]
struct Memory {
    pid: Option<String>,
    offset: Option<String>,
    /// The connection with which its session began.
    session: Option<Life>,
}

/// One phone, until it has seen the end of its session.
pub(crate) async fn phone(run: Arc<Run>, client: u32) {
    let mut rng = Rng::of(run.seed, Life { client, number: 0 }, 0);
    sleep(rng.ms(0, run.ramp.as_millis() as u64)).await;
    let mut memory = Memory::default();
    let give_up = run.stop + LAST;
    for number in 1.. {
        let life = Life { client, number };
        let is_last = Instant::now() >= run.stop;
        let plan = PhonePlan::of(run.seed, life, is_last);
        if live(&run, life, plan, &mut memory).await || Instant::now() >= give_up {
            return;
        }
        // away for a while, or back at once
        let away = if rng.percent(50) { rng.ms(0, 100) } else { rng.ms(100, 3_000) };
        sleep(away.min(run.stop.saturating_duration_since(Instant::now()))).await;
    }
}

/// One connection. True: it has seen the end of its session.
async fn live(run: &Run, life: Life, plan: PhonePlan, memory: &mut Memory) -> bool {
    run.history.add(&Record::Open { life, how: Text::from(plan.describe().as_str()) });
    let way = Arc::new(Way {
        server: run.server,
        life,
        fault: plan.fault,
        seed: run.seed,
        history: Arc::clone(&run.history),
        patience: run.heartbeat.silence(),
        reset: AtomicBool::new(plan.reset),
        stall: AtomicU64::new(0),
        connections: AtomicU64::new(0),
    });
    let until = Instant::now() + plan.lasts;
    let polling = plan.transport != Transport::WebSocket;
    let opening = Link::open(&way, Eio::V4, polling, false);
    let mut is_done = false;
    let cause = match timeout(plan.lasts, opening).await {
        Ok(Ok(link)) => {
            let upgrades = plan.transport == Transport::Upgrade;
            let rng = Rng::of(run.seed, life, 1);
            let decoder = SocketIoDecoder::default();
            let due = Instant::now();
            let mut call =
                Call { run, life, plan, memory, link, rng, decoder, upgrades, due, is_up: false };
            match call.talk(until).await {
                Ok(()) => {
                    is_done = true;
                    "goodbye".to_owned()
                }
                Err(cause) => cause,
            }
        }
        Ok(Err(cause)) => format!("no-handshake {cause}"),
        Err(_) => "vanished".to_owned(),
    };
    if cause.contains("bad") {
        run.history.add(&Record::Bad { life, what: Text::from(cause.as_str()) });
    }
    run.history.add(&Record::End { life, cause: Text::from(cause.as_str()) });
    is_done
}

/// One connection of a phone.
struct Call<'a> {
    run: &'a Run,
    life: Life,
    plan: PhonePlan,
    memory: &'a mut Memory,
    link: Link,
    rng: Rng,
    decoder: SocketIoDecoder,
    upgrades: bool,
    /// The next thing to be asked for.
    due: Instant,
    is_up: bool,
}

impl Call<'_> {
    /// Until the end of its session has come, or with the cause of another end.
    async fn talk(&mut self, until: Instant) -> Result<(), Cause> {
        let auth = self.memory.pid.as_ref().map_or(Value::Null, |pid| {
            let mut auth = json!({ "pid": pid });
            if let Some(offset) = &self.memory.offset {
                auth["offset"] = offset.as_str().into();
            }
            auth
        });
        let connect = SocketIoPacket::new(SocketIoKind::Connect, auth);
        self.link.send(&connect.encode()).await?;
        loop {
            let wake = if self.is_up { self.due.min(until) } else { until };
            let wake = self.link.deadline().map_or(wake, |deadline| wake.min(deadline.into()));
            tokio::select! {
                biased;
                packet = self.link.next() => {
                    if self.on_packet(packet?).await? {
                        let _ = self.link.send(&[Packet::Text("41".to_owned())]).await;
                        return Ok(());
                    }
                }
                () = sleep_until(wake) => {}
            }
            self.link.on_deadline().await?;
            let now = Instant::now();
            if now >= until {
                // it changes networks, and nobody is told
                return Err("vanished".to_owned());
            }
            if self.is_up && now >= self.due {
                self.go_on(now).await?;
            }
        }
    }

    /// The next thing that it does.
    async fn go_on(&mut self, now: Instant) -> Result<(), Cause> {
        if std::mem::take(&mut self.upgrades) {
            return self.link.upgrade().await;
        }
        if self.plan.is_last {
            self.due = now + LAST;
            return self.ask("fin", Value::Null).await;
        }
        self.due = now + self.rng.ms(100, 1_500);
        if self.plan.quits && self.rng.percent(20) {
            // the session is over: the next one is new, and names this one all the same
            if let Some(session) = self.memory.session {
                self.run.history.add(&Record::Quit { life: self.life, session });
            }
            self.link.send(&[Packet::Text("41".to_owned())]).await?;
            return Err("goodbye".to_owned());
        }
        let room = self.rng.below(u64::from(self.run.clients) / ROOM + 1);
        match self.rng.below(10) {
            0..=2 => self.ask("enter", room.into()).await,
            3 => self.ask("go", room.into()).await,
            _ => {
                let count = self.rng.below(4);
                self.ask("more", count.into()).await
            }
        }
    }

    async fn ask(&mut self, event: &str, what: Value) -> Result<(), Cause> {
        let packet = SocketIoPacket::new(SocketIoKind::Event, json!([event, what]));
        self.link.send(&packet.encode()).await
    }

    /// True: the end of the session has come.
    async fn on_packet(&mut self, packet: Packet) -> Result<bool, Cause> {
        let Some(message) = self.link.on_packet(packet).await? else { return Ok(false) };
        let Some(packet) = self.decoder.add(message).map_err(bad)? else { return Ok(false) };
        match packet.kind {
            SocketIoKind::Disconnect => Err("closed".to_owned()),
            SocketIoKind::Connect if !self.is_up => self.on_connected(&packet.content),
            SocketIoKind::Event if self.is_up => self.on_event(&packet.content),
            _ => Err(format!("bad packet {packet:?}")),
        }
    }

    fn on_connected(&mut self, answer: &Value) -> Result<bool, Cause> {
        let pid = answer["pid"].as_str().ok_or_else(|| format!("bad answer {answer}"))?;
        self.is_up = true;
        self.due = Instant::now() + self.rng.ms(0, 300);
        // socket.io-client 4.x: the session goes on if the private id is the same
        if self.memory.pid.as_deref() != Some(pid) {
            self.memory.pid = Some(pid.to_owned());
            self.memory.session = Some(self.life);
        }
        self.run.history.add(&Record::Up { life: self.life });
        if let Some(session) = self.memory.session {
            self.run.history.add(&Record::Knows { life: self.life, session });
        }
        Ok(false)
    }

    fn on_event(&mut self, content: &Value) -> Result<bool, Cause> {
        let bad = || format!("bad event {content}");
        let last = content.as_array().and_then(|args| args.last()).ok_or_else(bad)?;
        // socket.io-client 4.x: whatever text is the last argument
        if let Some(text) = last.as_str() {
            self.memory.offset = Some(text.to_owned());
        }
        match content.get(0).and_then(Value::as_str) {
            Some("e") => {
                let n = content.get(1).and_then(Value::as_u64).ok_or_else(bad)?;
                let session = self.memory.session.ok_or_else(bad)?;
                self.run.history.add(&Record::Had { life: self.life, session, n });
                Ok(false)
            }
            Some("v") => Ok(false), // volatile: its text is now the offset
            // that of an earlier connection came too late for it
            Some("fin") => {
                let is_mine =
                    content.get(1).and_then(Value::as_u64) == Some(self.life.number.into());
                Ok(self.plan.is_last && is_mine)
            }
            _ => Err(bad()),
        }
    }
}

/// Phones per room, about, if each is in one.
const ROOM: u64 = 8;

/// How long the last connections may take, those that fail for a busy machine included.
const LAST: Duration = Duration::from_secs(90);
