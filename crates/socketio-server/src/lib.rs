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
//! classes of the Socket.IO API. [`events`] says what a handler is and what its arguments are,
//! [`emit`] to whom something is sent and who acknowledges it. [`options`] are those with more to
//! say than a number, [`serve`] is how requests come in and how a server ends, [`observe`] what can
//! be seen of a running one. [`guide`] leads through all of it, a page a topic: begin with its
//! [tutorial](guide::tutorial); who comes from Socket.IO for Node has [`guide::from_node`], who runs
//! a server [`guide::operating`], and [`guide::all_limits`] is the table of what is bounded.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod cluster;
mod connection;
pub mod emit;
mod error;
pub mod events;
mod forward;
pub mod guide;
mod limits;
mod membership;
mod namespace;
mod reason;
mod recovery;
mod server;
mod socket;
mod stats;

pub use client::Client;
pub use error::{BoxError, ConnectError};
pub use events::context::Ack;
pub use events::extract::{Args, Auth, Data, State};
pub use events::handler::Reply;
pub use namespace::Namespace;
pub use reason::Reason;
pub use server::Server;
pub use server::builder::Builder;
pub use socket::Socket;
pub use socketio_parser::{Binary, Value};

/// Rooms and ids, adapters, and what other nodes have: `socketio-adapter` beside this crate's own.
pub mod adapter {
    pub use socketio_adapter::{
        Adapter, AdapterError, AdapterFactory, AdapterFuture, Answers, Completion, DedupeKey,
        DedupeStore, Handled, IntoRooms, LocalAdapterFactory, Outcome, Room, SocketId, Turn,
    };

    pub use crate::cluster::remote_socket::RemoteSocket;
    pub use crate::cluster::server_event::ServerEvent;
}

/// Namespaces by rule, and who is in a namespace.
pub mod namespaces {
    pub use crate::namespace::Connected;
    pub use crate::namespace::dynamic::{Candidate, NamespaceRule, ParentNamespace};
}

/// What can be seen of a running server: counters, limits that acted, why connections ended,
/// observers.
pub mod observe {
    pub use engineio::{CloseDetail, CloseReason, Limit as EngineLimit, LimitCounts};

    pub use crate::events::observer::{ObservedEvent, Observer, Receivers};
    pub use crate::limits::Limit;
    #[cfg(feature = "metrics")]
    pub use crate::server::metrics::describe_metrics;
    pub use crate::stats::Stats;
}

/// What a [`Builder`] takes: the options with more to say than a number.
pub mod options {
    pub use engineio::{
        AllowRequest, Cookie, Cors, GenerateId, Options, OptionsError, OriginCheck, Origins,
        PerMessageDeflate, Rate, Refused, SameSite, SubprotocolChoice, Subprotocols, TransportKind,
    };

    pub use crate::error::BuildError;
    pub use crate::events::failures::AckErrors;
    pub use crate::limits::Limits;
    pub use crate::recovery::ConnectionStateRecovery;
    pub use crate::server::client_files::ClientFiles;
}

/// The forms of packets on the wire, those of one's own included, and values from and to types:
/// `socketio-parser`.
pub mod parser {
    pub use socketio_parser::{
        ArgsError, CustomDecoder, CustomParser, DecodeError, EncodeError, IndexMap, Messages,
        Packet, PacketType, Parser, Revision, from_value, to_value,
    };
}

/// How requests come in, and how a server ends: listeners, tower services, `close` and `drain`.
pub mod serve {
    #[cfg(feature = "signal")]
    pub use engineio::Signals;
    pub use engineio::{
        Attached, Bind, Closing, Draining, EngineService, HttpService, Listener, NotFound,
        RemoteAddr, Request, Secure,
    };

    pub use crate::server::layer::SocketIoLayer;

    /// Clients over HTTP/3: what [`Server::listen_webtransport`](crate::Server::listen_webtransport) takes and gives, from
    /// `engineio-webtransport`.
    #[cfg(feature = "webtransport")]
    pub mod webtransport {
        #[cfg(feature = "dev-certificate")]
        pub use engineio_webtransport::DevCertificate;
        pub use engineio_webtransport::{
            Attached, Options, Stats, Tls, TlsError, attach, listen, rustls,
        };
    }

    /// The nodes of a cluster behind a load balancer without sticky sessions.
    pub mod nodes {
        pub use engineio::{Connect, Link, NodeTag, Plain, Relayed, ReplayHeader, Route};
        pub use socketio_adapter::NodeState;

        pub use crate::error::NodesError;
        pub use crate::membership::Nodes;
        pub use crate::membership::builder::NodesBuilder;
        pub use crate::membership::members::NodeInfo;
    }
}

/// The program of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
