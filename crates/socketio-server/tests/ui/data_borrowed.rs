//! What a client sends is read as an owned type.

use socketio::{Data, Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("chat message", |Data(text): Data<&str>| println!("{text}"));
    });
}
