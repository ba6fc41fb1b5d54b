//! What each connection of each client is to do, drawn from the seed: a run has the same plan as
//! another with its seed, though not the same timing.

use std::time::Duration;

use socketio_testkit::Eio;

use crate::history::{Life, Room};

/// Random numbers that are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The numbers of one purpose of one connection.
    pub(crate) fn of(seed: u64, life: Life, purpose: u64) -> Self {
        let mut rng = Self(seed);
        for part in [u64::from(life.client), u64::from(life.number), purpose] {
            rng.0 = rng.next() ^ part;
        }
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }
}

/// What the proxy does to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Each piece is delayed, up to so many milliseconds.
    Delay(u64),
    /// Bytes travel in pieces of at most so many.
    Pieces(u64),
    /// After so many bytes, which is seldom the end of a frame, the connection is cut.
    Cut {
        after: u64,
        direction: Direction,
        reset: bool,
    },
    /// After so many bytes from the client nothing passes any more, and nobody is told.
    HalfOpen {
        after: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Polling,
    Upgrade,
}

/// How a client means to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// When it has all answers it says goodbye.
    Goodbye,
    /// It is gone without a word: by FIN, or by RST.
    Vanish { reset: bool },
    /// The server disconnects it.
    Kick { close: bool },
    /// It stops reading while it is sent more than the server keeps for it.
    Slow,
    /// It stays until all end.
    Stay,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) eio: Eio,
    pub(crate) transport: Transport,
    /// Binary travels as base64 (protocol 3).
    pub(crate) base64: bool,
    pub(crate) fault: Fault,
    pub(crate) ops: u64,
    /// The longest pause between two of them.
    pub(crate) pause: u64,
    pub(crate) ending: Ending,
}

impl Plan {
    pub(crate) fn of(seed: u64, life: Life, pace: u64) -> Self {
        let plan = Self::draw(&mut Rng::of(seed, life, 0), pace);
        let (transport, fault) = (Transport::WebSocket, Fault::None);
        // what is rare happens in each run, however short
        match (life.number, life.client) {
            (1, 0) => Self { transport, fault, ops: 3, ending: Ending::Slow, ..plan },
            (1, 1) => {
                let fault = Fault::HalfOpen { after: 500 };
                Self { transport, fault, ops: 40, ending: Ending::Stay, ..plan }
            }
            (1, 2) => {
                Self { transport, fault, ops: 3, ending: Ending::Kick { close: true }, ..plan }
            }
            _ => plan,
        }
    }

    fn draw(rng: &mut Rng, pace: u64) -> Self {
        let eio = if rng.percent(40) { Eio::V3 } else { Eio::V4 };
        let transport = match rng.below(100) {
            0..=69 => Transport::WebSocket,
            70..=84 => Transport::Polling,
            _ => Transport::Upgrade,
        };
        let base64 = eio == Eio::V3 && rng.percent(30);
        let fault = match rng.below(100) {
            0..=53 => Fault::None,
            54..=66 => Fault::Delay(rng.between(5, 300)),
            67..=76 => Fault::Pieces(rng.between(1, 40)),
            77..=94 => Fault::Cut {
                after: rng.between(1, 5_000),
                direction: if rng.percent(50) { Direction::Up } else { Direction::Down },
                reset: rng.percent(60),
            },
            _ => Fault::HalfOpen { after: rng.between(300, 4_000) },
        };
        let ending = match rng.below(100) {
            0..=29 => Ending::Goodbye,
            30..=44 => Ending::Vanish { reset: false },
            45..=59 => Ending::Vanish { reset: true },
            60..=74 => Ending::Kick { close: rng.percent(50) },
            75..=78 if fault == Fault::None => Ending::Slow,
            _ => Ending::Stay,
        };
        let ops = rng.between(3, 40);
        Self { eio, transport, base64, fault, ops, pause: 2 * pace, ending }
    }

    /// The plan in words without spaces.
    pub(crate) fn describe(&self) -> String {
        format!("{:?}/{:?}/{:?}/{:?}", self.eio, self.transport, self.fault, self.ending)
            .replace(' ', "")
    }
}

/// What one connection of a phone is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhonePlan {
    pub(crate) transport: Transport,
    pub(crate) fault: Fault,
    /// How long, until the phone is on another network.
    pub(crate) lasts: Duration,
    /// The server learns of that by an RST, if it does.
    pub(crate) reset: bool,
    /// It may end its session.
    pub(crate) quits: bool,
    /// It asks for the end of its session, and nothing happens to it.
    pub(crate) is_last: bool,
}

impl PhonePlan {
    pub(crate) fn of(seed: u64, life: Life, is_last: bool) -> Self {
        let rng = &mut Rng::of(seed, life, 0);
        let transport = match rng.below(100) {
            0..=59 => Transport::WebSocket,
            60..=79 => Transport::Polling,
            _ => Transport::Upgrade,
        };
        if is_last {
            let (fault, lasts) = (Fault::None, Duration::from_secs(45));
            return Self { transport, fault, lasts, reset: false, quits: false, is_last };
        }
        let fault = match rng.below(100) {
            0..=14 => Fault::None,
            15..=24 => Fault::Delay(rng.between(5, 300)),
            25..=29 => Fault::Pieces(rng.between(1, 40)),
            30..=64 => Fault::Cut {
                after: rng.between(1, 3_000),
                direction: if rng.percent(50) { Direction::Up } else { Direction::Down },
                reset: rng.percent(60),
            },
            _ => Fault::HalfOpen { after: rng.between(150, 1_200) },
        };
        let lasts = rng.ms(500, 9_000);
        Self { transport, fault, lasts, reset: rng.percent(50), quits: rng.percent(5), is_last }
    }

    /// The plan in words without spaces.
    pub(crate) fn describe(&self) -> String {
        let Self { transport, fault, lasts, .. } = self;
        format!("phone/{transport:?}/{fault:?}/{lasts:?}").replace(' ', "")
    }
}

/// Clients per room, about, if each joined one.
const ROOM_SIZE: u64 = 8;

pub(crate) fn room(rng: &mut Rng, clients: u64) -> Room {
    Room::Number(rng.below(clients / ROOM_SIZE + 1) as u32)
}
