//! The methods of the namespace `/`.

use std::time::Duration;

use engineio::OverflowPolicy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use socketio_adapter::{AdapterError, Answers, Completion, IntoRooms, SocketId};

use super::Server;
use crate::cluster::remote_socket::RemoteSocket;
use crate::cluster::server_event::ServerEvent;
use crate::emit::broadcast::BroadcastOperator;
use crate::error::EmitError;
use crate::events::dedupe::Dedupe;
use crate::events::handler::Handler;
use crate::events::middleware::Middleware;
use crate::forward::forward;

/// The methods of the namespace `/`.
impl Server {
    forward! { sockets:
        /// [`Namespace::on_connection`](crate::Namespace::on_connection) of `/`.
        ///
        /// # Panics
        /// As that method.
        #[track_caller]
        fn on_connection[M: 'static](handler: impl Handler<M>);

        /// [`Namespace::on_connect`](crate::Namespace::on_connect) of `/`.
        ///
        /// # Panics
        /// As that method.
        #[track_caller]
        fn on_connect[M: 'static](handler: impl Handler<M>);

        /// [`Namespace::use_fn`](crate::Namespace::use_fn) of `/`.
        ///
        /// # Panics
        /// As that method.
        #[track_caller]
        fn use_fn[M: 'static](middleware: impl Middleware<M>);

        /// [`Namespace::dedupe`](crate::Namespace::dedupe) of `/`.
        fn dedupe(dedupe: Dedupe);

        /// [`Namespace::emit`](crate::Namespace::emit) to `/`.
        ///
        /// # Errors
        /// Those of that method.
        fn emit[T: Serialize](event: &str, args: T) -> Result<(), EmitError>;

        /// [`Namespace::send`](crate::Namespace::send) to `/`.
        ///
        /// # Errors
        /// Those of that method.
        fn send[T: Serialize](args: T) -> Result<(), EmitError>;

        /// [`Namespace::to`](crate::Namespace::to) of `/`.
        fn to(rooms: impl IntoRooms) -> BroadcastOperator;

        /// [`Namespace::in_room`](crate::Namespace::in_room) of `/`.
        fn in_room(rooms: impl IntoRooms) -> BroadcastOperator;

        /// [`Namespace::except`](crate::Namespace::except) of `/`.
        fn except(rooms: impl IntoRooms) -> BroadcastOperator;

        /// [`Namespace::volatile`](crate::Namespace::volatile) of `/`.
        fn volatile() -> BroadcastOperator;

        /// [`Namespace::local`](crate::Namespace::local) of `/`.
        fn local() -> BroadcastOperator;

        /// [`Namespace::compress`](crate::Namespace::compress) of `/`.
        fn compress(compress: bool) -> BroadcastOperator;

        /// [`Namespace::when_full`](crate::Namespace::when_full) of `/`.
        fn when_full(policy: OverflowPolicy) -> BroadcastOperator;

        /// [`Namespace::timeout`](crate::Namespace::timeout) of `/`.
        fn timeout(timeout: Duration) -> BroadcastOperator;

        /// [`Namespace::clients`](crate::Namespace::clients) of `/`.
        ///
        /// # Errors
        /// Those of that method.
        async fn clients() -> Result<Answers<SocketId>, AdapterError>;

        /// [`Namespace::fetch_sockets`](crate::Namespace::fetch_sockets) of `/`.
        ///
        /// # Errors
        /// Those of that method.
        async fn fetch_sockets() -> Result<Answers<RemoteSocket>, AdapterError>;

        /// [`Namespace::sockets_join`](crate::Namespace::sockets_join) of `/`.
        fn sockets_join(rooms: impl IntoRooms) -> Completion;

        /// [`Namespace::sockets_leave`](crate::Namespace::sockets_leave) of `/`.
        fn sockets_leave(rooms: impl IntoRooms) -> Completion;

        /// [`Namespace::disconnect_sockets`](crate::Namespace::disconnect_sockets) of `/`.
        fn disconnect_sockets(close: bool) -> Completion;

        /// [`Namespace::on_server_event`](crate::Namespace::on_server_event) of `/`.
        fn on_server_event[F, Fut](event: impl Into<String>, listener: F) where [
            F: FnOnce(ServerEvent) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = ()> + Send + 'static,
        ];

        /// [`Namespace::server_side_emit`](crate::Namespace::server_side_emit) of `/`.
        fn server_side_emit[T: Serialize](event: &str, args: T) -> Completion;

        /// [`Namespace::server_side_emit_with_ack`](crate::Namespace::server_side_emit_with_ack)
        /// of `/`.
        ///
        /// # Errors
        /// Those of that method.
        async fn server_side_emit_with_ack[R: DeserializeOwned](
            event: &str,
            args: impl Serialize
        ) -> Result<Answers<R>, AdapterError>;
    }
}
