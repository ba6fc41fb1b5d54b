//! A Socket.IO server for every official client, 1.x to 4.x, on one port.
//!
//! ```no_run
//! use socketio::{BoxError, Data, Reason, Reply, Server, Socket};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let io = Server::new();
//!     io.on_connection(async |socket: Socket| -> Result<(), BoxError> {
//!         socket.join("lobby").await?;
//!         socket.on("chat message", |socket: Socket, Data(text): Data<String>| {
//!             socket.to("lobby").emit("chat message", (socket.id(), text))
//!         });
//!         socket.on("add user", async |Data(name): Data<String>| Reply(format!("welcome, {name}")));
//!         socket.on_disconnect(|socket: Socket, Reason(why): Reason| {
//!             socket.to("lobby").emit("user left", (socket.id(), why.as_str()))
//!         });
//!         Ok(())
//!     });
//!     io.listen(3000).await?.closed().await;
//!     Ok(())
//! }
//! ```
//!
//! Where to look: [`Server`] and its [`Builder`], [`Namespace`], [`Socket`], [`Client`] are the
//! classes of the Socket.IO API; [`Handler`] says what a handler is and [`FromEvent`] what its
//! arguments are; [`Origins`], [`ClientFiles`] and [`Limits`] are options with more to say.
//! [`guide`] leads through all of it, a page a topic: begin with its [tutorial](guide::tutorial).
//! [`operating`] is for those who run it: ends, metrics, limits, origins and proxies;
//! [`all_limits`] is the table of what is bounded, and what happens then. [`from_node`] lists the
//! API of Socket.IO for Node with its counterparts here.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod cluster;
mod connection;
mod emit;
mod error;
mod events;
mod forward;
pub mod guide;
mod limits;
mod namespace;
mod reason;
mod server;
mod socket;
mod stats;

pub use client::Client;
pub use cluster::remote_socket::RemoteSocket;
pub use cluster::server_event::ServerEvent;
pub use emit::broadcast::{BroadcastAcks, BroadcastOperator, SocketOperator};
pub use emit::with_ack::EmitWithAck;
#[cfg(feature = "signal")]
pub use engineio::Signals;
pub use engineio::{
    AllowRequest, Attached, Bind, CloseDetail, CloseReason, Closing, Cookie, Cors, Draining,
    EngineService, GenerateId, HttpService, Limit as EngineLimit, LimitCounts, Listener, NotFound,
    Options, OptionsError, OriginCheck, Origins, OverflowPolicy, PerMessageDeflate, Rate, Refused,
    RemoteAddr, Request, SameSite, Secure, SubprotocolChoice, Subprotocols, TransportKind,
};
pub use error::{AckError, BoxError, BuildError, ConnectError, EmitError};
pub use events::context::{Ack, Acknowledge, EventContext};
pub use events::error::{ExtractError, InvalidEvent};
pub use events::extract::{Args, Auth, Data, ErrorEvent, EventName, FromEvent, Query, State};
pub use events::failures::{AckErrors, HandlerError};
pub use events::given::Given;
pub use events::handler::{Handler, IntoReply, Reply};
pub use events::listeners::ListenerId;
pub use events::middleware::{EventMiddleware, IncomingEvent, Middleware};
pub use events::observer::{ObservedEvent, Observer, Receivers};
pub use events::shared::{Extension, HttpExtension, OptionalFromEvent};
pub use limits::{Limit, Limits};
pub use namespace::dynamic::{Candidate, NamespaceRule, ParentNamespace};
pub use namespace::{Connected, Namespace};
pub use reason::{DisconnectReason, Reason};
pub use server::Server;
pub use server::builder::Builder;
pub use server::client_files::ClientFiles;
pub use server::layer::SocketIoLayer;
#[cfg(feature = "metrics")]
pub use server::metrics::describe_metrics;
pub use socket::handshake::Handshake;
pub use socket::{Extensions, Socket};
pub use socketio_adapter::{
    Adapter, AdapterError, AdapterFactory, Answers, Completion, IntoRooms, LocalAdapterFactory,
    Room, SocketId,
};
pub use socketio_parser::{
    ArgsError, Binary, CustomDecoder, CustomParser, DecodeError, IndexMap, Messages, One, Packet,
    PacketType, Parser, Revision, Spread, Value,
};
pub use stats::Stats;

#[doc = include_str!("docs/operating.md")]
pub mod operating {}

#[doc = include_str!("docs/all-limits.md")]
pub mod all_limits {}

#[doc = include_str!("docs/from-node.md")]
pub mod from_node {}

/// The program of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
