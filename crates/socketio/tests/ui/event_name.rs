//! The name of an event is text.

use socketio::{Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on(7, || ());
    });
}
