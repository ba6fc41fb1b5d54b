//! Numbers in a list are no rooms either.

use socketio::Socket;

fn join(socket: &Socket) {
    let _ = socket.join([1, 2]);
}

fn main() {}
