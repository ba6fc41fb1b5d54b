//! `check_handler!` points at the argument that is no extractor.

use socketio::events::check_handler;
use socketio::{Data, Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        let handler = check_handler!(|socket: Socket, Data(_): Data<(u8, String)>, text: String| {
            socket.emit("chat message", text)
        });
        let _ = handler;
        socket.on("chat message", check_handler!(async |text: String| println!("{text}")));
    });
}
