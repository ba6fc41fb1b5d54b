//! Clients for tests of Socket.IO and Engine.IO servers, over in-memory streams.
//!
//! A [`Connector`] says how to reach the server under test: for each connection it makes a pair of
//! streams and hands one end to the server, so that no port is opened. On the other end speaks one
//! of the clients of this crate, from the simplest to the one with most bookkeeping:
//!
//! - [`Client`] speaks Socket.IO: namespaces, events, acks. Most tests of handlers want only this.
//! - [`Polling`] and [`open_websocket`] speak Engine.IO, packet by packet.
//! - [`WebSocket`] speaks frames, and sends wrong ones if asked to ([`frame`]).
//! - [`HttpConnection`] and [`request`] speak HTTP/1.1, down to single bytes.
//!
//! The codecs are the crate's own and check what the server sends, so that a mistake of a server
//! is not mirrored by the client that tests it. They are [`protocol`], which is for clients with
//! loops of their own, too.
//!
//! # Example
//!
//! [`Connector::of`] is the way to a server of `socketio-server`; it needs the feature `socketio`,
//! which is on by default.
//!
//! ```
//! # #[cfg(feature = "socketio")]
//! # mod example {
//! use std::time::Duration;
//!
//! use serde_json::json;
//! use socketio::{Ack, Data, Server, Socket};
//! use socketio_testkit::{Client, Connector, Eio};
//!
//! fn server() -> Server {
//!     let io = Server::new();
//!     io.on_connection(|socket: Socket| {
//!         socket.on("greet", |socket: Socket, Data(name): Data<String>| {
//!             socket.emit("hello", (name, 1))
//!         });
//!         socket.on("sum", |Data((a, b)): Data<(u32, u32)>, ack: Ack| ack.send(a + b));
//!         socket.on("forget", |_: Ack| {});
//!     });
//!     io
//! }
//!
//! // as #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # pub(crate) async fn main() {
//! let server = Connector::of(&server());
//! for eio in Eio::BOTH {
//!     let client = Client::builder().protocol(eio).connect(&server).await;
//!     let mut client = client.expect("nobody refuses");
//!
//!     client.emit("greet", json!(["world"])).await;
//!     let event = client.next_event().await;
//!     assert_eq!(event.name, "hello");
//!     assert_eq!(event.args_as::<(String, u32)>(), ("world".to_owned(), 1));
//!
//!     let sum: u32 = client.emit_with_ack_as("sum", json!([1, 2])).await;
//!     assert_eq!(sum, 3);
//!
//!     let forgotten = client.emit_expecting_ack("forget", json!([])).await;
//!     client.expect_no_ack(forgotten, Duration::from_secs(60)).await;
//!
//!     // heartbeats go on meanwhile
//!     client.let_pass(Duration::from_secs(3600)).await;
//!     client.emit("greet", json!(["again"])).await;
//!     client.next_event().await;
//! }
//! # }
//! # }
//! # #[cfg(feature = "socketio")]
//! # example::main();
//! ```
//!
//! [`Connector::new`] is the way to any other server: it takes the stream as it takes a socket that
//! it has accepted. [`Connector::tcp`] is for one that listens.
//!
//! # The clock
//!
//! Every wait ends after [`TIMEOUT`] of tokio's clock and then panics, naming the line of the test
//! that waited. Tests should run on a clock that stands still and is moved by hand: it makes
//! "nothing came" known at once, and an hour of heartbeats pass in no time.
//!
//! ```toml
//! [dev-dependencies]
//! tokio = { version = "1", features = ["macros", "rt", "test-util"] }
//! ```
//!
//! A paused clock also moves by itself, to the next timer, whenever no task has anything to do. A
//! wait for what is due later than [`TIMEOUT`] fails unless the time has passed before:
//! [`Client::let_pass`] does that and keeps the connection alive, `tokio::time::advance` lets nobody
//! do anything, so that a client can be late:
//!
//! ```
//! use std::time::Duration;
//! use socketio_testkit::{Connector, Eio, open_websocket};
//! use tokio::time::advance;
//!
//! // as #[tokio::test(start_paused = true)]
//! async fn a_silent_client_is_dropped(server: Connector) {
//!     let (mut client, _handshake) = open_websocket(&server, Eio::V4, "").await;
//!     advance(Duration::from_secs(25)).await; // the server's ping interval
//!     client.expect_text("2").await;
//!     advance(Duration::from_secs(60)).await; // its ping timeout
//!     client.expect_close().await;
//! }
//! ```
//!
//! Over TCP the clock must not be paused: bytes under way are not seen as something to do.

mod client;
mod engine;
mod event;
mod http;
mod inbox;
mod polling;
pub mod protocol;
#[cfg(feature = "socketio")]
mod server;
mod session;
mod stream;
mod wait;
mod websocket;

pub use crate::client::{Client, ClientBuilder, Closed, ConnectError};
pub use crate::engine::open_websocket;
pub use crate::event::{Args, Event};
pub use crate::http::{HttpConnection, Request, Response, request};
pub use crate::polling::Polling;
pub use crate::protocol::packet::{Eio, Packet};
pub use crate::protocol::websocket::{Frame, RawFrame, frame};
pub use crate::session::Transport;
pub use crate::stream::{Connector, Throttled, pair};
pub use crate::wait::{TIMEOUT, settle};
pub use crate::websocket::WebSocket;
