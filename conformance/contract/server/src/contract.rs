//! The contract: arguments of every kind, acknowledgements of every kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::adapter::SocketId;
use socketio::{Binary, Socket};
use socketio_contract::{Big, Invalid, contract};

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Color {
    Red,
    DarkBlue,
}

/// A place.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// How it is drawn; red, if nothing is said.
    #[serde(default = "red")]
    pub(crate) color: Color,
}

fn red() -> Color {
    Color::Red
}

/// What is written down.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    pub(crate) title: String,
    pub(crate) line_count: u16,
    #[serde(default)]
    pub(crate) points: Vec<Point>,
    pub(crate) parent: Option<Box<Self>>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    Dot,
    Circle { radius: f32 },
    Line(Point, Point),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Action {
    Move { to: Point },
    Undo,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "data", rename_all = "lowercase")]
pub(crate) enum Change {
    Count(u32),
    Reset,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Key {
    Number(u32),
    Name(String),
}

/// What became of a note.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Saved {
    pub(crate) id: u32,
    pub(crate) by: SocketId,
}

/// Why a note was not saved.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub(crate) enum SaveError {
    Taken { by: String },
    Full,
}

/// Everything that a contract can declare.
#[contract(namespace = "/", version = "2.1.0")]
pub(crate) mod fixture {
    use super::*;

    /// What clients may send.
    pub(crate) trait FromClient {
        /// Says something: not nothing.
        fn text(&self, #[check(not_empty)] text: String);
        fn number(&self, number: u8);
        #[event("signed number")]
        fn signed(&self, number: i32);
        fn fraction(&self, fraction: f64);
        fn flag(&self, flag: bool);
        fn letter(&self, letter: char);
        fn color(&self, color: Color);
        fn point(&self, point: Point);
        fn shape(&self, shape: Shape);
        fn action(&self, action: Action);
        fn change(&self, change: Change);
        fn key(&self, key: Key);
        fn big(&self, big: Big<u64>);
        fn list(&self, list: Vec<u8>);
        fn pair(&self, pair: (u8, String));
        fn ages(&self, ages: BTreeMap<String, u8>);
        fn rows(&self, rows: BTreeMap<u16, Vec<i8>>);
        fn file(&self, name: String, bytes: Binary);
        fn two(&self, first: u8, socket: Socket, second: Option<bool>);
        fn note(&self, socket: Socket, #[check(short)] note: Note);
        fn nothing(&self);
        /// Saves a note under its title.
        async fn save(&self, socket: Socket, note: Note) -> Result<Saved, SaveError>;
        fn rename(&self, name: String, color: Color) -> Result<(), String>;
        fn length(&self, text: String) -> usize;
        fn done(&self, id: u32) -> ();
        /// Asks the client how it is, and says what it said.
        async fn ask(&self, socket: Socket) -> Result<String, String>;
    }

    /// What clients hear.
    pub(crate) trait ToClient {
        /// Somebody wrote a note.
        #[event("new note")]
        fn new_note(from: &SocketId, note: &Note);
        #[event("how are you?")]
        async fn mood(hour: u8) -> String;
    }
}

fn not_empty(text: &str) -> Result<(), Invalid> {
    if text.is_empty() { Err(Invalid::new("must not be empty")) } else { Ok(()) }
}

fn short(note: &Note) -> Result<(), Invalid> {
    if note.points.len() > 2 {
        return Err(Invalid::at("/points", "must have at most 2 elements"));
    }
    Ok(())
}

/// The server's part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desk;

impl fixture::FromClient for Desk {
    fn text(&self, _: String) {}
    fn number(&self, _: u8) {}
    fn signed(&self, _: i32) {}
    fn fraction(&self, _: f64) {}
    fn flag(&self, _: bool) {}
    fn letter(&self, _: char) {}
    fn color(&self, _: Color) {}
    fn point(&self, _: Point) {}
    fn shape(&self, _: Shape) {}
    fn action(&self, _: Action) {}
    fn change(&self, _: Change) {}
    fn key(&self, _: Key) {}
    fn big(&self, _: Big<u64>) {}
    fn list(&self, _: Vec<u8>) {}
    fn pair(&self, _: (u8, String)) {}
    fn ages(&self, _: BTreeMap<String, u8>) {}
    fn rows(&self, _: BTreeMap<u16, Vec<i8>>) {}
    fn file(&self, _: String, _: Binary) {}
    fn two(&self, _: u8, _: Socket, _: Option<bool>) {}
    fn nothing(&self) {}

    fn note(&self, socket: Socket, note: Note) {
        // fails only if the client is gone
        let _ = fixture::to(&socket).new_note(socket.id(), &note);
    }

    async fn save(&self, socket: Socket, note: Note) -> Result<Saved, SaveError> {
        match &*note.title {
            "taken" => Err(SaveError::Taken { by: "ann".to_owned() }),
            "full" => Err(SaveError::Full),
            _ => Ok(Saved { id: note.line_count.into(), by: socket.id().clone() }),
        }
    }

    fn rename(&self, name: String, _: Color) -> Result<(), String> {
        if name == "root" { Err("that name is kept".to_owned()) } else { Ok(()) }
    }

    fn length(&self, text: String) -> usize {
        text.len()
    }

    fn done(&self, _: u32) {}

    async fn ask(&self, socket: Socket) -> Result<String, String> {
        let mood = fixture::to(&socket).mood(12).await;
        mood.map_err(|_| "no mood".to_owned())
    }
}
