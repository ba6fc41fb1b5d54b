//! The history of a run: one line of text for each thing that happened, as its side saw it.
//!
//! The clients' lines stand in one file and the server's in another, each in the order in which
//! things happened on that side; a history is the one behind the other. The checker draws no
//! conclusion from the clocks of the two sides: what it compares is either of one side, or joined by
//! a message.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::{FromStr, SplitAsciiWhitespace};
use std::sync::{Mutex, PoisonError};

/// One connection of one client: `client.connection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life {
    /// The number of the client.
    pub client: u32,
    /// Its how manieth connection.
    pub number: u32,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.client, self.number)
    }
}

impl FromStr for Life {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').and_then(|(client, number)| {
            Some(Self { client: client.parse().ok()?, number: number.parse().ok()? })
        });
        parts.ok_or_else(|| format!("not a life: {text:?}"))
    }
}

/// Whom a broadcast goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Everybody in the namespace.
    All,
    /// The members of a room.
    Number(u32),
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Room {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::All),
            number => number.parse().map(Self::Number).map_err(|_| format!("not a room: {text:?}")),
        }
    }
}

/// What a client asks of the server; each has a number, counted per connection from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// To be sent back as an event.
    Echo,
    /// To be acknowledged by the handler.
    Ack,
    /// To be acknowledged some time later.
    Later,
    /// To be asked for an acknowledgement.
    Ask,
    /// To join a room; acknowledged.
    Join(Room),
    /// To leave a room; acknowledged.
    Leave(Room),
    /// To have a broadcast sent; acknowledged.
    Say(Room),
    /// As `Say`, to all members but the sender.
    SayToOthers(Room),
    /// To be sent so many events at once.
    Flood(u32),
    /// To be disconnected by the server, with `true` from all namespaces.
    Kick(bool),
}

impl Op {
    /// Whether its handler answers before it returns; such answers keep the order of the asking.
    #[must_use]
    pub fn is_answered_in_order(self) -> bool {
        !matches!(self, Self::Later | Self::Flood(_) | Self::Kick(_))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo => f.write_str("echo"),
            Self::Ack => f.write_str("ack"),
            Self::Later => f.write_str("later"),
            Self::Ask => f.write_str("ask"),
            Self::Join(room) => write!(f, "join {room}"),
            Self::Leave(room) => write!(f, "leave {room}"),
            Self::Say(room) => write!(f, "say {room}"),
            Self::SayToOthers(room) => write!(f, "others {room}"),
            Self::Flood(count) => write!(f, "flood {count}"),
            Self::Kick(close) => write!(f, "kick {close}"),
        }
    }
}

macro_rules! records {
    ($($(#[$doc:meta])* $variant:ident = $side:literal $word:literal { $($field:ident: $kind:ty),* },)*) => {
        /// One line.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Record {
            $($(#[$doc])* $variant {
                $(#[doc = "What the line is about."] $field: $kind),*
            },)*
        }

        impl fmt::Display for Record {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant { $($field),* } => {
                        f.write_str(concat!($side, " ", $word))?;
                        $(write!(f, " {}", $field)?;)*
                        Ok(())
                    })*
                }
            }
        }

        impl FromStr for Record {
            type Err = String;

            fn from_str(line: &str) -> Result<Self, String> {
                let mut words = line.split_ascii_whitespace();
                let mut next = || words.next().unwrap_or_default();
                match (next(), next()) {
                    $(($side, $word) => Ok(Self::$variant {
                        $($field: Field::read(&mut words)?),*
                    }),)*
                    _ => Err(format!("not a record: {line:?}")),
                }
            }
        }
    };
}

records! {
    /// A client begins to connect.
    Open = "c" "open" { life: Life, how: Text },
    /// It was told that it is connected.
    Up = "c" "up" { life: Life },
    /// It sends; written before the first byte leaves.
    Send = "c" "send" { life: Life, n: u32, op: Op },
    /// It has the answer to that, of those that keep their order.
    Got = "c" "got" { life: Life, n: u32 },
    /// It has the answer that comes some time later.
    Late = "c" "late" { life: Life, n: u32 },
    /// It has a broadcast: who asked for it, and as what.
    Said = "c" "said" { life: Life, sender: Life, n: u32 },
    /// It has an event of a flood.
    Flooded = "c" "flooded" { life: Life, k: u32 },
    /// It acknowledges what the server asked for.
    Reply = "c" "reply" { life: Life, n: u32 },
    /// It stops reading for a while.
    Stall = "c" "stall" { life: Life },
    /// Something came that nobody sent so.
    Bad = "c" "bad" { life: Life, what: Text },
    /// The proxy does harm to one of its connections.
    Fault = "c" "fault" { life: Life, kind: Text },
    /// It is over, for the client.
    End = "c" "end" { life: Life, cause: Text },
    /// A phone is connected, with a session that began with this connection or an earlier one.
    Knows = "c" "knows" { life: Life, session: Life },
    /// It has an event of its session.
    Had = "c" "had" { life: Life, session: Life, n: u64 },
    /// It ends its session; written before the first byte leaves.
    Quit = "c" "quit" { life: Life, session: Life },

    /// A socket is connected.
    Connected = "s" "connected" { life: Life },
    /// A handler has what a client sent.
    Received = "s" "received" { life: Life, n: u32 },
    /// Before a room is joined.
    Joining = "s" "joining" { life: Life, room: Room },
    /// After that.
    Joined = "s" "joined" { life: Life, room: Room },
    /// Before a room is left.
    Leaving = "s" "leaving" { life: Life, room: Room },
    /// After that.
    Left = "s" "left" { life: Life, room: Room },
    /// Before a broadcast; `except`: not to who asked for it.
    Cast = "s" "cast" { life: Life, n: u32, room: Room, except: bool },
    /// After it was queued for all.
    Done = "s" "done" { life: Life, n: u32 },
    /// Before a client is asked for an acknowledgement.
    Asked = "s" "asked" { life: Life, n: u32 },
    /// What became of it: `ok`, `timeout`, `disconnected`, ...
    Answered = "s" "answered" { life: Life, n: u32, result: Text },
    /// Before the server disconnects a socket.
    Kicked = "s" "kicked" { life: Life },
    /// A socket is disconnected.
    Disconnected = "s" "disconnected" { life: Life, reason: Text },
    /// A session begins.
    Begun = "s" "begun" { session: Life },
    /// It goes on with another connection, which is sent so many events again.
    Resumed = "s" "resumed" { life: Life, session: Life, missed: u64 },
    /// It is in a room from here on.
    Entered = "s" "entered" { session: Life, room: Room },
    /// It is in a room no more.
    Gone = "s" "gone" { session: Life, room: Room },
    /// An event is sent to all who are in a room.
    Meant = "s" "meant" { n: u64, room: Room },
    /// An event is sent to one session.
    Told = "s" "told" { n: u64, session: Life },
    /// Nothing more is sent to a session.
    Fin = "s" "fin" { session: Life },
    /// What is left at the end.
    Rest = "s" "final" { sessions: u64, sockets: u64, rooms: u64, acks: u64, handlers: u64 },
}

/// The rest of a line; spaces become dashes when it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.split_whitespace().collect::<Vec<_>>().join("-"))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A field of a record, read off the words of its line.
trait Field: Sized {
    fn read(words: &mut SplitAsciiWhitespace<'_>) -> Result<Self, String>;
}

fn word<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Result<T, String> {
    let word = words.next().ok_or("the line is too short")?;
    word.parse().map_err(|_| format!("cannot read {word:?}"))
}

macro_rules! words {
    ($($kind:ty),*) => {
        $(impl Field for $kind {
            fn read(words: &mut SplitAsciiWhitespace<'_>) -> Result<Self, String> {
                word(words)
            }
        })*
    };
}

words!(Life, Room, bool, u32, u64);

impl Field for Text {
    fn read(words: &mut SplitAsciiWhitespace<'_>) -> Result<Self, String> {
        Ok(Self(words.collect::<Vec<_>>().join("-")))
    }
}

impl Field for Op {
    fn read(words: &mut SplitAsciiWhitespace<'_>) -> Result<Self, String> {
        Ok(match words.next().unwrap_or_default() {
            "echo" => Self::Echo,
            "ack" => Self::Ack,
            "later" => Self::Later,
            "ask" => Self::Ask,
            "join" => Self::Join(word(words)?),
            "leave" => Self::Leave(word(words)?),
            "say" => Self::Say(word(words)?),
            "others" => Self::SayToOthers(word(words)?),
            "flood" => Self::Flood(word(words)?),
            "kick" => Self::Kick(word(words)?),
            other => return Err(format!("not something to ask for: {other:?}")),
        })
    }
}

/// Writes a history. The order of the lines is that of the calls.
#[derive(Debug)]
pub struct Recorder(Mutex<BufWriter<File>>);

impl Recorder {
    /// Begins a file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(BufWriter::with_capacity(1 << 20, File::create(path)?))))
    }

    /// Adds a line.
    ///
    /// # Panics
    /// If it cannot be written: a history with holes proves nothing.
    pub fn add(&self, record: &Record) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{record}").expect("the history can be written");
    }

    /// Brings what was added to the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
