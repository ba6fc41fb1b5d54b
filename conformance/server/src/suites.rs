//! The servers of the official protocol suites.

use engineio::{Application, Context, Message};
use socketio::parser::IndexMap;
use socketio::{Ack, Args, Server, Socket, Value};

/// Socket.IO protocol 5: `/` and `/custom`.
pub(crate) fn add(io: &Server) {
    for name in ["/", "/custom"] {
        io.of(name).on_connection(|socket: Socket| {
            let none = || Value::from(IndexMap::new());
            let auth = socket.handshake().auth().unwrap_or_else(none);
            socket.on("message", |socket: Socket, args: Args| socket.emit("message-back", args));
            socket.on("message-with-ack", |args: Args, ack: Ack| ack.send(args));
            socket.emit("auth", auth)
        });
    }
}

/// An Engine.IO server that sends every message back.
pub(crate) fn echo(socket: &engineio::Socket) -> Box<dyn Application> {
    struct Echo(engineio::Socket);
    impl Application for Echo {
        fn on_message(&mut self, message: Message<'_>, _: &mut Context<'_>) {
            let _ = self.0.send(message);
        }
    }
    Box::new(Echo(socket.clone()))
}
