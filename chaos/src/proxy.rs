//! The proxy between a client and the server: a stream in memory on the client's side, TCP on the
//! server's, and harm between them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::history::{Life, Record, Recorder, Text};
use crate::plan::{Direction, Fault, Rng};

/// What a client and the relays of its connections share.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) server: SocketAddr,
    pub(crate) life: Life,
    pub(crate) fault: Fault,
    pub(crate) seed: u64,
    pub(crate) history: Arc<Recorder>,
    /// How long an answer may take that comes at once.
    pub(crate) patience: Duration,
    /// The client's end is to reach the server as an RST.
    pub(crate) reset: AtomicBool,
    /// Nothing is read from the server for so many milliseconds more, from when it is seen.
    pub(crate) stall: AtomicU64,
    pub(crate) connections: AtomicU64,
}

impl Way {
    /// Opens a connection to the server. A refusal looks like an end at once.
    pub(crate) fn connect(self: &Arc<Self>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let way = Arc::clone(self);
        // it ends with either end
        tokio::spawn(async move {
            match TcpStream::connect(way.server).await {
                Ok(far) => way.relay(theirs, far).await,
                Err(error) => way.record("refused", &error.to_string()),
            }
        });
        ours
    }

    fn record(&self, kind: &str, more: &str) {
        let kind = Text::from(format!("{kind} {more}").as_str());
        self.history.add(&Record::Fault { life: self.life, kind });
    }

    async fn relay(&self, near: DuplexStream, mut far: TcpStream) {
        let _ = far.set_nodelay(true);
        let purpose = 100 + self.connections.fetch_add(1, Ordering::Relaxed);
        let rng = |side| Rng::of(self.seed, self.life, purpose * 2 + side);
        let (mut near_read, mut near_write) = tokio::io::split(near);
        let silent = AtomicBool::new(false);
        let pump = |direction, side| Pump { way: self, direction, rng: rng(side), silent: &silent };
        let reset = {
            let (mut far_read, mut far_write) = far.split();
            let up = pump(Direction::Up, 0).run(&mut near_read, &mut far_write);
            let down = pump(Direction::Down, 1).run(&mut far_read, &mut near_write);
            tokio::pin!(up, down);
            let (first, end) = tokio::select! {
                end = &mut up => (Direction::Up, end),
                end = &mut down => (Direction::Down, end),
            };
            match (end, self.fault) {
                (End::Cut, Fault::Cut { reset, .. }) => {
                    self.record(if reset { "rst" } else { "fin" }, "");
                    reset
                }
                // a half-open peer does not even close
                _ if silent.load(Ordering::Relaxed) && first == Direction::Up => {
                    let _ = timeout(HALF_OPEN, down).await;
                    false
                }
                _ => self.reset.load(Ordering::Relaxed),
            }
        };
        if reset {
            // what waits in the kernel is thrown away, and the peer gets an RST
            let _ = far.set_zero_linger();
        }
    }
}

/// How a direction ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Eof,
    Cut,
}

/// One direction of a connection.
struct Pump<'a> {
    way: &'a Way,
    direction: Direction,
    rng: Rng,
    /// The connection is half-open by now.
    silent: &'a AtomicBool,
}

impl Pump<'_> {
    async fn run(
        mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> End {
        let mut buffer = vec![0; 4096];
        let mut passed = 0;
        loop {
            if self.direction == Direction::Down {
                let stall = self.way.stall.swap(0, Ordering::Relaxed);
                sleep(Duration::from_millis(stall)).await;
            }
            let Ok(size @ 1..) = from.read(&mut buffer).await else { return End::Eof };
            let bytes = &buffer[..size];
            if self.direction == Direction::Up {
                if let Fault::HalfOpen { after } = self.way.fault {
                    if passed + size as u64 > after && !self.silent.swap(true, Ordering::Relaxed) {
                        self.way.record("half-open", "");
                    }
                }
            }
            if self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let rest = match self.way.fault {
                Fault::Cut { after, direction, .. } if direction == self.direction => {
                    after.saturating_sub(passed)
                }
                _ => u64::MAX,
            };
            passed += size as u64;
            if rest <= size as u64 {
                let _ = to.write_all(&bytes[..rest as usize]).await;
                let _ = to.flush().await;
                return End::Cut;
            }
            if self.pass(bytes, to).await.is_err() {
                return End::Eof;
            }
        }
    }

    async fn pass(&mut self, bytes: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        match self.way.fault {
            Fault::Delay(most) => {
                let until = Instant::now() + self.rng.ms(0, most);
                sleep_until(until).await;
            }
            Fault::Pieces(most) => {
                let mut rest = bytes;
                // a long text would take a day
                let most = most.max(bytes.len() as u64 / 50);
                while !rest.is_empty() {
                    let size = rest.len().min(self.rng.between(1, most) as usize);
                    let (piece, after) = rest.split_at(size);
                    to.write_all(piece).await?;
                    to.flush().await?;
                    if self.rng.percent(25) {
                        sleep(Duration::from_millis(1)).await;
                    } else {
                        tokio::task::yield_now().await;
                    }
                    rest = after;
                }
                return Ok(());
            }
            _ => {}
        }
        to.write_all(bytes).await
    }
}

/// The server must have given up a half-open connection long before.
const HALF_OPEN: Duration = Duration::from_secs(120);
