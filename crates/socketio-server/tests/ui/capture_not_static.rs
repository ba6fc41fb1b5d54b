//! A handler borrows what it should own.

use socketio::{Server, Socket};

fn main() {
    let greeting = String::from("hello");
    Server::new().on_connection(|socket: Socket| socket.emit("greeting", &greeting));
}
