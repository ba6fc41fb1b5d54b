//! Middleware is async.

use socketio::{Server, Socket};

fn main() {
    Server::new().use_fn(|_: Socket| Ok(()));
}
