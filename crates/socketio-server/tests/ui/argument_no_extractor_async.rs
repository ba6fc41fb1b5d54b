//! An async handler asks for the text itself instead of `Data<String>`.

use socketio::{Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("chat message", async |_: Socket, text: String| println!("{text}"));
    });
}
