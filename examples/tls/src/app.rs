//! The server: an echo that says over what it was reached.

use socketio::{Data, Reply, Server, Socket};

pub(crate) fn server() -> Server {
    let io = Server::new();
    io.on_connection(|socket: Socket| {
        socket.on("echo", |Data(text): Data<String>| Reply(text));
        socket.on("secure", |socket: Socket| Reply(socket.handshake().is_secure()));
    });
    io
}
