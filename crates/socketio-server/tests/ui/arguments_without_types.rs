//! The types of a closure's arguments are what it asks for: they must be written out.

use socketio::{Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("chat message", |text| println!("{text}"));
    });
}
