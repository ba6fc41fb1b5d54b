//! A number is no room.

use socketio::Server;

fn main() {
    let _ = Server::new().to(7).emit("news", ());
}
