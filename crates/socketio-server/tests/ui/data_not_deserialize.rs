//! What a client sends is read as a type that implements `Deserialize`.

use socketio::{Data, Server, Socket};

struct Message;

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("chat message", |_: Data<Message>| ());
    });
}
