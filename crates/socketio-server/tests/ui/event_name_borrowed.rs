//! A listener keeps its name: a borrowed one must be made to live on.

use socketio::Socket;

fn listen(socket: &Socket, name: &str) {
    socket.on(name, || ());
}

fn main() {}
