//! What the page and the server say to each other; `page/src/whiteboard.ts` is written from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketio::adapter::SocketId;
use socketio::{Socket, State};
use socketio_contract::{Invalid, contract};

use crate::board::Board;

/// A place on the board, from 0 to 1 in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Color {
    Ink,
    Red,
    Green,
    Blue,
    Yellow,
}

/// A line, or a piece of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    /// In pixels.
    pub(crate) width: f32,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Person {
    pub(crate) id: SocketId,
    pub(crate) name: String,
}

/// What somebody sees who comes.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Joined {
    pub(crate) people: Vec<Person>,
    pub(crate) strokes: Vec<Stroke>,
}

/// Why somebody cannot join.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub(crate) enum JoinError {
    Taken { by: String },
    TooLong { most: u32 },
    Full,
}

/// A shared whiteboard.
#[contract(namespace = "/whiteboard", version = "1.0.0")]
pub(crate) mod whiteboard {
    use super::*;

    /// What the page may send.
    pub(crate) trait FromClient {
        /// Comes to the board.
        fn join(
            &self,
            socket: Socket,
            board: State<Board>,
            name: String,
        ) -> Result<Joined, JoinError>;
        /// Draws a piece of a line.
        fn draw(&self, socket: Socket, board: State<Board>, #[check(drawable)] stroke: Stroke);
        /// Moves the pointer.
        fn pointer(&self, socket: Socket, #[check(on_the_board)] at: Point);
        /// Takes everything away.
        fn clear(&self, socket: Socket, board: State<Board>) -> ();
    }

    /// What the page hears of the others.
    pub(crate) trait ToClient {
        fn joined(person: &Person);
        fn left(id: &SocketId);
        fn drawn(stroke: &Stroke);
        /// May be lost on the way.
        fn pointer(id: &SocketId, at: &Point);
        fn cleared(by: &str);
    }
}

/// What no type says.
fn drawable(stroke: &Stroke) -> Result<(), Invalid> {
    if !(2..=256).contains(&stroke.points.len()) {
        return Err(Invalid::at("/points", "must have 2 to 256 elements"));
    }
    if !(0.5..=64.0).contains(&stroke.width) {
        return Err(Invalid::at("/width", "must be from 0.5 to 64"));
    }
    let outside = stroke.points.iter().position(|point| on_the_board(point).is_err());
    outside.map_or(Ok(()), |at| Err(Invalid::at(format!("/points/{at}"), "must be from 0 to 1")))
}

fn on_the_board(point: &Point) -> Result<(), Invalid> {
    let is_within = |value| (0.0..=1.0).contains(&value);
    if is_within(point.x) && is_within(point.y) {
        return Ok(());
    }
    Err(Invalid::new("must be from 0 to 1"))
}
