//! An async handler returns its answer itself instead of `Reply(answer)`.

use socketio::{Data, Server, Socket};

fn main() {
    Server::new().on_connection(|socket: Socket| {
        socket.on("double", async |Data(n): Data<u32>| n * 2);
    });
}
