//! The way to a server of `socketio-server`.

use socketio::Server;
use socketio::serve::HttpService;

use crate::stream::Connector;

impl Connector {
    /// Reaches a server, as if it listened.
    ///
    /// ```
    /// use serde_json::json;
    /// use socketio::{Ack, Data, Server, Socket};
    /// use socketio_testkit::{Client, Connector};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let io = Server::new();
    /// io.on_connection(|socket: Socket| {
    ///     socket.on("twice", |Data(n): Data<u32>, ack: Ack| ack.send(2 * n));
    /// });
    /// let mut client = Client::connect(&Connector::of(&io)).await;
    /// let twice: u32 = client.emit_with_ack_as("twice", json!([21])).await;
    /// assert_eq!(twice, 42);
    /// # }
    /// ```
    #[must_use]
    pub fn of(io: &Server) -> Self {
        let io = io.clone();
        Self::telling_peer(move |stream, peer| {
            let io = io.clone();
            tokio::spawn(async move { io.serve_connection(stream, peer).await });
        })
    }

    /// Reaches a server through a service, such as a router of axum that has `io.layer()`, or one
    /// made by `io.fallback(routes)`.
    #[must_use]
    pub fn of_service(io: &Server, service: impl HttpService + Sync) -> Self {
        let engine = io.engine().clone();
        Self::telling_peer(move |stream, peer| {
            let (engine, service) = (engine.clone(), service.clone());
            tokio::spawn(async move { engine.serve_connection(stream, peer, service).await });
        })
    }
}
