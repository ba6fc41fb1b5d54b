//! What is emitted must be serialisable.

use socketio::Server;

struct Move {
    column: u8,
}

fn main() {
    let _ = Server::new().emit("move", Move { column: 3 });
}
