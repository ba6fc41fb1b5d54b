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
//! is not mirrored by the client that tests it. Nothing here depends on a certain server.
//!
//! # Example
//!
//! The server below is a few literal bytes; a real one takes the stream as it takes a socket that
//! it has accepted.
//!
//! ```
//! use serde_json::json;
//! use testkit::{Client, Connector};
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
//! # async fn serve(mut stream: DuplexStream) {
//! #     let mut head = Vec::new();
//! #     while !head.ends_with(b"\r\n\r\n") {
//! #         head.push(stream.read_u8().await.unwrap());
//! #     }
//! #     let mut answer = b"HTTP/1.1 101 Switching Protocols\r\n\
//! #         Upgrade: websocket\r\nConnection: Upgrade\r\n\
//! #         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n".to_vec();
//! #     for text in [r#"0{"sid":"e","pingInterval":25000}"#, r#"40{"sid":"s"}"#, r#"42["hello",1]"#] {
//! #         answer.extend([0x81, text.len() as u8]);
//! #         answer.extend(text.as_bytes());
//! #     }
//! #     stream.write_all(&answer).await.unwrap();
//! #     stream.read_to_end(&mut Vec::new()).await.unwrap();
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = Connector::new(|stream| {
//!     tokio::spawn(serve(stream));
//! });
//! let mut client = Client::connect(&server).await;
//! assert_eq!(client.id(), "s");
//! client.emit("greet", json!(["world"])).await;
//! let event = client.next_event().await;
//! assert_eq!((event.name.as_str(), event.args), ("hello", vec![json!(1)]));
//! # }
//! ```
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
//! ```
//! use std::time::Duration;
//! use testkit::{Connector, Eio, open_websocket};
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
//! A paused clock also moves by itself, to the next timer, whenever no task has anything to do. A
//! wait for what is due later than [`TIMEOUT`] therefore fails unless the clock is advanced first.
//! Over TCP the clock must not be paused: bytes under way are not seen as something to do.

mod engine;
mod http;
mod inbox;
mod polling;
pub mod protocol;
mod session;
mod socketio;
mod stream;
mod wait;
mod websocket;

pub use crate::engine::open_websocket;
pub use crate::http::{HttpConnection, Request, Response, request};
pub use crate::polling::Polling;
pub use crate::protocol::packet::{Eio, Packet};
pub use crate::protocol::websocket::{Frame, RawFrame, frame};
pub use crate::session::Transport;
pub use crate::socketio::{Args, Client, ClientBuilder, Closed, ConnectError, Event};
pub use crate::stream::{Connector, Throttled, pair};
pub use crate::wait::{TIMEOUT, settle};
pub use crate::websocket::WebSocket;
